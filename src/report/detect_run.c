#include "report/detect_run.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/fileio.h"
#include "base/listing.h"
#include "base/path.h"
#include "base/log.h"
#include "base/memory.h"
#include "report/annotate.h"
#include "results/input_guard.h"
#include "base/interrupt.h"
#include "data/stream.h"
#include "data/coco_ids.h"
#include "data/inputs.h"
#include "run/class_filter.h"
#include "results/paths.h"

enum { PATH_BYTES = 4096, PROGRESS_MS = 200, DEFAULT_TOP = 5 };

/* What the options came to. */
struct detect_job {
    const struct detect_run_options *o;
    struct detect_run_options of_classifier; /* *o then points here */
    struct model model;
    struct infer infer;
    bool *wanted; /* [class count], or NULL */
    struct inputs *inputs;
    struct coco_ids ids;      /* with o->annotations */
    struct input_guard guard; /* inputs that lie in the output folder */
    bool is_out_in_inputs;    /* a folder argument holds the output folder: leave that out */
};

/* One picture on its way. */
struct item {
    struct infer_slot infer; /* first: compute and destroy see nothing else */
    struct input_item input;
    char picture_path[PATH_BYTES]; /* "" = not saved */
    char stem[PATH_BYTES];         /* of labels and crops, below their folders */
};

struct run {
    struct detect_job *job;
    struct detect_totals *totals;
    struct result_stream stream;
    struct name_set picture_names, stem_names;
    size_t position, first, end; /* of inputs: the next one; the share is [first, end) */
    double start_ms, progress_ms;
    bool is_stream_broken;
    struct error stream_err;
    pthread_mutex_t totals_lock; /* savers count too */
};

static bool saves_labels(const struct detect_run_options *o)
{
    return o->format == RESULT_YOLO || o->format == RESULT_VOC;
}

static bool saves_stems(const struct detect_run_options *o)
{
    return o->saves_crops || saves_labels(o);
}

bool detect_writes_files(const struct detect_run_options *o)
{
    return o->saves_pictures || saves_stems(o);
}

/* ---- next: one item of the inputs ---- */

static enum result label_file(const struct detect_job *job, const struct item *item,
                              char path[PATH_BYTES], struct error *err)
{
    bool is_voc = job->o->format == RESULT_VOC;
    int length = snprintf(path, PATH_BYTES, "%s/%s%s%s", job->o->out, is_voc ? "" : "labels/",
                          item->stem, is_voc ? ".xml" : ".txt");
    if (length < 0 || length >= PATH_BYTES) {
        return error_at(err, ERR_IO, item->input.path, 0, "output path too long");
    }
    return OK;
}

static enum result spare_labels(const struct detect_job *job, const struct item *item,
                                struct error *err)
{
    char path[PATH_BYTES];
    TRY(label_file(job, item, path, err));
    if (is_label_of(path, item->input.path)) {
        return error_at(err, ERR_IO, item->input.path, 0,
                        "its labels exist, %s would be overwritten (choose another --out)", path);
    }
    return OK;
}

/* Where the item's results go. */
static enum result name_outputs(struct run *run, struct item *item, struct error *err)
{
    const struct detect_job *job = run->job;
    char name[PATH_BYTES], unique[PATH_BYTES];
    if (job->o->saves_pictures) {
        TRY(picture_name(item->input.relative, name, sizeof name, err));
        TRY(name_set_add(&run->picture_names, name, unique, sizeof unique, err));
        if (!path_join(item->picture_path, sizeof item->picture_path, job->o->out, unique)) {
            return error_at(err, ERR_IO, item->input.path, 0, "output path too long");
        }
        if (input_guard_holds(&job->guard, item->picture_path, item->input.path)) {
            return error_at(
                err, ERR_IO, item->input.path, 0,
                "its annotated picture would overwrite the input %s (choose another --out)",
                item->picture_path);
        }
    }
    if (saves_stems(job->o)) {
        size_t length = path_stem_length(item->input.relative);
        snprintf(name, sizeof name, "%.*s", (int)length, item->input.relative);
        TRY(name_set_add(&run->stem_names, name, item->stem, sizeof item->stem, err));
    }
    return saves_labels(job->o) ? spare_labels(job, item, err) : OK;
}

