#include "kernels/activation.h"

#include <math.h>
#include <string.h>

#include "kernels/activation_private.h"
#include "kernels/blocks.h"

/* Channels whose pre-activation is held at a time. */
enum { PART = 256 };

static const char *const NAMES[ACT_COUNT] = {
    [ACT_LINEAR] = "linear",
    [ACT_LEAKY] = "leaky",
    [ACT_RELU] = "relu",
    [ACT_RELU6] = "relu6",
    [ACT_LOGISTIC] = "logistic",
    [ACT_MISH] = "mish",
    [ACT_SWISH] = "swish",
    [ACT_HARD_MISH] = "hard_mish",
    [ACT_LOGGY] = "loggy",
    [ACT_REVLEAKY] = "revleaky",
    [ACT_RAMP] = "ramp",
    [ACT_RELIE] = "relie",
    [ACT_ELU] = "elu",
    [ACT_SELU] = "selu",
    [ACT_GELU] = "gelu",
    [ACT_TANH] = "tanh",
    [ACT_HARDTAN] = "hardtan",
    [ACT_LHTAN] = "lhtan",
    [ACT_PLSE] = "plse",
    [ACT_STAIR] = "stair",
    [ACT_NORM_CHAN] = "normalize_channels",
    [ACT_NORM_CHAN_SOFTMAX] = "normalize_channels_softmax",
    [ACT_NORM_CHAN_SOFTMAX_MAXVAL] = "normalize_channels_softmax_maxval",
};

bool activation_from_name(const char *name, enum activation *act)
{
    for (int i = 0; i < ACT_COUNT; i++) {
        if (strcmp(name, NAMES[i]) == 0) {
            *act = (enum activation)i;
            return true;
        }
    }
    return false;
}

const char *activation_name(enum activation act)
{
    return NAMES[act];
}

static double clamp(double x, double low, double high)
{
    return x < low ? low : x > high ? high : x;
}

/* Written so that nothing overflows or cancels for any x. */
static double logistic(double x)
{
    double t = exp(-fabs(x));
    return (x < 0 ? t : 1) / (1 + t);
}

/* For products with a factor that has long become 0 at the bound: -inf * 0 would be NaN. */
static double above_minus_infinity(double x)
{
    return x < -1000 ? -1000 : x;
}

/* tanh(ln(1 + e^x)) = n / (n + 2) with n = e^x (e^x + 2), which is 1 in double from 20 on. */
static double mish(double x)
{
    double e = exp(x > 20 ? 20 : x);
    double n = e * (e + 2);
    return above_minus_infinity(x) * (n / (n + 2));
}

static double lhtan(double x)
{
    if (x < 0) {
        return 0.001 * x;
    }
    return x > 1 ? 0.001 * (x - 1) + 1 : x;
}

static double plse(double x)
{
    if (x < -4) {
        return 0.01 * (x + 4);
    }
    return x > 4 ? 0.01 * (x - 4) + 1 : 0.125 * x + 0.5;
}

static double stair(double x)
{
    double whole = floor(x);
    return floor(x / 2) + (fmod(whole, 2) == 0 ? 0 : x - whole);
}

static double hard_mish(double x)
{
    if (x > 0) {
        return x;
    }
    return x <= -2 ? 0 : x * (x / 2 + 1);
}

double activation_value(enum activation act, double x)
{
    switch (act) {
    case ACT_LINEAR:
        return x;
    case ACT_LEAKY:
    case ACT_REVLEAKY:
        return x > 0 ? x : 0.1 * x;
    case ACT_RELU:
        return x < 0 ? 0 : x;
    case ACT_RELU6:
        return clamp(x, 0, 6);
    case ACT_LOGISTIC:
        return logistic(x);
    case ACT_MISH:
        return mish(x);
    case ACT_SWISH:
        return above_minus_infinity(x) * logistic(x);
    case ACT_HARD_MISH:
        return hard_mish(x);
    case ACT_LOGGY:
        return tanh(x / 2);
    case ACT_RAMP:
        return x > 0 ? 1.1 * x : 0.1 * x;
    case ACT_RELIE:
        return x > 0 ? x : 0.01 * x;
    case ACT_ELU:
        return x >= 0 ? x : expm1(x);
    case ACT_SELU:
        return 1.0507 * (x >= 0 ? x : 1.6732 * expm1(x));
    case ACT_GELU:
        return 0.5 * x * (1 + tanh(0.797885 * x + 0.035677 * x * x * x));
    case ACT_TANH:
        return tanh(x);
    case ACT_HARDTAN:
        return clamp(x, -1, 1);
    case ACT_LHTAN:
        return lhtan(x);
    case ACT_PLSE:
        return plse(x);
    case ACT_STAIR:
        return stair(x);
    default:
        return (double)NAN; /* the per-pixel kinds are no function of one value */
    }
}

