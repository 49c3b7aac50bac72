#include "train/replay.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/rng.h"
#include "data/image.h"
#include "train/feature_cache.h"
#include "train/stateio.h"

static const uint64_t replay_stream = 0x7265706c61790000u;

struct replay {
    const struct dataset *set;
    struct features features;
    struct feature_cache *cache; /* NULL: none can be had */
    const char *folder;
    uint64_t seed, first, pictures, variants;
    int mini_batch;
    bool is_fetched; /* the latest batch */
    size_t record_bytes;
    unsigned char *records;   /* [mini_batch][record_bytes], as read from the file */
    const float **rows;       /* [mini_batch], of a fetched batch: in records */
    float **made;             /* [mini_batch], of one that goes through the loader; NULL: known */
    float *values;            /* [mini_batch][floats], where made points */
    struct truth_set *truths; /* [mini_batch] */
    size_t *sample_index;     /* [mini_batch] */
};

/* ---- size ---- */

/* The most truths an input can get. */
static size_t truth_room(const struct dataset *set, const struct augment_options *augment)
{
    size_t most = 0;
    for (size_t i = 0; i < set->sample_count; i++) {
        most = set->samples[i].truth_count > most ? set->samples[i].truth_count : most;
    }
    if (augment->is_off) {
        return most;
    }
    most *= AUGMENT_MAX_PICTURES;
    return augment->max_truths && augment->max_truths < most ? augment->max_truths : most;
}

static enum result find_features(const struct replay_options *o, struct features *features,
                                 struct feature_cache_layout *layout, struct error *err)
{
    TRY(features_find(o->net, o->modes, features, err));
    if (features->kept == 0) {
        return error_set(
            err, ERR_ARG,
            "cache-features: no layer at the beginning of the network is frozen, so there "
            "are no features to keep (--freeze 0-N, and --bn other than train)");
    }
    *layout = (struct feature_cache_layout){.floats = features->floats,
                                            .truths = truth_room(o->set, &o->augment)};
    size_t records;
    if (!size_mul(o->set->sample_count, (size_t)o->variants, &records)) {
        return mem_error(err, "features");
    }
    layout->records = records;
    return OK;
}

enum result replay_measure(const struct replay_options *options, struct replay_size *size,
                           struct error *err)
{
    struct features features = {0};
    struct feature_cache_layout layout;
    enum result result = find_features(options, &features, &layout, err);
    if (result == OK) {
        size_t record = feature_cache_record_bytes(&layout), bytes;
        bool is_possible = record > 0 && size_mul(record, layout.records, &bytes);
        *size = (struct replay_size){.picture_bytes = record,
                                     .pictures = options->set->sample_count,
                                     .variants = options->variants,
                                     .bytes = is_possible ? bytes : UINT64_MAX};
        features_describe(&features, size->layers, sizeof size->layers);
    }
    features_free(&features);
    return result;
}

/* "3.1 GB", "96 MB", "12 KB". */
static void write_bytes(uint64_t bytes, char *text, size_t size)
{
    double value = (double)bytes;
    if (value >= 1e9) {
        snprintf(text, size, value < 1e12 ? "%.3g GB" : "%.0f GB", value / 1e9);
    } else if (value >= 1e6) {
        snprintf(text, size, "%.3g MB", value / 1e6);
    } else {
        snprintf(text, size, "%.3g KB", value / 1e3);
    }
}

void replay_describe(const struct replay_size *size, const char *folder, char *text,
                     size_t text_size)
{
    char picture[32], all[32], room[32];
    write_bytes(size->picture_bytes, picture, sizeof picture);
    write_bytes(size->bytes, all, sizeof all);
    write_bytes(feature_cache_room(folder), room, sizeof room);
    snprintf(text, text_size,
             "%s: %s a picture, %llu pictures x %d variants = %s in %.300s, %s free", size->layers,
             picture, (unsigned long long)size->pictures, size->variants, all, folder, room);
}

