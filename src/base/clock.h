/* Time that only moves forward. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

/* Since some fixed moment. */
double clock_ms(void);
double clock_seconds(void);

#endif
