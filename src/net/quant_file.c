/* The file of a quantisation:
 *
 *   yolo int8 2
 *   network 0123456789abcdef
 *   weights 0123456789abcdef
 *   calibrated 64 416 416                    pictures, width, height of the input
 *   layers 2
 *   0 fp32 0                                 number, arithmetic, channels of its output that are bytes, or 0;
 *   1 int8 2                                 then a line for each of them: step, zero, bias
 *   0x1.8p-5 12 0x0p+0
 *   0x1p-4 3 -0x1p-7
 *   end 0123456789abcdef                     hash of all bytes before this line
 *
 * Weights are not in it: their int8 values follow from those of the .weights file, whose hash is. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fileio.h"
#include "base/hash.h"
#include "base/memory.h"
#include "net/quant.h"

enum { VERSION = 2, MAX_BYTES = 256 << 20, MAX_LAYERS = 100000, MAX_CHANNELS = 1 << 20 };

static const char magic[] = "yolo int8 ", hint[] = "make it with yolo quantize";

enum { HEAD_LINES = 5, HEAD_BYTES = 256, LAYER_BYTES = 32, CHANNEL_BYTES = 64 };

static size_t text_room(const struct quantization *q)
{
    size_t room = HEAD_BYTES;
    for (int i = 0; i < q->layer_count; i++) {
        room += LAYER_BYTES + (size_t)q->layers[i].channels * CHANNEL_BYTES;
    }
    return room;
}

enum result quant_write(const char *path, const struct quantization *q, struct error *err)
{
    size_t room = text_room(q);
    char *text = mem_alloc(room, 1);
    if (!text) {
        return mem_error(err, path);
    }
    int used = snprintf(
        text, room,
        "%s%d\nnetwork %016" PRIx64 "\nweights %016" PRIx64 "\ncalibrated %d %d %d\nlayers %d\n",
        magic, VERSION, q->network, q->weights, q->pictures, q->width, q->height, q->layer_count);
    for (int i = 0; i < q->layer_count; i++) {
        const struct quant_layer *l = &q->layers[i];
        used += snprintf(text + used, room - (size_t)used, "%d %s %d\n", i,
                         l->is_int8 ? "int8" : "fp32", l->channels);
        for (int c = 0; c < l->channels; c++) {
            used += snprintf(text + used, room - (size_t)used, "%a %d %a\n", (double)l->steps[c],
                             l->zeros[c], (double)l->bias[c]);
        }
    }
    uint64_t hash = hash_text(text);
    used += snprintf(text + used, room - (size_t)used, "end %016" PRIx64 "\n", hash);
    enum result result = atomic_write(path, text, (size_t)used, err);
    mem_free(text);
    return result;
}

/* The last line, which must be whole, is cut off. */
static bool has_whole_end(char *text, size_t *size)
{
    static const size_t length = sizeof "end 0123456789abcdef\n" - 1;
    uint64_t hash;
    char newline;
    if (*size < length) {
        return false;
    }
    const char *end = text + *size - length;
    if (sscanf(end, "end %16" SCNx64 "%c", &hash, &newline) != 2 || newline != '\n' ||
        strlen(end) != length) {
        return false;
    }
    *size -= length;
    text[*size] = '\0';
    return hash == hash_text(text);
}

/* The rest of a text that has been read up to `at`, line by line. */
struct reader {
    const char *path, *at;
    int line;
};

static void next_line(struct reader *r)
{
    const char *end = strchr(r->at, '\n');
    r->at = end ? end + 1 : "";
    r->line++;
}

static bool read_channel(const char *text, float *step, float *bias, uint8_t *zero)
{
    char *end, *behind;
    double s = strtod(text, &end);
    long z = strtol(end, &behind, 10);
    bool is_whole = end != text && behind != end;
    double b = strtod(behind, &end);
    *step = (float)s;
    *zero = (uint8_t)z;
    *bias = (float)b;
    return is_whole && end != behind && *end == '\n' && s >= 1e-30 && s <= 1e30 && z >= 0 &&
           z <= 255 && fabs(b) <= 1e30;
}

static enum result read_layer(struct reader *r, int number, struct quant_layer *l,
                              struct error *err)
{
    char word[8];
    int found, channels;
    if (sscanf(r->at, "%d %7s %d", &found, word, &channels) != 3 || found != number ||
        channels < 0 || channels > MAX_CHANNELS ||
        (strcmp(word, "int8") != 0 && strcmp(word, "fp32") != 0)) {
        return error_at(err, ERR_FORMAT, r->path, r->line, "is no line of layer %d", number);
    }
    l->is_int8 = strcmp(word, "int8") == 0;
    next_line(r);
    if (channels == 0) {
        return OK;
    }
    TRY(quant_need_channels(l, channels, err));
    for (int c = 0; c < channels; c++) {
        if (!read_channel(r->at, &l->steps[c], &l->bias[c], &l->zeros[c])) {
            return error_at(err, ERR_FORMAT, r->path, r->line,
                            "is no line of channel %d of layer %d", c, number);
        }
        next_line(r);
    }
    return OK;
}

static enum result read_layers(struct reader *r, struct quantization *q, struct error *err)
{
    for (int i = 0; i < q->layer_count; i++) {
        TRY(read_layer(r, i, &q->layers[i], err));
    }
    return *r->at
               ? error_at(err, ERR_FORMAT, r->path, r->line, "more than %d layers", q->layer_count)
               : OK;
}

static enum result read_text(const char *path, char *text, size_t size, struct quantization *q,
                             struct error *err)
{
    int version, layers, at = 0;
    if (strncmp(text, magic, sizeof magic - 1) != 0 ||
        sscanf(text + sizeof magic - 1, "%d", &version) != 1) {
        return error_at(err, ERR_FORMAT, path, 1, "no file of yolo quantize (%s)", hint);
    }
    if (version != VERSION) {
        return error_at(err, ERR_UNSUPPORTED, path, 1, "version %d, this program reads %d (%s)",
                        version, VERSION, hint);
    }
    if (strlen(text) != size || !has_whole_end(text, &size)) {
        return error_at(err, ERR_FORMAT, path, 0, "is cut or damaged (%s again)", hint);
    }
    const char *body = strchr(text, '\n') + 1;
    if (sscanf(body, "network %" SCNx64 " weights %" SCNx64 " calibrated %d %d %d layers %d %n",
               &q->network, &q->weights, &q->pictures, &q->width, &q->height, &layers, &at) != 6 ||
        at == 0 || layers < 1 || layers > MAX_LAYERS) {
        return error_at(err, ERR_FORMAT, path, 2,
                        "the head is not that of a file of yolo quantize "
                        "(%s again)",
                        hint);
    }
    TRY(quant_allocate(q, layers, err));
    struct reader reader = {.path = path, .at = body + at, .line = HEAD_LINES + 1};
    return read_layers(&reader, q, err);
}

enum result quant_read(const char *path, struct quantization *q, struct error *err)
{
    char *text;
    size_t size;
    TRY(file_read(path, MAX_BYTES, &text, &size, err));
    enum result result = read_text(path, text, size, q, err);
    mem_free(text);
    return result;
}
