/* The ring with made-up work: order, batches, bounded slots, parts, errors, stopping. */
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "data/stream.h"
#include "test.h"

enum { MAX_ITEMS = 10000 };

struct work_slot {
    int number;
    int loads, saves;
    char *owned;
};

struct work {
    int item_count, next_number;
    int stop_after; /* deliveries; 0 = never */
    int jitter_us;
    int pipe_end; /* next() reads a byte here once the items are out; -1 = it ends */
    int batch;
    int delivered[MAX_ITEMS];
    int delivered_count;
    int batch_sizes[MAX_ITEMS];
    int batch_count;
    bool saw_bad_slot, saw_short_read;
    atomic_int saved[MAX_ITEMS];
    atomic_int saved_count, in_next, in_use, peak_in_use, next_overlaps;
};

static struct work work; /* big; cleared by every case */

static void pause_us(int us)
{
    const struct timespec time = {.tv_nsec = us * 1000L};
    nanosleep(&time, NULL);
}

static int next(void *ctx, void *slot, struct error *err)
{
    (void)err;
    struct work *w = ctx;
    struct work_slot *s = slot;
    if (atomic_fetch_add(&w->in_next, 1) != 0) {
        atomic_fetch_add(&w->next_overlaps, 1);
    }
    bool has_item = w->next_number < w->item_count;
    if (has_item) {
        int in_use = atomic_fetch_add(&w->in_use, 1) + 1;
        if (in_use > atomic_load(&w->peak_in_use)) {
            atomic_store(&w->peak_in_use, in_use);
        }
        s->number = w->next_number++;
        s->loads = s->saves = 0;
    } else if (w->pipe_end >= 0) {
        char byte;
        w->saw_short_read = read(w->pipe_end, &byte, 1) < 0;
    }
    atomic_fetch_sub(&w->in_next, 1);
    return has_item;
}

static enum result load(void *ctx, void *slot, int part, int loader, struct error *err)
{
    (void)part, (void)loader, (void)err;
    struct work *w = ctx;
    struct work_slot *s = slot;
    if (w->jitter_us) {
        pause_us((s->number * 7919 % 13) * w->jitter_us);
    }
    if (!s->owned) {
        s->owned = mem_alloc(1, 16);
    }
    s->loads++;
    return OK;
}

static void compute(void *ctx, void *const *slots, int count)
{
    struct work *w = ctx;
    w->batch_sizes[w->batch_count++] = count;
    for (int i = 0; i < count; i++) {
        const struct work_slot *s = slots[i];
        w->saw_bad_slot = w->saw_bad_slot || s->loads != 1 || s->number != w->delivered_count + i;
    }
}

static void deliver(void *ctx, void *slot)
{
    struct work *w = ctx;
    w->delivered[w->delivered_count++] = ((struct work_slot *)slot)->number;
}

static void save(void *ctx, void *slot)
{
    struct work *w = ctx;
    struct work_slot *s = slot;
    if (w->jitter_us) {
        pause_us((s->number * 104729 % 11) * w->jitter_us);
    }
    atomic_fetch_add(&w->saved[s->number], 1);
    atomic_fetch_add(&w->saved_count, 1);
    atomic_fetch_sub(&w->in_use, 1);
}

static void destroy(void *ctx, void *slot)
{
    (void)ctx;
    mem_free(((struct work_slot *)slot)->owned);
}

static bool is_stopped(void *ctx)
{
    const struct work *w = ctx;
    return w->stop_after && w->delivered_count >= w->stop_after;
}

static const struct stream_work consumer = {compute, deliver};

static enum result run(int item_count, int batch, int helpers, int stop_after, int jitter_us)
{
    work.item_count = item_count;
    work.stop_after = stop_after;
    work.jitter_us = jitter_us;
    const struct stream_hooks hooks = {.ctx = &work,
                                       .next = next,
                                       .load = load,
                                       .save = save,
                                       .destroy = destroy,
                                       .is_stopped = is_stopped};
    const struct stream_options options = {sizeof(struct work_slot), batch, helpers, helpers, 0};
    struct error err;
    return stream_run(&hooks, &options, &consumer, &err);
}

