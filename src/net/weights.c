#include "net/weights.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/fileio.h"
#include "base/log.h"
#include "base/memory.h"

enum {
    MAX_CLASSES = 100000,
    SHORT_HEADER = 16,
    LONG_HEADER = 20,
    MAX_VERSION = 1000000, /* beyond, the file is something else */
    CHUNK = 4096,          /* floats written at a time */
};

/* More images than any training has seen: the field holds noise. */
static const uint64_t max_seen = 1000000000000000;

static const char wrong_cfg[] = "is this the right cfg for these weights?";

struct reader {
    const char *path;
    FILE *stream;
    size_t bytes; /* of the whole file */
    struct weights_header header;
    size_t odd_values;             /* not finite */
    const struct layer *odd_layer; /* the first with such a value */
    size_t negative_variances;
    const struct layer *negative_layer;
};

static enum result read_header(struct reader *r, struct error *err)
{
    unsigned char bytes[LONG_HEADER] = {0};
    size_t got = fread(bytes, 1, sizeof bytes, r->stream);
    if (ferror(r->stream)) {
        return error_errno(err, r->path, "cannot read");
    }
    if (got < SHORT_HEADER) {
        return error_at(err, ERR_FORMAT, r->path, 0,
                        "%zu bytes are too few for a .weights file (its header takes %d)", got,
                        SHORT_HEADER);
    }
    struct weights_header *h = &r->header;
    *h = (struct weights_header){.major = (int32_t)le32(bytes),
                                 .minor = (int32_t)le32(bytes + 4),
                                 .revision = (int32_t)le32(bytes + 8)};
    if (h->major < 0 || h->major > MAX_VERSION || h->minor < 0 || h->minor > MAX_VERSION) {
        return error_at(err, ERR_FORMAT, r->path, 0,
                        "not a Darknet .weights file: its version would be %" PRId32 ".%" PRId32
                        ".%" PRId32,
                        h->major, h->minor, h->revision);
    }
    bool is_long = (int64_t)h->major * 10 + h->minor >= 2;
    h->header_bytes = is_long ? LONG_HEADER : SHORT_HEADER;
    if (got < h->header_bytes) {
        return error_at(err, ERR_FORMAT, r->path, 0, "%zu bytes: the file ends in its header", got);
    }
    h->seen = is_long ? le64(bytes + 12) : le32(bytes + 12);
    if (h->seen > max_seen) {
        log_warn("%s: %" PRIu64 " images seen cannot be; taken as 0", r->path, h->seen);
        h->seen = 0;
    }
    return OK;
}

/* On success r->stream is open and stands behind the header. */
static enum result open_reader(struct reader *r, const char *path, struct error *err)
{
    uintmax_t size;
    *r = (struct reader){.path = path};
    TRY(file_open(path, &r->stream, &size, err));
    if (size > SIZE_MAX) {
        return error_at(err, ERR_FORMAT, path, 0, "too large");
    }
    r->bytes = (size_t)size;
    TRY(read_header(r, err));
    if (fseek(r->stream, (long)r->header.header_bytes, SEEK_SET) != 0) {
        return error_errno(err, path, "cannot read");
    }
    return OK;
}

static void close_reader(struct reader *r)
{
    if (r->stream) {
        fclose(r->stream);
    }
}

enum result weights_peek(const char *path, struct weights_header *header, struct error *err)
{
    struct reader r;
    enum result result = open_reader(&r, path, err);
    *header = r.header;
    close_reader(&r);
    return result;
}

static bool is_in_file(const struct layer *l, const struct param *p)
{
    if (l->dontload) {
        return false;
    }
    bool is_norm = p->is_statistic || strcmp(p->role, "scales") == 0;
    return !(l->dontloadscales && is_norm);
}

static size_t file_bytes(const struct layer *l)
{
    size_t floats = 0;
    for (int k = 0; k < l->param_count; k++) {
        floats += is_in_file(l, &l->params[k]) ? l->params[k].count : 0;
    }
    return floats * sizeof(float);
}

static size_t all_file_bytes(const struct network *net)
{
    size_t bytes = 0;
    for (int i = 0; i < net->layer_count; i++) {
        bytes += file_bytes(&net->layers[i]);
    }
    return bytes;
}

/* Would the payload fit if the keys dontload and dontloadscales were absent? */
static bool fits_whole(const struct network *net, size_t payload)
{
    return network_param_floats(net, net->layer_count, NULL) * sizeof(float) == payload;
}

