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

static int rounded(const struct filter *f, size_t c, size_t tap)
{
    float w =
        f->most > 0.0f ? f->weights[c * f->taps + tap] * f->steps[c] * (MOST / f->most) : 0.0f;
    return fabsf(w) < MOST + 0.5f ? (int)lrintf(w) : 0; /* else it is no number */
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
        for (size_t c = 0; c < f.channels; c++) {
            for (size_t i = 0; i < f.taps; i++) {
                int q = rounded(&f, c, i);
                above += q > 0 ? q : 0;
                below -= q < 0 ? q : 0;
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
    int8_t *rounded;
    float *scale; /* of a filter's sums: times its weights' step */
};

static void round_filter(void *ctx, size_t k, int thread)
{
    (void)thread;
    const struct round_job *job = ctx;
    struct filter f = filter_of(job->g, job->weights, job->steps, k);
    int8_t *to = job->rounded + k * terms_of(job->g);
    for (size_t c = 0; c < f.channels; c++) {
        for (size_t i = 0; i < f.taps; i++) {
            *to++ = (int8_t)rounded(&f, c, i);
        }
    }
    job->scale[k] *= f.most / MOST;
}

/* scale, shift: of the layer's batch norm or biases. */
static void fold(const struct layer *l, float *scale, float *shift)
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
    int8_t *weights = mem_alloc_raw(filters * terms_of(g), 1);
    if (!weights) {
        return mem_error(err, "quantised weights");
    }
    memset(block, 0, int8_terms_floats(g->filters) * sizeof *block);
    fold(l, t.scale, t.shift);
    for (size_t k = 0; bias && k < filters; k++) {
        t.shift[k] += bias[k];
    }
    struct round_job job = {.g = g,
                            .weights = layer_param(l, "weights")->data,
                            .steps = in->steps,
                            .rounded = weights,
                            .scale = t.scale};
    parallel_for(filters, round_filter, &job);
    int8_terms_settle(&t, u->act, out->steps, out->zeros, g->filters);
    int8_conv_offsets(g, weights, in->zeros, t.offset);
    int8_conv_pack(kern, g, choice, weights, prepared);
    mem_free(weights);
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
    fold(l, scale, scale + filters);
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
                used += in_steps ? rounded(&f, c, i) : 0;
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
