#include "doctor/anchors.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/rng.h"

enum { SEARCH_MAX = 50000, KMEANS_ROUNDS = 300 };

/* Random streams. */
enum { STREAM_SAMPLE, STREAM_KMEANS, STREAM_GENETIC };

static const float mutation_share = 0.5f, mutation_size = 0.1f;

enum result size_list_add(struct size_list *list, float w, float h, struct error *err)
{
    TRY(mem_grow((void **)&list->w, list->count, &list->w_capacity, sizeof *list->w, err));
    TRY(mem_grow((void **)&list->h, list->count, &list->h_capacity, sizeof *list->h, err));
    list->w[list->count] = w;
    list->h[list->count] = h;
    list->count++;
    return OK;
}

void size_list_free(struct size_list *list)
{
    mem_free(list->w);
    mem_free(list->h);
    *list = (struct size_list){0};
}

float anchor_iou(const struct anchor *anchor, float w, float h)
{
    float inter = (anchor->w < w ? anchor->w : w) * (anchor->h < h ? anchor->h : h);
    return inter / (anchor->w * anchor->h + w * h - inter);
}

int anchor_best(const struct anchor *anchors, int count, float w, float h)
{
    int best = 0;
    float best_iou = -1;
    for (int i = 0; i < count; i++) {
        float iou = anchor_iou(&anchors[i], w, h);
        if (iou > best_iou) {
            best_iou = iou;
            best = i;
        }
    }
    return best;
}

static bool within_factor(const struct anchor *anchor, float w, float h)
{
    const float factor = 4;
    return anchor->w <= w * factor && w <= anchor->w * factor && anchor->h <= h * factor &&
           h <= anchor->h * factor;
}

struct anchor_fit anchors_measure(const struct anchor *anchors, int count,
                                  const struct size_list *sizes)
{
    struct anchor_fit fit = {0};
    for (size_t i = 0; i < sizes->count; i++) {
        float w = sizes->w[i];
        float h = sizes->h[i];
        double iou = (double)anchor_iou(&anchors[anchor_best(anchors, count, w, h)], w, h);
        bool is_near = false;
        for (int k = 0; k < count && !is_near; k++) {
            is_near = within_factor(&anchors[k], w, h);
        }
        fit.mean_iou += iou;
        fit.recall50 += iou > 0.5;
        fit.recall_factor4 += is_near;
    }
    double n = (double)sizes->count;
    return (struct anchor_fit){fit.mean_iou / n, fit.recall50 / n, fit.recall_factor4 / n};
}

/* ---- the search ---- */

struct search {
    const struct anchor_search *options;
    struct size_list sizes; /* searched: all of them, or a sample */
    int *owner;             /* [sizes.count] */
    float *best;            /* [sizes.count] */
};

/* Best IoU of every size so far -> with one more anchor. The loop becomes vector code. */
static void raise_best(struct search *s, const struct anchor *anchor)
{
    const float *w = s->sizes.w;
    const float *h = s->sizes.h;
    const float area = anchor->w * anchor->h;
    for (size_t i = 0; i < s->sizes.count; i++) {
        float inter = (anchor->w < w[i] ? anchor->w : w[i]) * (anchor->h < h[i] ? anchor->h : h[i]);
        float iou = inter / (area + w[i] * h[i] - inter);
        s->best[i] = iou > s->best[i] ? iou : s->best[i];
    }
}

static double mean_best(struct search *s, const struct anchor *anchors)
{
    memset(s->best, 0, s->sizes.count * sizeof *s->best);
    for (int k = 0; k < s->options->count; k++) {
        raise_best(s, &anchors[k]);
    }
    double sum = 0;
    for (size_t i = 0; i < s->sizes.count; i++) {
        sum += (double)s->best[i];
    }
    return sum / (double)s->sizes.count;
}

/* Each next centre is drawn with a probability that grows with the square of its distance to those
 * there are. */
static void seed_centres(struct search *s, struct rng *rng, struct anchor *anchors)
{
    size_t n = s->sizes.count;
    memset(s->best, 0, n * sizeof *s->best);
    for (int k = 0; k < s->options->count; k++) {
        double total = 0;
        for (size_t i = 0; i < n; i++) {
            double distance = 1 - (double)s->best[i];
            total += distance * distance;
        }
        double left = (double)rng_unit(rng) * total;
        size_t chosen = n - 1;
        for (size_t i = 0; i < n; i++) {
            double distance = 1 - (double)s->best[i];
            left -= distance * distance;
            if (left < 0) {
                chosen = i;
                break;
            }
        }
        anchors[k] = (struct anchor){s->sizes.w[chosen], s->sizes.h[chosen]};
        raise_best(s, &anchors[k]);
    }
}

/* True if an owner changed. */
static bool assign(struct search *s, const struct anchor *anchors)
{
    bool changed = false;
    for (size_t i = 0; i < s->sizes.count; i++) {
        int owner = anchor_best(anchors, s->options->count, s->sizes.w[i], s->sizes.h[i]);
        changed = changed || owner != s->owner[i];
        s->owner[i] = owner;
    }
    return changed;
}

