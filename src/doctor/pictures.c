/* Reading the pictures, and telling which of them are the same. */
#include "doctor/doctor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fileio.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "data/exif.h"

enum { BATCH = 64, FILE_MAX_BYTES = 1 << 30 };

/* Near-duplicates: at most so many of 64 bits differ, and the small pictures correlate. */
enum { LOOK_BITS = 6 };
static const double look_limit = 0.985;

/* ---- reading ---- */

struct read_job {
    struct doctor_set *set;
    size_t first;
    struct error errors[BATCH];
};

static enum result read_picture(const char *path, struct picture *picture, struct error *err)
{
    char *bytes;
    size_t size;
    struct image image;
    TRY(file_read(path, FILE_MAX_BYTES, &bytes, &size, err));
    picture->file_hash = hash_bytes(bytes, size, 0);
    picture->orientation = exif_orientation((const unsigned char *)bytes, size);
    enum result result = image_decode(path, (const unsigned char *)bytes, size, &image, err);
    mem_free(bytes);
    TRY(result);
    picture->w = image.w;
    picture->h = image.h;
    picture->pixel_hash =
        hash_bytes(image.rgb, (size_t)image.w * (size_t)image.h * 3, (uint64_t)image.w);
    picture->look = look_at(&image);
    picture->is_read = true;
    picture->is_dim = image.is_dim;
    image_free(&image);
    return OK;
}

static void read_one(void *ctx, size_t item, int thread)
{
    (void)thread;
    struct read_job *job = ctx;
    size_t i = job->first + item;
    struct error *err = &job->errors[item];
    err->code = OK;
    enum result result =
        read_picture(job->set->data.samples[i].image_path, &job->set->pictures[i], err);
    job->set->pictures[i].is_bad = result != OK;
}

static void report_picture(struct doctor *doctor, int set, size_t index, const struct error *why)
{
    const struct sample *sample = &doctor->sets[set].data.samples[index];
    const struct picture *picture = &doctor->sets[set].pictures[index];
    struct finding_place place = doctor_place(doctor, set, index);
    if (picture->is_bad) {
        const char *text = why->text; /* it names the picture; once is enough */
        size_t length = strlen(place.path);
        if (strncmp(text, place.path, length) == 0 && strncmp(text + length, ": ", 2) == 0) {
            text += length + 2;
        }
        finding_add(&doctor->findings, FINDING_UNREADABLE, &place, "%s", text);
    } else if (sample->image_w > 0 &&
               (sample->image_w != picture->w || sample->image_h != picture->h)) {
        finding_add(&doctor->findings, FINDING_SIZE, &place, "%d x %d, not %d x %d", picture->w,
                    picture->h, sample->image_w, sample->image_h);
    }
    if (picture->is_dim) {
        finding_add(&doctor->findings, FINDING_DIM, &place, "%s", image_dim_text);
    }
    if (picture->is_read && picture->orientation > 1 && sample->truth_count > 0) {
        finding_add(
            &doctor->findings, FINDING_TURNED, &place,
            "EXIF orientation %d: taken as it is to be shown; labels drawn on the stored pixels "
            "do not fit",
            picture->orientation);
    }
}

enum result doctor_read_pictures(struct doctor *doctor, struct error *err)
{
    struct read_job *job = mem_alloc(1, sizeof *job);
    if (!job) {
        return mem_error(err, "reading pictures");
    }
    enum result result = OK;
    for (int set = 0; set < doctor->set_count && result == OK; set++) {
        job->set = &doctor->sets[set];
        size_t total = job->set->data.sample_count;
        for (job->first = 0; job->first < total && result == OK; job->first += BATCH) {
            size_t count = total - job->first < BATCH ? total - job->first : BATCH;
            parallel_for(count, read_one, job);
            for (size_t i = 0; i < count && result == OK; i++) {
                report_picture(doctor, set, job->first + i, &job->errors[i]);
                if (job->errors[i].code == ERR_MEMORY) {
                    *err = job->errors[i];
                    result = ERR_MEMORY;
                }
            }
            log_progress("%s: %zu of %zu pictures read", job->set->path, job->first + count, total);
        }
    }
    log_progress("%s", "");
    mem_free(job);
    doctor->has_read = result == OK;
    return result;
}

