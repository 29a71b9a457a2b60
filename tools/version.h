/* The version line of the command. */
#ifndef TN_TOOLS_VERSION_H
#define TN_TOOLS_VERSION_H

const char *version_text(void);

#endif
