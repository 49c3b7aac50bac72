/* Gradients of whole small networks against finite differences, per element and signed: one network for
 * every layer kind, activation and mode. The loss is a fixed random combination of the last output, summed in
 * double, or that of the network itself, where it has one; every moving parameter is stepped in both directions. Since each network begins with a trained
 * convolution, whatever stands behind it must hand its gradient down right. */
#include "fixture.h"
#include "net/modes.h"
#include "net/task.h"

enum { BATCH = 2, SIDE = 6, CHANNELS = 2, MAX_OUT = 4096 };

struct grad_case {
    const char *name;
    const char *sections;
    enum bn_policy bn;
    int frozen;       /* this layer is frozen; -1: none */
    double tolerance; /* relative to the largest gradient of the tensor */
};

#define CONV(filters, size, act)                                                                   \
    "[convolutional]\nfilters=" #filters "\nsize=" #size "\npad=1\nactivation=" #act "\n"
#define CONV_BN(filters, size, act) CONV(filters, size, act) "batch_normalize=1\n"
#define DECONV(filters, size, stride, padding, act)                                                \
    "[deconvolutional]\nfilters=" #filters "\nsize=" #size "\nstride=" #stride                     \
    "\npadding=" #padding "\nactivation=" #act "\n"
#define HEAD CONV(3, 3, linear)
/* Detection heads of 6 and 12 channels. No threshold: a loss without steps. ([Gaussian_yolo] holds parts of its
 * loss constant: test_loss_gradients.c.) */
#define YOLO(masks) "[yolo]\nclasses=1\nnum=2\nmask=" masks "\nanchors=3,2,1,1\nignore_thresh=1\n"
#define YOLO_1 YOLO("0")
#define YOLO_2 YOLO("0,1")
#define REGION_1 "[region]\nclasses=1\nnum=1\nanchors=2,1\nthresh=1\n"
#define COST(type) "[cost]\ntype=" type "\nscale=.5\n"
#define ROUTE(...) "[route]\nlayers=" #__VA_ARGS__ "\n"
#define PART(layers, id) "[route]\nlayers=" #layers "\ngroups=2\ngroup_id=" #id "\n"

/* Float forward passes: differences of about 1e-3 of a loss of order 1 carry noise of some 1e-4. */
#define USUAL 4e-3