enum result replay_check(const struct replay_size *size, const char *folder, uint64_t limit_bytes,
                         struct error *err)
{
    uint64_t room = feature_cache_room(folder);
    uint64_t usable = room / 10 * 9, most = usable < limit_bytes ? usable : limit_bytes;
    if (size->bytes <= most) {
        return OK;
    }
    char wanted[32], limit[32];
    write_bytes(size->bytes, wanted, sizeof wanted);
    write_bytes(usable < limit_bytes ? room : limit_bytes, limit, sizeof limit);
    if (usable < limit_bytes) {
        error_set(
            err, ERR_ARG,
            "cache-features %d takes %s, and on the disk of %s are %s free, of which a tenth is "
            "left alone",
            size->variants, wanted, folder, limit);
    } else {
        error_set(err, ERR_ARG, "cache-features %d takes %s, the limit is %s", size->variants,
                  wanted, limit);
    }
    uint64_t fits = size->picture_bytes ? most / size->picture_bytes / size->pictures : 0;
    const char *higher = usable < limit_bytes ? "" : ", or a higher --cache-features-gb";
    if (fits == 0) {
        return error_hint(err, "not even one variant of each picture fits%s", higher);
    }
    return error_hint(err, "--cache-features %llu would fit%s", (unsigned long long)fits, higher);
}

/* ---- opening ---- */

static void hash_number(struct state_hash *hash, double value)
{
    state_hash_add(hash, &value, sizeof value);
}

static void hash_augment(struct state_hash *hash, const struct augment_options *a)
{
    const double values[] = {a->is_off,
                             a->crops,
                             (double)a->crop.angle,
                             (double)a->crop.aspect,
                             a->crop.min_crop,
                             a->crop.max_crop,
                             a->letter_box,
                             (double)a->jitter,
                             (double)a->resize,
                             a->flip,
                             a->mosaic,
                             a->mixup,
                             (double)a->hue,
                             (double)a->saturation,
                             (double)a->exposure,
                             (double)a->blur,
                             (double)a->gaussian_noise,
                             (double)a->max_truths};
    state_hash_add(hash, values, sizeof values);
}

/* Everything a record's bytes depend on, but for its number. */
static uint64_t make_key(const struct replay_options *o, const struct features *f)
{
    static const char version[] = "features 2";
    const uint64_t numbers[] = {o->seed, o->first_sample, o->fingerprint.cfg,
                                o->fingerprint.dataset, o->set->sample_count};
    const char *isa = kernels_isa(o->kern);
    struct state_hash hash = {0};
    state_hash_add(&hash, version, sizeof version);
    state_hash_add(&hash, numbers, sizeof numbers);
    state_hash_add(&hash, isa, strlen(isa) + 1);
    hash_augment(&hash, &o->augment);
    hash_number(&hash, o->variants);
    hash_number(&hash, o->mini_batch);
    hash_number(&hash, kernels_are_direct(o->kern));
    /* Features from before there was a choice stay good. */
    if (image_jpeg_chosen() == IMAGE_JPEG_TURBO) {
        hash_number(&hash, IMAGE_JPEG_TURBO);
    }
    hash_number(&hash, o->net->size.w);
    hash_number(&hash, o->net->size.h);
    hash_number(&hash, o->net->size.c);
    for (int i = 0; i < o->net->layer_count; i++) {
        const struct layer *l = &o->net->layers[i];
        hash_number(&hash, f->layers[i].role);
        hash_number(&hash, (double)f->layers[i].offset);
        for (int k = 0; o->modes[i] == MODE_INFER && k < l->param_count; k++) {
            state_hash_add(&hash, l->params[k].data, l->params[k].count * sizeof(float));
        }
    }
    return state_hash_value(&hash);
}

static enum result alloc_rows(struct replay *r, struct error *err)
{
    size_t batch = (size_t)r->mini_batch, floats, bytes;
    r->rows = mem_alloc(batch, sizeof *r->rows);
    r->made = mem_alloc(batch, sizeof *r->made);
    r->truths = mem_alloc(batch, sizeof *r->truths);
    r->sample_index = mem_alloc(batch, sizeof *r->sample_index);
    r->values =
        size_mul(batch, r->features.floats, &floats) ? mem_alloc_raw(floats, sizeof(float)) : NULL;
    r->records = size_mul(batch, r->record_bytes, &bytes) ? mem_alloc_raw(bytes, 1) : NULL;
    return r->records && r->rows && r->made && r->truths && r->sample_index && r->values
               ? OK
               : mem_error(err, "features");
}

