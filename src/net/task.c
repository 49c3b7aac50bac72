#include "net/task.h"

#include "layers/kinds.h"

static bool has_heads(const struct network *net)
{
    return network_head_count(net) > 0;
}

static const struct layer *last_layer(const struct network *net)
{
    return &net->layers[net->layer_count - 1];
}

static bool is_one_pixel(const struct layer *l)
{
    return l->out.h == 1 && l->out.w == 1;
}

/* NULL: none. */
static const struct layer *loss_layer(const struct network *net)
{
    for (int i = net->layer_count - 1; i >= 0; i--) {
        if (net->layers[i].has_loss) {
            return &net->layers[i];
        }
    }
    return NULL;
}

/* A [softmax] at the end or before the [cost] at the end, whoever has the loss. */
static bool ends_with_softmax(const struct network *net)
{
    const struct layer *l = last_layer(net);
    if (l->ops == &cost_ops && l->inputs[0] != LAYER_IMAGE) {
        l = &net->layers[l->inputs[0]];
    }
    return l->ops == &softmax_ops;
}

enum net_task task_of(const struct network *net)
{
    const struct layer *last = last_layer(net);
    if (has_heads(net)) {
        return TASK_DETECT;
    }
    if (!loss_layer(net)) {
        return TASK_NONE;
    }
    if (ends_with_softmax(net)) {
        return is_one_pixel(last) ? TASK_CLASSIFY : TASK_REGRESS;
    }
    bool is_picture =
        last->out.h == net->size.h && last->out.w == net->size.w && last->out.c == net->size.c;
    return is_picture ? TASK_RECONSTRUCT : TASK_REGRESS;
}

const char *task_name(enum net_task task)
{
    static const char *const names[] = {"none", "detection", "classification", "reconstruction",
                                        "regression"};
    return names[task];
}

size_t task_values(const struct network *net)
{
    const struct shape *out = &last_layer(net)->out;
    if (has_heads(net) || !loss_layer(net)) {
        return 0;
    }
    return (size_t)out->h * (size_t)out->w * (size_t)out->c;
}
