#include "train/checkpoint.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "base/fileio.h"
#include "base/path.h"
#include "base/leftovers.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/ranks.h"
#include "net/weights.h"

enum { STATE_VERSION = 5, MAX_OPTIONS = 65536, MAX_STAGES = 1 << 20, COMPARE_FLOATS = 16384 };

static const char state_name[] = "last.state";
static const char rollback_name[] = "rollback.state";
static const char last_name[] = "last.weights";
const char checkpoint_quant_name[] = "last.int8";
static const char best_name[] = "best.weights", best_quant_name[] = "best.int8";

/* ---- the fixed part ---- */

enum field_kind { FIELD_U32, FIELD_U64, FIELD_SIZE, FIELD_F64 };

/* In file order; another list is another STATE_VERSION. */
#define FIELD(kind, name)                                                                          \
    {                                                                                              \
        kind, offsetof(struct train_progress, name)                                                \
    }
static const struct {
    enum field_kind kind;
    size_t offset;
} progress_fields[] = {
    FIELD(FIELD_U64, seed),
    FIELD(FIELD_U64, iteration),
    FIELD(FIELD_U64, images_seen),
    FIELD(FIELD_U64, samples),
    FIELD(FIELD_U64, mini_batches),
    FIELD(FIELD_U32, stage),
    FIELD(FIELD_U64, stage_iteration),
    FIELD(FIELD_U64, stage_first_sample),
    FIELD(FIELD_U64, frozen_hash),
    FIELD(FIELD_F64, best_map),
    FIELD(FIELD_U64, best_iteration),
    FIELD(FIELD_F64, stage_best_map),
    FIELD(FIELD_U64, validations_without_gain),
    FIELD(FIELD_F64, average_loss),
    FIELD(FIELD_F64, rate_factor),
    FIELD(FIELD_U32, rollbacks),
    FIELD(FIELD_F64, seconds),
    FIELD(FIELD_F64, sums.parts.box),
    FIELD(FIELD_F64, sums.parts.objectness),
    FIELD(FIELD_F64, sums.parts.classes),
    FIELD(FIELD_F64, sums.parts.values),
    FIELD(FIELD_F64, sums.parts.iou_sum),
    FIELD(FIELD_SIZE, sums.parts.assignments),
    FIELD(FIELD_SIZE, sums.parts.truths),
    FIELD(FIELD_U64, sums.updates),
    FIELD(FIELD_F64, sums.gradient_norm),
};
#undef FIELD

enum { FIELD_COUNT = sizeof progress_fields / sizeof progress_fields[0] };

static void put_progress(struct state_writer *out, const struct train_progress *progress)
{
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        const void *field = (const char *)progress + progress_fields[i].offset;
        switch (progress_fields[i].kind) {
        case FIELD_U32:
            state_put_u32(out, *(const uint32_t *)field);
            break;
        case FIELD_U64:
            state_put_u64(out, *(const uint64_t *)field);
            break;
        case FIELD_SIZE:
            state_put_u64(out, *(const size_t *)field);
            break;
        case FIELD_F64:
            state_put_f64(out, *(const double *)field);
            break;
        }
    }
}

static enum result get_progress(struct state_reader *in, struct train_progress *progress,
                                struct error *err)
{
    uint64_t size;
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        void *field = (char *)progress + progress_fields[i].offset;
        switch (progress_fields[i].kind) {
        case FIELD_U32:
            TRY(state_get_u32(in, field, err));
            break;
        case FIELD_U64:
            TRY(state_get_u64(in, field, err));
            break;
        case FIELD_SIZE:
            TRY(state_get_u64(in, &size, err));
            *(size_t *)field = (size_t)size;
            break;
        case FIELD_F64:
            TRY(state_get_f64(in, field, err));
            break;
        }
    }
    return OK;
}

/* ---- the network ---- */

