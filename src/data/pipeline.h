/* Read ahead, compute in batches, write behind.
 *
 *   source --next--> slot --load--> ready --compute--> delivered --save--> free slot
 *   (one at a time)   (loader threads)    (the caller's thread)  (saver threads)
 *
 * A fixed ring of slots carries everything, so memory does not grow with the number of items, and a slow
 * stage holds the others back. Items are numbered as `next` hands them out; compute and deliver see them
 * strictly in that order whatever the number of threads. Nothing here knows pictures or networks. */
#ifndef DATA_PIPELINE_H
#define DATA_PIPELINE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/* A slot is slot_bytes of the caller's, zeroed once before its first use and then reused as it was left. */
struct pipeline_hooks {
    void *ctx;

    /* Fill the slot with the next item; false at the end. Never called twice at a time, but from any loader
     * thread. It may block (a terminal, a pipe): a stop interrupts its system call with EINTR. */
    bool (*next)(void *ctx, void *slot);

    /* The costly part of reading; any loader thread, several at a time. Failures belong into the slot. */
    void (*load)(void *ctx, void *slot);

    /* 1 <= count <= batch consecutive slots; the caller's thread. Fewer than batch only at the end. */
    void (*compute)(void *ctx, void *const *slots, int count);

    /* Every slot, once, in order; the caller's thread. */
    void (*deliver)(void *ctx, void *slot);

    /* Any saver thread, several at a time; begun in order. NULL: nothing to save. */
    void (*save)(void *ctx, void *slot);

    /* At the very end, for every slot, used or still zeroed: free what it holds. NULL: nothing. */
    void (*destroy)(void *ctx, void *slot);

    /* Polled by the caller's thread; true ends the run after the batch at hand. NULL: never. */
    bool (*is_stopped)(void *ctx);
};

struct pipeline_options {
    size_t slot_bytes;
    int batch;   /* slots per compute */
    int loaders; /* threads, at least 1 */
    int savers;  /* threads, at least 1 if there is a save hook */
};

/* Run to the end of the source. When stopped: what was delivered has been saved, what was only loaded is
 * dropped, and the result is ERR_INTERRUPTED. Else ERR_MEMORY, or ERR_IO if a thread cannot start.
 * SIGINT and SIGTERM are blocked in the helper threads; SIGUSR1 is taken for the duration. */
NODISCARD enum result pipeline_run(const struct pipeline_hooks *hooks,
                                   const struct pipeline_options *options, struct error *err);

#endif
