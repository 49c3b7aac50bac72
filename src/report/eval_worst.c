#include "report/eval_worst.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fileio.h"
#include "base/path.h"
#include "base/log.h"
#include "base/memory.h"
#include "results/results.h"
#include "results/paths.h"
#include "report/plot.h"
#include "eval/confusion.h"

enum {
    PATH_BYTES = 4096,
    SIDE_MAX = 1400,
    SIDE_MIN = 1000,
    STRIP = 58,
    STRIP_MIN = 640,
    LABEL_BYTES = 300
};

static const char CSV_NAME[] = "worst.csv";
static const double LIMIT = .5;
static const float INK = 17.0f, LABEL_INK = 15.0f;
static const struct color RIGHT = {60, 190, 90}, TRUTH = {235, 235, 235}, MISSED = {255, 170, 0},
                          WRONG = {240, 50, 50}, CROWD = {150, 150, 150},
                          STRIP_COLOR = {24, 24, 24}, WHITE = {245, 245, 245};

/* ---- judging ---- */

static size_t mistakes(const struct eval_outcome *o)
{
    return o->missed + o->false_alarms + o->mistaken;
}

static int worst_first(const void *a, const void *b)
{
    const struct eval_outcome *x = a;
    const struct eval_outcome *y = b;
    if (mistakes(x) != mistakes(y)) {
        return mistakes(x) > mistakes(y) ? -1 : 1;
    }
    return (x->picture > y->picture) - (x->picture < y->picture);
}

/* partners as confusion_join, and for every truth the detection that was joined with it or -1. */
struct judgement {
    struct eval_image image;
    ptrdiff_t *partners, *found_by;
};

static enum result judge(const struct evaluation *e, size_t picture, struct judgement *j,
                         struct error *err)
{
    j->image = eval_set_image(e->set, picture);
    j->partners = mem_alloc(j->image.detection_count, sizeof *j->partners);
    j->found_by = mem_alloc(j->image.truth_count, sizeof *j->found_by);
    if (!j->partners || !j->found_by) {
        return mem_error(err, "worst pictures");
    }
    TRY(confusion_join(&j->image, e->set->class_count, LIMIT, e->all.threshold, j->partners, err));
    for (size_t g = 0; g < j->image.truth_count; g++) {
        j->found_by[g] = -1;
    }
    for (size_t d = 0; d < j->image.detection_count; d++) {
        if (j->partners[d] >= 0) {
            j->found_by[j->partners[d]] = (ptrdiff_t)d;
        }
    }
    return OK;
}

static void judgement_free(struct judgement *j)
{
    mem_free(j->partners);
    mem_free(j->found_by);
}

static bool is_mistaken(const struct judgement *j, size_t d)
{
    return j->image.truths[j->partners[d]].class_id != j->image.detections[d].class_id;
}

static struct eval_outcome count_outcome(const struct judgement *j, size_t picture)
{
    struct eval_outcome o = {.picture = picture};
    for (size_t d = 0; d < j->image.detection_count; d++) {
        if (j->partners[d] == CONFUSION_ALONE) {
            o.false_alarms++;
        } else if (j->partners[d] >= 0) {
            *(is_mistaken(j, d) ? &o.mistaken : &o.right) += 1;
        }
    }
    for (size_t g = 0; g < j->image.truth_count; g++) {
        o.missed += j->found_by[g] < 0 && !j->image.truths[g].ignore;
    }
    return o;
}

static enum result judge_all(const struct evaluation *e, struct eval_outcome *outcomes,
                             size_t *count, struct error *err)
{
    *count = 0;
    for (size_t i = 0; i < e->set->count; i++) {
        struct judgement j = {0};
        enum result result = judge(e, i, &j, err);
        if (result == OK) {
            outcomes[*count] = count_outcome(&j, i);
            *count += mistakes(&outcomes[*count]) > 0;
        }
        judgement_free(&j);
        TRY(result);
    }
    if (*count > 0) {
        qsort(outcomes, *count, sizeof *outcomes, worst_first);
    }
    return OK;
}

/* ---- drawing ---- */

struct sheet {
    struct image picture; /* scaled */
    double scale;
    struct draw_labels labels;
};

enum pass { FRAMES, LABELS };

static void put(struct sheet *sheet, enum pass pass, const struct eval_box *b, struct color color,
                const char *label)
{
    double s = sheet->scale;
    const struct box_xyxy_px box = {(float)(b->x * s), (float)(b->y * s),
                                    (float)((b->x + b->w) * s), (float)((b->y + b->h) * s)};
    if (pass == FRAMES) {
        draw_box(&sheet->picture, &box, color);
    } else {
        draw_label(&sheet->labels, &box, color, label);
    }
}

