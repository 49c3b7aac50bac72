/* The element-wise slots of slots_ops.h over the vectors of vec_template.h, for AVX2 and AVX-512;
 * their
 * *_vec.h have besides vec_keep(v, count, other): the first lanes of v, the others of `other`;
 * vec_largest(v), vec_total(v): of all lanes. Each slot works on runs of channels: whole vectors,
 * then a partial one; a `step` does one vector. */
#ifndef KERNELS_OPS_TEMPLATE_H
#define KERNELS_OPS_TEMPLATE_H

#include <float.h>
#include <math.h>

#include "kernels/activation_template.h"
#include "kernels/slots_ops.h"

static inline void activate_step(const float *a, float *out, enum activation act, size_t count)
{
    put(out, vec_activate(get(a, count), act), count);
}

static inline void activate_as(const struct op_block *block, enum activation act)
{
    for (size_t p = 0; p < block->pixels; p++) {
        const float *a = block->a + p * block->a_stride;
        float *out = block->out + p * block->out_stride;
        size_t c = 0;
        for (; c + VEC_WIDTH <= block->channels; c += VEC_WIDTH) {
            activate_step(a + c, out + c, act, VEC_WIDTH);
        }
        if (c < block->channels) {
            activate_step(a + c, out + c, act, block->channels - c);
        }
    }
}

static void activate(const struct op_block *block, enum activation act)
{
    if (act == ACT_LINEAR) {
        activate_as(block, ACT_LINEAR);
    } else {
        activate_as(block, act);
    }
}

static inline void add_step(const float *a, const float *b, float *out, enum activation act,
                            size_t count)
{
    vec sum = vec_add(get(a, count), get(b, count));
    put(out, vec_activate(sum, act), count);
}

static inline void add_as(const struct op_block *block, enum activation act)
{
    for (size_t p = 0; p < block->pixels; p++) {
        const float *a = block->a + p * block->a_stride;
        const float *b = block->b + p * block->b_stride;
        float *out = block->out + p * block->out_stride;
        size_t c = 0;
        for (; c + VEC_WIDTH <= block->channels; c += VEC_WIDTH) {
            add_step(a + c, b + c, out + c, act, VEC_WIDTH);
        }
        if (c < block->channels) {
            add_step(a + c, b + c, out + c, act, block->channels - c);
        }
    }
}

static void add(const struct op_block *block, enum activation act)
{
    if (act == ACT_LINEAR) {
        add_as(block, ACT_LINEAR);
    } else {
        add_as(block, act);
    }
}

static void scale_shift(const struct op_block *block, const float *scale, const float *shift)
{
    for (size_t p = 0; p < block->pixels; p++) {
        const float *a = block->a + p * block->a_stride;
        float *out = block->out + p * block->out_stride;
        size_t c = 0;
        for (; c + VEC_WIDTH <= block->channels; c += VEC_WIDTH) {
            vec y = vec_fma(get(a + c, VEC_WIDTH), get(scale + c, VEC_WIDTH),
                            get(shift + c, VEC_WIDTH));
            put(out + c, y, VEC_WIDTH);
        }
        if (c < block->channels) {
            size_t left = block->channels - c;
            vec y = vec_fma(get(a + c, left), get(scale + c, left), get(shift + c, left));
            put(out + c, y, left);
        }
    }
}

static void multiply(const struct op_block *block)
{
    for (size_t p = 0; p < block->pixels; p++) {
        const float *a = block->a + p * block->a_stride;
        const float *b = block->b + p * block->b_stride;
        float *out = block->out + p * block->out_stride;
        size_t c = 0;
        for (; c + VEC_WIDTH <= block->channels; c += VEC_WIDTH) {
            put(out + c, vec_mul(get(a + c, VEC_WIDTH), get(b + c, VEC_WIDTH)), VEC_WIDTH);
        }
        if (c < block->channels) {
            size_t left = block->channels - c;
            put(out + c, vec_mul(get(a + c, left), get(b + c, left)), left);
        }
    }
}

static void multiply_pixel(const struct op_block *block)
{
    for (size_t p = 0; p < block->pixels; p++) {
        const float *a = block->a + p * block->a_stride;
        vec b = vec_set(block->b[p * block->b_stride]);
        float *out = block->out + p * block->out_stride;
        size_t c = 0;
        for (; c + VEC_WIDTH <= block->channels; c += VEC_WIDTH) {
            put(out + c, vec_mul(get(a + c, VEC_WIDTH), b), VEC_WIDTH);
        }
        if (c < block->channels) {
            size_t left = block->channels - c;
            put(out + c, vec_mul(get(a + c, left), b), left);
        }
    }
}

