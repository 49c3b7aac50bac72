/* The slots of slots_ops.h over the vectors of vec_template.h. */
#include "kernels/slots.h"

#include <float.h>
#include <math.h>

#include "kernels/activation_template.h"
#include "kernels/vec_template.h"

INLINED void activate_as(const struct op_block *block, const enum activation act,
                         const float *scale, const float *shift)
{
    EACH_VECTOR(block, vec_activate(affine(VECTOR_A(block), scale, shift, c, part), act))
}

#define ACTIVATE(act) activate_as(block, act, scale, shift)

static void activate(const struct op_block *block, enum activation act, const float *scale,
                     const float *shift){BY_ACTIVATION(act, ACTIVATE)}

INLINED vec squashed(vec x, vec chosen, vec scale, vec shift)
{
    vec y = x;
    if (vec_any_equal(chosen, vec_set(1.0f))) {
        y = vec_if_equal(chosen, vec_set(0.0f), x, vec_activate(x, ACT_LOGISTIC));
    }
    return vec_if_equal(scale, vec_set(1.0f), y, vec_fma(y, scale, shift));
}

static void squash(const struct op_block *block, const float *chosen, const float *scale,
                   const float *shift){
    EACH_VECTOR(block, squashed(VECTOR_A(block), get(chosen + c, part), get(scale + c, part),
                                get(shift + c, part)))}

INLINED void add_as(const struct op_block *block, const enum activation act)
{
    EACH_VECTOR(block, vec_activate(vec_add(VECTOR_A(block), VECTOR_B(block)), act))
}

static void add(const struct op_block *block, enum activation act)
{
    if (act == ACT_LINEAR) {
        add_as(block, ACT_LINEAR);
    } else {
        add_as(block, act);
    }
}

static void multiply(const struct op_block *block)
{
    EACH_VECTOR(block, vec_mul(VECTOR_A(block), VECTOR_B(block)))
}

static void multiply_pixel(const struct op_block *block)
{
    EACH_VECTOR(block, vec_mul(VECTOR_A(block), vec_set(block->b[p * block->b_stride])))
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
    for (; c < window->channels; c += VEC_WIDTH) {
        max_one(window, c, part_of(window->channels, c));
    }
}

static void upsample(const struct op_block *block, int stride, float factor)
{
    vec factors = vec_set(factor);
    size_t row_step = block->pixels * (size_t)stride * block->out_stride;
    for (size_t p = 0; p < block->pixels; p++) {
        const float *a = block->a + p * block->a_stride;
        float *corner = block->out + p * (size_t)stride * block->out_stride;
        for (size_t c = 0; c < block->channels; c += VEC_WIDTH) {
            size_t part = part_of(block->channels, c);
            vec value = vec_mul(factors, get(a + c, part));
            for (size_t i = 0; i < (size_t)(stride * stride); i++) {
                size_t y = i / (size_t)stride, x = i % (size_t)stride;
                put(corner + y * row_step + x * block->out_stride + c, value, part);
            }
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

void OF_ISA(ops_install)(struct kernels *kern)
{
    kern->ops = (struct op_slots){
        .activate = activate,
        .squash = squash,
        .add = add,
        .multiply = multiply,
        .multiply_pixel = multiply_pixel,
        .max_window = max_window,
        .upsample = upsample,
        .softmax = softmax,
    };
}
