#include "base/sniff.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

struct magic {
    size_t offset;
    const char *bytes;
    size_t size;
    const char *what;
};

#define MAGIC(offset, bytes, what)                                                                 \
    {                                                                                              \
        offset, bytes, sizeof(bytes) - 1, what                                                     \
    }

static const char picture[] = "a picture";

static const struct magic magics[] = {
    MAGIC(0, "version https://git-lfs",
          "a git-lfs pointer (the file itself is still to be fetched: git lfs pull)"),
    MAGIC(0, "PK\3\4",
          "a zip archive (PyTorch's .pt files are such; Darknet's .weights are needed)"),
    MAGIC(0, "\x80\2", "a Python pickle (old .pt files are such; Darknet's .weights are needed)"),
    MAGIC(0, "\x89HDF\r\n\x1a\n", "an HDF5 file, as Keras saves"),
    MAGIC(4, "TFL3", "a TensorFlow Lite model"),
    MAGIC(0, "\x1f\x8b", "a gzip archive (unpack it first)"),
    MAGIC(0, "7z\xbc\xaf\x27\x1c", "a 7z archive (unpack it first)"),
    MAGIC(0, "Rar!", "a RAR archive (unpack it first)"),
    MAGIC(257, "ustar", "a tar archive (unpack it first)"),
    MAGIC(0, "\x93NUMPY", "a NumPy array"),
    MAGIC(0, "%PDF", "a PDF document"),
    MAGIC(0, "\x89PNG", picture),
    MAGIC(0, "\xff\xd8\xff", picture),
    MAGIC(0, "GIF8", picture),
    MAGIC(8, "WEBP", picture),
    MAGIC(0, "II*\0", picture),
    MAGIC(0, "MM\0*", picture),
};

/* Length of the header in 8 bytes, then JSON. */
static bool is_safetensors(const unsigned char *b, size_t size)
{
    return size > 10 && b[4] == 0 && b[5] == 0 && b[6] == 0 && b[7] == 0 && b[8] == '{' &&
           (b[9] == '"' || b[9] == '}' || b[9] == ' ');
}

/* A protobuf: the version of the format (field 1), then the producer's name (field 2) or, without
 * it, the graph (field 7). */
static bool is_onnx(const unsigned char *b, size_t size)
{
    return size > 4 && b[0] == 0x08 && b[1] > 0 && b[1] < 0x20 && (b[2] == 0x12 || b[2] == 0x3a);
}

/* "BM", its reserved words, the size of its second header. */
static bool is_bmp(const unsigned char *b, size_t size)
{
    return size > 17 && b[0] == 'B' && b[1] == 'M' && memcmp(b + 6, "\0\0\0\0", 4) == 0 &&
           b[15] == 0 && b[16] == 0 && b[17] == 0;
}

static const char *text_kind(const unsigned char *b, size_t size)
{
    static const char *const tags[] = {"<!doctype", "<html", "<head", "<body", "<?xml"};
    size_t start = text_mark(b, size);
    for (size_t i = start; i < size; i++) {
        if (b[i] == 0 || b[i] == 0x7f || (b[i] < ' ' && !strchr("\t\n\r\f", b[i]))) {
            return NULL;
        }
    }
    while (start < size && strchr(" \t\r\n", b[start])) {
        start++;
    }
    const char *text = (const char *)b + start;
    size_t left = size - start;
    for (size_t i = 0; i < sizeof tags / sizeof tags[0]; i++) {
        if (left >= strlen(tags[i]) && strncasecmp(text, tags[i], strlen(tags[i])) == 0) {
            return "an HTML or XML page (was the download refused?)";
        }
    }
    bool is_cfg =
        left > 5 && (strncmp(text, "[net]", 5) == 0 || strncmp(text, "[network]", 9) == 0);
    return size == 0 ? NULL : is_cfg ? "a cfg" : left && *text == '{' ? "a JSON text" : "a text";
}

const char *sniff(const void *bytes, size_t size)
{
    const unsigned char *b = bytes;
    for (size_t i = 0; i < sizeof magics / sizeof magics[0]; i++) {
        const struct magic *m = &magics[i];
        if (size >= m->offset + m->size && memcmp(b + m->offset, m->bytes, m->size) == 0) {
            return m->what;
        }
    }
    return is_safetensors(b, size) ? "a safetensors file (Darknet's .weights are needed)"
           : is_onnx(b, size)      ? "an ONNX model (Darknet's .weights are needed)"
           : is_bmp(b, size)       ? picture
                                   : text_kind(b, size);
}

const char *sniff_wide(const char *bytes, size_t size)
{
    static const char wide[] = "UTF-16 text (UTF-8 is expected: iconv -f UTF-16 -t UTF-8 FILE)";
    size_t sample = size < 64 ? size & ~(size_t)1 : 64;
    size_t zeros[2] = {0};
    if (size >= 2 && (memcmp(bytes, "\xff\xfe", 2) == 0 || memcmp(bytes, "\xfe\xff", 2) == 0)) {
        return wide;
    }
    for (size_t i = 0; i < sample;
         i++) { /* without a mark: each other byte of plain letters is 0 */
        zeros[i % 2] += bytes[i] == 0;
    }
    bool is_wide =
        sample >= 4 && (zeros[0] == 0) != (zeros[1] == 0) && zeros[0] + zeros[1] > sample / 3;
    return is_wide ? wide : NULL;
}

/* ---- lines ---- */

#define BLANKS " \t\r"

/* "names:" or "train: images/train", but no "C:\pictures" and no "http://". */
static bool is_yaml(const char *line)
{
    size_t key = 0;
    while (isalnum((unsigned char)line[key]) || line[key] == '_' || line[key] == '-') {
        key++;
    }
    return key > 1 && line[key] == ':' && (!line[key + 1] || strchr(BLANKS, line[key + 1]));
}

const char *sniff_structured(const char *line)
{
    line += strspn(line, BLANKS);
    if (line[0] == '{' && strchr(line, '"')) {
        return "JSON, one object a line (NDJSON is read where its name ends in .ndjson; COCO "
               "annotations are one .json)";
    }
    if (strncmp(line, "[{", 2) == 0 || strcmp(line, "{") == 0 || strcmp(line, "[") == 0) {
        return "JSON (COCO annotations are a file named .json)";
    }
    if (strncmp(line, "---", 3) == 0 || is_yaml(line)) {
        return "YAML, and so not of this kind (a data.yaml is read where its name ends in .yaml or "
               ".yml)";
    }
    return NULL;
}

const char *sniff_boxed_path(const char *line)
{
    const char *last = line + strcspn(line, BLANKS);
    last += strspn(last, BLANKS);
    size_t numbers = 0;
    for (const char *at = last; *at && !strchr(BLANKS, *at);) {
        size_t digits = strspn(at, "0123456789.-");
        at += digits;
        numbers += digits > 0;
        if (digits == 0 || (*at && *at != ',' && !strchr(BLANKS, *at))) {
            return NULL;
        }
        at += *at == ',';
    }
    return numbers == 5
               ? "lines \"path x1,y1,x2,y2,class\" of Keras ports are not read (a path a line; "
                 "the boxes belong into a label file each)"
               : NULL;
}
