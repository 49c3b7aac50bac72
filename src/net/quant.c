#include "net/quant.h"

#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/memory.h"
#include "layers/int8_unit.h"
#include "layers/kinds.h"
#include "layers/settings.h"

/* ---- roles ---- */

static enum quant_role role_if_bytes(const struct layer *l)
{
    if (l->ops == &route_ops || l->ops == &dropout_ops) {
        return QUANT_SAME;
    }
    if (l->ops == &maxpool_ops) {
        const struct pool_state *s = l->state;
        return s->depth_channels ? QUANT_FLOAT : QUANT_SAME;
    }
    if (l->ops == &upsample_ops) {
        const struct upsample_state *s = l->state;
        return s->factor > 1.0f || s->factor < 1.0f ? QUANT_FLOAT : QUANT_SAME;
    }
    if (l->ops == &shortcut_ops) {
        const struct shortcut_state *s = l->state;
        bool is_plain = s->weighting == WEIGHT_NONE && l->input_count == 2;
        return is_plain && s->act < ACT_FUSED_COUNT ? QUANT_SUM : QUANT_FLOAT;
    }
    return QUANT_FLOAT;
}

void quant_find_roles(const struct network *net, const bool *is_int8, enum quant_role *roles)
{
    for (int i = 0; i < net->layer_count; i++) {
        const struct layer *l = &net->layers[i];
        bool has_bytes = false, has_image = false;
        for (int k = 0; k < l->input_count; k++) {
            int from = l->inputs[k];
            has_image = has_image || from == LAYER_IMAGE;
            has_bytes = has_bytes || (from != LAYER_IMAGE && roles[from] != QUANT_FLOAT);
        }
        roles[i] = is_int8[i] && !has_image  ? QUANT_CONV
                   : has_bytes && !has_image ? role_if_bytes(l)
                                             : QUANT_FLOAT;
    }
}

void quant_find_rounded(const struct network *net, const enum quant_role *roles, bool *rounded)
{
    for (int i = 0; i < net->layer_count; i++) {
        const struct layer *l = &net->layers[i];
        rounded[i] = roles[i] == QUANT_CONV || roles[i] == QUANT_SUM;
        for (int k = 0; k < l->input_count; k++) {
            int from = l->inputs[k];
            bool is_read = from != LAYER_IMAGE && roles[i] != QUANT_FLOAT;
            if (is_read && roles[from] == QUANT_FLOAT) {
                rounded[from] = true;
            }
        }
    }
}

/* ---- hashes ---- */

uint64_t quant_network_hash(const struct network *net)
{
    uint64_t hash = (uint64_t)net->layer_count;
    for (int i = 0; i < net->layer_count; i++) {
        const struct layer *l = &net->layers[i];
        char line[256], more[128] = "";
        if (l->ops->describe) {
            l->ops->describe(l, more, sizeof more);
        }
        snprintf(line, sizeof line, "%s %d %d %d %s", l->ops->name, l->out.c, (int)l->act,
                 l->param_count, more);
        uint64_t of_line = hash_text(line);
        uint32_t halves[2] = {(uint32_t)of_line, (uint32_t)(of_line >> 32)};
        hash = hash_words(hash, halves, sizeof halves);
        for (int k = 0; k < l->input_count; k++) {
            uint32_t from = (uint32_t)l->inputs[k];
            hash = hash_words(hash, &from, sizeof from);
        }
    }
    return hash;
}

uint64_t quant_weights_hash(const struct network *net)
{
    uint64_t hash = 0;
    for (int i = 0; i < net->layer_count; i++) {
        const struct layer *l = &net->layers[i];
        for (int k = 0; k < l->param_count; k++) {
            hash = hash_words(hash, l->params[k].data, l->params[k].count * sizeof(float));
        }
    }
    return hash;
}

/* ---- the whole ---- */

enum result quant_allocate(struct quantization *q, int layers, struct error *err)
{
    q->layer_count = layers;
    q->layers = mem_alloc((size_t)layers, sizeof *q->layers);
    return q->layers ? OK : mem_error(err, "quantisation");
}

