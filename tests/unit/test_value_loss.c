/* The losses of [softmax] and [cost] by hand, which layer has the loss, and what a network is for. Their gradients inside of
 * networks: test_gradcheck.c. */
#include "fixture.h"
#include "layers/value_loss.h"
#include "net/modes.h"
#include "net/task.h"

enum { IMAGES = 2, MAX_VALUES = 8 };

#define LINEAR "[connected]\noutput=3\nactivation=linear\n"

struct rig {
    struct fixture f;
    enum layer_mode modes[8];
    struct truth_set sets[IMAGES];
    float weights[IMAGES];
};

/* Of layer 0, whose weights pass the input's three values through, times `gain`. */
static bool rig_open(struct rig *r, const char *sections, float gain)
{
    bool frozen[8] = {false};
    const struct kernels *kern;
    *r = (struct rig){0};
    if (!fixture_open(&r->f, 1, 1, 3, sections) ||
        kernels_select("scalar", &kern, &r->f.err) != OK) {
        printf("  %s\n", r->f.err.text);
        return false;
    }
    float *weights = fixture_param(&r->f, 0, "weights", 9);
    for (int i = 0; weights && i < 3; i++) {
        weights[4 * i] = gain;
    }
    modes_resolve(&r->f.net, frozen, BN_AUTO, r->modes);
    struct plan_options options = {.batch = IMAGES, .modes = r->modes};
    return plan_build(&r->f.net, kern, &options, &r->f.plan, &r->f.err) == OK;
}

static double rig_loss(struct rig *r, const float *inputs, const float *values)
{
    const struct tensor *in = plan_input(r->f.plan);
    struct loss_parts sum = {0};
    for (int n = 0; n < IMAGES; n++) {
        memcpy(tensor_at(in, n, 0, 0), inputs + 3 * n, 3 * sizeof *inputs);
        r->sets[n] = (struct truth_set){.values = values ? values + 3 * n : NULL,
                                        .value_count = values ? 3 : 0,
                                        .weight = r->weights[n]};
    }
    plan_forward(r->f.plan, IMAGES);
    plan_loss(r->f.plan, r->sets, &sum, NULL);
    plan_backward(r->f.plan);
    bool is_all = sum.box == 0 && sum.objectness == 0 && sum.classes == 0 && sum.truths == 0;
    return is_all ? loss_parts_total(&sum) : -1;
}

/* dL/dbias of layer 0: with one pixel the sum of its output's gradients. */
static const float *bias_gradient(const struct rig *r)
{
    const struct layer *l = &r->f.net.layers[0];
    return plan_gradient(r->f.plan, 0, (int)(layer_param(l, "biases") - l->params));
}

static void check_case(const char *sections, const float *inputs, const float *values, double loss,
                       double g0, double g1, double g2)
{
    struct rig r;
    CHECK_MSG(rig_open(&r, sections, 1), "%s", sections);
    double got = rig_loss(&r, inputs, values);
    const float *g = bias_gradient(&r);
    CHECK_MSG(fabs(got - loss) < 1e-6, "%s: loss %.9g, not %.9g", sections, got, loss);
    CHECK_MSG(fabs((double)g[0] - g0) < 1e-6 && fabs((double)g[1] - g1) < 1e-6 &&
                  fabs((double)g[2] - g2) < 1e-6,
              "%s: gradient %.9g %.9g %.9g, not %.9g %.9g %.9g", sections, (double)g[0],
              (double)g[1], (double)g[2], g0, g1, g2);
    fixture_close(&r.f);
}

/* Differences .5, -2, 0 of the first image, 0, 0, 3 of the second. */
static void of_cost(void)
{
    static const float in[] = {1, 2, 3, 4, 5, 6}, values[] = {.5f, 4, 3, 4, 5, 3};
    static const float masked[] = {.5f, -1234, 3, 4, -1234, 3};
    check_case(LINEAR "[cost]\n", in, values, .125 + 2 + 4.5, .5, -2, 3);
    check_case(LINEAR "[cost]\ntype=sse\nscale=3\n", in, values, 3 * 6.625, 1.5, -6, 9);
    check_case(LINEAR "[cost]\ntype=masked\n", in, masked, .125 + 4.5, .5, 0, 3);
    check_case(LINEAR "[cost]\ntype=smooth\n", in, values, .125 + 1.5 + 2.5, .5, -1, 1);
    check_case(LINEAR "[cost]\ntype=L1\n", in, values, .5 + 2 + 3, 1, -1, 1);
}

