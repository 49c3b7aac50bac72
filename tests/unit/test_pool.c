/* Operations that look at more than one element: pooling, upsampling, softmax; every instruction
 * set of this machine against obvious references in double. */
#include "kernels/kernels.h"
#include "kernels/pool.h"
#include "kernels/softmax.h"
#include "kernels/upsample.h"

#include <float.h>

#include "field.h"
#include "test.h"

static double pool_reference(const struct field *in, const struct pool_geometry *g, bool mean,
                             const int at_nyxc[4])
{
    double largest = (double)-FLT_MAX, sum = 0;
    int count = 0;
    for (int i = 0; i < g->size * g->size; i++) {
        int y = at_nyxc[1] * g->stride_y - g->offset + i / g->size;
        int x = at_nyxc[2] * g->stride_x - g->offset + i % g->size;
        if (y < 0 || y >= in->t.h || x < 0 || x >= in->t.w) {
            continue;
        }
        double value = (double)tensor_at(&in->t, at_nyxc[0], y, x)[at_nyxc[3]];
        largest = value > largest ? value : largest;
        sum += value;
        count++;
    }
    return mean ? (count ? sum / count : 0) : largest;
}

/* shape: image h, w, c and output h, w. */
static void pool_case(const struct kernels *kern, const struct pool_geometry *g, bool mean,
                      const int shape[5])
{
    struct field in = field_make(2, shape[0], shape[1], shape[2], shape[2] % 3);
    struct field out = field_make(2, shape[3], shape[4], shape[2], 1);
    field_noise(&in, 11, 5.0f);
    if (!mean) {
        *at(&in, 1, 0) = NAN;
    }
    (mean ? op_avg_pool : op_max_pool)(kern, g, &in.t, &out.t);
    int wrong = 0;
    for (int i = 0; i < 2 * shape[3] * shape[4]; i++) {
        int image = i / (shape[3] * shape[4]);
        int y = i / shape[4] % shape[3];
        for (int c = 0; c < shape[2]; c++) {
            const int nyxc[4] = {image, y, i % shape[4], c};
            double want = pool_reference(&in, g, mean, nyxc);
            wrong += !(ulps(*at(&out, (size_t)i, c), want) <= (mean ? 1 : 0));
        }
    }
    bool guarded = field_guarded(&in) && field_guarded(&out);
    field_free(&in);
    field_free(&out);
    CHECK_MSG(wrong == 0 && guarded, "%s, size %d stride %d on %d x %d x %d: %d wrong, guard %d",
              kernels_isa(kern), g->size, g->stride_y, shape[0], shape[1], shape[2], wrong,
              guarded);
}

static void test_pool(void)
{
    static const struct {
        struct pool_geometry geometry;
        int shape[5];
    } cases[] = {
        {{2, 2, 2, 0}, {6, 8, 0, 3, 4}}, {{2, 2, 2, 0}, {7, 5, 0, 4, 3}},
        {{2, 1, 1, 0}, {4, 4, 0, 4, 4}}, {{3, 2, 2, 1}, {7, 6, 0, 4, 3}},
        {{5, 1, 1, 2}, {6, 7, 0, 6, 7}}, {{13, 1, 1, 6}, {5, 6, 0, 5, 6}},
        {{4, 3, 1, 1}, {6, 8, 0, 2, 7}}, {{4, 1, 3, 2}, {5, 9, 0, 5, 3}},
        {{2, 3, 3, 0}, {2, 2, 0, 3, 2}}, /* the last windows are empty */
        {{3, 1, 1, 5}, {3, 3, 0, 4, 4}}, {{3, 1, 1, 1}, {1, 1, 0, 1, 1}},
    };
    for (int isa = 0; isa < ISA_COUNT; isa++) {
        const struct kernels *kern = kernels_named(isa);
        for (size_t i = 0; kern && i < sizeof(cases) / sizeof(cases[0]); i++) {
            for (int c = 1; c <= MAX_CHANNELS && !test_failed; c += 1 + (i > 4)) {
                int shape[5];
                memcpy(shape, cases[i].shape, sizeof(shape));
                shape[2] = c;
                pool_case(kern, &cases[i].geometry, false, shape);
                if (c % 7 == 1) {
                    pool_case(kern, &cases[i].geometry, true, shape);
                }
            }
        }
    }
}

/* Rows so wide that the channels go in parts, and so wide that columns do not pay. */
static void test_pool_wide(void)
{
    static const int shapes[3][5] = {
        {3, 300, 67, 3, 300}, {2, 700, 5, 2, 700}, {13, 13, 700, 13, 13}};
    for (int isa = 0; isa < ISA_COUNT; isa++) {
        const struct kernels *kern = kernels_named(isa);
        for (int i = 0; kern && i < 3 && !test_failed; i++) {
            const struct pool_geometry five = {5, 1, 1, 2};
            pool_case(kern, &five, false, shapes[i]);
        }
    }
}

