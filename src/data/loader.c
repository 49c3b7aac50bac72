#include "data/loader.h"

#include <assert.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/rng.h"
#include "data/image_cache.h"
#include "data/stream.h"

enum { MAX_THREADS = 256, MAX_SIDE = 16384 };

/* Streams of their own for orders and samples. */
static const uint64_t order_stream = 0x6f72646572000000u;
static const uint64_t sample_stream = 0x73616d706c650000u;

/* A mini-batch on its way. What an image becomes depends on its number alone, so it does not matter who makes it. */
struct slot {
    uint64_t number; /* batch of this run */
    int images;      /* in it */
    struct tensor input;
    size_t capacity;          /* floats at input.data */
    struct truth_list *lists; /* [batch] */
    struct truth_set *truths;
    size_t *indices;
    struct image_fit *fits;
};

struct worker {
    struct loader *loader;
    struct augment_scratch scratch;
    uint32_t *order; /* of `epoch` */
    uint64_t epoch;
    bool has_order;
};

struct loader {
    struct loader_options options;
    struct image_cache cache;
    uint64_t end;                /* images [0, end) of this run */
    uint64_t next_batch;         /* to be begun by a worker, one at a time */
    _Atomic uint64_t unreadable; /* places left grey */
    struct worker *workers;
    struct stream *stream;
    bool has_batch; /* the caller holds one */
};

void loader_permutation(uint64_t seed, uint64_t epoch, size_t count, uint32_t *order)
{
    struct rng rng = rng_make(seed ^ order_stream, epoch, count);
    for (size_t i = 0; i < count; i++) {
        order[i] = (uint32_t)i;
    }
    for (size_t i = count; i > 1; i--) {
        size_t other = (size_t)rng_below(&rng, i);
        uint32_t kept = order[i - 1];
        order[i - 1] = order[other];
        order[other] = kept;
    }
}

uint64_t loader_share_next(const struct loader_share *share, uint64_t mini_batch)
{
    uint64_t group = (uint64_t)share->group, first = (uint64_t)share->first;
    if (group == 0) {
        return mini_batch;
    }
    uint64_t place = mini_batch % group, start = mini_batch - place;
    return place < first                  ? start + first
           : place < (uint64_t)share->end ? mini_batch
                                          : start + group + first;
}

/* ---- one image ---- */

/* What a worker is making. */
struct place {
    struct slot *slot;
    int image;
    uint64_t epoch;
    size_t position; /* in the epoch */
};

static size_t sample_at(struct worker *w, uint64_t epoch, size_t position)
{
    const struct loader_options *o = &w->loader->options;
    if (o->in_order) {
        return position;
    }
    if (!w->has_order || w->epoch != epoch) {
        loader_permutation(o->seed, epoch, o->set->sample_count, w->order);
        w->epoch = epoch;
        w->has_order = true;
    }
    return w->order[position];
}

/* Is there something to tell of this picture for the first time? */
static bool is_news(const struct dataset *set, size_t index)
{
    return !atomic_exchange(&set->is_told[index], true);
}

static enum result no_picture(const struct dataset *set, struct error *err)
{
    return error_set(err, ERR_IO, "none of the %zu pictures of the data set can be read",
                     set->sample_count);
}

/* The picture at a position of the epoch, or the nearest readable one behind it. in_order: that one
 * or none (*index = LOADER_NO_SAMPLE). */
static enum result get_picture(struct worker *w, uint64_t epoch, size_t position, size_t *index,
                               struct image *image, struct error *err)
{
    struct loader *l = w->loader;
    const struct dataset *set = l->options.set;
    size_t tries = l->options.in_order ? 1 : set->sample_count;
    for (size_t i = 0; i < tries; i++) {
        *index = sample_at(w, epoch, (position + i) % set->sample_count);
        struct error why;
        const char *path = set->samples[*index].image_path;
        if (image_cache_get(&l->cache, *index, path, image, &why) == OK) {
            if (image->is_dim && is_news(set, *index)) {
                log_warn("%s: %s", path, image_dim_text);
            }
            return OK;
        }
        if (why.code ==
            ERR_MEMORY) { /* not the picture's fault; without it the run would be another */
            *err = why;
            return ERR_MEMORY;
        }
        if (is_news(set, *index)) {
            log_warn("%s (%s)", why.text,
                     l->options.in_order ? "picture left out" : "another picture takes its place");
        }
    }
    *index = LOADER_NO_SAMPLE;
    if (l->options.in_order) {
        return OK;
    }
    return no_picture(set, err);
}

