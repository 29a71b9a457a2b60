# What `install` puts where, the CMake package and pkg-config file that find it, the .deb.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set_target_properties(libtenon PROPERTIES EXPORT_NAME tenon)
set_target_properties(tenon PROPERTIES EXPORT_NAME command)
target_include_directories(libtenon INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
install(TARGETS libtenon tenon EXPORT tenon)
install(FILES include/tenon.h include/tenon_runtime.h include/tenon_object.h TYPE INCLUDE)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/tenon)
install(EXPORT tenon NAMESPACE tenon:: DESTINATION ${package_dir} FILE tenon-targets.cmake)
configure_package_config_file(tools/package/tenon-config.cmake.in tenon-config.cmake
                              INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(tenon-config-version.cmake COMPATIBILITY SameMinorVersion)
file(RELATIVE_PATH package_up /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
configure_file(tools/package/tenon.pc.in tenon.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/tenon-config.cmake
              ${CMAKE_BINARY_DIR}/tenon-config-version.cmake DESTINATION ${package_dir})
install(FILES ${CMAKE_BINARY_DIR}/tenon.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

install(FILES ${pages_dir}/tenon.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES ${pages_dir}/libtenon.3 DESTINATION ${CMAKE_INSTALL_MANDIR}/man3)
install(FILES ${pages_dir}/tenon.bash RENAME tenon
        DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
install(FILES ${pages_dir}/_tenon DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions)
install(FILES LICENSE NOTICE.md TYPE DOC)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME tenon)
set(CPACK_PACKAGE_CONTACT "the tenon project <tenon@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "compiler for networks, losses and their training")
set(CPACK_STRIP_FILES ON)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION devel)
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "gcc, gnuplot-nox") # links objects; draws plots
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
include(CPack)
