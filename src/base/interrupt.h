/* SIGINT, SIGTERM, SIGUSR1 and SIGHUP as a request to finish what is at hand. The state is global: a signal has no other
 * way to reach a program. */
#ifndef BASE_INTERRUPT_H
#define BASE_INTERRUPT_H

#include <stdbool.h>

/* From now on the first signal of each kind only sets the flag; a second SIGINT or SIGTERM ends the program
 * at once, as if nothing had been caught; a second SIGHUP does not, as a closed terminal sends several. A
 * signal that the parent had set to be ignored (nohup) stays so. */
void interrupt_catch(void);

/* Has a signal come since interrupt_catch? */
bool interrupt_pending(void);

#endif
