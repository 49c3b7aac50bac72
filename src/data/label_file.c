/* YOLO label files: "class cx cy w h" a line, fractions of the picture. */
#include "data/dataset_build.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/fileio.h"
#include "base/memory.h"

enum {
    LABEL_MAX_BYTES = 1024 * 1024, /* some 30,000 boxes */
    VALUES = 5
};

#define BLANKS " \t\r\v\f"

struct label_file {
    struct dataset_build *build;
    struct sample *sample;
    const char *path;
    int line;
    size_t capacity, line_capacity;
};

/* The line number of the first byte that no text has; 0 if there is none. */
static int find_binary(const char *text, size_t size)
{
    int line = 1;
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '\n') {
            line++;
        } else if ((c < 0x20 && !(c >= '\t' && c <= '\r')) || c == 0x7f) {
            return line;
        }
    }
    return 0;
}

/* The values of a line. False if one is no number or not finite, or if there are not five:
 * reported. */
static bool split(struct label_file *f, char *line, double *values)
{
    size_t count = 0;
    for (char *word = strtok_r(line, BLANKS, &line); word; word = strtok_r(NULL, BLANKS, &line)) {
        char *end;
        double value = strtod(word, &end);
        if (*end || end == word || !isfinite(value)) {
            dataset_fault(f->build, FAULT_NOT_NUMBERS, f->path, f->line,
                          "\"%.40s\" is no number (class x y w h is expected)", word);
            return false;
        }
        if (count < VALUES) {
            values[count] = value;
        }
        count++;
    }
    if (count != VALUES) {
        dataset_fault(f->build, FAULT_NOT_NUMBERS, f->path, f->line,
                      "%zu numbers instead of 5 (class x y w h is expected)", count);
        return false;
    }
    return true;
}

static bool take_class(struct label_file *f, double value, int *class_id)
{
    size_t classes = f->build->source->class_count;
    double limit = classes ? (double)classes : (double)(INT_MAX / 2);
    if (value >= 0 && value < limit && value == floor(value)) {
        *class_id = (int)value;
        return true;
    }
    if (classes) {
        dataset_fault(f->build, FAULT_CLASS_RANGE, f->path, f->line,
                      "class %.10g, but there are %zu (0 to %zu)", value, classes, classes - 1);
    } else {
        dataset_fault(f->build, FAULT_CLASS_RANGE, f->path, f->line, "class %.10g", value);
    }
    return false;
}

static bool is_duplicate(const struct sample *sample, const struct truth *truth)
{
    const struct box_cxcywh_norm *b = &truth->box;
    for (size_t i = 0; i < sample->truth_count; i++) {
        const struct truth *other = &sample->truths[i];
        const struct box_cxcywh_norm *o = &other->box;
        if (other->class_id == truth->class_id && o->cx == b->cx && o->cy == b->cy &&
            o->w == b->w && o->h == b->h) {
            return true;
        }
    }
    return false;
}

static enum result read_line(struct label_file *f, char *line, struct error *err)
{
    double v[VALUES];
    struct truth truth;
    if (!split(f, line, v) || !take_class(f, v[0], &truth.class_id)) {
        return OK;
    }
    struct edges edges = {v[1] - v[3] / 2, v[2] - v[4] / 2, v[1] + v[3] / 2, v[2] + v[4] / 2};
    if (!dataset_take_box(f->build, &edges, f->path, f->line, "", &truth.box)) {
        return OK;
    }
    struct sample *sample = f->sample;
    if (is_duplicate(sample, &truth)) {
        dataset_fault(f->build, FAULT_DUPLICATE, f->path, f->line, "the same box again");
        return OK;
    }
    TRY(mem_grow((void **)&sample->truths, sample->truth_count, &f->capacity,
                 sizeof *sample->truths, err));
    TRY(mem_grow((void **)&sample->lines, sample->truth_count, &f->line_capacity,
                 sizeof *sample->lines, err));
    sample->lines[sample->truth_count] = f->line;
    sample->truths[sample->truth_count++] = truth;
    return OK;
}

static enum result read_lines(struct label_file *f, char *text, struct error *err)
{
    bool empty = true;
    for (char *line = text; line;) {
        char *end = strchr(line, '\n');
        if (end) {
            *end = 0;
        }
        f->line++;
        if (line[strspn(line, BLANKS)]) {
            empty = false;
            TRY(read_line(f, line, err));
        }
        line = end ? end + 1 : NULL;
    }
    if (empty) {
        dataset_fault(f->build, FAULT_EMPTY_LABEL, f->path, 0, "no boxes (a background picture)");
    }
    return OK;
}

enum result label_file_read(struct dataset_build *build, const char *path, struct sample *sample,
                            struct error *err)
{
    char *text;
    size_t size;
    struct error why;
    enum result result = file_read(path, LABEL_MAX_BYTES, &text, &size, &why);
    if (result == ERR_MEMORY) {
        *err = why;
        return result;
    }
    if (result != OK) {
        size_t skip = strncmp(why.text, path, strlen(path)) == 0 ? strlen(path) : 0;
        dataset_fault(build, FAULT_NOT_NUMBERS, path, 0, "%s",
                      why.text + skip + strspn(why.text + skip, ": "));
        return OK;
    }
    struct label_file f = {.build = build, .sample = sample, .path = path};
    bool marked = size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0; /* byte order mark */
    int binary = find_binary(text, size);
    if (binary) {
        dataset_fault(build, FAULT_NOT_NUMBERS, path, binary, "not a text file");
    } else {
        result = read_lines(&f, marked ? text + 3 : text, err);
    }
    mem_free(text);
    return result;
}
