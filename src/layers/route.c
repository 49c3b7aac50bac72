/* [route]: earlier outputs side by side along channels, or one group of channels of each. */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "kernels/elementwise.h"
#include "layers/kinds.h"
#include "layers/settings.h"
#include "cfg/cfg.h"

static enum result parse(struct layer *l, struct error *err)
{
    struct route_state *s = l->state;
    int *references = NULL;
    size_t count;
    TRY(cfg_int(l->section, "groups", 1, 1, 1 << 20, &s->groups, err));
    TRY(cfg_int(l->section, "group_id", 0, 0, s->groups - 1, &s->group_id, err));
    TRY(cfg_ints(l->section, "layers", &references, &count, err));
    enum result result = OK;
    if (count == 0) {
        result = layer_error(l, ERR_CFG, err, "needs layers=... (for example layers=-1,-4)");
    } else {
        result = layer_set_inputs(l, "layers", references, count, false, err);
    }
    mem_free(references);
    return result;
}

static enum result shape(struct layer *l, struct error *err)
{
    const struct route_state *s = l->state;
    struct shape first = l->input_shapes[0];
    int channels = 0;
    for (int i = 0; i < l->input_count; i++) {
        struct shape in = l->input_shapes[i];
        if (in.h != first.h || in.w != first.w) {
            return cfg_error(
                l->section, cfg_find(l->section, "layers"), err,
                "layer %d is %d x %d but layer %d is %d x %d; they cannot lie side by "
                "side (is the network size a multiple of its largest stride, often 32?)",
                l->inputs[0], first.w, first.h, l->inputs[i], in.w, in.h);
        }
        if (in.c % s->groups != 0) {
            return cfg_error(l->section, cfg_find(l->section, "groups"), err,
                             "%d groups do not divide the %d channels of layer %d", s->groups, in.c,
                             l->inputs[i]);
        }
        if (in.c / s->groups > INT_MAX - channels) {
            return layer_error(l, ERR_CFG, err, "too many channels");
        }
        channels += in.c / s->groups;
    }
    l->out = (struct shape){first.h, first.w, channels};
    return OK;
}

static void plan(const struct layer *l, const struct plan_limits *limits, struct layer_plan *p)
{
    (void)limits;
    const struct route_state *s = l->state;
    if (l->input_count == 1) {
        p->place = PLACE_VIEW;
        p->view_channel = s->group_id * l->out.c;
    } else {
        p->place = s->groups == 1 ? PLACE_CONCAT : PLACE_OWN;
    }
}

static void forward(const struct layer *l, const struct exec *e)
{
    const struct route_state *s = l->state;
    int at = 0;
    for (int i = 0; i < l->input_count; i++) {
        int c = e->inputs[i].c / s->groups;
        struct tensor from = tensor_channels(&e->inputs[i], s->group_id * c, c);
        struct tensor to = tensor_channels(&e->out, at, c);
        if (from.data != to.data) { /* else its producer has already written it in place */
            op_copy(e->kernels, &from, &to);
        }
        at += c;
    }
}

static void backward(const struct layer *l, const struct exec *e)
{
    const struct route_state *s = l->state;
    int at = 0;
    for (int i = 0; i < l->input_count; i++) {
        int c = e->inputs[i].c / s->groups;
        struct tensor from = tensor_channels(&e->out_grad, at, c);
        at += c;
        if (!e->input_grads[i].data) {
            continue;
        }
        struct tensor to = tensor_channels(&e->input_grads[i], s->group_id * c, c);
        bool adds = e->grad_adds[i];
        if (s->groups > 1 && !adds) { /* the other groups' channels get nothing from here */
            op_zero(&e->input_grads[i]);
            adds = true;
        }
        if (from.data != to.data) {
            op_accumulate(e->kernels, 1.0f, &from, &to, adds);
        }
    }
}

static void describe(const struct layer *l, char *text, size_t size)
{
    const struct route_state *s = l->state;
    size_t used = 0;
    text[0] = 0;
    for (int i = 0; i < l->input_count && used < size; i++) {
        int n = snprintf(text + used, size - used, "%s%d", i ? " " : "", l->inputs[i]);
        used += n > 0 ? (size_t)n : 0;
    }
    if (s->groups > 1 && used < size) {
        snprintf(text + used, size - used, " (%d/%d)", s->group_id, s->groups);
    }
}

const struct layer_ops route_ops = {
    .name = "route",
    .state_bytes = sizeof(struct route_state),
    .parse = parse,
    .shape = shape,
    .plan = plan,
    .forward = forward,
    .backward = backward,
    .describe = describe,
};
