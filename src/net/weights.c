#include "net/weights.h"

#include <inttypes.h>
#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "base/fileio.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "base/sniff.h"

enum {
    MAX_CLASSES = 100000,
    SHORT_HEADER = 16,
    LONG_HEADER = 20,
    MAX_VERSION = 1000000, /* beyond, the file is something else */
    MAX_CHANNELS = 4,      /* that a network's input is guessed to have */
    CHUNK = 4096,          /* floats written at a time */
    PART = 65536,          /* floats that a thread reads at a time */
};

/* More images than any training has seen: the field holds noise, or its upper half is a weight. */
static const uint64_t max_seen = 1000000000000000;

static const char wrong_cfg[] = "is this the right cfg for these weights?";

struct weights_file {
    const char *path;
    FILE *stream;
    size_t bytes; /* of the whole file */
    size_t at;    /* offset of what is read next */
    int next;     /* layer that weights_read_next reads */
    struct weights_header header;
    uint32_t words[2];             /* images seen: all of it in a short header, or its halves */
    size_t odd_values;             /* not finite */
    const struct layer *odd_layer; /* the first with such a value */
    size_t negative_variances;
    const struct layer *negative_layer;
};

/* Is it the upper half of a number of images? Bits as small as that are no weight but 0. */
static bool has_long_seen(const struct weights_file *r)
{
    return r->words[1] <= max_seen >> 32;
}

static void set_header(struct weights_file *r, bool is_long)
{
    r->header.header_bytes = is_long ? LONG_HEADER : SHORT_HEADER;
    r->header.seen = is_long ? (uint64_t)r->words[1] << 32 | r->words[0] : r->words[0];
}

static enum result refuse(const struct weights_file *r, const unsigned char *bytes, size_t got,
                          struct error *err)
{
    const struct weights_header *h = &r->header;
    const char *kind = sniff(bytes, got);
    if (kind) {
        return error_at(err, ERR_FORMAT, r->path, 0, "not a Darknet .weights file but %s", kind);
    }
    return error_at(err, ERR_FORMAT, r->path, 0,
                    "not a Darknet .weights file: its version would be %" PRId32 ".%" PRId32
                    ".%" PRId32,
                    h->major, h->minor, h->revision);
}

static enum result read_header(struct weights_file *r, struct error *err)
{
    unsigned char bytes[SNIFF_BYTES] = {0};
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
    r->words[0] = le32(bytes + 12);
    r->words[1] = le32(bytes + 16);
    /* safetensors and tar files begin as a version may; no revision has so many digits */
    bool is_odd = h->major < 0 || h->major > MAX_VERSION || h->minor < 0 || h->minor > MAX_VERSION;
    if (is_odd || ((h->revision < 0 || h->revision > MAX_VERSION) && sniff(bytes, got))) {
        return refuse(r, bytes, got, err);
    }
    set_header(r, (int64_t)h->major * 10 + h->minor >= 2);
    if (got < h->header_bytes) {
        return error_at(err, ERR_FORMAT, r->path, 0, "%zu bytes: the file ends in its header", got);
    }
    return OK;
}

static void check_seen(struct weights_file *r)
{
    if (r->header.seen > max_seen) {
        log_warn("%s: %" PRIu64 " images seen cannot be; taken as 0", r->path, r->header.seen);
        r->header.seen = 0;
    }
}

/* On success r->stream is open and its header is what its version says. */
static enum result open_file(struct weights_file *r, const char *path, struct error *err)
{
    uintmax_t size;
    *r = (struct weights_file){.path = path};
    TRY(file_open(path, &r->stream, &size, err));
    if (size > SIZE_MAX) {
        return error_at(err, ERR_FORMAT, path, 0, "too large");
    }
    r->bytes = (size_t)size;
    return read_header(r, err);
}

static void close_file(struct weights_file *r)
{
    if (r->stream) {
        fclose(r->stream);
    }
}

