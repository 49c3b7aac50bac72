/* Sums per channel and the backward pass of batch norm, on every instruction set of this machine
 * against double; and what all gradients of tensors promise about threads. */
#include "kernels/activate.h"
#include "kernels/elementwise.h"
#include "kernels/norm.h"
#include "kernels/pool.h"

#include "base/parallel.h"
#include "field.h"
#include "test.h"

/* ---- sums per channel ---- */

/* Scratch that ends before an untouchable page and is full of NaN. */
static struct field scratch_make(const struct tensor *t)
{
    size_t bytes = op_channel_scratch_bytes(tensor_pixels(t), (size_t)t->c);
    struct field f = field_make(1, 1, 1, (int)(bytes / sizeof(float)), 0);
    field_noise(&f, 1, NAN);
    return f;
}

static void moments_case(const struct kernels *kern, int channels, int h, int gap, float level)
{
    struct field z = field_make(2, h, 5, channels, gap), scratch = scratch_make(&z.t);
    struct field got = field_make(1, 1, 3, channels, 1);
    field_noise(&z, 21, 1.0f);
    double count = (double)tensor_pixels(&z.t);
    int wrong = 0;
    for (size_t p = 0; p < tensor_pixels(&z.t); p++) {
        for (int c = 0; c < channels; c++) {
            *at(&z, p, c) += level * (float)(c - 2);
        }
    }
    field_fill(&got, 3.0f);
    op_channel_moments(kern, &z.t, at(&got, 0, 0), at(&got, 1, 0), scratch.t.data);
    op_channel_sum(kern, &z.t, at(&got, 2, 0), scratch.t.data);
    for (int c = 0; c < channels; c++) {
        double sum = 0, squares = 0;
        for (size_t p = 0; p < tensor_pixels(&z.t); p++) {
            sum += (double)*at(&z, p, c);
        }
        for (size_t p = 0; p < tensor_pixels(&z.t); p++) {
            squares += pow((double)*at(&z, p, c) - sum / count, 2);
        }
        wrong += !(ulps(*at(&got, 0, c), sum / count) <= 0.51);
        wrong += !(ulps(*at(&got, 1, c), squares / count) <= 0.51);
        wrong += !(ulps(*at(&got, 2, c), sum) <= 0.51);
    }
    bool clean = field_guarded(&got) && field_guarded(&scratch) && field_guarded(&z);
    field_free(&z);
    field_free(&got);
    field_free(&scratch);
    CHECK_MSG(wrong == 0 && clean, "%s, %d channels, %d rows, level %g: %d wrong, clean %d",
              kernels_isa(kern), channels, h, (double)level, wrong, clean);
}

static void test_moments(void)
{
    for (int isa = 0; isa < ISA_COUNT; isa++) {
        const struct kernels *kern = kernels_named(isa);
        for (int c = 1; kern && c <= MAX_CHANNELS && !test_failed; c++) {
            moments_case(kern, c, 3, c % 3, 0.0f);
            moments_case(kern, c, 3, c % 3, 300.0f);
            moments_case(kern, c, 16, 0, 300.0f); /* neighbours fill a vector */
            moments_case(kern, c, 16, 1, 300.0f);
        }
        for (int c = 1; kern && c < 1000 && !test_failed; c = 3 * c + 4) {
            moments_case(kern, c, 601, c % 3, 10.0f);
            moments_case(kern, c, 640, c % 2, 10.0f);
        }
    }
}

/* ---- batch norm's backward as a whole ---- */

struct norm_case {
    struct field z, dy, du, dz, par; /* par: gamma, beta, then what backward needs */
    enum activation act;
    int channels;
};

enum { GAMMA, BETA, MEAN, INV_STD, SCALE, SHIFT, SUM_DU, SUM_DU_XHAT, A, B, D, ROWS };
static const double EPSILON = 1e-5;

/* L = sum of dy act(gamma x^ + beta) of one channel, in double; moved is added to one element of z.
 */
static double norm_loss(const struct norm_case *n, int c, size_t pixel, double moved)
{
    size_t pixels = tensor_pixels(&n->z.t);
    double mean = moved / (double)pixels, variance = 0, total = 0;
    for (size_t p = 0; p < pixels; p++) {
        mean += (double)*at(&n->z, p, c) / (double)pixels;
    }
    for (size_t p = 0; p < pixels; p++) {
        double x = (double)*at(&n->z, p, c) + (p == pixel ? moved : 0);
        variance += (x - mean) * (x - mean) / (double)pixels;
    }
    for (size_t p = 0; p < pixels; p++) {
        double x = (double)*at(&n->z, p, c) + (p == pixel ? moved : 0);
        double hat = (x - mean) / sqrt(variance + EPSILON);
        double u = (double)*at(&n->par, GAMMA, c) * hat + (double)*at(&n->par, BETA, c);
        total += (double)*at(&n->dy, p, c) * activation_value(n->act, u);
    }
    return total;
}

