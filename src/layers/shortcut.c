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
#include "layers/kinds.h"
#include "net/cfg.h"

static const double WEIGHT_EPS = 1e-4;

enum weighting { WEIGHT_NONE, WEIGHT_PER_FEATURE, WEIGHT_PER_CHANNEL };
enum normalization { NORMALIZE_NONE, NORMALIZE_RELU, NORMALIZE_SOFTMAX };

struct shortcut_state {
    enum activation act;
    enum weighting weighting;
    enum normalization normalization;
};

struct word {
    const char *name;
    int value;
};

static enum result parse_word(struct layer *l, const char *key, const struct word *words,
                              int *value, struct error *err)
{
    const char *name = cfg_string(l->section, key, "none");
    char list[128] = "";
    for (; words->name; words++) {
        if (strcmp(words->name, name) == 0) {
            *value = words->value;
            return OK;
        }
        size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, "%s%s", used ? ", " : "", words->name);
    }
    return cfg_error(l->section, cfg_find(l->section, key), err, "unknown value '%s' (one of %s)",
                     name, list);
}

static enum result parse_weighting(struct layer *l, struct shortcut_state *s, struct error *err)
{
    static const struct word types[] = {{"none", WEIGHT_NONE},
                                        {"per_feature", WEIGHT_PER_FEATURE},
                                        {"per_layer", WEIGHT_PER_FEATURE},
                                        {"per_channel", WEIGHT_PER_CHANNEL},
                                        {NULL, 0}};
    static const struct word norms[] = {{"none", NORMALIZE_NONE},
                                        {"relu", NORMALIZE_RELU},
                                        {"avg_relu", NORMALIZE_RELU},
                                        {"softmax", NORMALIZE_SOFTMAX},
                                        {NULL, 0}};
    int type, norm;
    TRY(parse_word(l, "weights_type", types, &type, err));
    TRY(parse_word(l, "weights_normalization", norms, &norm, err));
    s->weighting = (enum weighting)type;
    s->normalization = (enum normalization)norm;
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
                "added (is the network size a multiple of 32?)",
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
    TRY(layer_add_param(l, "weights", count, err));
    l->params[0].initial = 1.0f;
    return OK;
}

static void plan(const struct layer *l, const struct plan_limits *limits, struct layer_plan *p)
{
    (void)limits;
    const struct shortcut_state *s = l->state;
    p->place = PLACE_OWN;
    if (s->weighting != WEIGHT_NONE) {
        p->prepared_floats = (size_t)l->input_count * (size_t)l->out.c;
        p->scratch_bytes = (size_t)l->out.h * (size_t)l->out.w * (size_t)l->out.c * sizeof(float);
    } else if (l->input_count == 2) {
        p->place = PLACE_IN_PLACE;
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

/* Prepared: one factor for every source and channel, [input_count][c]. */
static void prepare(const struct layer *l, const struct exec *e)
{
    const struct shortcut_state *s = l->state;
    if (s->weighting == WEIGHT_NONE) {
        return;
    }
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
            e->prepared[(size_t)i * (size_t)l->out.c + (size_t)c] = (float)(w / total);
        }
    }
}

static struct tensor one_image(const struct tensor *t, int n)
{
    struct tensor image = *t;
    image.data = tensor_at(t, n, 0, 0);
    image.n = 1;
    return image;
}

static void forward_weighted(const struct layer *l, const struct exec *e)
{
    const struct shortcut_state *s = l->state;
    size_t channels = (size_t)l->out.c;
    for (int n = 0; n < e->out.n; n++) {
        struct tensor out = one_image(&e->out, n);
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
    op_activate(e->kernels, s->act, &e->out, &e->out);
}

static void forward(const struct layer *l, const struct exec *e)
{
    const struct shortcut_state *s = l->state;
    if (s->weighting != WEIGHT_NONE) {
        forward_weighted(l, e);
        return;
    }
    bool is_fused = s->act < ACT_FUSED_COUNT;
    const struct tensor *sum = &e->inputs[0];
    for (int i = 1; i < l->input_count; i++) {
        bool is_last = i == l->input_count - 1;
        op_add(e->kernels, is_last && is_fused ? s->act : ACT_LINEAR, sum, &e->inputs[i], &e->out);
        sum = &e->out;
    }
    if (!is_fused) {
        op_activate(e->kernels, s->act, &e->out, &e->out);
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
    .flops = flops,
    .describe = describe,
};
