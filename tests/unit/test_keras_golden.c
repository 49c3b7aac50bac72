/* Training against Keras: loss, gradients, counts and ten steps of four small networks, in every state of (trainable,
 * training) that means the same here and there; and what by design does not, each difference as a case of its own, so that
 * the table of docs/freezing.md stays true. tests/tools/make_keras_golden.py makes the numbers and tells the file format.
 *
 * Alike are set: what dropout drops, eps of batch norm (1e-5), its momentum (.95 there, .05 here), Keras's dropout in
 * frozen layers (called with training=False) and the scale of the loss. */
#include "base/fileio.h"
#include "base/memory.h"
#include "fixture.h"
#include "net/task.h"
#include "train/freeze.h"
#include "train/step.h"
#include "train/validate.h"
#include "golden_file.h"

enum {
    VERSION = 1,
    MAX_BATCH = 8,
    MAX_LAYERS = 8,
    EVALUATION = 4,
    FIRST_SEED = 99,
    MAX_CHANNELS = 16,
    NAME_BYTES = 16
};

static const float BN_MOMENTUM = 0.05f;
static const double LIMIT = 1e-4; /* of the loss; of a tensor's largest magnitude */
/* Of the largest change of the tensor: parameters alone would hide small ones. */
static const double LIMIT_OF_MOVE = 1e-3;
static const double FAR = 1e-2; /* at least so far off is what differs by design */

struct golden {
    char path[64];
    struct network net;
    struct reader in;
    int batch, steps, image, values, params, cases;
    const float *images, *targets, *before;
};

/* One case of the file. */
struct keras_case {
    char name[NAME_BYTES];
    int policy;
    enum optimizer_kind kind;
    bool frozen[MAX_LAYERS];
    size_t trainable, non_trainable;
    float momentum, beta2, eps, decay, added_bias;
    const float *rates, *losses, *gradient, *after;
};

/* How far this program is from a case. */
struct distance {
    double loss;     /* largest of any step, relative */
    double gradient; /* of a tensor's largest magnitude; infinite where one side alone has one */
    double params;   /* after all steps, in units of the limits */
    double raw_variance; /* of running variances as Keras stores them, relative */
    double first_loss;
    size_t trainable, non_trainable;
};

static bool golden_open(struct golden *g, const char *name)
{
    struct error err;
    *g = (struct golden){0};
    log_set_level(LOG_QUIET);
    snprintf(g->path, sizeof g->path, "tests/golden/keras/%s.cfg", name);
    if (network_read(g->path, 0, 0, &g->net, &err) != OK || network_allocate(&g->net, &err) != OK) {
        return false;
    }
    snprintf(g->path, sizeof g->path, "tests/golden/keras/%s.bin", name);
    if (file_read(g->path, 1 << 20, &g->in.data, &g->in.size, &err) != OK || g->in.size < 8 ||
        memcmp(g->in.data, "YOLOKERA", 8) != 0) {
        return false;
    }
    g->in.at = 8;
    const int *head = take(&g->in, 7);
    if (!head || head[0] != VERSION || head[1] > MAX_BATCH || g->net.layer_count > MAX_LAYERS) {
        return false;
    }
    g->batch = head[1];
    g->steps = head[2];
    g->image = head[3];
    g->values = head[4];
    g->params = head[5];
    g->cases = head[6];
    g->images = take(&g->in, (size_t)(g->batch * g->image));
    g->targets = take(&g->in, (size_t)(g->batch * g->values));
    g->before = take(&g->in, (size_t)g->params);
    return g->before && g->image == g->net.size.w * g->net.size.h * g->net.size.c &&
           (size_t)g->params == network_param_floats(&g->net, g->net.layer_count, NULL);
}

static void golden_close(struct golden *g)
{
    mem_free(g->in.data);
    network_free(&g->net);
}

static bool next_case(struct golden *g, struct keras_case *c)
{
    *c = (struct keras_case){0};
    if (g->in.size - g->in.at < NAME_BYTES) {
        return false;
    }
    memcpy(c->name, g->in.data + g->in.at, NAME_BYTES - 1);
    g->in.at += NAME_BYTES;
    const int *head = take(&g->in, 3);
    const int *frozen = head && head[2] <= MAX_LAYERS ? take(&g->in, (size_t)head[2]) : NULL;
    const int *counts = frozen ? take(&g->in, 2) : NULL;
    const float *f = counts ? take(&g->in, 5) : NULL;
    c->rates = take(&g->in, (size_t)g->steps);
    c->losses = take(&g->in, (size_t)g->steps);
    c->gradient = take(&g->in, (size_t)g->params);
    c->after = take(&g->in, (size_t)g->params);
    if (!f || !c->after) {
        return false;
    }
    c->policy = head[0];
    c->kind = head[1] == 1 ? OPTIMIZER_ADAM : OPTIMIZER_SGD;
    for (int i = 0; i < head[2]; i++) {
        c->frozen[frozen[i]] = true;
    }
    c->trainable = (size_t)counts[0];
    c->non_trainable = (size_t)counts[1];
    c->momentum = f[0];
    c->beta2 = f[1];
    c->eps = f[2];
    c->decay = f[3];
    c->added_bias = f[4];
    return true;
}