static void norm_backward(const struct kernels *kern, struct norm_case *n)
{
    struct field *par = &n->par, scratch = scratch_make(&n->z.t);
    float count = (float)tensor_pixels(&n->z.t);
    op_channel_moments(kern, &n->z.t, at(par, MEAN, 0), at(par, INV_STD, 0), scratch.t.data);
    for (int c = 0; c < n->channels; c++) {
        double deviation = sqrt((double)*at(par, INV_STD, c) + EPSILON);
        *at(par, INV_STD, c) = (float)(1 / deviation);
        *at(par, SCALE, c) = *at(par, GAMMA, c) * *at(par, INV_STD, c);
        *at(par, SHIFT, c) = *at(par, BETA, c) - *at(par, MEAN, c) * *at(par, SCALE, c);
    }
    struct conv_epilogue f = {at(par, SCALE, 0), at(par, SHIFT, 0), n->act};
    struct channel_reduction r = {at(par, MEAN, 0), at(par, INV_STD, 0), at(par, SUM_DU, 0),
                                  at(par, SUM_DU_XHAT, 0), scratch.t.data};
    op_activate_reduce(kern, &f, &n->z.t, &n->dy.t, &n->du.t, &r);
    for (int c = 0; c < n->channels; c++) {
        float inv_std = *at(par, INV_STD, c);
        *at(par, A, c) = *at(par, SCALE, c);
        *at(par, B, c) = -*at(par, A, c) * inv_std * *at(par, SUM_DU_XHAT, c) / count;
        *at(par, D, c) =
            -*at(par, A, c) * *at(par, SUM_DU, c) / count - *at(par, B, c) * *at(par, MEAN, c);
    }
    struct channel_affine3 k = {at(par, A, 0), at(par, B, 0), at(par, D, 0)};
    op_channel_affine3(kern, &k, NULL, &n->du.t, &n->z.t, &n->dz.t);
    field_free(&scratch);
}

static int norm_wrong(struct norm_case *n)
{
    const double h = 1e-5;
    int wrong = 0;
    for (int c = 0; c < n->channels; c++) {
        for (size_t p = 0; p < tensor_pixels(&n->z.t); p++) {
            double want = (norm_loss(n, c, p, h) - norm_loss(n, c, p, -h)) / (2 * h);
            wrong += !(fabs((double)*at(&n->dz, p, c) - want) <= 2e-5);
        }
        for (int row = GAMMA; row <= BETA; row++) {
            float middle = *at(&n->par, (size_t)row, c), step = 1.0f / 1024;
            *at(&n->par, (size_t)row, c) = middle + step;
            double want = norm_loss(n, c, 0, 0);
            *at(&n->par, (size_t)row, c) = middle - step;
            want = (want - norm_loss(n, c, 0, 0)) / (2 * (double)step);
            *at(&n->par, (size_t)row, c) = middle;
            float got = *at(&n->par, row == GAMMA ? SUM_DU_XHAT : SUM_DU, c);
            wrong += !(fabs((double)got - want) <= 2e-4);
        }
    }
    return wrong;
}

/* Nor does it change a bit where du is not kept but made again. */
static bool norm_remade_equal(const struct kernels *kern, struct norm_case *n,
                              const struct conv_epilogue *f, const struct channel_affine3 *k)
{
    struct field dz = field_make(2, n->z.t.h, n->z.t.w, n->channels, 1),
                 scratch = scratch_make(&n->z.t);
    struct field sums = field_make(1, 1, 2, n->channels, 0), *par = &n->par;
    struct channel_reduction r = {at(par, MEAN, 0), at(par, INV_STD, 0), at(&sums, 0, 0),
                                  at(&sums, 1, 0), scratch.t.data};
    size_t bytes = (size_t)n->channels * sizeof(float);
    op_activate_reduce(kern, f, &n->z.t, &n->dy.t, NULL, &r);
    op_channel_affine3(kern, k, f, &n->dy.t, &n->z.t, &dz.t);
    bool equal = memcmp(r.sum_du, at(par, SUM_DU, 0), bytes) == 0 &&
                 memcmp(r.sum_du_xhat, at(par, SUM_DU_XHAT, 0), bytes) == 0 &&
                 field_equal(&dz, &n->dz) && field_guarded(&dz) && field_guarded(&sums);
    field_free(&dz);
    field_free(&scratch);
    field_free(&sums);
    return equal;
}

