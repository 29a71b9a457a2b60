/* Files of the command; one a verb. */
#include "tools/version.h"

const char *version_text(void) {
    return "tenon " TENON_VERSION;
}
