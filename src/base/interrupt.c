#include "base/interrupt.h"

#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>

static atomic_bool is_pending;

static void remember(int number)
{
    (void)number;
    atomic_store(&is_pending, true);
}

static void catch_one(int number, int flags)
{
    struct sigaction old;
    if (sigaction(number, NULL, &old) == 0 && old.sa_handler == SIG_IGN) {
        return;
    }
    struct sigaction action = {.sa_handler = remember, .sa_flags = flags};
    sigemptyset(&action.sa_mask);
    sigaction(number, &action, NULL);
}

void interrupt_catch(void)
{
    atomic_store(&is_pending, false);
    catch_one(SIGINT, (int)SA_RESETHAND);
    catch_one(SIGTERM, (int)SA_RESETHAND);
    catch_one(SIGUSR1, SA_RESTART); /* mpirun hands it on and kills nobody, nor does Slurm */
    catch_one(SIGHUP,
              SA_RESTART); /* from the shell, and once more from the terminal that it leaves */
}

bool interrupt_pending(void)
{
    return atomic_load(&is_pending);
}