/* The parts by themselves give the same bits; dz may lie on du. */
static bool norm_parts_equal(const struct kernels *kern, struct norm_case *n)
{
    struct field du = field_make(2, n->z.t.h, n->z.t.w, n->channels, 1),
                 scratch = scratch_make(&n->z.t);
    struct field sums = field_make(1, 1, 3, n->channels, 0);
    struct field *par = &n->par;
    struct conv_epilogue f = {at(par, SCALE, 0), at(par, SHIFT, 0), n->act};
    struct channel_reduction r = {at(par, MEAN, 0), at(par, INV_STD, 0), at(&sums, 0, 0),
                                  at(&sums, 1, 0), scratch.t.data};
    const struct conv_epilogue linear = {.act = ACT_LINEAR};
    struct channel_reduction only = {.sum_du = at(&sums, 2, 0), .scratch = scratch.t.data};
    struct channel_affine3 k = {at(par, A, 0), at(par, B, 0), at(par, D, 0)};
    size_t bytes = (size_t)n->channels * sizeof(float);
    op_activate_backward(kern, &f, &n->z.t, &n->dy.t, &du.t);
    bool equal = field_equal(&du, &n->du);
    op_activate_reduce(kern, &linear, &n->z.t, &du.t, &du.t, &r);
    op_activate_reduce(kern, &linear, &n->z.t, &du.t, &du.t, &only);
    equal = equal && memcmp(r.sum_du, at(par, SUM_DU, 0), bytes) == 0;
    equal = equal && memcmp(r.sum_du_xhat, at(par, SUM_DU_XHAT, 0), bytes) == 0;
    equal = equal && memcmp(only.sum_du, r.sum_du, bytes) == 0;
    op_channel_affine3(kern, &k, NULL, &du.t, &n->z.t, &du.t);
    equal = equal && field_equal(&du, &n->dz) && field_guarded(&du);
    equal = equal && (!op_remakes_gradient(n->act) || norm_remade_equal(kern, n, &f, &k));
    op_activate_reduce(kern, &f, &n->z.t, &n->dy.t, &n->dy.t, &r);
    equal = equal && field_equal(&n->dy, &n->du) && field_guarded(&sums) && field_guarded(par);
    field_free(&du);
    field_free(&scratch);
    field_free(&sums);
    return equal;
}

/* side: of the images; neighbours of 4 x 4 fill vectors, of 3 x 3 they do not. gap: between pixels, 0 or 1. */
static void norm_case(const struct kernels *kern, enum activation act, int channels, int side,
                      int gap)
{
    struct norm_case n = {.act = act, .channels = channels};
    n.z = field_make(2, side, side, channels, 2 * gap);
    n.dy = field_make(2, side, side, channels, 0);
    n.du = field_make(2, side, side, channels, gap);
    n.dz = field_make(2, side, side, channels, channels % 2 * gap);
    n.par = field_make(1, 1, ROWS, channels, 1);
    field_noise(&n.z, 31u + (unsigned)channels, 2.0f);
    field_noise(&n.dy, 32, 1.0f);
    field_noise(&n.par, 33, 1.0f);
    for (size_t p = 0; p < tensor_pixels(&n.z.t); p++) {
        for (int c = 0; c < channels; c++) {
            *at(&n.z, p, c) += (float)(c % 5);
        }
    }
    norm_backward(kern, &n);
    bool has_kink = act == ACT_LEAKY || act == ACT_RELU; /* over which a step of z has no slope */
    int wrong = has_kink ? 0 : norm_wrong(&n);
    bool clean = field_guarded(&n.dz) && field_guarded(&n.du) && norm_parts_equal(kern, &n);
    struct field *all[] = {&n.z, &n.dy, &n.du, &n.dz, &n.par};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        field_free(all[i]);
    }
    CHECK_MSG(wrong == 0 && clean, "%s %s, %d channels: %d wrong, clean %d", kernels_isa(kern),
              activation_name(act), channels, wrong, clean);
}