/* logistic(x) (1 - logistic(x)) without cancellation. */
static double logistic_slope(double x)
{
    double t = exp(-fabs(x));
    return t / ((1 + t) * (1 + t));
}

/* With n = e^x (e^x + 2): the derivative of x n / (n + 2), which is 1 in double from 40 on. */
static double mish_slope(double x)
{
    double bounded = above_minus_infinity(x > 40 ? 40 : x);
    double e = exp(bounded);
    double n = e * (e + 2);
    return n / (n + 2) + bounded * (4 * e * (e + 1) / ((n + 2) * (n + 2)));
}

static double swish_slope(double x)
{
    double bounded = above_minus_infinity(x > 1000 ? 1000 : x);
    return logistic(bounded) + bounded * logistic_slope(bounded);
}

/* The inner function a(x) is of third degree: beyond 100 its tanh is +-1 for good. */
static double gelu_slope(double x)
{
    if (fabs(x) > 100) {
        return x > 0 ? 1 : 0;
    }
    double inner = 0.797885 * x + 0.035677 * x * x * x;
    double slope = 0.797885 + 3 * 0.035677 * x * x;
    return 0.5 * (1 + tanh(inner)) + 0.5 * x * 4 * logistic_slope(2 * inner) * slope;
}

static double stair_slope(double x)
{
    double whole = floor(x);
    return fmod(whole, 2) == 0 || x == whole ? 0 : 1;
}

double activation_derivative(enum activation act, double x)
{
    switch (act) {
    case ACT_LINEAR:
        return 1;
    case ACT_LEAKY:
    case ACT_REVLEAKY:
        return x > 0 ? 1 : 0.1;
    case ACT_RELU:
        return x > 0 ? 1 : 0;
    case ACT_RELU6:
        return x > 0 && x < 6 ? 1 : 0;
    case ACT_LOGISTIC:
        return logistic_slope(x);
    case ACT_MISH:
        return mish_slope(x);
    case ACT_SWISH:
        return swish_slope(x);
    case ACT_HARD_MISH:
        return x > 0 ? 1 : x > -2 ? x + 1 : 0;
    case ACT_LOGGY:
        return 2 * logistic_slope(x);
    case ACT_RAMP:
        return x > 0 ? 1.1 : 0.1;
    case ACT_RELIE:
        return x > 0 ? 1 : 0.01;
    case ACT_ELU:
        return x >= 0 ? 1 : exp(x);
    case ACT_SELU:
        return 1.0507 * (x >= 0 ? 1 : 1.6732 * exp(x));
    case ACT_GELU:
        return gelu_slope(x);
    case ACT_TANH:
        return 4 * logistic_slope(2 * x);
    case ACT_HARDTAN:
        return x > -1 && x < 1 ? 1 : 0;
    case ACT_LHTAN:
        return x > 0 && x < 1 ? 1 : 0.001;
    case ACT_PLSE:
        return x < -4 || x > 4 ? 0.01 : 0.125;
    case ACT_STAIR:
        return stair_slope(x);
    default:
        return (double)NAN; /* the per-pixel kinds are no function of one value */
    }
}

/* ---- whole tensors ---- */

/* The term of one channel in a per-pixel normalisation y = t / sum: relu(u), or e^(u - largest),
 * where largest is the pixel's maximum. Softmax is shifted by it also where Darknet does not: the
 * same value, without overflow. */
static double channel_term(enum activation act, double u, double largest)
{
    if (act == ACT_NORM_CHAN) {
        return u < 0 ? 0 : u;
    }
    return exp(u - largest);
}