static bool find_case(struct golden *g, const char *network, const char *name, struct keras_case *c)
{
    if (!golden_open(g, network)) {
        return false;
    }
    for (int i = 0; i < g->cases; i++) {
        if (next_case(g, c) && strcmp(c->name, name) == 0) {
            return true;
        }
    }
    return false;
}

static void take_params(const struct golden *g, const struct keras_case *c)
{
    const float *from = g->before;
    float *last_bias = NULL;
    size_t outputs = 0;
    for (int i = 0; i < g->net.layer_count; i++) {
        for (int k = 0; k < g->net.layers[i].param_count; k++) {
            const struct param *p = &g->net.layers[i].params[k];
            memcpy(p->data, from, p->count * sizeof(float));
            from += p->count;
            if (strcmp(p->role, "biases") == 0) {
                last_bias = p->data;
                outputs = p->count;
            }
        }
    }
    for (size_t i = 0; i < outputs; i++) {
        last_bias[i] += c->added_bias;
    }
}

static double larger(double a, double b)
{
    return b <= a ? a : isnan(b) ? (double)INFINITY : b;
}

static double largest(size_t count, const float *values)
{
    double most = 1e-3;
    for (size_t i = 0; i < count; i++) {
        most = fmax(most, fabs((double)values[i]));
    }
    return most;
}

static double farthest(size_t count, const float *a, const float *b, double factor)
{
    double worst = 0;
    for (size_t i = 0; i < count; i++) {
        worst = larger(worst, fabs((double)a[i] - factor * (double)b[i]));
    }
    return worst;
}

static void measure_gradients(const struct golden *g, const struct keras_case *c,
                              const struct plan *plan, struct distance *d)
{
    const float *want = c->gradient;
    for (int i = 0; i < g->net.layer_count; i++) {
        for (int k = 0; k < g->net.layers[i].param_count; k++) {
            const struct param *p = &g->net.layers[i].params[k];
            const float *got = plan_gradient(plan, i, k);
            double most = largest(p->count, want) * (double)g->batch;
            bool has = most > 1e-3 * (double)g->batch; /* the floor of largest() */
            if (got) {
                d->gradient =
                    larger(d->gradient, farthest(p->count, got, want, (double)g->batch) / most);
            } else if (has) {
                d->gradient = (double)INFINITY;
            }
            want += p->count;
        }
    }
}

/* Both variances begin at v and take a share m of each batch's: Keras of the sum of squares over n, this program over
 * n - 1. What Keras's would be with n - 1: */
static float corrected(double v, double keras, double n, int steps)
{
    double kept = v * pow(1.0 - (double)BN_MOMENTUM, steps);
    return (float)(kept + (keras - kept) * n / (n - 1.0));
}

/* Where an activation stays linear the batch norm behind it takes the channel's shift and scale away: their gradient is
 * rounding, of which Adam makes whole steps. Marks these channels of the layer whose parameters begin at `at`. */
static void find_lost(const struct keras_case *c, const struct layer *l, size_t at, bool *lost)
{
    for (int k = 0; c->kind == OPTIMIZER_ADAM && k < l->param_count; k++) {
        const struct param *p = &l->params[k];
        bool is_shift = strcmp(p->role, "biases") == 0 && layer_param(l, "scales");
        for (size_t j = 0; is_shift && j < p->count && j < MAX_CHANNELS; j++) {
            float gradient = fabsf(c->gradient[at + j]);
            lost[j] = gradient > 0 && gradient < 1e-6f;
        }
        at += p->count;
    }
}

