/* [maxpool] and [local_avgpool]: windows of size x size. `padding` is the total of both sides
 * (default size - 1), of which padding / 2 lies before the first pixel: size 2 pads right and below
 * only.
 *
 * [maxpool] with maxpool_depth=1 instead takes the maximum over channels g, g + out_c, g + 2 out_c ... */
#include <limits.h>
#include <stdio.h>

#include "base/parallel.h"
#include "kernels/pool.h"
#include "layers/kinds.h"
#include "layers/settings.h"
#include "cfg/cfg.h"

enum { MAX_WINDOW = 1024 };

static enum result parse_windows(struct layer *l, struct pool_state *s, struct error *err)
{
    struct pool_geometry *g = &s->geometry;
    int stride;
    TRY(cfg_int(l->section, "stride", 1, 1, MAX_WINDOW, &stride, err));
    TRY(cfg_int(l->section, "stride_x", stride, 1, MAX_WINDOW, &g->stride_x, err));
    TRY(cfg_int(l->section, "stride_y", stride, 1, MAX_WINDOW, &g->stride_y, err));
    TRY(cfg_int(l->section, "size", stride, 1, MAX_WINDOW, &g->size, err));
    TRY(cfg_int(l->section, "padding", g->size - 1, 0, 2 * MAX_WINDOW, &s->padding, err));
    g->offset = s->padding / 2;
    return layer_read_previous(l, err);
}

static enum result parse_max(struct layer *l, struct error *err)
{
    struct pool_state *s = l->state;
    bool is_over_depth;
    TRY(cfg_bool(l->section, "maxpool_depth", false, &is_over_depth, err));
    TRY(cfg_int(l->section, "out_channels", 1, 1, 1 << 20, &s->depth_channels, err));
    if (!is_over_depth) {
        s->depth_channels = 0;
    }
    return parse_windows(l, s, err);
}

static enum result parse_avg(struct layer *l, struct error *err)
{
    return parse_windows(l, l->state, err);
}

/* Output length along one axis; 0 if a window would miss the input altogether. */
static int out_length(const struct pool_state *s, int in, int stride)
{
    const struct pool_geometry *g = &s->geometry;
    if (in > INT_MAX / 2 || in + s->padding < g->size || g->offset >= g->size) {
        return 0;
    }
    int out = (in + s->padding - g->size) / stride + 1;
    return (out - 1) * stride - g->offset < in ? out : 0;
}

static enum result shape(struct layer *l, struct error *err)
{
    const struct pool_state *s = l->state;
    struct shape in = l->input_shapes[0];
    if (s->depth_channels) {
        if (s->depth_channels > in.c) {
            return cfg_error(l->section, cfg_find(l->section, "out_channels"), err,
                             "%d is more than the %d input channels", s->depth_channels, in.c);
        }
        l->out = (struct shape){in.h, in.w, s->depth_channels};
        return OK;
    }
    l->out = (struct shape){
        .h = out_length(s, in.h, s->geometry.stride_y),
        .w = out_length(s, in.w, s->geometry.stride_x),
        .c = in.c,
    };
    if (l->out.h == 0 || l->out.w == 0) {
        return layer_error(l, ERR_CFG, err,
                           "size %d with stride %d x %d and padding %d does not fit the input of "
                           "%d x %d: a window would lie outside",
                           s->geometry.size, s->geometry.stride_x, s->geometry.stride_y, s->padding,
                           in.w, in.h);
    }
    return OK;
}

static void plan_max(const struct layer *l, const struct plan_limits *limits, struct layer_plan *p)
{
    (void)l;
    p->place = PLACE_OWN;
    p->backward_needs_input = mode_rules[limits->mode].keeps_backward;
    p->backward_needs_output = p->backward_needs_input;
}

struct depth_job {
    const struct exec *e;
    void (*pixel)(const struct exec *e, size_t pixel);
};

static void depth_row(void *ctx, size_t row, int thread)
{
    (void)thread;
    const struct depth_job *job = ctx;
    size_t width = (size_t)job->e->out.w;
    for (size_t x = 0; x < width; x++) {
        job->pixel(job->e, row * width + x);
    }
}

