#include "layers/int8_unit.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/parallel.h"
#include "kernels/int8_epilogue.h"
#include "layers/batchnorm.h"
#include "layers/conv_unit.h"
#include "layers/kinds.h"

enum { MOST = 127 };

const char *const int8_unit_choices[] = {
    [INT8_DIRECT] = "int8",
    [INT8_WINOGRAD] = "int8 wino",
    [INT8_DEPTHWISE] = "int8 depth",
};

bool int8_unit_possible(const struct layer *l)
{
    const struct conv_unit *u = l->state;
    return l->ops == &convolutional_ops && u->act < ACT_FUSED_COUNT &&
           int8_conv_possible(&u->geometry);
}

/* ---- weights as whole numbers ---- */

static size_t terms_of(const struct conv_geometry *g)
{
    return (size_t)(g->in_c / g->groups) * (size_t)g->kernel_h * (size_t)g->kernel_w;
}

struct filter {
    const float *weights, *steps; /* [channels][taps], [channels] */
    size_t channels, taps;
    float most; /* of weights times steps */
};

static struct filter filter_of(const struct conv_geometry *g, const float *weights,
                               const float *steps, size_t k)
{
    size_t channels = (size_t)(g->in_c / g->groups);
    size_t group = k / (size_t)(g->filters / g->groups);
    struct filter f = {.weights = weights + k * terms_of(g),
                       .steps = steps + group * channels,
                       .channels = channels,
                       .taps = (size_t)g->kernel_h * (size_t)g->kernel_w};
    for (size_t c = 0; c < channels; c++) {
        for (size_t i = 0; i < f.taps; i++) {
            float size = fabsf(f.weights[c * f.taps + i]) * f.steps[c];
            f.most = size > f.most ? size : f.most;
        }
    }
    f.most = f.most <= 1e30f ? f.most : 0.0f;
    return f;
}

enum { MAX_TAPS = 64 };

static int nearest(float w)
{
    return fabsf(w) < MOST + 0.5f ? (int)lrintf(w) : 0; /* else it is no number */
}

/* Of the taps that can go on one step that way, the one that has been rounded the other way most; -1: none. */
static int most_rounded(const float *exact, const int8_t *to, int taps, int way)
{
    int best = -1;
    float most = 0.0f;
    for (int i = 0; i < taps; i++) {
        float left = (exact[i] - (float)to[i]) * (float)way;
        if (left > most && to[i] * way < MOST) {
            best = i;
            most = left;
        }
    }
    return best;
}

/* Neighbouring pixels are much alike, so that the window's sum counts most: where rounding has moved it by more than
 * half a step, those taps are rounded the other way that were nearest to it. */
static void keep_sum(const float *exact, int8_t *to, int taps)
{
    float moved = 0.0f;
    for (int i = 0; i < taps; i++) {
        moved += exact[i] - (float)to[i];
    }
    while (fabsf(moved) > 0.5f) {
        int way = moved > 0.0f ? 1 : -1, tap = most_rounded(exact, to, taps, way);
        if (tap < 0) {
            return;
        }
        to[tap] = (int8_t)(to[tap] + way);
        moved -= (float)way;
    }
}

/* Taps of channel c's window from `first` on to whole numbers, as many at most as to[MAX_TAPS] holds; how many. */
static size_t round_taps(const struct filter *f, size_t c, size_t first, int8_t *to)
{
    float exact[MAX_TAPS], factor = f->most > 0.0f ? MOST / f->most : 0.0f;
    const float *weights = f->weights + c * f->taps + first;
    size_t count = f->taps - first < MAX_TAPS ? f->taps - first : MAX_TAPS;
    bool is_finite = true;
    for (size_t i = 0; i < count; i++) {
        exact[i] = weights[i] * f->steps[c] * factor;
        to[i] = (int8_t)nearest(exact[i]);
        is_finite = is_finite && fabsf(exact[i]) < MOST + 0.5f;
    }
    if (is_finite) {
        keep_sum(exact, to, (int)count);
    }
    return count;
}

/* ---- the choice ---- */

enum { MAX_ITEMS = 64 };

struct sums_job {
    const struct conv_geometry *g;
    const float *weights, *steps;
    int one_sign[MAX_ITEMS];
};

