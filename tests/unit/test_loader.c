/* The loader: every sample once an epoch, the same bytes whoever makes them, resuming, broken
 * pictures. */
#include "data/loader.h"

#include "report/batch_draw.h"

#include <sys/stat.h>

#include "base/memory.h"
#include "capture.h"
#include "picture_set.h"

static void size_by_batch(void *ctx, uint64_t mini_batch, int *w, int *h)
{
    (void)ctx;
    *w = 32 + 8 * (int)(mini_batch % 3);
    *h = 24 + 8 * (int)(mini_batch % 2);
}

static const struct augment_options everything = {.letter_box = true,
                                                  .jitter = 0.3f,
                                                  .resize = 1.5f,
                                                  .flip = true,
                                                  .mosaic = true,
                                                  .hue = 0.1f,
                                                  .saturation = 1.5f,
                                                  .exposure = 1.5f,
                                                  .blur = 5,
                                                  .gaussian_noise = 10,
                                                  .max_truths = 9};

static struct loader_options options_for(const struct dataset *set)
{
    return (struct loader_options){.set = set,
                                   .augment = everything,
                                   .batch = 4,
                                   .channels = 3,
                                   .seed = 11,
                                   .threads = 1,
                                   .size_of = size_by_batch};
}

static uint64_t hash(uint64_t h, const void *bytes, size_t size)
{
    const unsigned char *b = bytes;
    for (size_t i = 0; i < size; i++) {
        h = (h ^ b[i]) * 0x100000001b3u;
    }
    return h;
}

static uint64_t batch_hash(const struct batch *b)
{
    uint64_t h = hash(0xcbf29ce484222325u, &b->images, sizeof b->images);
    h = hash(h, &b->mini_batch, sizeof b->mini_batch);
    h = hash(h, b->input.data, tensor_pixels(&b->input) * b->input.stride * sizeof(float));
    h = hash(h, b->sample_index, (size_t)b->images * sizeof *b->sample_index);
    for (int i = 0; i < b->images; i++) {
        for (size_t k = 0; k < b->truths[i].count; k++) {
            const struct truth *t = &b->truths[i].items[k];
            h = hash(h, &t->box, sizeof t->box);
            h = hash(h, &t->class_id, sizeof t->class_id);
        }
    }
    return h;
}

/* Hashes of the next `count` batches of a loader made for it; false on failure. */
static bool run_hashes(const struct loader_options *options, int count, uint64_t *hashes)
{
    struct loader *loader;
    bool good = loader_open(options, &loader, &err) == OK;
    for (int i = 0; good && i < count; i++) {
        struct batch batch;
        good = loader_next(loader, &batch, &err) == OK && batch.images == options->batch;
        hashes[i] = good ? batch_hash(&batch) : 0;
    }
    loader_close(loader);
    return good;
}

static void test_permutation(void)
{
    enum { COUNT = 1000 };
    uint32_t a[COUNT];
    uint32_t b[COUNT];
    for (uint64_t epoch = 0; epoch < 3; epoch++) {
        bool seen[COUNT] = {false};
        loader_permutation(5, epoch, COUNT, a);
        int fixed = 0;
        for (uint32_t i = 0; i < COUNT; i++) {
            CHECK(a[i] < COUNT && !seen[a[i]]);
            seen[a[i]] = true;
            fixed += a[i] == i;
        }
        CHECK_MSG(fixed < 10, "%d stay in place", fixed);
        loader_permutation(5, epoch, COUNT, b);
        CHECK(memcmp(a, b, sizeof a) == 0);
        loader_permutation(5, epoch + 1, COUNT, b);
        CHECK(memcmp(a, b, sizeof a) != 0);
        loader_permutation(6, epoch, COUNT, b);
        CHECK(memcmp(a, b, sizeof a) != 0);
    }
}

