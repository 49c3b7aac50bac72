#include "train/other_network.h"

#include <string.h>

#include "net/weights.h"

static bool fits(const struct layer *l, const struct layer *old)
{
    bool is_same =
        l->ops == old->ops && l->param_count == old->param_count && l->out.c == old->out.c;
    for (int k = 0; is_same && k < l->param_count; k++) {
        const struct param *p = &l->params[k], *q = &old->params[k];
        is_same = strcmp(p->role, q->role) == 0 && p->count == q->count && p->fan_in == q->fan_in;
    }
    return is_same && l->param_count > 0;
}

static size_t take(const struct layer *l, const struct layer *old)
{
    for (int k = 0; k < l->param_count; k++) {
        memcpy(l->params[k].data, old->params[k].data, l->params[k].count * sizeof(float));
    }
    return layer_values(l);
}

static enum result take_fitting(const struct network *old, struct network *net, size_t *loaded)
{
    size_t taken = 0;
    net->loaded_layers = 0;
    net->seen = 0;
    for (int i = 0; i < net->layer_count; i++) {
        const struct layer *l = &net->layers[i];
        bool is_there = i < old->layer_count && fits(l, &old->layers[i]);
        loaded[i] = is_there ? take(l, &old->layers[i]) : 0;
        taken += loaded[i];
        bool is_next = net->loaded_layers == i && loaded[i] == layer_values(l);
        net->loaded_layers += is_next;
    }
    return taken > 0 ? OK : ERR_FORMAT;
}

enum result other_network_load(const char *weights, const char *cfg, struct network *net,
                               size_t *loaded, struct error *err)
{
    struct network old = {0};
    enum result result = network_read(cfg, 0, 0, &old, err);
    result = result == OK ? network_allocate(&old, err) : result;
    result = result == OK ? weights_load(weights, &old, err) : result;
    if (result == OK && take_fitting(&old, net, loaded) != OK) {
        result = error_at(err, ERR_FORMAT, weights, 0, "no layer of %.300s fits one of %.300s", cfg,
                          net->cfg.path);
    }
    network_free(&old);
    return result;
}
