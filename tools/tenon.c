/* The `tenon` command: picks the verb. */
#include "tools/version.h"
#include <stdio.h>

int main(void) {
    puts(version_text());
    return 0;
}
