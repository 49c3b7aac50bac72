/* A pool of our own rather than OpenMP's: at the end of a parallel loop OpenMP waits for every thread of its
 * team, also for one the operating system has not even scheduled, and a network is two hundred short loops.
 * Here the caller works itself, and waits only for helpers that have begun. With decoder threads, or anything
 * else, on the same cores that is the difference between losing a share and losing a time slice per layer.
 *
 *
 * One word holds the state of the current job: its number, whether it may still be joined, and how many
 * helpers are inside. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* sched_getaffinity */
#endif
#include "base/parallel.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <unistd.h>

enum { MAX_THREADS = 256, CACHE_LINE = 64, SPINS = 20000 /* some 100 us before a helper sleeps */ };

static const uint64_t OPEN = 1u << 16;  /* below: helpers inside */
static const uint64_t JOB = 1u << 17;   /* above: the job's number */

static struct {
    _Alignas(CACHE_LINE) atomic_uint_fast64_t state;
    _Alignas(CACHE_LINE) atomic_size_t next; /* item to hand out */
    _Alignas(CACHE_LINE) atomic_int sleepers;
    size_t items;
    void (*body)(void *ctx, size_t item, int thread);
    void *ctx;
    atomic_int limit; /* threads wanted */
    atomic_flag is_taken;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
} pool = {.is_taken = ATOMIC_FLAG_INIT,
          .mutex = PTHREAD_MUTEX_INITIALIZER,
          .wake = PTHREAD_COND_INITIALIZER};

static int thread_count;
static int helper_count; /* started; only grows */

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static int available_cores(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0) {
        return CPU_COUNT(&set);
    }
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    return cores > 0 ? (int)cores : 1;
}

static void work(int thread)
{
    for (;;) {
        size_t item = atomic_fetch_add_explicit(&pool.next, 1, memory_order_relaxed);
        if (item >= pool.items) {
            return;
        }
        pool.body(pool.ctx, item, thread);
    }
}

/* Wait until a job other than number `last` may be joined; returns the state seen. */
static uint64_t await_job(uint64_t last)
{
    for (int spin = 0;; spin++) {
        uint64_t state = atomic_load_explicit(&pool.state, memory_order_acquire);
        if ((state & OPEN) && state / JOB != last) {
            return state;
        }
        if (spin < SPINS) {
            relax();
            continue;
        }
        pthread_mutex_lock(&pool.mutex);
        atomic_fetch_add(&pool.sleepers, 1);
        state = atomic_load(&pool.state);
        if (!(state & OPEN) || state / JOB == last) {
            pthread_cond_wait(&pool.wake, &pool.mutex);
        }
        atomic_fetch_sub(&pool.sleepers, 1);
        pthread_mutex_unlock(&pool.mutex);
        spin = 0;
    }
}

static void *helper_main(void *argument)
{
    int thread = (int)(intptr_t)argument;
    uint64_t last = 0;
    for (;;) {
        uint64_t state = await_job(last);
        last = state / JOB;
        bool is_open = true;
        while (is_open && !atomic_compare_exchange_weak(&pool.state, &state, state + 1)) {
            is_open = (state & OPEN) && state / JOB == last;
        }
        if (!is_open) {
            continue;
        }
        if (thread < atomic_load(&pool.limit)) { /* fewer may be wanted than were started once */
            work(thread);
        }
        atomic_fetch_sub_explicit(&pool.state, 1, memory_order_release);
    }
    return NULL;
}

/* Every signal belongs to the threads the program itself knows. */
static void start_helpers(int wanted)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    while (helper_count < wanted) {
        pthread_t handle;
        if (pthread_create(&handle, NULL, helper_main, (void *)(intptr_t)(helper_count + 1)) != 0) {
            break; /* fewer helpers: slower, nothing else */
        }
        pthread_detach(handle);
        helper_count++;
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
}

void parallel_set_threads(int threads)
{
    thread_count = threads > 0 ? threads : available_cores();
    if (thread_count > MAX_THREADS) {
        thread_count = MAX_THREADS;
    }
    atomic_store(&pool.limit, thread_count);
    start_helpers(thread_count - 1);
}

int parallel_threads(void)
{
    if (thread_count == 0) {
        parallel_set_threads(0);
    }
    return thread_count;
}

static void run_shared(size_t items, void (*body)(void *ctx, size_t item, int thread), void *ctx)
{
    pool.items = items;
    pool.body = body;
    pool.ctx = ctx;
    atomic_store_explicit(&pool.next, 0, memory_order_relaxed);
    uint64_t job = atomic_load_explicit(&pool.state, memory_order_relaxed) / JOB + 1;
    atomic_store(&pool.state, job * JOB | OPEN);
    if (atomic_load(&pool.sleepers) > 0) {
        pthread_mutex_lock(&pool.mutex);
        pthread_cond_broadcast(&pool.wake);
        pthread_mutex_unlock(&pool.mutex);
    }
    work(0);
    uint64_t state = atomic_fetch_and(&pool.state, ~OPEN) & ~OPEN;
    for (int spin = 0; state != job * JOB; spin++) {
        if (spin < SPINS) {
            relax();
        } else {
            sched_yield();
        }
        state = atomic_load_explicit(&pool.state, memory_order_acquire);
    }
}

void parallel_for(size_t items, void (*body)(void *ctx, size_t item, int thread), void *ctx)
{
    bool is_shared = parallel_threads() > 1 && items > 1 && helper_count > 0 &&
                     !atomic_flag_test_and_set_explicit(&pool.is_taken, memory_order_acquire);
    if (!is_shared) { /* one thread, one item, or called from within or beside another loop */
        for (size_t i = 0; i < items; i++) {
            body(ctx, i, 0);
        }
        return;
    }
    run_shared(items, body, ctx);
    atomic_flag_clear_explicit(&pool.is_taken, memory_order_release);
}
