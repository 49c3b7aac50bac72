#include "doctor/contact_sheet.h"

#include <math.h>
#include <stdio.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/fileio.h"
#include "base/path.h"
#include "base/memory.h"
#include "report/draw.h"
#include "data/label_line.h"

enum {
    PATH_SIZE = 4096,
    SIDE = 960, /* of the drawn picture's longer side */
    PAIR_HEIGHT = 480,
    ROW = 22, /* of the text below */
    ROWS_MAX = 12,
    MARK_LEAST = 18, /* smallest side of a mark: what is marked may have no size */
};

static const struct color red = {255, 40, 40}, white = {255, 255, 255}, dark = {24, 24, 24};

/* ---- pictures ---- */

static enum result read_scaled(const char *path, double scale_w, double scale_h, struct image *out,
                               struct error *err)
{
    struct image image;
    TRY(image_read(path, &image, err));
    double scale =
        scale_w > 0 ? scale_w / (image.w > image.h ? image.w : image.h) : scale_h / image.h;
    int w = (int)(image.w * scale + 0.5);
    int h = (int)(image.h * scale + 0.5);
    w = w > 4 * SIDE ? 4 * SIDE : w;
    enum result result = image_resize(&image, w > 0 ? w : 1, h > 0 ? h : 1, out, err);
    image_free(&image);
    return result;
}

static enum result write_sheet(const char *folder, const char *name, const struct image *image,
                               struct error *err)
{
    char path[PATH_SIZE];
    TRY(path_in(path, sizeof path, folder, name, err));
    return image_write(path, image, err);
}

/* "prefix_7_stem.jpg": the number keeps equal stems apart. */
static void name_sheet(char *name, const char *prefix, size_t number, const char *image)
{
    const char *base = path_base(image);
    int stem = (int)path_stem_length(base);
    snprintf(name, PATH_SIZE, "%s_%zu_%.*s.jpg", prefix, number, stem < 200 ? stem : 200, base);
}

/* ---- boxes ---- */

/* The box of a line of a label file, wherever it lies. */
static bool read_line(const char *text, int number, struct edges *edges)
{
    struct label_line line;
    for (int i = 1; i < number; i++) {
        text = strchr(text, '\n');
        if (!text) {
            return false;
        }
        text++;
    }
    bool is_there = label_line_read(text, 0, &line) && line.form != LABEL_UNUSABLE;
    *edges = line.edges;
    return is_there;
}

static float clamp(double v, int size)
{
    return (float)(v < 0 ? 0 : v > size ? size : v);
}

/* Where the box is or would be: large enough to be seen and inside the picture. */
static struct box_xyxy_px mark_place(const struct image *picture, const struct edges *edges)
{
    double w = picture->w;
    double h = picture->h;
    double half_w = fmax(fabs(edges->x2 - edges->x1) * w, MARK_LEAST) / 2;
    double half_h = fmax(fabs(edges->y2 - edges->y1) * h, MARK_LEAST) / 2;
    double cx =
        fmin(fmax((edges->x1 + edges->x2) / 2 * w, -half_w + MARK_LEAST), w + half_w - MARK_LEAST);
    double cy =
        fmin(fmax((edges->y1 + edges->y2) / 2 * h, -half_h + MARK_LEAST), h + half_h - MARK_LEAST);
    return (struct box_xyxy_px){clamp(cx - half_w, picture->w), clamp(cy - half_h, picture->h),
                                clamp(cx + half_w, picture->w), clamp(cy + half_h, picture->h)};
}

static void draw_truths(struct image *picture, const struct sample *sample)
{
    float w = (float)picture->w;
    float h = (float)picture->h;
    for (size_t i = 0; i < sample->truth_count; i++) {
        const struct box_cxcywh_norm *b = &sample->truths[i].box;
        draw_frame(picture, (b->cx - b->w / 2) * w, (b->cy - b->h / 2) * h, (b->cx + b->w / 2) * w,
                   (b->cy + b->h / 2) * h, 2, draw_class_color(sample->truths[i].class_id));
    }
}