static void activate_elements(const struct op_block *block, enum activation act)
{
    for (size_t p = 0; p < block->pixels; p++) {
        const float *a = block->a + p * block->a_stride;
        float *out = block->out + p * block->out_stride;
        for (size_t c = 0; c < block->channels; c++) {
            out[c] = (float)activation_value(act, (double)a[c]);
        }
    }
}

static void normalize_forward(enum activation act, const float *a, float *out, size_t channels)
{
    double largest = -HUGE_VAL;
    for (size_t c = 0; c < channels; c++) {
        largest = (double)a[c] > largest ? (double)a[c] : largest;
    }
    double sum = act == ACT_NORM_CHAN_SOFTMAX ? 1e-4 * exp(-largest) : 1e-4;
    for (size_t c = 0; c < channels; c++) {
        sum += channel_term(act, (double)a[c], largest);
    }
    for (size_t c = 0; c < channels; c++) {
        out[c] = (float)(channel_term(act, (double)a[c], largest) / sum);
    }
}

void epilogue_block(const struct kernels *kern, const struct conv_epilogue *f,
                    const struct op_block *block)
{
    struct op_block rest = *block;
    bool affine = f->scale || f->shift, fused = f->act < ACT_FUSED_COUNT;
    if (!affine) {
        block_flatten(&rest);
    }
    if (affine || fused) {
        kern->ops.activate(&rest, fused ? f->act : ACT_LINEAR, f->scale, f->shift);
        rest.a = block->out;
        rest.a_stride = block->out_stride;
    }
    if (!fused && f->act < ACT_NORM_CHAN) {
        activate_elements(&rest, f->act);
    } else if (!fused) {
        for (size_t p = 0; p < block->pixels; p++) {
            normalize_forward(f->act, rest.a + p * rest.a_stride,
                              block->out + p * block->out_stride, block->channels);
        }
    }
}

static void run_epilogue(const struct block_job *job, struct op_block *block)
{
    epilogue_block(job->kern, job->epilogue, block);
}

void op_epilogue(const struct kernels *kern, const struct conv_epilogue *f, const struct tensor *in,
                 const struct tensor *out)
{
    if (f->act == ACT_LINEAR && !f->scale && !f->shift && in->data == out->data) {
        return;
    }
    struct block_job job = {
        .kern = kern, .a = *in, .out = *out, .epilogue = f, .run = run_epilogue};
    blocks_run(&job);
}

void op_activate(const struct kernels *kern, enum activation act, const struct tensor *in,
                 const struct tensor *out)
{
    op_epilogue(kern, &(struct conv_epilogue){.act = act}, in, out);
}

void op_scale_shift(const struct kernels *kern, const float *scale, const float *shift,
                    const struct tensor *in, const struct tensor *out)
{
    op_epilogue(kern, &(struct conv_epilogue){.scale = scale, .shift = shift}, in, out);
}

/* ---- gradients ---- */

/* The pre-activations of one pixel's channels [first, first + count), count <= PART, made by the
 * forward pass's own operation. */
static void preactivation(const struct kernels *kern, const struct conv_epilogue *f, const float *z,
                          size_t first, size_t count, float *u)
{
    struct op_block block = {.a = z + first, .out = u, .pixels = 1, .channels = count};
    kern->ops.activate(&block, ACT_LINEAR, f->scale ? f->scale + first : NULL,
                       f->shift ? f->shift + first : NULL);
}

static size_t part_of(size_t channels, size_t first)
{
    return channels - first < PART ? channels - first : PART;
}

static void fused_backward(const struct kernels *kern, const struct conv_epilogue *f,
                           const struct op_block *block)
{
    struct op_block part = *block;
    if (!f->scale && !f->shift) {
        block_flatten(&part);
    }
    kern->train.activate_backward(&part, f->act, f->scale, f->shift);
}

