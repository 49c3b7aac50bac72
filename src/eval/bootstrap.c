#include "eval/bootstrap.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/parallel.h"
#include "base/rng.h"

static const double TAIL = .025; /* outside the interval, at each end */

/* The matches of one run in one class, in their order, and the pictures they lie in. */
struct matches {
    const struct coco_class *class;
    uint32_t *pictures; /* [class->count] */
};

struct bootstrap {
    const struct bootstrap_options *o;
    size_t pictures, classes;
    struct matches *matches; /* [count][classes] */
    uint32_t *truths;        /* [classes][pictures] that count */
    size_t most;             /* matches of a run in a class */
    uint32_t *times;         /* [threads][pictures]: how often each was drawn */
    uint32_t *weights;       /* [threads][most] */
    double *values;          /* [draws][count][BOOTSTRAP_NUMBERS] */
};

/* ---- before ---- */

static size_t picture_of(const struct eval_set *set, int64_t id)
{
    return set->is_coco ? eval_set_find_id(set, id) : (size_t)id;
}

static bool are_alike(const struct eval_set *a, const struct eval_set *b)
{
    bool are = a->count == b->count && a->class_count == b->class_count;
    for (size_t i = 0; i < a->count && are; i++) {
        are = a->pictures[i].id == b->pictures[i].id;
    }
    return are;
}

static enum result check_sets(const struct bootstrap_options *o, struct error *err)
{
    for (size_t r = 1; r < o->count; r++) {
        if (!are_alike(o->runs[0]->set, o->runs[r]->set)) {
            return error_set(err, ERR_FORMAT,
                             "the pictures were not the same for all: %zu and %zu (did the list "
                             "change meanwhile?)",
                             o->runs[0]->set->count, o->runs[r]->set->count);
        }
    }
    return OK;
}

static enum result take_matches(struct bootstrap *b, size_t run, size_t class_id, struct error *err)
{
    struct evaluation *e = b->o->runs[run];
    struct coco_class *class = &e->coco.classes[class_id];
    struct matches *m = &b->matches[run * b->classes + class_id];
    coco_metrics_sort(class);
    *m = (struct matches){class, mem_alloc(class->count, sizeof *m->pictures)};
    if (!m->pictures) {
        return mem_error(err, "bootstrap");
    }
    for (size_t i = 0; i < class->count; i++) {
        m->pictures[i] = (uint32_t)picture_of(e->set, class->matches[i].image);
    }
    b->most = class->count > b->most ? class->count : b->most;
    return OK;
}

static void count_truths(struct bootstrap *b)
{
    const struct eval_set *set = b->o->runs[0]->set;
    for (size_t i = 0; i < set->count; i++) {
        for (size_t t = 0; t < set->pictures[i].truth_count; t++) {
            const struct eval_truth *truth = &set->pictures[i].truths[t];
            b->truths[(size_t)truth->class_id * b->pictures + i] += !truth->ignore;
        }
    }
}

static enum result prepare(struct bootstrap *b, struct error *err)
{
    size_t runs = b->o->count, threads = (size_t)parallel_threads(), cells = 0;
    b->pictures = b->o->runs[0]->set->count;
    b->classes = b->o->runs[0]->set->class_count;
    b->matches = mem_alloc(runs * b->classes, sizeof *b->matches);
    b->truths =
        size_mul(b->classes, b->pictures, &cells) ? mem_alloc(cells, sizeof *b->truths) : NULL;
    b->times = mem_alloc(threads * b->pictures, sizeof *b->times);
    b->values = mem_alloc(b->o->draws * runs * BOOTSTRAP_NUMBERS, sizeof *b->values);
    if (!b->matches || !b->truths || !b->times || !b->values) {
        return mem_error(err, "bootstrap");
    }
    for (size_t r = 0; r < runs; r++) {
        for (size_t k = 0; k < b->classes; k++) {
            TRY(take_matches(b, r, k, err));
        }
    }
    count_truths(b);
    b->weights = mem_alloc(threads * b->most, sizeof *b->weights);
    return b->weights ? OK : mem_error(err, "bootstrap");
}

static void release(struct bootstrap *b)
{
    for (size_t i = 0; b->matches && i < b->o->count * b->classes; i++) {
        mem_free(b->matches[i].pictures);
    }
    mem_free(b->matches);
    mem_free(b->truths);
    mem_free(b->times);
    mem_free(b->weights);
    mem_free(b->values);
}

/* ---- one draw ---- */