static const struct grad_case grad_cases[] = {
    {"conv linear", CONV(3, 3, linear), BN_AUTO, -1, USUAL},
    {"conv stride 2",
     CONV(4, 3, tanh) "[convolutional]\nfilters=3\nsize=3\nstride=2\npad=1\nactivation=linear\n",
     BN_AUTO, -1, USUAL},
    {"conv groups",
     CONV(4, 1, tanh) "[convolutional]\nfilters=6\nsize=3\ngroups=2\npad=1\nactivation=linear\n",
     BN_AUTO, -1, USUAL},
    {"conv depthwise",
     CONV(
         4, 1,
         tanh) "[convolutional]\nfilters=4\nsize=3\ngroups=4\nstride=2\npad=1\nactivation=linear\n",
     BN_AUTO, -1, USUAL},
    {"conv dilation",
     CONV(4, 1, tanh) "[convolutional]\nfilters=3\nsize=3\ndilation=2\npad=1\nactivation=linear\n",
     BN_AUTO, -1, USUAL},
    {"conv winograd",
     CONV(16, 1, tanh) "[convolutional]\nfilters=16\nsize=3\npad=1\nactivation=linear\n", BN_AUTO,
     -1, USUAL},
    {"bn train", CONV_BN(4, 3, mish) HEAD, BN_AUTO, -1, USUAL},
    {"bn train, twice", CONV_BN(4, 3, swish) CONV_BN(3, 1, logistic), BN_AUTO, -1, 8e-3},
    {"bn eval", CONV_BN(4, 3, mish) HEAD, BN_EVAL, -1, USUAL},
    {"bn frozen", CONV_BN(4, 3, mish) CONV_BN(4, 3, swish) HEAD, BN_FROZEN, -1, USUAL},
    {"frozen layer between trainable ones", CONV_BN(4, 3, mish) CONV_BN(4, 3, swish) HEAD, BN_AUTO,
     1, USUAL},
    {"frozen statistics move (legacy)", CONV_BN(4, 3, mish) CONV_BN(4, 3, swish) HEAD, BN_TRAIN, 1,
     USUAL},
    {"batchnorm layer", CONV(4, 3, linear) "[batchnorm]\n" HEAD, BN_AUTO, -1, USUAL},
    {"batchnorm layer, eval", CONV(4, 3, linear) "[batchnorm]\n" HEAD, BN_EVAL, -1, USUAL},
    {"connected", CONV(3, 3, tanh) "[connected]\noutput=5\nactivation=logistic\n", BN_AUTO, -1,
     USUAL},
    {"connected bn",
     CONV(3, 3, tanh) "[connected]\noutput=5\nbatch_normalize=1\nactivation=linear\n", BN_EVAL, -1,
     USUAL},
    {"maxpool 2", CONV(3, 3, linear) "[maxpool]\nsize=2\nstride=2\n" HEAD, BN_AUTO, -1, USUAL},
    {"maxpool 5 and concat",
     CONV(
         3, 3,
         linear) "[maxpool]\nsize=5\nstride=1\n[route]\nlayers=-2\n[maxpool]\nsize=3\nstride=1\n[route]\nlayers=-1,-3,-4\n" HEAD,
     BN_AUTO, -1, USUAL},
    {"maxpool depth", CONV(6, 3, linear) "[maxpool]\nmaxpool_depth=1\nout_channels=3\n" HEAD,
     BN_AUTO, -1, USUAL},
    {"local_avgpool", CONV(3, 3, tanh) "[local_avgpool]\nsize=3\nstride=2\n" HEAD, BN_AUTO, -1,
     USUAL},
    {"avgpool", CONV(5, 3, tanh) "[avgpool]\n", BN_AUTO, -1, USUAL},
    {"upsample", CONV(3, 3, tanh) "[upsample]\nstride=2\nscale=1.5\n" HEAD, BN_AUTO, -1, USUAL},
    {"route group",
     CONV(6, 3, tanh) "[route]\nlayers=-1\ngroups=2\ngroup_id=1\n" CONV(
         3, 3, tanh) "[route]\nlayers=-1,0\n" HEAD,
     BN_AUTO, -1, USUAL},
    {"route groups of several",
     CONV(6, 3, tanh) CONV(4, 1, tanh) "[route]\nlayers=-1,-2\ngroups=2\ngroup_id=1\n" HEAD,
     BN_AUTO, -1, USUAL},
    {"route twice the same", CONV(3, 3, tanh) "[route]\nlayers=-1,-1\n" HEAD, BN_AUTO, -1, USUAL},
    {"nested concat",
     CONV(3, 3, tanh) CONV(2, 1, tanh) "[route]\nlayers=-1,-2\n" CONV(
         2, 1, tanh) "[route]\nlayers=-1,-2,0\n" HEAD,
     BN_AUTO, -1, USUAL},
    {"shortcut", CONV(4, 3, tanh) CONV(4, 3, tanh) "[shortcut]\nfrom=-2\nactivation=linear\n" HEAD,
     BN_AUTO, -1, USUAL},
    {"shortcut mish",
     CONV(4, 3, tanh) CONV(4, 3, tanh) "[shortcut]\nfrom=-2\nactivation=mish\n" HEAD, BN_AUTO, -1,
     USUAL},
    {"shortcut of unequal width",
     CONV(6, 3, tanh) CONV(4, 3, tanh) "[shortcut]\nfrom=-2\nactivation=linear\n" CONV(
         5, 1, tanh) "[shortcut]\nfrom=-2\nactivation=linear\n" HEAD,
     BN_AUTO, -1, USUAL},
    {"shortcut of three",
     CONV(4, 3, tanh) CONV(4, 3, tanh)
         CONV(4, 1, tanh) "[shortcut]\nfrom=-2,-3\nactivation=swish\n" HEAD,
     BN_AUTO, -1, USUAL},
    {"shortcut per_feature",
     CONV(4, 3, tanh)
         CONV(4, 3, tanh) "[shortcut]\nfrom=-2\nweights_type=per_feature\nactivation=linear\n" HEAD,
     BN_AUTO, -1, USUAL},
    {"shortcut per_channel relu",
     CONV(4, 3, tanh) CONV(
         4, 3,
         tanh) "[shortcut]\nfrom=-2\nweights_type=per_channel\nweights_normalization=relu\nactivation=linear\n" HEAD,
     BN_AUTO, -1, USUAL},
    {"shortcut per_channel softmax",
     CONV(4, 3, tanh) CONV(
         4, 3,
         tanh) "[shortcut]\nfrom=-2\nweights_type=per_channel\nweights_normalization=softmax\nactivation=mish\n" HEAD,
     BN_AUTO, -1, USUAL},
    {"squeeze and excite",
     CONV(4, 3, tanh) "[avgpool]\n" CONV(4, 1, logistic) "[scale_channels]\nfrom=0\n" HEAD, BN_AUTO,
     -1, USUAL},
    {"scale per pixel, activated",
     CONV(4, 3, tanh)
         CONV(1, 1, logistic) "[scale_channels]\nfrom=0\nscale_wh=1\nactivation=logistic\n" HEAD,
     BN_AUTO, -1, USUAL},
    {"sam", CONV(4, 3, tanh) CONV(4, 1, logistic) "[sam]\nfrom=-2\n" HEAD, BN_AUTO, -1, USUAL},
    {"activation layer", CONV(4, 3, linear) "[activation]\nactivation=mish\n" HEAD, BN_AUTO, -1,
     USUAL},
    {"softmax", CONV(4, 3, linear) "[softmax]\ngroups=2\ntemperature=1.5\nnoloss=1\n", BN_AUTO, -1,
     USUAL},
    {"softmax per pixel", CONV(4, 3, linear) "[softmax]\nspatial=1\n" HEAD, BN_AUTO, -1, USUAL},
    {"reorg3d", CONV(3, 3, tanh) "[reorg3d]\nstride=2\n" HEAD, BN_AUTO, -1, USUAL},
    {"reorg", CONV(4, 3, tanh) "[reorg]\nstride=2\n" HEAD, BN_AUTO, -1, USUAL},
    {"dropout", CONV(4, 3, tanh) "[dropout]\nprobability=.4\n" HEAD, BN_AUTO, -1, USUAL},
    {"dropout, frozen", CONV(4, 3, tanh) "[dropout]\nprobability=.4\n" HEAD, BN_AUTO, 1, USUAL},
    {"dropout, frozen, and concat",
     CONV(4, 3, tanh) "[dropout]\nprobability=.4\n" CONV(2, 1, tanh) "[route]\nlayers=-1,-2\n" HEAD,
     BN_AUTO, 1, USUAL},
    {"dropout and concat",
     CONV(4, 3, tanh) "[dropout]\nprobability=.4\n" CONV(2, 1, tanh) "[route]\nlayers=-1,-2\n" HEAD,
     BN_AUTO, -1, USUAL},
    {"act leaky", CONV(4, 3, leaky) HEAD, BN_AUTO, -1, USUAL},
    {"act relu", CONV(4, 3, relu) HEAD, BN_AUTO, -1, USUAL},
    {"act relu6", CONV(4, 3, relu6) HEAD, BN_AUTO, -1, USUAL},
    {"act logistic", CONV(4, 3, logistic) HEAD, BN_AUTO, -1, USUAL},
    {"act mish", CONV(4, 3, mish) HEAD, BN_AUTO, -1, USUAL},
    {"act swish", CONV(4, 3, swish) HEAD, BN_AUTO, -1, USUAL},
    {"act hard_mish", CONV(4, 3, hard_mish) HEAD, BN_AUTO, -1, USUAL},
    {"act loggy", CONV(4, 3, loggy) HEAD, BN_AUTO, -1, USUAL},
    {"act revleaky", CONV(4, 3, revleaky) HEAD, BN_AUTO, -1, USUAL},
    {"act ramp", CONV(4, 3, ramp) HEAD, BN_AUTO, -1, USUAL},
    {"act relie", CONV(4, 3, relie) HEAD, BN_AUTO, -1, USUAL},
    {"act elu", CONV(4, 3, elu) HEAD, BN_AUTO, -1, USUAL},
    {"act selu", CONV(4, 3, selu) HEAD, BN_AUTO, -1, USUAL},
    {"act gelu", CONV(4, 3, gelu) HEAD, BN_AUTO, -1, USUAL},
    {"act hardtan", CONV(4, 3, hardtan) HEAD, BN_AUTO, -1, USUAL},
    {"act lhtan", CONV(4, 3, lhtan) HEAD, BN_AUTO, -1, USUAL},
    {"act plse", CONV(4, 3, plse) HEAD, BN_AUTO, -1, USUAL},
    {"act normalize_channels", CONV(4, 3, normalize_channels) HEAD, BN_AUTO, -1, USUAL},
    {"act normalize_channels_softmax", CONV(4, 3, normalize_channels_softmax) HEAD, BN_AUTO, -1,
     USUAL},
    {"head", CONV(4, 3, tanh) CONV(6, 3, linear) YOLO_1, BN_AUTO, -1, USUAL},
    {"head region", CONV(4, 3, tanh) CONV(6, 3, linear) REGION_1, BN_AUTO, -1, USUAL},
    {"two heads on one output", CONV(6, 3, linear) YOLO_1 ROUTE(0) REGION_1, BN_AUTO, -1, USUAL},
    {"head, then one on its first half", CONV(12, 3, linear) YOLO_2 PART(0, 0) YOLO_1, BN_AUTO, -1,
     USUAL},
    {"head, then one on its second half", CONV(12, 3, linear) YOLO_2 PART(0, 1) REGION_1, BN_AUTO,
     -1, USUAL},
    {"head on the first half, then on all", CONV(12, 3, linear) PART(0, 0) YOLO_1 ROUTE(0) YOLO_2,
     BN_AUTO, -1, USUAL},
    {"head on the second half, then on all",
     CONV(12, 3, linear) PART(0, 1) REGION_1 ROUTE(0) YOLO_2, BN_AUTO, -1, USUAL},
    {"heads on both halves, one on all between",
     CONV(12, 3, linear) PART(0, 1) REGION_1 ROUTE(0) YOLO_2 PART(0, 0) YOLO_1, BN_AUTO, -1, USUAL},
    {"head on a concat's source, then on the concat",
     CONV(6, 3, tanh) CONV(6, 3, linear) YOLO_1 ROUTE(1, 0) YOLO_2, BN_AUTO, -1, USUAL},
    {"head on a concat, then on its source",
     CONV(6, 3, tanh) CONV(6, 3, linear) ROUTE(-1, 0) YOLO_2 ROUTE(1) YOLO_1, BN_AUTO, -1, USUAL},
    {"half a head's input goes on",
     CONV(12, 3, linear) PART(0, 1) CONV(6, 3, linear) YOLO_1 ROUTE(0) YOLO_2, BN_AUTO, -1, USUAL},
    {"layers that lead to no loss", CONV(6, 3, linear) YOLO_1 ROUTE(0) CONV_BN(3, 3, tanh) HEAD,
     BN_EVAL, -1, USUAL},
    {"layers behind a head that lead to no loss",
     CONV(6, 3, linear) YOLO_1 CONV_BN(3, 3, tanh) HEAD, BN_EVAL, -1, USUAL},
    {"activation behind a head", CONV(6, 3, linear) YOLO_1 "[activation]\nactivation=logistic\n",
     BN_AUTO, -1, USUAL},
    {"dropout behind a head", CONV(6, 3, linear) YOLO_1 "[dropout]\nprobability=.5\n", BN_AUTO, -1,
     USUAL},
    {"batchnorm behind a head", CONV(6, 3, linear) YOLO_1 "[batchnorm]\n", BN_AUTO, -1, USUAL},
    {"deconvolutional", CONV(3, 3, tanh) DECONV(4, 2, 2, 0, linear) HEAD, BN_AUTO, -1, USUAL},
    {"deconvolutional, padded, activated", CONV(3, 3, tanh) DECONV(4, 4, 2, 1, mish) HEAD, BN_AUTO,
     -1, USUAL},
    {"deconvolutional of stride 1", CONV(3, 3, tanh) DECONV(4, 3, 1, 1, logistic), BN_AUTO, -1,
     USUAL},
    {"deconvolutional bn", CONV(3, 3, tanh) DECONV(4, 3, 2, 1, swish) "batch_normalize=1\n" HEAD,
     BN_AUTO, -1, USUAL},
    {"deconvolutional bn eval",
     CONV(3, 3, tanh) DECONV(4, 3, 2, 1, swish) "batch_normalize=1\n" HEAD, BN_EVAL, -1, USUAL},
    {"deconvolutional, frozen",
     CONV(3, 3, tanh) DECONV(4, 3, 2, 1, swish) "batch_normalize=1\n" HEAD, BN_AUTO, 1, USUAL},
    {"deconvolutional, its input read twice",
     CONV(4, 3, tanh) DECONV(4, 3, 1, 1, tanh) "[route]\nlayers=-1,0\n" HEAD, BN_AUTO, -1, USUAL},
    {"loss bce by logit, deconvolutional",
     CONV(3, 3, tanh) DECONV(2, 2, 2, 0, logistic) COST("bce"), BN_AUTO, -1, USUAL},
    {"loss softmax", CONV(4, 3, tanh) "[connected]\noutput=5\nactivation=linear\n[softmax]\n",
     BN_AUTO, -1, USUAL},
    {"loss softmax of groups, tempered",
     CONV(4, 3,
          tanh) "[connected]\noutput=6\nactivation=linear\n[softmax]\ngroups=2\ntemperature=1.7\n",
     BN_AUTO, -1, USUAL},
    {"loss softmax over a map", CONV(4, 3, tanh) HEAD "[softmax]\n", BN_AUTO, -1, USUAL},
    {"loss softmax per pixel", CONV(4, 3, tanh) HEAD "[softmax]\nspatial=1\n", BN_AUTO, -1, USUAL},
    {"loss softmax with a cost",
     CONV(4, 3, tanh) "[avgpool]\n[softmax]\n[cost]\ntype=sse\nscale=2\n", BN_AUTO, -1, USUAL},
    {"loss ce", CONV(4, 3, tanh) "[avgpool]\n[softmax]\nnoloss=1\n[cost]\ntype=ce\n", BN_AUTO, -1,
     USUAL},
    {"loss sse of a softmax", CONV(4, 3, tanh) "[avgpool]\n[softmax]\nnoloss=1\n[cost]\n", BN_AUTO,
     -1, USUAL},
    {"loss sse", CONV(4, 3, tanh) HEAD COST("sse"), BN_AUTO, -1, USUAL},
    {"loss sse of the input", CONV(4, 3, tanh) CONV(2, 3, linear) COST("sse"), BN_AUTO, -1, USUAL},
    {"loss smooth", CONV(4, 3, tanh) HEAD COST("smooth"), BN_AUTO, -1, USUAL},
    {"loss masked", CONV(4, 3, tanh) HEAD COST("masked"), BN_AUTO, -1, USUAL},
    {"loss L1", CONV(4, 3, tanh) HEAD COST("L1"), BN_AUTO, -1, USUAL},
    {"loss bce by logit", CONV(4, 3, tanh) CONV(3, 1, logistic) COST("bce"), BN_AUTO, -1, USUAL},
    {"loss bce by logit, batch norm", CONV(4, 3, tanh) CONV_BN(3, 1, logistic) COST("bce"), BN_AUTO,
     -1, USUAL},
    {"loss bce by logit, connected", CONV(4, 3, tanh) "[connected]\noutput=5\n" COST("bce"),
     BN_AUTO, -1, USUAL},
    {"loss bce by logit, activation layer",
     CONV(4, 3, tanh) HEAD "[activation]\nactivation=logistic\n" COST("bce"), BN_AUTO, -1, USUAL},
    {"loss bce behind other layers",
     CONV(4, 3, tanh) CONV(3, 1, logistic) "[upsample]\n" COST("bce"), BN_AUTO, -1, USUAL},
    {"gate behind a head", CONV(6, 3, linear) REGION_1 "[sam]\nfrom=-2\n", BN_AUTO, -1, USUAL},
};