/* 21 images in batches of 3: each picture three times, once in every seven. */
static void test_epochs(void)
{
    struct dataset set = open_set();
    struct loader_options options = options_for(&set);
    options.batch = 3;
    options.threads = 2;
    struct loader *loader;
    CHECK_OK(loader_open(&options, &loader, &err));
    size_t order[3 * PICTURES];
    for (int b = 0; b < PICTURES; b++) {
        struct batch batch;
        CHECK_OK(loader_next(loader, &batch, &err));
        CHECK(batch.images == 3 && batch.mini_batch == (uint64_t)b && batch.fits == NULL);
        CHECK(batch.input.w == 32 + 8 * (b % 3) && batch.input.h == 24 + 8 * (b % 2));
        memcpy(order + 3 * b, batch.sample_index, 3 * sizeof *order);
    }
    loader_close(loader);
    for (int epoch = 0; epoch < 3; epoch++) {
        bool seen[PICTURES] = {false};
        for (int i = 0; i < PICTURES; i++) {
            size_t index = order[epoch * PICTURES + i];
            CHECK(index < PICTURES && !seen[index]);
            seen[index] = true;
        }
    }
    CHECK(memcmp(order, order + PICTURES, PICTURES * sizeof *order) != 0);
    dataset_free(&set);
}

static void test_bytes_do_not_depend_on_workers(void)
{
    enum { BATCHES = 12 };
    struct dataset set = open_set();
    struct loader_options options = options_for(&set);
    uint64_t one[BATCHES];
    uint64_t other[BATCHES];
    CHECK(run_hashes(&options, BATCHES, one));
    for (int i = 1; i < BATCHES; i++) {
        CHECK(one[i] != one[0]);
    }
    for (int threads = 2; threads <= 5; threads++) {
        options.threads = threads;
        options.cache_bytes = threads % 2 ? 12000 : 1 << 20; /* some, all */
        CHECK(run_hashes(&options, BATCHES, other));
        for (int i = 0; i < BATCHES; i++) {
            CHECK_MSG(one[i] == other[i], "%d threads, batch %d", threads, i);
        }
    }
    options.seed = 12;
    CHECK(run_hashes(&options, BATCHES, other));
    for (int i = 0; i < BATCHES; i++) {
        CHECK(one[i] != other[i]);
    }
    dataset_free(&set);
}

static void test_seeking(void)
{
    enum { BATCHES = 10 };
    struct dataset set = open_set();
    struct loader_options options = options_for(&set);
    uint64_t all[BATCHES];
    CHECK(run_hashes(&options, BATCHES, all));
    for (int from = 1; from < BATCHES; from++) {
        uint64_t rest[BATCHES];
        options.first_sample = (uint64_t)(from * options.batch);
        options.threads = 1 + from % 3;
        CHECK(run_hashes(&options, BATCHES - from, rest));
        for (int i = from; i < BATCHES; i++) {
            CHECK_MSG(rest[i - from] == all[i], "batch %d from %d", i, from);
        }
    }
    dataset_free(&set);
}

/* ---- another order ---- */

enum { SPAN = 3 * PICTURES, FIRST = 8 };

static void one_size(void *ctx, uint64_t mini_batch, int *w, int *h)
{
    (void)ctx, (void)mini_batch;
    *w = 32;
    *h = 24;
}

static uint64_t backwards(void *ctx, uint64_t k)
{
    (void)ctx;
    return SPAN - 1 - k % SPAN;
}

static bool image_hashes(const struct loader_options *options, int count, uint64_t *hashes)
{
    struct loader *loader;
    bool good = loader_open(options, &loader, &err) == OK;
    for (int i = 0; good && i < count; i += options->batch) {
        struct batch batch;
        good = loader_next(loader, &batch, &err) == OK && batch.images == options->batch &&
               batch.mini_batch == (options->first_sample + (uint64_t)i) / (uint64_t)options->batch;
        for (int n = 0; good && n < batch.images; n++) {
            struct batch one = batch;
            one.images = one.input.n = 1;
            one.mini_batch = 0;
            one.input.data = tensor_at(&batch.input, n, 0, 0);
            one.sample_index += n;
            one.truths += n;
            hashes[i + n] = batch_hash(&one);
        }
    }
    loader_close(loader);
    return good;
}

/* source_of gives the very samples it names, on any number of threads and from any place on. */
static void test_source_of(void)
{
    struct dataset set = open_set();
    struct loader_options options = options_for(&set);
    uint64_t plain[SPAN + 3], turned[2 * SPAN];
    options.size_of = one_size;
    CHECK(image_hashes(&options, SPAN, plain));
    options.source_of = backwards;
    options.first_sample = FIRST;
    for (int threads = 1; threads <= 3; threads++) {
        options.threads = threads;
        CHECK(image_hashes(&options, 2 * SPAN - 4, turned));
        for (int i = 0; i < 2 * SPAN - 4; i++) {
            CHECK_MSG(turned[i] == plain[SPAN - 1 - (FIRST + i) % SPAN], "image %d, %d threads", i,
                      threads);
        }
    }
    dataset_free(&set);
}