static void measure_params(const struct golden *g, const struct keras_case *c,
                           const enum layer_mode *modes, struct distance *d)
{
    size_t at = 0;
    bool before[MAX_CHANNELS] = {false};
    for (int i = 0; i < g->net.layer_count; i++) {
        const struct layer *l = &g->net.layers[i];
        bool lost[MAX_CHANNELS] = {false};
        find_lost(c, l, at, lost);
        double n = (double)(g->batch * l->out.h * l->out.w);
        for (int k = 0; k < l->param_count; k++) {
            const struct param *p = &l->params[k];
            bool is_variance =
                strcmp(p->role, "rolling_variance") == 0 && mode_rules[modes[i]].uses_batch;
            float want[4096];
            for (size_t j = 0; j < p->count; j++) {
                want[j] = is_variance ? corrected((double)g->before[at + j],
                                                  (double)c->after[at + j], n, g->steps)
                                      : c->after[at + j];
            }
            bool is_affine = strcmp(p->role, "biases") == 0 || strcmp(p->role, "scales") == 0;
            for (size_t j = 0; j < p->count && j < MAX_CHANNELS; j++) {
                bool is_lost = (p->is_statistic && before[j]) || (is_affine && lost[j]);
                want[j] = is_lost ? p->data[j] : want[j];
            }
            double off = farthest(p->count, p->data, want, 1);
            double move = farthest(p->count, want, g->before + at, 1);
            d->params = larger(d->params, off / (LIMIT * largest(p->count, want)));
            d->params = larger(d->params, move > 1e-3 ? off / (LIMIT_OF_MOVE * move) : 0);
            if (is_variance) {
                d->raw_variance =
                    larger(d->raw_variance,
                           farthest(p->count, p->data, c->after + at, 1) / largest(p->count, want));
            }
            at += p->count;
        }
        if (l->param_count > 0) {
            memcpy(before, lost, sizeof before);
        }
    }
}

/* The largest tensor fits what measure_params keeps. */
static bool is_small(const struct network *net)
{
    bool small = true;
    for (int i = 0; i < net->layer_count; i++) {
        for (int k = 0; k < net->layers[i].param_count; k++) {
            small = small && net->layers[i].params[k].count <= 4096;
        }
    }
    return small;
}

static enum result train(struct golden *g, const struct keras_case *c, const struct kernels *kern,
                         const enum layer_mode *modes, struct distance *d, struct error *err)
{
    struct truth_set sets[MAX_BATCH] = {{0}};
    struct step step = {0};
    struct optimizer_options optimizer = {.kind = c->kind, .decay = c->decay};
    if (c->kind == OPTIMIZER_ADAM) {
        optimizer.beta1 = c->momentum;
        optimizer.beta2 = c->beta2;
        optimizer.eps = c->eps;
    } else {
        optimizer.momentum = c->momentum;
    }
    struct step_options options = {
        .net = &g->net, .kernels = kern, .modes = modes, .batch = g->batch, .optimizer = optimizer};
    TRY(step_open(&options, &step, err));
    for (int n = 0; n < g->batch; n++) {
        struct tensor input = *plan_input(step.plan);
        tensor_from_planar(&input, n, g->images + (size_t)(n * g->image));
        sets[n].values = g->values ? g->targets + (size_t)(n * g->values) : NULL;
        sets[n].value_count = (size_t)g->values;
    }
    for (int k = 0; k < g->steps; k++) {
        const struct step_input input = {.truths = sets,
                                         .images = g->batch,
                                         .seed = FIRST_SEED + (uint64_t)k,
                                         .bn_momentum = BN_MOMENTUM};
        step_begin(&step);
        struct loss_parts parts = step_loss(step.plan, &input);
        double want = (double)c->losses[k] * (double)g->batch;
        d->loss = larger(d->loss, fabs(parts.values - want) / want);
        d->first_loss = k == 0 ? parts.values : d->first_loss;
        if (c->policy != EVALUATION) {
            step_backward(&step, g->batch, &parts);
            if (k == 0) {
                measure_gradients(g, c, step.plan, d);
            }
            step_update(&step, c->rates[k]);
        }
    }
    step_close(&step);
    return OK;
}

/* Trains from the beginning with the case's setting and these frozen layers. */
static struct distance distance_to(struct golden *g, const struct keras_case *c, const bool *frozen,
                                   enum bn_policy bn, const char *isa)
{
    struct distance d = {0};
    struct error err;
    bool flags[MAX_LAYERS];
    enum layer_mode modes[MAX_LAYERS];
    memcpy(flags, frozen, sizeof flags);
    struct freeze_set set = {.frozen = flags, .bn = bn};
    bool ok = is_small(&g->net) && freeze_set_settle(&g->net, &set, &err) == OK;
    for (int i = 0; ok && i < g->net.layer_count; i++) {
        modes[i] = set.modes[i];
    }
    mem_free(set.modes);
    if (ok && c->policy == EVALUATION) {
        validate_modes(&g->net, modes);
    }
    take_params(g, c);
    ok = ok && train(g, c, isa_kernels(isa), modes, &d, &err) == OK;
    d.trainable = set.totals.moving;
    d.non_trainable = set.totals.frozen + set.totals.statistics;
    measure_params(g, c, modes, &d);
    if (!ok) {
        d.loss = d.gradient = d.params = (double)INFINITY;
    }
    return d;
}

