/* OpenMP's threads, one parallel region for many loops.
 *
 * `#pragma omp for` in each loop would end every loop by waiting for the whole team, also for a
 * thread that the operating system has not even scheduled, and a network is two hundred loops of
 * some 100 us. So the region is opened once around a pass (or a whole run), and within it the loops
 * are handed out here: the caller works itself, and waits only for helpers that have joined. With
 * decoder threads, or anything else, on the same cores that is the difference between losing a
 * share and losing a time slice per layer. It needs no wait policy in the environment, so it is the
 * same inside a library that another program loads.
 *
 * Every thread begins with items of its own, the same part of each loop, and then takes what others have left. Loops over the
 * rows of one picture thus find in a core's own cache what that core wrote in the loop before.
 *
 * One word holds the state of the current loop: its number, whether it may still be joined, whether
 * the team is dismissed, and how many helpers are inside. */
#include "base/parallel.h"

#include <omp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cores.h"
#include "base/denormals.h"

enum {
    MAX_THREADS = 1024,
    MAX_PARTS = 16, /* of a loop; with more threads some begin with the same one */
    CACHE_LINE = 64,
    APART = 32 << 10, /* bytes; 4 KB undo a tenth of what lying side by side costs, 8 KB a third */
    PLACE = 2 << 20,  /* of a thread's memory in every loop that has no more for it */
    SPINS = 20000     /* some 100 us before a helper sleeps */
};

static const uint64_t OPEN = 1u << 16;      /* below: helpers inside */
static const uint64_t DISMISSED = 1u << 17; /* no loop will follow in this team */
static const uint64_t LOOP = 1u << 18;      /* above: the loop's number */

/* Neighbouring items of a loop. */
struct loop_part {
    _Alignas(CACHE_LINE) atomic_size_t next; /* item to hand out */
    size_t end;
};

static struct {
    _Alignas(CACHE_LINE) atomic_uint_fast64_t state;
    _Alignas(CACHE_LINE) atomic_int sleepers;
    struct loop_part parts[MAX_PARTS];
    size_t part_count;
    void (*body)(void *ctx, size_t item, int thread);
    void *ctx;
    atomic_flag is_taken; /* by the thread that has the team */
    pthread_mutex_t mutex;
    pthread_cond_t wake;
} team = {.is_taken = ATOMIC_FLAG_INIT,
          .mutex = PTHREAD_MUTEX_INITIALIZER,
          .wake = PTHREAD_COND_INITIALIZER};

static atomic_int thread_count;

/* What the calling thread is to the team. */
static _Thread_local enum role { OUTSIDE, LEADS, IN_LOOP, ALONE } role = OUTSIDE;

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Does OMP_NUM_THREADS ask for something? What is no number ("4,2" is one a level), OpenMP ignores. */
static bool names_a_number(const char *asked)
{
    char *end;
    return asked && strtol(asked, &end, 10) > 0 && (*end == '\0' || strchr(", \t", *end));
}

void parallel_set_threads(int threads)
{
    if (threads <= 0) {
        threads =
            names_a_number(getenv("OMP_NUM_THREADS")) ? omp_get_max_threads() : cores_usable();
    }
    int limit = omp_get_thread_limit(); /* OMP_THREAD_LIMIT */
    limit = limit < MAX_THREADS ? limit : MAX_THREADS;
    atomic_store(&thread_count, threads < limit ? threads : limit);
}

int parallel_threads(void)
{
    if (role == ALONE) {
        return 1;
    }
    if (atomic_load_explicit(&thread_count, memory_order_relaxed) == 0) {
        parallel_set_threads(0);
    }
    return atomic_load_explicit(&thread_count, memory_order_relaxed);
}

size_t parallel_stride(size_t bytes)
{
    return (bytes + APART + PLACE - 1) / PLACE * PLACE;
}

/* ---- helpers ---- */

static void work(int thread)
{
    size_t count = team.part_count;
    for (size_t k = 0; k < count; k++) {
        struct loop_part *part = &team.parts[((size_t)thread + k) % count];
        for (;;) {
            size_t item = atomic_fetch_add_explicit(&part->next, 1, memory_order_relaxed);
            if (item >= part->end) {
                break;
            }
            team.body(team.ctx, item, thread);
        }
    }
}

static void deal(size_t items)
{
    size_t count = (size_t)parallel_threads();
    count = count < MAX_PARTS ? count : MAX_PARTS;
    team.part_count = count < items ? count : items;
    for (size_t k = 0; k < team.part_count; k++) {
        struct loop_part *part = &team.parts[k];
        atomic_store_explicit(&part->next, items * k / team.part_count, memory_order_relaxed);
        part->end = items * (k + 1) / team.part_count;
    }
}

/* Is there a loop other than number `last` to join, or nothing more to wait for? */
static bool has_news(uint64_t state, uint64_t last)
{
    return (state & DISMISSED) || ((state & OPEN) && state / LOOP != last);
}

