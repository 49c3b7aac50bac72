#include "train/quantize_aware.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"
#include "base/path.h"
#include "base/ranks.h"
#include "layers/kinds.h"
#include "run/quantize.h"
#include "train/stateio.h"

enum { CALIBRATION_PICTURES = 64 };

static enum result refuse(struct error *err, const char *why)
{
    return error_set(err, ERR_ARG, "--quantize-aware %s", why);
}

static bool uses_batch(const struct training *t, const struct train_stage *stage)
{
    bool uses = false;
    for (int i = 0; i < t->model.net.layer_count; i++) {
        bool has_statistics = layer_param(&t->model.net.layers[i], "rolling_mean") != NULL;
        uses = uses || (has_statistics && mode_rules[stage->freeze.modes[i]].uses_batch);
    }
    return uses;
}

static enum result check_stages(const struct training *t, struct error *err)
{
    for (size_t i = 0; i < t->plan.count; i++) {
        if (uses_batch(t, &t->plan.stages[i])) {
            return refuse(err,
                          "keeps the statistics of batch norms, which int8 has in its weights: "
                          "it does not go with bn=train, nor with bn=auto in a --stage "
                          "(--bn eval or frozen)");
        }
        if (t->plan.stages[i].cache_features > 0) {
            return refuse(err, "does not go with --cache-features");
        }
    }
    return OK;
}

static enum result check(const struct train_args *args, const struct training *t, struct error *err)
{
    if (ranks_count() > 1) {
        return refuse(err, "runs in one process");
    }
    if (t->model.task != TASK_DETECT && t->model.task != TASK_CLASSIFY) {
        return error_set(err, ERR_ARG,
                         "--quantize-aware trains detectors and classifiers, %s is neither",
                         t->model.cfg_path);
    }
    if (!args->resumes && !t->model.weights_path[0]) {
        return refuse(err, "goes on from trained weights (--weights FILE)");
    }
    return check_stages(t, err);
}

enum result quantize_aware_draft(const struct train_args *args, struct training *t,
                                 struct error *err)
{
    quant_free(&t->quant);
    t->options.quant = NULL;
    if (!args->quantize_aware) {
        return OK;
    }
    TRY(check(args, t, err));
    TRY(quantize_draft(&t->model.net, &t->quant, err));
    t->options.quant = &t->quant;
    return OK;
}

static enum result check_loaded(const struct training *t, struct error *err)
{
    for (int i = 0; i < t->model.net.layer_count; i++) {
        if (t->begin.loaded[i] < layer_values(&t->model.net.layers[i])) {
            return error_set(err, ERR_ARG,
                             "--quantize-aware goes on from trained weights, and %s has none for "
                             "all of layer %d",
                             t->model.weights_path, i);
        }
    }
    return OK;
}

static void describe(struct training *t, const char *source)
{
    int on_bytes = 0, convolutions = 0;
    for (int i = 0; i < t->quant.layer_count; i++) {
        convolutions += t->model.net.layers[i].ops == &convolutional_ops;
        on_bytes += t->quant.layers[i].is_int8;
    }
    snprintf(
        t->quant_text, sizeof t->quant_text,
        "%d of %d convolutions train, and all are validated, as int8 computes; steps of %.300s",
        on_bytes, convolutions, source);
}

static enum result calibrate(const struct train_args *args, struct training *t, struct error *err)
{
    const struct quantize_options options = {
        .data = args->model.data, .images = args->images, .pictures = CALIBRATION_PICTURES};
    struct quantized found = {0};
    char source[64];
    enum result result = quantize(&t->model, &options, &found, err);
    if (result == OK) {
        t->quant = found.quant;
        found.quant = (struct quantization){0};
        snprintf(source, sizeof source, "a calibration on %d pictures", t->quant.pictures);
        describe(t, source);
    }
    if (found.failures > 0) {
        log_warn("pictures that could not be read: %zu", found.failures);
    }
    quantized_free(&found);
    return result;
}

/* The file lies beside weights, or in the folder of a run that goes on, whose last.weights may be newer by a moment. */
static enum result take_file(struct training *t, const char *path, struct error *err)
{
    TRY(quant_read(path, &t->quant, err));
    if (t->options.resumes) {
        t->quant.weights = quant_weights_hash(&t->model.net);
    }
    TRY(quant_check(&t->quant, &t->model.net, path, err));
    describe(t, path);
    return OK;
}

enum result quantize_aware_open(const struct train_args *args, struct training *t,
                                struct error *err)
{
    char path[MODEL_PATH];
    if (!args->quantize_aware) {
        return OK;
    }
    quant_free(&t->quant);
    if (t->options.resumes) {
        TRY(path_in(path, sizeof path, args->resume, checkpoint_quant_name, err));
        return path_exists(path)
                   ? take_file(t, path, err)
                   : error_at(err, ERR_ARG, path, 0, "is missing, so the run cannot go on");
    }
    TRY(check_loaded(t, err));
    TRY(model_quant_path(t->model.weights_path, path, err));
    return path_exists(path) ? take_file(t, path, err) : calibrate(args, t, err);
}

const char *quantize_aware_line(const struct training *t, char *text, size_t size)
{
    struct state_hash hash = {0};
    text[0] = '\0';
    for (int i = 0; t->options.quant && i < t->quant.layer_count; i++) {
        const struct quant_layer *l = &t->quant.layers[i];
        size_t count = (size_t)l->channels;
        state_hash_add(&hash, &l->is_int8, sizeof l->is_int8);
        state_hash_add(&hash, l->steps, count * sizeof *l->steps);
        state_hash_add(&hash, l->bias, count * sizeof *l->bias);
        state_hash_add(&hash, l->zeros, count);
    }
    if (t->options.quant) {
        snprintf(text, size, "int8=%" PRIx64 "\n", state_hash_value(&hash));
    }
    return text;
}