/* The same picture at the same place of its epoch comes out different in every epoch. */
/* From mosaic_end on every image is what it is without mosaics, and none is another before. */
static void test_mosaic_end(void)
{
    enum { IMAGES = 12, END = 5 };
    struct dataset set = open_set();
    struct loader_options options = options_for(&set);
    uint64_t with[IMAGES], without[IMAGES], until[IMAGES];
    bool differs = false;
    options.size_of = one_size;
    options.augment.mixup = false;
    CHECK(image_hashes(&options, IMAGES, with));
    options.mosaic_end = END;
    CHECK(image_hashes(&options, IMAGES, until));
    options.augment.mosaic = false;
    CHECK(image_hashes(&options, IMAGES, without));
    for (int i = 0; i < IMAGES; i++) {
        CHECK_MSG(until[i] == (i < END ? with[i] : without[i]), "image %d", i);
        differs = differs || (i >= END && with[i] != without[i]);
    }
    CHECK(differs);
    dataset_free(&set);
}

static void test_epochs_differ(void)
{
    struct dataset set = open_set();
    struct dataset one = set;
    one.sample_count = 1;
    struct loader_options options = options_for(&one);
    options.batch = 6;
    uint64_t all[6];
    struct loader *loader;
    CHECK_OK(loader_open(&options, &loader, &err));
    struct batch batch;
    CHECK_OK(loader_next(loader, &batch, &err));
    for (int i = 0; i < 6; i++) {
        size_t bytes = tensor_pixels(&batch.input) / 6 * 3 * sizeof(float);
        all[i] = hash(0, tensor_at(&batch.input, i, 0, 0), bytes);
        for (int k = 0; k < i; k++) {
            CHECK(all[k] != all[i]);
        }
    }
    loader_close(loader);
    dataset_free(&set);
}

/* Of every five mini-batches the second and third, also from the middle of five on. */
static void test_share(void)
{
    enum { COUNT = 18, OWN = 6 };
    uint64_t all[COUNT], own[OWN];
    struct dataset set = open_set();
    struct loader_options options = options_for(&set);
    CHECK(run_hashes(&options, COUNT, all));
    options.share = (struct loader_share){.group = 5, .first = 1, .end = 3};
    CHECK(run_hashes(&options, OWN, own));
    for (int i = 0; i < OWN; i++) {
        CHECK(own[i] == all[i / 2 * 5 + 1 + i % 2]);
    }
    options.first_sample = (5 + 2) * (uint64_t)options.batch;
    options.threads = 3;
    CHECK(run_hashes(&options, OWN - 3, own));
    for (int i = 0; i < OWN - 3; i++) {
        CHECK(own[i] == all[(i + 3) / 2 * 5 + 1 + (i + 3) % 2]);
    }
    dataset_free(&set);
}

/* Pictures 2 to 4 of a pass. */
static void test_part_in_order(void)
{
    struct dataset set = open_set();
    struct loader_options options = options_for(&set);
    struct loader *loader;
    struct batch batch;
    size_t next = 2;
    options.in_order = true;
    options.augment = (struct augment_options){.is_off = true};
    options.batch = 2;
    options.first_sample = 2;
    options.end_sample = 5;
    CHECK(set.sample_count > 5);
    CHECK_OK(loader_open(&options, &loader, &err));
    do {
        CHECK_OK(loader_next(loader, &batch, &err));
        for (int i = 0; i < batch.images; i++) {
            CHECK(batch.sample_index[i] == next++);
        }
    } while (batch.images > 0);
    CHECK(next == 5);
    loader_close(loader);
    dataset_free(&set);
}

