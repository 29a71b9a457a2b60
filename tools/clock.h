/* Time that only goes forward. */
#ifndef TN_TOOLS_CLOCK_H
#define TN_TOOLS_CLOCK_H

double seconds_now(void);

#endif