struct check {
    struct fixture f;
    struct plan *plan;
    enum layer_mode modes[16];
    float mix[MAX_OUT];    /* loss = sum mix * last output */
    float values[MAX_OUT]; /* or against these */
};

static const struct tensor *last_output(const struct check *c)
{
    return plan_output(c->plan, c->f.net.layer_count - 1);
}

static double own_loss(struct check *c)
{
    static const struct truth truths[] = {{{0.4f, 0.6f, 0.5f, 0.3f}, 0},
                                          {{0.8f, 0.3f, 0.2f, 0.3f}, 0}};
    struct truth_set sets[BATCH] = {{.items = truths, .count = 2},
                                    {.items = truths + 1, .count = 1}};
    size_t values = task_values(&c->f.net);
    for (int n = 0; n < BATCH && task_of(&c->f.net) != TASK_RECONSTRUCT; n++) {
        sets[n].values = c->values + (size_t)n * values;
        sets[n].value_count = values;
    }
    struct loss_parts sum = {0};
    plan_loss(c->plan, sets, &sum, NULL);
    return loss_parts_total(&sum);
}

static double run_loss(struct check *c)
{
    plan_repack(c->plan);
    plan_forward(c->plan, BATCH);
    if (task_of(&c->f.net) != TASK_NONE) {
        return own_loss(c);
    }
    const struct tensor *out = last_output(c);
    double loss = 0.0;
    for (size_t p = 0; p < tensor_pixels(out); p++) {
        for (int k = 0; k < out->c; k++) {
            loss += (double)out->data[p * out->stride + (size_t)k] *
                    (double)c->mix[p * (size_t)out->c + (size_t)k];
        }
    }
    return loss;
}

