/* [reorg3d] and [reorg]: blocks of s x s pixels (s = stride) become channels; (w, h, c) to (w / s, h / s, c s s).
 *
 * [reorg3d] is the true space-to-depth: for output channel k, ic = k mod c, o = k div c:
 *
 *   out(k, y, x) = in(ic, y * s + o div s, x * s + o mod s);  reverse=1 is its inverse.
 *
 * [reorg] is YOLOv2's: the same arithmetic with the dimensions mixed up, on planar buffers taken as
 * flat arrays, and its weights depend on it. With C, W, H of the input and ci = C / (s s), for
 * k < C, j < H, i < W and o = k div ci:
 *
 *   out[i + W * (j + H * k)] = in[i * s + o mod s + W * s * (j * s + o div s + H * s * (k mod ci))]
 *
 * and the result is read as (w / s, h / s, c s s). */
#include <limits.h>
#include <stdio.h>

#include "base/parallel.h"
#include "layers/kinds.h"
#include "layers/settings.h"
#include "cfg/cfg.h"

static enum result parse(struct layer *l, struct error *err)
{
    struct reorg_state *s = l->state;
    TRY(cfg_int(l->section, "stride", 1, 1, 256, &s->stride, err));
    TRY(cfg_bool(l->section, "reverse", false, &s->is_reverse, err));
    return layer_read_previous(l, err);
}

static enum result shape(struct layer *l, struct error *err)
{
    const struct reorg_state *s = l->state;
    struct shape in = l->input_shapes[0];
    int area = s->stride * s->stride;
    if (s->is_reverse) {
        if (in.c % area != 0 || in.h > INT_MAX / s->stride || in.w > INT_MAX / s->stride) {
            return layer_error(l, ERR_CFG, err,
                               "stride %d with reverse=1 does not divide %d channels", s->stride,
                               in.c);
        }
        l->out = (struct shape){in.h * s->stride, in.w * s->stride, in.c / area};
        return OK;
    }
    if (in.h % s->stride != 0 || in.w % s->stride != 0 || in.c > INT_MAX / area) {
        return layer_error(l, ERR_CFG, err, "stride %d does not divide the input of %d x %d",
                           s->stride, in.w, in.h);
    }
    l->out = (struct shape){in.h / s->stride, in.w / s->stride, in.c * area};
    return OK;
}

static enum result shape_old(struct layer *l, struct error *err)
{
    const struct reorg_state *s = l->state;
    if (l->input_shapes[0].c % (s->stride * s->stride) != 0) {
        return layer_error(l, ERR_CFG, err, "stride %d needs a multiple of %d channels, not %d",
                           s->stride, s->stride * s->stride, l->input_shapes[0].c);
    }
    return shape(l, err);
}

/* Both layouts hold the same elements: a move copies them one way or the other. */
struct move {
    struct tensor wide,
        deep; /* reorg3d: the larger and the smaller picture; reorg: input and output */
    int stride;
    bool to_deep, adds;
};

static void move_one(const struct move *m, float *wide, float *deep)
{
    float *to = m->to_deep ? deep : wide;
    float value = m->to_deep ? *wide : *deep;
    *to = m->adds ? *to + value : value;
}

/* One row of the smaller picture and the `stride` rows of the larger one that it corresponds to. */
static void move_row(void *ctx, size_t item, int thread)
{
    (void)thread;
    const struct move *m = ctx;
    int n = (int)(item / (size_t)m->deep.h), y = (int)(item % (size_t)m->deep.h);
    for (int x = 0; x < m->deep.w; x++) {
        float *channels = tensor_at(&m->deep, n, y, x);
        for (int o = 0; o < m->stride * m->stride; o++) {
            float *pixel = tensor_at(&m->wide, n, y * m->stride + o / m->stride,
                                     x * m->stride + o % m->stride);
            for (int c = 0; c < m->wide.c; c++) {
                move_one(m, pixel + c, channels + o * m->wide.c + c);
            }
        }
    }
}

static void forward(const struct layer *l, const struct exec *e)
{
    const struct reorg_state *s = l->state;
    struct move move = {.wide = s->is_reverse ? e->out : e->inputs[0],
                        .deep = s->is_reverse ? e->inputs[0] : e->out,
                        .stride = s->stride,
                        .to_deep = !s->is_reverse};
    parallel_for((size_t)e->out.n * (size_t)move.deep.h, move_row, &move);
}

static void backward(const struct layer *l, const struct exec *e)
{
    const struct reorg_state *s = l->state;
    struct move move = {.wide = s->is_reverse ? e->out_grad : e->input_grads[0],
                        .deep = s->is_reverse ? e->input_grads[0] : e->out_grad,
                        .stride = s->stride,
                        .to_deep = s->is_reverse,
                        .adds = e->grad_adds[0]};
    if (e->input_grads[0].data) {
        parallel_for((size_t)e->out.n * (size_t)move.deep.h, move_row, &move);
    }
}

/* Element `flat` of image n taken as planar. */
static float *planar_at(const struct tensor *t, int n, size_t flat)
{
    size_t w = (size_t)t->w, h = (size_t)t->h;
    size_t row = flat / w;
    return tensor_at(t, n, (int)(row % h), (int)(flat % w)) + row / h;
}

/* One of the mapping's planes k of one image. */
static void move_plane(void *ctx, size_t item, int thread)
{
    (void)thread;
    const struct move *m = ctx;
    size_t w = (size_t)m->wide.w, h = (size_t)m->wide.h, s = (size_t)m->stride;
    size_t planes = (size_t)m->wide.c, inner = planes / (s * s);
    int n = (int)(item / planes);
    size_t k = item % planes, o = k / inner;
    for (size_t j = 0; j < h; j++) {
        size_t from = o % s + w * s * (j * s + o / s + h * s * (k % inner));
        size_t to = w * (j + h * k);
        for (size_t i = 0; i < w; i++) {
            move_one(m, planar_at(&m->wide, n, from + i * s), planar_at(&m->deep, n, to + i));
        }
    }
}

static void forward_old(const struct layer *l, const struct exec *e)
{
    const struct reorg_state *s = l->state;
    struct move move = {.wide = e->inputs[0], .deep = e->out, .stride = s->stride, .to_deep = true};
    parallel_for((size_t)e->out.n * (size_t)e->inputs[0].c, move_plane, &move);
}

static void backward_old(const struct layer *l, const struct exec *e)
{
    const struct reorg_state *s = l->state;
    struct move move = {.wide = e->input_grads[0],
                        .deep = e->out_grad,
                        .stride = s->stride,
                        .adds = e->grad_adds[0]};
    if (e->input_grads[0].data) {
        parallel_for((size_t)e->out.n * (size_t)e->inputs[0].c, move_plane, &move);
    }
}

static void describe(const struct layer *l, char *text, size_t size)
{
    const struct reorg_state *s = l->state;
    snprintf(text, size, "       /%d%s", s->stride, s->is_reverse ? " reverse" : "");
}

const struct layer_ops reorg3d_ops = {
    .name = "reorg3d",
    .state_bytes = sizeof(struct reorg_state),
    .parse = parse,
    .shape = shape,
    .plan = layer_plan_own,
    .forward = forward,
    .backward = backward,
    .describe = describe,
};

const struct layer_ops reorg_ops = {
    .name = "reorg",
    .state_bytes = sizeof(struct reorg_state),
    .parse = parse,
    .shape = shape_old,
    .plan = layer_plan_own,
    .forward = forward_old,
    .backward = backward_old,
    .describe = describe,
};