/* Four vectors at a time: the maxima stay in registers and the loads are independent. max returns
 * its second operand if one is NaN. */
static void max_four(const struct op_window *window, size_t first)
{
    vec m0 = vec_set(-FLT_MAX);
    vec m1 = m0;
    vec m2 = m0;
    vec m3 = m0;
    for (size_t y = 0; y < window->rows; y++) {
        const float *in = window->in + y * window->row_step + first;
        for (size_t x = 0; x < window->cols; x++) {
            m0 = vec_max(vec_load(in), m0);
            m1 = vec_max(vec_load(in + 1 * VEC_WIDTH), m1);
            m2 = vec_max(vec_load(in + 2 * VEC_WIDTH), m2);
            m3 = vec_max(vec_load(in + 3 * VEC_WIDTH), m3);
            in += window->col_step;
        }
    }
    float *out = window->out + first;
    vec_store(out, m0);
    vec_store(out + 1 * VEC_WIDTH, m1);
    vec_store(out + 2 * VEC_WIDTH, m2);
    vec_store(out + 3 * VEC_WIDTH, m3);
}

static inline void max_one(const struct op_window *window, size_t first, size_t count)
{
    vec m = vec_set(-FLT_MAX);
    for (size_t y = 0; y < window->rows; y++) {
        const float *in = window->in + y * window->row_step + first;
        for (size_t x = 0; x < window->cols; x++) {
            m = vec_max(get(in, count), m);
            in += window->col_step;
        }
    }
    put(window->out + first, m, count);
}

static void max_window(const struct op_window *window)
{
    size_t c = 0;
    for (; c + 4 * VEC_WIDTH <= window->channels; c += 4 * VEC_WIDTH) {
        max_four(window, c);
    }
    for (; c + VEC_WIDTH <= window->channels; c += VEC_WIDTH) {
        max_one(window, c, VEC_WIDTH);
    }
    if (c < window->channels) {
        max_one(window, c, window->channels - c);
    }
}

static inline void upsample_step(const float *a, float *corner, const struct op_block *block,
                                 int stride, vec factor, size_t count)
{
    size_t row_step = block->pixels * (size_t)stride * block->out_stride;
    vec value = vec_mul(factor, get(a, count));
    for (int y = 0; y < stride; y++) {
        float *out = corner + (size_t)y * row_step;
        for (int x = 0; x < stride; x++) {
            put(out, value, count);
            out += block->out_stride;
        }
    }
}

static void upsample(const struct op_block *block, int stride, float factor)
{
    vec factors = vec_set(factor);
    for (size_t p = 0; p < block->pixels; p++) {
        const float *a = block->a + p * block->a_stride;
        float *corner = block->out + p * (size_t)stride * block->out_stride;
        size_t c = 0;
        for (; c + VEC_WIDTH <= block->channels; c += VEC_WIDTH) {
            upsample_step(a + c, corner + c, block, stride, factors, VEC_WIDTH);
        }
        if (c < block->channels) {
            upsample_step(a + c, corner + c, block, stride, factors, block->channels - c);
        }
    }
}

static float largest_of(const float *in, size_t count)
{
    vec m = vec_set(-FLT_MAX);
    for (size_t i = 0; i < count; i += VEC_WIDTH) {
        size_t part = part_of(count, i);
        m = vec_max(vec_keep(get(in + i, part), part, m), m);
    }
    return vec_largest(m);
}

static void softmax(const float *in, size_t count, float temperature, float *out)
{
    vec largest = vec_set(largest_of(in, count)), divisor = vec_set(temperature);
    vec below_all = vec_set(-INFINITY); /* e^-inf = 0 adds nothing */
    vec sum = vec_set(0.0f);
    for (size_t i = 0; i < count; i += VEC_WIDTH) {
        size_t part = part_of(count, i);
        vec x = vec_sub(vec_keep(get(in + i, part), part, below_all), largest);
        vec e = vec_exp(vec_div(x, divisor));
        put(out + i, e, part);
        sum = vec_add(sum, e);
    }
    vec total = vec_set(vec_total(sum));
    for (size_t i = 0; i < count; i += VEC_WIDTH) {
        size_t part = part_of(count, i);
        put(out + i, vec_div(get(out + i, part), total), part);
    }
}

/* mean_window stays scalar: rare, and the compiler vectorises it. */
static void ops_install(struct op_slots *slots)
{
    slots->activate = activate;
    slots->add = add;
    slots->scale_shift = scale_shift;
    slots->multiply = multiply;
    slots->multiply_pixel = multiply_pixel;
    slots->max_window = max_window;
    slots->upsample = upsample;
    slots->softmax = softmax;
}

#endif
