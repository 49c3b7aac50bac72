/* The processes that one command was started as (`mpirun -n 4 yolo train ...`), and what they tell each other. Built with
 * `make MPI=1` they are MPI's (ranks_mpi.c, which alone includes mpi.h); else, and before ranks_open, there is one
 * (ranks_single.c).
 *
 * Messages may be sent and received by another thread than the one that called ranks_open; all else but the first three is
 * for that one. What everybody takes part in is called by all processes in the same order. A process that is lost ends
 * all, and so does a starter that is lost, on its host. */
#ifndef BASE_RANKS_H
#define BASE_RANKS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

int ranks_count(void);
int ranks_own(void); /* from 0; process 0 prints and writes */
/* Those that share this one's processors, itself too. */
int ranks_on_host(void);

/* Join the others. From then on the processes of a host divide its cores (base/cores.h), and those behind the first say
 * nothing until log_mute(false). A program without MPI that was started as one of several: ERR_ARG. */
NODISCARD enum result ranks_open(struct error *err);
void ranks_close(void);

/* A line that is printed if process 0 or any other is lost, whoever ends the rest. */
void ranks_last_words(const char *line);
/* End all processes, at once. */
_Noreturn void ranks_abort(int status);

/* Everybody gets what process 0 has. */
void ranks_broadcast(void *data, size_t bytes);
/* Everybody gets everything: bytes[ranks_count()] of each lie one behind the other in `all`, where one's own are already. */
void ranks_gather(void *all, const size_t *bytes);
/* Has everybody succeeded? Else all get the first one's error that has not, with its number where that is not 0. */
NODISCARD enum result ranks_agree(enum result result, struct error *err);

/* A message under way: between ranks_send or ranks_receive and the first true of ranks_is_done its data is left alone.
 * Messages from one process to another with the same tag (below 32768) arrive in order. */
struct ranks_message {
    _Alignas(8) unsigned char handle[8];
    bool is_open;
};
void ranks_send(struct ranks_message *message, const void *data, size_t bytes, int to, int tag);
void ranks_receive(struct ranks_message *message, void *data, size_t bytes, int from, int tag);
bool ranks_is_done(struct ranks_message *message);
/* Give way to others, the longer the more often in vain. *tries begins at 0. */
void ranks_pause(int *tries);
/* The same beside threads that compute, which are not to be woken from it too often. */
void ranks_rest(void);

#endif
