/* Work is handed out image by image, in order: ticket t is image t % batch of batch t / batch,
 * which lives in slot (t / batch) % slots of a ring.
 *
 *   free --first ticket of a batch--> filling --last image done--> ready --loader_next--> with the
 *   caller --next loader_next--> free
 *
 * The worker that takes the first ticket of a batch prepares its slot; it waits while the slot is
 * not free. What an image becomes depends on its number alone, so it does not matter who makes it.
 */
#include "data/loader.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/rng.h"
#include "data/image_cache.h"

enum { MAX_THREADS = 256, MAX_SIDE = 16384 };

/* Streams of their own for orders and samples. */
static const uint64_t order_stream = 0x6f72646572000000u;
static const uint64_t sample_stream = 0x73616d706c650000u;

enum slot_state { SLOT_FREE, SLOT_FILLING, SLOT_READY };

struct slot {
    enum slot_state state;
    uint64_t number;  /* batch of this run */
    int images, left; /* in it; not made yet */
    struct tensor input;
    size_t capacity;          /* floats at input.data */
    struct truth_list *lists; /* [batch] */
    struct truth_set *truths;
    size_t *indices;
    struct image_fit *fits;
};

struct worker {
    struct loader *loader;
    pthread_t thread;
    struct augment_scratch scratch;
    uint32_t *order; /* of `epoch` */
    uint64_t epoch;
    bool has_order;
};