static void put_network(struct state_writer *out, const struct network *net)
{
    state_put_u32(out, (uint32_t)net->layer_count);
    for (int i = 0; i < net->layer_count; i++) {
        const struct layer *l = &net->layers[i];
        state_put_u32(out, (uint32_t)l->param_count);
        for (int k = 0; k < l->param_count; k++) {
            state_put_u64(out, l->params[k].count);
        }
    }
    for (int i = 0; i < net->layer_count; i++) {
        const struct layer *l = &net->layers[i];
        for (int k = 0; k < l->param_count; k++) {
            state_put_floats(out, l->params[k].data, l->params[k].count);
        }
    }
}

static enum result check_layer(struct state_reader *in, const struct layer *l, struct error *err)
{
    uint32_t params;
    TRY(state_get_u32(in, &params, err));
    if (params != (uint32_t)l->param_count) {
        return error_at(err, ERR_FORMAT, in->path, 0,
                        "is of another network: layer %d [%s] has %" PRIu32
                        " tensors in it, %d in the cfg",
                        l->index, l->ops->name, params, l->param_count);
    }
    for (int k = 0; k < l->param_count; k++) {
        uint64_t count;
        TRY(state_get_u64(in, &count, err));
        if (count != l->params[k].count) {
            return error_at(err, ERR_FORMAT, in->path, 0,
                            "is of another network: layer %d [%s] has %" PRIu64
                            " %s in it, %zu in the cfg",
                            l->index, l->ops->name, count, l->params[k].role, l->params[k].count);
        }
    }
    return OK;
}

static enum result check_memory(const char *path, const struct network *net, struct error *err)
{
    for (int i = 0; i < net->layer_count; i++) {
        const struct layer *l = &net->layers[i];
        if (l->param_count > 0 && !l->params[0].data) {
            return error_at(err, ERR_ARG, path, 0,
                            "the parameters of layer %d [%s] are not in memory", i, l->ops->name);
        }
    }
    return OK;
}

enum result checkpoint_restore_network(struct checkpoint *checkpoint, struct network *net,
                                       struct error *err)
{
    struct state_reader *in = &checkpoint->reader;
    uint32_t layers;
    TRY(check_memory(in->path, net, err));
    TRY(state_get_u32(in, &layers, err));
    if (layers != (uint32_t)net->layer_count) {
        return error_at(err, ERR_FORMAT, in->path, 0,
                        "is of another network: %" PRIu32 " layers, the cfg has %d", layers,
                        net->layer_count);
    }
    for (int i = 0; i < net->layer_count; i++) {
        TRY(check_layer(in, &net->layers[i], err));
    }
    for (int i = 0; i < net->layer_count; i++) {
        const struct layer *l = &net->layers[i];
        for (int k = 0; k < l->param_count; k++) {
            TRY(state_get_floats(in, l->params[k].data, l->params[k].count, err));
        }
    }
    net->seen = checkpoint->progress.images_seen;
    net->loaded_layers = net->layer_count;
    return OK;
}

/* ---- saving ---- */

static enum result save_quant(const char *path, const struct quantization *quant,
                              const struct network *net, struct error *err)
{
    if (!quant) {
        return OK;
    }
    struct quantization own = *quant; /* but for the weights' hash the same */
    own.weights = quant_weights_hash(net);
    return quant_write(path, &own, err);
}

/* Write what to detect with: the averages if there are any, else the parameters. */
static enum result save_weights(const char *folder, bool is_best, struct network *net,
                                struct optimizer *optimizer, uint64_t seen,
                                const struct quantization *quant, struct error *err)
{
    char path[4096], quant_path[4096];
    TRY(path_in(path, sizeof path, folder, is_best ? best_name : last_name, err));
    TRY(path_in(quant_path, sizeof quant_path, folder,
                is_best ? best_quant_name : checkpoint_quant_name, err));
    optimizer_swap_ema(optimizer);
    enum result result = weights_save(path, net, net->layer_count, seen, err);
    result = result == OK ? save_quant(quant_path, quant, net, err) : result;
    optimizer_swap_ema(optimizer);
    return result;
}

