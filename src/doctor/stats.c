#include "doctor/stats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

const double quantile_shares[QUANTILES] = {0.05, 0.25, 0.5, 0.75, 0.95};

/* A finding from this share of boxes under 4 pixels on. */
static const double small_share = 0.1;

static int by_value(const void *a, const void *b)
{
    float x = *(const float *)a;
    float y = *(const float *)b;
    return (x > y) - (x < y);
}

/* Sorts the values. */
static void take_quantiles(float *values, size_t count, double scale, double *quantiles)
{
    if (count > 1) {
        qsort(values, count, sizeof *values, by_value);
    }
    for (int i = 0; i < QUANTILES; i++) {
        quantiles[i] = (double)NAN;
        if (count > 0) {
            size_t at = (size_t)(quantile_shares[i] * (double)(count - 1) + 0.5);
            quantiles[i] = scale * (double)values[at];
        }
    }
}

static void count_size(struct set_stats *stats, const struct box_cxcywh_norm *box,
                       const struct picture *picture)
{
    double area = (double)box->w * picture->w * (double)box->h * picture->h;
    stats->small += area < 32 * 32;
    stats->medium += area >= 32 * 32 && area < 96 * 96;
    stats->large += area >= 96 * 96;
}

static void count_picture(struct set_stats *stats, const struct picture *picture)
{
    if (picture->w == 0) {
        return;
    }
    bool first = stats->widest == 0;
    stats->widest = picture->w > stats->widest ? picture->w : stats->widest;
    stats->highest = picture->h > stats->highest ? picture->h : stats->highest;
    stats->narrowest = first || picture->w < stats->narrowest ? picture->w : stats->narrowest;
    stats->lowest = first || picture->h < stats->lowest ? picture->h : stats->lowest;
}

static bool has_class_before(const struct sample *sample, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (sample->truths[i].class_id == sample->truths[index].class_id) {
            return true;
        }
    }
    return false;
}

static enum result measure_boxes(const struct doctor_set *set, struct set_stats *stats,
                                 struct size_list *sizes, struct error *err)
{
    for (size_t i = 0; i < set->data.sample_count; i++) {
        const struct sample *sample = &set->data.samples[i];
        stats->left_out += sample->is_unusable;
        stats->backgrounds += sample->truth_count == 0 && !sample->is_unusable;
        stats->boxes += sample->truth_count;
        if (sample->truth_count > stats->most_boxes) {
            stats->most_boxes = sample->truth_count;
        }
        count_picture(stats, &set->pictures[i]);
        if (sample->class_id >= 0) {
            stats->class_pictures[sample->class_id]++;
        }
        for (size_t k = 0; k < sample->truth_count; k++) {
            const struct truth *truth = &sample->truths[k];
            stats->class_boxes[truth->class_id]++;
            stats->class_pictures[truth->class_id] += !has_class_before(sample, k);
            if (set->pictures[i].w > 0) {
                count_size(stats, &truth->box, &set->pictures[i]);
            }
            TRY(size_list_add(sizes, truth->box.w, truth->box.h, err));
        }
    }
    return OK;
}

enum result set_stats_measure(const struct doctor *doctor, int set, struct set_stats *stats,
                              struct error *err)
{
    const struct doctor_set *s = &doctor->sets[set];
    *stats = (struct set_stats){.pictures = s->data.sample_count};
    stats->class_boxes = mem_alloc(doctor->class_count, sizeof *stats->class_boxes);
    stats->class_pictures = mem_alloc(doctor->class_count, sizeof *stats->class_pictures);
    if (!stats->class_boxes || !stats->class_pictures) {
        return mem_error(err, "statistics");
    }
    struct size_list sizes = {0};
    enum result result = measure_boxes(s, stats, &sizes, err);
    take_quantiles(sizes.w, sizes.count, 100, stats->width);
    take_quantiles(sizes.h, sizes.count, 100, stats->height);
    size_list_free(&sizes);
    return result;
}

void set_stats_free(struct set_stats *stats)
{
    mem_free(stats->class_boxes);
    mem_free(stats->class_pictures);
    *stats = (struct set_stats){0};
}

static enum result place_boxes(const struct doctor_set *set, const struct anchor_heads *heads,
                               struct network_stats *stats, struct error *err)
{
    for (size_t i = 0; i < set->data.sample_count; i++) {
        const struct sample *sample = &set->data.samples[i];
        const struct picture *picture = &set->pictures[i];
        for (size_t k = 0; k < sample->truth_count; k++) {
            if (sample->is_crowd && sample->is_crowd[k]) {
                continue;
            }
            struct anchor size =
                heads_box_size(heads, &sample->truths[k].box, picture->w, picture->h);
            int head = heads_find(heads, size.w, size.h);
            float shorter = fminf(size.w, size.h);
            *(head >= 0 ? &stats->by_head[head] : &stats->by_none) += 1;
            stats->under4 += shorter < 4;
            stats->under_stride += shorter < heads->heads[0].stride;
            TRY(size_list_add(&stats->sizes, size.w, size.h, err));
        }
    }
    return OK;
}

enum result network_stats_measure(struct doctor *doctor, const struct anchor_heads *heads,
                                  struct network_stats *stats, struct error *err)
{
    struct anchor anchors[ANCHORS_MAX];
    const struct doctor_set *train = &doctor->sets[SET_TRAIN];
    *stats = (struct network_stats){0};
    stats->by_head = mem_alloc((size_t)heads->count, sizeof *stats->by_head);
    if (!stats->by_head) {
        return mem_error(err, "statistics");
    }
    TRY(place_boxes(train, heads, stats, err));
    stats->fit = anchors_measure(anchors, heads_anchors(heads, anchors, NULL), &stats->sizes);
    size_t count = stats->sizes.count;
    float *sides = mem_alloc(count, sizeof *sides);
    if (!sides) {
        return mem_error(err, "statistics");
    }
    for (size_t i = 0; i < count; i++) {
        sides[i] = sqrtf(stats->sizes.w[i] * stats->sizes.h[i]);
    }
    take_quantiles(sides, count, 1, stats->side);
    mem_free(sides);
    double share = (double)stats->under4 / (double)count;
    if (share >= small_share) {
        struct finding_place place = {.set = SET_TRAIN, .sample = NO_SAMPLE, .path = train->path};
        finding_add(&doctor->findings, FINDING_SMALL_FOR_NETWORK, &place,
                    "%.0f %% of the boxes are under 4 pixels wide or high at %dx%d (a larger input "
                    "size, or pictures cut into tiles, would help)",
                    100 * share, heads->net_w, heads->net_h);
    }
    return OK;
}

void network_stats_free(struct network_stats *stats)
{
    size_list_free(&stats->sizes);
    mem_free(stats->by_head);
    *stats = (struct network_stats){0};
}