static void test_in_order(void)
{
    struct dataset set = open_set();
    struct loader_options options = options_for(&set);
    options.augment = (struct augment_options){.is_off = true, .letter_box = true};
    options.in_order = true;
    options.threads = 3;
    struct loader *loader;
    struct batch batch;
    CHECK_OK(loader_open(&options, &loader, &err));
    size_t next = 0;
    for (int images = 4; images > 2; images--) {
        CHECK_OK(loader_next(loader, &batch, &err));
        CHECK(batch.images == images && batch.input.n == images);
        for (int i = 0; i < images; i++, next++) {
            CHECK(batch.sample_index[i] == next && batch.truths[i].count == next);
            struct image image;
            struct image_fit fit;
            CHECK_OK(image_read(set.samples[next].image_path, &image, &err));
            struct tensor want = batch.input;
            size_t floats = tensor_pixels(&want) * 3;
            want.data = mem_alloc(floats, sizeof(float));
            CHECK_OK(image_to_input(&image, IMAGE_LETTERBOX, &want, i, &fit, &err));
            CHECK(memcmp(tensor_at(&want, i, 0, 0), tensor_at(&batch.input, i, 0, 0),
                         floats / (size_t)images * sizeof(float)) == 0);
            CHECK(memcmp(&fit, &batch.fits[i], sizeof fit) == 0);
            mem_free(want.data);
            image_free(&image);
        }
    }
    for (int i = 0; i < 2; i++) {
        CHECK_OK(loader_next(loader, &batch, &err));
        CHECK(batch.images == 0);
    }
    loader_close(loader);
    dataset_free(&set);
}

static void test_grey_input(void)
{
    struct dataset set = open_set();
    struct loader_options options = options_for(&set);
    options.channels = 1;
    uint64_t hashes[3];
    CHECK(run_hashes(&options, 3, hashes));
    options.channels = 4;
    struct loader *loader;
    CHECK(loader_open(&options, &loader, &err) == ERR_UNSUPPORTED && !loader);
    dataset_free(&set);
}

/* No other picture takes the place of one for which there was no memory: the batches are the same
 * or none. */
static void test_memory(void)
{
    struct dataset set = open_set();
    struct loader_options options = options_for(&set);
    uint64_t before[2], after[2];
    options.threads = 1;
    CHECK(run_hashes(&options, 2, before));
    int refused = 0;
    for (long k = 0; k < 60; k++) {
        mem_fail_after(k);
        bool good = run_hashes(&options, 2, after);
        mem_fail_after(-1);
        CHECK_MSG(good ? memcmp(before, after, sizeof before) == 0 : err.code == ERR_MEMORY,
                  "allocation %ld: %s", k, good ? "another batch" : err.text);
        refused += !good;
    }
    CHECK(refused > 10);
    dataset_free(&set);
}

/* A picture that goes while the run is on: others take its place, always the same ones, and it is
 * named once. */
static void test_broken_picture(void)
{
    struct dataset set = open_set();
    struct loader_options options = options_for(&set);
    options.augment.mosaic = false;
    char path[128];
    picture_path(3, path, sizeof path);
    uint64_t before[8];
    uint64_t after[2][8];
    CHECK(run_hashes(&options, 8, before));
    CHECK(unlink(path) == 0);
    for (int i = 0; i < 2; i++) {
        options.threads = 1 + 2 * i;
        capture_begin();
        bool good = run_hashes(&options, 8, after[i]);
        capture_end();
        CHECK(good);
        const char *first = strstr(captured, "p3.png");
        if (i > 0) {
            CHECK_MSG(!first, "%s", captured); /* one loader of the set has told it */
            continue;
        }
        CHECK_MSG(first && !strstr(first + 1, "p3.png"), "%s", captured);
        CHECK(strstr(captured, "another picture takes its place"));
    }
    CHECK(memcmp(after[0], after[1], sizeof after[0]) == 0);
    CHECK(memcmp(after[0], before, sizeof before) != 0);

    /* The next of the permutation takes its place; in_order its place stays empty. */
    uint32_t order[PICTURES];
    loader_permutation(options.seed, 0, PICTURES, order);
    struct loader *loader;
    struct batch batch;
    options.batch = PICTURES;
    capture_begin();
    enum result result = loader_open(&options, &loader, &err);
    result = result == OK ? loader_next(loader, &batch, &err) : result;
    capture_end();
    CHECK_OK(result);
    for (int i = 0; i < PICTURES; i++) {
        size_t want = order[i] == 3 ? order[(i + 1) % PICTURES] : order[i];
        CHECK(batch.sample_index[i] == want);
    }
    loader_close(loader);
    options.in_order = true;
    options.augment.is_off = true;
    capture_begin();
    result = loader_open(&options, &loader, &err);
    result = result == OK ? loader_next(loader, &batch, &err) : result;
    capture_end();
    CHECK_OK(result);
    for (int i = 0; i < PICTURES; i++) {
        CHECK(batch.sample_index[i] == (i == 3 ? LOADER_NO_SAMPLE : (size_t)i));
        CHECK(batch.truths[i].count == (i == 3 ? 0 : (size_t)i));
    }
    CHECK(tensor_at(&batch.input, 3, 5, 5)[1] == 0.5f);
    loader_close(loader);
    write_picture(3);
    dataset_free(&set);
}

