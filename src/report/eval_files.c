#include "report/eval_files.h"

#include <stdio.h>

#include "base/fileio.h"
#include "base/path.h"
#include "base/log.h"
#include "base/memory.h"
#include "report/eval_charts.h"
#include "report/eval_report.h"
#include "report/eval_worst.h"
#include "results/results.h"

enum { PATH_BYTES = 4096 };

static const double CONFUSION_LIMIT = .5;

struct files {
    struct evaluation *evaluation;
    const char *folder;
    struct eval_ranking ranking;
    struct confusion confusion;
};

/* ---- tables ---- */

static void begin_row(FILE *out, const struct evaluation *e, int class_id)
{
    if (class_id != PR_ALL_CLASSES) {
        fprintf(out, "%d,", class_id);
        results_put_csv(out, e->set->names[class_id]);
    } else {
        fputs(",all", out);
    }
}

static enum result put_metrics(struct files *f, FILE *out, struct error *err)
{
    return eval_print_json(f->evaluation, out, err);
}

static enum result put_classes(struct files *f, FILE *out, struct error *err)
{
    (void)err;
    eval_print_csv(f->evaluation, out);
    return OK;
}

/* Precision at 101 recalls, by class. */
static enum result put_pr(struct files *f, FILE *out, struct error *err)
{
    struct evaluation *e = f->evaluation;
    struct coco_curve curve;
    (void)err;
    fputs("class_id,class,recall,precision50,precision75,precision50_95\n", out);
    for (size_t k = 0; k < e->set->class_count; k++) {
        if (e->rows[k].truths == 0) {
            continue;
        }
        coco_metrics_curve(&e->coco, k, COCO_AREA_ALL, COCO_MAX_DETECTIONS, &curve);
        for (int r = 0; r < COCO_RECALLS; r++) {
            double mean = 0;
            for (int t = 0; t < COCO_IOUS; t++) {
                mean += curve.precision[t][r] / COCO_IOUS;
            }
            begin_row(out, e, (int)k);
            fprintf(out, ",%.2f,%.6f,%.6f,%.6f\n", r / 100.0, curve.precision[0][r],
                    curve.precision[5][r], mean);
        }
    }
    return OK;
}

static enum result put_confidence(struct files *f, FILE *out, struct error *err)
{
    struct evaluation *e = f->evaluation;
    struct eval_confidences c;
    fputs("class_id,class,confidence,precision,recall,F1,right,false_alarms\n", out);
    for (int k = PR_ALL_CLASSES; k < (int)e->set->class_count; k++) {
        if (k != PR_ALL_CLASSES && e->rows[k].truths == 0) {
            continue;
        }
        TRY(eval_confidences(e, k, &c, err));
        for (int i = 0; i < EVAL_CONFIDENCES; i++) {
            const struct pr_point *p = &c.points[i];
            begin_row(out, e, k);
            fprintf(out, ",%.2f,%.6f,%.6f,%.6f,%zu,%zu\n", i / 100.0, p->precision, p->recall,
                    p->f1, p->hits, p->misses);
        }
    }
    return OK;
}

static enum result put_calibration(struct files *f, FILE *out, struct error *err)
{
    const struct calibration *c = &f->evaluation->calibration;
    (void)err;
    fputs("from,to,detections,right,mean_confidence,precision\n", out);
    for (int i = 0; i < CALIBRATION_BINS; i++) {
        const struct calibration_bin *bin = &c->bins[i];
        fprintf(out, "%.1f,%.1f,%zu,%zu,%.6f,%.6f\n", i / (double)CALIBRATION_BINS,
                (i + 1) / (double)CALIBRATION_BINS, bin->count, bin->hits, bin->confidence,
                bin->precision);
    }
    return OK;
}

static const char *name_or_background(const struct evaluation *e, size_t k)
{
    return k < e->set->class_count ? e->set->names[k] : "background";
}

static enum result put_confusion(struct files *f, FILE *out, struct error *err)
{
    const struct evaluation *e = f->evaluation;
    (void)err;
    fputs("true_class", out);
    for (size_t k = 0; k <= e->set->class_count; k++) {
        fputc(',', out);
        results_put_csv(out, name_or_background(e, k));
    }
    fputc('\n', out);
    for (size_t t = 0; t <= e->set->class_count; t++) {
        results_put_csv(out, name_or_background(e, t));
        for (size_t d = 0; d <= e->set->class_count; d++) {
            fprintf(out, ",%zu", confusion_count(&f->confusion, t, d));
        }
        fputc('\n', out);
    }
    return OK;
}