static void test_batch_norm(void)
{
    static const enum activation acts[] = {ACT_LINEAR, ACT_MISH, ACT_LEAKY,
                                           ACT_SWISH,  ACT_RELU, ACT_TANH};
    for (int isa = 0; isa < ISA_COUNT; isa++) {
        const struct kernels *kern = kernels_named(isa);
        for (int c = 1; kern && c <= MAX_CHANNELS && !test_failed; c++) {
            norm_case(kern, acts[c % 6], c, 3, 1);
            norm_case(kern, acts[c / 2 % 6], c, 4, c % 2);
            norm_case(kern, acts[c / 3 % 6], c, 4, 1 - c % 2);
        }
        for (int act = 0; kern && act < 6 && !test_failed; act++) { /* vectors by fours and twos */
            norm_case(kern, acts[act], 96 + act, 3, 1);
            norm_case(kern, acts[act], 24, 4, 0);
        }
    }
}

/* ---- threads ---- */

enum { THREAD_WORKS = 6 };

/* Afterwards the first pixels of out hold the sums, where there are any. */
static void thread_work(const struct kernels *kern, int which, struct field *a, struct field *out)
{
    struct field scratch = scratch_make(&a->t);
    struct field sums = field_make(1, 1, 4, a->t.c, 0), dy = field_make(2, 40, 41, a->t.c, 1);
    field_fill(&sums, 0.25f);
    field_noise(&dy, 9, 1.0f);
    struct conv_epilogue f = {at(&sums, 0, 0), NULL, which % 2 ? ACT_MISH : ACT_ELU};
    struct channel_reduction r = {at(&sums, 0, 0), at(&sums, 1, 0), at(&sums, 2, 0),
                                  at(&sums, 3, 0), scratch.t.data};
    static const struct pool_geometry five = {5, 1, 1, 2};
    struct pool_backward pool = {&a->t, &a->t, &dy.t, &out->t, false};
    struct tensor gate = {sums.t.data, 2, 1, 1, a->t.c, (size_t)a->t.c};
    struct tensor db = {at(&sums, 2, 0), 2, 1, 1, a->t.c, (size_t)a->t.c};
    struct multiply_backward multiply = {&a->t, &gate, &dy.t, &out->t, &db, false, true};
    switch (which) {
    case 0:
        op_activate_reduce(kern, &f, &a->t, &dy.t, &out->t, &r);
        break;
    case 1:
        op_activate_backward(kern, &f, &a->t, &dy.t, &out->t);
        op_channel_moments(kern, &a->t, at(&sums, 2, 0), at(&sums, 3, 0), scratch.t.data);
        break;
    case 2:
        op_accumulate(kern, 0.3f, &a->t, &out->t, false);
        op_channel_sum(kern, &a->t, at(&sums, 2, 0), scratch.t.data);
        break;
    case 3:
        op_max_pool_backward(kern, &five, &pool);
        break;
    case 4:
        op_avg_pool_backward(kern, &five, &pool);
        break;
    default:
        op_multiply_backward(kern, &multiply);
        break;
    }
    memcpy(at(out, 0, 0), at(&sums, 2, 0), 2 * (size_t)a->t.c * sizeof(float));
    field_free(&scratch);
    field_free(&sums);
    field_free(&dy);
}

static void threads_case(const struct kernels *kern, int which)
{
    struct field a = field_make(2, 40, 41, 45, 3), one = field_make(2, 40, 41, 45, 0);
    struct field two = field_make(2, 40, 41, 45, 0);
    field_noise(&a, 8, 2.0f);
    parallel_set_threads(1);
    thread_work(kern, which, &a, &one);
    parallel_set_threads(2);
    thread_work(kern, which, &a, &two);
    parallel_set_threads(3);
    bool equal = field_equal(&one, &two);
    thread_work(kern, which, &a, &two);
    equal = equal && field_equal(&one, &two) && field_guarded(&a);
    field_free(&a);
    field_free(&one);
    field_free(&two);
    CHECK_MSG(equal, "%s, work %d: threads change bits", kernels_isa(kern), which);
}

static void test_threads(void)
{
    for (int isa = 0; isa < ISA_COUNT; isa++) {
        const struct kernels *kern = kernels_named(isa);
        for (int which = 0; kern && which < THREAD_WORKS && !test_failed; which++) {
            threads_case(kern, which);
        }
    }
    parallel_set_threads(2);
}

static const struct test_case cases[] = {
    {"moments", test_moments},
    {"batch_norm", test_batch_norm},
    {"threads", test_threads},
};

TEST_MAIN(cases)