static enum bn_policy policy_of(const struct keras_case *c)
{
    return c->policy == EVALUATION ? BN_AUTO : (enum bn_policy)c->policy;
}

static bool is_equal(const struct distance *d)
{
    return d->loss <= LIMIT && d->gradient <= LIMIT && d->params <= 1;
}

/* ---- the same ---- */

static void check_equal(const char *network, const char *const *names)
{
    for (int i = 0; names[i]; i++) {
        for (int k = 0; k < ISA_COUNT; k++) {
            struct golden g;
            struct keras_case c = {0};
            if (isa_kernels(ISA_NAMES[k])) {
                CHECK_MSG(find_case(&g, network, names[i], &c), "%s: %s", network, names[i]);
                struct distance d = distance_to(&g, &c, c.frozen, policy_of(&c), ISA_NAMES[k]);
                golden_close(&g);
                CHECK_MSG(is_equal(&d), "%s: %s, %s: loss %.2g, gradient %.2g, parameters %.2g",
                          network, names[i], ISA_NAMES[k], d.loss, d.gradient, d.params);
                CHECK_MSG(d.trainable == c.trainable && d.non_trainable == c.non_trainable,
                          "%s: %s: %zu + %zu values, not %zu + %zu", network, names[i], d.trainable,
                          d.non_trainable, c.trainable, c.non_trainable);
            }
        }
    }
}

static void batch_norm(void)
{
    static const char *const names[] = {"all",       "bn eval",         "bn frozen",
                                        "prefix",    "prefix, bn eval", "between",
                                        "head only", "evaluation",      NULL};
    check_equal("bn", names);
}

static void dropout(void)
{
    static const char *const names[] = {"all",     "prefix",  "behind it drops", "off",
                                        "between", "bn eval", "evaluation",      NULL};
    check_equal("dropout", names);
}

static void autoencoder_by_adam(void)
{
    static const char *const names[] = {"all",       "prefix",     "between", "bn eval",
                                        "bn frozen", "evaluation", NULL};
    check_equal("auto", names);
}

static void dense(void)
{
    static const char *const names[] = {"all",       "adam",  "prefix",     "between",
                                        "bn frozen", "decay", "evaluation", NULL};
    check_equal("dense", names);
}

/* ---- what differs by design ---- */

static struct distance measured(const char *network, const char *name, const bool *frozen,
                                enum bn_policy bn, struct keras_case *c)
{
    struct golden g;
    struct distance d = {.loss = (double)INFINITY};
    if (find_case(&g, network, name, c)) {
        d = distance_to(&g, c, frozen ? frozen : c->frozen, bn, "scalar");
    }
    double first = d.first_loss, theirs = c->losses ? (double)c->losses[0] * g.batch : 0;
    d.first_loss = theirs > 0 ? first / theirs : 0; /* ours / Keras's */
    golden_close(&g);
    return d;
}

/* Keras's Dropout looks at `training` alone: in a frozen layer it drops. Here a frozen one does not. */
static void frozen_dropout_drops_in_keras(void)
{
    static const bool dropout_free[MAX_LAYERS] = {true};
    struct keras_case c = {0};
    struct distance d = measured("dropout", "frozen drops", NULL, BN_AUTO, &c);
    CHECK_MSG(d.loss > FAR, "%g", d.loss);
    d = measured("dropout", "frozen drops", dropout_free, BN_AUTO, &c);
    CHECK_MSG(is_equal(&d), "%g %g %g", d.loss, d.gradient, d.params);
}

/* Keras stores the batch's variance over n, this program (as Darknet and PyTorch) over n - 1. */
static void moving_variance_over_n_in_keras(void)
{
    struct keras_case c = {0};
    struct distance d = measured("dropout", "all", NULL, BN_AUTO, &c);
    CHECK_MSG(is_equal(&d) && d.raw_variance > FAR, "%g, variance %g", d.params, d.raw_variance);
}