enum result weights_peek(const char *path, struct weights_header *header, struct error *err)
{
    struct weights_file r;
    enum result result = open_file(&r, path, err);
    *header = r.header;
    close_file(&r);
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

/* The head that a layer feeds, or NULL. */
static const struct head_info *head_above(const struct network *net, int layer)
{
    const struct layer *head = class_rows_head(net, layer);
    return head ? head->ops->head(head) : NULL;
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

/* Would the payload fit if the keys dontload and dontloadscales were absent? */
static bool fits_whole(const struct network *net, size_t payload)
{
    return network_param_floats(net, net->layer_count, NULL) * sizeof(float) == payload;
}

/* Whether the payload would fit a network input of other channels, and of how many: only the
 * weights of the first layer depend on them. */
static bool find_channels(const struct network *net, size_t payload, int *channels)
{
    const struct param *weights = layer_param(&net->layers[0], "weights");
    size_t own = (size_t)net->options.channels, all = all_file_bytes(net);
    if (!weights || !is_in_file(&net->layers[0], weights) || weights->count % own) {
        return false;
    }
    size_t each = weights->count / own * sizeof(float), others = all - each * own;
    if (payload <= others || (payload - others) % each ||
        (payload - others) / each > MAX_CHANNELS) {
        return false;
    }
    *channels = (int)((payload - others) / each);
    return true;
}

/* Appends what else the payload would fit; false if nothing. */
static bool hint_at(const struct network *net, size_t payload, struct error *err)
{
    int count;
    if (fits_whole(net, payload)) {
        error_hint(err, "they fit without the keys dontload and dontloadscales");
    } else if (find_channels(net, payload, &count)) {
        error_hint(err, "they fit channels=%d", count);
    } else if (find_classes(net, payload, &count)) {
        error_hint(err, "they fit classes=%d", count);
    } else {
        return false;
    }
    return true;
}

/* PyTorch ports write the long header under the version of the short one; others write the short one under the version of
 * the long. The other length is taken where the size of the file fits it exactly, and the first value is not the upper
 * half of the images seen (for the long header: is). */
static bool may_be(const struct weights_file *r, bool is_long)
{
    return has_long_seen(r) == is_long && r->bytes >= LONG_HEADER;
}

static enum result add_hint(const struct network *net, const struct weights_file *r,
                            struct error *err)
{
    size_t own = r->header.header_bytes, other = SHORT_HEADER + LONG_HEADER - own;
    if (!hint_at(net, r->bytes - own, err) &&
        !(may_be(r, other == LONG_HEADER) && hint_at(net, r->bytes - other, err))) {
        error_hint(err, "%s", wrong_cfg);
    }
    return err ? err->code : ERR_FORMAT;
}

static void take_header(struct weights_file *r, bool is_long)
{
    size_t own = r->header.header_bytes;
    set_header(r, is_long);
    log_warn("%s: version %" PRId32 ".%" PRId32
             " has a header of %zu bytes, but by its size this file "
             "has one of %zu: taken so",
             r->path, r->header.major, r->header.minor, own, r->header.header_bytes);
}

static void fit_header(const struct network *net, struct weights_file *r)
{
    size_t own = r->header.header_bytes, other = SHORT_HEADER + LONG_HEADER - own;
    size_t values = all_file_bytes(net);
    if (r->bytes != own + values && r->bytes == other + values && may_be(r, other == LONG_HEADER)) {
        take_header(r, other == LONG_HEADER);
    }
}

static size_t value_bytes(const struct weights_file *r)
{
    return r->bytes - r->header.header_bytes;
}

static void agree(struct weights_file readers[2])
{
    for (int i = 0; i < 2 && value_bytes(&readers[0]) != value_bytes(&readers[1]); i++) {
        struct weights_file *r = &readers[i];
        bool is_long = r->header.header_bytes == SHORT_HEADER; /* the length that it is not */
        size_t other = is_long ? LONG_HEADER : SHORT_HEADER;
        if (may_be(r, is_long) && r->bytes - other == value_bytes(&readers[1 - i])) {
            take_header(r, is_long);
        }
    }
}

enum result weights_peek_pair(const char *const paths[2], struct weights_header headers[2],
                              struct error *err)
{
    struct weights_file readers[2] = {0};
    enum result result = open_file(&readers[0], paths[0], err);
    result = result == OK ? open_file(&readers[1], paths[1], err) : result;
    if (result == OK) {
        agree(readers);
    }
    for (int i = 0; i < 2; i++) {
        if (result == OK) {
            check_seen(&readers[i]);
        }
        headers[i] = readers[i].header;
        close_file(&readers[i]);
    }
    return result;
}

/* How many layers the payload covers. It must end where a layer ends. */
static enum result account(const struct network *net, const struct weights_file *r, int *layers,
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
            return add_hint(net, r, err);
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
    return add_hint(net, r, err);
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

/* Floats that all threads read and look at. */
struct values {
    const struct weights_file *file;
    float *into;
    size_t count;
    bool are_variances;
    atomic_size_t odd, negative;
    atomic_bool has_failed;
};

static void read_part(void *ctx, size_t item, int thread)
{
    struct values *v = ctx;
    size_t first = item * PART, count = v->count - first < PART ? v->count - first : PART;
    float *values = v->into + first;
    (void)thread;
    if (!file_read_at(v->file->stream, v->file->at + first * sizeof *values, values,
                      count * sizeof *values)) {
        atomic_store(&v->has_failed, true);
        return;
    }
    le32_to_host(values, count);
    size_t odd = 0, negative = 0;
    for (size_t i = 0; i < count; i++) {
        odd += !isfinite(values[i]);
        /* beyond the 1e-5 that is added under the root; tiny ones occur in good files */
        negative += v->are_variances && values[i] <= -1e-5f;
    }
    atomic_fetch_add(&v->odd, odd);
    atomic_fetch_add(&v->negative, negative);
}

/* The file's next `count` floats, which are some or all of a layer's parameter p. */
static enum result read_values(struct weights_file *r, const struct layer *l, const struct param *p,
                               size_t count, float *into, struct error *err)
{
    struct values v = {.file = r,
                       .into = into,
                       .count = count,
                       .are_variances = strcmp(p->role, "rolling_variance") == 0};
    parallel_for((count + PART - 1) / PART, read_part, &v);
    if (atomic_load(&v.has_failed)) {
        return error_at(err, ERR_IO, r->path, 0, "layer %d [%s]: cannot read its %s at offset %zu",
                        l->index, l->ops->name, p->role, r->at);
    }
    r->at += count * sizeof *into;
    size_t odd = atomic_load(&v.odd), negative = atomic_load(&v.negative);
    if (odd > 0 && r->odd_values == 0) {
        r->odd_layer = l;
    }
    if (negative > 0 && r->negative_variances == 0) {
        r->negative_layer = l;
    }
    r->odd_values += odd;
    r->negative_variances += negative;
    return OK;
}

static enum result read_layer(struct weights_file *r, struct layer *l, struct error *err)
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
        TRY(read_values(r, l, p, p->count, p->data, err));
        if (is_old && strcmp(l->ops->name, "connected") == 0 && strcmp(p->role, "weights") == 0) {
            TRY(transpose(l, p, err));
        }
    }
    return OK;
}

static void warn_values(const struct weights_file *r)
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

/* Of a file whose size has been accounted for. */
static void begin_values(struct weights_file *r, struct network *net, int layers)
{
    r->at = r->header.header_bytes;
    check_seen(r);
    net->seen = r->header.seen;
    net->loaded_layers = layers;
}

/* Layers [0, layers). */
static enum result read_layers(struct weights_file *r, struct network *net, int layers,
                               struct error *err)
{
    begin_values(r, net, layers);
    for (int i = 0; i < layers; i++) {
        TRY(read_layer(r, &net->layers[i], err));
    }
    warn_values(r);
    return OK;
}

static enum result open_fitting(struct weights_file *r, const char *path, const struct network *net,
                                int *layers, struct error *err)
{
    TRY(open_file(r, path, err));
    fit_header(net, r);
    return account(net, r, layers, err);
}

enum result weights_load(const char *path, struct network *net, struct error *err)
{
    struct weights_file r;
    int layers = 0;
    enum result result = open_fitting(&r, path, net, &layers, err);
    if (result == OK) {
        result = read_layers(&r, net, layers, err);
    }
    close_file(&r);
    return result;
}

/* ---- layer by layer ---- */

enum result weights_open(const char *path, struct network *net, struct weights_file **file,
                         struct error *err)
{
    int layers = 0;
    *file = mem_alloc(1, sizeof **file);
    if (!*file) {
        return mem_error(err, "reading weights");
    }
    enum result result = open_fitting(*file, path, net, &layers, err);
    if (result == OK) {
        begin_values(*file, net, layers);
    } else {
        weights_close(*file);
        *file = NULL;
    }
    return result;
}

enum result weights_read_next(struct weights_file *file, struct network *net, struct error *err)
{
    struct layer *l = &net->layers[file->next];
    bool is_there = file->next < net->loaded_layers;
    for (int k = 0; k < l->param_count; k++) {
        if (!is_there || !is_in_file(l, &l->params[k])) {
            network_reset(&l->params[k]);
        }
    }
    if (is_there) {
        TRY(read_layer(file, l, err));
    }
    if (++file->next == net->layer_count) {
        warn_values(file);
    }
    return OK;
}

void weights_close(struct weights_file *file)
{
    if (file) {
        close_file(file);
        mem_free(file);
    }
}

/* ---- another number of classes ---- */

/* find_classes by the header that the version says, else by the other one. */
static bool fit_classes(const struct network *net, struct weights_file *r, int *classes)
{
    bool is_long = r->header.header_bytes == LONG_HEADER;
    if (find_classes(net, r->bytes - r->header.header_bytes, classes)) {
        return true;
    }
    size_t other = SHORT_HEADER + LONG_HEADER - r->header.header_bytes;
    if (!may_be(r, !is_long) || !find_classes(net, r->bytes - other, classes)) {
        return false;
    }
    take_header(r, !is_long);
    return true;
}

/* One parameter of a layer that feeds a head, whose file has other classes. */
static enum result read_rows(struct weights_file *r, const struct layer *l,
                             const struct head_info *head, const struct param *p,
                             const struct class_match *match, size_t *loaded, struct error *err)
{
    size_t row = p->count / (size_t)l->out.c;
    size_t filters = (size_t)head->slots * ((size_t)head->objectness + 1 + match->old_count);
    float *old = mem_alloc_raw(row * filters, sizeof *old);
    if (!old) {
        return mem_error(err, "reading weights");
    }
    enum result result = read_values(r, l, p, row * filters, old, err);
    *loaded += result == OK ? class_rows_take(l, head, p, old, match) : 0;
    mem_free(old);
    return result;
}

static enum result read_matched(struct weights_file *r, struct layer *l,
                                const struct head_info *head, const struct class_match *match,
                                size_t *loaded, struct error *err)
{
    for (int k = 0; k < l->param_count; k++) {
        if (!is_in_file(l, &l->params[k])) {
            continue;
        }
        if (!l->params[k].data) {
            return error_set(err, ERR_MEMORY, "layer %d has no memory for its parameters",
                             l->index);
        }
        TRY(read_rows(r, l, head, &l->params[k], match, loaded, err));
    }
    return OK;
}

static enum result read_fitting(struct weights_file *r, struct network *net, int extra,
                                const struct class_match *match, size_t *loaded, struct error *err)
{
    for (int i = 0; i < net->layer_count; i++) {
        struct layer *l = &net->layers[i];
        const struct head_info *head = head_above(net, i);
        loaded[i] = 0;
        if (head && match) {
            TRY(read_matched(r, l, head, match, &loaded[i], err));
        } else if (extra == 0 || !head) {
            TRY(read_layer(r, l, err));
            loaded[i] = layer_values(l);
        } else {
            r->at += bytes_with_classes(net, i, extra);
        }
    }
    return OK;
}

/* What the file is to the network: *layers that it fills as it is, or 0 where it has other *classes; of one that is cut
 * on a layer's border *classes is 0. ERR_FORMAT with weights_load's message: it fits nothing. */
static enum result open_for_classes(struct weights_file *r, const char *path,
                                    const struct network *net, int *classes, int *layers,
                                    struct error *err)
{
    const struct head_info *own = network_head(net);
    *classes = *layers = 0;
    TRY(open_file(r, path, err));
    fit_header(net, r);
    enum result result = account(net, r, layers, err);
    if (result == ERR_FORMAT && fit_classes(net, r, classes)) {
        *layers = 0;
        return OK;
    }
    *classes = result == OK && own && *layers == net->layer_count ? own->classes : 0;
    return result;
}

enum result weights_find_classes(const char *path, const struct network *net, int *classes,
                                 struct error *err)
{
    struct weights_file r = {0};
    int layers;
    enum result result = open_for_classes(&r, path, net, classes, &layers, err);
    close_file(&r);
    return result == ERR_FORMAT ? OK : result;
}

static void note_loaded(const struct network *net, size_t *loaded)
{
    for (int i = 0; i < net->layer_count; i++) {
        loaded[i] = i < net->loaded_layers ? layer_values(&net->layers[i]) : 0;
    }
}

static enum result load_matched(struct weights_file *r, struct network *net, int classes,
                                const struct class_match *match, size_t *loaded, struct error *err)
{
    if (match && match->old_count != (size_t)classes) {
        return error_at(err, ERR_FORMAT, r->path, 0, "trained for %d classes, not for %zu", classes,
                        match->old_count);
    }
    r->at = r->header.header_bytes;
    TRY(read_fitting(r, net, classes - network_head(net)->classes, match, loaded, err));
    net->seen = 0;
    net->loaded_layers = 0;
    while (net->loaded_layers < net->layer_count &&
           loaded[net->loaded_layers] == layer_values(&net->layers[net->loaded_layers])) {
        net->loaded_layers++;
    }
    warn_values(r);
    return OK;
}

enum result weights_load_transfer(const char *path, struct network *net,
                                  const struct class_match *match, size_t *loaded, int *classes,
                                  struct error *err)
{
    struct weights_file r = {0};
    const struct head_info *own = network_head(net);
    int layers;
    enum result result = open_for_classes(&r, path, net, classes, &layers, err);
    if (result == OK && *classes > 0 && (layers == 0 || match)) {
        result = load_matched(&r, net, *classes, match, loaded, err);
    } else if (result == OK) {
        result = read_layers(&r, net, layers, err);
        note_loaded(net, loaded);
        *classes = own ? own->classes : 0;
    }
    close_file(&r);
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
