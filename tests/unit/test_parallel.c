#include "base/parallel.h"

#include <pthread.h>
#include <stdatomic.h>

#include "test.h"

enum { ITEMS = 1000 };

struct tally {
    atomic_int visits[ITEMS];
    atomic_int worst_thread;
};

static void visit(void *ctx, size_t item, int thread)
{
    struct tally *tally = ctx;
    atomic_fetch_add(&tally->visits[item], 1);
    int worst = atomic_load(&tally->worst_thread);
    while (thread > worst && !atomic_compare_exchange_weak(&tally->worst_thread, &worst, thread)) {
    }
}

static bool all_visited(const struct tally *tally, size_t items, int times)
{
    for (size_t i = 0; i < ITEMS; i++) {
        if (atomic_load(&tally->visits[i]) != (i < items ? times : 0)) {
            return false;
        }
    }
    return true;
}

static void every_item_once(void)
{
    for (int threads = 1; threads <= 5; threads++) {
        parallel_set_threads(threads);
        for (size_t items = 0; items <= ITEMS; items += items < 8 ? 1 : 331) {
            struct tally tally = {0};
            parallel_for(items, visit, &tally);
            CHECK_MSG(all_visited(&tally, items, 1), "%d threads, %zu items", threads, items);
            CHECK(atomic_load(&tally.worst_thread) < threads);
        }
    }
}

static void many_short_loops(void)
{
    struct tally tally = {0};
    parallel_set_threads(3);
    for (int i = 0; i < 20000; i++) {
        parallel_for(3, visit, &tally);
    }
    CHECK(all_visited(&tally, 3, 20000));
}

static void nest(void *ctx, size_t item, int thread)
{
    (void)item;
    (void)thread;
    parallel_for(10, visit, ctx);
}

static void nested_calls_are_serial(void)
{
    struct tally tally = {0};
    parallel_set_threads(3);
    parallel_for(7, nest, &tally);
    CHECK(all_visited(&tally, 10, 7));
    CHECK(atomic_load(&tally.worst_thread) == 0);
}

static void *call_many(void *ctx)
{
    for (int i = 0; i < 2000; i++) {
        parallel_for(5, visit, ctx);
    }
    return NULL;
}

static void two_callers_at_once(void)
{
    static struct tally tallies[2];
    pthread_t other;
    parallel_set_threads(2);
    CHECK(pthread_create(&other, NULL, call_many, &tallies[1]) == 0);
    call_many(&tallies[0]);
    pthread_join(other, NULL);
    CHECK(all_visited(&tallies[0], 5, 2000));
    CHECK(all_visited(&tallies[1], 5, 2000));
}

/* What half of a small denormal is, read at run time. */
static float half_of_denormal(void)
{
    volatile float tiny = 2e-40f;
    return tiny * 0.5f;
}

static void count_kept(void *ctx, size_t item, int thread)
{
    (void)item;
    (void)thread;
    if (half_of_denormal() != 0.0f) { /* NOLINT: compares with what is stored */
        atomic_fetch_add((atomic_int *)ctx, 1);
    }
}

static void count_kept_in_team(void *ctx)
{
    count_kept(ctx, 0, 0);
    parallel_for(ITEMS, count_kept, ctx);
}

#if defined(__x86_64__) || defined(__aarch64__)
enum { CAN_FLUSH = 1 };
#else
enum { CAN_FLUSH = 0 };
#endif

/* Also in loops of one item and with one thread: a result must not depend on either. */
static void denormals_are_zero_within(void)
{
    if (!CAN_FLUSH) {
        SKIP("this processor keeps denormals");
    }
    for (int threads = 1; threads <= 3; threads++) {
        atomic_int kept = 0;
        parallel_set_threads(threads);
        for (int i = 0; i < 20; i++) {
            parallel_for(1, count_kept, &kept);
            parallel_for(ITEMS, count_kept, &kept);
            parallel_team(count_kept_in_team, &kept);
        }
        CHECK_MSG(atomic_load(&kept) == 0, "%d threads: %d", threads, atomic_load(&kept));
        CHECK(half_of_denormal() > 0.0f);
    }
}

static void count_own(int *kept)
{
#pragma omp parallel num_threads(3) reduction(+ : kept[:1])
    kept[0] += half_of_denormal() > 0.0f;
}

/* OpenMP's threads belong to the whole process: a program that loads the library finds them as they were. */
static void other_regions_keep_theirs(void)
{
    int kept = 0;
    atomic_int ours = 0;
    parallel_set_threads(3);
    parallel_for(ITEMS, count_kept, &ours);
    count_own(&kept);
    CHECK(kept == 3);
}

static void count_threads(void *ctx)
{
    *(int *)ctx = parallel_threads();
}

/* Beside a team and inside of it, and only as long as it lasts. */
static void alone_in(void *ctx)
{
    struct tally *tally = ctx;
    int threads = 0;
    parallel_alone(count_threads, &threads);
    CHECK(threads == 1 && parallel_threads() == 3);
    parallel_for(10, visit, tally);
}

static void alone_of_many(void *ctx)
{
    parallel_for(10, visit, ctx);
    CHECK(!CAN_FLUSH || half_of_denormal() == 0.0f);
}

static void *call_alone(void *ctx)
{
    parallel_alone(alone_of_many, ctx);
    return NULL;
}

static void alone_is_a_team_of_one(void)
{
    struct tally tally = {0}, other_tally = {0};
    pthread_t other;
    parallel_set_threads(3);
    CHECK(pthread_create(&other, NULL, call_alone, &other_tally) == 0);
    parallel_team(alone_in, &tally);
    pthread_join(other, NULL);
    CHECK(all_visited(&tally, 10, 1));
    CHECK(all_visited(&other_tally, 10, 1));
    CHECK(atomic_load(&other_tally.worst_thread) == 0);
}

static const struct test_case cases[] = {
    {"every_item_once", every_item_once},
    {"many_short_loops", many_short_loops},
    {"nested_calls_are_serial", nested_calls_are_serial},
    {"two_callers_at_once", two_callers_at_once},
    {"alone_is_a_team_of_one", alone_is_a_team_of_one},
    {"denormals_are_zero_within", denormals_are_zero_within},
    {"other_regions_keep_theirs", other_regions_keep_theirs},
};
TEST_MAIN(cases)
