#include "data/stream.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "base/cores.h"
#include "base/memory.h"
#include "base/parallel.h"

enum { POLL_MS = 50, NUDGE_MS = 5 };

/*   free --next--> loading --last part loaded--> ready --given back--> done --> saving --> free
 *                                                           (without a save hook: free) */
enum slot_state { SLOT_FREE, SLOT_LOADING, SLOT_READY, SLOT_DONE, SLOT_SAVING };

struct slot {
    enum slot_state state;
    int left; /* parts not loaded yet */
};

struct helper {
    struct stream *stream;
    int number;
    pthread_t thread;
};

struct stream {
    struct stream_hooks hooks;
    struct stream_options options;
    char *bytes;        /* [slots][slot_bytes] */
    struct slot *slots; /* [slots] */
    void **batch;
    struct helper *helpers;
    int helper_count;

    pthread_mutex_t lock; /* guards everything below, and the slots' states */
    pthread_cond_t changed;
    /* Item numbers; item i lives in slot i % slots. claimed >= given_back >= saving. */
    size_t claimed, given_back, saving;
    int part, parts;         /* the next part of item claimed - 1 to be loaded; of how many */
    bool is_source_done;     /* no item will be claimed any more */
    bool is_closing;         /* ... nor given back */
    bool is_in_next;         /* a loader is inside hooks.next, which may block for ever */
    pthread_t source_thread; /* that loader */
    struct error failure;    /* code OK: none */
};

static void *bytes_of(const struct stream *s, size_t item)
{
    return s->bytes + item % s->options.slots * s->options.slot_bytes;
}

static struct slot *slot_of(const struct stream *s, size_t item)
{
    return &s->slots[item % s->options.slots];
}

/* The functions that say so are called with the lock held. */

static void change(struct stream *s, size_t item, enum slot_state state)
{
    slot_of(s, item)->state = state;
    pthread_cond_broadcast(&s->changed);
}

static void fail(struct stream *s, const struct error *why)
{
    if (s->failure.code == OK) {
        s->failure = *why;
    }
    pthread_cond_broadcast(&s->changed);
}

/* ---- loaders ---- */

/* Fill the next slot from the source. The source may block, so the lock, held before and after,
 * is free meanwhile. */
static void ask_source(struct stream *s)
{
    struct error why;
    s->is_in_next = true;
    s->source_thread = pthread_self();
    pthread_mutex_unlock(&s->lock);
    int parts = s->hooks.next(s->hooks.ctx, bytes_of(s, s->claimed), &why);
    pthread_mutex_lock(&s->lock);
    s->is_in_next = false;
    if (parts > 0) {
        slot_of(s, s->claimed)->left = parts;
        s->parts = parts;
        s->part = 0;
        change(s, s->claimed++, SLOT_LOADING);
        return;
    }
    s->is_source_done = true;
    if (parts < 0) {
        fail(s, &why);
    }
    pthread_cond_broadcast(&s->changed);
}

/* The next part to be loaded. False: there is nothing more to do. With the lock held. */
static bool claim(struct stream *s, size_t *item, int *part)
{
    while (!s->is_closing && s->failure.code == OK) {
        if (s->part < s->parts) {
            *item = s->claimed - 1;
            *part = s->part++;
            return true;
        }
        if (s->is_source_done) {
            return false;
        }
        if (s->is_in_next || slot_of(s, s->claimed)->state != SLOT_FREE) {
            pthread_cond_wait(&s->changed, &s->lock);
        } else {
            ask_source(s);
        }
    }
    return false;
}

static void load_parts(void *arg)
{
    const struct helper *helper = arg;
    struct stream *s = helper->stream;
    size_t item;
    int part;
    pthread_mutex_lock(&s->lock);
    while (claim(s, &item, &part)) {
        struct error why;
        pthread_mutex_unlock(&s->lock);
        enum result result =
            s->hooks.load(s->hooks.ctx, bytes_of(s, item), part, helper->number, &why);
        pthread_mutex_lock(&s->lock);
        if (result != OK) {
            fail(s, &why);
        } else if (--slot_of(s, item)->left == 0) {
            change(s, item, SLOT_READY);
        }
    }
    pthread_mutex_unlock(&s->lock);
}