/* In the order of the inputs, so that the first of two namesakes has the name, and the id. */
static enum result take_item(struct run *run, struct item *item, struct error *err)
{
    TRY(name_outputs(run, item, err));
    return run->job->o->annotations
               ? coco_ids_take(&run->job->ids, item->input.path, &item->infer.record.image_id, err)
               : OK;
}

static void start_item(struct item *item)
{
    infer_start(&item->infer, item->input.path);
    item->picture_path[0] = 0;
    item->stem[0] = 0;
    memset(&item->input, 0, sizeof item->input);
}

static bool is_own_output(const struct detect_job *job, const struct input_item *input)
{
    return job->is_out_in_inputs && !input->origin[0] && is_inside(input->path, job->o->out);
}

static bool is_left_out(const struct detect_job *job, const struct input_item *input)
{
    for (size_t i = 0; i < job->o->excluded_count; i++) {
        if (is_inside(input->path, job->o->excluded[i])) {
            return true;
        }
    }
    return is_own_output(job, input);
}

/* The inputs, at most so many of them, which are then gone through again. */
static size_t count_inputs(const struct detect_job *job, size_t most)
{
    struct input_item item = {0};
    struct error why;
    size_t count = 0;
    for (int status; count < most && !interrupt_pending() &&
                     (status = inputs_next(job->inputs, &item, &why)) != 0;) {
        count += status < 0 || !is_left_out(job, &item);
    }
    inputs_rewind(job->inputs);
    return count;
}

/* The share is one of all inputs. */
static enum result find_share(struct run *run, struct error *err)
{
    const struct detect_job *job = run->job;
    run->end = SIZE_MAX;
    if (job->o->shard.count == 0) {
        /* Nobody knows how many paths come through a pipe, nor when. */
        bool is_at_rest = !inputs_once(job->inputs);
        infer_expect(&run->job->infer, is_at_rest ? count_inputs(job, infer_many()) : 0);
        return OK;
    }
    TRY(inputs_keep_stdin(job->inputs, err));
    const char *pipe = inputs_once(job->inputs);
    if (pipe) {
        return error_at(
            err, ERR_ARG, pipe, 0,
            "a pipe, but --shard goes through its inputs twice (give the list on stdin: -)");
    }
    size_t count = count_inputs(job, SIZE_MAX);
    shard_range(&job->o->shard, count, &run->first, &run->end);
    run->totals->all = count;
    infer_expect(&run->job->infer, run->end - run->first);
    return OK;
}

/* Inputs before the share are named, too, but go no further: what has a name keeps it, however many shares there are. */
static int next_item(void *ctx, void *slot, struct error *err)
{
    (void)err; /* an input that cannot be had is an item that has failed */
    struct run *run = ctx;
    struct item *item = slot;
    while (!interrupt_pending() && run->position < run->end) {
        start_item(item);
        int status = inputs_next(run->job->inputs, &item->input, &item->infer.err);
        if (status == 0 || interrupt_pending()) {
            return 0;
        }
        if (!item->input.path[0]) { /* an unusable line: its place must do for a name */
            item->infer.record.image = item->input.origin;
        }
        if (status > 0 && is_left_out(run->job, &item->input)) {
            log_debug("%s: left out, it lies in the output folder or one of --exclude",
                      item->input.path);
            continue;
        }
        item->infer.has_failed = status < 0 || take_item(run, item, &item->infer.err) != OK;
        if (run->position++ < run->first) {
            continue;
        }
        if (!item->infer.has_failed && run->job->o->skips_existing &&
            path_exists(item->picture_path)) {
            pthread_mutex_lock(&run->totals_lock);
            run->totals->skipped++;
            pthread_mutex_unlock(&run->totals_lock);
            continue;
        }
        return 1;
    }
    return 0;
}