static void draw_crowds(struct sheet *sheet, const struct evaluation *e, const struct judgement *j,
                        enum pass pass)
{
    char label[LABEL_BYTES];
    for (size_t g = 0; g < j->image.truth_count; g++) {
        const struct eval_truth *t = &j->image.truths[g];
        if (t->ignore) {
            snprintf(label, sizeof label, "%.250s, not counted", e->set->names[t->class_id]);
            put(sheet, pass, &t->box, CROWD, label);
        } else if (j->found_by[g] >= 0) {
            put(sheet, pass, &t->box, TRUTH, NULL);
        }
    }
}

static void draw_detections(struct sheet *sheet, const struct evaluation *e,
                            const struct judgement *j, bool right, enum pass pass)
{
    char label[2 * LABEL_BYTES];
    for (size_t d = 0; d < j->image.detection_count; d++) {
        const struct eval_detection *found = &j->image.detections[d];
        bool is_right = j->partners[d] >= 0 && !is_mistaken(j, d);
        if (j->partners[d] == CONFUSION_LEFT_OUT || is_right != right) {
            continue;
        }
        int n = snprintf(label, LABEL_BYTES, "%.250s %.2f", e->set->names[found->class_id],
                         found->score);
        if (j->partners[d] >= 0 && !is_right && n > 0) {
            int truth = j->image.truths[j->partners[d]].class_id;
            snprintf(label + n, LABEL_BYTES, ", is %.250s", e->set->names[truth]);
        }
        put(sheet, pass, &found->box, is_right ? RIGHT : WRONG, label);
    }
}

static void draw_missed(struct sheet *sheet, const struct evaluation *e, const struct judgement *j,
                        enum pass pass)
{
    char label[LABEL_BYTES];
    for (size_t g = 0; g < j->image.truth_count; g++) {
        const struct eval_truth *t = &j->image.truths[g];
        if (!t->ignore && j->found_by[g] < 0) {
            snprintf(label, sizeof label, "missed %.250s", e->set->names[t->class_id]);
            put(sheet, pass, &t->box, MISSED, label);
        }
    }
}

/* Frames first, mistakes on top; then labels, those of mistakes with the first choice of place. */
static void draw_objects(struct sheet *sheet, const struct evaluation *e, const struct judgement *j)
{
    draw_crowds(sheet, e, j, FRAMES);
    draw_detections(sheet, e, j, true, FRAMES);
    draw_detections(sheet, e, j, false, FRAMES);
    draw_missed(sheet, e, j, FRAMES);
    draw_missed(sheet, e, j, LABELS);
    draw_detections(sheet, e, j, false, LABELS);
    draw_detections(sheet, e, j, true, LABELS);
    draw_crowds(sheet, e, j, LABELS);
}

/* A square of the colour and a count behind it; returns the x after that. */
static float draw_count(struct image *strip, float x, struct color color, size_t count,
                        const char *what)
{
    char text[64];
    snprintf(text, sizeof text, "%zu %s", count, what);
    draw_fill(strip, (int)x, 11, (int)x + 14, 25, color, 1.0f);
    plot_text(strip, x + 20.0f, 18.0f, INK, text, WHITE);
    return x + 20.0f + draw_text_width(INK, text) + 22.0f;
}

static void draw_strip(struct image *strip, const struct eval_outcome *o, const char *path)
{
    char text[PATH_BYTES];
    draw_fill(strip, 0, 0, strip->w, STRIP, STRIP_COLOR, 1.0f);
    float x = draw_count(strip, 8.0f, MISSED, o->missed, "missed");
    x = draw_count(strip, x, WRONG, o->false_alarms + o->mistaken,
                   o->mistaken ? "wrong (false alarms, other class)" : "false alarms");
    draw_count(strip, x, RIGHT, o->right, "right");
    plot_fit_text(INK - 2.0f, (float)strip->w - 16.0f, path, text, sizeof text);
    plot_text(strip, 8.0f, 42.0f, INK - 2.0f, text, CROWD);
}

/* The picture in a size at which its labels can be read. */
static enum result read_scaled(const char *path, struct sheet *sheet, struct error *err)
{
    struct image whole;
    TRY(image_read(path, &whole, err));
    int side = whole.w > whole.h ? whole.w : whole.h;
    sheet->scale = side > SIDE_MAX   ? (double)SIDE_MAX / side
                   : side < SIDE_MIN ? (double)SIDE_MIN / side
                                     : 1.0;
    int w = (int)(whole.w * sheet->scale + 0.5);
    int h = (int)(whole.h * sheet->scale + 0.5);
    enum result result = image_resize(&whole, w > 0 ? w : 1, h > 0 ? h : 1, &sheet->picture, err);
    image_free(&whole);
    return result;
}