/* Without values the input is the target: here its own copy, then its double. */
static void of_input(void)
{
    static const float in[] = {1, 2, 3, 4, 5, 6};
    struct rig r;
    check_case(LINEAR "[cost]\n", in, NULL, 0, 0, 0, 0);
    CHECK(rig_open(&r, LINEAR "[cost]\n", 2));
    CHECK_NEAR(rig_loss(&r, in, NULL), 45.5, 1e-5);
    CHECK_NEAR(bias_gradient(&r)[2], 9, 1e-5);
    fixture_close(&r.f);
    /* another shape: no target, no loss, and a gradient of nothing */
    check_case("[connected]\noutput=3\nactivation=linear\n[upsample]\n[cost]\n", in, NULL, 0, 0, 0,
               0);
}

static void of_softmax(void)
{
    static const float in[] = {0, 0, 0, 1, 2, 3};
    static const float values[] = {0, 1, 0, .25f, .25f, .5f};
    const double e = 2.718281828459045, sum = 1 + e + e * e; /* e, e^2, e^3, over e */
    const double p[] = {1 / sum, e / sum, e * e / sum};
    const double loss = log(3) - .25 * log(p[0]) - .25 * log(p[1]) - .5 * log(p[2]);
    const double g[] = {1.0 / 3 + p[0] - .25, -2.0 / 3 + p[1] - .25, 1.0 / 3 + p[2] - .5};
    check_case(LINEAR "[softmax]\n", in, values, loss, g[0], g[1], g[2]);
    /* One loss, not Darknet's two; the cost's scale counts. */
    check_case(LINEAR "[softmax]\n[cost]\ntype=sse\n", in, values, loss, g[0], g[1], g[2]);
    check_case(LINEAR "[softmax]\n[cost]\nscale=2\n", in, values, 2 * loss, 2 * g[0], 2 * g[1],
               2 * g[2]);
    check_case(LINEAR "[softmax]\nnoloss=1\n[cost]\ntype=ce\n", in, values, loss, g[0], g[1], g[2]);
}

/* Loss and gradient of an image times its weight, whatever the kind of loss; 0 is none. */
static void weighted(void)
{
    static const char *const networks[] = {
        LINEAR "[softmax]\n", LINEAR "[cost]\n", LINEAR "[cost]\ntype=L1\nscale=2\n",
        "[connected]\noutput=3\nactivation=logistic\n[cost]\ntype=bce\n"};
    static const float in[] = {0, .5f, -1, 1, 2, 3}, values[] = {0, 1, 0, 1, 0, 0};
    static const float weights[][IMAGES] = {{1, 0}, {2.5f, 0}, {1, 4}, {2.5f, 4}};
    for (size_t i = 0; i < sizeof networks / sizeof networks[0]; i++) {
        double loss[4], gradient[4];
        for (int k = 0; k < 4; k++) {
            struct rig r;
            CHECK_MSG(rig_open(&r, networks[i], 1), "%s", networks[i]);
            memcpy(r.weights, weights[k], sizeof r.weights);
            loss[k] = rig_loss(&r, in, values);
            gradient[k] = (double)bias_gradient(&r)[1];
            fixture_close(&r.f);
        }
        /* Linear in each weight, and without a part that has none. */
        CHECK_NEAR(loss[3], loss[1] + loss[2] - loss[0], 1e-9);
        CHECK_NEAR(gradient[3], gradient[1] + gradient[2] - gradient[0], 1e-6);
        CHECK_MSG(fabs(loss[0] - ((loss[1] - loss[0]) / 1.5 + (loss[2] - loss[0]) / 3)) < 1e-9,
                  "%s", networks[i]);
        CHECK_MSG(fabs(gradient[0] - ((gradient[1] - gradient[0]) / 1.5 +
                                      (gradient[2] - gradient[0]) / 3)) < 1e-6,
                  "%s", networks[i]);
    }
}

/* Outputs of exactly 0 and 1: the loss is finite, the gradient is still p - t. */
static void saturated(void)
{
    static const float in[] = {500, -500, 0, -500, 500, 0};
    static const float values[] = {0, 1, 0, 0, 0, 1};
    static const char *const networks[] = {
        LINEAR "[softmax]\n",
        "[connected]\noutput=3\nactivation=logistic\n[cost]\ntype=bce\n",
        LINEAR "[activation]\nactivation=logistic\n[cost]\ntype=bce\n",
    };
    for (size_t i = 0; i < sizeof networks / sizeof networks[0]; i++) {
        struct rig r;
        CHECK(rig_open(&r, networks[i], 1));
        double loss = rig_loss(&r, in, values);
        const float *g = bias_gradient(&r);
        CHECK_MSG(isfinite(loss) && loss > 30, "%s: %g", networks[i], loss);
        CHECK_MSG(fabsf(g[0] - 1) < 1e-6f && fabsf(g[1]) < 1e-6f, "%s: %g %g", networks[i],
                  (double)g[0], (double)g[1]);
        fixture_close(&r.f);
    }
}

