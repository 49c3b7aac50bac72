/* Optimisers against torch.optim; clipping, averages, freezing, stages, threads. */
#include "train/optimizer.h"

#include <unistd.h>

#include "base/memory.h"
#include "base/parallel.h"
#include "optimizer_golden.h"
#include "test.h"
#include "train_rig.h"

static struct error err;

static const struct optimizer_options adam = {
    .kind = OPTIMIZER_ADAM, .beta1 = 0.9f, .beta2 = 0.99f, .eps = 1e-6f};

/* ---- torch ---- */

static float *golden_value(struct rig *r, int i)
{
    return i < 6   ? rig_values(r, 0, 1) + i
           : i < 8 ? rig_values(r, 0, 0) + i - 6
                   : rig_values(r, 1, 1) + i - 8;
}

static float *golden_gradient(struct rig *r, int i)
{
    return i < 6   ? r->execs[0].param_grads[1] + i
           : i < 8 ? r->execs[0].param_grads[0] + i - 6
                   : r->execs[1].param_grads[1] + i - 8;
}

static void compare_isa(const struct optimizer_options *options,
                        const double golden[GOLDEN_STEPS][GOLDEN_VALUES])
{
    struct rig r;
    struct optimizer *o;
    unsigned noise = 1;
    CHECK(rig_open(&r, 1));
    CHECK(rig_set_modes(&r, MODE_TRAIN, MODE_TRAIN, MODE_INFER));
    for (int i = 0; i < GOLDEN_VALUES; i++) {
        *golden_value(&r, i) = test_noise(&noise);
    }
    CHECK_OK(rig_optimizer(options, &r, NULL, &o, &err));
    CHECK(optimizer_values(o) == 11);
    for (int step = 0; step < GOLDEN_STEPS; step++) {
        double squares = 0;
        for (int i = 0; i < GOLDEN_VALUES; i++) {
            float g = test_noise(&noise);
            *golden_gradient(&r, i) = g;
            squares += (double)g * (double)g;
        }
        double norm = optimizer_step(o, &r.plan, step < 5 ? 0.02f : 0.005f, GOLDEN_IMAGES);
        CHECK_NEAR(norm, sqrt(squares) / GOLDEN_IMAGES, 1e-9);
        for (int i = 0; i < GOLDEN_VALUES; i++) {
            CHECK_MSG(fabs((double)*golden_value(&r, i) - golden[step][i]) <= 1e-6,
                      "step %d value %d: %.9g, torch %.9g", step, i, (double)*golden_value(&r, i),
                      golden[step][i]);
        }
        CHECK(rig_values(&r, 1, 0)[0] == 0); /* no gradient, no decay */
    }
    optimizer_free(o);
    rig_close(&r);
}

/* On every instruction set this machine has. */
static void compare(const struct optimizer_options *options,
                    const double golden[GOLDEN_STEPS][GOLDEN_VALUES])
{
    for (int i = 0; i < ISA_COUNT; i++) {
        rig_isa = ISA_NAMES[i];
        if (isa_kernels(rig_isa)) {
            compare_isa(options, golden);
        }
    }
    rig_isa = NULL;
}

static void test_torch_sgd(void)
{
    struct optimizer_options o = {.kind = OPTIMIZER_SGD, .momentum = 0.9f};
    compare(&o, golden_sgd);
    o.momentum = 0;
    o.decay = 0.1f;
    compare(&o, golden_sgd_plain);
    o.momentum = 0.949f;
    compare(&o, golden_sgd_decay);
    o.momentum = 0.9f;
    o.clip_norm = 0.5f;
    compare(&o, golden_sgd_clip);
}

static void test_torch_adam(void)
{
    struct optimizer_options o = adam;
    compare(&o, golden_adam);
    o.decay = 0.1f;
    compare(&o, golden_adam_decay);
    o.clip_norm = 0.5f;
    compare(&o, golden_adam_clip);
}

static void test_torch_adamw(void)
{
    struct optimizer_options o = adam;
    o.kind = OPTIMIZER_ADAMW;
    o.decay = 0.3f;
    compare(&o, golden_adamw);
}

/* ---- Darknet's own form of SGD (darknet-spec 6.2) ---- */