static void seed_gradient(const struct check *c)
{
    if (task_of(&c->f.net) != TASK_NONE) { /* its loss has */
        return;
    }
    const struct tensor *grad = plan_output_gradient(c->plan, c->f.net.layer_count - 1);
    for (size_t p = 0; p < tensor_pixels(grad); p++) {
        for (int k = 0; k < grad->c; k++) {
            grad->data[p * grad->stride + (size_t)k] = c->mix[p * (size_t)grad->c + (size_t)k];
        }
    }
}

static void randomise(struct check *c, unsigned *state)
{
    for (int i = 0; i < c->f.net.layer_count; i++) {
        struct layer *l = &c->f.net.layers[i];
        for (int k = 0; k < l->param_count; k++) {
            struct param *p = &l->params[k];
            bool is_weight = strcmp(p->role, "weights") == 0 && p->fan_in > 0;
            float scale = is_weight ? 1.5f / sqrtf((float)p->fan_in) : 0.3f;
            for (size_t j = 0; j < p->count; j++) {
                p->data[j] = p->initial + scale * test_noise(state);
            }
        }
    }
}

static bool open_check(struct check *c, const struct grad_case *g, const char *isa, bool keeps)
{
    bool frozen[16] = {false};
    unsigned state = 7;
    const struct kernels *kern;
    if (!fixture_open(&c->f, SIDE, SIDE, CHANNELS, g->sections)) {
        printf("  %s: %s\n", g->name, c->f.err.text);
        return false;
    }
    randomise(c, &state);
    if (g->frozen >= 0) {
        frozen[g->frozen] = true;
    }
    modes_resolve(&c->f.net, frozen, g->bn, c->modes);
    struct plan_options options = {
        .batch = BATCH, .keep_outputs = keeps, .modes = c->modes, .bn_momentum = 0.01f};
    if (kernels_select(isa, &kern, &c->f.err) != OK ||
        plan_build(&c->f.net, kern, &options, &c->plan, &c->f.err) != OK) {
        printf("  %s: %s\n", g->name, c->f.err.text);
        return false;
    }
    const struct tensor *input = plan_input(c->plan);
    for (size_t i = 0; i < tensor_pixels(input) * input->stride; i++) {
        input->data[i] = test_noise(&state);
    }
    for (int i = 0; i < MAX_OUT; i++) {
        c->mix[i] = test_noise(&state);
        c->values[i] = 0.5f + 0.5f * test_noise(&state);
    }
    plan_set_seed(c->plan, 99);
    return true;
}

