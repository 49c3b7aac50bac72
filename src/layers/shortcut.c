/* [shortcut]: previous output + earlier outputs, then an activation. Where channel counts differ
 * only the first min(c) channels are added. Optionally every source has a learnt weight, one for
 * all channels (per_feature) or one a channel (per_channel), used as it is or normalised over the
 * sources:
 *
 *   relu:    w_i := max(w_i, 0) / (1e-4 + sum_j max(w_j, 0))
 *   softmax: w_i := e^(w_i - max) / (1e-4 + sum_j e^(w_j - max)) */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "kernels/activate.h"
#include "kernels/elementwise.h"
#include "layers/kinds.h"
#include "layers/settings.h"
#include "cfg/cfg.h"

static const double WEIGHT_EPS = 1e-4;

static enum result parse_weighting(struct layer *l, struct shortcut_state *s, struct error *err)
{
    static const struct cfg_word types[] = {{"none", WEIGHT_NONE},
                                            {"per_feature", WEIGHT_PER_FEATURE},
                                            {"per_layer", WEIGHT_PER_FEATURE},
                                            {"per_channel", WEIGHT_PER_CHANNEL}};
    static const struct cfg_word norms[] = {{"none", NORMALIZE_NONE},
                                            {"relu", NORMALIZE_RELU},
                                            {"avg_relu", NORMALIZE_RELU},
                                            {"softmax", NORMALIZE_SOFTMAX}};
    int type, norm;
    TRY(cfg_choice(l->section, "weights_type", types, 4, WEIGHT_NONE, &type, err));
    TRY(cfg_choice(l->section, "weights_normalization", norms, 4, NORMALIZE_NONE, &norm, err));
    s->weighting = (enum shortcut_weighting)type;
    s->normalization = (enum shortcut_normalization)norm;
    return OK;
}

static enum result parse(struct layer *l, struct error *err)
{
    struct shortcut_state *s = l->state;
    int *references = NULL;
    size_t count;
    TRY(layer_activation(l, ACT_LINEAR, &s->act, err));
    TRY(parse_weighting(l, s, err));
    TRY(cfg_ints(l->section, "from", &references, &count, err));
    enum result result = OK;
    if (count == 0) {
        result = layer_error(l, ERR_CFG, err, "needs from=... (for example from=-3)");
    } else {
        result = layer_set_inputs(l, "from", references, count, true, err);
    }
    mem_free(references);
    return result;
}

static enum result shape(struct layer *l, struct error *err)
{
    l->out = l->input_shapes[0];
    for (int i = 1; i < l->input_count; i++) {
        struct shape in = l->input_shapes[i];
        if (in.h != l->out.h || in.w != l->out.w) {
            return cfg_error(
                l->section, cfg_find(l->section, "from"), err,
                "layer %d is %d x %d but the previous layer is %d x %d; they cannot be "
                "added (is the network size a multiple of its largest stride, often 32?)",
                l->inputs[i], in.w, in.h, l->out.w, l->out.h);
        }
    }
    return OK;
}

static enum result params(struct layer *l, struct error *err)
{
    const struct shortcut_state *s = l->state;
    size_t count = (size_t)l->input_count;
    if (s->weighting == WEIGHT_NONE) {
        return OK;
    }
    if (s->weighting == WEIGHT_PER_CHANNEL && !size_mul(count, (size_t)l->out.c, &count)) {
        return layer_error(l, ERR_CFG, err, "the number of its weights overflows");
    }
    if (l->input_count > SHORTCUT_MAX_SOURCES) {
        return layer_error(l, ERR_UNSUPPORTED, err, "%d weighted sources are more than %d",
                           l->input_count, SHORTCUT_MAX_SOURCES);
    }
    TRY(layer_add_param(l, "weights", count, err));
    l->params[0].initial = 1.0f;
    return OK;
}

static void plan(const struct layer *l, const struct plan_limits *limits, struct layer_plan *p)
{
    const struct shortcut_state *s = l->state;
    size_t floats = (size_t)l->out.h * (size_t)l->out.w * (size_t)l->out.c;
    bool keeps = mode_rules[limits->mode].keeps_backward;
    p->place = PLACE_OWN;
    if (s->weighting != WEIGHT_NONE) {
        p->prepared_floats = (size_t)l->input_count * (size_t)l->out.c;
        p->scratch_bytes = floats * sizeof(float);
    } else if (l->input_count == 2) {
        p->place = PLACE_IN_PLACE;
    }
    if (keeps && s->act != ACT_LINEAR) {
        p->saved_floats = (size_t)limits->batch * floats; /* the sum before the activation */
    }
    if (keeps && s->weighting != WEIGHT_NONE) {
        size_t gradients = (size_t)(limits->batch + l->input_count) * (size_t)l->out.c;
        floats = floats > gradients ? floats : gradients;
        p->scratch_bytes = floats * sizeof(float);
        p->backward_needs_input = true;
    }
}