enum result quant_need_channels(struct quant_layer *l, int channels, struct error *err)
{
    size_t count = (size_t)channels;
    float *steps = mem_alloc(count, 2 * sizeof(float) + 1);
    if (!steps) {
        return mem_error(err, "quantisation");
    }
    mem_free(l->steps);
    l->channels = channels;
    l->steps = steps;
    l->bias = steps + count;
    l->zeros = (uint8_t *)(steps + 2 * count);
    for (size_t c = 0; c < count; c++) {
        steps[c] = 1.0f;
    }
    return OK;
}

void quant_free(struct quantization *q)
{
    for (int i = 0; q->layers && i < q->layer_count; i++) {
        mem_free(q->layers[i].steps);
    }
    mem_free(q->layers);
    *q = (struct quantization){0};
}

enum result quant_hand_on(struct quantization *q, const struct network *net,
                          const enum quant_role *roles, struct error *err)
{
    for (int i = 0; i < net->layer_count; i++) {
        const struct layer *l = &net->layers[i];
        const struct route_state *s = l->ops == &route_ops ? l->state : NULL;
        int groups = s ? s->groups : 1, group = s ? s->group_id : 0, at = 0;
        if (roles[i] != QUANT_SAME) {
            continue;
        }
        TRY(quant_need_channels(&q->layers[i], l->out.c, err));
        for (int k = 0; k < l->input_count; k++) {
            const struct quant_layer *from = &q->layers[l->inputs[k]];
            int count = from->channels / groups;
            memcpy(q->layers[i].steps + at, from->steps + group * count,
                   (size_t)count * sizeof(float));
            memcpy(q->layers[i].zeros + at, from->zeros + group * count, (size_t)count);
            at += count;
        }
    }
    return OK;
}

/* ---- does it fit? ---- */

static enum result check_channels(const struct quantization *q, const struct network *net,
                                  const bool *rounded, const char *path, struct error *err)
{
    for (int i = 0; i < net->layer_count; i++) {
        const struct layer *l = &net->layers[i];
        if (rounded[i] && q->layers[i].channels != l->out.c) {
            return error_at(err, ERR_FORMAT, path, 0,
                            "layer %d has %d channels, not %d (make the file again with yolo "
                            "quantize)",
                            i, l->out.c, q->layers[i].channels);
        }
    }
    return OK;
}

static enum result check_layers(struct quantization *q, const struct network *net, const char *path,
                                bool *flags, enum quant_role *roles, struct error *err)
{
    for (int i = 0; i < net->layer_count; i++) {
        flags[i] = q->layers[i].is_int8;
        if (flags[i] && !int8_unit_possible(&net->layers[i])) {
            return error_at(err, ERR_FORMAT, path, 0, "layer %d, [%s], cannot be int8", i,
                            net->layers[i].ops->name);
        }
    }
    quant_find_roles(net, flags, roles);
    quant_find_rounded(net, roles, flags);
    TRY(check_channels(q, net, flags, path, err));
    return quant_hand_on(q, net, roles, err);
}

enum result quant_check(struct quantization *q, const struct network *net, const char *path,
                        struct error *err)
{
    if (q->layer_count != net->layer_count || q->network != quant_network_hash(net)) {
        return error_at(err, ERR_FORMAT, path, 0,
                        "is of another network than %s (make it again with yolo quantize)",
                        net->cfg.sections[0].path);
    }
    if (q->weights != quant_weights_hash(net)) {
        return error_at(err, ERR_FORMAT, path, 0,
                        "is of other weights: they have changed since (make it again with yolo "
                        "quantize)");
    }
    bool *flags = mem_alloc((size_t)net->layer_count, sizeof *flags);
    enum quant_role *roles = mem_alloc((size_t)net->layer_count, sizeof *roles);
    enum result result =
        flags && roles ? check_layers(q, net, path, flags, roles, err) : mem_error(err, path);
    mem_free(flags);
    mem_free(roles);
    return result;
}