/* ---- equal ones ---- */

struct ref {
    uint64_t key;
    size_t order; /* train, then valid */
    size_t sample;
    int set;
};

static int by_key(const void *a, const void *b)
{
    const struct ref *x = a;
    const struct ref *y = b;
    return x->key != y->key ? (x->key > y->key) - (x->key < y->key)
                            : (x->order > y->order) - (x->order < y->order);
}

static struct picture *picture_of(struct doctor *doctor, const struct ref *ref)
{
    return &doctor->sets[ref->set].pictures[ref->sample];
}

static const struct sample *sample_of(const struct doctor *doctor, const struct ref *ref)
{
    return &doctor->sets[ref->set].data.samples[ref->sample];
}

/* "images/a.jpg (train.txt:12)" */
static const char *describe(const struct doctor *doctor, const struct ref *ref, char *text,
                            size_t size)
{
    const struct sample *sample = sample_of(doctor, ref);
    if (sample->list) {
        snprintf(text, size, "%s (%s:%d)", sample->image_path, sample->list, sample->list_line);
    } else {
        snprintf(text, size, "%s", sample->image_path);
    }
    return text;
}

static void report_pair(struct doctor *doctor, enum finding_kind kind, const struct ref *ref,
                        const struct ref *like, const char *how)
{
    char other[1200];
    struct finding_place place = doctor_place(doctor, ref->set, ref->sample);
    const char *name = sample_of(doctor, ref)->image_path;
    bool is_named = strcmp(place.path, name) == 0;
    place.other_set = like->set;
    place.other_sample = like->sample;
    finding_add(&doctor->findings, kind, &place, "%s%s%s %s", is_named ? "" : name,
                is_named ? "" : ": ", how, describe(doctor, like, other, sizeof other));
}

/* refs[0 .. count) are equal, train before valid. */
static void report_group(struct doctor *doctor, const struct ref *refs, size_t count,
                         const char *how)
{
    const struct ref *first[SETS_MAX] = {0};
    for (size_t i = 0; i < count; i++) {
        const struct ref *ref = &refs[i];
        struct picture *picture = picture_of(doctor, ref);
        const struct ref *own = first[ref->set];
        first[ref->set] = own ? own : ref;
        if (picture->is_copy) {
            continue; /* said already */
        }
        if (own) {
            picture->is_copy = true;
            report_pair(doctor, FINDING_COPY, ref, own, how);
        } else if (ref->set == SET_VALID && first[SET_TRAIN] &&
                   !picture_of(doctor, first[SET_TRAIN])->is_shared) {
            report_pair(doctor, FINDING_OVERLAP, ref, first[SET_TRAIN], how);
        }
        for (size_t k = 0; k < count && ref->set == SET_VALID; k++) {
            struct picture *other = picture_of(doctor, &refs[k]);
            other->is_shared = other->is_shared || refs[k].set == SET_TRAIN;
        }
    }
}

static uint64_t path_key(const struct doctor *doctor, const struct ref *ref)
{
    const char *path = sample_of(doctor, ref)->image_path;
    return hash_bytes(path, strlen(path), 1);
}

enum key { KEY_PATH, KEY_FILE, KEY_PIXELS, KEY_COUNT };