static double raw_weight(const struct shortcut_state *s, const float *weights, int sources, int i,
                         int channel_weights, int c)
{
    double w = (double)weights[i * channel_weights + (channel_weights > 1 ? c : 0)];
    if (s->normalization == NORMALIZE_RELU) {
        return w > 0.0 ? w : 0.0;
    }
    if (s->normalization == NORMALIZE_SOFTMAX) {
        double top = w;
        for (int j = 0; j < sources; j++) {
            double other = (double)weights[j * channel_weights + (channel_weights > 1 ? c : 0)];
            top = other > top ? other : top;
        }
        return exp(w - top);
    }
    return w;
}

void shortcut_factors(const struct layer *l, float *factors)
{
    const struct shortcut_state *s = l->state;
    const float *weights = layer_param(l, "weights")->data;
    int sources = l->input_count;
    int channel_weights = s->weighting == WEIGHT_PER_CHANNEL ? l->out.c : 1;
    for (int c = 0; c < l->out.c; c++) {
        double total = 1.0;
        if (s->normalization != NORMALIZE_NONE) {
            total = WEIGHT_EPS;
            for (int i = 0; i < sources; i++) {
                total += raw_weight(s, weights, sources, i, channel_weights, c);
            }
        }
        for (int i = 0; i < sources; i++) {
            double w = raw_weight(s, weights, sources, i, channel_weights, c);
            factors[(size_t)i * (size_t)l->out.c + (size_t)c] = (float)(w / total);
        }
    }
}

static void prepare(const struct layer *l, const struct exec *e)
{
    const struct shortcut_state *s = l->state;
    if (s->weighting != WEIGHT_NONE) {
        shortcut_factors(l, e->prepared);
    }
}

static struct tensor one_image(const struct tensor *t, int n)
{
    struct tensor image = *t;
    image.data = tensor_at(t, n, 0, 0);
    image.n = 1;
    return image;
}

/* The sum before the activation: saved if backward needs it, else in the output's place. */
static struct tensor sum_of(const struct exec *e)
{
    struct tensor sum = e->out;
    if (e->saved) {
        sum.data = e->saved;
        sum.stride = (size_t)sum.c;
    }
    return sum;
}

static void add_weighted(const struct layer *l, const struct exec *e, const struct tensor *sum)
{
    size_t channels = (size_t)l->out.c;
    for (int n = 0; n < e->out.n; n++) {
        struct tensor out = one_image(sum, n);
        struct tensor in = one_image(&e->inputs[0], n);
        op_scale_shift(e->kernels, e->prepared, NULL, &in, &out);
        for (int i = 1; i < l->input_count; i++) {
            in = one_image(&e->inputs[i], n);
            in.c = in.c < out.c ? in.c : out.c;
            struct tensor scaled = {e->scratch, 1, in.h, in.w, in.c, (size_t)in.c};
            op_scale_shift(e->kernels, e->prepared + (size_t)i * channels, NULL, &in, &scaled);
            op_add(e->kernels, ACT_LINEAR, &out, &scaled, &out);
        }
    }
}

static void forward(const struct layer *l, const struct exec *e)
{
    const struct shortcut_state *s = l->state;
    struct tensor sum = sum_of(e);
    bool is_fused = s->act < ACT_FUSED_COUNT && s->weighting == WEIGHT_NONE && !e->saved;
    if (s->weighting != WEIGHT_NONE) {
        add_weighted(l, e, &sum);
    }
    const struct tensor *so_far = &e->inputs[0];
    for (int i = 1; i < l->input_count && s->weighting == WEIGHT_NONE; i++) {
        bool is_last = i == l->input_count - 1;
        op_add(e->kernels, is_last && is_fused ? s->act : ACT_LINEAR, so_far, &e->inputs[i], &sum);
        so_far = &sum;
    }
    if (!is_fused && (s->act != ACT_LINEAR || e->saved)) {
        op_activate(e->kernels, s->act, &sum, &e->out);
    }
}

/* Hand `from` down to input i, on the channels that were added. */
static void pass_down(const struct exec *e, int i, const float *factors)
{
    struct tensor into = e->input_grads[i];
    struct tensor from = e->out_grad;
    if (!into.data || (into.data == from.data && !factors)) {
        return; /* not wanted, or the same memory: there already */
    }
    int common = into.c < from.c ? into.c : from.c;
    if (into.c > common && !e->grad_adds[i]) { /* channels beyond the sum get nothing from here */
        struct tensor rest = tensor_channels(&into, common, into.c - common);
        op_zero(&rest);
    }
    into.c = common;
    from.c = common;
    for (int n = 0; factors && n < from.n; n++) {
        struct tensor grad = one_image(&from, n), image = one_image(&into, n);
        struct tensor scaled = {e->scratch, 1, from.h, from.w, common, (size_t)common};
        op_scale_shift(e->kernels, factors, NULL, &grad, &scaled);
        op_accumulate(e->kernels, 1.0f, &scaled, &image, e->grad_adds[i]);
    }
    if (!factors) {
        op_accumulate(e->kernels, 1.0f, &from, &into, e->grad_adds[i]);
    }
}