static void test_darknet_sgd(void)
{
    struct optimizer_options options = {.kind = OPTIMIZER_SGD, .momentum = 0.9f, .decay = 0.05f};
    struct rig r;
    struct optimizer *o;
    enum { BATCH = 8, N = 70 };
    double w[N], buffer[N] = {0};
    const double rate = 0.01;
    CHECK(rig_open(&r, N));
    rig_fill(&r, 3);
    for (int i = 0; i < N; i++) {
        w[i] = (double)rig_values(&r, 2, 4)[i];
    }
    CHECK_OK(rig_optimizer(&options, &r, NULL, &o, &err));
    for (unsigned step = 0; step < 20; step++) {
        rig_backward(&r, step);
        for (int i = 0; i < N;
             i++) { /* buffer holds -gradient, and what is left of the last step */
            buffer[i] -= (double)r.execs[2].param_grads[4][i];
            buffer[i] -= (double)options.decay * BATCH * w[i];
            w[i] += rate / BATCH * buffer[i];
            buffer[i] *= (double)options.momentum;
        }
        optimizer_step(o, &r.plan, (float)rate, BATCH);
        for (int i = 0; i < N; i++) {
            CHECK_NEAR(rig_values(&r, 2, 4)[i], w[i], 1e-6);
        }
    }
    optimizer_free(o);
    rig_close(&r);
}

/* ---- what must not move ---- */

static void test_frozen(void)
{
    static const enum optimizer_kind kinds[] = {OPTIMIZER_SGD, OPTIMIZER_ADAM, OPTIMIZER_ADAMW};
    for (size_t k = 0; k < 3; k++) {
        struct optimizer_options options = {.kind = kinds[k],
                                            .momentum = 0.9f,
                                            .decay = 0.5f,
                                            .beta1 = 0.9f,
                                            .beta2 = 0.9f,
                                            .eps = 1e-6f,
                                            .ema_decay = 0.9f};
        struct rig r;
        struct optimizer *o;
        size_t count;
        CHECK(rig_open(&r, 5));
        CHECK(rig_set_modes(&r, MODE_FROZEN, MODE_TRAIN, MODE_AFFINE_FROZEN));
        rig_fill(&r, 4);
        float *before = rig_snapshot(&r, &count);
        CHECK_OK(rig_optimizer(&options, &r, NULL, &o, &err));
        for (unsigned n = 0; n < 5; n++) {
            rig_backward(&r, n);
            optimizer_step(o, &r.plan, 0.1f, 1);
        }
        const float *was = before;
        for (int swaps = 0; swaps < 2; swaps++) {
            CHECK(memcmp(rig_values(&r, 0, 0), was, 2 * sizeof(float)) == 0);
            CHECK(memcmp(rig_values(&r, 0, 1), was + 2, 6 * sizeof(float)) == 0);
            for (int p = 0; p < 4; p++) {
                CHECK(memcmp(rig_values(&r, 2, p), was + 11 + 5 * p, 5 * sizeof(float)) == 0);
            }
            CHECK(memcmp(rig_values(&r, 1, 1), was + 9, 2 * sizeof(float)) != 0);
            CHECK(memcmp(rig_values(&r, 2, 4), was + 31, 5 * sizeof(float)) != 0);
            optimizer_swap_ema(o);
        }
        free(before);
        optimizer_free(o);
        rig_close(&r);
    }
}

static void test_not_finite(void)
{
    static const float odd[] = {NAN, INFINITY, -INFINITY};
    struct optimizer_options options = adam;
    struct rig r;
    struct optimizer *o;
    size_t count;
    options.ema_decay = 0.5f;
    options.clip_norm = 1;
    CHECK(rig_open(&r, 70000));
    rig_fill(&r, 5);
    CHECK_OK(rig_optimizer(&options, &r, NULL, &o, &err));
    float *before = rig_snapshot(&r, &count);
    for (size_t k = 0; k < 3; k++) {
        rig_backward(&r, 1);
        r.execs[2].param_grads[4][69999] = odd[k];
        double norm = optimizer_step(o, &r.plan, 0.1f, 1);
        CHECK(!isfinite(norm));
        CHECK(memcmp(rig_values(&r, 2, 4), before + count - 70000, 70000 * sizeof(float)) == 0);
        CHECK(memcmp(rig_values(&r, 0, 1), before + 2, 6 * sizeof(float)) == 0);
    }
    rig_backward(&r, 2);
    CHECK(isfinite(optimizer_step(o, &r.plan, 0.1f, 1)));
    for (int i = 0; i < 6; i++) { /* nothing of it stayed in the moments */
        CHECK(isfinite(rig_values(&r, 0, 1)[i]));
    }
    CHECK(!isfinite(optimizer_step(o, &r.plan, 0.1f, 0)));
    free(before);
    optimizer_free(o);
    rig_close(&r);
}