static void global_case(const struct kernels *kern, int channels)
{
    struct field in = field_make(2, 5, 7, channels, 2);
    struct field out = field_make(2, 1, 1, channels, 1);
    field_noise(&in, 13, 1000.0f);
    op_global_avg(kern, &in.t, &out.t);
    int wrong = 0;
    for (size_t i = 0; i < 2; i++) {
        for (int c = 0; c < channels; c++) {
            double sum = 0;
            for (size_t p = 0; p < 35; p++) {
                sum += (double)*at(&in, 35 * i + p, c);
            }
            wrong += !(ulps(*at(&out, i, c), sum / 35) <= 1);
        }
    }
    bool guarded = field_guarded(&out);
    field_free(&in);
    field_free(&out);
    CHECK_MSG(wrong == 0 && guarded, "%s, %d channels: %d wrong", kernels_isa(kern), channels,
              wrong);
}

static void test_global_avg(void)
{
    for (int isa = 0; isa < ISA_COUNT; isa++) {
        const struct kernels *kern = kernels_named(isa);
        for (int c = 1; kern && c <= 200 && !test_failed; c++) {
            global_case(kern, c);
        }
    }
}

static void upsample_case(const struct kernels *kern, int stride, float factor, int channels)
{
    struct field in = field_make(2, 3, 2, channels, channels % 3);
    struct field out = field_make(2, 3 * stride, 2 * stride, channels, channels % 2);
    field_noise(&in, 17, 1.0f);
    op_upsample(kern, stride, factor, &in.t, &out.t);
    int wrong = 0;
    for (int i = 0; i < 12 * stride * stride; i++) {
        int x = i % (2 * stride) / stride;
        int y = i / (2 * stride) % (3 * stride) / stride;
        int image = i / (6 * stride * stride);
        for (int c = 0; c < channels; c++) {
            wrong += !(*at(&out, (size_t)i, c) == factor * tensor_at(&in.t, image, y, x)[c]);
        }
    }
    bool guarded = field_guarded(&out);
    field_free(&in);
    field_free(&out);
    CHECK_MSG(wrong == 0 && guarded, "%s, x%d, %d channels: %d wrong, guard %d", kernels_isa(kern),
              stride, channels, wrong, guarded);
}

static void test_upsample(void)
{
    for (int isa = 0; isa < ISA_COUNT; isa++) {
        const struct kernels *kern = kernels_named(isa);
        for (int c = 1; kern && c <= MAX_CHANNELS && !test_failed; c++) {
            upsample_case(kern, 2, 1.0f, c);
            upsample_case(kern, 1 + c % 4, 0.7f, c);
        }
    }
}

static void softmax_case(const struct kernels *kern, int group, float temperature, float range)
{
    struct field in = field_make(1, 1, 3, 2 * group, 1);
    struct field out = field_make(1, 1, 3, 2 * group, 2);
    field_noise(&in, 19, range);
    op_softmax(kern, group, temperature, &in.t, &out.t);
    int wrong = 0;
    for (size_t i = 0; i < 6; i++) {
        const float *x = at(&in, i / 2, (int)(i % 2) * group);
        const float *y = at(&out, i / 2, (int)(i % 2) * group);
        double largest = (double)-INFINITY, sum = 0;
        for (int c = 0; c < group; c++) {
            largest = fmax(largest, (double)x[c]);
        }
        for (int c = 0; c < group; c++) {
            sum += exp(((double)x[c] - largest) / (double)temperature);
        }
        for (int c = 0; c < group; c++) {
            double z = ((double)x[c] - largest) / (double)temperature;
            double want = exp(z) / sum;
            /* the rounded exponent costs |z| / 2^24, the sum of floats group / 2^24 at most */
            wrong +=
                !(fabs((double)y[c] - want) <= want * 6e-8 * (6 + fabs(z) * 2 + group / 8) + 3e-45);
        }
    }
    op_softmax(kern, group, temperature, &in.t, &in.t);
    bool clean = field_equal(&in, &out) && field_guarded(&in) && field_guarded(&out);
    field_free(&in);
    field_free(&out);
    CHECK_MSG(wrong == 0 && clean, "%s, group %d, range %g: %d wrong, clean %d", kernels_isa(kern),
              group, (double)range, wrong, clean);
}

static void test_softmax(void)
{
    for (int isa = 0; isa < ISA_COUNT; isa++) {
        const struct kernels *kern = kernels_named(isa);
        for (int group = 1; kern && group <= MAX_CHANNELS && !test_failed; group++) {
            softmax_case(kern, group, 1.0f, 5.0f);
            softmax_case(kern, group, 2.5f, 400.0f);
        }
        if (kern) {
            softmax_case(kern, 1000, 1.0f, 3.0f);
        }
    }
}

static const struct test_case CASES[] = {
    {"pool", test_pool},         {"pool_wide", test_pool_wide}, {"global_avg", test_global_avg},
    {"upsample", test_upsample}, {"softmax", test_softmax},
};

TEST_MAIN(CASES)