static void measure_run(const struct bootstrap *b, size_t run, const uint32_t *times,
                        uint32_t *weights, double numbers[BOOTSTRAP_NUMBERS])
{
    size_t valued = 0;
    double sums[BOOTSTRAP_NUMBERS] = {0};
    for (size_t k = 0; k < b->classes; k++) {
        const struct matches *m = &b->matches[run * b->classes + k];
        double truths = 0.0, own[BOOTSTRAP_NUMBERS];
        for (size_t i = 0; i < b->pictures; i++) {
            truths += (double)times[i] * b->truths[k * b->pictures + i];
        }
        if (!(truths > 0.0)) {
            continue;
        }
        for (size_t i = 0; i < m->class->count; i++) {
            weights[i] = times[m->pictures[i]];
        }
        coco_class_weighted(m->class, weights, truths, &own[BOOTSTRAP_AP50], &own[BOOTSTRAP_AP]);
        sums[BOOTSTRAP_AP50] += own[BOOTSTRAP_AP50];
        sums[BOOTSTRAP_AP] += own[BOOTSTRAP_AP];
        valued++;
    }
    for (int n = 0; n < BOOTSTRAP_NUMBERS; n++) {
        numbers[n] = valued ? sums[n] / (double)valued : (double)NAN;
    }
}

static void measure_draw(void *ctx, size_t draw, int thread)
{
    const struct bootstrap *b = ctx;
    uint32_t *times = b->times + (size_t)thread * b->pictures;
    struct rng rng = rng_make(b->o->seed, 0x626f6f74 /* "boot" */, draw);
    memset(times, 0, b->pictures * sizeof *times);
    for (size_t i = 0; i < b->pictures; i++) {
        times[rng_below(&rng, b->pictures)]++;
    }
    for (size_t r = 0; r < b->o->count; r++) {
        measure_run(b, r, times, b->weights + (size_t)thread * b->most,
                    b->values + (draw * b->o->count + r) * BOOTSTRAP_NUMBERS);
    }
}

/* ---- what the draws come to ---- */

static int ascending(const void *a, const void *b)
{
    return -eval_compare_descending(*(const double *)a, *(const double *)b);
}

/* Between the two nearest ranks. */
static double quantile(const double *sorted, size_t count, double share)
{
    double at = share * (double)(count - 1);
    size_t below = (size_t)at;
    double rest = at - (double)below;
    return below + 1 < count ? sorted[below] + rest * (sorted[below + 1] - sorted[below])
                             : sorted[below];
}

static struct bootstrap_interval interval_of(const struct bootstrap *b, size_t run, int number,
                                             double *differences)
{
    size_t count = 0;
    double better = 0.0;
    for (size_t draw = 0; draw < b->o->draws; draw++) {
        const double *values = b->values + draw * b->o->count * BOOTSTRAP_NUMBERS;
        double d = values[run * BOOTSTRAP_NUMBERS + (size_t)number] - values[number];
        if (!isnan(d)) {
            differences[count++] = d;
            better += d > 0.0 ? 1.0 : d < 0.0 ? 0.0 : 0.5;
        }
    }
    if (count == 0) {
        return (struct bootstrap_interval){(double)NAN, (double)NAN, (double)NAN};
    }
    qsort(differences, count, sizeof *differences, ascending);
    return (struct bootstrap_interval){quantile(differences, count, TAIL),
                                       quantile(differences, count, 1.0 - TAIL),
                                       better / (double)count};
}

static enum result measure(struct bootstrap *b,
                           struct bootstrap_interval (*intervals)[BOOTSTRAP_NUMBERS],
                           struct error *err)
{
    TRY(prepare(b, err));
    double *differences = mem_alloc(b->o->draws, sizeof *differences);
    if (!differences) {
        return mem_error(err, "bootstrap");
    }
    parallel_for(b->o->draws, measure_draw, b);
    memset(intervals[0], 0, sizeof intervals[0]);
    for (size_t r = 1; r < b->o->count; r++) {
        for (int n = 0; n < BOOTSTRAP_NUMBERS; n++) {
            intervals[r][n] = interval_of(b, r, n, differences);
        }
    }
    mem_free(differences);
    return OK;
}

enum result bootstrap_differences(const struct bootstrap_options *options,
                                  struct bootstrap_interval (*intervals)[BOOTSTRAP_NUMBERS],
                                  struct error *err)
{
    struct bootstrap b = {.o = options};
    TRY(check_sets(options, err));
    enum result result = measure(&b, intervals, err);
    release(&b);
    return result;
}