static uint64_t await_news(uint64_t last)
{
    for (int spin = 0;; spin++) {
        uint64_t state = atomic_load_explicit(&team.state, memory_order_acquire);
        if (has_news(state, last)) {
            return state;
        }
        if (spin < SPINS) {
            relax();
            continue;
        }
        pthread_mutex_lock(&team.mutex);
        atomic_fetch_add(&team.sleepers, 1);
        if (!has_news(atomic_load(&team.state), last)) {
            pthread_cond_wait(&team.wake, &team.mutex);
        }
        atomic_fetch_sub(&team.sleepers, 1);
        pthread_mutex_unlock(&team.mutex);
        spin = 0;
    }
}

static void help(int thread)
{
    uint64_t last = 0;
    unsigned long before = denormals_flush();
    role = IN_LOOP;
    for (;;) {
        uint64_t state = await_news(last);
        if (state & DISMISSED) {
            break;
        }
        last = state / LOOP;
        bool is_open = true;
        while (is_open && !atomic_compare_exchange_weak(&team.state, &state, state + 1)) {
            is_open = (state & OPEN) && state / LOOP == last;
        }
        if (is_open) {
            work(thread);
            atomic_fetch_sub_explicit(&team.state, 1, memory_order_release);
        }
    }
    role = OUTSIDE;
    denormals_restore(before);
}

/* ---- the leader ---- */

static void publish(uint64_t state)
{
    atomic_store(&team.state, state);
    if (atomic_load(&team.sleepers) > 0) {
        pthread_mutex_lock(&team.mutex);
        pthread_cond_broadcast(&team.wake);
        pthread_mutex_unlock(&team.mutex);
    }
}

static void lead_loop(size_t items, void (*body)(void *ctx, size_t item, int thread), void *ctx)
{
    deal(items);
    team.body = body;
    team.ctx = ctx;
    uint64_t number = atomic_load_explicit(&team.state, memory_order_relaxed) / LOOP + 1;
    publish(number * LOOP | OPEN);
    role = IN_LOOP;
    work(0);
    role = LEADS;
    uint64_t state = atomic_fetch_and(&team.state, ~OPEN) & ~OPEN;
    for (int spin = 0; state != number * LOOP; spin++) {
        if (spin < SPINS) {
            relax();
        } else {
            sched_yield();
        }
        state = atomic_load_explicit(&team.state, memory_order_acquire);
    }
}

/* Denormals count as zero from here on, on every thread of a team and on a caller that works alone: one seed, one result. */
static void run_flushing(void (*body)(void *ctx), void *ctx)
{
    unsigned long before = denormals_flush();
    body(ctx);
    denormals_restore(before);
}

/* Every signal belongs to the threads the program itself knows: OpenMP's are made with all of them
 * blocked. They take over their maker's floating-point mode, too, so the leader's changes inside. */
static void open_region(int threads, void (*body)(void *ctx), void *ctx)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    uint64_t last = atomic_load(&team.state) / LOOP;
    atomic_store(&team.state, (last + 1) * LOOP);
#pragma omp parallel num_threads(threads)
    {
        if (omp_get_thread_num() == 0) {
            pthread_sigmask(SIG_SETMASK, &old, NULL);
            role = LEADS;
            run_flushing(body, ctx);
            role = OUTSIDE;
            publish(atomic_load(&team.state) | DISMISSED);
        } else {
            help(omp_get_thread_num());
        }
    }
}

void parallel_team(void (*body)(void *ctx), void *ctx)
{
    int threads = parallel_threads();
    if (threads == 1 || role != OUTSIDE ||
        atomic_flag_test_and_set_explicit(&team.is_taken, memory_order_acquire)) {
        run_flushing(body, ctx);
        return;
    }
    open_region(threads, body, ctx);
    atomic_flag_clear_explicit(&team.is_taken, memory_order_release);
}

struct loop {
    size_t items;
    void (*body)(void *ctx, size_t item, int thread);
    void *ctx;
};

/* Shared if this thread leads a team, else serial: one thread, called from within or beside another
 * loop. */
static void run_loop(void *ctx)
{
    const struct loop *loop = ctx;
    if (role == LEADS && loop->items > 1) {
        lead_loop(loop->items, loop->body, loop->ctx);
        return;
    }
    for (size_t i = 0; i < loop->items; i++) {
        loop->body(loop->ctx, i, 0);
    }
}

void parallel_for(size_t items, void (*body)(void *ctx, size_t item, int thread), void *ctx)
{
    struct loop loop = {items, body, ctx};
    if (role != OUTSIDE) { /* denormals are zero already */
        run_loop(&loop);
    } else if (items > 1) {
        parallel_team(run_loop, &loop);
    } else {
        run_flushing(run_loop, &loop);
    }
}

void parallel_alone(void (*body)(void *ctx), void *ctx)
{
    enum role before = role;
    role = ALONE;
    run_flushing(body, ctx);
    role = before;
}
