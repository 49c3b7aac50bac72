/* The element-wise slots for AVX-512. Each works on runs of channels: whole vectors, then one
 * masked vector; a `step` does one vector of at most 16 values. */
#include <float.h>

#include "kernels/avx512_math.h"
#include "kernels/slots.h"

enum { LANES = 16 };

static inline __mmask16 lanes(size_t count)
{
    return (__mmask16)((1u << count) - 1u);
}

/* count is the constant LANES in the main loops: the mask disappears there. */
static inline __m512 load(const float *from, size_t count)
{
    return count == LANES ? _mm512_loadu_ps(from) : _mm512_maskz_loadu_ps(lanes(count), from);
}

static inline void store(float *to, size_t count, __m512 value)
{
    if (count == LANES) {
        _mm512_storeu_ps(to, value);
    } else {
        _mm512_mask_storeu_ps(to, lanes(count), value);
    }
}

static inline void activate_step(const float *a, float *out, enum activation act, size_t count)
{
    store(out, count, avx512_activate(load(a, count), act));
}

static inline void activate_as(const struct op_block *block, enum activation act)
{
    for (size_t p = 0; p < block->pixels; p++) {
        const float *a = block->a + p * block->a_stride;
        float *out = block->out + p * block->out_stride;
        size_t c = 0;
        for (; c + LANES <= block->channels; c += LANES) {
            activate_step(a + c, out + c, act, LANES);
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
    __m512 sum = _mm512_add_ps(load(a, count), load(b, count));
    store(out, count, avx512_activate(sum, act));
}

static inline void add_as(const struct op_block *block, enum activation act)
{
    for (size_t p = 0; p < block->pixels; p++) {
        const float *a = block->a + p * block->a_stride;
        const float *b = block->b + p * block->b_stride;
        float *out = block->out + p * block->out_stride;
        size_t c = 0;
        for (; c + LANES <= block->channels; c += LANES) {
            add_step(a + c, b + c, out + c, act, LANES);
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
        for (; c + LANES <= block->channels; c += LANES) {
            __m512 y =
                _mm512_fmadd_ps(load(a + c, LANES), load(scale + c, LANES), load(shift + c, LANES));
            store(out + c, LANES, y);
        }
        if (c < block->channels) {
            size_t left = block->channels - c;
            __m512 y =
                _mm512_fmadd_ps(load(a + c, left), load(scale + c, left), load(shift + c, left));
            store(out + c, left, y);
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
        for (; c + LANES <= block->channels; c += LANES) {
            store(out + c, LANES, _mm512_mul_ps(load(a + c, LANES), load(b + c, LANES)));
        }
        if (c < block->channels) {
            size_t left = block->channels - c;
            store(out + c, left, _mm512_mul_ps(load(a + c, left), load(b + c, left)));
        }
    }
}

static void multiply_pixel(const struct op_block *block)
{
    for (size_t p = 0; p < block->pixels; p++) {
        const float *a = block->a + p * block->a_stride;
        __m512 b = _mm512_set1_ps(block->b[p * block->b_stride]);
        float *out = block->out + p * block->out_stride;
        size_t c = 0;
        for (; c + LANES <= block->channels; c += LANES) {
            store(out + c, LANES, _mm512_mul_ps(load(a + c, LANES), b));
        }
        if (c < block->channels) {
            size_t left = block->channels - c;
            store(out + c, left, _mm512_mul_ps(load(a + c, left), b));
        }
    }
}

/* Four vectors at a time: the maxima stay in registers and the loads are independent. max returns
 * its second operand if one is NaN. */
static void max_four(const struct op_window *window, size_t first)
{
    __m512 m0 = _mm512_set1_ps(-FLT_MAX);
    __m512 m1 = m0;
    __m512 m2 = m0;
    __m512 m3 = m0;
    for (size_t y = 0; y < window->rows; y++) {
        const float *in = window->in + y * window->row_step + first;
        for (size_t x = 0; x < window->cols; x++) {
            m0 = _mm512_max_ps(_mm512_loadu_ps(in), m0);
            m1 = _mm512_max_ps(_mm512_loadu_ps(in + 1 * LANES), m1);
            m2 = _mm512_max_ps(_mm512_loadu_ps(in + 2 * LANES), m2);
            m3 = _mm512_max_ps(_mm512_loadu_ps(in + 3 * LANES), m3);
            in += window->col_step;
        }
    }
    float *out = window->out + first;
    _mm512_storeu_ps(out, m0);
    _mm512_storeu_ps(out + 1 * LANES, m1);
    _mm512_storeu_ps(out + 2 * LANES, m2);
    _mm512_storeu_ps(out + 3 * LANES, m3);
}

static inline void max_one(const struct op_window *window, size_t first, size_t count)
{
    __m512 m = _mm512_set1_ps(-FLT_MAX);
    for (size_t y = 0; y < window->rows; y++) {
        const float *in = window->in + y * window->row_step + first;
        for (size_t x = 0; x < window->cols; x++) {
            m = _mm512_max_ps(load(in, count), m);
            in += window->col_step;
        }
    }
    store(window->out + first, count, m);
}

static void max_window(const struct op_window *window)
{
    size_t c = 0;
    for (; c + 4 * LANES <= window->channels; c += 4 * LANES) {
        max_four(window, c);
    }
    for (; c + LANES <= window->channels; c += LANES) {
        max_one(window, c, LANES);
    }
    if (c < window->channels) {
        max_one(window, c, window->channels - c);
    }
}

static inline void upsample_step(const float *a, float *corner, const struct op_block *block,
                                 int stride, __m512 factor, size_t count)
{
    size_t row_step = block->pixels * (size_t)stride * block->out_stride;
    __m512 value = _mm512_mul_ps(factor, load(a, count));
    for (int y = 0; y < stride; y++) {
        float *out = corner + (size_t)y * row_step;
        for (int x = 0; x < stride; x++) {
            store(out, count, value);
            out += block->out_stride;
        }
    }
}

static void upsample(const struct op_block *block, int stride, float factor)
{
    __m512 factors = _mm512_set1_ps(factor);
    for (size_t p = 0; p < block->pixels; p++) {
        const float *a = block->a + p * block->a_stride;
        float *corner = block->out + p * (size_t)stride * block->out_stride;
        size_t c = 0;
        for (; c + LANES <= block->channels; c += LANES) {
            upsample_step(a + c, corner + c, block, stride, factors, LANES);
        }
        if (c < block->channels) {
            upsample_step(a + c, corner + c, block, stride, factors, block->channels - c);
        }
    }
}

static float largest_of(const float *in, size_t count)
{
    __m512 m = _mm512_set1_ps(-FLT_MAX);
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        m = _mm512_max_ps(_mm512_loadu_ps(in + i), m);
    }
    if (i < count) {
        __m512 x = _mm512_mask_loadu_ps(m, lanes(count - i), in + i);
        m = _mm512_max_ps(x, m);
    }
    return _mm512_reduce_max_ps(m);
}

static void softmax(const float *in, size_t count, float temperature, float *out)
{
    __m512 largest = _mm512_set1_ps(largest_of(in, count));
    __m512 divisor = _mm512_set1_ps(temperature);
    __m512 sum = _mm512_setzero_ps();
    for (size_t i = 0; i < count; i += LANES) {
        size_t left = count - i < LANES ? count - i : LANES;
        __m512 x = _mm512_div_ps(_mm512_sub_ps(load(in + i, left), largest), divisor);
        __m512 e = avx512_exp(x);
        store(out + i, left, e);
        sum = _mm512_mask_add_ps(sum, left == LANES ? 0xffff : lanes(left), sum, e);
    }
    __m512 total = _mm512_set1_ps(_mm512_reduce_add_ps(sum));
    for (size_t i = 0; i < count; i += LANES) {
        size_t left = count - i < LANES ? count - i : LANES;
        store(out + i, left, _mm512_div_ps(load(out + i, left), total));
    }
}

/* mean_window stays scalar: rare, and the compiler vectorises it. */
void ops_install_avx512(struct op_slots *slots)
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
