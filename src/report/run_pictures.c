#include "report/run_pictures.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/memory.h"
#include "base/path.h"
#include "base/text.h"
#include "report/batch_draw.h"
#include "report/picture_sheet.h"
#include "train/stage_cost.h"

enum { COLUMNS = 4, TRAIN_PICTURES = 12, VAL_PICTURES = 6, LABEL_BYTES = 300 };

static const float LABEL_INK = 13.0f;

/* ---- as they are trained on ---- */

static enum result take_batches(const struct training *t, struct batch_source *batches,
                                struct sheet_picture *pictures, size_t *count, struct error *err)
{
    while (*count < TRAIN_PICTURES) {
        struct batch batch;
        TRY(batch_source_next(batches, &batch, err));
        for (int n = 0; n < batch.images && *count < TRAIN_PICTURES; n++) {
            struct sheet_picture *picture = &pictures[*count];
            TRY(batch_sheet_picture(&batch, n, (const char *const *)t->model.names,
                                    t->model.name_count, picture, err));
            (*count)++;
            snprintf(picture->caption, sizeof picture->caption, "picture %zu", *count);
        }
    }
    return OK;
}

enum result run_pictures_train(const struct training *t, const char *folder, struct error *err)
{
    struct sheet_picture pictures[TRAIN_PICTURES] = {0};
    struct batch_source *batches = NULL;
    size_t count = 0;
    char path[4096];
    enum result result = path_in(path, sizeof path, folder, "train_pictures.jpg", err);
    result = result == OK ? stage_trial_batches(t, &t->plan.stages[0], &batches, err) : result;
    result = result == OK ? take_batches(t, batches, pictures, &count, err) : result;
    batch_source_close(batches);
    if (result == OK) {
        result = sheet_write(path, "The first pictures as they are trained on", pictures, count,
                             COLUMNS, err);
    }
    sheet_free(pictures, count);
    return result;
}

/* ---- truth beside detection ---- */

static struct box_xyxy_px scaled(const struct eval_box *b, double scale)
{
    return (struct box_xyxy_px){(float)(b->x * scale), (float)(b->y * scale),
                                (float)((b->x + b->w) * scale), (float)((b->y + b->h) * scale)};
}

/* A box and its class, or its frame alone if labels is NULL. */
static void put(struct image *image, struct draw_labels *labels, const char *name,
                const struct eval_box *b, double scale, int class_id, double score)
{
    const struct box_xyxy_px box = scaled(b, scale);
    char text[LABEL_BYTES], label[LABEL_BYTES + 16];
    if (!labels) {
        draw_box(image, &box, draw_class_color(class_id));
        return;
    }
    text_utf8(name, text, sizeof text);
    snprintf(label, sizeof label, score >= 0.0 ? "%s %.2f" : "%s", text, score);
    draw_label(labels, &box, draw_class_color(class_id), label);
}

static void draw_truths(const struct evaluation *e, const struct eval_picture *p, double scale,
                        struct image *image)
{
    struct draw_labels labels = {.image = image, .height_px = LABEL_INK};
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < p->truth_count; i++) {
            const struct eval_truth *t = &p->truths[i];
            put(image, pass ? &labels : NULL, e->set->names[t->class_id], &t->box, scale,
                t->class_id, -1.0);
        }
    }
}

/* Strongest first, as the set has them; frames of the weak below those of the strong. */
static void draw_found(const struct evaluation *e, const struct eval_picture *p, double scale,
                       struct image *image)
{
    struct draw_labels labels = {.image = image, .height_px = LABEL_INK};
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < p->detection_count; i++) {
            const struct eval_detection *d = &p->detections[pass ? i : p->detection_count - 1 - i];
            if (d->score > evaluation_best_threshold(e, (size_t)d->class_id)) {
                put(image, pass ? &labels : NULL, e->set->names[d->class_id], &d->box, scale,
                    d->class_id, d->score);
            }
        }
    }
}

/* Two cells. */
static enum result take_pair(const struct evaluation *e, const struct eval_picture *p,
                             struct sheet_picture *pair, struct error *err)
{
    struct image whole;
    double scale;
    TRY(image_read(p->path, &whole, err));
    enum result result = sheet_scale(&whole, &pair[0].image, &scale, err);
    image_free(&whole);
    TRY(result);
    TRY(image_new(pair[0].image.w, pair[0].image.h, &pair[1].image, err));
    image_paste(&pair[1].image, &pair[0].image, 0, 0);
    draw_truths(e, p, scale, &pair[0].image);
    draw_found(e, p, scale, &pair[1].image);
    snprintf(pair[0].caption, sizeof pair[0].caption, "truth: %.50s", path_base(p->path));
    snprintf(pair[1].caption, sizeof pair[1].caption, "found");
    return OK;
}

static enum result take_pairs(const struct evaluation *e, struct sheet_picture *pictures,
                              size_t *count, struct error *err)
{
    size_t wanted = e->set->count < VAL_PICTURES ? e->set->count : VAL_PICTURES;
    for (size_t i = 0; i < wanted; i++) {
        const struct eval_picture *p = &e->set->pictures[i * e->set->count / wanted];
        struct error why;
        if (p->has_failed) {
            continue;
        }
        *count += 2;
        if (take_pair(e, p, &pictures[*count - 2], &why) != OK) {
            sheet_free(&pictures[*count - 2], 2);
            *count -= 2;
            if (why.code == ERR_MEMORY) {
                *err = why;
                return ERR_MEMORY;
            }
        }
    }
    return OK;
}

enum result run_pictures_val(const struct evaluation *evaluation, uint64_t iteration,
                             const char *folder, struct error *err)
{
    struct sheet_picture pictures[2 * VAL_PICTURES] = {0};
    size_t count = 0;
    char path[4096], title[128];
    enum result result = path_in(path, sizeof path, folder, "val_pictures.jpg", err);
    result = result == OK ? take_pairs(evaluation, pictures, &count, err) : result;
    if (result == OK && count > 0) {
        snprintf(title, sizeof title,
                 "Validation pictures: truth, and what best.weights (update %" PRIu64
                 ") finds with --conf best",
                 iteration);
        result = sheet_write(path, title, pictures, count, COLUMNS, err);
    }
    sheet_free(pictures, count);
    return result;
}