/* Statistics that move with the batch would shift the next evaluation where they also normalise. */
static bool check_param(struct check *c, const struct grad_case *g, int layer, int k)
{
    const struct param *p = &c->f.net.layers[layer].params[k];
    const float *grad = plan_gradient(c->plan, layer, k);
    double largest = 0.05;
    for (size_t j = 0; j < p->count; j++) {
        largest = fmax(largest, fabs((double)grad[j]));
    }
    for (size_t j = 0; j<p->count; j += p->count> 100 ? 7 : 1) {
        float saved = p->data[j];
        double best = (double)INFINITY, numeric = 0.0;
        /* A kink between the two points spoils wide steps, rounding narrow ones. */
        for (float h = 4e-3f; h > 1e-4f; h *= 0.4f) {
            p->data[j] = saved + h;
            float up = p->data[j];
            double loss_up = run_loss(c);
            p->data[j] = saved - h;
            double width = (double)up - (double)p->data[j];
            double slope = (loss_up - run_loss(c)) / width;
            double error = fabs(slope - (double)grad[j]);
            if (error < best) {
                best = error;
                numeric = slope;
            }
        }
        p->data[j] = saved;
        if (!(best <= g->tolerance * largest)) {
            printf(
                "  %s: layer %d %s[%zu]: gradient %.6g, difference quotient %.6g (largest %.4g)\n",
                g->name, layer, p->role, j, (double)grad[j], numeric, largest);
            return false;
        }
    }
    return true;
}