static void sum_item(void *ctx, size_t item, int thread)
{
    (void)thread;
    struct sums_job *job = ctx;
    size_t filters = (size_t)job->g->filters;
    for (size_t k = item * filters / MAX_ITEMS; k < (item + 1) * filters / MAX_ITEMS; k++) {
        struct filter f = filter_of(job->g, job->weights, job->steps, k);
        int above = 0, below = 0;
        int8_t q[MAX_TAPS];
        for (size_t c = 0; c < f.channels; c++) {
            size_t count;
            for (size_t first = 0; first < f.taps; first += count) {
                count = round_taps(&f, c, first, q);
                for (size_t i = 0; i < count; i++) {
                    above += q[i] > 0 ? q[i] : 0;
                    below -= q[i] < 0 ? q[i] : 0;
                }
            }
        }
        int most = above > below ? above : below;
        job->one_sign[item] = most > job->one_sign[item] ? most : job->one_sign[item];
    }
}

enum int8_algorithm int8_unit_choose(const struct layer *l, const struct kernels *kern,
                                     const float *in_steps)
{
    const struct conv_unit *u = l->state;
    enum int8_algorithm choice = int8_conv_choose(kern, &u->geometry, 0);
    struct sums_job job = {
        .g = &u->geometry, .weights = layer_param(l, "weights")->data, .steps = in_steps};
    int most = 0;
    if (choice != INT8_WINOGRAD || !job.weights) {
        return choice;
    }
    parallel_for(MAX_ITEMS, sum_item, &job);
    for (size_t i = 0; i < MAX_ITEMS; i++) {
        most = job.one_sign[i] > most ? job.one_sign[i] : most;
    }
    return int8_conv_choose(kern, &u->geometry, most);
}

/* ---- prepared memory: [packed weights | the epilogue's arrays] ---- */

static size_t packed_floats(const struct conv_geometry *g, const struct kernels *kern,
                            enum int8_algorithm choice)
{
    size_t bytes = int8_conv_packed_bytes(kern, g, choice);
    return tensor_align((bytes + sizeof(float) - 1) / sizeof(float));
}

size_t int8_unit_prepared_bytes(const struct layer *l, const struct kernels *kern,
                                enum int8_algorithm choice)
{
    const struct conv_unit *u = l->state;
    return (packed_floats(&u->geometry, kern, choice) + int8_terms_floats(u->geometry.filters)) *
           sizeof(float);
}

struct round_job {
    const struct conv_geometry *g;
    const float *weights, *steps;
    int8_t *rounded; /* or NULL: */
    float *floats;
    float *scale; /* [filters] */
};

static void round_filter(void *ctx, size_t k, int thread)
{
    (void)thread;
    const struct round_job *job = ctx;
    struct filter f = filter_of(job->g, job->weights, job->steps, k);
    size_t at = k * terms_of(job->g);
    for (size_t c = 0; c < f.channels; c++) {
        float value = f.most / MOST / f.steps[c];
        size_t count;
        int8_t q[MAX_TAPS];
        for (size_t first = 0; first < f.taps; first += count, at += count) {
            count = round_taps(&f, c, first, q);
            if (job->rounded) {
                memcpy(job->rounded + at, q, count);
            }
            for (size_t i = 0; job->floats && i < count; i++) {
                job->floats[at + i] = (float)q[i] * value;
            }
        }
    }
    if (job->scale) {
        job->scale[k] = f.most / MOST;
    }
}

static void round_weights(const struct layer *l, struct round_job *job)
{
    const struct conv_unit *u = l->state;
    job->g = &u->geometry;
    job->weights = layer_param(l, "weights")->data;
    parallel_for((size_t)u->geometry.filters, round_filter, job);
}

void int8_unit_round(const struct layer *l, const float *in_steps, int8_t *rounded, float *scale)
{
    struct round_job job = {.steps = in_steps, .rounded = rounded, .scale = scale};
    round_weights(l, &job);
}

void int8_unit_round_floats(const struct layer *l, const float *in_steps, float *rounded)
{
    struct round_job job = {.steps = in_steps, .floats = rounded};
    round_weights(l, &job);
}