static void clear(void)
{
    memset(&work, 0, sizeof work);
    work.pipe_end = -1;
}

static void check_all(int item_count, int batch, int helpers, int jitter_us)
{
    clear();
    CHECK_OK(run(item_count, batch, helpers, 0, jitter_us));
    CHECK(work.delivered_count == item_count);
    CHECK(!work.saw_bad_slot);
    CHECK(atomic_load(&work.next_overlaps) == 0);
    for (int i = 0; i < item_count; i++) {
        CHECK_MSG(work.delivered[i] == i, "place %d has item %d", i, work.delivered[i]);
        CHECK_MSG(atomic_load(&work.saved[i]) == 1, "item %d", i);
    }
    CHECK(work.batch_count == (item_count + batch - 1) / batch);
    for (int i = 0; i + 1 < work.batch_count; i++) {
        CHECK(work.batch_sizes[i] == batch);
    }
    CHECK_MSG(atomic_load(&work.peak_in_use) <= 2 * batch + 2 * helpers, "%d slots in use",
              atomic_load(&work.peak_in_use));
}

static void order_with_jitter(void)
{
    check_all(200, 1, 1, 40);
    CHECK(!test_failed);
    check_all(200, 4, 3, 40);
    CHECK(!test_failed);
    check_all(203, 7, 5, 40);
}

static void many_items_few_slots(void)
{
    check_all(MAX_ITEMS, 1, 2, 0);
    CHECK(!test_failed);
    check_all(MAX_ITEMS, 16, 4, 0);
}

static void edges(void)
{
    check_all(0, 4, 2, 0);
    CHECK(!test_failed);
    check_all(1, 4, 2, 0);
    CHECK(!test_failed);
    check_all(4, 4, 1, 0);
    CHECK(!test_failed);
    check_all(5, 4, 1, 0);
}

static void stop_saves_what_was_delivered(void)
{
    clear();
    CHECK(run(1000, 3, 3, 9, 20) == ERR_INTERRUPTED);
    CHECK(work.delivered_count == 9);
    CHECK(atomic_load(&work.saved_count) == 9);
    for (int i = 0; i < 9; i++) {
        CHECK(work.delivered[i] == i && atomic_load(&work.saved[i]) == 1);
    }
}

/* The source blocks for ever (a terminal): stopping must not wait for it. */
static void stop_frees_a_blocked_source(void)
{
    int ends[2];
    clear();
    CHECK(pipe(ends) == 0);
    work.pipe_end = ends[0];
    alarm(20);
    CHECK(run(5, 1, 2, 5, 0) == ERR_INTERRUPTED);
    alarm(0);
    CHECK(work.delivered_count == 5 && work.saw_short_read);
    close(ends[0]);
    close(ends[1]);
}

static void no_save_hook(void)
{
    clear();
    work.item_count = 50;
    const struct stream_hooks hooks = {
        .ctx = &work, .next = next, .load = load, .destroy = destroy};
    const struct stream_options options = {sizeof(struct work_slot), 4, 2, 0, 0};
    struct error err;
    CHECK_OK(stream_run(&hooks, &options, &consumer, &err));
    CHECK(work.delivered_count == 50 && work.delivered[49] == 49 && !work.saw_bad_slot);
}

/* ---- parts and errors, taken by hand ---- */

enum { PARTED_ITEMS = 300, MAX_PARTS = 5 };

struct parted_slot {
    int number;
    atomic_int loaded[MAX_PARTS];
};

struct parted {
    int next;
    int fails_at; /* item whose last part (fails_in_next: whose next) ends the stream; -1 = none */
    bool fails_in_next;
    atomic_bool saw_bad_loader;
};

static int parts_of(int number)
{
    return 1 + number % MAX_PARTS;
}