static void test_clip(void)
{
    struct optimizer_options options = {.kind = OPTIMIZER_SGD, .clip_norm = 2};
    struct rig r;
    struct optimizer *o;
    CHECK(rig_open(&r, 1));
    CHECK(rig_set_modes(&r, MODE_TRAIN, MODE_INFER, MODE_INFER));
    CHECK_OK(rig_optimizer(&options, &r, NULL, &o, &err));
    r.execs[0].param_grads[1][0] = 30;
    r.execs[0].param_grads[0][1] = -40; /* norm 50 of the sum, 5 of the mean */
    CHECK_NEAR(optimizer_step(o, &r.plan, 1, 10), 5, 1e-9);
    CHECK_NEAR(rig_values(&r, 0, 1)[0], -1.2, 1e-5);
    CHECK_NEAR(rig_values(&r, 0, 0)[1], 1.6, 1e-5);
    optimizer_step(o, &r.plan, 1, 100); /* norm 0.5: as it is */
    CHECK_NEAR(rig_values(&r, 0, 1)[0], -1.5, 1e-5);
    CHECK_NEAR(rig_values(&r, 0, 0)[1], 2.0, 1e-5);
    optimizer_free(o);
    options.clip_norm = 1e-6f; /* as small as torch's constant */
    CHECK_OK(rig_optimizer(&options, &r, NULL, &o, &err));
    r.execs[0].param_grads[1][0] = r.execs[0].param_grads[0][1] = 0;
    r.execs[0].param_grads[1][3] = 1e-6f;
    rig_values(&r, 0, 1)[3] = 0;
    optimizer_step(o, &r.plan, 1, 1);
    CHECK_NEAR(rig_values(&r, 0, 1)[3], -5e-7, 1e-12);
    optimizer_free(o);
    rig_close(&r);
}

/* ---- averages ---- */

static void test_ema(void)
{
    struct optimizer_options options = {.kind = OPTIMIZER_SGD, .momentum = 0.5f, .ema_decay = 0.3f};
    struct rig r;
    struct optimizer *o;
    size_t count, same;
    CHECK(rig_open(&r, 9));
    rig_fill(&r, 6);
    CHECK_OK(rig_optimizer(&options, &r, NULL, &o, &err));
    float *start = rig_snapshot(&r, &count);
    double *average = malloc(count * sizeof *average);
    for (size_t i = 0; i < count; i++) {
        average[i] = (double)start[i];
    }
    for (unsigned n = 1; n <= 6; n++) {
        rig_backward(&r, n);
        optimizer_step(o, &r.plan, 0.5f, 1);
        float *now = rig_snapshot(&r, &same);
        double decay = fmin(0.3, (1.0 + n) / (10.0 + n)); /* reached at n = 3 */
        for (size_t i = 0; i < count; i++) {
            average[i] = decay * average[i] + (1 - decay) * (double)now[i];
        }
        CHECK(!optimizer_is_swapped(o));
        optimizer_swap_ema(o);
        CHECK(optimizer_is_swapped(o));
        float *averaged = rig_snapshot(&r, &same);
        for (size_t i = 0; i < count; i++) { /* statistics too */
            CHECK_NEAR(averaged[i], average[i], 1e-6);
        }
        optimizer_swap_ema(o);
        CHECK(rig_equals(&r, now));
        free(averaged);
        free(now);
    }
    free(average);
    free(start);
    optimizer_free(o);
    rig_close(&r);
}