static struct augment_labels labels_of(const struct dataset *set, size_t index)
{
    const struct sample *sample = &set->samples[index];
    return (struct augment_labels){sample->truths, sample->is_crowd, sample->truth_count};
}

static void fill_grey(struct slot *slot, int image)
{
    size_t count = tensor_pixels(&slot->input) / (size_t)slot->input.n * slot->input.stride;
    float *out = tensor_at(&slot->input, image, 0, 0);
    for (size_t i = 0; i < count; i++) {
        out[i] = 0.5f;
    }
    slot->lists[image].count = 0;
    slot->fits[image] = (struct image_fit){0};
}

/* Features come in the order of files, the network's input is channels-last. */
static void make_row(struct worker *w, const struct place *p)
{
    const struct dataset *set = w->loader->options.set;
    struct slot *slot = p->slot;
    const struct tensor *t = &slot->input;
    size_t index = sample_at(w, p->epoch, p->position);
    const float *row = set->features + index * set->feature_count;
    float *out = tensor_at(t, p->image, 0, 0);
    size_t pixels = (size_t)t->h * (size_t)t->w, channels = (size_t)t->c;
    assert(pixels * channels == set->feature_count);
    for (size_t k = 0; k < channels; k++) {
        for (size_t i = 0; i < pixels; i++) {
            out[i * channels + k] = row[k * pixels + i];
        }
    }
    slot->indices[p->image] = index;
    slot->lists[p->image].count = 0;
    slot->fits[p->image] = (struct image_fit){0};
}

static enum result make_plain(struct worker *w, const struct place *p, struct error *err)
{
    struct loader *l = w->loader;
    struct slot *slot = p->slot;
    size_t *index = &slot->indices[p->image];
    struct image picture;
    TRY(get_picture(w, p->epoch, p->position, index, &picture, err));
    if (*index == LOADER_NO_SAMPLE) {
        fill_grey(slot, p->image);
        return OK;
    }
    struct augment_labels labels = labels_of(l->options.set, *index);
    enum result result = augment_none(&l->options.augment, &picture, &labels, &slot->input,
                                      p->image, &slot->lists[p->image], &slot->fits[p->image], err);
    image_cache_done(&l->cache, *index, &picture);
    return result;
}

static enum result make_augmented(struct worker *w, const struct place *p, struct error *err)
{
    struct loader *l = w->loader;
    const struct loader_options *o = &l->options;
    struct slot *slot = p->slot;
    struct augment_options augment = o->augment;
    uint64_t number = p->epoch * o->set->sample_count + p->position;
    augment.mosaic = augment.mosaic && (o->mosaic_end == 0 || number < o->mosaic_end);
    struct augment_job job = {.options = &augment,
                              .output = &slot->input,
                              .image = p->image,
                              .rng = rng_make(o->seed ^ sample_stream, p->epoch, p->position),
                              .scratch = &w->scratch,
                              .truths = &slot->lists[p->image]};
    int pictures = augment_begin(&job);
    /* The others of a mosaic: drawn before anything that depends on the pictures. */
    size_t positions[AUGMENT_MAX_PICTURES] = {p->position};
    for (int i = 1; i < pictures; i++) {
        positions[i] = (size_t)rng_below(&job.rng, o->set->sample_count);
    }
    for (int i = 0; i < pictures; i++) {
        size_t index;
        struct image picture;
        TRY(get_picture(w, p->epoch, positions[i], &index, &picture, err));
        if (i == 0) {
            slot->indices[p->image] = index;
        }
        if (index == LOADER_NO_SAMPLE) { /* in_order */
            fill_grey(slot, p->image);
            return OK;
        }
        struct augment_labels labels = labels_of(o->set, index);
        enum result result = augment_add(&job, &picture, &labels, err);
        image_cache_done(&l->cache, index, &picture);
        TRY(result);
    }
    augment_finish(&job);
    return OK;
}

