/* The element-wise slots in plain C: short loops over channels that compilers vectorise. */
#include <float.h>
#include <math.h>

#include "kernels/scalar_math.h"
#include "kernels/slots.h"

enum { MEAN_CHANNELS = 64 };

/* Inlined with a known f, so that the simple functions become vector loops. */
static inline void map(const struct op_block *block, float (*f)(float))
{
    for (size_t p = 0; p < block->pixels; p++) {
        const float *a = block->a + p * block->a_stride;
        float *out = block->out + p * block->out_stride;
        for (size_t c = 0; c < block->channels; c++) {
            out[c] = f(a[c]);
        }
    }
}

static float linear(float x)
{
    return x;
}

static void activate(const struct op_block *block, enum activation act)
{
    switch (act) {
    case ACT_LEAKY:
        map(block, scalar_leaky);
        break;
    case ACT_RELU:
        map(block, scalar_relu);
        break;
    case ACT_RELU6:
        map(block, scalar_relu6);
        break;
    case ACT_LOGISTIC:
        map(block, scalar_logistic);
        break;
    case ACT_MISH:
        map(block, scalar_mish);
        break;
    case ACT_SWISH:
        map(block, scalar_swish);
        break;
    case ACT_HARD_MISH:
        map(block, scalar_hard_mish);
        break;
    default:
        map(block, linear);
        break;
    }
}

static void add(const struct op_block *block, enum activation act)
{
    for (size_t p = 0; p < block->pixels; p++) {
        const float *a = block->a + p * block->a_stride;
        const float *b = block->b + p * block->b_stride;
        float *out = block->out + p * block->out_stride;
        for (size_t c = 0; c < block->channels; c++) {
            out[c] = a[c] + b[c];
        }
    }
    if (act != ACT_LINEAR) {
        struct op_block sum = *block;
        sum.a = block->out;
        sum.a_stride = block->out_stride;
        activate(&sum, act);
    }
}

static void scale_shift(const struct op_block *block, const float *scale, const float *shift)
{
    for (size_t p = 0; p < block->pixels; p++) {
        const float *a = block->a + p * block->a_stride;
        float *out = block->out + p * block->out_stride;
        for (size_t c = 0; c < block->channels; c++) {
            out[c] = a[c] * scale[c] + shift[c];
        }
    }
}

static void multiply(const struct op_block *block)
{
    for (size_t p = 0; p < block->pixels; p++) {
        const float *a = block->a + p * block->a_stride;
        const float *b = block->b + p * block->b_stride;
        float *out = block->out + p * block->out_stride;
        for (size_t c = 0; c < block->channels; c++) {
            out[c] = a[c] * b[c];
        }
    }
}

static void multiply_pixel(const struct op_block *block)
{
    for (size_t p = 0; p < block->pixels; p++) {
        const float *a = block->a + p * block->a_stride;
        float b = block->b[p * block->b_stride];
        float *out = block->out + p * block->out_stride;
        for (size_t c = 0; c < block->channels; c++) {
            out[c] = a[c] * b;
        }
    }
}

static void max_window(const struct op_window *window)
{
    float *out = window->out;
    for (size_t c = 0; c < window->channels; c++) {
        out[c] = -FLT_MAX;
    }
    for (size_t y = 0; y < window->rows; y++) {
        for (size_t x = 0; x < window->cols; x++) {
            const float *in = window->in + y * window->row_step + x * window->col_step;
            for (size_t c = 0; c < window->channels; c++) {
                out[c] = in[c] > out[c] ? in[c] : out[c];
            }
        }
    }
}

/* The mean of at most MEAN_CHANNELS channels. */
static void mean_part(const struct op_window *window, size_t first, size_t count)
{
    double sum[MEAN_CHANNELS] = {0};
    for (size_t y = 0; y < window->rows; y++) {
        for (size_t x = 0; x < window->cols; x++) {
            const float *in = window->in + y * window->row_step + x * window->col_step + first;
            for (size_t c = 0; c < count; c++) {
                sum[c] += (double)in[c];
            }
        }
    }
    size_t pixels = window->rows * window->cols;
    for (size_t c = 0; c < count; c++) {
        window->out[first + c] = pixels > 0 ? (float)(sum[c] / (double)pixels) : 0.0f;
    }
}

static void mean_window(const struct op_window *window)
{
    for (size_t first = 0; first < window->channels; first += MEAN_CHANNELS) {
        size_t left = window->channels - first;
        mean_part(window, first, left < MEAN_CHANNELS ? left : MEAN_CHANNELS);
    }
}

static void upsample(const struct op_block *block, int stride, float factor)
{
    size_t row_step = block->pixels * (size_t)stride * block->out_stride;
    for (size_t p = 0; p < block->pixels; p++) {
        const float *a = block->a + p * block->a_stride;
        float *corner = block->out + p * (size_t)stride * block->out_stride;
        for (int i = 0; i < stride * stride; i++) {
            float *out =
                corner + (size_t)(i / stride) * row_step + (size_t)(i % stride) * block->out_stride;
            for (size_t c = 0; c < block->channels; c++) {
                out[c] = factor * a[c];
            }
        }
    }
}

static void softmax(const float *in, size_t count, float temperature, float *out)
{
    float largest = -FLT_MAX;
    for (size_t i = 0; i < count; i++) {
        largest = in[i] > largest ? in[i] : largest;
    }
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        out[i] = expf((in[i] - largest) / temperature);
        sum += (double)out[i];
    }
    for (size_t i = 0; i < count; i++) {
        out[i] = out[i] / (float)sum;
    }
}

void ops_install_scalar(struct op_slots *slots)
{
    *slots = (struct op_slots){
        .activate = activate,
        .add = add,
        .scale_shift = scale_shift,
        .multiply = multiply,
        .multiply_pixel = multiply_pixel,
        .max_window = max_window,
        .mean_window = mean_window,
        .upsample = upsample,
        .softmax = softmax,
    };
}