static enum result save_state(const char *folder, const struct checkpoint_content *content,
                              struct error *err)
{
    char path[4096];
    struct state_writer out;
    TRY(path_in(path, sizeof path, folder, state_name, err));
    TRY(state_create(&out, path, STATE_VERSION, err));
    put_progress(&out, content->progress);
    state_put_u64(&out, content->fingerprint->cfg);
    state_put_u64(&out, content->fingerprint->dataset);
    state_put_text(&out, content->fingerprint->options);
    state_put_text(&out, content->fingerprint->stages);
    put_network(&out, content->net);
    optimizer_write(content->optimizer, &out);
    return state_commit(&out, err);
}

static enum result check_content(const char *folder, const struct checkpoint_content *content,
                                 struct error *err)
{
    if (optimizer_is_swapped(content->optimizer)) {
        return error_at(err, ERR_ARG, folder, 0,
                        "no checkpoint while the averages stand in for the weights");
    }
    if (strlen(content->fingerprint->stages) > MAX_STAGES) {
        return error_at(err, ERR_ARG, folder, 0, "the stages take more than %d bytes", MAX_STAGES);
    }
    if (strlen(content->fingerprint->options) > MAX_OPTIONS) {
        return error_at(err, ERR_ARG, folder, 0, "the options take more than %d bytes",
                        MAX_OPTIONS);
    }
    return check_memory(folder, content->net, err);
}

static enum result save_last(const char *folder, const struct checkpoint_content *content,
                             struct error *err)
{
    TRY(check_content(folder, content, err));
    TRY(save_state(folder, content, err));
    return save_weights(folder, false, content->net, content->optimizer,
                        content->progress->images_seen, content->quant, err);
}

enum result checkpoint_save_best(const char *folder, const struct checkpoint_content *content,
                                 struct error *err)
{
    TRY(check_content(folder, content, err));
    return save_weights(folder, true, content->net, content->optimizer,
                        content->progress->images_seen, content->quant, err);
}

/* A run that is killed before the new last.state stands comes to it again from the interrupt's state, without going back
 * in between: it does not need rollback.state. */
enum result checkpoint_save(const char *folder, const struct checkpoint_content *content,
                            struct error *err)
{
    char path[4096];
    TRY(path_in(path, sizeof path, folder, rollback_name, err));
    if (unlink(path) != 0 && errno != ENOENT) {
        return error_errno(err, path, "cannot remove");
    }
    return save_last(folder, content, err);
}

/* A file system without hard links cannot keep the state before: the run then goes back to the interrupt's. */
enum result checkpoint_save_interrupted(const char *folder,
                                        const struct checkpoint_content *content, struct error *err)
{
    char state[4096], rollback[4096];
    TRY(path_in(state, sizeof state, folder, state_name, err));
    TRY(path_in(rollback, sizeof rollback, folder, rollback_name, err));
    if (link(state, rollback) != 0 && errno != EEXIST) {
        log_debug("%s: cannot be kept as %s: %s", state, rollback_name, strerror(errno));
    }
    return save_last(folder, content, err);
}

enum result checkpoint_go_back(const char *folder, struct error *err)
{
    char state[4096], rollback[4096];
    TRY(path_in(state, sizeof state, folder, state_name, err));
    TRY(path_in(rollback, sizeof rollback, folder, rollback_name, err));
    return rename(rollback, state) == 0 || errno == ENOENT
               ? OK
               : error_errno(err, rollback, "cannot rename");
}

void checkpoint_leave_word(const char *folder)
{
    char line[4608];
    snprintf(
        line, sizeof line,
        "a process of the training was lost; the last checkpoint is whole: yolo train --resume "
        "%s",
        folder);
    ranks_last_words(line);
}

/* ---- opening ---- */

