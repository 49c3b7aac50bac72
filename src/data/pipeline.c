#include "data/pipeline.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "base/parallel.h"

enum { POLL_MS = 50, NUDGE_MS = 5 };

enum slot_state { SLOT_FREE, SLOT_LOADING, SLOT_READY, SLOT_DONE, SLOT_SAVING };

struct pipeline {
    const struct pipeline_hooks *hooks;
    struct pipeline_options options;
    char *slots;
    enum slot_state *states;
    void **batch;
    pthread_t *threads;
    int thread_count;
    size_t capacity;

    pthread_mutex_t source_lock; /* held by the loader that asks for the next item */
    pthread_mutex_t lock;        /* guards states and everything below */
    pthread_cond_t changed;
    /* Item numbers; item i lives in slot i % capacity. claimed >= delivered >= saving. */
    size_t claimed, delivered, saving;
    bool is_source_done; /* no item will be claimed any more */
    bool is_stopping;
    bool has_finished;       /* no item will be delivered any more */
    bool is_in_next;         /* a loader is inside hooks->next, which may block for ever */
    pthread_t source_thread; /* that loader */
};

static void *slot_of(const struct pipeline *p, size_t item)
{
    return p->slots + item % p->capacity * p->options.slot_bytes;
}

static enum slot_state *state_of(const struct pipeline *p, size_t item)
{
    return &p->states[item % p->capacity];
}

static void set_state(struct pipeline *p, size_t item, enum slot_state state)
{
    pthread_mutex_lock(&p->lock);
    *state_of(p, item) = state;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
}

/* Wait for the next slot to be free and fill it from the source. False: there is nothing more to do. */
static bool claim(struct pipeline *p, size_t *item)
{
    pthread_mutex_lock(&p->source_lock);
    pthread_mutex_lock(&p->lock);
    while (!p->is_source_done && !p->is_stopping && *state_of(p, p->claimed) != SLOT_FREE) {
        pthread_cond_wait(&p->changed, &p->lock);
    }
    bool has_item = false;
    if (!p->is_source_done && !p->is_stopping) {
        *item = p->claimed;
        p->is_in_next = true;
        p->source_thread = pthread_self();
        pthread_mutex_unlock(&p->lock);
        has_item = p->hooks->next(p->hooks->ctx, slot_of(p, *item));
        pthread_mutex_lock(&p->lock);
        p->is_in_next = false;
        if (has_item) {
            *state_of(p, *item) = SLOT_LOADING;
            p->claimed++;
        } else {
            p->is_source_done = true;
        }
        pthread_cond_broadcast(&p->changed);
    }
    pthread_mutex_unlock(&p->lock);
    pthread_mutex_unlock(&p->source_lock);
    return has_item;
}

static void *loader_main(void *arg)
{
    struct pipeline *p = arg;
    size_t item;
    while (claim(p, &item)) {
        p->hooks->load(p->hooks->ctx, slot_of(p, item));
        set_state(p, item, SLOT_READY);
    }
    return NULL;
}

static void *saver_main(void *arg)
{
    struct pipeline *p = arg;
    for (;;) {
        pthread_mutex_lock(&p->lock);
        while (p->saving == p->delivered && !p->has_finished) {
            pthread_cond_wait(&p->changed, &p->lock);
        }
        bool has_item = p->saving < p->delivered;
        size_t item = p->saving;
        if (has_item) {
            p->saving++;
            *state_of(p, item) = SLOT_SAVING;
        }
        pthread_mutex_unlock(&p->lock);
        if (!has_item) {
            return NULL;
        }
        p->hooks->save(p->hooks->ctx, slot_of(p, item));
        set_state(p, item, SLOT_FREE);
    }
}

/* Under the lock: how many of the next items are ready to compute, at most a batch of them. */
static int count_ready(const struct pipeline *p)
{
    int ready = 0;
    while (ready < p->options.batch && p->delivered + (size_t)ready < p->claimed &&
           *state_of(p, p->delivered + (size_t)ready) == SLOT_READY) {
        ready++;
    }
    return ready;
}

static void timed_wait(struct pipeline *p)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += POLL_MS * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_nsec -= 1000000000L;
        until.tv_sec++;
    }
    pthread_cond_timedwait(&p->changed, &p->lock, &until);
}

static bool is_stopped(const struct pipeline *p)
{
    return p->hooks->is_stopped && p->hooks->is_stopped(p->hooks->ctx);
}

/* The number of slots to compute next: a full batch, or the rest at the end; 0 = finished or stopped. */
static int wait_batch(struct pipeline *p)
{
    pthread_mutex_lock(&p->lock);
    int ready;
    for (;;) {
        if (is_stopped(p)) {
            p->is_stopping = true;
            ready = 0;
            break;
        }
        ready = count_ready(p);
        bool is_rest = p->is_source_done && p->delivered + (size_t)ready == p->claimed;
        if (ready == p->options.batch || is_rest) {
            break;
        }
        timed_wait(p);
    }
    pthread_mutex_unlock(&p->lock);
    return ready;
}