/* A centre without boxes stays where it is. */
static void move_centres(const struct search *s, struct anchor *anchors)
{
    double w[ANCHORS_MAX] = {0};
    double h[ANCHORS_MAX] = {0};
    size_t members[ANCHORS_MAX] = {0};
    for (size_t i = 0; i < s->sizes.count; i++) {
        int k = s->owner[i];
        w[k] += (double)s->sizes.w[i];
        h[k] += (double)s->sizes.h[i];
        members[k]++;
    }
    for (int k = 0; k < s->options->count; k++) {
        if (members[k] > 0) {
            anchors[k] = (struct anchor){(float)(w[k] / (double)members[k]),
                                         (float)(h[k] / (double)members[k])};
        }
    }
}

static void cluster(struct search *s, struct rng *rng, struct anchor *anchors)
{
    seed_centres(s, rng, anchors);
    for (size_t i = 0; i < s->sizes.count; i++) {
        s->owner[i] = -1;
    }
    for (int round = 0; round < KMEANS_ROUNDS && assign(s, anchors); round++) {
        move_centres(s, anchors);
    }
}

static void refine(struct search *s, struct anchor *anchors)
{
    struct rng rng = rng_make(s->options->seed, STREAM_GENETIC, 0);
    size_t bytes = (size_t)s->options->count * sizeof *anchors;
    struct anchor trial[ANCHORS_MAX];
    double best = mean_best(s, anchors);
    for (int i = 0; i < s->options->generations; i++) {
        memcpy(trial, anchors, bytes);
        for (int k = 0; k < s->options->count; k++) {
            if (rng_unit(&rng) < mutation_share) {
                trial[k].w *= expf(mutation_size * rng_normal(&rng));
                trial[k].h *= expf(mutation_size * rng_normal(&rng));
            }
        }
        double mean = mean_best(s, trial);
        if (mean > best) {
            best = mean;
            memcpy(anchors, trial, bytes);
        }
    }
}

static int by_size(const void *a, const void *b)
{
    const struct anchor *x = a;
    const struct anchor *y = b;
    float area_x = x->w * x->h;
    float area_y = y->w * y->h;
    return area_x != area_y ? (area_x > area_y) - (area_x < area_y) : (x->w > y->w) - (x->w < y->w);
}

static enum result take_sizes(struct search *s, const struct size_list *all, struct error *err)
{
    struct rng rng = rng_make(s->options->seed, STREAM_SAMPLE, 0);
    size_t want = all->count < SEARCH_MAX ? all->count : SEARCH_MAX;
    for (size_t i = 0; i < all->count; i++) {
        /* Each of the rest has the same chance to fill what is still missing. */
        if (rng_below(&rng, all->count - i) < want - s->sizes.count) {
            TRY(size_list_add(&s->sizes, all->w[i], all->h[i], err));
        }
    }
    s->owner = mem_alloc(want, sizeof *s->owner);
    s->best = mem_alloc(want, sizeof *s->best);
    return s->owner && s->best ? OK : mem_error(err, "anchors");
}

static enum result check_sizes(const struct size_list *sizes, int wanted, struct error *err)
{
    struct anchor seen[ANCHORS_MAX];
    int count = 0;
    for (size_t i = 0; i < sizes->count && count < wanted; i++) {
        bool known = false;
        for (int k = 0; k < count && !known; k++) {
            known = seen[k].w == sizes->w[i] && seen[k].h == sizes->h[i];
        }
        if (!known) {
            seen[count++] = (struct anchor){sizes->w[i], sizes->h[i]};
        }
    }
    if (count < wanted) {
        return error_set(err, ERR_FORMAT, "%d anchors need boxes of as many sizes; there are %d",
                         wanted, count);
    }
    return OK;
}

enum result anchors_find(const struct anchor_search *options, const struct size_list *sizes,
                         struct anchor *anchors, struct error *err)
{
    TRY(check_sizes(sizes, options->count, err));
    struct search s = {.options = options};
    enum result result = take_sizes(&s, sizes, err);
    double best = -1;
    for (int i = 0; result == OK && i < options->restarts; i++) {
        struct rng rng = rng_make(options->seed, STREAM_KMEANS, (uint64_t)i);
        struct anchor trial[ANCHORS_MAX];
        cluster(&s, &rng, trial);
        double mean = mean_best(&s, trial);
        if (mean > best) {
            best = mean;
            memcpy(anchors, trial, (size_t)options->count * sizeof *anchors);
        }
    }
    if (result == OK) {
        refine(&s, anchors);
        qsort(anchors, (size_t)options->count, sizeof *anchors, by_size);
    }
    size_list_free(&s.sizes);
    mem_free(s.owner);
    mem_free(s.best);
    return result;
}
