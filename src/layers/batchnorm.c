/* [batchnorm]: the normalisation alone, shape preserved; and batch normalisation for the kinds that
 * carry it inside. Which statistics normalise is decided by the layer's mode and by nothing else. */
#include "layers/batchnorm.h"

#include <math.h>
#include <string.h>

#include "kernels/activate.h"
#include "kernels/elementwise.h"
#include "kernels/norm.h"
#include "layers/kinds.h"

static const double BN_EPS = 1e-5;

static size_t part_floats(int channels)
{
    return tensor_align((size_t)channels);
}

static double inverse_deviation(float variance)
{
    return 1.0 / sqrt((variance < 0.0f ? 0.0 : (double)variance) + BN_EPS);
}

void batchnorm_fold(const struct layer *l, float *scale, float *shift)
{
    const struct param *biases = layer_param(l, "biases");
    const float *scales = layer_param(l, "scales")->data;
    const float *means = layer_param(l, "rolling_mean")->data;
    const float *variances = layer_param(l, "rolling_variance")->data;
    for (size_t i = 0; i < biases->count; i++) {
        double factor = (double)scales[i] * inverse_deviation(variances[i]);
        scale[i] = (float)factor;
        shift[i] = (float)((double)biases->data[i] - (double)means[i] * factor);
    }
}

size_t batchnorm_saved_floats(size_t pixels, int channels)
{
    return tensor_align(pixels * (size_t)channels) + 4 * part_floats(channels);
}

struct tensor batchnorm_saved_z(const struct exec *e)
{
    struct tensor z = e->out;
    z.data = e->saved;
    z.stride = (size_t)z.c;
    return z;
}

struct batchnorm_used batchnorm_saved_used(const struct exec *e)
{
    float *memory = e->saved + tensor_align(tensor_pixels(&e->out) * (size_t)e->out.c);
    size_t part = part_floats(e->out.c);
    return (struct batchnorm_used){memory, memory + part, memory + 2 * part, memory + 3 * part};
}

size_t batchnorm_scratch_bytes(size_t pixels, int channels)
{
    return op_channel_scratch_bytes(pixels, (size_t)channels) +
           4 * part_floats(channels) * sizeof(float);
}

/* The stored statistics: read only. */
static void settle_stored(const struct layer *l, const struct batchnorm_used *used)
{
    const struct param *means = layer_param(l, "rolling_mean");
    const float *variances = layer_param(l, "rolling_variance")->data;
    batchnorm_fold(l, used->scale, used->shift);
    memcpy(used->mean, means->data, means->count * sizeof(float));
    for (size_t i = 0; i < means->count; i++) {
        used->inv_std[i] = (float)inverse_deviation(variances[i]);
    }
}

/* ---- running statistics ---- */

/* How a batch moves them. The variance's factor makes it unbiased. */
struct factors {
    double momentum, unbias;
};

/* The running ones: the only way by which statistics move. */
struct running {
    float *mean, *variance;
};

static struct running running_of(const struct layer *l, const struct exec *e)
{
    return (struct running){e->stats[layer_param(l, "rolling_mean") - l->params],
                            e->stats[layer_param(l, "rolling_variance") - l->params]};
}

static void move_channel(const struct running *r, int c, const struct factors *f, float mean,
                         float variance)
{
    double keep = 1.0 - f->momentum;
    r->mean[c] = (float)(keep * (double)r->mean[c] + f->momentum * (double)mean);
    r->variance[c] =
        (float)(keep * (double)r->variance[c] + f->momentum * (double)variance * f->unbias);
}

/* A record is the factors, the means and the variances. */
enum { FACTOR_FLOATS = sizeof(struct factors) / sizeof(float) };

size_t batchnorm_record_floats(size_t channels)
{
    return FACTOR_FLOATS + 2 * channels;
}

static void record(float *into, const struct factors *f, int channels, const float *mean,
                   const float *variance)
{
    size_t bytes = (size_t)channels * sizeof(float);
    memcpy(into, f, sizeof *f);
    memcpy(into + FACTOR_FLOATS, mean, bytes);
    memcpy(into + FACTOR_FLOATS + channels, variance, bytes);
}

void batchnorm_move(const struct layer *l, const struct exec *e, const float *record)
{
    const struct running running = running_of(l, e);
    const float *mean = record + FACTOR_FLOATS, *variance = mean + l->out.c;
    struct factors factors;
    memcpy(&factors, record, sizeof factors);
    for (int c = 0; c < l->out.c; c++) {
        move_channel(&running, c, &factors, mean[c], variance[c]);
    }
}

/* ---- forward ---- */

static void settle_batch(const struct layer *l, const struct exec *e, const struct tensor *z,
                         const struct batchnorm_used *used)
{
    const float *betas = layer_param(l, "biases")->data;
    const float *gammas = layer_param(l, "scales")->data;
    const struct running running = running_of(l, e);
    double pixels = (double)tensor_pixels(z);
    const struct factors factors = {.momentum = (double)e->bn_momentum,
                                    .unbias = pixels > 1.0 ? pixels / (pixels - 1.0) : 1.0};
    float *variance = used->inv_std;
    op_channel_moments(e->kernels, z, used->mean, variance, e->scratch);
    if (e->record) {
        record(e->record, &factors, z->c, used->mean, variance);
    }
    for (int c = 0; c < z->c; c++) {
        if (!e->record) {
            move_channel(&running, c, &factors, used->mean[c], variance[c]);
        }
        double inv_std = inverse_deviation(variance[c]);
        double factor = (double)gammas[c] * inv_std;
        used->inv_std[c] = (float)inv_std;
        used->scale[c] = (float)factor;
        used->shift[c] = (float)((double)betas[c] - (double)used->mean[c] * factor);
    }
}

