/* The slots of slots_train.h over the vectors of vec_template.h. */
#include "kernels/slots.h"

#include <math.h>

#include "kernels/vectors.h"
#include "kernels/vec_template.h"

enum {
    HALF = VEC_WIDTH / 2,
    AHEAD_FLOATS = 1 << 12,
    AHEAD_COLUMNS = 4,                     /* of a pool's input */
    SUM_VECTORS = ISA_BITS == 512 ? 4 : 2, /* whose sums are kept in registers */
};

/* ---- activations ---- */

/* s(1 - s) = t / (1 + t)^2 with t = e^-|x|: nothing cancels. */
INLINED vec logistic_derivative(vec x, vec *logistic)
{
    vec one = vec_set(1.0f), zero = vec_set(0.0f);
    vec t = vec_exp_bounded(vec_max(vec_set(-105.0f), vec_sub(zero, vec_abs(x))));
    vec r = vec_div(one, vec_add(one, t));
    *logistic = vec_mul(vec_if_greater(zero, x, t, one), r);
    return vec_mul(vec_mul(t, r), r);
}

/* s + x s(1 - s). Beyond +-128 the product is 0 in float; the bounds keep inf * 0 away. */
INLINED vec swish_derivative(vec x)
{
    vec s, bounded = vec_max(vec_set(-128.0f), vec_min(vec_set(128.0f), x));
    vec slope = logistic_derivative(x, &s);
    return vec_fma(bounded, slope, s);
}

/* With n = e^x (e^x + 2) and r = 1 / (n + 2): f = x n r, f' = n r + 4 x e^x (e^x + 1) r^2, which is
 * 1 in float from 20 on. */
INLINED vec mish_derivative(vec x)
{
    vec one = vec_set(1.0f), two = vec_set(2.0f);
    x = vec_min(vec_set(20.0f), vec_max(vec_set(-105.0f), x));
    vec e = vec_exp_bounded(x);
    vec n = vec_fma(e, e, vec_add(e, e));
    vec r = vec_div(one, vec_add(n, two));
    vec slope = vec_mul(vec_mul(vec_set(4.0f), vec_fma(e, e, e)), vec_mul(r, r));
    return vec_fma(x, slope, vec_mul(n, r));
}

INLINED vec hard_mish_derivative(vec x)
{
    vec one = vec_set(1.0f), zero = vec_set(0.0f);
    vec y = vec_if_greater(x, vec_set(-2.0f), vec_add(x, one), zero);
    return vec_if_greater(x, zero, one, y);
}

INLINED vec derivative(vec x, const enum activation act)
{
    vec one = vec_set(1.0f), zero = vec_set(0.0f), unused;
    switch (act) {
    case ACT_LEAKY:
        return vec_if_greater(x, zero, one, vec_set(0.1f));
    case ACT_RELU:
        return vec_if_greater(x, zero, one, zero);
    case ACT_RELU6:
        return vec_if_greater(x, zero, vec_if_greater(vec_set(6.0f), x, one, zero), zero);
    case ACT_LOGISTIC:
        return logistic_derivative(x, &unused);
    case ACT_MISH:
        return mish_derivative(x);
    case ACT_SWISH:
        return swish_derivative(x);
    case ACT_HARD_MISH:
        return hard_mish_derivative(x);
    default:
        return one;
    }
}

INLINED void activate_backward_as(const struct op_block *block, const enum activation act,
                                  const float *scale, const float *shift)
{
    EACH_VECTOR(block, vec_mul(VECTOR_B(block),
                               derivative(affine(VECTOR_A(block), scale, shift, c, part), act)))
}

#define ACTIVATE_BACKWARD(act) activate_backward_as(block, act, scale, shift)

static void activate_backward(const struct op_block *block, enum activation act, const float *scale,
                              const float *shift){BY_ACTIVATION(act, ACTIVATE_BACKWARD)}

/* d act'(x scale + shift) */
INLINED vec activated(vec d, vec x, const float *scale, const float *shift, size_t c, size_t part,
                      const enum activation act)
{
    return act == ACT_LINEAR ? d : vec_mul(d, derivative(affine(x, scale, shift, c, part), act));
}

/* ---- sums per channel: some vectors of channels at a time, down the pixels ---- */

/* What comes next in memory is asked for line by line, as far on as this block is long: else sums wait for each pixel's
 * lines. */
INLINED size_t ahead_of(size_t block_floats)
{
    return block_floats < AHEAD_FLOATS ? block_floats : AHEAD_FLOATS;
}

