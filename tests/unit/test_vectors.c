/* Arithmetic on flat arrays, on every instruction set of this machine against double. */
#include "kernels/vectors.h"

#include <float.h>

#include "base/parallel.h"
#include "field.h"
#include "test.h"

static const int COUNTS[] = {1, 7, 8, 15, 16, 17, 33, 1000, 16385, 100003};
enum { COUNTS_LENGTH = sizeof(COUNTS) / sizeof(COUNTS[0]) };

/* Arrays that end before an untouchable page; their starts are misaligned. */
struct arrays {
    struct field w, m, v, g, before;
    size_t count;
};

static struct arrays arrays_make(int count)
{
    struct arrays a = {.count = (size_t)count};
    a.w = field_make(1, 1, 1, count, 0);
    a.m = field_make(1, 1, 1, count, 0);
    a.v = field_make(1, 1, 1, count, 0);
    a.g = field_make(1, 1, 1, count, 0);
    a.before = field_make(1, 1, 3, count, 0);
    field_noise(&a.w, 1, 1.0f);
    field_noise(&a.m, 2, 0.1f);
    field_noise(&a.v, 3, 0.1f);
    field_noise(&a.g, 4, 8.0f);
    for (int i = 0; i < count; i++) {
        *at(&a.v, 0, i) = fabsf(*at(&a.v, 0, i));
        *at(&a.before, 0, i) = *at(&a.w, 0, i);
        *at(&a.before, 1, i) = *at(&a.m, 0, i);
        *at(&a.before, 2, i) = *at(&a.v, 0, i);
    }
    return a;
}

/* True if nothing around the arrays was touched. */
static bool arrays_free(struct arrays *a)
{
    struct field *all[] = {&a->w, &a->m, &a->v, &a->g, &a->before};
    bool guarded = true;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        guarded = guarded && field_guarded(all[i]);
        field_free(all[i]);
    }
    return guarded;
}

static bool near(float got, double want, double size)
{
    return fabs((double)got - want) <= 3e-7 * size;
}

static void linear_case(const struct kernels *kern, int count)
{
    struct arrays a = arrays_make(count);
    int wrong = 0;
    double squares = 0;
    vec_lerp(kern, a.count, 0.125f, a.g.t.data, a.v.t.data);
    for (int i = 0; i < count; i++) {
        double g = (double)*at(&a.g, 0, i);
        double v = (double)*at(&a.before, 2, i);
        wrong += !near(*at(&a.v, 0, i), 0.875 * v + 0.125 * g, 8);
        squares += g * g;
    }
    double got = vec_sum_squares(kern, a.count, a.g.t.data);
    bool clean = arrays_free(&a);
    CHECK_MSG(wrong == 0 && clean, "%s, %d: %d wrong, clean %d", kernels_isa(kern), count, wrong,
              clean);
    CHECK_NEAR(got, squares, 1e-12 * squares);
}

static void test_linear(void)
{
    for (int isa = 0; isa < ISA_COUNT; isa++) {
        const struct kernels *kern = kernels_named(isa);
        for (int i = 0; kern && i < COUNTS_LENGTH && !test_failed; i++) {
            linear_case(kern, COUNTS[i]);
        }
    }
}

/* Floats whose squares overflow a float; and nothing at all. */
static void test_extremes(void)
{
    for (int isa = 0; isa < ISA_COUNT; isa++) {
        const struct kernels *kern = kernels_named(isa);
        float large[3] = {FLT_MAX, 1.0f, -FLT_MAX};
        if (!kern) {
            continue;
        }
        CHECK_NEAR(vec_sum_squares(kern, 3, large) / ((double)FLT_MAX * (double)FLT_MAX), 2, 1e-12);
        CHECK(vec_sum_squares(kern, 0, large) == 0);
        CHECK(vec_all_finite(kern, 3, large) && vec_all_finite(kern, 0, NULL));
        large[1] = NAN;
        CHECK(isnan(vec_sum_squares(kern, 3, large)));
    }
}

static void finite_case(const struct kernels *kern, int count)
{
    struct arrays a = arrays_make(count);
    static const float bad[] = {INFINITY, -INFINITY, NAN, -NAN};
    int wrong = !vec_all_finite(kern, a.count, a.g.t.data);
    *at(&a.g, 0, count / 2) = FLT_MAX;
    wrong += !vec_all_finite(kern, a.count, a.g.t.data);
    for (int i = 0; i < count; i += 1 + count / 50) {
        int place = count - 1 - i;
        float kept = *at(&a.g, 0, place);
        *at(&a.g, 0, place) = bad[i % 4];
        wrong += vec_all_finite(kern, a.count, a.g.t.data);
        *at(&a.g, 0, place) = kept;
    }
    arrays_free(&a);
    CHECK_MSG(wrong == 0, "%s, %d: %d wrong", kernels_isa(kern), count, wrong);
}

static void test_finite(void)
{
    for (int isa = 0; isa < ISA_COUNT; isa++) {
        const struct kernels *kern = kernels_named(isa);
        for (int i = 0; kern && i < COUNTS_LENGTH && !test_failed; i++) {
            finite_case(kern, COUNTS[i]);
        }
    }
}

