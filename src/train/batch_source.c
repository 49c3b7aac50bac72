#include "train/batch_source.h"

#include "base/memory.h"
#include "base/ranks.h"
#include "train/sum_tree.h"

struct batch_source {
    struct batch_source_options o;
    struct loader_share share; /* of an update's mini-batches */
    struct loader *loader;     /* NULL: not needed so far */
    struct replay *replay;     /* NULL: a stage without features */
    struct batch latest;
    uint64_t at, next; /* first image of the latest batch; of the next one */
};

/* Features are of one size. */
struct multiscale batch_source_sizes(const struct train_options *run,
                                     const struct train_stage *stage, const struct net_size *base)
{
    bool varies = stage->augments && stage->cache_features == 0;
    return (struct multiscale){.random = varies ? run->random : 0.0f,
                               .step = run->resize_step,
                               .base_w = base->w,
                               .base_h = base->h,
                               .seed = run->seed};
}

static void size_of(void *ctx, uint64_t mini_batch, int *w, int *h)
{
    const struct batch_source_options *f = &((const struct batch_source *)ctx)->o;
    struct multiscale sizes = batch_source_sizes(f->run, f->stage, &f->base);
    sizes.random = f->is_trial ? 0.0f : sizes.random;
    multiscale_size(&sizes, mini_batch / (uint64_t)f->run->subdivisions, w, h);
}

/* ---- opening ---- */

static struct augment_options stage_augment(const struct train_options *run,
                                            const struct train_stage *stage)
{
    struct augment_options augment = run->augment;
    augment.is_off = !stage->augments;
    augment.mosaic = augment.mosaic && !stage->no_mosaic;
    return augment;
}

/* True: images from *end on, which are those of the run's last updates, are no mosaics. Features are kept as they are. */
static bool mosaics_end(const struct batch_source *f, uint64_t *end)
{
    const struct train_options *run = f->o.run;
    const struct train_stage *stage = f->o.stage;
    bool is_last = stage == &run->stages[run->stage_count - 1];
    if (run->close_mosaic == 0 || !is_last || f->replay) {
        return false;
    }
    uint64_t with =
        stage->iterations > run->close_mosaic ? stage->iterations - run->close_mosaic : 0;
    *end = f->o.first_sample + with * (uint64_t)run->mini_batch * (uint64_t)run->subdivisions;
    return true;
}

static enum result open_loader(struct batch_source *f, struct error *err)
{
    const struct train_options *run = f->o.run;
    struct loader_options options = {.set = run->set,
                                     .augment = stage_augment(run, f->o.stage),
                                     .batch = run->mini_batch,
                                     .channels = f->o.base.c,
                                     .seed = run->seed,
                                     .first_sample = f->next,
                                     .source_of = f->replay ? replay_source : NULL,
                                     .source_ctx = f->replay,
                                     .share = f->share,
                                     .threads = run->loader_threads,
                                     .cache_bytes = run->cache_bytes,
                                     .size_of = size_of,
                                     .size_ctx = f};
    if (mosaics_end(f, &options.mosaic_end) && options.mosaic_end == 0) {
        options.augment.mosaic = false;
    }
    return loader_open(&options, &f->loader, err);
}

static struct replay_options replay_options_of(const struct train_options *run,
                                               const struct train_stage *stage)
{
    return (struct replay_options){.folder = run->folder,
                                   .net = run->net,
                                   .kern = run->kern,
                                   .modes = stage->freeze.modes,
                                   .set = run->set,
                                   .augment = stage_augment(run, stage),
                                   .mini_batch = run->mini_batch,
                                   .seed = run->seed,
                                   .variants = stage->cache_features,
                                   .fingerprint = run->fingerprint};
}

static struct loader_share share_of(const struct batch_source_options *o)
{
    int mini_batches = o->run->subdivisions;
    if (o->is_trial || ranks_count() == 1) {
        return (struct loader_share){0};
    }
    struct sum_share share = sum_tree_share(mini_batches, ranks_count(), ranks_own());
    return (struct loader_share){mini_batches, share.first, share.end};
}

/* The first image from this one on, which begins a mini-batch, that is not another process's. */
static uint64_t next_image(const struct batch_source *f, uint64_t image)
{
    uint64_t images = (uint64_t)f->o.run->mini_batch;
    return loader_share_next(&f->share, image / images) * images;
}

enum result batch_source_open(const struct batch_source_options *options,
                              struct batch_source **source, struct error *err)
{
    struct batch_source *f = mem_alloc(1, sizeof *f);
    if (!f) {
        return mem_error(err, "training batches");
    }
    *f = (struct batch_source){.o = *options, .share = share_of(options)};
    bool is_idle = f->share.group > 0 && f->share.first == f->share.end;
    f->at = f->next = is_idle ? options->next_sample : next_image(f, options->next_sample);
    enum result result;
    if (options->stage->cache_features > 0 && !options->is_trial) {
        struct replay_options replay = replay_options_of(options->run, options->stage);
        replay.first_sample = options->first_sample;
        result = replay_open(&replay, &f->replay, err);
    } else {
        result = is_idle ? OK : open_loader(f, err);
    }
    if (result != OK) {
        batch_source_close(f);
        return result;
    }
    *source = f;
    return OK;
}

void batch_source_close(struct batch_source *source)
{
    if (!source) {
        return;
    }
    loader_close(source->loader);
    replay_close(source->replay);
    mem_free(source);
}

/* ---- batches ---- */

enum result batch_source_next(struct batch_source *source, struct batch *batch, struct error *err)
{
    int images = source->o.run->mini_batch;
    if (source->replay && replay_fetch(source->replay, source->next, images, batch)) {
        loader_close(source->loader); /* it would make pictures that are not wanted */
        source->loader = NULL;
    } else {
        if (!source->loader) {
            TRY(open_loader(source, err));
        }
        TRY(loader_next(source->loader, batch, err));
    }
    source->latest = *batch;
    source->at = source->next;
    source->next = next_image(source, source->next + (uint64_t)batch->images);
    return OK;
}

void batch_source_forward(void *source, struct plan *plan, int images)
{
    struct batch_source *f = source;
    if (f->replay) {
        replay_forward(f->replay, plan, f->at, &f->latest);
    } else {
        plan_forward(plan, images);
    }
}

bool batch_source_forward_layer(const struct batch_source *source, struct plan *plan, int layer)
{
    if (source->replay) {
        return replay_forward_layer(source->replay, plan, layer);
    }
    plan_forward_layer(plan, layer);
    return true;
}

enum result batch_source_measure(const struct train_options *run, const struct train_stage *stage,
                                 struct replay_size *size, struct error *err)
{
    struct replay_options replay = replay_options_of(run, stage);
    return replay_measure(&replay, size, err);
}
