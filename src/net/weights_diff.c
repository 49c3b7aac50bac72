#include "net/weights_diff.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "base/fileio.h"
#include "base/memory.h"

static void compare(const float *a, const float *b, size_t count, struct difference *d)
{
    d->count += count;
    for (size_t i = 0; i < count; i++) {
        uint32_t x, y;
        memcpy(&x, a + i, sizeof x);
        memcpy(&y, b + i, sizeof y);
        if (x == y) {
            continue;
        }
        d->changed++;
        for (int byte = 0; byte < 4; byte++) {
            d->bytes_changed += ((x ^ y) >> (8 * byte) & 0xff) != 0;
        }
        double gap = fabs((double)a[i] - (double)b[i]);
        if (isnan(a[i]) && isnan(b[i])) {
            gap = 0;
        }
        if (!(gap <= d->max_abs)) {
            d->max_abs = isnan(gap) ? (double)INFINITY : gap;
        }
    }
}

static void add(struct difference *total, const struct difference *part)
{
    total->count += part->count;
    total->changed += part->changed;
    total->bytes_changed += part->bytes_changed;
    total->max_abs = part->max_abs > total->max_abs ? part->max_abs : total->max_abs;
}

static void compare_layers(const struct network *other, struct weights_diff *diff)
{
    for (int i = 0; i < diff->net.loaded_layers; i++) {
        const struct layer *a = &diff->net.layers[i], *b = &other->layers[i];
        for (int k = 0; k < a->param_count; k++) {
            struct difference *part = &diff->parts[i * LAYER_MAX_PARAMS + k];
            compare(a->params[k].data, b->params[k].data, a->params[k].count, part);
            add(&diff->total, part);
        }
    }
}

static enum result load(const char *cfg, const char *weights, struct network *net,
                        struct error *err)
{
    TRY(network_read(cfg, 0, 0, net, err));
    TRY(network_allocate(net, err));
    return weights_load(weights, net, err);
}

static enum result diff_networks(const char *cfg, const char *const paths[2], struct network *other,
                                 struct weights_diff *diff, struct error *err)
{
    struct network *nets[2] = {&diff->net, other};
    for (int i = 0; i < 2; i++) {
        TRY(load(cfg, paths[i], nets[i], err));
        TRY(weights_peek(paths[i], &diff->headers[i], err));
        diff->headers[i].seen = nets[i]->seen; /* behind a header as long as the size says */
    }
    if (nets[0]->loaded_layers != nets[1]->loaded_layers) {
        return error_set(err, ERR_FORMAT, "sizes differ: %s holds %d layers, %s holds %d", paths[0],
                         nets[0]->loaded_layers, paths[1], nets[1]->loaded_layers);
    }
    diff->parts = mem_alloc((size_t)nets[0]->layer_count * LAYER_MAX_PARAMS, sizeof *diff->parts);
    if (!diff->parts) {
        return mem_error(err, "the differences");
    }
    compare_layers(other, diff);
    return OK;
}

static enum result diff_payloads(const char *const paths[2], struct weights_diff *diff,
                                 struct error *err)
{
    struct weights_header *headers = diff->headers;
    TRY(weights_peek_pair(paths, headers, err));
    char *data[2] = {NULL, NULL};
    size_t floats[2] = {0, 0};
    enum result result = OK;
    for (int i = 0; i < 2 && result == OK; i++) {
        size_t size, skip = headers[i].header_bytes;
        result = file_read(paths[i], SIZE_MAX - 1, &data[i], &size, err);
        if (result == OK && (size < skip || (size - skip) % 4)) {
            result =
                error_at(err, ERR_FORMAT, paths[i], 0, "%zu bytes are no whole number of values",
                         size < skip ? size : size - skip);
        }
        if (result == OK) {
            floats[i] = (size - skip) / 4;
            le32_to_host(data[i] + skip, floats[i]);
        }
    }
    if (result == OK && floats[0] != floats[1]) {
        result = error_set(err, ERR_FORMAT, "sizes differ: %s holds %zu values, %s holds %zu",
                           paths[0], floats[0], paths[1], floats[1]);
    }
    if (result == OK) {
        compare((const float *)(const void *)(data[0] + headers[0].header_bytes),
                (const float *)(const void *)(data[1] + headers[1].header_bytes), floats[0],
                &diff->total);
    }
    mem_free(data[0]);
    mem_free(data[1]);
    return result;
}

enum result weights_diff_find(const char *cfg, const char *const paths[2],
                              struct weights_diff *diff, struct error *err)
{
    if (!cfg) {
        return diff_payloads(paths, diff, err);
    }
    struct network other = {0};
    enum result result = diff_networks(cfg, paths, &other, diff, err);
    network_free(&other);
    return result;
}

void weights_diff_free(struct weights_diff *diff)
{
    mem_free(diff->parts);
    network_free(&diff->net);
}