/* ---- one picture ---- */

static bool is_on_label(const struct finding *f)
{
    return f->sample != NO_SAMPLE &&
           ((int)f->kind < FAULT_COUNT ||
            (f->kind >= FINDING_NEARLY_IDENTICAL && f->kind <= FINDING_WHOLE_PICTURE)) &&
           (int)f->kind != FAULT_EMPTY_LABEL && (int)f->kind != FAULT_CONFIDENCE &&
           (int)f->kind != FAULT_POLYGON;
}

struct mark_list {
    const struct finding *const *items;
    size_t count;
};

/* Frames of the lines with findings, then their numbers, each once: marks are in order of lines. */
static void draw_marks(struct image *picture, const struct mark_list *marks, const char *text)
{
    struct draw_labels labels = {.image = picture, .height_px = ROW - 4};
    struct edges edges;
    for (int is_label = 0; is_label < 2; is_label++) {
        for (size_t i = 0; i < marks->count; i++) {
            int line = marks->items[i]->line;
            bool is_again = i > 0 && marks->items[i - 1]->line == line;
            if (is_again || line <= 0 || !read_line(text, line, &edges)) {
                continue;
            }
            const struct box_xyxy_px box = mark_place(picture, &edges);
            char number[16];
            snprintf(number, sizeof number, "%d", line);
            if (is_label) {
                draw_label(&labels, &box, red, number);
            } else {
                draw_frame(picture, box.x1, box.y1, box.x2, box.y2, 3, red);
            }
        }
    }
}

static void draw_rows(struct image *sheet, int h, const struct mark_list *marks)
{
    for (size_t i = 0; i < marks->count && i < ROWS_MAX; i++) {
        const struct finding *f = marks->items[i];
        char row[300];
        bool is_last = i == ROWS_MAX - 1 && marks->count > ROWS_MAX;
        snprintf(row, sizeof row, "%d: %s: %s%s", f->line, finding_slug(f->kind), f->text,
                 is_last ? " ... and more" : "");
        draw_text(sheet, 6, (float)(h + 4 + ROW * (int)i), ROW - 5, row, white);
    }
}

static enum result draw_sample(const struct doctor *doctor, const struct mark_list *marks,
                               const char *folder, struct error *err)
{
    const struct finding *first = marks->items[0];
    const struct doctor_set *set = &doctor->sets[first->set];
    const struct sample *sample = &set->data.samples[first->sample];
    struct image picture = {0};
    struct image sheet = {0};
    struct error why;
    if (read_scaled(sample->image_path, SIDE, 0, &picture, &why) != OK) {
        *err = why;
        return why.code == ERR_MEMORY ? ERR_MEMORY : OK;
    }
    int rows = marks->count < ROWS_MAX ? (int)marks->count : ROWS_MAX;
    enum result result = image_new(picture.w, picture.h + ROW * rows + 8, &sheet, err);
    char *text = NULL;
    size_t size;
    if (result == OK) {
        draw_fill(&sheet, 0, 0, sheet.w, sheet.h, dark, 1);
        if (sample->label_path &&
            file_read(sample->label_path, LABEL_MAX_BYTES, &text, &size, &why) != OK) {
            text = NULL;
        }
        draw_truths(&picture, sample);
        if (text) {
            draw_marks(&picture, marks, text);
        }
        image_paste(&sheet, &picture, 0, 0);
        draw_rows(&sheet, picture.h, marks);
        char name[PATH_SIZE];
        name_sheet(name, set->role, first->sample + 1, sample->image_path);
        result = write_sheet(folder, name, &sheet, err);
    }
    mem_free(text);
    image_free(&sheet);
    image_free(&picture);
    return result;
}

/* ---- a pair ---- */