static void run_step(struct check *c)
{
    run_loss(c);
    seed_gradient(c);
    plan_backward(c->plan);
}

static bool check_case(const struct grad_case *g, const char *isa)
{
    struct check c = {.plan = NULL};
    bool ok = open_check(&c, g, isa, false);
    int checked = 0;
    if (ok) {
        run_step(&c);
    }
    for (int i = 0; ok && i < c.f.net.layer_count; i++) {
        for (int k = 0; ok && k < c.f.net.layers[i].param_count; k++) {
            if (plan_gradient(c.plan, i, k)) {
                ok = check_param(&c, g, i, k);
                checked++;
            }
        }
    }
    if (ok && checked == 0) {
        printf("  %s: nothing was checked\n", g->name);
        ok = false;
    }
    plan_free(c.plan);
    fixture_close(&c.f);
    return ok;
}

/* What a plan makes anew in the backward pass is what one that keeps all outputs has there. */
static bool check_remade(const struct grad_case *g)
{
    struct check c = {.plan = NULL}, kept = {.plan = NULL};
    bool ok = open_check(&c, g, "scalar", false) && open_check(&kept, g, "scalar", true);
    for (int step = 0; ok && step < 2; step++) {
        run_step(&c);
        run_step(&kept);
        ok = memcmp(plan_gradient_set(c.plan, 0), plan_gradient_set(kept.plan, 0),
                    plan_gradient_floats(c.plan) * sizeof(float)) == 0;
    }
    if (!ok) {
        printf("  %s: other gradients where outputs are kept\n", g->name);
    }
    plan_free(c.plan);
    plan_free(kept.plan);
    fixture_close(&c.f);
    fixture_close(&kept.f);
    return ok;
}