/* How many layers the payload covers. It must end where a layer ends. */
static enum result account(const struct network *net, const struct reader *r, int *layers,
                           struct error *err)
{
    size_t payload = r->bytes - r->header.header_bytes, used = 0;
    const struct layer *last = NULL;
    for (int i = 0; i < net->layer_count; i++) {
        const struct layer *l = &net->layers[i];
        size_t wanted = file_bytes(l), left = payload - used;
        if (wanted > left && left == 0 && used > 0) {
            *layers = i;
            return OK;
        }
        if (wanted > left) {
            error_at(err, ERR_FORMAT, r->path, 0,
                     "layer %d [%s] needs %zu bytes at offset %zu, %zu are left: the file has %zu "
                     "bytes, the cfg %s wants %zu",
                     i, l->ops->name, wanted, r->header.header_bytes + used, left, r->bytes,
                     net->cfg.path, r->header.header_bytes + all_file_bytes(net));
            return error_hint(err, "%s", wrong_cfg);
        }
        used += wanted;
        last = wanted > 0 ? l : last;
    }
    *layers = net->layer_count;
    if (used == payload) {
        return OK;
    }
    error_at(err, ERR_FORMAT, r->path, 0,
             "%zu bytes are left behind the last layer with parameters, %d [%s]: the file has %zu "
             "bytes, the cfg %s wants %zu",
             payload - used, last ? last->index : 0, last ? last->ops->name : "none", r->bytes,
             net->cfg.path, r->header.header_bytes + used);
    if (fits_whole(net, payload)) {
        return error_hint(err, "they fit without the keys dontload and dontloadscales");
    }
    return error_hint(err, "%s", wrong_cfg);
}

/* Old files hold the weights of connected layers as [inputs][outputs]. */
static enum result transpose(const struct layer *l, const struct param *p, struct error *err)
{
    size_t outputs = (size_t)l->out.h * (size_t)l->out.w * (size_t)l->out.c;
    size_t inputs = p->count / outputs;
    float *copy = mem_alloc_raw(p->count, sizeof *copy);
    if (!copy) {
        return mem_error(err, "reading weights");
    }
    memcpy(copy, p->data, p->count * sizeof *copy);
    for (size_t o = 0; o < outputs; o++) {
        for (size_t i = 0; i < inputs; i++) {
            p->data[o * inputs + i] = copy[i * outputs + o];
        }
    }
    mem_free(copy);
    return OK;
}

static void examine(struct reader *r, const struct layer *l, const struct param *p)
{
    size_t odd = 0, negative = 0;
    bool is_variance = strcmp(p->role, "rolling_variance") == 0;
    for (size_t i = 0; i < p->count; i++) {
        odd += !isfinite(p->data[i]);
        /* beyond the 1e-5 that is added under the root; tiny ones occur in good files */
        negative += is_variance && p->data[i] <= -1e-5f;
    }
    if (odd > 0 && r->odd_values == 0) {
        r->odd_layer = l;
    }
    if (negative > 0 && r->negative_variances == 0) {
        r->negative_layer = l;
    }
    r->odd_values += odd;
    r->negative_variances += negative;
}

static enum result read_layer(struct reader *r, struct layer *l, struct error *err)
{
    bool is_old = r->header.major > 1000 || r->header.minor > 1000;
    for (int k = 0; k < l->param_count; k++) {
        const struct param *p = &l->params[k];
        if (!is_in_file(l, p)) {
            continue;
        }
        if (!p->data) {
            return error_set(err, ERR_MEMORY, "layer %d has no memory for its parameters",
                             l->index);
        }
        size_t got = fread(p->data, sizeof(float), p->count, r->stream);
        if (got != p->count) {
            return error_at(err, ERR_IO, r->path, 0, "layer %d [%s]: read %zu of %zu %s", l->index,
                            l->ops->name, got, p->count, p->role);
        }
        le32_to_host(p->data, p->count);
        if (is_old && strcmp(l->ops->name, "connected") == 0 && strcmp(p->role, "weights") == 0) {
            TRY(transpose(l, p, err));
        }
        examine(r, l, p);
    }
    return OK;
}

static void warn_values(const struct reader *r)
{
    if (r->odd_values > 0) {
        log_warn("%s: %zu values are not finite numbers, the first in layer %d [%s]", r->path,
                 r->odd_values, r->odd_layer->index, r->odd_layer->ops->name);
    }
    if (r->negative_variances > 0) {
        log_warn("%s: %zu variances are negative, the first in layer %d [%s] (%s)", r->path,
                 r->negative_variances, r->negative_layer->index, r->negative_layer->ops->name,
                 wrong_cfg);
    }
}

enum result weights_load(const char *path, struct network *net, struct error *err)
{
    struct reader r;
    int layers = 0;
    enum result result = open_reader(&r, path, err);
    if (result == OK) {
        result = account(net, &r, &layers, err);
    }
    for (int i = 0; i < layers && result == OK; i++) {
        result = read_layer(&r, &net->layers[i], err);
    }
    close_reader(&r);
    if (result != OK) {
        return result;
    }
    warn_values(&r);
    net->seen = r.header.seen;
    net->loaded_layers = layers;
    return OK;
}

/* ---- another number of classes ---- */

/* The head that a layer feeds alone, or NULL. */
static const struct head_info *head_above(const struct network *net, int layer)
{
    for (int i = layer + 1; i < net->layer_count; i++) {
        const struct layer *l = &net->layers[i];
        if (l->ops->head && l->inputs[0] == layer) {
            return l->ops->head(l);
        }
    }
    return NULL;
}