static void test_no_ema(void)
{
    struct optimizer_options options = {.kind = OPTIMIZER_SGD};
    struct rig r;
    struct optimizer *o;
    size_t count;
    CHECK(rig_open(&r, 3));
    rig_fill(&r, 6);
    CHECK_OK(rig_optimizer(&options, &r, NULL, &o, &err));
    CHECK(!optimizer_has_ema(o));
    float *before = rig_snapshot(&r, &count);
    optimizer_swap_ema(o);
    CHECK(rig_equals(&r, before));
    CHECK(!optimizer_is_swapped(o));
    free(before);
    optimizer_free(o);
    rig_close(&r);
}

/* ---- stages ---- */

/* Layer 1 trains alone for 3 steps, then layers 0 and 1. In the second stage layer 1 must go on as
 * if nothing had happened, and layer 0 as in a run that begins there. */
static void check_stages(enum optimizer_kind kind)
{
    struct optimizer_options options = {.kind = kind,
                                        .momentum = 0.9f,
                                        .beta1 = 0.9f,
                                        .beta2 = 0.99f,
                                        .eps = 1e-6f,
                                        .ema_decay = 0.9f};
    struct rig r, alone, fresh;
    struct optimizer *first, *second, *o_alone, *o_fresh;
    CHECK(rig_open(&r, 1) && rig_open(&alone, 1) && rig_open(&fresh, 1));
    rig_fill(&r, 8);
    rig_fill(&alone, 8);
    rig_fill(&fresh, 8);
    CHECK(rig_set_modes(&r, MODE_INFER, MODE_TRAIN, MODE_INFER));
    CHECK(rig_set_modes(&alone, MODE_INFER, MODE_TRAIN, MODE_INFER));
    CHECK(rig_set_modes(&fresh, MODE_TRAIN, MODE_INFER, MODE_INFER));
    CHECK_OK(rig_optimizer(&options, &r, NULL, &first, &err));
    CHECK_OK(rig_optimizer(&options, &alone, NULL, &o_alone, &err));
    CHECK_OK(rig_optimizer(&options, &fresh, NULL, &o_fresh, &err));
    for (int n = 0; n < 6; n++) {
        if (n == 3) {
            CHECK(rig_set_modes(&r, MODE_TRAIN, MODE_TRAIN, MODE_INFER));
            CHECK_OK(rig_optimizer(&options, &r, first, &second, &err));
            optimizer_free(first);
        }
        unsigned noise = (unsigned)n + 50;
        for (int i = 0; i < 2; i++) {
            r.execs[1].param_grads[1][i] = alone.execs[1].param_grads[1][i] = test_noise(&noise);
        }
        for (int i = 0; i < 6 && n >= 3; i++) {
            r.execs[0].param_grads[1][i] = fresh.execs[0].param_grads[1][i] = test_noise(&noise);
        }
        optimizer_step(n < 3 ? first : second, &r.plan, 0.1f, 1);
        optimizer_step(o_alone, &alone.plan, 0.1f, 1);
        if (n >= 3) {
            optimizer_step(o_fresh, &fresh.plan, 0.1f, 1);
        }
    }
    CHECK(memcmp(rig_values(&r, 0, 1), rig_values(&fresh, 0, 1), 6 * sizeof(float)) == 0);
    for (int swaps = 0; swaps < 2; swaps++) { /* averages as well */
        CHECK(memcmp(rig_values(&r, 1, 1), rig_values(&alone, 1, 1), 2 * sizeof(float)) == 0);
        optimizer_swap_ema(second);
        optimizer_swap_ema(o_alone);
    }
    optimizer_free(second);
    optimizer_free(o_alone);
    optimizer_free(o_fresh);
    rig_close(&r);
    rig_close(&alone);
    rig_close(&fresh);
}

static void test_stages(void)
{
    check_stages(OPTIMIZER_SGD);
    check_stages(OPTIMIZER_ADAM);
    check_stages(OPTIMIZER_ADAMW);
}