/* ---- batches, on the workers ---- */

static enum result alloc_slot(struct slot *slot, size_t batch, struct error *err)
{
    slot->lists = mem_alloc(batch, sizeof *slot->lists);
    slot->truths = mem_alloc(batch, sizeof *slot->truths);
    slot->indices = mem_alloc(batch, sizeof *slot->indices);
    slot->fits = mem_alloc(batch, sizeof *slot->fits);
    if (!slot->lists || !slot->truths || !slot->indices || !slot->fits) {
        return mem_error(err, "training batch");
    }
    return OK;
}

/* Memory for the batch at its size. */
static enum result open_slot(struct loader *l, struct slot *slot, struct error *err)
{
    const struct loader_options *o = &l->options;
    int w = 0;
    int h = 0;
    o->size_of(o->size_ctx, o->first_sample / (uint64_t)o->batch + slot->number, &w, &h);
    if (w < 1 || h < 1 || w > MAX_SIDE || h > MAX_SIDE) {
        return error_set(err, ERR_ARG, "an input of %d x %d pixels is not possible", w, h);
    }
    if (!slot->lists) {
        TRY(alloc_slot(slot, (size_t)o->batch, err));
    }
    size_t floats = (size_t)w * (size_t)h * (size_t)o->channels;
    if (!size_mul(floats, (size_t)o->batch, &floats)) {
        return mem_error(err, "training batch");
    }
    if (floats > slot->capacity) {
        mem_free(slot->input.data);
        slot->capacity = 0;
        slot->input.data = mem_alloc_raw(floats, sizeof(float));
        if (!slot->input.data) {
            return mem_error(err, "training batch");
        }
        slot->capacity = floats;
    }
    slot->input = (struct tensor){.data = slot->input.data,
                                  .n = slot->images,
                                  .h = h,
                                  .w = w,
                                  .c = o->channels,
                                  .stride = (size_t)o->channels};
    return OK;
}

static int begin_batch(void *ctx, void *bytes, struct error *err)
{
    struct loader *l = ctx;
    struct slot *slot = bytes;
    uint64_t batch = (uint64_t)l->options.batch;
    uint64_t left = l->end - l->next_batch * batch;
    if (l->next_batch * batch >= l->end) {
        return 0;
    }
    uint64_t before = l->options.first_sample / batch; /* mini-batches of the run */
    slot->number = loader_share_next(&l->options.share, before + l->next_batch) - before;
    l->next_batch = slot->number + 1;
    slot->images = left < batch ? (int)left : l->options.batch;
    return open_slot(l, slot, err) == OK ? slot->images : -1;
}

static enum result make_image(void *ctx, void *slot, int image, int worker, struct error *err)
{
    struct loader *l = ctx;
    const struct loader_options *o = &l->options;
    struct place p = {.slot = slot, .image = image};
    uint64_t k = o->first_sample + p.slot->number * (uint64_t)o->batch + (uint64_t)image;
    k = o->source_of ? o->source_of(o->source_ctx, k) : k;
    p.epoch = k / o->set->sample_count;
    p.position = (size_t)(k % o->set->sample_count);
    struct worker *w = &l->workers[worker];
    if (o->set->features) {
        make_row(w, &p);
        return OK;
    }
    TRY(o->augment.is_off ? make_plain(w, &p, err) : make_augmented(w, &p, err));
    if (p.slot->indices[image] == LOADER_NO_SAMPLE) {
        l->unreadable++;
    }
    return OK;
}

static void destroy_slot(void *ctx, void *bytes)
{
    const struct loader *l = ctx;
    struct slot *slot = bytes;
    for (int i = 0; slot->lists && i < l->options.batch; i++) {
        mem_free(slot->lists[i].items);
    }
    mem_free(slot->lists);
    mem_free(slot->truths);
    mem_free(slot->indices);
    mem_free(slot->fits);
    mem_free(slot->input.data);
}

/* ---- opening and closing ---- */

