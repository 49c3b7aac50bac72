/* Boxes nearly on another one: as comparing each with each finds them, in less time. */
#include "doctor/near.h"

#include <time.h>

#include "base/memory.h"
#include "test.h"

enum { MANY = 50000 };
static struct truth truths[MANY];

static struct near each_with_each(size_t index)
{
    struct near near = {-1, -1};
    for (size_t i = index; i-- > 0;) {
        bool is_same = truths[i].class_id == truths[index].class_id;
        float iou = box_iou(&truths[i].box, &truths[index].box);
        near.same = is_same && iou >= 0.9f ? (int)i : near.same;
        near.other = !is_same && iou >= 0.95f ? (int)i : near.other;
    }
    return near;
}

/* Sides from `least` to 1, evenly in their logarithm; a third lie on an earlier box, moved a
 * little. */
static void scatter(size_t count, double least, double moved, unsigned state)
{
    for (size_t i = 0; i < count; i++) {
        struct truth *t = &truths[i];
        t->class_id = (int)(state >> 20) % 3;
        if (i > 0 && i % 3 == 0) {
            t->box = truths[(size_t)((double)i * .5 * (1 + (double)test_noise(&state)))].box;
            t->box.cx += t->box.w * (float)moved * test_noise(&state);
            t->box.cy += t->box.h * (float)moved * test_noise(&state);
            t->box.w *= 1 + (float)moved * test_noise(&state);
            t->box.h *= 1 + (float)moved * test_noise(&state);
            continue;
        }
        t->box.w = (float)pow(least, .5 + .5 * (double)test_noise(&state));
        t->box.h = (float)pow(least, .5 + .5 * (double)test_noise(&state));
        t->box.cx = .5f + .5f * test_noise(&state);
        t->box.cy = .5f + .5f * test_noise(&state);
    }
}

static void as_each_with_each(void)
{
    static const double least[] = {.5, .01, 1e-4, 1e-12, 1e-30}, moved[] = {0, .01, .06, .12};
    struct error err;
    size_t same = 0, other = 0;
    for (unsigned run = 0; run < 40; run++) {
        size_t count = run < 5 ? run : 600;
        struct near *near;
        scatter(count, least[run % 5], moved[run / 5 % 4], run + 1);
        const struct sample sample = {.truths = truths, .truth_count = count};
        CHECK_OK(near_find(&sample, &near, &err));
        CHECK((count == 0) == !near);
        bool is_exact = least[run % 5] > 1e-6; /* beyond, an IoU in floats is chance */
        for (size_t i = 0; i < count; i++) {
            CHECK(near[i].same < (int)i && near[i].other < (int)i);
            struct near wanted = each_with_each(i);
            CHECK_MSG(!is_exact || (near[i].same == wanted.same && near[i].other == wanted.other),
                      "run %u, box %zu: %d %d, expected %d %d", run, i, near[i].same, near[i].other,
                      wanted.same, wanted.other);
            same += wanted.same >= 0;
            other += wanted.other >= 0;
        }
        mem_free(near);
    }
    CHECK_MSG(same > 500 && other > 500, "%zu %zu", same, other);
}

/* Each with each would be 2.5 billion comparisons: half a minute. */
static void many(void)
{
    struct error err;
    struct near *near;
    scatter(MANY, .01, .01, 9);
    const struct sample sample = {.truths = truths, .truth_count = MANY};
    clock_t start = clock();
    CHECK_OK(near_find(&sample, &near, &err));
    double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
    CHECK_MSG(seconds < 5, "%g s", seconds);
    mem_free(near);
}

static const struct test_case cases[] = {{"as_each_with_each", as_each_with_each}, {"many", many}};

TEST_MAIN(cases)