static enum result draw_pair(const struct doctor *doctor, const struct finding *f,
                             const char *folder, struct error *err)
{
    const struct sample *a = &doctor->sets[f->other_set].data.samples[f->other_sample];
    const struct sample *b = &doctor->sets[f->set].data.samples[f->sample];
    struct image left = {0};
    struct image right = {0};
    struct image sheet = {0};
    enum result result = read_scaled(a->image_path, 0, PAIR_HEIGHT, &left, err);
    result = result == OK ? read_scaled(b->image_path, 0, PAIR_HEIGHT, &right, err) : result;
    if (result != OK) {
        result = result == ERR_MEMORY ? result : OK; /* a finding tells of an unreadable picture */
    } else {
        result = image_new(left.w + right.w + 8, PAIR_HEIGHT + 2 * ROW + 8, &sheet, err);
        if (result == OK) {
            char row[1200], name[PATH_SIZE];
            draw_fill(&sheet, 0, 0, sheet.w, sheet.h, dark, 1);
            image_paste(&sheet, &left, 0, 0);
            image_paste(&sheet, &right, left.w + 8, 0);
            snprintf(row, sizeof row, "%s: %s", doctor->sets[f->other_set].role,
                     path_base(a->image_path));
            draw_text(&sheet, 6, PAIR_HEIGHT + 4, ROW - 5, row, white);
            snprintf(row, sizeof row, "%s: %s", doctor->sets[f->set].role,
                     path_base(b->image_path));
            draw_text(&sheet, 6, PAIR_HEIGHT + 4 + ROW, ROW - 5, row, white);
            name_sheet(name, f->set == SET_VALID ? "pair_valid" : "pair_train", f->sample + 1,
                       b->image_path);
            result = write_sheet(folder, name, &sheet, err);
        }
    }
    image_free(&left);
    image_free(&right);
    image_free(&sheet);
    return result;
}

/* ---- all ---- */

static int by_sample(const void *a, const void *b)
{
    const struct finding *x = *(const struct finding *const *)a;
    const struct finding *y = *(const struct finding *const *)b;
    int set = x->set - y->set;
    int sample = (x->sample > y->sample) - (x->sample < y->sample);
    int line = x->line - y->line;
    return set ? set : sample ? sample : line ? line : (int)x->kind - (int)y->kind;
}

static size_t find_marks(const struct doctor *doctor, const struct finding **marks)
{
    size_t count = 0;
    for (size_t i = 0; i < doctor->findings.count; i++) {
        const struct finding *f = &doctor->findings.items[i];
        if (is_on_label(f)) {
            marks[count++] = f;
        }
    }
    if (count > 1) {
        qsort(marks, count, sizeof *marks, by_sample);
    }
    return count;
}

enum result sheet_draw(const struct doctor *doctor, const char *folder, size_t limit, size_t *drawn,
                       size_t *left, struct error *err)
{
    *drawn = 0;
    *left = 0;
    TRY(dir_make(folder, err));
    const struct finding **marks = mem_alloc(doctor->findings.count, sizeof *marks);
    if (!marks) {
        return mem_error(err, folder);
    }
    enum result result = OK;
    size_t count = find_marks(doctor, marks);
    for (size_t i = 0, end; i < count && result == OK; i = end) {
        for (end = i + 1; end < count && marks[end]->set == marks[i]->set &&
                          marks[end]->sample == marks[i]->sample;) {
            end++;
        }
        const struct mark_list list = {marks + i, end - i};
        if (*drawn < limit) {
            result = draw_sample(doctor, &list, folder, err);
        }
        *(*drawn < limit ? drawn : left) += 1;
    }
    for (size_t i = 0; i < doctor->findings.count && result == OK; i++) {
        const struct finding *f = &doctor->findings.items[i];
        if (f->kind != FINDING_SIMILAR && f->kind != FINDING_SIMILAR_OVERLAP) {
            continue;
        }
        if (*drawn < limit) {
            result = draw_pair(doctor, f, folder, err);
        }
        *(*drawn < limit ? drawn : left) += 1;
    }
    mem_free(marks);
    return result;
}