static enum result write_table(struct files *f, const char *name,
                               enum result (*put)(struct files *, FILE *, struct error *),
                               struct error *err)
{
    struct atomic_file file;
    TRY(atomic_open_in(&file, f->folder, name, err));
    enum result result = put(f, file.stream, err);
    return atomic_end(&file, result, err);
}

static enum result write_tables(struct files *f, struct error *err)
{
    TRY(write_table(f, "metrics.json", put_metrics, err));
    TRY(write_table(f, "classes.csv", put_classes, err));
    TRY(write_table(f, "pr.csv", put_pr, err));
    TRY(write_table(f, "confidence.csv", put_confidence, err));
    TRY(write_table(f, "calibration.csv", put_calibration, err));
    return write_table(f, "confusion.csv", put_confusion, err);
}

/* ---- pictures ---- */

static enum result draw_pr(struct files *f, const char *path, struct error *err)
{
    return eval_draw_pr(f->evaluation, &f->ranking, path, err);
}

static enum result draw_confidence(struct files *f, const char *path, struct error *err)
{
    return eval_draw_confidence(f->evaluation, &f->ranking, path, err);
}

static enum result draw_calibration(struct files *f, const char *path, struct error *err)
{
    return eval_draw_calibration(f->evaluation, path, err);
}

static enum result draw_classes(struct files *f, const char *path, struct error *err)
{
    return eval_draw_classes(f->evaluation, &f->ranking, path, err);
}

static enum result draw_confusion(struct files *f, const char *path, struct error *err)
{
    return eval_draw_confusion(f->evaluation, &f->confusion, path, err);
}

/* All that can be: one that fails costs only itself. The error is that of the first. */
static enum result write_pictures(struct files *f, struct error *err)
{
    static const struct {
        const char *name;
        enum result (*draw)(struct files *f, const char *path, struct error *err);
    } pictures[] = {
        {"pr.png", draw_pr},
        {"confidence.png", draw_confidence},
        {"calibration.png", draw_calibration},
        {"classes.png", draw_classes},
        {"confusion.png", draw_confusion},
    };
    enum result first = OK;
    for (size_t i = 0; i < sizeof pictures / sizeof pictures[0]; i++) {
        char path[PATH_BYTES];
        struct error why;
        enum result result = path_in(path, sizeof path, f->folder, pictures[i].name, &why);
        result = result == OK ? pictures[i].draw(f, path, &why) : result;
        if (result != OK && first == OK) {
            first = result;
            *err = why;
        }
    }
    return first;
}

static enum result fill_confusion(struct files *f, struct error *err)
{
    const struct evaluation *e = f->evaluation;
    TRY(confusion_init(&f->confusion, e->set->class_count, CONFUSION_LIMIT, e->all.threshold, err));
    for (size_t i = 0; i < e->set->count; i++) {
        struct eval_image image = eval_set_image(e->set, i);
        TRY(confusion_add(&f->confusion, &image, err));
    }
    return OK;
}

enum result eval_write_files(struct evaluation *evaluation, const char *folder, size_t worst_limit,
                             struct error *err)
{
    struct files f = {.evaluation = evaluation, .folder = folder};
    char worst[PATH_BYTES];
    size_t drawn = 0;
    enum result result = eval_rank(evaluation, &f.ranking, err);
    result = result == OK ? fill_confusion(&f, err) : result;
    result = result == OK ? write_tables(&f, err) : result;
    struct error why;
    enum result charts = result == OK ? write_pictures(&f, &why) : OK;
    result = result == OK ? path_in(worst, sizeof worst, folder, "worst", err) : result;
    result = result == OK ? dir_make(worst, err) : result;
    result = result == OK ? eval_write_worst(evaluation, worst, worst_limit, &drawn, err) : result;
    if (charts != OK) {
        result = charts;
        *err = why;
    }
    if (result == OK) {
        log_info("%s: charts, tables, %zu of the worst pictures%s", folder, drawn,
                 drawn == 0 && worst_limit > 0 ? " (none has a mistake and can be read)" : "");
    }
    confusion_free(&f.confusion);
    mem_free(f.ranking.classes);
    return result;
}
