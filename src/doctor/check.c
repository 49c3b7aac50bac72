#include "doctor/check.h"

#include "base/options.h"
#include "base/clock.h"
#include "base/log.h"
#include "doctor/contact_sheet.h"
#include "doctor/fix.h"
#include "doctor/report.h"
#include "net/task.h"
#include "run/model.h"

struct check_job {
    const struct check_options *o;
    struct doctor doctor;
    struct network net;
    struct anchor_heads heads; /* count == 0 without a cfg */
    struct check_report report;
};

static enum result open_network(struct check_job *job, struct error *err)
{
    const struct check_options *o = job->o;
    if (!o->cfg) {
        return OK;
    }
    TRY(option_need_file("cfg", o->cfg, err));
    TRY(network_read(o->cfg, o->w, o->h, &job->net, err));
    if (task_of(&job->net) != TASK_DETECT) {
        return OK;
    }
    TRY(model_check_pictures(&job->net, err));
    TRY(heads_read(&job->net, &job->heads, err));
    job->report.heads = &job->heads;
    return OK;
}

/* What acts on boxes only. */
static enum result check_acts(const struct check_job *job, struct error *err)
{
    const char *option = job->o->fix ? "--fix" : job->o->draw ? "--draw" : NULL;
    bool has_boxes = job->doctor.kind == DATASET_BOXES;
    return has_boxes || !option
               ? OK
               : error_set(err, ERR_ARG, "%s acts only on labelled boxes, %s has none", option,
                           job->doctor.sets[SET_TRAIN].path);
}

static enum result examine(struct check_job *job, struct error *err)
{
    struct doctor *doctor = &job->doctor;
    struct doctor_source source = job->o->source;
    source.net = job->o->cfg ? &job->net : NULL;
    TRY(doctor_open(&source, doctor, err));
    TRY(check_acts(job, err));
    bool is_table = doctor->kind == DATASET_TABLE;
    if (!job->o->no_images && !is_table) {
        TRY(doctor_read_pictures(doctor, err));
    }
    TRY(doctor_check_boxes(doctor, err));
    TRY(is_table ? OK : doctor_check_copies(doctor, err));
    TRY(doctor_check_values(doctor, err));
    TRY(doctor_check_classes(doctor, job->report.heads ? &job->net : NULL, err));
    for (int set = 0; set < doctor->set_count; set++) {
        TRY(set_stats_measure(doctor, set, &job->report.sets[set], err));
    }
    if (job->report.heads) {
        TRY(network_stats_measure(doctor, &job->heads, &job->report.network, err));
    }
    return finding_sort(&doctor->findings, err);
}

static enum result write_files(const struct check_job *job, struct error *err)
{
    const struct check_options *o = job->o;
    if (o->fix) {
        struct fix_counts counts;
        TRY(fix_write(&job->doctor, o->fix, &counts, err));
        log_info("%s: %zu pictures, %zu label files changed, %zu pictures left out; train with "
                 "%s/set.data",
                 o->fix, counts.pictures, counts.labels_changed,
                 counts.dropped_pictures + counts.unusable_pictures, o->fix);
        if (counts.unusable_pictures > 0) {
            log_warn("%s: %zu pictures with labels that cannot be used are left out", o->fix,
                     counts.unusable_pictures);
        }
        if (counts.pictures == 0) {
            log_warn("%s: no picture is left", o->fix);
        }
    }
    if (o->draw) {
        size_t drawn, left;
        TRY(sheet_draw(&job->doctor, o->draw, (size_t)o->draw_max, &drawn, &left, err));
        log_info("%s: %zu drawn", o->draw, drawn);
        if (left > 0) {
            log_warn("%s: %zu more are not drawn (--draw-max)", o->draw, left);
        }
    }
    return OK;
}

static enum result run_job(struct check_job *job, bool *is_clean, struct error *err)
{
    double start = clock_seconds();
    job->report.doctor = &job->doctor;
    TRY(open_network(job, err));
    TRY(examine(job, err));
    job->report.seconds = clock_seconds() - start;
    const struct finding_list *list = &job->doctor.findings;
    *is_clean =
        finding_count(list, SEVERITY_ERROR) == 0 && finding_count(list, SEVERITY_WARNING) == 0;
    if (job->o->prints_json) {
        TRY(check_print_json(&job->report, err));
    } else {
        check_print_text(&job->report);
    }
    return write_files(job, err);
}

enum result check_run(const struct check_options *options, bool *is_clean, struct error *err)
{
    struct check_job job = {.o = options};
    enum result result = run_job(&job, is_clean, err);
    for (int set = 0; set < SETS_MAX; set++) {
        set_stats_free(&job.report.sets[set]);
    }
    network_stats_free(&job.report.network);
    doctor_close(&job.doctor);
    heads_free(&job.heads);
    network_free(&job.net);
    return result;
}
