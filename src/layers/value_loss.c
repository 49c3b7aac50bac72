#include "layers/value_loss.h"

#include <float.h>
#include <math.h>

#include "base/parallel.h"

struct value_term value_cross_entropy(double p, double t)
{
    double q = p < (double)FLT_MIN ? (double)FLT_MIN : p; /* NaN stays */
    return (struct value_term){.value = t == 0 ? 0 * q : -t * log(q), .slope = -t / q};
}

void value_loss_plan(const struct plan_limits *limits, struct layer_plan *p)
{
    p->scratch_bytes = (size_t)limits->batch * sizeof(double);
}

struct run {
    double (*image_loss)(const struct value_image *image);
    const struct layer *l;
    const struct exec *e;
    const struct truth_set *truths;
    double *sums; /* [images] */
};

static struct tensor one_image(const struct tensor *t, int n)
{
    struct tensor one = *t;
    one.data = tensor_at(t, n, 0, 0);
    one.n = 1;
    return one;
}

static bool find_target(const struct run *run, size_t n, struct value_image *image)
{
    const struct truth_set *truths = &run->truths[n];
    const struct tensor *out = &run->e->out, *input = run->e->image;
    if (truths->values) {
        image->target = truths->values;
        image->target_stride = (size_t)out->c;
        return true;
    }
    bool is_picture = input && input->h == out->h && input->w == out->w && input->c == out->c;
    if (is_picture) {
        image->target = tensor_at(input, (int)n, 0, 0);
        image->target_stride = input->stride;
    }
    return is_picture;
}

static void clear_gradient(const struct value_image *image)
{
    size_t pixels = tensor_pixels(&image->out);
    for (size_t p = 0; p < pixels && !image->adds; p++) {
        for (int c = 0; c < image->out.c; c++) {
            value_put_gradient(image, p, c, 0);
        }
    }
}

static void run_image(void *ctx, size_t item, int thread)
{
    (void)thread;
    const struct run *run = ctx;
    const struct tensor *gradient = &run->e->input_grads[0];
    struct value_image image = {
        .l = run->l,
        .out = one_image(&run->e->out, (int)item),
        .adds = gradient->data && run->e->grad_adds[0],
        .weight = run->truths[item].weight != 0 ? (double)run->truths[item].weight : 1,
    };
    if (gradient->data) {
        image.gradient = one_image(gradient, (int)item);
    }
    if (find_target(run, item, &image)) {
        run->sums[item] = run->image_loss(&image) * run->l->loss_scale * image.weight;
    } else {
        run->sums[item] = 0;
        clear_gradient(&image);
    }
}

void value_loss_run(double (*image_loss)(const struct value_image *image), const struct layer *l,
                    const struct exec *e, const struct truth_set *truths, struct loss_parts *parts)
{
    struct run run = {image_loss, l, e, truths, e->scratch};
    parallel_for((size_t)e->out.n, run_image, &run);
    for (int n = 0; n < e->out.n; n++) {
        parts->values += run.sums[n];
    }
}