static void *loader_main(void *arg)
{
    parallel_alone(load_parts, arg);
    return NULL;
}

/* ---- savers ---- */

static void *saver_main(void *arg)
{
    struct stream *s = ((const struct helper *)arg)->stream;
    pthread_mutex_lock(&s->lock);
    for (;;) {
        while (s->saving == s->given_back && !s->is_closing) {
            pthread_cond_wait(&s->changed, &s->lock);
        }
        if (s->saving == s->given_back) {
            pthread_mutex_unlock(&s->lock);
            return NULL;
        }
        size_t item = s->saving++;
        slot_of(s, item)->state = SLOT_SAVING;
        pthread_mutex_unlock(&s->lock);
        s->hooks.save(s->hooks.ctx, bytes_of(s, item));
        pthread_mutex_lock(&s->lock);
        change(s, item, SLOT_FREE);
    }
}

/* ---- the caller ---- */

/* How many of the next items are ready, at most a batch of them. With the lock held. */
static int count_ready(const struct stream *s)
{
    int ready = 0;
    while (ready < s->options.batch && s->given_back + (size_t)ready < s->claimed &&
           slot_of(s, s->given_back + (size_t)ready)->state == SLOT_READY) {
        ready++;
    }
    return ready;
}

static void timed_wait(struct stream *s)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += POLL_MS * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_nsec -= 1000000000L;
        until.tv_sec++;
    }
    pthread_cond_timedwait(&s->changed, &s->lock, &until);
}

/* With the lock held. */
static enum result wait_batch(struct stream *s, int *count, struct error *err)
{
    for (;;) {
        if (s->hooks.is_stopped && s->hooks.is_stopped(s->hooks.ctx)) {
            return error_set(err, ERR_INTERRUPTED, "interrupted");
        }
        if (s->failure.code != OK) {
            return error_set(err, s->failure.code, "%s", s->failure.text);
        }
        int ready = count_ready(s);
        bool is_rest = s->is_source_done && s->given_back + (size_t)ready == s->claimed;
        if (ready == s->options.batch || is_rest) {
            *count = ready;
            return OK;
        }
        timed_wait(s);
    }
}

enum result stream_take(struct stream *s, void *const **slots, int *count, struct error *err)
{
    *count = 0;
    *slots = s->batch;
    pthread_mutex_lock(&s->lock);
    enum result result = wait_batch(s, count, err);
    pthread_mutex_unlock(&s->lock);
    for (int i = 0; i < *count; i++) {
        s->batch[i] = bytes_of(s, s->given_back + (size_t)i);
    }
    return result;
}

void stream_give_back(struct stream *s)
{
    pthread_mutex_lock(&s->lock);
    change(s, s->given_back++, s->hooks.save ? SLOT_DONE : SLOT_FREE);
    pthread_mutex_unlock(&s->lock);
}

/* ---- opening and closing ---- */

static enum result start_threads(struct stream *s, int wanted, void *(*thread_main)(void *),
                                 struct error *err)
{
    int failure = 0;
    int started = 0;
    while (started < wanted && failure == 0) {
        struct helper *helper = &s->helpers[s->helper_count];
        *helper = (struct helper){.stream = s, .number = started};
        failure = cores_start_thread(&helper->thread, thread_main, helper);
        started += failure == 0;
        s->helper_count += failure == 0;
    }
    if (started == 0) {
        return error_set(err, ERR_IO, "cannot start a thread: %s", strerror(failure));
    }
    return OK;
}

