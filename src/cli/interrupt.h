/* SIGINT and SIGTERM as a request to finish what is at hand. The state is global: a signal has no other
 * way to reach a program. */
#ifndef CLI_INTERRUPT_H
#define CLI_INTERRUPT_H

#include <stdbool.h>

/* From now on the first signal of either kind only sets the flag; a second one of the same kind ends the
 * program at once, as if nothing had been caught. A signal that the parent had set to be ignored stays so. */
void interrupt_catch(void);

/* Has a signal come since interrupt_catch? */
bool interrupt_pending(void);

#endif