static void each_pixel(const struct exec *e, void (*pixel)(const struct exec *e, size_t pixel))
{
    struct depth_job job = {e, pixel};
    parallel_for((size_t)e->out.n * (size_t)e->out.h, depth_row, &job);
}

static void depth_pixel(const struct exec *e, size_t pixel)
{
    const float *in = e->inputs[0].data + pixel * e->inputs[0].stride;
    float *out = e->out.data + pixel * e->out.stride;
    for (int g = 0; g < e->out.c; g++) {
        float best = in[g];
        for (int k = g + e->out.c; k < e->inputs[0].c; k += e->out.c) {
            best = in[k] > best ? in[k] : best;
        }
        out[g] = best;
    }
}

static void forward_max(const struct layer *l, const struct exec *e)
{
    const struct pool_state *s = l->state;
    if (s->depth_channels) {
        each_pixel(e, depth_pixel);
    } else {
        op_max_pool(e->kernels, &s->geometry, &e->inputs[0], &e->out);
    }
}

/* The first maximum takes it all. */
static void depth_pixel_backward(const struct exec *e, size_t pixel)
{
    const float *in = e->inputs[0].data + pixel * e->inputs[0].stride;
    const float *out = e->out.data + pixel * e->out.stride;
    const float *out_grad = e->out_grad.data + pixel * e->out_grad.stride;
    float *in_grad = e->input_grads[0].data + pixel * e->input_grads[0].stride;
    for (int k = 0; !e->grad_adds[0] && k < e->inputs[0].c; k++) {
        in_grad[k] = 0.0f;
    }
    for (int g = 0; g < e->out.c; g++) {
        int k = g;
        while (k < e->inputs[0].c - e->out.c && in[k] != out[g]) {
            k += e->out.c;
        }
        in_grad[k] += out_grad[g];
    }
}

static struct pool_backward gradients(const struct exec *e)
{
    return (struct pool_backward){.in = &e->inputs[0],
                                  .out = &e->out,
                                  .dout = &e->out_grad,
                                  .din = &e->input_grads[0],
                                  .adds = e->grad_adds[0]};
}

static void backward_max(const struct layer *l, const struct exec *e)
{
    const struct pool_state *s = l->state;
    struct pool_backward p = gradients(e);
    if (!e->input_grads[0].data) {
        return;
    }
    if (s->depth_channels) {
        each_pixel(e, depth_pixel_backward);
    } else {
        op_max_pool_backward(e->kernels, &s->geometry, &p);
    }
}

static void backward_avg(const struct layer *l, const struct exec *e)
{
    const struct pool_state *s = l->state;
    struct pool_backward p = gradients(e);
    if (e->input_grads[0].data) {
        op_avg_pool_backward(e->kernels, &s->geometry, &p);
    }
}

static void forward_avg(const struct layer *l, const struct exec *e)
{
    const struct pool_state *s = l->state;
    op_avg_pool(e->kernels, &s->geometry, &e->inputs[0], &e->out);
}

static double flops(const struct layer *l)
{
    const struct pool_state *s = l->state;
    return (double)s->geometry.size * s->geometry.size * l->out.c * l->out.w * l->out.h;
}

static void describe(const struct layer *l, char *text, size_t size)
{
    const struct pool_state *s = l->state;
    if (s->depth_channels) {
        snprintf(text, size, "       depth");
    } else {
        snprintf(text, size, "       %dx%d/%d", s->geometry.size, s->geometry.size,
                 s->geometry.stride_x);
    }
}

static const char *const max_aliases[] = {"max", NULL};
static const char *const avg_aliases[] = {"local_avg", NULL};

const struct layer_ops maxpool_ops = {
    .name = "maxpool",
    .aliases = max_aliases,
    .state_bytes = sizeof(struct pool_state),
    .parse = parse_max,
    .shape = shape,
    .plan = plan_max,
    .forward = forward_max,
    .backward = backward_max,
    .flops = flops,
    .describe = describe,
};

const struct layer_ops local_avgpool_ops = {
    .name = "local_avgpool",
    .aliases = avg_aliases,
    .state_bytes = sizeof(struct pool_state),
    .parse = parse_avg,
    .shape = shape,
    .plan = layer_plan_own,
    .forward = forward_avg,
    .backward = backward_avg,
    .flops = flops,
    .describe = describe,
};
