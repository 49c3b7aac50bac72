#include "train/divergence.h"

#include <math.h>
#include <stdio.h>

#include "kernels/vectors.h"

static bool tensor_is_finite(const struct tensor *tensor)
{
    size_t pixels = tensor_pixels(tensor);
    for (size_t p = 0; p < pixels; p++) {
        for (int c = 0; c < tensor->c; c++) {
            if (!isfinite(tensor->data[p * tensor->stride + (size_t)c])) {
                return false;
            }
        }
    }
    return true;
}

/* Behind the `used` bytes that say what the trouble is: the first of `count` pictures. */
static void name_pictures(const struct dataset *set, const size_t *pictures, size_t count,
                          size_t used, char *text, size_t size)
{
    for (size_t i = 0; i < count && i < DIVERGENCE_PICTURES && used < size; i++) {
        used += (size_t)snprintf(text + used, size - used, "%s%s", i ? ", " : "; images ",
                                 set->samples[pictures[i]].image_path);
    }
    if (count > DIVERGENCE_PICTURES && used < size) {
        snprintf(text + used, size - used, " and %zu more", count - DIVERGENCE_PICTURES);
    }
}

void divergence_of_batch(const struct train_options *run, struct plan *plan,
                         struct batch_source *source, const struct batch *batch, char *text,
                         size_t size)
{
    const struct network *net = run->net;
    int layer = 0, used;
    plan_begin(plan, batch->images);
    for (; layer < net->layer_count; layer++) {
        if (batch_source_forward_layer(source, plan, layer) &&
            !tensor_is_finite(plan_output(plan, layer))) {
            break;
        }
    }
    if (layer < net->layer_count) {
        used = snprintf(text, size, "layer %d [%s] is not finite", layer,
                        net->layers[layer].ops->name);
    } else {
        used = snprintf(text, size, "the loss left all bounds");
    }
    name_pictures(run->set, batch->sample_index, (size_t)batch->images, (size_t)used, text, size);
}

void divergence_of_gradients(const struct train_options *run, const struct plan *plan,
                             const size_t *pictures, size_t count, char *text, size_t size)
{
    const struct network *net = run->net;
    int used = snprintf(text, size, "the gradients left all bounds");
    bool is_found = false;
    for (int i = net->layer_count - 1; i >= 0 && !is_found; i--) {
        const struct layer *l = &net->layers[i];
        for (int k = 0; k < l->param_count && !is_found; k++) {
            const float *gradient = plan_gradient(plan, i, k);
            is_found = gradient && !vec_all_finite(run->kern, l->params[k].count, gradient);
            if (is_found) {
                used = snprintf(text, size, "layer %d [%s]: the gradient of its %s is not finite",
                                i, l->ops->name, l->params[k].role);
            }
        }
    }
    name_pictures(run->set, pictures, count, (size_t)used, text, size);
}