/* sums[c] = sum over images and pixels of out_grad * input i: dL/d(factor of source i, channel c). */
static void factor_gradient(const struct exec *e, int i, float *sums, float *per_image)
{
    struct tensor a = e->inputs[i], grad = e->out_grad;
    a.c = a.c < grad.c ? a.c : grad.c;
    grad.c = a.c;
    struct tensor products = {per_image, a.n, 1, 1, a.c, (size_t)a.c};
    struct multiply_backward m = {.a = &a, .b = &products, .dout = &grad, .db = &products};
    op_multiply_backward(e->kernels, &m);
    memset(sums, 0, (size_t)e->out.c * sizeof(float));
    for (int n = 0; n < a.n; n++) {
        for (int c = 0; c < a.c; c++) {
            sums[c] += per_image[(size_t)n * (size_t)a.c + (size_t)c];
        }
    }
}

/* Through the normalisation of one channel: grads[i] = dL/dfactor_i becomes dL/dweight_i. With T = eps +
 * sum r: relu d factor_i / d w_k = [w_k > 0] (d_ik - factor_i) / T; softmax factor_i (d_ik - factor_k), and
 * eps / T of everything for the maximum, by which the exponents are shifted. */
static void through_normalization(const struct layer *l, const struct exec *e, int c, size_t stride,
                                  double *weight_grads)
{
    const struct shortcut_state *s = l->state;
    const float *weights = l->params[0].data;
    const float *grads = e->scratch;
    size_t channels = (size_t)l->out.c;
    int per_channel = stride > 1 ? (int)stride : 1, top = 0;
    double total = WEIGHT_EPS, dot = 0.0;
    for (int i = 0; i < l->input_count; i++) {
        total += raw_weight(s, weights, l->input_count, i, per_channel, c);
        dot += (double)grads[(size_t)i * channels + (size_t)c] *
               (double)e->prepared[(size_t)i * channels + (size_t)c];
        size_t at = stride > 1 ? (size_t)c : 0;
        top = weights[(size_t)i * stride + at] > weights[(size_t)top * stride + at] ? i : top;
    }
    for (int i = 0; i < l->input_count; i++) {
        double g = (double)grads[(size_t)i * channels + (size_t)c];
        double raw = raw_weight(s, weights, l->input_count, i, per_channel, c);
        double factor = (double)e->prepared[(size_t)i * channels + (size_t)c];
        double value = g;
        if (s->normalization == NORMALIZE_RELU) {
            value = raw > 0.0 ? (g - dot) / total : 0.0;
        } else if (s->normalization == NORMALIZE_SOFTMAX) {
            value = factor * (g - dot) - (i == top ? dot * WEIGHT_EPS / total : 0.0);
        }
        weight_grads[i] = value;
    }
}

static void weight_gradients(const struct layer *l, const struct exec *e)
{
    const struct shortcut_state *s = l->state;
    size_t channels = (size_t)l->out.c;
    size_t stride = s->weighting == WEIGHT_PER_CHANNEL ? channels : 1;
    float *sums = e->scratch, *to = e->param_grads[0];
    memset(to, 0, (size_t)l->input_count * stride * sizeof *to);
    for (int i = 0; i < l->input_count; i++) {
        factor_gradient(e, i, sums + (size_t)i * channels,
                        sums + (size_t)l->input_count * channels);
    }
    for (int c = 0; c < l->out.c; c++) {
        double grads[SHORTCUT_MAX_SOURCES];
        through_normalization(l, e, c, stride, grads);
        for (int i = 0; i < l->input_count; i++) {
            to[(size_t)i * stride + (stride > 1 ? (size_t)c : 0)] += (float)grads[i];
        }
    }
}

static void backward(const struct layer *l, const struct exec *e)
{
    const struct shortcut_state *s = l->state;
    bool is_weighted = s->weighting != WEIGHT_NONE;
    if (s->act != ACT_LINEAR) {
        struct tensor sum = sum_of(e);
        struct conv_epilogue f = {.act = s->act};
        op_activate_backward(e->kernels, &f, &sum, &e->out_grad, &e->out_grad);
    }
    if (is_weighted && e->param_grads[0]) {
        weight_gradients(l, e);
    }
    for (int i = 0; i < l->input_count; i++) {
        pass_down(e, i, is_weighted ? e->prepared + (size_t)i * (size_t)l->out.c : NULL);
    }
}

static double flops(const struct layer *l)
{
    const struct shortcut_state *s = l->state;
    double adds = (double)l->out.w * l->out.h * l->out.c * (l->input_count - 1);
    return s->weighting == WEIGHT_NONE ? adds : 2.0 * adds;
}

static void describe(const struct layer *l, char *text, size_t size)
{
    size_t used = 0;
    text[0] = 0;
    for (int i = 1; i < l->input_count && used < size; i++) {
        int n = snprintf(text + used, size - used, "%s%d", i > 1 ? " " : "", l->inputs[i]);
        used += n > 0 ? (size_t)n : 0;
    }
}

const struct layer_ops shortcut_ops = {
    .name = "shortcut",
    .state_bytes = sizeof(struct shortcut_state),
    .parse = parse,
    .shape = shape,
    .params = params,
    .plan = plan,
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
    .flops = flops,
    .describe = describe,
};
