/* What the build puts into the compiler for the objects that it makes. */
#ifndef TN_CODEGEN_EMBEDDED_H
#define TN_CODEGEN_EMBEDDED_H

#include <stddef.h>
#include <stdint.h>

typedef struct Embedded {
    const uint8_t *at;
    size_t count;
} Embedded;

/* Compiled C that every object contains (runtime/object.c and what it calls), as ELF
 * relocatable objects; ends in one of no bytes. */
extern const Embedded embedded_runtime[];
extern const char embedded_header[]; /* the text of include/tenon_object.h */

#endif
