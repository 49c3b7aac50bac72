/* [softmax]: e^((v - max) / temperature) / sum, over each of `groups` equal runs of channels; over
 * all pixels of an image together, or with spatial=1 for every pixel on its own. At the end of a network the
 * cross-entropy of each run is the loss: its gradient does not go through the output and is exact where that is 0. */
#include <math.h>

#include "kernels/softmax.h"
#include "layers/kinds.h"
#include "layers/settings.h"
#include "layers/value_loss.h"
#include "cfg/cfg.h"

bool softmax_is_mute(const struct layer *softmax)
{
    return ((const struct softmax_state *)softmax->state)->is_mute;
}

static enum result parse(struct layer *l, struct error *err)
{
    struct softmax_state *s = l->state;
    TRY(cfg_int(l->section, "groups", 1, 1, 1 << 24, &s->groups, err));
    TRY(cfg_float(l->section, "temperature", 1.0f, 1e-6f, 1e6f, &s->temperature, err));
    TRY(cfg_bool(l->section, "spatial", false, &s->is_per_pixel, err));
    TRY(cfg_bool(l->section, "noloss", false, &s->is_mute, err));
    return layer_read_previous(l, err);
}

static enum result shape(struct layer *l, struct error *err)
{
    const struct softmax_state *s = l->state;
    l->out = l->input_shapes[0];
    if (l->out.c % s->groups != 0) {
        return cfg_error(l->section, cfg_find(l->section, "groups"), err,
                         "%d groups do not divide the %d input channels", s->groups, l->out.c);
    }
    return OK;
}

static void plan(const struct layer *l, const struct plan_limits *limits, struct layer_plan *p)
{
    p->place = PLACE_IN_PLACE;
    p->backward_needs_output = mode_rules[limits->mode].keeps_backward;
    if (l->has_loss) {
        value_loss_plan(limits, p);
    }
}

/* in and out: one image, the channels of one group. */
static void whole_softmax(float temperature, const struct tensor *in, const struct tensor *out)
{
    size_t pixels = tensor_pixels(in);
    float top = -INFINITY;
    for (size_t p = 0; p < pixels; p++) {
        for (int c = 0; c < in->c; c++) {
            top = fmaxf(top, in->data[p * in->stride + (size_t)c]);
        }
    }
    double sum = 0.0;
    for (size_t p = 0; p < pixels; p++) {
        for (int c = 0; c < in->c; c++) {
            float v = expf((in->data[p * in->stride + (size_t)c] - top) / temperature);
            out->data[p * out->stride + (size_t)c] = v;
            sum += (double)v;
        }
    }
    for (size_t p = 0; p < pixels; p++) {
        for (int c = 0; c < in->c; c++) {
            float *v = &out->data[p * out->stride + (size_t)c];
            *v = (float)((double)*v / sum);
        }
    }
}

static struct tensor group_of(const struct tensor *t, int n, int group, int channels)
{
    struct tensor part = tensor_channels(t, group * channels, channels);
    part.data = tensor_at(&part, n, 0, 0);
    part.n = 1;
    return part;
}

static void forward(const struct layer *l, const struct exec *e)
{
    const struct softmax_state *s = l->state;
    int channels = l->out.c / s->groups;
    if (s->is_per_pixel || (l->out.h == 1 && l->out.w == 1)) {
        op_softmax(e->kernels, channels, s->temperature, &e->inputs[0], &e->out);
        return;
    }
    for (int n = 0; n < e->out.n; n++) {
        for (int group = 0; group < s->groups; group++) {
            struct tensor in = group_of(&e->inputs[0], n, group, channels);
            struct tensor out = group_of(&e->out, n, group, channels);
            whole_softmax(s->temperature, &in, &out);
        }
    }
}

/* out, out_grad and in_grad: one image, the channels of one group. */
static void whole_softmax_backward(float temperature, const struct tensor *out,
                                   const struct tensor *out_grad, const struct tensor *in_grad,
                                   bool adds)
{
    size_t pixels = tensor_pixels(out);
    double dot = 0.0;
    for (size_t p = 0; p < pixels; p++) {
        for (size_t c = 0; c < (size_t)out->c; c++) {
            dot += (double)out->data[p * out->stride + c] *
                   (double)out_grad->data[p * out_grad->stride + c];
        }
    }
    for (size_t p = 0; p < pixels; p++) {
        for (size_t c = 0; c < (size_t)out->c; c++) {
            double y = (double)out->data[p * out->stride + c];
            double g = (double)out_grad->data[p * out_grad->stride + c];
            float *into = &in_grad->data[p * in_grad->stride + c];
            float value = (float)(y * (g - dot) / (double)temperature);
            *into = adds ? *into + value : value;
        }
    }
}

static void backward(const struct layer *l, const struct exec *e)
{
    const struct softmax_state *s = l->state;
    const struct tensor *in_grad = &e->input_grads[0];
    int channels = l->out.c / s->groups;
    if (!in_grad->data) {
        return;
    }
    bool adds = e->grad_adds[0];
    if (s->is_per_pixel || (l->out.h == 1 && l->out.w == 1)) {
        op_softmax_backward(channels, s->temperature, &e->out, &e->out_grad, in_grad, adds);
        return;
    }
    for (int n = 0; n < e->out.n; n++) {
        for (int group = 0; group < s->groups; group++) {
            struct tensor out = group_of(&e->out, n, group, channels);
            struct tensor out_grad = group_of(&e->out_grad, n, group, channels);
            struct tensor into = group_of(in_grad, n, group, channels);
            whole_softmax_backward(s->temperature, &out, &out_grad, &into, adds);
        }
    }
}

/* The run's cross-entropy over `pixels` pixels from `first` on, in the channels of one group. */
static double run_loss(const struct value_image *image, size_t first, size_t pixels, int group,
                       int channels)
{
    const struct softmax_state *s = image->l->state;
    double slope = image->l->loss_scale / (double)s->temperature, sum = 0, share = 0;
    int begin = group * channels, end = begin + channels;
    for (size_t p = first; p < first + pixels; p++) {
        for (int c = begin; c < end; c++) {
            share += (double)value_target_at(image, p)[c];
        }
    }
    for (size_t p = first; p < first + pixels; p++) {
        const float *out = image->out.data + p * image->out.stride;
        const float *target = value_target_at(image, p);
        for (int c = begin; c < end; c++) {
            double t = (double)target[c];
            sum += value_cross_entropy((double)out[c], t).value;
            value_put_gradient(image, p, c, slope * (share * (double)out[c] - t));
        }
    }
    return sum;
}

static double image_loss(const struct value_image *image)
{
    const struct softmax_state *s = image->l->state;
    int channels = image->out.c / s->groups;
    size_t pixels = tensor_pixels(&image->out), run = s->is_per_pixel ? 1 : pixels;
    double sum = 0;
    for (size_t first = 0; first < pixels; first += run) {
        for (int group = 0; group < s->groups; group++) {
            sum += run_loss(image, first, run, group, channels);
        }
    }
    return sum;
}

static void loss(const struct layer *l, const struct exec *e, const struct truth_set *truths,
                 struct loss_parts *parts)
{
    value_loss_run(image_loss, l, e, truths, parts);
}

static const char *const aliases[] = {"soft", NULL};

const struct layer_ops softmax_ops = {
    .name = "softmax",
    .aliases = aliases,
    .state_bytes = sizeof(struct softmax_state),
    .parse = parse,
    .shape = shape,
    .plan = plan,
    .forward = forward,
    .backward = backward,
    .loss = loss,
};