void batchnorm_settle(const struct layer *l, const struct exec *e, const struct tensor *z,
                      const struct batchnorm_used *used)
{
    if (mode_rules[e->mode].uses_batch) {
        settle_batch(l, e, z, used);
    } else {
        settle_stored(l, used);
    }
}

static void deliver(float *into, const float *from, int count)
{
    if (into) {
        memcpy(into, from, (size_t)count * sizeof *into);
    }
}

/* dz = a du + b z + d: Ioffe & Szegedy 2015, section 3, with the sums over the mini-batch. f: of it du is made again. */
static void backward_batch(const struct exec *e, const struct tensor *z,
                           const struct batchnorm_used *used, const struct channel_reduction *r,
                           const struct conv_epilogue *f, float *coefficients)
{
    const float *a = used->scale;
    float *b = coefficients;
    float *d = coefficients + part_floats(z->c);
    double pixels = (double)tensor_pixels(z);
    for (int c = 0; c < z->c; c++) {
        double slope =
            -(double)a[c] * (double)used->inv_std[c] * (double)r->sum_du_xhat[c] / pixels;
        b[c] = (float)slope;
        d[c] =
            (float)(-(double)a[c] * (double)r->sum_du[c] / pixels - slope * (double)used->mean[c]);
    }
    struct channel_affine3 k = {a, b, d};
    op_channel_affine3(e->kernels, &k, f, &e->out_grad, z, &e->out_grad);
}

void batchnorm_backward(const struct layer *l, const struct exec *e, enum activation act,
                        const struct tensor *z, const struct batchnorm_used *used)
{
    struct conv_epilogue f = {used->scale, used->shift, act};
    float *gamma_grad = layer_param_grad(l, e, "scales");
    float *beta_grad = layer_param_grad(l, e, "biases");
    bool uses_batch = mode_rules[e->mode].uses_batch;
    if (!uses_batch && !gamma_grad && !beta_grad) {
        op_activate_backward(e->kernels, &f, z, &e->out_grad, &e->out_grad);
        op_scale_shift(e->kernels, used->scale, NULL, &e->out_grad, &e->out_grad);
        return;
    }
    size_t part = part_floats(z->c);
    float *sums = e->scratch;
    struct channel_reduction r = {.mean = used->mean,
                                  .inv_std = used->inv_std,
                                  .sum_du = sums,
                                  .sum_du_xhat = sums + part,
                                  .scratch = sums + 4 * part};
    bool remakes = uses_batch && op_remakes_gradient(act);
    op_activate_reduce(e->kernels, &f, z, &e->out_grad, remakes ? NULL : &e->out_grad, &r);
    deliver(gamma_grad, r.sum_du_xhat, z->c);
    deliver(beta_grad, r.sum_du, z->c);
    if (uses_batch) {
        backward_batch(e, z, used, &r, remakes ? &f : NULL, sums + 2 * part);
    } else {
        op_scale_shift(e->kernels, used->scale, NULL, &e->out_grad, &e->out_grad);
    }
}

static enum result params(struct layer *l, struct error *err)
{
    size_t c = (size_t)l->out.c;
    TRY(layer_add_param(l, "biases", c, err));
    TRY(layer_add_param(l, "scales", c, err));
    TRY(layer_add_param(l, "rolling_mean", c, err));
    return layer_add_param(l, "rolling_variance", c, err);
}

static void plan(const struct layer *l, const struct plan_limits *limits, struct layer_plan *p)
{
    size_t pixels = (size_t)limits->batch * (size_t)l->out.h * (size_t)l->out.w;
    p->prepared_floats = 2 * part_floats(l->out.c);
    p->place = PLACE_IN_PLACE;
    if (mode_rules[limits->mode].keeps_backward) {
        p->place = PLACE_OWN;
        p->saved_floats = batchnorm_saved_floats(pixels, l->out.c);
        p->scratch_bytes = batchnorm_scratch_bytes(pixels, l->out.c);
    }
}

static void prepare(const struct layer *l, const struct exec *e)
{
    batchnorm_fold(l, e->prepared, e->prepared + part_floats(l->out.c));
}

static void forward(const struct layer *l, const struct exec *e)
{
    if (!mode_rules[e->mode].keeps_backward) {
        op_scale_shift(e->kernels, e->prepared, e->prepared + part_floats(l->out.c), &e->inputs[0],
                       &e->out);
        return;
    }
    struct tensor z = batchnorm_saved_z(e);
    struct batchnorm_used used = batchnorm_saved_used(e);
    op_copy(e->kernels, &e->inputs[0], &z);
    batchnorm_settle(l, e, &z, &used);
    op_scale_shift(e->kernels, used.scale, used.shift, &z, &e->out);
}

static void backward(const struct layer *l, const struct exec *e)
{
    struct tensor z = batchnorm_saved_z(e);
    struct batchnorm_used used = batchnorm_saved_used(e);
    batchnorm_backward(l, e, ACT_LINEAR, &z, &used);
    if (e->input_grads[0].data) {
        op_accumulate(e->kernels, 1.0f, &e->out_grad, &e->input_grads[0], e->grad_adds[0]);
    }
}

const struct layer_ops batchnorm_ops = {
    .name = "batchnorm",
    .parse = layer_read_previous,
    .shape = layer_keep_shape,
    .params = params,
    .plan = plan,
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
};