static void check_all(const char *isa)
{
    struct error err;
    const struct kernels *kern;
    if (kernels_select(isa, &kern, &err) != OK) {
        SKIP("this machine lacks the instruction set");
    }
    int failed = 0;
    for (size_t i = 0; i < sizeof grad_cases / sizeof grad_cases[0]; i++) {
        failed += !check_case(&grad_cases[i], isa);
    }
    CHECK_MSG(failed == 0, "%d networks", failed);
}

/* A head's output is a result: what another head computes from it cannot train it, and says so. */
static void through_a_head(void)
{
    static const char *const networks[] = {
        CONV(6, 3, linear) YOLO_1 CONV(6, 3, linear) YOLO_1,
        CONV(6, 3, linear) YOLO_1 CONV(3, 3, linear) ROUTE(-1, 0) CONV(6, 1, linear) REGION_1,
        CONV(6, 3, linear) YOLO_1 "[activation]\nactivation=logistic\n" REGION_1,
    };
    for (size_t i = 0; i < sizeof networks / sizeof networks[0]; i++) {
        struct fixture f;
        const struct kernels *kern;
        enum layer_mode modes[16];
        bool frozen[16] = {false};
        CHECK(fixture_open(&f, SIDE, SIDE, CHANNELS, networks[i]));
        CHECK_OK(kernels_select(NULL, &kern, &f.err));
        struct plan_options options = {.batch = BATCH, .modes = modes};
        modes_resolve(&f.net, frozen, BN_AUTO, modes);
        CHECK(plan_build(&f.net, kern, &options, &f.plan, &f.err) == ERR_UNSUPPORTED);
        CHECK_MSG(strstr(f.err.text, "t.cfg:10: [yolo] layer 1: cannot be trained through"), "%s",
                  f.err.text);
        frozen[0] = true; /* nothing moves before it: nothing is asked of it */
        modes_resolve(&f.net, frozen, BN_AUTO, modes);
        CHECK_OK(plan_build(&f.net, kern, &options, &f.plan, &f.err));
        fixture_close(&f);
    }
}