static void test_no_readable_picture(void)
{
    struct dataset set = open_set();
    struct loader_options options = options_for(&set);
    char path[128];
    for (int i = 0; i < PICTURES; i++) {
        picture_path(i, path, sizeof path);
        FILE *f = fopen(path, "wb");
        fputs(i % 2 ? "nothing" : "\x89PNG broken", f);
        fclose(f);
    }
    for (int in_order = 0; in_order < 2; in_order++) {
        options.in_order = in_order;
        struct loader *loader;
        struct batch batch = {.images = 1};
        enum result result;
        capture_begin();
        CHECK_OK(loader_open(&options, &loader, &err));
        do {
            result = loader_next(loader, &batch, &err);
        } while (result == OK && batch.images > 0);
        capture_end();
        loader_close(loader);
        CHECK(result == ERR_IO && strstr(err.text, "none of the 7 pictures"));
    }
    for (int i = 0; i < PICTURES; i++) {
        write_picture(i);
    }
    dataset_free(&set);
}

static void test_no_memory(void)
{
    struct dataset set = open_set();
    struct loader_options options = options_for(&set);
    int failures = 0;
    bool complete = false;
    for (long k = 0; k < 2000 && !complete; k++) {
        struct loader *loader;
        struct batch batch;
        mem_fail_after(k);
        capture_begin(); /* a picture that finds no memory is replaced, and named */
        enum result result = loader_open(&options, &loader, &err);
        for (int i = 0; result == OK && i < 3; i++) {
            result = loader_next(loader, &batch, &err);
        }
        capture_end();
        loader_close(loader);
        complete = result == OK && captured[0] == 0;
        failures += result != OK;
        CHECK_MSG(result == OK || (result == ERR_MEMORY && strstr(err.text, "memory")), "%d %s",
                  (int)result, err.text);
    }
    mem_fail_after(-1);
    CHECK_MSG(complete && failures > 10, "%d failures", failures);
    dataset_free(&set);
}

static void test_draw(void)
{
    struct dataset set = open_set();
    struct loader_options options = options_for(&set);
    struct loader *loader;
    struct batch batch;
    char prefix[128];
    const char *const names[] = {"zero", "one"};
    snprintf(prefix, sizeof prefix, "%s/shown", root);
    CHECK_OK(loader_open(&options, &loader, &err));
    CHECK_OK(loader_next(loader, &batch, &err));
    CHECK_OK(batch_draw(&batch, names, 2, prefix, &err));
    loader_close(loader);
    for (int i = 0; i < 4; i++) {
        char path[160];
        struct image image;
        snprintf(path, sizeof path, "%s%02d.jpg", prefix, i);
        CHECK_OK(image_read(path, &image, &err));
        CHECK(image.w == 32 && image.h == 24);
        image_free(&image);
    }
    dataset_free(&set);
}

static const struct test_case cases[] = {
    {"mosaic_end", test_mosaic_end},
    {"permutation", test_permutation},
    {"epochs", test_epochs},
    {"bytes_do_not_depend_on_workers", test_bytes_do_not_depend_on_workers},
    {"seeking", test_seeking},
    {"source_of", test_source_of},
    {"epochs_differ", test_epochs_differ},
    {"share", test_share},
    {"part_in_order", test_part_in_order},
    {"in_order", test_in_order},
    {"memory", test_memory},
    {"grey_input", test_grey_input},
    {"broken_picture", test_broken_picture},
    {"no_readable_picture", test_no_readable_picture},
    {"no_memory", test_no_memory},
    {"draw", test_draw},
};
TEST_MAIN(cases)
