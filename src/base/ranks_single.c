/* One process. */
#include "base/ranks.h"

#include <stdlib.h>

int ranks_count(void)
{
    return 1;
}

int ranks_own(void)
{
    return 0;
}

int ranks_on_host(void)
{
    return 1;
}

/* As Open MPI's, MPICH's and Slurm's starters say it. Several that know nothing of each other would each train alone. */
enum result ranks_open(struct error *err)
{
    static const char *const counts[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE"};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        const char *count = getenv(counts[i]);
        if (count && atoi(count) > 1) {
            return error_set(err, ERR_ARG,
                             "started as one of %d processes, but built for one (make MPI=1)",
                             atoi(count));
        }
    }
    return OK;
}

void ranks_close(void)
{
}

void ranks_last_words(const char *line)
{
    (void)line;
}

void ranks_abort(int status)
{
    (void)status;
    abort();
}

void ranks_broadcast(void *data, size_t bytes)
{
    (void)data, (void)bytes;
}

void ranks_gather(void *all, const size_t *bytes)
{
    (void)all, (void)bytes;
}

enum result ranks_agree(enum result result, struct error *err)
{
    (void)err;
    return result;
}

void ranks_send(struct ranks_message *message, const void *data, size_t bytes, int to, int tag)
{
    (void)message, (void)data, (void)bytes, (void)to, (void)tag;
}

void ranks_receive(struct ranks_message *message, void *data, size_t bytes, int from, int tag)
{
    (void)message, (void)data, (void)bytes, (void)from, (void)tag;
}

bool ranks_is_done(struct ranks_message *message)
{
    (void)message;
    return true;
}

void ranks_pause(int *tries)
{
    (*tries)++;
}

void ranks_rest(void)
{
}
