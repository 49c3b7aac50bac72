/* YOLO label files: "class cx cy w h" a line, fractions of the picture (data/label_line.h). Contract of
 * label_file_read: dataset_private.h. */
#include <limits.h>
#include <math.h>
#include <string.h>

#include "base/fileio.h"
#include "base/memory.h"
#include "base/sniff.h"
#include "base/text.h"
#include "data/dataset_private.h"
#include "data/truth_hash.h"

struct label_file {
    struct dataset_build *build;
    struct sample *sample;
    const char *path;
    int line;
    bool counts_lines; /* else all of them stand in `line` */
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

void label_mended(struct sample *sample, struct mended_lines *mended, const char *path, int line)
{
    if (mended->count++ == 0) {
        mended->path = path;
        mended->line = line;
    }
    sample->is_mended = true;
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
        label_mended(sample,
                     line->form == LABEL_CONFIDENCE ? &f->build->confidences : &f->build->polygons,
                     f->path, f->line);
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
        f->line += f->counts_lines;
        if (label_line_read(at, f->build->key_numbers, &line)) {
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
    struct label_file f = {.build = build, .sample = sample, .path = path, .counts_lines = true};
    int binary = find_binary(text, size);
    if (binary) {
        const char *kind = sniff_wide(text, size);
        dataset_fault(build, FAULT_NOT_NUMBERS, path, kind ? 0 : binary, "%s",
                      kind ? kind : "not a text file");
        sample->is_unusable = true;
    } else {
        result = read_lines(&f, text + text_mark(text, size), err);
    }
    truth_hash_free(&f.seen);
    mem_free(text);
    return result;
}

enum result label_text_read(struct dataset_build *build, struct sample *sample, const char *path,
                            int line, const char *text, struct error *err)
{
    struct label_file f = {.build = build, .sample = sample, .path = path, .line = line};
    enum result result = read_lines(&f, text, err);
    truth_hash_free(&f.seen);
    return result;
}