/* ---- load and compute ---- */

static enum result load_item(void *ctx, void *slot, int part, int loader, struct error *err)
{
    (void)part, (void)err;
    const struct run *run = ctx;
    struct item *item = slot;
    bool is_listed = !item->infer.has_failed && item->input.origin[0];
    if (is_listed && inputs_need(&item->input, &item->infer.err) != OK) {
        item->infer.has_failed = true;
    }
    infer_load(&run->job->infer, &item->infer, loader);
    return OK;
}

static void compute_items(void *ctx, void *const *slots, int count)
{
    const struct run *run = ctx;
    infer_compute(&run->job->infer, slots, count);
}

/* ---- deliver: to stdout, in order ---- */

static void count_failure(struct run *run, const struct item *item, const struct error *err)
{
    if (item->input.origin[0]) {
        log_error("%s: %s", item->input.origin, err->text);
    } else {
        log_error("%s", err->text);
    }
    pthread_mutex_lock(&run->totals_lock);
    run->totals->failures++;
    pthread_mutex_unlock(&run->totals_lock);
}

static void count_image(struct run *run, const struct result_record *record)
{
    pthread_mutex_lock(&run->totals_lock);
    struct detect_totals *totals = run->totals;
    infer_add_times(&run->job->infer, record, &totals->times);
    totals->objects += record->count;
    size_t images = totals->times.images, failures = totals->failures;
    pthread_mutex_unlock(&run->totals_lock);
    log_debug("%s: load %.1f ms, infer %.1f ms, post %.1f ms", record->image, record->load_ms,
              record->infer_ms, record->post_ms);
    double now = clock_ms();
    if (now - run->progress_ms >= PROGRESS_MS) {
        run->progress_ms = now;
        log_progress("%zu images, %zu failed, %.1f images/s", images, failures,
                     (double)images * 1e3 / (now - run->start_ms));
    }
}

static void deliver_item(void *ctx, void *slot)
{
    struct run *run = ctx;
    struct item *item = slot;
    if (item->infer.has_failed) {
        infer_drop_picture(&item->infer);
        item->infer.record.error = item->infer.err.text;
        count_failure(run, item, &item->infer.err);
    } else {
        count_image(run, &item->infer.record);
    }
    if (run->is_stream_broken) {
        return;
    }
    struct error err;
    errno = 0;
    enum result result = results_add(&run->stream, &item->infer.record, &err);
    if (result == ERR_IO) {
        run->is_stream_broken = true;
        run->totals->is_reader_gone = errno == EPIPE;
        run->stream_err = err;
    } else if (result != OK) {
        count_failure(run, item, &err);
    }
}

static bool is_stopped(void *ctx)
{
    const struct run *run = ctx;
    return run->is_stream_broken || interrupt_pending();
}

/* ---- save: pictures, crops, label files ---- */

static enum result save_label(const struct detect_job *job, const struct item *item,
                              struct error *err)
{
    char path[PATH_BYTES];
    TRY(label_file(job, item, path, err));
    TRY(parent_make(path, err));
    if (job->o->format == RESULT_VOC) {
        return results_write_voc(path, &item->infer.record, job->model.names,
                                 job->o->voc_first_pixel, err);
    }
    return results_write_yolo(path, &item->infer.record, job->o->saves_confidence, err);
}

static enum result save_crops(const struct detect_job *job, const struct item *item, size_t *saved,
                              struct error *err)
{
    char folder[PATH_BYTES];
    TRY(path_in(folder, sizeof folder, job->o->out, "crops", err));
    return annotate_save_crops(&item->infer.picture, &item->infer.record, job->model.names, folder,
                               item->stem, saved, err);
}

