/* [crop]: the middle of the picture, at inference; values v become 2 v - 1 unless noadjust=1. The
 * random offset, flip and colours are training's. */
#include <stdio.h>

#include "layers/kinds.h"
#include "layers/settings.h"
#include "cfg/cfg.h"

static enum result parse(struct layer *l, struct error *err)
{
    struct crop_state *s = l->state;
    TRY(cfg_int(l->section, "crop_height", 1, 1, 1 << 20, &s->h, err));
    TRY(cfg_int(l->section, "crop_width", 1, 1, 1 << 20, &s->w, err));
    TRY(cfg_bool(l->section, "noadjust", false, &s->keeps_values, err));
    return layer_read_previous(l, err);
}

static enum result shape(struct layer *l, struct error *err)
{
    const struct crop_state *s = l->state;
    struct shape in = l->input_shapes[0];
    if (s->h > in.h || s->w > in.w) {
        return layer_error(l, ERR_CFG, err, "%d x %d is larger than the input of %d x %d", s->w,
                           s->h, in.w, in.h);
    }
    l->out = (struct shape){s->h, s->w, in.c};
    return OK;
}

static void crop_row(const struct crop_state *s, const float *from, size_t from_stride,
                     const struct tensor *out, float *to)
{
    for (int x = 0; x < out->w; x++, from += from_stride, to += out->stride) {
        for (int c = 0; c < out->c; c++) {
            to[c] = s->keeps_values ? from[c] : 2.0f * from[c] - 1.0f;
        }
    }
}

static void forward(const struct layer *l, const struct exec *e)
{
    const struct crop_state *s = l->state;
    const struct tensor *in = &e->inputs[0];
    int top = (in->h - s->h) / 2, left = (in->w - s->w) / 2;
    for (int n = 0; n < e->out.n; n++) {
        for (int y = 0; y < s->h; y++) {
            crop_row(s, tensor_at(in, n, top + y, left), in->stride, &e->out,
                     tensor_at(&e->out, n, y, 0));
        }
    }
}

static void describe(const struct layer *l, char *text, size_t size)
{
    const struct crop_state *s = l->state;
    snprintf(text, size, "       %dx%d", s->w, s->h);
}

const struct layer_ops crop_ops = {
    .name = "crop",
    .state_bytes = sizeof(struct crop_state),
    .parse = parse,
    .shape = shape,
    .plan = layer_plan_own,
    .forward = forward,
    .describe = describe,
};
