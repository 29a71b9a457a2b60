/* The version, as `--version` prints it. */
#include "tools/version.h"

const char *version_text(void) {
    return "tenon " TENON_VERSION;
}
