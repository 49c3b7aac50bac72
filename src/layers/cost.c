/* [cost]: a loss on the previous output, which is its own. Nothing happens but in ops->loss. */
#include <math.h>
#include <stdio.h>

#include "layers/kinds.h"
#include "layers/value_loss.h"
#include "cfg/cfg.h"

static const float MASK = -1234;

/* A float near 1 is that far from it at least: what is nearer cannot be told from 1. */
static const double NEAREST_TO_1 = 0x1p-25;

struct cost_state {
    enum cost_type type;
};

static const struct cfg_word types[] = {{"sse", COST_SSE},       {"masked", COST_MASKED},
                                        {"smooth", COST_SMOOTH}, {"L1", COST_L1},
                                        {"bce", COST_BCE},       {"ce", COST_CE}};

enum cost_type cost_type_of(const struct layer *cost)
{
    return ((const struct cost_state *)cost->state)->type;
}

static enum result parse(struct layer *l, struct error *err)
{
    struct cost_state *s = l->state;
    int type;
    float scale;
    TRY(cfg_choice(l->section, "type", types, sizeof types / sizeof *types, COST_SSE, &type, err));
    TRY(cfg_float(l->section, "scale", 1, 0, 1e6f, &scale, err));
    if (!(scale > 0)) {
        return cfg_error(l->section, cfg_find(l->section, "scale"), err,
                         "a loss of 0 trains nothing");
    }
    s->type = (enum cost_type)type;
    l->loss_scale = (double)scale;
    return layer_read_previous(l, err);
}

static void plan(const struct layer *l, const struct plan_limits *limits, struct layer_plan *p)
{
    p->place = PLACE_VIEW;
    p->view_channel = 0;
    if (l->has_loss) {
        value_loss_plan(limits, p);
        p->backward_needs_output = mode_rules[limits->mode].keeps_backward;
    }
}

/* Slope with respect to x, or to its logit. */
static struct value_term binary(double x, double t, bool by_logit)
{
    double rest = 1 - x < NEAREST_TO_1 ? NEAREST_TO_1 : 1 - x;
    struct value_term yes = value_cross_entropy(x, t), no = value_cross_entropy(rest, 1 - t);
    return (struct value_term){.value = yes.value + no.value,
                               .slope = by_logit ? x - t : yes.slope - no.slope};
}

static struct value_term term(const struct layer *l, float value, float target)
{
    double x = (double)value, t = (double)target, d = x - t, size = fabs(d);
    struct value_term square = {d * d / 2, d}, line = {size, d > 0 ? 1 : d < 0 ? -1 : d};
    switch (cost_type_of(l)) {
    case COST_SSE:
        return square;
    case COST_MASKED:
        return target == MASK ? (struct value_term){0, 0} : square;
    case COST_SMOOTH:
        line.value -= 0.5;
        return size < 1 ? square : line;
    case COST_L1:
        return line;
    case COST_BCE:
        return binary(x, t, l->by_logit);
    case COST_CE:
        break;
    }
    return value_cross_entropy(x, t);
}

static double image_loss(const struct value_image *image)
{
    double sum = 0;
    size_t pixels = tensor_pixels(&image->out);
    for (size_t p = 0; p < pixels; p++) {
        const float *out = image->out.data + p * image->out.stride;
        const float *target = value_target_at(image, p);
        for (int c = 0; c < image->out.c; c++) {
            struct value_term term_of = term(image->l, out[c], target[c]);
            sum += term_of.value;
            value_put_gradient(image, p, c, term_of.slope * image->l->loss_scale);
        }
    }
    return sum;
}

static void loss(const struct layer *l, const struct exec *e, const struct truth_set *truths,
                 struct loss_parts *parts)
{
    value_loss_run(image_loss, l, e, truths, parts);
}

static void describe(const struct layer *l, char *text, size_t size)
{
    snprintf(text, size, "%s", types[cost_type_of(l)].name);
}

const struct layer_ops cost_ops = {
    .name = "cost",
    .state_bytes = sizeof(struct cost_state),
    .parse = parse,
    .shape = layer_keep_shape,
    .plan = plan,
    .describe = describe,
    .loss = loss,
};