/* A frozen BatchNormalization of Keras is in inference whatever is asked for: nothing there is --bn train. */
static void frozen_statistics_never_move_in_keras(void)
{
    struct keras_case c = {0};
    struct distance d = measured("bn", "prefix", NULL, BN_AUTO, &c);
    CHECK_MSG(is_equal(&d), "%g %g %g", d.loss, d.gradient, d.params);
    d = measured("bn", "prefix", NULL, BN_TRAIN, &c);
    CHECK_MSG(d.loss > FAR && d.params > 100, "%g %g", d.loss, d.params);
}

/* layer(x, training=False) in a functional model is what transfer learning is taught by; fit overrules it. */
static void training_in_a_call_is_overruled_in_keras(void)
{
    struct keras_case c = {0};
    struct distance d = measured("bn", "said in call", NULL, BN_EVAL, &c);
    CHECK_MSG(d.loss > FAR && d.params > 100, "%g %g", d.loss, d.params);
    d = measured("bn", "said in call", NULL, BN_AUTO, &c);
    CHECK_MSG(is_equal(&d), "%g %g %g", d.loss, d.gradient, d.params);
}

/* Keras's Adam adds eps before the bias of v is corrected ("epsilon hat"), this program, as PyTorch, after it. */
static void adam_corrects_before_eps(void)
{
    struct keras_case c = {0};
    struct distance d = measured("dense", "eps scaled", NULL, BN_AUTO, &c);
    CHECK_MSG(is_equal(&d), "%g %g %g", d.loss, d.gradient, d.params);
    d = measured("dense", "eps", NULL, BN_AUTO, &c);
    CHECK_MSG(d.loss > FAR && d.params > 100, "%g %g", d.loss, d.params);
}

/* Keras's momentum holds rate times gradient, so old steps go on at the old rate; here the rate of now acts on all. */
static void momentum_knows_no_rate(void)
{
    struct keras_case c = {0};
    struct distance d = measured("dense", "rate, same step", NULL, BN_AUTO, &c);
    CHECK_MSG(is_equal(&d), "%g %g %g", d.loss, d.gradient, d.params);
    d = measured("dense", "rate", NULL, BN_AUTO, &c);
    CHECK_MSG(d.loss > FAR && d.params > 100, "%g %g", d.loss, d.params);
}

/* weight_decay= of Keras's SGD takes rate times decay of every parameter, biases, gamma and beta too, past the momentum;
 * decay= here is in the gradient of weights alone: Keras's L2 regulariser of half the factor. */
static void decay_is_in_the_gradient(void)
{
    struct keras_case c = {0};
    struct distance d = measured("dense", "decoupled", NULL, BN_AUTO, &c);
    CHECK_MSG(d.gradient <= LIMIT && d.params > 10, "%g %g", d.gradient, d.params);
}

/* Keras bounds probabilities by 1e-7: what is surely wrong has a loss of 16.1 at most and no gradient. Here the loss ends
 * at 17.3, where a float is 1, and the gradient, which does not go through the output, stays whole. */
static void sure_mistakes_have_a_gradient(void)
{
    struct keras_case c = {0};
    struct distance d = measured("auto", "saturated", NULL, BN_AUTO, &c);
    CHECK_MSG(d.first_loss > 1.05 && d.gradient > 100, "%g %g", d.first_loss, d.gradient);
}

/* mean_squared_error is a mean over outputs; type=sse is half their sum. */
static void sse_is_half_a_sum(void)
{
    struct keras_case c = {0};
    struct distance d = measured("dense", "mse", NULL, BN_AUTO, &c);
    CHECK_NEAR(d.first_loss, 1.5, 1e-4); /* three outputs */
}

static const struct test_case cases[] = {
    {"batch norm", batch_norm},
    {"dropout", dropout},
    {"autoencoder, by Adam", autoencoder_by_adam},
    {"dense", dense},
    {"frozen dropout drops in Keras", frozen_dropout_drops_in_keras},
    {"moving variance is over n in Keras", moving_variance_over_n_in_keras},
    {"frozen statistics never move in Keras", frozen_statistics_never_move_in_keras},
    {"training in a call is overruled in Keras", training_in_a_call_is_overruled_in_keras},
    {"Adam corrects before eps", adam_corrects_before_eps},
    {"momentum knows no rate", momentum_knows_no_rate},
    {"decay is in the gradient", decay_is_in_the_gradient},
    {"sure mistakes have a gradient", sure_mistakes_have_a_gradient},
    {"sse is half a sum", sse_is_half_a_sum},
};
TEST_MAIN(cases)