enum result replay_open(const struct replay_options *options, struct replay **replay,
                        struct error *err)
{
    const struct replay_options *o = options;
    struct feature_cache_layout layout;
    struct error why;
    struct replay *r = mem_alloc(1, sizeof *r);
    if (!r) {
        return mem_error(err, "features");
    }
    *r = (struct replay){.folder = o->folder,
                         .set = o->set,
                         .seed = o->seed,
                         .first = o->first_sample,
                         .pictures = o->set->sample_count,
                         .variants = (uint64_t)o->variants,
                         .mini_batch = o->mini_batch};
    enum result result = find_features(o, &r->features, &layout, err);
    if (result == OK) {
        r->record_bytes = feature_cache_record_bytes(&layout);
        result = alloc_rows(r, err);
    }
    if (result != OK) {
        replay_close(r);
        return result;
    }
    layout.key = make_key(o, &r->features);
    if (feature_cache_open(o->folder, &layout, &r->cache, &why) != OK) {
        log_warn(
            "%s; training goes on without a file of features, at the speed of reading pictures",
            why.text);
    }
    *replay = r;
    return OK;
}

void replay_close(struct replay *r)
{
    if (!r) {
        return;
    }
    feature_cache_close(r->cache);
    features_free(&r->features);
    mem_free(r->records);
    mem_free(r->rows);
    mem_free(r->made);
    mem_free(r->values);
    mem_free(r->truths);
    mem_free(r->sample_index);
    mem_free(r);
}

/* ---- batches ---- */

uint64_t replay_source(void *ctx, uint64_t k)
{
    const struct replay *r = ctx;
    uint64_t epoch = (k - r->first) / r->pictures, position = (k - r->first) % r->pictures;
    if (epoch < r->variants) {
        return k;
    }
    return r->first + epoch % r->variants * r->pictures +
           rng_permute(r->seed ^ replay_stream, epoch, r->pictures, position);
}

static size_t record_of(struct replay *r, uint64_t k)
{
    return (size_t)(replay_source(r, k) - r->first);
}

/* Record of image i of the batch that begins at k, into its place. */
static bool read_record(struct replay *r, uint64_t k, int i, struct feature_record *record)
{
    return r->cache && feature_cache_get(r->cache, record_of(r, k + (uint64_t)i),
                                         r->records + (size_t)i * r->record_bytes, record);
}

bool replay_fetch(struct replay *replay, uint64_t k, int images, struct batch *batch)
{
    struct replay *r = replay;
    r->is_fetched = false;
    for (int i = 0; i < images; i++) {
        struct feature_record record;
        if (!read_record(r, k, i, &record)) {
            return false;
        }
        r->rows[i] = record.features;
        r->truths[i] = dataset_targets(r->set, record.sample_index);
        r->truths[i].items = record.truths;
        r->truths[i].count = record.truth_count;
        r->sample_index[i] = record.sample_index;
    }
    *batch = (struct batch){.truths = r->truths, .sample_index = r->sample_index, .images = images};
    r->is_fetched = true;
    return true;
}

/* The rows of the batch that are to be written. */
static void choose_made(struct replay *r, uint64_t k, int images)
{
    for (int i = 0; i < images; i++) {
        struct feature_record known;
        bool is_known = !r->cache || read_record(r, k, i, &known);
        r->made[i] = is_known ? NULL : r->values + (size_t)i * r->features.floats;
    }
}

static void write_made(struct replay *r, uint64_t k, const struct batch *batch)
{
    struct error why;
    for (int i = 0; r->cache && i < batch->images; i++) {
        struct feature_record record = {.features = r->made[i],
                                        .truths = batch->truths[i].items,
                                        .truth_count = batch->truths[i].count,
                                        .sample_index = batch->sample_index[i]};
        if (r->made[i] &&
            feature_cache_put(r->cache, record_of(r, k + (uint64_t)i), &record, &why) != OK) {
            log_warn("%s; training goes on without features, at the speed of reading pictures",
                     why.text);
            feature_cache_close(r->cache);
            feature_cache_remove(r->folder); /* checkpoints need the room */
            r->cache = NULL;
        }
    }
}

void replay_forward(struct replay *replay, struct plan *plan, uint64_t k, const struct batch *batch)
{
    struct replay *r = replay;
    if (r->is_fetched) {
        features_forward(&r->features, plan, batch->images, r->rows);
        return;
    }
    choose_made(r, k, batch->images);
    features_record(&r->features, plan, batch->images, r->made);
    write_made(r, k, batch);
}

bool replay_forward_layer(const struct replay *replay, struct plan *plan, int layer)
{
    if (replay->is_fetched) {
        features_forward_layer(&replay->features, plan, layer, replay->rows);
        return replay->features.layers[layer].role != FEATURE_SKIP;
    }
    plan_forward_layer(plan, layer);
    return true;
}
