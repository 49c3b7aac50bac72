/* [upsample]: every pixel becomes a block of stride x stride pixels. */
#include <limits.h>
#include <stdio.h>

#include "kernels/upsample.h"
#include "layers/kinds.h"
#include "layers/settings.h"
#include "cfg/cfg.h"

static enum result parse(struct layer *l, struct error *err)
{
    struct upsample_state *s = l->state;
    TRY(cfg_int(l->section, "stride", 2, -256, 256, &s->stride, err));
    TRY(cfg_float(l->section, "scale", 1.0f, -1e6f, 1e6f, &s->factor, err));
    if (s->stride < 0) {
        return error_at(err, ERR_UNSUPPORTED, l->section->path,
                        cfg_find(l->section, "stride")->line,
                        "[%s] layer %d: stride=%d (downsampling by summation) is not supported",
                        l->section->name, l->index, s->stride);
    }
    if (s->stride == 0) {
        return cfg_error(l->section, cfg_find(l->section, "stride"), err, "must not be 0");
    }
    return layer_read_previous(l, err);
}

static enum result shape(struct layer *l, struct error *err)
{
    const struct upsample_state *s = l->state;
    struct shape in = l->input_shapes[0];
    if (in.h > INT_MAX / s->stride || in.w > INT_MAX / s->stride) {
        return layer_error(l, ERR_CFG, err, "the output would be too large");
    }
    l->out = (struct shape){in.h * s->stride, in.w * s->stride, in.c};
    return OK;
}

static void forward(const struct layer *l, const struct exec *e)
{
    const struct upsample_state *s = l->state;
    op_upsample(e->kernels, s->stride, s->factor, &e->inputs[0], &e->out);
}

static void backward(const struct layer *l, const struct exec *e)
{
    const struct upsample_state *s = l->state;
    if (e->input_grads[0].data) {
        op_upsample_backward(e->kernels, s->stride, s->factor, &e->out_grad, &e->input_grads[0],
                             e->grad_adds[0]);
    }
}

static void describe(const struct layer *l, char *text, size_t size)
{
    const struct upsample_state *s = l->state;
    snprintf(text, size, "       x%d", s->stride);
}

const struct layer_ops upsample_ops = {
    .name = "upsample",
    .state_bytes = sizeof(struct upsample_state),
    .parse = parse,
    .shape = shape,
    .plan = layer_plan_own,
    .forward = forward,
    .backward = backward,
    .describe = describe,
};