/* The annotated picture comes last: --skip-existing takes it as the sign that an input is done. */
static enum result save(const struct detect_job *job, struct item *item,
                        struct detect_totals *saved, struct error *err)
{
    if (saves_labels(job->o)) {
        TRY(save_label(job, item, err));
        saved->labels++;
    }
    if (job->o->saves_crops) {
        TRY(save_crops(job, item, &saved->crops, err));
    }
    if (job->o->saves_pictures) {
        annotate_draw(&item->infer.picture, &item->infer.record, job->model.names);
        TRY(parent_make(item->picture_path, err));
        TRY(image_write(item->picture_path, &item->infer.picture, err));
        saved->pictures++;
    }
    return OK;
}

static void save_item(void *ctx, void *slot)
{
    struct run *run = ctx;
    struct item *item = slot;
    if (item->infer.has_failed) {
        return;
    }
    struct detect_totals saved = {0};
    struct error err;
    enum result result = save(run->job, item, &saved, &err);
    infer_drop_picture(&item->infer);
    if (result != OK) {
        count_failure(run, item, &err);
    }
    pthread_mutex_lock(&run->totals_lock);
    run->totals->pictures += saved.pictures;
    run->totals->crops += saved.crops;
    run->totals->labels += saved.labels;
    pthread_mutex_unlock(&run->totals_lock);
}

/* ---- all together ---- */

static enum result run_stream(struct run *run, struct error *err)
{
    const struct detect_job *job = run->job;
    const struct stream_hooks hooks = {
        .ctx = run,
        .next = next_item,
        .load = load_item,
        .save = detect_writes_files(job->o) ? save_item : NULL,
        .destroy = infer_destroy,
        .is_stopped = is_stopped,
    };
    const struct stream_options options = {
        .slot_bytes = sizeof(struct item),
        .batch = job->infer.batch,
        .loaders = job->infer.helpers,
        .savers = job->infer.helpers,
    };
    const struct stream_work work = {compute_items, deliver_item};
    errno = 0;
    enum result result = results_begin(&run->stream, err);
    if (result != OK) {
        run->totals->is_reader_gone = errno == EPIPE;
        return result;
    }
    result = stream_run(&hooks, &options, &work, err);
    if (run->is_stream_broken) {
        *err = run->stream_err;
        return ERR_IO;
    }
    struct error end_err;
    if (results_end(&run->stream, &end_err) != OK && result == OK) {
        run->totals->is_reader_gone = errno == EPIPE;
        *err = end_err;
        result = ERR_IO;
    }
    return result;
}

static enum result run_job(struct detect_job *job, struct detect_totals *totals, struct error *err)
{
    double start = clock_ms();
    struct run run = {
        .job = job,
        .totals = totals,
        .stream = {.out = stdout, .format = job->o->format, .names = job->model.names},
        .start_ms = start,
        .progress_ms = start,
    };
    run.stream.thresholds = job->infer.thresholds.of_class;
    run.stream.is_of_classes = job->infer.top > 0;
    if (job->o->annotations) {
        run.stream.categories = job->ids.categories;
    }
    pthread_mutex_init(&run.totals_lock, NULL);
    interrupt_catch();
    /* A reader that leaves (`| head`) must not kill us with pictures half written. */
    struct sigaction ignore = {.sa_handler = SIG_IGN}, old;
    sigemptyset(&ignore.sa_mask);
    sigaction(SIGPIPE, &ignore, &old);
    enum result result = find_share(&run, err);
    result = result == OK ? run_stream(&run, err) : result;
    sigaction(SIGPIPE, &old, NULL);
    log_progress("%s", "");
    totals->wall_ms = clock_ms() - start;
    pthread_mutex_destroy(&run.totals_lock);
    name_set_free(&run.picture_names);
    name_set_free(&run.stem_names);
    return result;
}

/* ---- before ---- */

/* Whoever begins with this program has a photograph, of which the bundled model knows nothing. */
static void say_what_is_known(const struct model *model)
{
    if (!model_is_bundled(model)) {
        return;
    }
    char names[256] = "";
    size_t used = 0;
    for (size_t i = 0; i < model->name_count && used < sizeof names; i++) {
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "",
                                 model->names[i]);
    }
    log_info("note: the bundled model knows %zu rendered shapes only (%s); scripts/get-weights.sh "
             "yolov4-tiny brings 80 everyday classes",
             model->name_count, names);
}