/* Signals are for the caller's threads; SIGUSR1 is how a stop reaches a loader that is blocked in a read. */
static enum result start_helpers(struct stream *s, struct error *err)
{
    sigset_t blocked, old;
    sigfillset(&blocked);
    sigdelset(&blocked, SIGUSR1);
    pthread_sigmask(SIG_SETMASK, &blocked, &old);
    enum result result = start_threads(s, s->options.loaders, loader_main, err);
    if (result == OK && s->hooks.save) {
        result = start_threads(s, s->options.savers, saver_main, err);
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return result;
}

static enum result allocate(struct stream *s, struct error *err)
{
    size_t helpers = (size_t)(s->options.loaders + (s->hooks.save ? s->options.savers : 0));
    if (s->options.slots == 0) {
        s->options.slots = 2 * (size_t)s->options.batch + helpers;
    }
    s->bytes = mem_alloc(s->options.slots, s->options.slot_bytes);
    s->slots = mem_alloc(s->options.slots, sizeof s->slots[0]);
    s->batch = mem_alloc((size_t)s->options.batch, sizeof s->batch[0]);
    s->helpers = mem_alloc(helpers, sizeof s->helpers[0]);
    return s->bytes && s->slots && s->batch && s->helpers ? OK : mem_error(err, "ring of pictures");
}

enum result stream_open(const struct stream_hooks *hooks, const struct stream_options *options,
                        struct stream **stream, struct error *err)
{
    *stream = NULL;
    struct stream *s = mem_alloc(1, sizeof *s);
    if (!s) {
        return mem_error(err, "ring of pictures");
    }
    *s = (struct stream){.hooks = *hooks, .options = *options};
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&s->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&s->lock, NULL);
    enum result result = allocate(s, err);
    result = result == OK ? start_helpers(s, err) : result;
    if (result != OK) {
        stream_close(s);
        return result;
    }
    *stream = s;
    return OK;
}

static void begin_closing(struct stream *s)
{
    pthread_mutex_lock(&s->lock);
    s->is_closing = true;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

void stream_close(struct stream *s)
{
    if (!s) {
        return;
    }
    begin_closing(s);
    for (int i = 0; i < s->helper_count; i++) {
        pthread_join(s->helpers[i].thread, NULL);
    }
    for (size_t i = 0; s->hooks.destroy && s->bytes && i < s->options.slots; i++) {
        s->hooks.destroy(s->hooks.ctx, bytes_of(s, i));
    }
    mem_free(s->bytes);
    mem_free(s->slots);
    mem_free(s->batch);
    mem_free(s->helpers);
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->changed);
    mem_free(s);
}

/* ---- a whole run ---- */

struct run {
    struct stream *stream;
    const struct stream_work *work;
    enum result result;
    struct error *err;
};

static void run_batches(void *ctx)
{
    struct run *run = ctx;
    struct stream *s = run->stream;
    for (;;) {
        void *const *slots;
        int count;
        run->result = stream_take(s, &slots, &count, run->err);
        if (run->result != OK || count == 0) {
            return;
        }
        run->work->compute(s->hooks.ctx, slots, count);
        for (int i = 0; i < count; i++) {
            run->work->deliver(s->hooks.ctx, slots[i]);
            stream_give_back(s);
        }
    }
}

static void ignore_signal(int number)
{
    (void)number;
}

/* A loader blocked in a read of the source would never notice the end: a signal whose handler does
 * nothing makes the read return. Repeated, because it may arrive just before the read begins. */
static void free_blocked_source(struct stream *s)
{
    const struct timespec pause = {.tv_nsec = NUDGE_MS * 1000000L};
    for (;;) {
        pthread_mutex_lock(&s->lock);
        bool is_blocked = s->is_in_next;
        if (is_blocked) {
            pthread_kill(s->source_thread, SIGUSR1);
        }
        pthread_mutex_unlock(&s->lock);
        if (!is_blocked) {
            return;
        }
        nanosleep(&pause, NULL);
    }
}

enum result stream_run(const struct stream_hooks *hooks, const struct stream_options *options,
                       const struct stream_work *work, struct error *err)
{
    struct run run = {.work = work, .err = err};
    struct sigaction nudge = {.sa_handler = ignore_signal}, old_nudge;
    sigemptyset(&nudge.sa_mask);
    sigaction(SIGUSR1, &nudge, &old_nudge);
    run.result = stream_open(hooks, options, &run.stream, err);
    if (run.result == OK) {
        parallel_team(run_batches, &run);
        begin_closing(run.stream);
        free_blocked_source(run.stream);
        stream_close(run.stream);
    }
    sigaction(SIGUSR1, &old_nudge, NULL);
    return run.result;
}