struct loader {
    struct loader_options options;
    struct image_cache cache;
    pthread_mutex_t lock;
    pthread_cond_t freed, made; /* for workers; for loader_next */
    struct slot *slots;
    size_t slot_count;
    uint64_t next_ticket, end; /* tickets [0, end) */
    uint64_t next_batch;       /* for the caller */
    bool has_batch;            /* the caller holds next_batch - 1 */
    bool stop;
    enum result failure;
    struct error error;
    uint64_t unreadable; /* places left grey */
    struct worker *workers;
    int started;
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

/* The picture at a position of the epoch, or the nearest readable one behind it. in_order: that one
 * or none
 * (*index = LOADER_NO_SAMPLE). */
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
            ERR_MEMORY) { /* no fault of the picture; without it the run would be another */
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
    return error_set(err, ERR_IO, "none of the %zu pictures of the data set can be read",
                     set->sample_count);
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
    struct augment_job job = {.options = &o->augment,
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

/* ---- workers ---- */

/* Memory for the batch at its size. The lock is held. */
static enum result open_slot(struct loader *l, struct slot *slot, uint64_t number,
                             struct error *err)
{
    const struct loader_options *o = &l->options;
    uint64_t first = number * (uint64_t)o->batch;
    uint64_t left = l->end - first;
    int w = 0;
    int h = 0;
    o->size_of(o->size_ctx, o->first_sample / (uint64_t)o->batch + number, &w, &h);
    if (w < 1 || h < 1 || w > MAX_SIDE || h > MAX_SIDE) {
        return error_set(err, ERR_ARG, "an input of %d x %d pixels is not possible", w, h);
    }
    slot->images = left < (uint64_t)o->batch ? (int)left : o->batch;
    slot->left = slot->images;
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
    slot->number = number;
    slot->state = SLOT_FILLING;
    return OK;
}

static void fail(struct loader *l, const struct error *why)
{
    if (l->failure == OK) {
        l->failure = why->code;
        l->error = *why;
    }
    l->stop = true;
    pthread_cond_broadcast(&l->made);
    pthread_cond_broadcast(&l->freed);
}

/* The next ticket's place, once its slot is ready for it; false at the end. The lock is held. */
static bool take_ticket(struct loader *l, struct place *p)
{
    const struct loader_options *o = &l->options;
    uint64_t batch = (uint64_t)o->batch;
    while (!l->stop && l->next_ticket < l->end) {
        uint64_t ticket = l->next_ticket;
        uint64_t number = ticket / batch;
        struct slot *slot = &l->slots[number % l->slot_count];
        if (ticket % batch == 0) {
            if (slot->state != SLOT_FREE) {
                pthread_cond_wait(&l->freed, &l->lock);
                continue;
            }
            struct error why;
            if (open_slot(l, slot, number, &why) != OK) {
                fail(l, &why);
                return false;
            }
        }
        l->next_ticket++;
        uint64_t k = o->first_sample + ticket;
        k = o->source_of ? o->source_of(o->source_ctx, k) : k;
        p->slot = slot;
        p->image = (int)(ticket % batch);
        p->epoch = k / o->set->sample_count;
        p->position = (size_t)(k % o->set->sample_count);
        return true;
    }
    return false;
}

static void *work(void *arg)
{
    struct worker *w = arg;
    struct loader *l = w->loader;
    struct place p;
    pthread_mutex_lock(&l->lock);
    while (take_ticket(l, &p)) {
        pthread_mutex_unlock(&l->lock);
        struct error why;
        enum result result =
            l->options.augment.is_off ? make_plain(w, &p, &why) : make_augmented(w, &p, &why);
        pthread_mutex_lock(&l->lock);
        if (result != OK) {
            fail(l, &why);
            break;
        }
        if (p.slot->indices[p.image] == LOADER_NO_SAMPLE) {
            l->unreadable++;
        }
        if (--p.slot->left == 0) {
            p.slot->state = SLOT_READY;
            pthread_cond_broadcast(&l->made);
        }
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
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
    return image_check_channels(o->channels, err);
}

static enum result alloc_slots(struct loader *l, struct error *err)
{
    size_t batch = (size_t)l->options.batch;
    for (size_t i = 0; i < l->slot_count; i++) {
        struct slot *slot = &l->slots[i];
        slot->lists = mem_alloc(batch, sizeof *slot->lists);
        slot->truths = mem_alloc(batch, sizeof *slot->truths);
        slot->indices = mem_alloc(batch, sizeof *slot->indices);
        slot->fits = mem_alloc(batch, sizeof *slot->fits);
        if (!slot->lists || !slot->truths || !slot->indices || !slot->fits) {
            return mem_error(err, "training batches");
        }
    }
    return OK;
}

static enum result alloc_loader(struct loader *l, struct error *err)
{
    int threads = l->options.threads;
    size_t count = l->options.set->sample_count;
    /* One with the caller, one being filled, and more where a batch alone does not keep the workers
     * busy. */
    size_t slots = 2 + (2 * (size_t)threads - 1) / (size_t)l->options.batch;
    TRY(image_cache_open(&l->cache, count, l->options.cache_bytes, err));
    l->slots = mem_alloc(slots, sizeof *l->slots);
    l->workers = mem_alloc((size_t)threads, sizeof *l->workers);
    if (!l->slots || !l->workers) {
        return mem_error(err, "training batches");
    }
    l->slot_count = slots;
    for (int i = 0; i < threads; i++) {
        l->workers[i].loader = l;
        l->workers[i].order = mem_alloc_raw(count, sizeof *l->workers[i].order);
        if (!l->workers[i].order) {
            return mem_error(err, "order of the pictures");
        }
    }
    return alloc_slots(l, err);
}

static enum result start_workers(struct loader *l, struct error *err)
{
    /* Signals are the main thread's. */
    sigset_t all;
    sigset_t old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    for (int i = 0; i < l->options.threads; i++) {
        if (pthread_create(&l->workers[i].thread, NULL, work, &l->workers[i]) != 0) {
            break;
        }
        l->started++;
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return l->started > 0 ? OK : error_set(err, ERR_MEMORY, "cannot start a thread");
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
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->freed, NULL);
    pthread_cond_init(&l->made, NULL);
    uint64_t count = options->set->sample_count;
    uint64_t first = options->first_sample;
    l->end = UINT64_MAX;
    if (options->in_order) {
        l->end = first < count ? count - first : 0;
    }
    int threads = options->threads < 1 ? 1 : options->threads;
    l->options.threads = threads > MAX_THREADS ? MAX_THREADS : threads;
    enum result result = alloc_loader(l, err);
    result = result == OK ? start_workers(l, err) : result;
    if (result != OK) {
        loader_close(l);
        return result;
    }
    *loader = l;
    return OK;
}

static void slot_free(struct slot *slot, int batch)
{
    for (int i = 0; slot->lists && i < batch; i++) {
        mem_free(slot->lists[i].items);
    }
    mem_free(slot->lists);
    mem_free(slot->truths);
    mem_free(slot->indices);
    mem_free(slot->fits);
    mem_free(slot->input.data);
}

void loader_close(struct loader *l)
{
    if (!l) {
        return;
    }
    pthread_mutex_lock(&l->lock);
    l->stop = true;
    pthread_cond_broadcast(&l->freed);
    pthread_mutex_unlock(&l->lock);
    for (int i = 0; i < l->started; i++) {
        pthread_join(l->workers[i].thread, NULL);
    }
    for (int i = 0; l->workers && i < l->options.threads; i++) {
        mem_free(l->workers[i].order);
        augment_scratch_free(&l->workers[i].scratch);
    }
    for (size_t i = 0; l->slots && i < l->slot_count; i++) {
        slot_free(&l->slots[i], l->options.batch);
    }
    mem_free(l->workers);
    mem_free(l->slots);
    image_cache_close(&l->cache);
    pthread_cond_destroy(&l->made);
    pthread_cond_destroy(&l->freed);
    pthread_mutex_destroy(&l->lock);
    mem_free(l);
}

/* ---- batches ---- */

static void give(struct loader *l, struct slot *slot, struct batch *batch)
{
    for (int i = 0; i < slot->images; i++) {
        slot->truths[i] = (struct truth_set){slot->lists[i].items, slot->lists[i].count};
    }
    const struct loader_options *o = &l->options;
    *batch = (struct batch){.input = slot->input,
                            .truths = slot->truths,
                            .sample_index = slot->indices,
                            .fits = o->augment.is_off ? slot->fits : NULL,
                            .images = slot->images,
                            .mini_batch = o->first_sample / (uint64_t)o->batch + slot->number};
    l->next_batch++;
    l->has_batch = true;
}

/* The lock is held. */
static enum result next_batch(struct loader *l, struct batch *batch, struct error *err)
{
    if (l->has_batch) {
        l->slots[(l->next_batch - 1) % l->slot_count].state = SLOT_FREE;
        l->has_batch = false;
        pthread_cond_broadcast(&l->freed);
    }
    if (l->next_batch * (uint64_t)l->options.batch >= l->end) {
        if (l->end > 0 && l->unreadable == l->end) {
            return error_set(err, ERR_IO, "none of the %zu pictures of the data set can be read",
                             l->options.set->sample_count);
        }
        return OK;
    }
    struct slot *slot = &l->slots[l->next_batch % l->slot_count];
    while (l->failure == OK && !(slot->state == SLOT_READY && slot->number == l->next_batch)) {
        pthread_cond_wait(&l->made, &l->lock);
    }
    if (l->failure != OK) {
        if (err) {
            *err = l->error;
        }
        return l->failure;
    }
    give(l, slot, batch);
    return OK;
}

enum result loader_next(struct loader *l, struct batch *batch, struct error *err)
{
    *batch = (struct batch){0};
    pthread_mutex_lock(&l->lock);
    enum result result = next_batch(l, batch, err);
    pthread_mutex_unlock(&l->lock);
    return result;
}