INLINED void moments_of(const struct op_block *block, size_t c, size_t part, const int vectors,
                        const float *shift, double *sum, double *squares)
{
    wide origin[SUM_VECTORS][2], s[SUM_VECTORS][2], q[SUM_VECTORS][2];
    UNROLLED
    for (int i = 0; i < vectors; i++) {
        size_t at = c + (size_t)i * VEC_WIDTH;
        vec center = get(shift + at, part);
        origin[i][0] = wide_low(center);
        origin[i][1] = wide_high(center);
        UNROLLED
        for (size_t half = 0; half < 2; half++) {
            s[i][half] = wide_load(sum + at + half * HALF);
            q[i][half] = wide_load(squares + at + half * HALF);
        }
    }
    const float *a = block->a + c;
    size_t distance = ahead_of(block->pixels * block->a_stride);
    for (size_t p = 0; p < block->pixels; p++, a += block->a_stride) {
        UNROLLED
        for (int i = 0; i < vectors; i++) {
            __builtin_prefetch(a + i * VEC_WIDTH + distance);
            vec x = get(a + i * VEC_WIDTH, part);
            wide low = wide_sub(wide_low(x), origin[i][0]);
            wide high = wide_sub(wide_high(x), origin[i][1]);
            s[i][0] = wide_add(s[i][0], low);
            s[i][1] = wide_add(s[i][1], high);
            q[i][0] = wide_fma(low, low, q[i][0]);
            q[i][1] = wide_fma(high, high, q[i][1]);
        }
    }
    UNROLLED
    for (int i = 0; i < vectors; i++) {
        size_t at = c + (size_t)i * VEC_WIDTH;
        UNROLLED
        for (size_t half = 0; half < 2; half++) {
            wide_store(sum + at + half * HALF, s[i][half]);
            wide_store(squares + at + half * HALF, q[i][half]);
        }
    }
}

static void moments(const struct op_block *block, const float *shift, double *sum, double *squares)
{
    size_t c = 0;
    for (; c + SUM_VECTORS * VEC_WIDTH <= block->channels; c += SUM_VECTORS * VEC_WIDTH) {
        moments_of(block, c, VEC_WIDTH, SUM_VECTORS, shift, sum, squares);
    }
    for (; SUM_VECTORS > 2 && c + 2 * VEC_WIDTH <= block->channels; c += 2 * VEC_WIDTH) {
        moments_of(block, c, VEC_WIDTH, 2, shift, sum, squares);
    }
    for (; c < block->channels; c += VEC_WIDTH) {
        moments_of(block, c, part_of(block->channels, c), 1, shift, sum, squares);
    }
}

static void sum(const struct op_block *block, double *total)
{
    for (size_t c = 0; c < block->channels; c += VEC_WIDTH) {
        size_t part = part_of(block->channels, c);
        const float *a = block->a + c;
        wide low = wide_load(total + c), high = wide_load(total + c + HALF);
        for (size_t p = 0; p < block->pixels; p++) {
            vec x = get(a, part);
            low = wide_add(low, wide_low(x));
            high = wide_add(high, wide_high(x));
            a += block->a_stride;
        }
        wide_store(total + c, low);
        wide_store(total + c + HALF, high);
    }
}

INLINED void reduce_of(const struct op_block *block, size_t c, size_t part, const int vectors,
                       const struct reduce_factors *f, const enum activation act)
{
    wide center[SUM_VECTORS][2], s[SUM_VECTORS][2], q[SUM_VECTORS][2];
    UNROLLED
    for (int i = 0; i < vectors; i++) {
        size_t at = c + (size_t)i * VEC_WIDTH;
        vec mean = get(f->mean + at, part);
        center[i][0] = wide_low(mean);
        center[i][1] = wide_high(mean);
        UNROLLED
        for (size_t half = 0; half < 2; half++) {
            s[i][half] = wide_load(f->total + at + half * HALF);
            q[i][half] = wide_load(f->products + at + half * HALF);
        }
    }
    const float *a = block->a + c, *b = block->b + c;
    size_t distance_a = ahead_of(block->pixels * block->a_stride);
    size_t distance_b = ahead_of(block->pixels * block->b_stride);
    for (size_t p = 0; p < block->pixels; p++, a += block->a_stride, b += block->b_stride) {
        UNROLLED
        for (int i = 0; i < vectors; i++) {
            size_t at = c + (size_t)i * VEC_WIDTH;
            __builtin_prefetch(a + i * VEC_WIDTH + distance_a);
            __builtin_prefetch(b + i * VEC_WIDTH + distance_b);
            vec x = get(a + i * VEC_WIDTH, part), d = get(b + i * VEC_WIDTH, part);
            d = activated(d, x, f->scale, f->shift, at, part, act);
            wide low = wide_low(d), high = wide_high(d);
            s[i][0] = wide_add(s[i][0], low);
            s[i][1] = wide_add(s[i][1], high);
            q[i][0] = wide_fma(low, wide_sub(wide_low(x), center[i][0]), q[i][0]);
            q[i][1] = wide_fma(high, wide_sub(wide_high(x), center[i][1]), q[i][1]);
        }
    }
    UNROLLED
    for (int i = 0; i < vectors; i++) {
        size_t at = c + (size_t)i * VEC_WIDTH;
        UNROLLED
        for (size_t half = 0; half < 2; half++) {
            wide_store(f->total + at + half * HALF, s[i][half]);
            wide_store(f->products + at + half * HALF, q[i][half]);
        }
    }
}

