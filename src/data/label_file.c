/* YOLO label files: "class cx cy w h" a line, fractions of the picture. */
#include "data/label_file.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fileio.h"
#include "base/memory.h"
#include "base/sniff.h"
#include "data/dataset_build.h"
#include "data/truth_hash.h"

#define BLANKS " \t\r\v\f"
#define EXPECTED "class x y w h is expected"

/* ---- one line ---- */

enum { BOX_NUMBERS = 5, FIRST_NUMBERS = 6, POLYGON_LEAST = 7 };

/* The numbers of a line: the first ones, and the box around the pairs behind the class. */
struct numbers {
    double first[FIRST_NUMBERS];
    size_t count;
    struct edges around;
};

static void take_number(struct numbers *n, double value)
{
    struct edges *e = &n->around;
    if (n->count < FIRST_NUMBERS) {
        n->first[n->count] = value;
    }
    if (n->count == 1 || n->count == 2) {
        *(n->count == 1 ? &e->x1 : &e->y1) = value;
        *(n->count == 1 ? &e->x2 : &e->y2) = value;
    } else if (n->count > 2 && n->count % 2 == 1) {
        e->x1 = fmin(e->x1, value);
        e->x2 = fmax(e->x2, value);
    } else if (n->count > 2) {
        e->y1 = fmin(e->y1, value);
        e->y2 = fmax(e->y2, value);
    }
    n->count++;
}

/* False, with why, if a word is no finite number. */
static bool read_numbers(const char *text, struct numbers *n, char *why, size_t size)
{
    for (text += strspn(text, BLANKS); *text && *text != '\n'; text += strspn(text, BLANKS)) {
        size_t length = strcspn(text, BLANKS "\n");
        char *end;
        double value = strtod(text, &end);
        if (end != text + length || !isfinite(value)) {
            const char *hint =
                memchr(text, ',', length) ? "blanks, not commas: " EXPECTED : EXPECTED;
            snprintf(why, size, "\"%.*s\" is no number (%s)", length < 40 ? (int)length : 40, text,
                     hint);
            return false;
        }
        take_number(n, value);
        text = end;
    }
    return true;
}

bool label_line_read(const char *text, struct label_line *line)
{
    struct numbers n = {.count = 0};
    *line = (struct label_line){.form = LABEL_UNUSABLE};
    if (!read_numbers(text, &n, line->why, sizeof line->why)) {
        return true;
    }
    const double *v = n.first;
    bool has_confidence = n.count == BOX_NUMBERS + 1 && v[5] >= 0 && v[5] <= 1;
    line->class_id = v[0];
    if (n.count == BOX_NUMBERS || has_confidence) {
        line->form = has_confidence ? LABEL_CONFIDENCE : LABEL_BOX;
        line->edges =
            (struct edges){v[1] - v[3] / 2, v[2] - v[4] / 2, v[1] + v[3] / 2, v[2] + v[4] / 2};
    } else if (n.count >= POLYGON_LEAST && n.count % 2 == 1) {
        line->form = LABEL_POLYGON;
        line->edges = n.around;
    } else if (n.count > 0) {
        snprintf(line->why, sizeof line->why, "%zu numbers instead of 5 (%s)", n.count,
                 n.count == BOX_NUMBERS + 1 ? "the sixth is no confidence between 0 and 1"
                 : n.count > POLYGON_LEAST  ? EXPECTED ", or class and points x y"
                                            : EXPECTED);
    }
    return n.count > 0;
}

/* ---- a file ---- */