/* What has no meaning for the task of the model. */
static enum result check_task(struct detect_job *job, struct error *err)
{
    const struct detect_run_options *o = job->o;
    const char *cfg = job->model.cfg_path;
    if (job->model.head && o->only_classifies) {
        error_at(err, ERR_ARG, cfg, 0, "a detector: it finds boxes, not classes of pictures");
        return error_hint(err, "yolo detect");
    }
    if (job->model.head && o->infer.top > 0) {
        return error_set(err, ERR_ARG, "--top acts only with a classifier, %s is a detector", cfg);
    }
    if (job->model.head || job->model.task != TASK_CLASSIFY) {
        return OK;
    }
    if ((int)o->format >= RESULT_CLASS_FORMATS) {
        static const char *const words[] = {RESULT_FORMATS(RESULT_FIRST_WORD, RESULT_WORD)};
        return error_set(err, ERR_ARG,
                         "--format %s is for boxes, %s is a classifier (" RESULT_CLASS_FORMAT_NAMES
                         ")",
                         words[o->format], cfg);
    }
    if (o->box_option) {
        return error_set(err, ERR_ARG, "%s acts only on boxes, %s is a classifier", o->box_option,
                         cfg);
    }
    job->of_classifier = *o;
    job->of_classifier.saves_pictures = false;
    job->o = &job->of_classifier;
    return OK;
}

static enum result open_model(struct detect_job *job, struct error *err)
{
    struct model *model = &job->model;
    TRY(model_open(job->o->model, MODEL_WHOLE, model, err));
    TRY(check_task(job, err));
    const struct detect_run_options *o = job->o;
    struct infer_args infer = o->infer;
    if (infer.top == 0) {
        infer.top = DEFAULT_TOP;
    }
    say_what_is_known(model);
    if (o->classes) {
        TRY(class_filter_parse(o->classes, model->names, model->name_count, &job->wanted, err));
    }
    if (o->annotations) {
        TRY(coco_ids_read(o->annotations, model->names, model->name_count, &job->ids, err));
    }
    infer.classes = job->wanted;
    infer.keeps_pictures = o->saves_pictures || o->saves_crops;
    return infer_open(model, o->model->run, &infer, &job->infer, err);
}

static enum result open_output(struct detect_job *job, struct error *err)
{
    const struct detect_run_options *o = job->o;
    if (!detect_writes_files(o)) {
        return OK;
    }
    bool may_hold_inputs = listing_need_empty(o->out, "", NULL) != OK;
    TRY(dir_make(o->out, err));
    for (size_t i = 0; i < o->input_count; i++) {
        bool is_above = is_inside(o->out, o->inputs[i]) && !is_inside(o->inputs[i], o->out);
        job->is_out_in_inputs = job->is_out_in_inputs || is_above;
    }
    return may_hold_inputs ? input_guard_fill(&job->guard, o->inputs, o->input_count, o->out,
                                              job->is_out_in_inputs, err)
                           : OK;
}

static enum result open_job(struct detect_job *job, struct error *err)
{
    TRY(open_model(job, err));
    TRY(open_output(job, err));
    return inputs_open(job->o->inputs, job->o->input_count, &job->inputs, err);
}

static void close_job(struct detect_job *job)
{
    infer_close(&job->infer);
    inputs_close(job->inputs);
    coco_ids_free(&job->ids);
    name_set_free(&job->guard.files);
    mem_free(job->wanted);
    model_close(&job->model);
}

enum result detect_run(const struct detect_run_options *options, struct detect_totals *totals,
                       struct error *err)
{
    struct detect_job job = {.o = options};
    enum result result = open_job(&job, err);
    if (result == OK) {
        totals->has_begun = true;
        totals->is_of_classes = job.infer.top > 0;
        result = run_job(&job, totals, err);
    }
    close_job(&job);
    return result;
}