INLINED void reduce_as(const struct op_block *block, const struct reduce_factors *f,
                       const enum activation act)
{
    size_t c = 0;
    for (; c + SUM_VECTORS * VEC_WIDTH <= block->channels; c += SUM_VECTORS * VEC_WIDTH) {
        reduce_of(block, c, VEC_WIDTH, SUM_VECTORS, f, act);
    }
    for (; SUM_VECTORS > 2 && c + 2 * VEC_WIDTH <= block->channels; c += 2 * VEC_WIDTH) {
        reduce_of(block, c, VEC_WIDTH, 2, f, act);
    }
    for (; c < block->channels; c += VEC_WIDTH) {
        reduce_of(block, c, part_of(block->channels, c), 1, f, act);
    }
}

/* The activations whose slope is quickly made: op_remakes_gradient. */
#define BY_QUICK_ACTIVATION(act, call)                                                             \
    switch (act) {                                                                                 \
    case ACT_LEAKY:                                                                                \
        call(ACT_LEAKY);                                                                           \
        break;                                                                                     \
    case ACT_RELU:                                                                                 \
        call(ACT_RELU);                                                                            \
        break;                                                                                     \
    default:                                                                                       \
        call(ACT_LINEAR);                                                                          \
        break;                                                                                     \
    }
#define REDUCE(act) reduce_as(block, f, act)

static void reduce(const struct op_block *block,
                   const struct reduce_factors *f){BY_QUICK_ACTIVATION(f->act, REDUCE)}

/* ---- element by element ---- */

INLINED void affine3_as(const struct op_block *block, const struct affine3_factors *f,
                        const enum activation act)
{
    EACH_VECTOR(block, vec_fma(activated(VECTOR_A(block), VECTOR_B(block), f->scale, f->shift, c,
                                         part, act),
                               get(f->a + c, part),
                               vec_fma(VECTOR_B(block), get(f->b + c, part), get(f->d + c, part))))
}

#define AFFINE3(act) affine3_as(block, f, act)

static void affine3(const struct op_block *block,
                    const struct affine3_factors *f){BY_QUICK_ACTIVATION(f->act, AFFINE3)}

INLINED void accumulate_as(const struct op_block *block, float factor, const bool adds)
{
    vec factors = vec_set(factor);
    EACH_VECTOR(block, adds ? vec_fma(factors, VECTOR_A(block), get(out + c, part))
                            : vec_mul(factors, VECTOR_A(block)))
}

static void accumulate(const struct op_block *block, float factor, bool adds)
{
    if (adds) {
        accumulate_as(block, factor, true);
    } else {
        accumulate_as(block, factor, false);
    }
}

static void multiply_add(const struct op_block *block){
    EACH_VECTOR(block, vec_fma(VECTOR_A(block), VECTOR_B(block), get(out + c, part)))}

/* The maximum looked for becomes NaN, which equals nothing, once its place was found. */
INLINED void max_backward_step(const struct max_backward *w, size_t first, size_t part)
{
    vec wanted = get(w->largest + first, part), gradient = get(w->dout + first, part);
    vec nothing = vec_set(NAN), zero = vec_set(0.0f);
    for (size_t y = 0; y < w->rows; y++) {
        const float *in = w->in + y * w->in_row + first;
        float *din = w->din + y * w->din_row + first;
        for (size_t x = 0; x < w->cols; x++) {
            vec value = get(in, part);
            __builtin_prefetch(in + AHEAD_COLUMNS * w->in_col);
            if (vec_any_equal(value, wanted)) {
                vec share = vec_if_equal(value, wanted, gradient, zero);
                put(din, vec_add(get(din, part), share), part);
                wanted = vec_if_equal(value, wanted, nothing, wanted);
            }
            in += w->in_col;
            din += w->din_col;
        }
        if (!vec_any_equal(wanted, wanted)) {
            return;
        }
    }
}

/* All pixels of a window of 2x2 are written. */
INLINED void max_backward_square(const struct max_backward *w, size_t first, size_t part)
{
    vec wanted = get(w->largest + first, part), gradient = get(w->dout + first, part);
    vec nothing = vec_set(NAN), zero = vec_set(0.0f);
    UNROLLED
    for (size_t i = 0; i < 4; i++) {
        const float *in = w->in + i / 2 * w->in_row + i % 2 * w->in_col + first;
        vec value = get(in, part);
        __builtin_prefetch(in + AHEAD_COLUMNS * w->in_col);
        put(w->din + i / 2 * w->din_row + i % 2 * w->din_col + first,
            vec_if_equal(value, wanted, gradient, zero), part);
        wanted = vec_if_equal(value, wanted, nothing, wanted);
    }
}