static void find_equal(struct doctor *doctor, enum key key, struct ref *refs)
{
    static const char *const how[KEY_COUNT] = {"is the same path as", "is the same file as",
                                               "has the same pixels as"};
    size_t count = 0;
    size_t order = 0;
    for (int set = 0; set < doctor->set_count; set++) {
        for (size_t i = 0; i < doctor->sets[set].data.sample_count; i++) {
            struct ref ref = {.order = order++, .sample = i, .set = set};
            const struct picture *picture = picture_of(doctor, &ref);
            if (key != KEY_PATH && !picture->is_read) {
                continue;
            }
            ref.key = key == KEY_PATH   ? path_key(doctor, &ref)
                      : key == KEY_FILE ? picture->file_hash
                                        : picture->pixel_hash;
            refs[count++] = ref;
        }
    }
    if (count > 1) {
        qsort(refs, count, sizeof *refs, by_key);
    }
    for (size_t i = 0, end; i < count; i = end) {
        for (end = i + 1; end < count && refs[end].key == refs[i].key;) {
            end++;
        }
        report_group(doctor, refs + i, end - i, how[key]);
    }
}

/* ---- similar ones ---- */

struct look_job {
    struct doctor *doctor;
    struct ref *refs; /* key = dHash; train, then valid */
    size_t *like;     /* [count] the nearest earlier one, SIZE_MAX: none */
    size_t train_count;
};

/* The nearest of refs[0 .. end); ties go to the first. */
static size_t find_nearest(const struct look_job *job, size_t item, size_t end)
{
    size_t nearest = SIZE_MAX;
    int least = LOOK_BITS + 1;
    uint64_t key = job->refs[item].key;
    for (size_t i = 0; i < end; i++) {
        int bits = hamming64(key, job->refs[i].key);
        if (bits < least &&
            look_correlation(&picture_of(job->doctor, &job->refs[i])->look,
                             &picture_of(job->doctor, &job->refs[item])->look) >= look_limit) {
            least = bits;
            nearest = i;
        }
    }
    return nearest;
}

static void look_one(void *ctx, size_t item, int thread)
{
    (void)thread;
    struct look_job *job = ctx;
    size_t train = item < job->train_count ? item : job->train_count;
    job->like[item] = find_nearest(job, item, train);
    if (job->like[item] == SIZE_MAX && item > train) {
        job->like[item] = find_nearest(job, item, item);
    }
}

static enum result find_similar(struct doctor *doctor, struct ref *refs, struct error *err)
{
    struct look_job job = {.doctor = doctor, .refs = refs};
    size_t count = 0;
    for (int set = 0; set < doctor->set_count; set++) {
        for (size_t i = 0; i < doctor->sets[set].data.sample_count; i++) {
            const struct picture *picture = &doctor->sets[set].pictures[i];
            if (picture->is_read && !picture->is_copy && !picture->is_shared) {
                refs[count] = (struct ref){picture->look.dhash, count, i, set};
                count++;
                job.train_count += set == SET_TRAIN;
            }
        }
    }
    job.like = mem_alloc(count, sizeof *job.like);
    if (!job.like) {
        return mem_error(err, "comparing pictures");
    }
    parallel_for(count, look_one, &job);
    for (size_t i = 0; i < count; i++) {
        if (job.like[i] != SIZE_MAX) {
            const struct ref *like = &refs[job.like[i]];
            report_pair(doctor,
                        like->set != refs[i].set ? FINDING_SIMILAR_OVERLAP : FINDING_SIMILAR,
                        &refs[i], like, "looks like");
        }
    }
    mem_free(job.like);
    return OK;
}

enum result doctor_check_copies(struct doctor *doctor, struct error *err)
{
    size_t total = 0;
    for (int set = 0; set < doctor->set_count; set++) {
        total += doctor->sets[set].data.sample_count;
    }
    struct ref *refs = mem_alloc(total, sizeof *refs);
    if (!refs) {
        return mem_error(err, "comparing pictures");
    }
    find_equal(doctor, KEY_PATH, refs);
    enum result result = OK;
    if (doctor->has_read) {
        find_equal(doctor, KEY_FILE, refs);
        find_equal(doctor, KEY_PIXELS, refs);
        result = find_similar(doctor, refs, err);
    }
    mem_free(refs);
    return result;
}