static void not_finite(void)
{
    static const float in[] = {0, 0, (float)NAN, 0, 0, 0}, values[] = {1, 0, 0, 1, 0, 0};
    static const char *const networks[] = {LINEAR "[softmax]\n", LINEAR "[cost]\ntype=L1\n",
                                           LINEAR "[cost]\ntype=smooth\n"};
    for (size_t i = 0; i < sizeof networks / sizeof networks[0]; i++) {
        struct rig r;
        CHECK(rig_open(&r, networks[i], 1));
        CHECK_MSG(!isfinite(rig_loss(&r, in, values)), "%s", networks[i]);
        fixture_close(&r.f);
    }
}

static void tasks(void)
{
    static const char head[] = "[convolutional]\nfilters=18\nsize=1\nactivation=linear\n"
                               "[yolo]\nclasses=1\nnum=3\nmask=0,1,2\nanchors=1,1,2,2,3,3\n";
    static const char map[] = "[convolutional]\nfilters=3\nsize=1\nactivation=linear\n";
    static const struct {
        const char *first, *second;
        enum net_task task;
        size_t values;
        int loss_layer;
    } table[] = {
        {head, "", TASK_DETECT, 0, 1},
        {head, "[cost]\n", TASK_DETECT, 0, 1},
        {LINEAR, "", TASK_NONE, 0, -1},
        {LINEAR, "[softmax]\n", TASK_CLASSIFY, 3, 1},
        {LINEAR, "[softmax]\nnoloss=1\n", TASK_NONE, 0, -1},
        {LINEAR, "[softmax]\n[cost]\n", TASK_CLASSIFY, 3, 1},
        {LINEAR, "[softmax]\nnoloss=1\n[cost]\n", TASK_CLASSIFY, 3, 2},
        {LINEAR, "[softmax]\nnoloss=1\n[cost]\ntype=ce\n", TASK_CLASSIFY, 3, 1},
        {LINEAR, "[cost]\n", TASK_REGRESS, 3, 1},
        {map, "[cost]\n", TASK_RECONSTRUCT, 12, 1},
        {map, "[softmax]\nspatial=1\n", TASK_REGRESS, 12, 1},
        {map, "[upsample]\n[cost]\n", TASK_REGRESS, 48, 2},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct fixture f;
        char text[512];
        snprintf(text, sizeof text, "%s%s", table[i].first, table[i].second);
        CHECK_MSG(fixture_open(&f, 2, 2, 3, text), "%s", f.err.text);
        CHECK_MSG(task_of(&f.net) == table[i].task, "%s: %s", text, task_name(task_of(&f.net)));
        CHECK_MSG(task_values(&f.net) == table[i].values, "%s: %zu", text, task_values(&f.net));
        for (int k = 0; k < f.net.layer_count; k++) {
            CHECK_MSG(f.net.layers[k].has_loss == (k == table[i].loss_layer), "%s: %d", text, k);
        }
        fixture_close(&f);
    }
}

static void refused(void)
{
    static const struct {
        const char *sections, *message;
    } table[] = {
        {LINEAR "[cost]\ntype=sees\n",
         "t.cfg:9: [cost] type: unknown value 'sees' (one of sse, masked, smooth, L1, bce, ce)"},
        {LINEAR "[cost]\nscale=0\n", "t.cfg:9: [cost] scale: a loss of 0 trains nothing"},
        {LINEAR "[cost]\nscale=-1\n", "t.cfg:9: [cost] scale"},
        {LINEAR "[softmax]\n[cost]\ntype=L1\n",
         "t.cfg:10: [cost] type: layer 2: the [softmax] before it has a loss of its own (noloss=1 there "
         "leaves it to the [cost])"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct fixture f;
        CHECK(!fixture_open(&f, 1, 1, 3, table[i].sections));
        CHECK_MSG(strstr(f.err.text, table[i].message), "%s", f.err.text);
        fixture_close(&f);
    }
}

static const struct test_case cases[] = {
    {"of_cost", of_cost},   {"of_input", of_input},   {"of_softmax", of_softmax},
    {"weighted", weighted}, {"saturated", saturated}, {"not_finite", not_finite},
    {"tasks", tasks},       {"refused", refused},
};
TEST_MAIN(cases)
