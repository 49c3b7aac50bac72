/* The element-wise slots for AVX2. Each works on runs of channels: whole vectors, then one masked
 * vector; a `step` does one vector of at most 8 values. */
#include <float.h>
#include <math.h>
#include <stdint.h>

#include "kernels/avx2_math.h"
#include "kernels/slots.h"

enum { LANES = 8 };

static const int32_t MASKS[2 * LANES] = {-1, -1, -1, -1, -1, -1, -1, -1};

/* The first count lanes. */
static inline __m256i lanes(size_t count)
{
    return _mm256_loadu_si256((const __m256i *)(MASKS + LANES - count));
}

/* count is the constant LANES in the main loops: the mask disappears there. */
static inline __m256 load(const float *from, size_t count)
{
    return count == LANES ? _mm256_loadu_ps(from) : _mm256_maskload_ps(from, lanes(count));
}

static inline void store(float *to, size_t count, __m256 value)
{
    if (count == LANES) {
        _mm256_storeu_ps(to, value);
    } else {
        _mm256_maskstore_ps(to, lanes(count), value);
    }
}

static inline void activate_step(const float *a, float *out, enum activation act, size_t count)
{
    store(out, count, avx2_activate(load(a, count), act));
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
    __m256 sum = _mm256_add_ps(load(a, count), load(b, count));
    store(out, count, avx2_activate(sum, act));
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
            __m256 y =
                _mm256_fmadd_ps(load(a + c, LANES), load(scale + c, LANES), load(shift + c, LANES));
            store(out + c, LANES, y);
        }
        if (c < block->channels) {
            size_t left = block->channels - c;
            __m256 y =
                _mm256_fmadd_ps(load(a + c, left), load(scale + c, left), load(shift + c, left));
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
            store(out + c, LANES, _mm256_mul_ps(load(a + c, LANES), load(b + c, LANES)));
        }
        if (c < block->channels) {
            size_t left = block->channels - c;
            store(out + c, left, _mm256_mul_ps(load(a + c, left), load(b + c, left)));
        }
    }
}

static void multiply_pixel(const struct op_block *block)
{
    for (size_t p = 0; p < block->pixels; p++) {
        const float *a = block->a + p * block->a_stride;
        __m256 b = _mm256_set1_ps(block->b[p * block->b_stride]);
        float *out = block->out + p * block->out_stride;
        size_t c = 0;
        for (; c + LANES <= block->channels; c += LANES) {
            store(out + c, LANES, _mm256_mul_ps(load(a + c, LANES), b));
        }
        if (c < block->channels) {
            size_t left = block->channels - c;
            store(out + c, left, _mm256_mul_ps(load(a + c, left), b));
        }
    }
}

/* Four vectors at a time: the maxima stay in registers and the loads are independent. max returns
 * its second operand if one is NaN. */
static void max_four(const struct op_window *window, size_t first)
{
    __m256 m0 = _mm256_set1_ps(-FLT_MAX);
    __m256 m1 = m0;
    __m256 m2 = m0;
    __m256 m3 = m0;
    for (size_t y = 0; y < window->rows; y++) {
        const float *in = window->in + y * window->row_step + first;
        for (size_t x = 0; x < window->cols; x++) {
            m0 = _mm256_max_ps(_mm256_loadu_ps(in), m0);
            m1 = _mm256_max_ps(_mm256_loadu_ps(in + 1 * LANES), m1);
            m2 = _mm256_max_ps(_mm256_loadu_ps(in + 2 * LANES), m2);
            m3 = _mm256_max_ps(_mm256_loadu_ps(in + 3 * LANES), m3);
            in += window->col_step;
        }
    }
    float *out = window->out + first;
    _mm256_storeu_ps(out, m0);
    _mm256_storeu_ps(out + 1 * LANES, m1);
    _mm256_storeu_ps(out + 2 * LANES, m2);
    _mm256_storeu_ps(out + 3 * LANES, m3);
}

static inline void max_one(const struct op_window *window, size_t first, size_t count)
{
    __m256 m = _mm256_set1_ps(-FLT_MAX);
    for (size_t y = 0; y < window->rows; y++) {
        const float *in = window->in + y * window->row_step + first;
        for (size_t x = 0; x < window->cols; x++) {
            m = _mm256_max_ps(load(in, count), m);
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
                                 int stride, __m256 factor, size_t count)
{
    size_t row_step = block->pixels * (size_t)stride * block->out_stride;
    __m256 value = _mm256_mul_ps(factor, load(a, count));
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
    __m256 factors = _mm256_set1_ps(factor);
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

/* Lanes beyond count are taken from `other`. */
static inline __m256 load_or(const float *from, size_t count, __m256 other)
{
    if (count == LANES) {
        return _mm256_loadu_ps(from);
    }
    __m256i mask = lanes(count);
    return _mm256_blendv_ps(other, _mm256_maskload_ps(from, mask), _mm256_castsi256_ps(mask));
}

static float largest_of(const float *in, size_t count)
{
    __m256 m = _mm256_set1_ps(-FLT_MAX);
    for (size_t i = 0; i < count; i += LANES) {
        size_t left = count - i < LANES ? count - i : LANES;
        m = _mm256_max_ps(load_or(in + i, left, m), m);
    }
    __m128 half = _mm_max_ps(_mm256_castps256_ps128(m), _mm256_extractf128_ps(m, 1));
    half = _mm_max_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_max_ss(half, _mm_movehdup_ps(half)));
}

static float sum_of(__m256 v)
{
    __m128 half = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    half = _mm_add_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_add_ss(half, _mm_movehdup_ps(half)));
}

static void softmax(const float *in, size_t count, float temperature, float *out)
{
    __m256 largest = _mm256_set1_ps(largest_of(in, count));
    __m256 divisor = _mm256_set1_ps(temperature);
    __m256 sum = _mm256_setzero_ps();
    __m256 below_all = _mm256_set1_ps(-INFINITY); /* e^-inf = 0 adds nothing */
    for (size_t i = 0; i < count; i += LANES) {
        size_t left = count - i < LANES ? count - i : LANES;
        __m256 x = _mm256_sub_ps(load_or(in + i, left, below_all), largest);
        __m256 e = avx2_exp(_mm256_div_ps(x, divisor));
        store(out + i, left, e);
        sum = _mm256_add_ps(sum, e);
    }
    __m256 total = _mm256_set1_ps(sum_of(sum));
    for (size_t i = 0; i < count; i += LANES) {
        size_t left = count - i < LANES ? count - i : LANES;
        store(out + i, left, _mm256_div_ps(load(out + i, left), total));
    }
}

/* mean_window stays scalar: rare, and the compiler vectorises it. */
void ops_install_avx2(struct op_slots *slots)
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
