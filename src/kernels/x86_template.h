/* What the vectors of avx2_vec.h and avx512_vec.h have in common but for the width: VEC_OP(op) is the intrinsic that
 * applies op to a vec. The includer has defined it, vec, wide and the operations that the widths do in their own
 * ways. */
#ifndef KERNELS_X86_TEMPLATE_H
#define KERNELS_X86_TEMPLATE_H

/* The compiler forgets where a vector came from, or it would read it anew for every use. */
#define IN_REGISTER(v) __asm__("" : "+v"(v))

static inline vec vec_set(float x)
{
    return VEC_OP(set1_ps)(x);
}

static inline vec vec_load(const float *p)
{
    return VEC_OP(loadu_ps)(p);
}

static inline void vec_store(float *p, vec v)
{
    VEC_OP(storeu_ps)(p, v);
}

static inline vec vec_add(vec a, vec b)
{
    return VEC_OP(add_ps)(a, b);
}

static inline vec vec_sub(vec a, vec b)
{
    return VEC_OP(sub_ps)(a, b);
}

static inline vec vec_mul(vec a, vec b)
{
    return VEC_OP(mul_ps)(a, b);
}

static inline vec vec_div(vec a, vec b)
{
    return VEC_OP(div_ps)(a, b);
}

static inline vec vec_min(vec a, vec b)
{
    return VEC_OP(min_ps)(a, b);
}

static inline vec vec_max(vec a, vec b)
{
    return VEC_OP(max_ps)(a, b);
}

static inline vec vec_sqrt(vec v)
{
    return VEC_OP(sqrt_ps)(v);
}

/* -|v|, a NaN stays one. */
static inline vec vec_minus_abs(vec v)
{
    return VEC_OP(or_ps)(v, VEC_OP(set1_ps)(-0.0f));
}

static inline vec vec_fma(vec a, vec b, vec c)
{
    return VEC_OP(fmadd_ps)(a, b, c);
}

static inline vec vec_pairs_added(vec a, vec b)
{
    return vec_add(VEC_OP(shuffle_ps)(a, b, 0x88), VEC_OP(shuffle_ps)(a, b, 0xdd));
}

static inline vec vec_sum_fours(vec a, vec b, vec c, vec d)
{
    return vec_turn_fours(vec_pairs_added(vec_pairs_added(a, b), vec_pairs_added(c, d)));
}

static inline wide wide_load(const double *p)
{
    return VEC_OP(loadu_pd)(p);
}

static inline void wide_store(double *p, wide w)
{
    VEC_OP(storeu_pd)(p, w);
}

static inline wide wide_add(wide a, wide b)
{
    return VEC_OP(add_pd)(a, b);
}

static inline wide wide_sub(wide a, wide b)
{
    return VEC_OP(sub_pd)(a, b);
}

static inline wide wide_fma(wide a, wide b, wide c)
{
    return VEC_OP(fmadd_pd)(a, b, c);
}

/* e^x for -105 <= x <= 89. The sum of x / ln 2 and 1.5 2^20 is rounded to eighths, which are its last bits. The table's powers are those
 * of 2^(1/8) times a number by which all of them come within .07 2^-24 of floats; the polynomial is 1 less than e^r over that number. */
static inline vec vec_exp_bounded(vec x)
{
    static const float powers[8] = {.997438967f, 1.08771491f, 1.18616152f, 1.2935183f,
                                    1.41059172f, 1.53826118f, 1.6774857f,  1.82931113f};
    vec eighths = vec_set(1572864.0f);
    vec place = vec_fma(x, vec_set(1.44269502f), eighths);
    vec n = vec_sub(place, eighths);
    vec r = VEC_OP(fnmadd_ps)(n, vec_set(0.693147182f), x);
    r = VEC_OP(fnmadd_ps)(n, vec_set(-1.90465432e-09f), r);
    vec p = vec_fma(vec_set(0.0417769179f), r, vec_set(0.167114213f));
    p = vec_fma(p, r, vec_set(0.501283824f));
    p = vec_fma(p, r, vec_set(1.00256765f));
    p = vec_fma(p, r, vec_set(0.00256760675f));
    vec part = vec_pick(powers, place);
    return vec_times_power(vec_fma(part, p, part), n);
}

#endif