void int8_unit_fold(const struct layer *l, float *scale, float *shift)
{
    const struct conv_unit *u = l->state;
    size_t filters = (size_t)u->geometry.filters;
    if (u->has_bn) {
        batchnorm_fold(l, scale, shift);
        return;
    }
    memcpy(shift, layer_param(l, "biases")->data, filters * sizeof *shift);
    for (size_t k = 0; k < filters; k++) {
        scale[k] = 1.0f;
    }
}

enum result int8_unit_prepare(const struct layer *l, const struct kernels *kern,
                              enum int8_algorithm choice, const struct int8_tensor *in,
                              const struct int8_tensor *out, const float *bias, void *prepared,
                              struct error *err)
{
    const struct conv_unit *u = l->state;
    const struct conv_geometry *g = &u->geometry;
    size_t filters = (size_t)g->filters;
    float *block = (float *)prepared + packed_floats(g, kern, choice);
    struct int8_terms t = int8_terms_at(block, g->filters);
    float *steps = mem_alloc_raw(filters * (terms_of(g) + sizeof(float)), 1);
    if (!steps) {
        return mem_error(err, "quantised weights");
    }
    int8_t *weights = (int8_t *)(steps + filters);
    memset(block, 0, int8_terms_floats(g->filters) * sizeof *block);
    int8_unit_fold(l, t.scale, t.shift);
    int8_unit_round(l, in->steps, weights, steps);
    for (size_t k = 0; k < filters; k++) {
        t.scale[k] *= steps[k];
        t.shift[k] += bias ? bias[k] : 0.0f;
    }
    int8_terms_settle(&t, u->act, out->steps, out->zeros, g->filters);
    int8_conv_offsets(g, weights, in->zeros, t.offset);
    int8_conv_pack(kern, g, choice, weights, prepared);
    mem_free(steps);
    return OK;
}

enum result int8_unit_find_bias(const struct layer *l, const float *in_steps, const double *wanted,
                                const double *met, float *bias, struct error *err)
{
    const struct conv_unit *u = l->state;
    const struct conv_geometry *g = &u->geometry;
    size_t filters = (size_t)g->filters, group_filters = filters / (size_t)g->groups;
    float *scale = mem_alloc(2 * filters, sizeof *scale);
    if (!scale) {
        return mem_error(err, "biases");
    }
    int8_unit_fold(l, scale, scale + filters);
    const float *weights = layer_param(l, "weights")->data;
    size_t channels = (size_t)(g->in_c / g->groups), taps = terms_of(g) / channels;
    for (size_t k = 0; k < filters; k++) {
        struct filter f = {0};
        size_t first = k / group_filters * channels;
        double sum = 0;
        if (in_steps) {
            f = filter_of(g, weights, in_steps, k);
        }
        for (size_t c = 0; c < channels; c++) {
            double exact = 0, used = 0;
            for (size_t i = 0; i < taps; i++) {
                exact += (double)weights[(k * channels + c) * taps + i];
            }
            size_t count;
            int8_t q[MAX_TAPS];
            for (size_t first_tap = 0; in_steps && first_tap < taps; first_tap += count) {
                count = round_taps(&f, c, first_tap, q);
                for (size_t i = 0; i < count; i++) {
                    used += q[i];
                }
            }
            used = in_steps ? used * (double)f.most / MOST / (double)f.steps[c] : exact;
            sum += exact * wanted[first + c] - used * met[first + c];
        }
        bias[k] = (float)(sum * (double)scale[k]);
        bias[k] = isfinite(bias[k]) ? bias[k] : 0.0f;
    }
    mem_free(scale);
    return OK;
}

void int8_unit_forward(const struct layer *l, const struct kernels *kern,
                       enum int8_algorithm choice, const void *prepared,
                       const struct int8_tensor *in, const struct int8_tensor *out, void *scratch)
{
    const struct conv_unit *u = l->state;
    const float *block = (const float *)prepared + packed_floats(&u->geometry, kern, choice);
    const struct int8_epilogue e = int8_epilogue_at(block, u->geometry.filters, u->act);
    int8_conv_forward(kern, &u->geometry, choice, prepared, &e, in, out, scratch);
}