/* A descent along a positive gradient must lower w: checked by the sign, too. */
static void sgd_case(const struct kernels *kern, int count)
{
    struct arrays a = arrays_make(count);
    const struct sgd_step s = {.rate = 0.01f, .momentum = 0.9f, .decay = 0.05f, .scale = 0.25f};
    struct sgd_arrays x = {a.w.t.data, a.m.t.data, a.g.t.data};
    int wrong = 0;
    vec_sgd_step(kern, a.count, &s, &x);
    for (int i = 0; i < count; i++) {
        double w = (double)*at(&a.before, 0, i), v = (double)*at(&a.before, 1, i);
        double step = 0.9 * v + 0.25 * (double)*at(&a.g, 0, i) + 0.05 * w;
        wrong += !near(*at(&a.m, 0, i), step, 1);
        wrong += !near(*at(&a.w, 0, i), w - 0.01 * step, 1);
    }
    bool clean = arrays_free(&a);
    CHECK_MSG(wrong == 0 && clean, "%s, %d: %d wrong, clean %d", kernels_isa(kern), count, wrong,
              clean);
}

static void adam_case(const struct kernels *kern, int count, bool decoupled)
{
    struct arrays a = arrays_make(count);
    const struct adam_step s = {.rate = 0.01,
                                .beta1 = 0.9,
                                .beta2 = 0.99,
                                .epsilon = 1e-3,
                                .decay = 0.05,
                                .scale = 0.25,
                                .correction1 = 0.271,
                                .correction2 = 0.029701,
                                .decoupled = decoupled};
    struct adam_arrays x = {a.w.t.data, a.m.t.data, a.v.t.data, a.g.t.data};
    int wrong = 0;
    vec_adam_step(kern, a.count, &s, &x);
    for (int i = 0; i < count; i++) {
        double w = (double)*at(&a.before, 0, i);
        double h = 0.25 * (double)*at(&a.g, 0, i) + (decoupled ? 0 : 0.05 * w);
        double m = 0.9 * (double)*at(&a.before, 1, i) + 0.1 * h;
        double v = 0.99 * (double)*at(&a.before, 2, i) + 0.01 * h * h;
        double step = m / 0.271 / (sqrt(v / 0.029701) + 1e-3);
        double kept = decoupled ? w * (1 - 0.01 * 0.05) : w;
        wrong += !near(*at(&a.m, 0, i), m, 1);
        wrong += !near(*at(&a.v, 0, i), v, 1);
        wrong += !near(*at(&a.w, 0, i), kept - 0.01 * step, 1);
    }
    bool clean = arrays_free(&a);
    CHECK_MSG(wrong == 0 && clean, "%s, %d, decoupled %d: %d wrong, clean %d", kernels_isa(kern),
              count, decoupled, wrong, clean);
}

static void test_steps(void)
{
    for (int isa = 0; isa < ISA_COUNT; isa++) {
        const struct kernels *kern = kernels_named(isa);
        for (int i = 0; kern && i < COUNTS_LENGTH && !test_failed; i++) {
            sgd_case(kern, COUNTS[i]);
            adam_case(kern, COUNTS[i], false);
            adam_case(kern, COUNTS[i], true);
        }
    }
}

/* A decay far below a float's resolution of 1 still has its mean effect. */
static void test_small_decay(void)
{
    const struct adam_step s = {.rate = 1e-4,
                                .beta1 = 0.9,
                                .beta2 = 0.999,
                                .epsilon = 1e-8,
                                .decay = 5e-3,
                                .scale = 1,
                                .correction1 = 1,
                                .correction2 = 1,
                                .decoupled = true};
    for (int isa = 0; isa < ISA_COUNT; isa++) {
        const struct kernels *kern = kernels_named(isa);
        float w[16], m[16] = {0}, v[16] = {0}, g[16] = {0};
        struct adam_arrays x = {w, m, v, g};
        for (int i = 0; i < 16; i++) {
            w[i] = 1.9f;
        }
        for (int step = 0; kern && step < 1000; step++) {
            vec_adam_step(kern, 16, &s, &x);
        }
        CHECK_MSG(!kern || fabs(1.9 - (double)w[9] - 1.9 * 5e-4) <= 3e-5, "%.9g", (double)w[9]);
    }
}

static void test_threads(void)
{
    for (int isa = 0; isa < ISA_COUNT; isa++) {
        const struct kernels *kern = kernels_named(isa);
        if (!kern) {
            continue;
        }
        struct arrays a = arrays_make(300007), b = arrays_make(300007);
        const struct sgd_step s = {0.01f, 0.9f, 0.05f, 0.25f};
        struct sgd_arrays x = {a.w.t.data, a.m.t.data, a.g.t.data};
        struct sgd_arrays y = {b.w.t.data, b.m.t.data, b.g.t.data};
        parallel_set_threads(1);
        double one = vec_sum_squares(kern, a.count, a.g.t.data);
        vec_sgd_step(kern, a.count, &s, &x);
        parallel_set_threads(2);
        double two = vec_sum_squares(kern, a.count, a.g.t.data);
        vec_sgd_step(kern, a.count, &s, &y);
        bool equal = one == two && field_equal(&a.w, &b.w) && field_equal(&a.m, &b.m);
        arrays_free(&a);
        arrays_free(&b);
        CHECK_MSG(equal, "%s", kernels_isa(kern));
    }
}

static const struct test_case cases[] = {
    {"linear", test_linear}, {"extremes", test_extremes},       {"finite", test_finite},
    {"steps", test_steps},   {"small_decay", test_small_decay}, {"threads", test_threads},
};

TEST_MAIN(cases)