static enum result check_options(const struct loader_options *o, struct error *err)
{
    if (o->set->sample_count == 0 || o->set->sample_count > UINT32_MAX) {
        return error_set(err, ERR_ARG, "a data set of %zu pictures", o->set->sample_count);
    }
    if (o->batch < 1) {
        return error_set(err, ERR_ARG, "a batch of %d images", o->batch);
    }
    return o->set->features ? OK : image_check_channels(o->channels, err);
}

static enum result open_workers(struct loader *l, struct error *err)
{
    size_t count = l->options.set->sample_count;
    l->workers = mem_alloc((size_t)l->options.threads, sizeof *l->workers);
    if (!l->workers) {
        return mem_error(err, "training batches");
    }
    for (int i = 0; i < l->options.threads; i++) {
        l->workers[i].loader = l;
        l->workers[i].order = mem_alloc_raw(count, sizeof *l->workers[i].order);
        if (!l->workers[i].order) {
            return mem_error(err, "order of the pictures");
        }
    }
    return OK;
}

static enum result open_parts(struct loader *l, struct error *err)
{
    const struct loader_options *o = &l->options;
    const struct stream_hooks hooks = {
        .ctx = l, .next = begin_batch, .load = make_image, .destroy = destroy_slot};
    /* One slot with the caller, one being filled, and more where a batch alone does not keep the
     * workers busy. */
    const struct stream_options stream = {
        .slot_bytes = sizeof(struct slot),
        .batch = 1,
        .loaders = o->threads,
        .slots = 2 + (2 * (size_t)o->threads - 1) / (size_t)o->batch,
    };
    TRY(image_cache_open(&l->cache, o->set->sample_count, o->cache_bytes, err));
    TRY(open_workers(l, err));
    return stream_open(&hooks, &stream, &l->stream, err);
}

enum result loader_open(const struct loader_options *options, struct loader **loader,
                        struct error *err)
{
    *loader = NULL;
    TRY(check_options(options, err));
    struct loader *l = mem_alloc(1, sizeof *l);
    if (!l) {
        return mem_error(err, "loader");
    }
    l->options = *options;
    uint64_t count = options->set->sample_count;
    uint64_t first = options->first_sample;
    l->end = UINT64_MAX;
    if (options->in_order) {
        count =
            options->end_sample > 0 && options->end_sample < count ? options->end_sample : count;
        l->end = first < count ? count - first : 0;
    }
    int threads = options->threads < 1 ? 1 : options->threads;
    l->options.threads = threads > MAX_THREADS ? MAX_THREADS : threads;
    enum result result = open_parts(l, err);
    if (result != OK) {
        loader_close(l);
        return result;
    }
    *loader = l;
    return OK;
}

void loader_close(struct loader *l)
{
    if (!l) {
        return;
    }
    stream_close(l->stream);
    for (int i = 0; l->workers && i < l->options.threads; i++) {
        mem_free(l->workers[i].order);
        augment_scratch_free(&l->workers[i].scratch);
    }
    mem_free(l->workers);
    image_cache_close(&l->cache);
    mem_free(l);
}

/* ---- batches, for the caller ---- */

static struct batch batch_of(const struct loader_options *o, const struct slot *slot)
{
    for (int i = 0; i < slot->images; i++) {
        slot->truths[i] = dataset_targets(o->set, slot->indices[i]);
        slot->truths[i].items = slot->lists[i].items;
        slot->truths[i].count = slot->lists[i].count;
    }
    return (struct batch){.input = slot->input,
                          .truths = slot->truths,
                          .sample_index = slot->indices,
                          .fits = o->augment.is_off ? slot->fits : NULL,
                          .images = slot->images,
                          .mini_batch = o->first_sample / (uint64_t)o->batch + slot->number};
}

enum result loader_next(struct loader *l, struct batch *batch, struct error *err)
{
    void *const *slots;
    int count;
    *batch = (struct batch){0};
    if (l->has_batch) {
        stream_give_back(l->stream);
        l->has_batch = false;
    }
    TRY(stream_take(l->stream, &slots, &count, err));
    if (count == 0) {
        return l->end == l->options.set->sample_count && l->unreadable == l->end
                   ? no_picture(l->options.set, err)
                   : OK;
    }
    *batch = batch_of(&l->options, slots[0]);
    l->has_batch = true;
    return OK;
}