static enum result compose(const struct evaluation *e, const struct eval_outcome *o,
                           struct sheet *sheet, struct image *out, struct error *err)
{
    struct judgement j = {0};
    enum result result = judge(e, o->picture, &j, err);
    if (result == OK) {
        draw_objects(sheet, e, &j);
        int w = sheet->picture.w > STRIP_MIN ? sheet->picture.w : STRIP_MIN;
        result = plot_new(w, sheet->picture.h + STRIP, out, err);
    }
    if (result == OK) {
        draw_fill(out, 0, 0, out->w, out->h, STRIP_COLOR, 1.0f);
        draw_strip(out, o, e->set->pictures[o->picture].path);
        image_paste(out, &sheet->picture, 0, STRIP);
    }
    judgement_free(&j);
    return result;
}

static enum result draw_one(const struct evaluation *e, const struct eval_outcome *o,
                            const char *folder, size_t number, size_t *drawn, struct error *err)
{
    const char *path = e->set->pictures[o->picture].path;
    struct sheet sheet = {.labels = {.image = &sheet.picture, .height_px = LABEL_INK}};
    struct image out = {0};
    struct error why;
    char name[PATH_BYTES];
    if (!path || e->set->pictures[o->picture].has_failed) {
        return OK;
    }
    if (read_scaled(path, &sheet, &why) != OK) {
        *err = why;
        return why.code == ERR_MEMORY ? ERR_MEMORY : OK;
    }
    const char *base = path_base(path);
    int n = snprintf(name, sizeof name, "%s/%02zu_%.*s.jpg", folder, number,
                     (int)path_stem_length(base), base);
    enum result result = n < 0 || (size_t)n >= sizeof name
                             ? error_at(err, ERR_IO, folder, 0, "path too long")
                             : compose(e, o, &sheet, &out, err);
    if (result == OK) {
        result = image_write(name, &out, err);
        *drawn += result == OK;
    }
    image_free(&sheet.picture);
    image_free(&out);
    return result;
}

/* ---- a former run's pictures ---- */

/* As draw_one gives them: 01_NAME.jpg, 02_... */
static bool is_drawn_name(const char *name)
{
    char prefix[32];
    size_t number = strtoul(name, NULL, 10);
    size_t prefix_length = (size_t)snprintf(prefix, sizeof prefix, "%02zu_", number);
    size_t length = strlen(name);
    return number > 0 && strncmp(name, prefix, prefix_length) == 0 && length >= prefix_length + 4 &&
           strcmp(name + length - 4, ".jpg") == 0;
}

static void remove_drawn(DIR *dir)
{
    const struct dirent *entry;
    struct stat info;
    while ((entry = readdir(dir))) {
        if (is_drawn_name(entry->d_name) &&
            fstatat(dirfd(dir), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISREG(info.st_mode)) {
            unlinkat(dirfd(dir), entry->d_name, 0);
        }
    }
}

/* Only in a folder with a worst.csv: another was filled by somebody else. A link is not followed.
 */
static void remove_former(const char *folder)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (!dir) {
        if (fd >= 0) {
            close(fd);
        }
        return;
    }
    if (faccessat(fd, CSV_NAME, F_OK, 0) == 0) {
        remove_drawn(dir);
    }
    closedir(dir);
}

/* ---- all ---- */

static enum result write_csv(const struct evaluation *e, const char *folder,
                             const struct eval_outcome *outcomes, size_t count, struct error *err)
{
    struct atomic_file file;
    TRY(atomic_open_in(&file, folder, CSV_NAME, err));
    fputs("image,objects,right,missed,false_alarms,other_class\n", file.stream);
    for (size_t i = 0; i < count; i++) {
        const struct eval_outcome *o = &outcomes[i];
        const char *name = e->set->pictures[o->picture].path;
        char id[32];
        snprintf(id, sizeof id, "%lld", (long long)e->set->pictures[o->picture].id);
        results_put_csv(file.stream, name ? name : id);
        fprintf(file.stream, ",%zu,%zu,%zu,%zu,%zu\n", o->right + o->missed + o->mistaken, o->right,
                o->missed, o->false_alarms, o->mistaken);
    }
    return atomic_commit(&file, err);
}

enum result eval_write_worst(const struct evaluation *evaluation, const char *folder, size_t limit,
                             size_t *drawn, struct error *err)
{
    size_t count = 0;
    struct eval_outcome *outcomes = mem_alloc(evaluation->set->count, sizeof *outcomes);
    *drawn = 0;
    if (!outcomes) {
        return mem_error(err, "worst pictures");
    }
    enum result result = judge_all(evaluation, outcomes, &count, err);
    if (result == OK) {
        remove_former(folder);
        result = write_csv(evaluation, folder, outcomes, count, err);
    }
    for (size_t i = 0; result == OK && i < count && i < limit; i++) {
        result = draw_one(evaluation, &outcomes[i], folder, i + 1, drawn, err);
    }
    mem_free(outcomes);
    return result;
}