static void max_backward_window(const struct max_backward *w)
{
    size_t c = 0;
    if (w->writes) {
        for (; c + VEC_WIDTH <= w->channels; c += VEC_WIDTH) {
            max_backward_square(w, c, VEC_WIDTH);
        }
        if (c < w->channels) {
            max_backward_square(w, c, w->channels - c);
        }
        return;
    }
    for (; c < w->channels; c += VEC_WIDTH) {
        max_backward_step(w, c, part_of(w->channels, c));
    }
}

/* ---- flat arrays ---- */

static double sum_squares(const float *x, size_t count)
{
    double lanes[VEC_WIDTH] = {0};
    wide low = wide_load(lanes), high = low;
    for (size_t i = 0; i < count; i += VEC_WIDTH) {
        vec v = get(x + i, part_of(count, i));
        low = wide_fma(wide_low(v), wide_low(v), low);
        high = wide_fma(wide_high(v), wide_high(v), high);
    }
    wide_store(lanes, low);
    wide_store(lanes + HALF, high);
    double total = 0;
    for (int i = 0; i < VEC_WIDTH; i++) {
        total += lanes[i];
    }
    return total;
}

/* 0 * x is NaN for an x that is not finite, and so is every sum with it. */
static bool all_finite(const float *x, size_t count)
{
    vec zero = vec_set(0.0f), sums = zero;
    for (size_t i = 0; i < count; i += VEC_WIDTH) {
        sums = vec_fma(zero, get(x + i, part_of(count, i)), sums);
    }
    return !vec_any_equal(vec_if_equal(sums, sums, vec_set(NAN), zero), zero);
}

static void lerp(const float *x, float *average, size_t count, float weight)
{
    vec weights = vec_set(weight);
    for (size_t i = 0; i < count; i += VEC_WIDTH) {
        size_t part = part_of(count, i);
        vec old = get(average + i, part);
        put(average + i, vec_fma(weights, vec_sub(get(x + i, part), old), old), part);
    }
}

static void sgd(const struct sgd_step *s, const struct sgd_arrays *x, size_t count)
{
    vec momentum = vec_set(s->momentum), decay = vec_set(s->decay), scale = vec_set(s->scale);
    vec minus_rate = vec_set(-s->rate);
    for (size_t i = 0; i < count; i += VEC_WIDTH) {
        size_t part = part_of(count, i);
        vec w = get(x->w + i, part);
        vec v = vec_mul(momentum, get(x->v + i, part));
        v = vec_fma(decay, w, vec_fma(scale, get(x->g + i, part), v));
        put(x->v + i, v, part);
        put(x->w + i, vec_fma(minus_rate, v, w), part);
    }
}

static void adam(const struct adam_factors *f, const struct adam_arrays *x, size_t count)
{
    vec scale = vec_set(f->scale), coupled = vec_set(f->coupled),
        minus_shrink = vec_set(-f->shrink);
    vec rise1 = vec_set(f->rise1), beta2 = vec_set(f->beta2), rise2 = vec_set(f->rise2);
    vec minus_rate = vec_set(-f->rate), root = vec_set(f->root), epsilon = vec_set(f->epsilon);
    for (size_t i = 0; i < count; i += VEC_WIDTH) {
        size_t part = part_of(count, i);
        vec w = get(x->w + i, part), m = get(x->m + i, part), v = get(x->v + i, part);
        vec h = vec_fma(coupled, w, vec_mul(scale, get(x->g + i, part)));
        m = vec_fma(rise1, vec_sub(h, m), m);
        v = vec_fma(vec_mul(rise2, h), h, vec_mul(beta2, v));
        put(x->m + i, m, part);
        put(x->v + i, v, part);
        vec step = vec_div(m, vec_fma(root, vec_sqrt(v), epsilon));
        put(x->w + i, vec_fma(minus_rate, step, vec_fma(minus_shrink, w, w)), part);
    }
}

void OF_ISA(train_install)(struct kernels *kern)
{
    kern->train = (struct train_slots){
        .activate_backward = activate_backward,
        .moments = moments,
        .sum = sum,
        .reduce = reduce,
        .affine3 = affine3,
        .accumulate = accumulate,
        .multiply_add = multiply_add,
        .max_backward = max_backward_window,
        .sum_squares = sum_squares,
        .all_finite = all_finite,
        .lerp = lerp,
        .sgd = sgd,
        .adam = adam,
    };
}