enum result checkpoint_open(const char *folder, struct checkpoint *checkpoint, struct error *err)
{
    char path[4096];
    struct checkpoint *c = checkpoint;
    *c = (struct checkpoint){0};
    if (strlen(folder) >= sizeof c->folder) {
        return error_at(err, ERR_IO, folder, 0, "path too long");
    }
    strcpy(c->folder, folder);
    TRY(path_in(path, sizeof path, folder, state_name, err));
    TRY(state_open(&c->reader, path, STATE_VERSION, err));
    TRY(get_progress(&c->reader, &c->progress, err));
    TRY(state_get_u64(&c->reader, &c->fingerprint.cfg, err));
    TRY(state_get_u64(&c->reader, &c->fingerprint.dataset, err));
    char *text = NULL;
    TRY(state_get_text(&c->reader, MAX_OPTIONS, &text, err));
    c->fingerprint.options = text;
    TRY(state_get_text(&c->reader, MAX_STAGES, &text, err));
    c->fingerprint.stages = text;
    return OK;
}

void checkpoint_close(struct checkpoint *checkpoint)
{
    state_close(&checkpoint->reader);
    mem_free((void *)(uintptr_t)checkpoint->fingerprint.options);
    mem_free((void *)(uintptr_t)checkpoint->fingerprint.stages);
    checkpoint->fingerprint = (struct train_fingerprint){0};
}

static size_t line_length(const char *line)
{
    return strcspn(line, "\n");
}

static const char *next_line(const char *line)
{
    line += line_length(line);
    return *line ? line + 1 : line;
}

/* The line of `text` with the key of `line`, or NULL. */
static const char *find_key(const char *text, const char *line)
{
    size_t key = strcspn(line, "=\n");
    for (; *text; text = next_line(text)) {
        if (strcspn(text, "=\n") == key && memcmp(text, line, key) == 0) {
            return text;
        }
    }
    return NULL;
}

static const char *value_of(const char *line, int *length)
{
    if (!line) {
        *length = 7;
        return "not set";
    }
    size_t start = strcspn(line, "=\n"), whole = line_length(line);
    start += start < whole;
    *length = whole - start < 100 ? (int)(whole - start) : 100;
    return line + start;
}

static enum result option_error(const struct checkpoint *c, const char *then, const char *now,
                                struct error *err)
{
    const char *any = then ? then : now;
    size_t key = strcspn(any, "=\n");
    int then_length, now_length;
    const char *was = value_of(then, &then_length), *is = value_of(now, &now_length);
    return error_at(err, ERR_ARG, c->reader.path, 0,
                    "cannot be resumed with other options: %.*s was %.*s, is %.*s",
                    key < 100 ? (int)key : 100, any, then_length, was, now_length, is);
}

size_t checkpoint_stages(const struct checkpoint *checkpoint)
{
    size_t count = 0;
    for (const char *line = checkpoint->fingerprint.stages; *line; line = next_line(line)) {
        count++;
    }
    return count;
}

/* The stages that have begun, line by line. */
static enum result check_stages(const struct checkpoint *c, const char *now, struct error *err)
{
    const char *then = c->fingerprint.stages;
    for (uint32_t stage = 0; *then && stage <= c->progress.stage; stage++) {
        size_t length = line_length(then);
        if (line_length(now) != length || memcmp(then, now, length) != 0) {
            error_at(err, ERR_ARG, c->reader.path, 0,
                     "cannot be resumed: stage %" PRIu32 " has begun and was %.*s", stage + 1,
                     length < 300 ? (int)length : 300, then);
            return error_hint(err, "only stages that have not begun may change");
        }
        then = next_line(then);
        now = next_line(now);
    }
    return OK;
}