static int next_parted(void *ctx, void *slot, struct error *err)
{
    struct parted *p = ctx;
    struct parted_slot *s = slot;
    if (p->next == PARTED_ITEMS) {
        return 0;
    }
    s->number = p->next++;
    memset(s->loaded, 0, sizeof s->loaded);
    if (p->fails_in_next && s->number == p->fails_at) {
        error_set(err, ERR_FORMAT, "item %d", s->number);
        return -1;
    }
    return parts_of(s->number);
}

static enum result load_part(void *ctx, void *slot, int part, int loader, struct error *err)
{
    struct parted *p = ctx;
    struct parted_slot *s = slot;
    pause_us((s->number * 7919 + part) % 13);
    if (loader < 0 || loader > 2) {
        atomic_store(&p->saw_bad_loader, true);
    }
    atomic_fetch_add(&s->loaded[part], 1);
    if (!p->fails_in_next && s->number == p->fails_at && part == parts_of(s->number) - 1) {
        return error_set(err, ERR_FORMAT, "item %d", s->number);
    }
    return OK;
}

/* Items taken in order, two at a time, each part of each loaded once. */
static enum result take_parted(struct parted *p, int *taken, struct error *err)
{
    const struct stream_hooks hooks = {.ctx = p, .next = next_parted, .load = load_part};
    const struct stream_options options = {sizeof(struct parted_slot), 2, 3, 0, 4};
    struct stream *stream;
    void *const *slots;
    int count;
    *taken = 0;
    enum result result = stream_open(&hooks, &options, &stream, err);
    while (result == OK && (result = stream_take(stream, &slots, &count, err)) == OK && count > 0) {
        for (int i = 0; i < count; i++) {
            struct parted_slot *s = slots[i];
            bool is_good = s->number == (*taken)++;
            for (int part = 0; part < MAX_PARTS; part++) {
                is_good = is_good && s->loaded[part] == (part < parts_of(s->number));
            }
            result = is_good ? result : ERR_INTERNAL;
            stream_give_back(stream);
        }
    }
    stream_close(stream);
    return result;
}

static void parts_are_loaded_once(void)
{
    struct parted p = {.fails_at = -1};
    struct error err;
    int taken;
    CHECK_OK(take_parted(&p, &taken, &err));
    CHECK(taken == PARTED_ITEMS && !atomic_load(&p.saw_bad_loader));
}

static void errors_end_the_stream(void)
{
    for (int i = 0; i < 6; i++) {
        struct parted p = {.fails_at = 13 * i, .fails_in_next = i % 2};
        struct error err;
        int taken;
        enum result result = take_parted(&p, &taken, &err);
        CHECK_MSG(result == ERR_FORMAT, "result %d", (int)result);
        char want[32];
        snprintf(want, sizeof want, "item %d", p.fails_at);
        CHECK_MSG(strcmp(err.text, want) == 0 && taken <= p.fails_at, "%s, %d taken", err.text,
                  taken);
    }
}

static void allocation_failures(void)
{
    for (long k = 0; k < 5; k++) {
        clear();
        mem_fail_after(k);
        enum result result = run(3, 2, 1, 0, 0);
        mem_fail_after(-1);
        CHECK_MSG(result == ERR_MEMORY, "allocation %ld: result %d", k, (int)result);
        CHECK(work.delivered_count == 0);
    }
}

static const struct test_case cases[] = {
    {"order_with_jitter", order_with_jitter},
    {"many_items_few_slots", many_items_few_slots},
    {"edges", edges},
    {"stop_saves_what_was_delivered", stop_saves_what_was_delivered},
    {"stop_frees_a_blocked_source", stop_frees_a_blocked_source},
    {"no_save_hook", no_save_hook},
    {"parts_are_loaded_once", parts_are_loaded_once},
    {"errors_end_the_stream", errors_end_the_stream},
    {"allocation_failures", allocation_failures},
};
TEST_MAIN(cases)