static void remade_outputs(void)
{
    for (size_t i = 0; i < sizeof grad_cases / sizeof grad_cases[0]; i++) {
        CHECK(check_remade(&grad_cases[i]));
    }
}

/* Of a chain of convolutions each keeps its z; of their outputs a few are there at a time. */
static void forgotten_outputs(void)
{
#define PAIR CONV_BN(16, 3, mish) CONV_BN(16, 3, mish)
    static const struct grad_case chain = {
        .sections = PAIR PAIR PAIR PAIR PAIR, .bn = BN_AUTO, .frozen = -1};
    struct check c = {.plan = NULL};
    size_t output = (size_t)BATCH * SIDE * SIDE * 16 * sizeof(float);
    CHECK(open_check(&c, &chain, "scalar", false));
    size_t outputs = plan_memory(c.plan).activation_bytes / output;
    CHECK_MSG(outputs >= 10 && outputs <= 15, "%zu outputs", outputs);
    plan_free(c.plan);
    fixture_close(&c.f);
}

static void gradients_scalar(void)
{
    check_all("scalar");
}

static void gradients_avx2(void)
{
    check_all("avx2");
}

static void gradients_avx512(void)
{
    check_all("avx512");
}

static const struct test_case cases[] = {
    {"through_a_head", through_a_head},       {"remade_outputs", remade_outputs},
    {"forgotten_outputs", forgotten_outputs}, {"gradients_scalar", gradients_scalar},
    {"gradients_avx2", gradients_avx2},       {"gradients_avx512", gradients_avx512},
};
TEST_MAIN(cases)