static void run_batches(void *ctx)
{
    struct pipeline *p = ctx;
    for (int count = wait_batch(p); count > 0; count = wait_batch(p)) {
        for (int i = 0; i < count; i++) {
            p->batch[i] = slot_of(p, p->delivered + (size_t)i);
        }
        p->hooks->compute(p->hooks->ctx, p->batch, count);
        for (int i = 0; i < count; i++) {
            p->hooks->deliver(p->hooks->ctx, p->batch[i]);
            pthread_mutex_lock(&p->lock);
            *state_of(p, p->delivered) = p->hooks->save ? SLOT_DONE : SLOT_FREE;
            p->delivered++;
            pthread_cond_broadcast(&p->changed);
            pthread_mutex_unlock(&p->lock);
        }
    }
}

static void ignore_signal(int number)
{
    (void)number;
}

/* A loader blocked in a read of the source would never notice the end: a signal whose handler does
 * nothing makes the read return. Repeated, because it may arrive just before the read begins. */
static void free_blocked_source(struct pipeline *p)
{
    const struct timespec pause = {.tv_nsec = NUDGE_MS * 1000000L};
    for (;;) {
        pthread_mutex_lock(&p->lock);
        bool is_blocked = p->is_in_next;
        if (is_blocked) {
            pthread_kill(p->source_thread, SIGUSR1);
        }
        pthread_mutex_unlock(&p->lock);
        if (!is_blocked) {
            return;
        }
        nanosleep(&pause, NULL);
    }
}

static void finish_threads(struct pipeline *p)
{
    pthread_mutex_lock(&p->lock);
    p->has_finished = true;
    p->is_source_done = true;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
    free_blocked_source(p);
    for (int i = 0; i < p->thread_count; i++) {
        pthread_join(p->threads[i], NULL);
    }
}

/* Start the helper threads with the signals that are meant for the caller's thread blocked. */
static enum result start_threads(struct pipeline *p, struct error *err)
{
    sigset_t blocked, old;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGINT);
    sigaddset(&blocked, SIGTERM);
    sigaddset(&blocked, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &blocked, &old);
    int wanted = p->options.loaders + (p->hooks->save ? p->options.savers : 0);
    int failure = 0;
    while (p->thread_count < wanted && failure == 0) {
        bool is_loader = p->thread_count < p->options.loaders;
        failure = pthread_create(&p->threads[p->thread_count], NULL,
                                 is_loader ? loader_main : saver_main, p);
        p->thread_count += failure == 0;
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (failure != 0) {
        return error_set(err, ERR_IO, "cannot start a thread: %s (try fewer with --threads)",
                         strerror(failure));
    }
    return OK;
}

static enum result allocate(struct pipeline *p, struct error *err)
{
    int savers = p->hooks->save ? p->options.savers : 0;
    /* One batch computes while the next one fills; every helper has a slot of its own in hand. */
    p->capacity = 2 * (size_t)p->options.batch + (size_t)(p->options.loaders + savers);
    p->slots = mem_alloc(p->capacity, p->options.slot_bytes);
    p->states = mem_alloc(p->capacity, sizeof p->states[0]);
    p->batch = mem_alloc((size_t)p->options.batch, sizeof p->batch[0]);
    p->threads = mem_alloc((size_t)(p->options.loaders + savers), sizeof p->threads[0]);
    if (!p->slots || !p->states || !p->batch || !p->threads) {
        return mem_error(err, "slots of the picture pipeline");
    }
    return OK;
}

static void release(struct pipeline *p)
{
    for (size_t i = 0; p->hooks->destroy && p->slots && i < p->capacity; i++) {
        p->hooks->destroy(p->hooks->ctx, p->slots + i * p->options.slot_bytes);
    }
    mem_free(p->slots);
    mem_free(p->states);
    mem_free(p->batch);
    mem_free(p->threads);
}

enum result pipeline_run(const struct pipeline_hooks *hooks, const struct pipeline_options *options,
                         struct error *err)
{
    struct pipeline p = {.hooks = hooks, .options = *options};
    enum result result = allocate(&p, err);
    if (result != OK) {
        release(&p);
        return result;
    }
    struct sigaction nudge = {.sa_handler = ignore_signal}, old_nudge;
    sigemptyset(&nudge.sa_mask);
    sigaction(SIGUSR1, &nudge, &old_nudge);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&p.changed, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&p.lock, NULL);
    pthread_mutex_init(&p.source_lock, NULL);

    result = start_threads(&p, err);
    if (result == OK) {
        parallel_team(run_batches, &p);
    }
    finish_threads(&p);
    if (result == OK && p.is_stopping) {
        result = error_set(err, ERR_INTERRUPTED, "interrupted");
    }

    pthread_mutex_destroy(&p.source_lock);
    pthread_mutex_destroy(&p.lock);
    pthread_cond_destroy(&p.changed);
    sigaction(SIGUSR1, &old_nudge, NULL);
    release(&p);
    return result;
}