static void test_other_kind_starts_fresh(void)
{
    struct optimizer_options options = {.kind = OPTIMIZER_SGD, .momentum = 0.9f};
    struct rig r, fresh;
    struct optimizer *sgd, *second, *o_fresh;
    size_t count;
    CHECK(rig_open(&r, 1) && rig_open(&fresh, 1));
    rig_fill(&r, 9);
    CHECK_OK(rig_optimizer(&options, &r, NULL, &sgd, &err));
    rig_backward(&r, 1);
    optimizer_step(sgd, &r.plan, 0.1f, 1);
    CHECK_OK(rig_optimizer(&adam, &r, sgd, &second, &err));
    for (int i = 0; i < RIG_LAYERS; i++) {
        for (int k = 0; k < r.f.net.layers[i].param_count; k++) {
            memcpy(rig_values(&fresh, i, k), rig_values(&r, i, k),
                   r.f.net.layers[i].params[k].count * sizeof(float));
        }
    }
    CHECK_OK(rig_optimizer(&adam, &fresh, NULL, &o_fresh, &err));
    rig_backward(&r, 2);
    rig_backward(&fresh, 2);
    optimizer_step(second, &r.plan, 0.1f, 1);
    optimizer_step(o_fresh, &fresh.plan, 0.1f, 1);
    float *now = rig_snapshot(&fresh, &count);
    CHECK(rig_equals(&r, now));
    free(now);
    optimizer_free(sgd);
    optimizer_free(second);
    optimizer_free(o_fresh);
    rig_close(&r);
    rig_close(&fresh);
}

/* ---- the rest ---- */

static void test_threads(void)
{
    static const enum optimizer_kind kinds[] = {OPTIMIZER_SGD, OPTIMIZER_ADAMW};
    for (size_t k = 0; k < 2; k++) {
        float *expected = NULL;
        double expected_norm = 0;
        for (int threads = 1; threads <= 3; threads++) {
            struct optimizer_options options = adam;
            struct rig r;
            struct optimizer *o;
            size_t count;
            double norm = 0;
            options.kind = kinds[k];
            options.clip_norm = 1;
            options.ema_decay = 0.9f;
            parallel_set_threads(threads);
            CHECK(rig_open(&r, 200003));
            rig_fill(&r, 10);
            CHECK_OK(rig_optimizer(&options, &r, NULL, &o, &err));
            for (unsigned n = 0; n < 3; n++) {
                rig_backward(&r, n);
                norm = optimizer_step(o, &r.plan, 0.1f, 3);
            }
            optimizer_swap_ema(o);
            if (!expected) {
                expected = rig_snapshot(&r, &count);
                expected_norm = norm;
            }
            CHECK(norm == expected_norm);
            CHECK(rig_equals(&r, expected));
            optimizer_free(o);
            rig_close(&r);
        }
        free(expected);
    }
    parallel_set_threads(0);
}

static void test_memory(void)
{
    struct rig r;
    struct optimizer *o = NULL;
    long failures = 0;
    CHECK(rig_open(&r, 3));
    for (;; failures++) {
        mem_fail_after(failures);
        enum result result = rig_optimizer(&adam, &r, NULL, &o, &err);
        mem_fail_after(-1);
        if (result == OK) {
            break;
        }
        CHECK(result == ERR_MEMORY && failures < 20);
    }
    CHECK(failures >= 3);
    CHECK(optimizer_values(o) == 8 + 3 + 9 && optimizer_bytes(o) > 0);
    optimizer_free(o);
    optimizer_free(NULL);
    CHECK(rig_set_modes(&r, MODE_INFER, MODE_INFER,
                        MODE_INFER)); /* nothing moves: not its business */
    CHECK_OK(rig_optimizer(&adam, &r, NULL, &o, &err));
    CHECK(optimizer_values(o) == 0 && optimizer_step(o, &r.plan, 1, 1) == 0);
    optimizer_free(o);
    rig_close(&r);
}

static void test_names(void)
{
    CHECK(strcmp(optimizer_kind_name(OPTIMIZER_ADAMW), "adamw") == 0);
}

static const struct test_case cases[] = {
    {"torch_sgd", test_torch_sgd},
    {"torch_adam", test_torch_adam},
    {"torch_adamw", test_torch_adamw},
    {"darknet_sgd", test_darknet_sgd},
    {"frozen", test_frozen},
    {"not_finite", test_not_finite},
    {"clip", test_clip},
    {"ema", test_ema},
    {"no_ema", test_no_ema},
    {"stages", test_stages},
    {"other_kind_starts_fresh", test_other_kind_starts_fresh},
    {"threads", test_threads},
    {"memory", test_memory},
    {"names", test_names},
};
TEST_MAIN(cases)