/* Bytes of a layer in the file if each head had `extra` more classes: a feeding layer's parameters
 * all come per filter. */
static size_t bytes_with_classes(const struct network *net, int layer, int extra)
{
    const struct layer *l = &net->layers[layer];
    const struct head_info *head = head_above(net, layer);
    size_t bytes = file_bytes(l);
    if (!head || bytes == 0) {
        return bytes;
    }
    long filters = (long)l->out.c + (long)head->slots * extra;
    return bytes / (size_t)l->out.c * (size_t)filters;
}

/* Finds the number of classes for which the payload fits; false if none does. */
static bool find_classes(const struct network *net, size_t payload, int *classes)
{
    const struct head_info *own = network_head(net);
    for (int c = 1; own && c <= MAX_CLASSES; c++) {
        size_t total = 0;
        for (int i = 0; i < net->layer_count; i++) {
            total += bytes_with_classes(net, i, c - own->classes);
        }
        if (total == payload) {
            *classes = c;
            return true;
        }
        if (total > payload) {
            break;
        }
    }
    return false;
}

static enum result read_fitting(struct reader *r, struct network *net, int extra, bool *is_loaded,
                                struct error *err)
{
    for (int i = 0; i < net->layer_count; i++) {
        struct layer *l = &net->layers[i];
        bool fits = extra == 0 || !head_above(net, i);
        if (fits) {
            TRY(read_layer(r, l, err));
        } else if (fseek(r->stream, (long)bytes_with_classes(net, i, extra), SEEK_CUR) != 0) {
            return error_errno(err, r->path, "cannot read");
        }
        is_loaded[i] = fits && l->param_count > 0;
    }
    return OK;
}

enum result weights_load_transfer(const char *path, struct network *net, bool *is_loaded,
                                  int *classes, struct error *err)
{
    struct reader r;
    const struct head_info *own = network_head(net);
    enum result result = weights_load(path, net, err);
    *classes = own ? own->classes : 0;
    if (result == OK) {
        for (int i = 0; i < net->layer_count; i++) {
            is_loaded[i] = i < net->loaded_layers && net->layers[i].param_count > 0;
        }
        return OK;
    }
    if (result != ERR_FORMAT) {
        return result;
    }
    struct error other;
    if (open_reader(&r, path, &other) == OK &&
        find_classes(net, r.bytes - r.header.header_bytes, classes)) {
        result = read_fitting(&r, net, *classes - own->classes, is_loaded, err);
        net->seen = 0;
        net->loaded_layers = 0;
        while (
            result == OK && net->loaded_layers < net->layer_count &&
            (is_loaded[net->loaded_layers] || net->layers[net->loaded_layers].param_count == 0)) {
            net->loaded_layers++;
        }
        warn_values(&r);
    }
    close_reader(&r);
    return result;
}

/* ---- saving ---- */

static void put_le32(unsigned char *bytes, uint32_t value)
{
    for (int i = 0; i < 4; i++) {
        bytes[i] = (unsigned char)(value >> 8 * i);
    }
}

/* Errors stay in the stream; atomic_commit reports them. */
static void write_floats(FILE *stream, const float *values, size_t count)
{
    float chunk[CHUNK];
    for (size_t at = 0; at < count; at += CHUNK) {
        size_t part = count - at < CHUNK ? count - at : CHUNK;
        memcpy(chunk, values + at, part * sizeof *chunk);
        le32_to_host(chunk, part); /* a swap is its own inverse */
        if (fwrite(chunk, sizeof *chunk, part, stream) != part) {
            return;
        }
    }
}

static enum result check_saveable(const char *path, const struct network *net, int layers,
                                  struct error *err)
{
    if (layers < 0 || layers > net->layer_count) {
        return error_at(err, ERR_ARG, path, 0, "cannot save %d layers of a network that has %d",
                        layers, net->layer_count);
    }
    for (int i = 0; i < layers; i++) {
        const struct layer *l = &net->layers[i];
        if (l->param_count > 0 && !l->params[0].data) {
            return error_at(err, ERR_ARG, path, 0,
                            "cannot save: the parameters of layer %d [%s] are not in memory", i,
                            l->ops->name);
        }
    }
    return OK;
}

enum result weights_save(const char *path, const struct network *net, int layers, uint64_t seen,
                         struct error *err)
{
    TRY(check_saveable(path, net, layers, err));
    struct atomic_file file;
    TRY(atomic_open(&file, path, err));
    unsigned char header[LONG_HEADER] = {0};
    put_le32(header + 4, 2);
    put_le32(header + 8, 5);
    put_le32(header + 12, (uint32_t)seen);
    put_le32(header + 16, (uint32_t)(seen >> 32));
    fwrite(header, 1, sizeof header, file.stream);
    for (int i = 0; i < layers; i++) {
        const struct layer *l = &net->layers[i];
        for (int k = 0; k < l->param_count; k++) {
            write_floats(file.stream, l->params[k].data, l->params[k].count);
        }
    }
    return atomic_commit(&file, err);
}