enum result checkpoint_check(const struct checkpoint *checkpoint,
                             const struct train_fingerprint *now, struct error *err)
{
    const struct train_fingerprint *then = &checkpoint->fingerprint;
    const char *path = checkpoint->reader.path;
    if (then->cfg != now->cfg) {
        error_at(err, ERR_ARG, path, 0,
                 "cannot be resumed: the cfg has changed since it was written");
        return error_hint(err, "the run's folder keeps a copy of the one it was started with");
    }
    if (then->dataset != now->dataset) {
        error_at(
            err, ERR_ARG, path, 0,
            "cannot be resumed: the pictures or their labels have changed since it was written");
        return error_hint(err,
                          "put back what is missing, or begin a new run with --weights "
                          "%s/last.weights",
                          checkpoint->folder);
    }
    if (find_key(now->options, CHECKPOINT_SUM_LINE) &&
        !find_key(then->options, CHECKPOINT_SUM_LINE)) {
        error_at(err, ERR_ARG, path, 0,
                 "cannot be resumed: an older program wrote it, which added up the mini-batches of "
                 "an update in another order");
        return error_hint(err,
                          "go on with that program, or begin a new run with --weights "
                          "%s/last.weights",
                          checkpoint->folder);
    }
    for (const char *line = then->options; *line; line = next_line(line)) {
        const char *other = find_key(now->options, line);
        if (!other || line_length(other) != line_length(line) ||
            memcmp(other, line, line_length(line)) != 0) {
            return option_error(checkpoint, line, other, err);
        }
    }
    for (const char *line = now->options; *line; line = next_line(line)) {
        if (!find_key(then->options, line)) {
            return option_error(checkpoint, NULL, line, err);
        }
    }
    return check_stages(checkpoint, now->stages, err);
}

/* ---- putting the folder in order ---- */

static bool param_matches(FILE *stream, const struct param *p)
{
    float chunk[COMPARE_FLOATS];
    for (size_t at = 0; at < p->count; at += COMPARE_FLOATS) {
        size_t part = p->count - at < COMPARE_FLOATS ? p->count - at : COMPARE_FLOATS;
        if (fread(chunk, sizeof *chunk, part, stream) != part) {
            return false;
        }
        le32_to_host(chunk, part);
        if (memcmp(chunk, p->data + at, part * sizeof *chunk) != 0) {
            return false;
        }
    }
    return true;
}

static bool payload_matches(FILE *stream, const struct network *net)
{
    for (int i = 0; i < net->layer_count; i++) {
        for (int k = 0; k < net->layers[i].param_count; k++) {
            if (!param_matches(stream, &net->layers[i].params[k])) {
                return false;
            }
        }
    }
    return fgetc(stream) == EOF;
}

static bool weights_match(const char *path, const struct network *net, uint64_t seen)
{
    struct weights_header header;
    if (weights_peek(path, &header, NULL) != OK || header.seen != seen) {
        return false;
    }
    FILE *stream;
    if (file_open(path, &stream, NULL, NULL) != OK) {
        return false;
    }
    bool matches =
        fseek(stream, (long)header.header_bytes, SEEK_SET) == 0 && payload_matches(stream, net);
    fclose(stream);
    return matches;
}

static enum result mend_weights(const struct checkpoint *c, struct network *net,
                                struct optimizer *optimizer, const struct quantization *quant,
                                struct error *err)
{
    char path[4096], quant_path[4096];
    uint64_t seen = c->progress.images_seen;
    TRY(path_in(path, sizeof path, c->folder, last_name, err));
    TRY(path_in(quant_path, sizeof quant_path, c->folder, checkpoint_quant_name, err));
    optimizer_swap_ema(optimizer);
    bool matches = weights_match(path, net, seen);
    enum result result = matches ? save_quant(quant_path, quant, net, err) : OK;
    optimizer_swap_ema(optimizer);
    if (matches) {
        return result;
    }
    log_warn("%s: is not what %s holds (killed while saving?); written anew", path, state_name);
    return save_weights(c->folder, false, net, optimizer, seen, quant, err);
}

enum result checkpoint_restore_optimizer(struct checkpoint *checkpoint, struct network *net,
                                         struct optimizer *optimizer,
                                         const struct quantization *quant, struct error *err)
{
    TRY(optimizer_read(optimizer, &checkpoint->reader, err));
    TRY(state_check_end(&checkpoint->reader, err));
    leftovers_sweep(checkpoint->folder);
    return mend_weights(checkpoint, net, optimizer, quant, err);
}
