/* A ring of slots with threads: read ahead, compute in batches, write behind.
 *
 *   source --next--> slot --load--> ready --stream_take--> the caller --stream_give_back--> save --> free slot
 *   (one at a time)   (loader threads)                                     (saver threads)
 *
 * A fixed ring of slots carries everything, so memory does not grow with the number of items, and a slow
 * step holds the others back. Items are numbered as `next` hands them out; the caller sees them strictly in that
 * order whatever the number of threads. Nothing here knows pictures or networks. */
#ifndef DATA_STREAM_H
#define DATA_STREAM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/* A slot is slot_bytes of the caller's, zeroed once before its first use and then reused as it was left. */
struct stream_hooks {
    void *ctx;

    /* Fill the slot with the next item: into how many parts its loading is divided; 0 at the end, -1 on an error.
     * Never called twice at a time, but from any loader thread. */
    int (*next)(void *ctx, void *slot, struct error *err);

    /* The costly work on one part of an item, 0 <= part < parts, in loader thread 0 <= loader < loaders; several at
     * a time. What concerns this item alone belongs into the slot; an error ends the stream. */
    enum result (*load)(void *ctx, void *slot, int part, int loader, struct error *err);

    /* Any saver thread, several at a time; begun in order. NULL: nothing to save. */
    void (*save)(void *ctx, void *slot);

    /* At the very end, for every slot, used or still zeroed: free what it holds. NULL: nothing. */
    void (*destroy)(void *ctx, void *slot);

    /* Polled by stream_take; true ends the stream with ERR_INTERRUPTED. NULL: never. */
    bool (*is_stopped)(void *ctx);
};

struct stream_options {
    size_t slot_bytes;
    int batch;    /* slots the caller takes at a time */
    int loaders;  /* threads, at least 1 */
    int savers;   /* threads, at least 1 if there is a save hook */
    size_t slots; /* at least batch + 1; 0 = two batches and one for each thread */
};

struct stream;

/* Starts the threads; with fewer than asked for if the system has no more. The hooks' ctx outlives the
 * stream. ERR_MEMORY, or ERR_IO if no thread can start. The threads take no signal but SIGUSR1. */
NODISCARD enum result stream_open(const struct stream_hooks *hooks,
                                  const struct stream_options *options, struct stream **stream,
                                  struct error *err);

/* The next batch of slots, the caller's until given back; fewer than batch only at the end, and then 0. The first
 * error of next and load, or ERR_INTERRUPTED; then the stream can only be closed. */
NODISCARD enum result stream_take(struct stream *stream, void *const **slots, int *count,
                                  struct error *err);

/* The oldest taken slot is not needed any more: it is saved and used again. */
void stream_give_back(struct stream *stream);

/* What was given back has been saved, what was only loaded is dropped. NULL is accepted. */
void stream_close(struct stream *stream);

/* What stream_run does on the caller's thread, which leads a parallel team meanwhile. */
struct stream_work {
    void (*compute)(void *ctx, void *const *slots, int count); /* 1 <= count <= batch, in order */
    void (*deliver)(void *ctx, void *slot);                    /* every slot, once, in order */
};

/* A whole stream, from stream_open to stream_close, with the hooks' ctx for `work`. `next` may block (a terminal, a
 * pipe): at a stop its system call ends with EINTR, for which SIGUSR1 is taken for the duration. */
NODISCARD enum result stream_run(const struct stream_hooks *hooks,
                                 const struct stream_options *options,
                                 const struct stream_work *work, struct error *err);

#endif