struct label_file {
    struct dataset_build *build;
    struct sample *sample;
    const char *path;
    int line;
    size_t capacity, line_capacity;
    struct truth_hash seen;
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

/* Said once for a set, at its end. */
static void count_mended(struct label_file *f, struct mended_lines *mended)
{
    if (mended->count++ == 0) {
        mended->path = f->path;
        mended->line = f->line;
    }
    f->sample->is_mended = true;
}

/* No box of a picture reaches that far out of it: pixels, or the visibilities of key points among
 * what looks like a polygon. */
static bool is_far_out(const struct label_line *line)
{
    double slack = line->form == LABEL_POLYGON ? 0.5 : 1;
    const struct edges *e = &line->edges;
    return fmin(e->x1, e->y1) < -slack || fmax(e->x2, e->y2) > 1 + slack;
}

/* The box of a line. False if the line gives none: reported. */
static bool take_line(struct label_file *f, const struct label_line *line, struct truth *truth)
{
    const struct edges *e = &line->edges;
    bool has_size = e->x2 >= e->x1 && e->y2 >= e->y1;
    if (line->form == LABEL_UNUSABLE) {
        dataset_fault(f->build, FAULT_NOT_NUMBERS, f->path, f->line, "%s", line->why);
    } else if (take_class(f, line->class_id, &truth->class_id)) {
        if (has_size && is_far_out(line)) {
            dataset_fault(
                f->build, FAULT_OUTSIDE, f->path, f->line,
                "the box from %g %g to %g %g is outside the picture (pixels? fractions of "
                "the picture are expected)",
                e->x1, e->y1, e->x2, e->y2);
        } else if (dataset_take_box(f->build, e, f->path, f->line, "", &truth->box)) {
            return true;
        } else if (has_size) {
            return false; /* it marks no part of the picture: nothing is lost with it */
        }
    }
    f->sample->is_unusable = true;
    return false;
}

static enum result read_line(struct label_file *f, const struct label_line *line, struct error *err)
{
    struct truth truth;
    struct sample *sample = f->sample;
    if (!take_line(f, line, &truth)) {
        return OK;
    }
    if (line->form != LABEL_BOX) {
        count_mended(f, line->form == LABEL_POLYGON ? &f->build->polygons : &f->build->confidences);
    }
    TRY(mem_grow((void **)&sample->truths, sample->truth_count, &f->capacity,
                 sizeof *sample->truths, err));
    TRY(mem_grow((void **)&sample->lines, sample->truth_count, &f->line_capacity,
                 sizeof *sample->lines, err));
    sample->lines[sample->truth_count] = f->line;
    sample->truths[sample->truth_count] = truth;
    bool is_there;
    TRY(truth_hash_add(&f->seen, sample->truths, sample->truth_count, &is_there, err));
    if (is_there) {
        dataset_fault(f->build, FAULT_DUPLICATE, f->path, f->line, "the same box again");
    } else {
        sample->truth_count++;
    }
    return OK;
}

static enum result read_lines(struct label_file *f, const char *text, struct error *err)
{
    bool empty = true;
    for (const char *at = text; at;) {
        struct label_line line;
        f->line++;
        if (label_line_read(at, &line)) {
            empty = false;
            TRY(read_line(f, &line, err));
        }
        at = strchr(at, '\n');
        at = at ? at + 1 : NULL;
    }
    if (empty) {
        dataset_fault(f->build, FAULT_EMPTY_LABEL, f->path, 0, "no boxes (a background picture)");
    }
    return OK;
}

enum result label_file_read(struct dataset_build *build, struct sample *sample, struct error *err)
{
    const char *path = sample->label_path;
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
        sample->is_unusable = true;
        return OK;
    }
    struct label_file f = {.build = build, .sample = sample, .path = path};
    bool marked = size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0; /* byte order mark */
    int binary = find_binary(text, size);
    if (binary) {
        const char *kind = sniff_wide(text, size);
        dataset_fault(build, FAULT_NOT_NUMBERS, path, kind ? 0 : binary, "%s",
                      kind ? kind : "not a text file");
        sample->is_unusable = true;
    } else {
        result = read_lines(&f, marked ? text + 3 : text, err);
    }
    truth_hash_free(&f.seen);
    mem_free(text);
    return result;
}
