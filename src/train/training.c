#include "train/training.h"

#include "base/ranks.h"
#include "train/batch_source.h"
#include "train/step.h"

enum { VALIDATION_BATCH = 4 };

uint64_t training_images_per_update(const struct training *t)
{
    return (uint64_t)t->options.mini_batch * (uint64_t)t->options.subdivisions;
}

int training_mini_batches(const struct training *t)
{
    return (t->options.subdivisions + ranks_count() - 1) / ranks_count();
}

struct validate_options training_validation(const struct training *t)
{
    return (struct validate_options){.set = &t->valid,
                                     .task = t->model.task,
                                     .names = t->model.names,
                                     .kernels = t->options.kern,
                                     .quant = t->options.quant,
                                     .letter_box = t->options.augment.letter_box,
                                     .batch = VALIDATION_BATCH,
                                     .loader_threads = t->options.loader_threads};
}

enum result training_measure(const struct training *t, const struct train_stage *stage, int images,
                             double *bytes, struct error *err)
{
    const struct network *net = &t->model.net;
    const struct multiscale sizes = batch_source_sizes(&t->options, stage, &net->size);
    int all = t->options.mini_batch * t->options.subdivisions;
    const struct step_options step = {.net = (struct network *)net, /* only measured */
                                      .kernels = t->options.kern,
                                      .modes = stage->freeze.modes,
                                      .batch = images,
                                      .mini_batches = all / images,
                                      .quant = t->options.quant,
                                      .optimizer = t->options.optimizer};
    return step_measure(&step, multiscale_growth(&sizes), bytes, err);
}