static void element_backward(const struct kernels *kern, const struct conv_epilogue *f,
                             const struct op_block *pixel)
{
    float u[PART];
    for (size_t first = 0; first < pixel->channels; first += PART) {
        size_t count = part_of(pixel->channels, first);
        preactivation(kern, f, pixel->a, first, count, u);
        for (size_t c = 0; c < count; c++) {
            double slope = activation_derivative(f->act, (double)u[c]);
            pixel->out[first + c] = (float)((double)pixel->b[first + c] * slope);
        }
    }
}

/* What the gradient of a pixel needs of all its channels: the largest u and the place of the first
 * one, sum = 1e-4 + sum of t, share = sum of dout_k y_k. */
struct pixel_totals {
    double largest, sum, share;
    size_t place;
};

static struct pixel_totals normalize_totals(const struct kernels *kern,
                                            const struct conv_epilogue *f,
                                            const struct op_block *pixel)
{
    struct pixel_totals totals = {.largest = -HUGE_VAL};
    float u[PART];
    for (size_t first = 0; first < pixel->channels; first += PART) {
        size_t count = part_of(pixel->channels, first);
        preactivation(kern, f, pixel->a, first, count, u);
        for (size_t c = 0; c < count; c++) {
            if ((double)u[c] > totals.largest) {
                totals.largest = (double)u[c];
                totals.place = first + c;
            }
        }
    }
    totals.sum = f->act == ACT_NORM_CHAN_SOFTMAX ? 1e-4 * exp(-totals.largest) : 1e-4;
    double weighted = 0;
    for (size_t first = 0; first < pixel->channels; first += PART) {
        size_t count = part_of(pixel->channels, first);
        preactivation(kern, f, pixel->a, first, count, u);
        for (size_t c = 0; c < count; c++) {
            double term = channel_term(f->act, (double)u[c], totals.largest);
            totals.sum += term;
            weighted += term * (double)pixel->b[first + c];
        }
    }
    totals.share = weighted / totals.sum;
    return totals;
}

/* du_j = t'_j (dout_j - share) / sum. Subtracting the maximum multiplies the 1e-4 by e^largest, on
 * which the maximum's own gradient depends, too. */
static void normalize_backward(const struct kernels *kern, const struct conv_epilogue *f,
                               const struct op_block *pixel)
{
    struct pixel_totals totals = normalize_totals(kern, f, pixel);
    float u[PART];
    for (size_t first = 0; first < pixel->channels; first += PART) {
        size_t count = part_of(pixel->channels, first);
        preactivation(kern, f, pixel->a, first, count, u);
        for (size_t c = 0; c < count; c++) {
            double slope = channel_term(f->act, (double)u[c], totals.largest);
            if (f->act == ACT_NORM_CHAN) {
                slope = u[c] > 0.0f ? 1 : 0;
            }
            double du = slope / totals.sum * ((double)pixel->b[first + c] - totals.share);
            if (f->act == ACT_NORM_CHAN_SOFTMAX_MAXVAL && first + c == totals.place) {
                du -= totals.share * 1e-4 / totals.sum;
            }
            pixel->out[first + c] = (float)du;
        }
    }
}

void block_activate_backward(const struct kernels *kern, const struct conv_epilogue *f,
                             const struct op_block *block)
{
    if (f->act < ACT_FUSED_COUNT) {
        fused_backward(kern, f, block);
        return;
    }
    struct op_block pixel = *block;
    pixel.pixels = 1;
    for (size_t p = 0; p < block->pixels; p++) {
        pixel.a = block->a + p * block->a_stride;
        pixel.b = block->b + p * block->b_stride;
        pixel.out = block->out + p * block->out_stride;
        if (f->act < ACT_NORM_CHAN) {
            element_backward(kern, f, &pixel);
        } else {
            normalize_backward(kern, f, &pixel);
        }
    }
}

static void run_activate_backward(const struct block_job *job, struct op_block *block)
{
    block_activate_backward(job->kern, job->epilogue, block);
}

void op_activate_backward(const struct kernels *kern, const struct conv_epilogue *f,
                          const struct tensor *z, const struct tensor *dout,
                          const struct tensor *du)
{
    if (f->act == ACT_LINEAR && dout->data == du->data) {
        return;
    }
    struct block_job job = {
        .kern = kern, .a = *z, .b = *dout, .out = *du, .epilogue = f, .run = run_activate_backward};
    blocks_run(&job);
}
