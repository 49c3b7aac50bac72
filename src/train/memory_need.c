#include "train/memory_need.h"

#include <math.h>

#include "base/memory.h"
#include "base/memory_limit.h"
#include "base/ranks.h"
#include "data/image.h"
#include "train/batch_source.h"
#include "train/step.h"
#include "train/validate.h"

enum { TRIED_PICTURES = 16 };

/* The cache's pictures are bytes; a picture that is augmented passes through floats of its own size. */
static const double FLOAT_BYTES = 4.0;

/* Decoded pictures, of which some are looked at: those that are kept, and those that threads are at. */
static double picture_bytes(const struct training *t)
{
    size_t count = t->train.sample_count, tried = count < TRIED_PICTURES ? count : TRIED_PICTURES;
    double sum = 0.0, most = 0.0, read = 0.0;
    for (size_t i = 0; i < tried; i++) {
        int w, h;
        struct error ignored;
        const char *path = t->train.samples[i * count / tried].image_path;
        if (image_read_size(path, &w, &h, &ignored) == OK) {
            double bytes = (double)w * (double)h * t->model.net.size.c;
            sum += bytes;
            most = fmax(most, bytes);
            read += 1.0;
        }
    }
    double all = read > 0.0 ? sum / read * (double)count : 0.0;
    return fmin(all, (double)t->options.cache_bytes) +
           most * FLOAT_BYTES * t->options.loader_threads;
}

static double batch_bytes(const struct training *t, int images, double share)
{
    const struct net_size *size = &t->model.net.size;
    double slots = 2.0 + (2.0 * t->options.loader_threads - 1.0) / images;
    return floor(slots) * images * (double)size->w * (double)size->h * size->c * FLOAT_BYTES *
           share;
}

/* Of a step of the validation's plan: the heads have their losses, nothing moves. */
static enum result validation_bytes(const struct training *t, double parameters, double *bytes,
                                    struct error *err)
{
    const struct network *net = &t->model.net;
    *bytes = 0.0;
    if (!t->has_valid || t->options.validate_every == 0) {
        return OK;
    }
    enum layer_mode *modes = mem_alloc((size_t)net->layer_count, sizeof *modes);
    if (!modes) {
        return mem_error(err, "validation");
    }
    validate_modes(net, modes);
    const struct step_options step = {.net = (struct network *)net, /* only measured */
                                      .kernels = t->options.kern,
                                      .modes = modes,
                                      .batch = training_validation(t).batch};
    enum result result = step_measure(&step, 1.0, bytes, err);
    *bytes -= result == OK ? parameters : 0.0;
    mem_free(modes);
    return result;
}

/* With so many pictures in a mini-batch. */
static enum result measure(const struct training *t, int images, struct memory_need *need,
                           struct error *err)
{
    const struct network *net = &t->model.net;
    double parameters = (double)network_param_floats(net, net->layer_count, NULL) * FLOAT_BYTES;
    double largest = 1.0;
    *need = (struct memory_need){.parameters = parameters};
    TRY(validation_bytes(t, parameters, &need->validation, err));
    for (size_t i = t->progress.stage; i < t->plan.count; i++) {
        const struct train_stage *stage = &t->plan.stages[i];
        const struct multiscale sizes = batch_source_sizes(&t->options, stage, &net->size);
        double bytes;
        TRY(training_measure(t, stage, images, &bytes, err));
        need->step = fmax(need->step, bytes - parameters);
        largest = fmax(largest, multiscale_growth(&sizes));
    }
    need->pictures = batch_bytes(t, images, largest) + picture_bytes(t);
    need->total = need->parameters + need->step + need->validation + need->pictures;
    return OK;
}

enum result memory_need_measure(const struct training *t, struct memory_need *need,
                                struct error *err)
{
    return measure(t, t->options.mini_batch, need, err);
}

/* With the smallest number of parts that fits; else what else may help. */
static enum result refuse(const struct training *t, const struct memory_need *need, double have,
                          struct error *err)
{
    int images = t->options.mini_batch * t->options.subdivisions;
    struct memory_need less;
    error_set(err, ERR_ARG, "mini-batches of %d take %.3g GB of memory, and %.3g GB are free",
              t->options.mini_batch, need->total / 1e9, have / 1e9);
    if (t->options.resumes) {
        return error_hint(err, "a run keeps its mini-batches: end what else takes memory");
    }
    for (int parts = t->options.subdivisions + 1; parts <= images; parts++) {
        struct error ignored;
        if (images % parts == 0 && measure(t, images / parts, &less, &ignored) == OK &&
            less.total <= have) {
            return error_hint(err, "--batch %d --subdivisions %d takes %.3g GB", images, parts,
                              less.total / 1e9);
        }
    }
    return error_hint(err, "not even one picture at a time fits: a smaller --imgsz, another base, "
                           "or --freeze backbone takes less");
}

enum result memory_need_check(const struct training *t, struct error *err)
{
    struct memory_need need;
    double have = memory_free_now("") / ranks_on_host();
    if (t->progress.stage >= t->plan.count || !(have > 0.0)) {
        return OK;
    }
    TRY(memory_need_measure(t, &need, err));
    return need.total <= have ? OK : refuse(t, &need, have, err);
}
