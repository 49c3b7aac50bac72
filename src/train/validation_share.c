#include "train/validation_share.h"

#include <string.h>

#include "base/memory.h"
#include "base/ranks.h"

static struct validation_share cut(const struct validation_work *w, int ranks, int rank)
{
    struct validation_share share = {.batches = (w->pictures + w->batch - 1) / w->batch};
    size_t end = share.batches * (size_t)(rank + 1) / (size_t)ranks * w->batch;
    share.first_batch = share.batches * (size_t)rank / (size_t)ranks;
    share.first = share.first_batch * w->batch;
    share.end = end < w->pictures ? end : w->pictures;
    return share;
}

/* Of any process. */
static struct validation_share share_of(const struct validation_work *w, int rank)
{
    struct validation_share whole = cut(w, 1, 0);
    if (w->is_shared && w->is_divided) {
        return cut(w, ranks_count(), rank);
    }
    return w->is_shared && rank > 0 ? (struct validation_share){.batches = whole.batches} : whole;
}

struct validation_share validation_share_of(const struct validation_work *work)
{
    return share_of(work, ranks_own());
}

/* ---- detections ---- */

struct picture_head {
    int w, h;
    bool has_failed;
    size_t detections;
};

static void *put(void *into, const void *from, size_t bytes)
{
    if (bytes > 0) {
        memcpy(into, from, bytes);
    }
    return (char *)into + bytes;
}

static const void *get(void *into, const void *from, size_t bytes)
{
    memcpy(into, from, bytes);
    return (const char *)from + bytes;
}

static size_t packed_bytes(const struct eval_set *set, const struct validation_share *share)
{
    size_t bytes = 0;
    for (size_t i = share->first; i < share->end; i++) {
        bytes += sizeof(struct picture_head) +
                 set->pictures[i].detection_count * sizeof(struct eval_detection);
    }
    return bytes;
}

static void pack(const struct eval_set *set, const struct validation_share *share, void *into)
{
    for (size_t i = share->first; i < share->end; i++) {
        const struct eval_picture *p = &set->pictures[i];
        struct picture_head head;
        memset(&head, 0, sizeof head);
        head.w = p->w;
        head.h = p->h;
        head.has_failed = p->has_failed;
        head.detections = p->detection_count;
        into = put(into, &head, sizeof head);
        into = put(into, p->detections, p->detection_count * sizeof *p->detections);
    }
}

static enum result unpack(struct eval_set *set, const struct validation_share *share,
                          const void *from, struct error *err)
{
    for (size_t i = share->first; i < share->end; i++) {
        struct picture_head head;
        struct eval_detection detection;
        from = get(&head, from, sizeof head);
        set->pictures[i].has_failed = head.has_failed;
        TRY(eval_set_size(set, i, head.w, head.h, err));
        for (size_t k = 0; k < head.detections; k++) {
            from = get(&detection, from, sizeof detection);
            TRY(eval_set_add(set, i, &detection, err));
        }
    }
    return OK;
}

/* bytes[ranks] is room for sizes. */
static enum result gather_detections(const struct validation_work *w, size_t *bytes,
                                     struct eval_set *set, struct error *err)
{
    int ranks = ranks_count(), own = ranks_own();
    struct validation_share share = share_of(w, own);
    size_t all = 0, before = 0;
    size_t *sizes = mem_alloc((size_t)ranks, sizeof *sizes);
    TRY(ranks_agree(sizes ? OK : mem_error(err, "validation"), err));
    for (int r = 0; r < ranks; r++) {
        bytes[r] = sizeof *sizes;
    }
    sizes[own] = packed_bytes(set, &share);
    ranks_gather(sizes, bytes);
    for (int r = 0; r < ranks; r++) {
        before += r < own ? sizes[r] : 0;
        all += sizes[r];
    }
    char *packed = mem_alloc_raw(all, 1);
    enum result result = ranks_agree(packed ? OK : mem_error(err, "validation"), err);
    if (result == OK) {
        pack(set, &share, packed + before);
        ranks_gather(packed, sizes);
    }
    const char *from = packed;
    for (int r = 0; result == OK && own == 0 && r < ranks; from += sizes[r++]) {
        struct validation_share others = share_of(w, r);
        result = r > 0 ? unpack(set, &others, from, err) : OK;
    }
    mem_free(sizes);
    mem_free(packed);
    return result;
}

/* ---- counts ---- */

/* Everybody's counts are added up. */
static enum result add_counts(size_t *counts, size_t count, size_t *bytes, struct error *err)
{
    int ranks = ranks_count();
    size_t cells;
    size_t *all = size_mul(count, (size_t)ranks, &cells) ? mem_alloc(cells, sizeof *all) : NULL;
    TRY(ranks_agree(all ? OK : mem_error(err, "validation"), err));
    put(all + (size_t)ranks_own() * count, counts, count * sizeof *counts);
    for (int r = 0; r < ranks; r++) {
        bytes[r] = count * sizeof *counts;
    }
    ranks_gather(all, bytes);
    for (size_t i = 0; i < count; i++) {
        counts[i] = 0;
        for (size_t r = 0; r < (size_t)ranks; r++) {
            counts[i] += all[r * count + i];
        }
    }
    mem_free(all);
    return OK;
}

static enum result gather_tally(struct class_tally *tally, size_t *bytes, struct error *err)
{
    size_t classes = tally->class_count;
    TRY(add_counts(tally->counts, classes * classes, bytes, err));
    TRY(add_counts(tally->in_top, classes, bytes, err));
    return add_counts(tally->unread, classes, bytes, err);
}

/* ---- everything ---- */

static enum result gather(const struct validation_work *w, size_t *bytes,
                          struct validation_part *part, struct error *err)
{
    for (int r = 0; r < ranks_count(); r++) {
        struct validation_share share = share_of(w, r);
        bytes[r] = (share.end - share.first + w->batch - 1) / w->batch * sizeof *part->losses;
    }
    ranks_gather(part->losses, bytes);
    TRY(add_counts(&part->failures, 1, bytes, err));
    if (part->failures == w->pictures) {
        return error_set(err, ERR_IO, "none of the %zu pictures of the data set can be read",
                         w->pictures);
    }
    TRY(part->set ? gather_detections(w, bytes, part->set, err) : OK);
    return part->tally ? gather_tally(part->tally, bytes, err) : OK;
}

enum result validation_gather(const struct validation_work *work, struct validation_part *part,
                              struct error *err)
{
    size_t *bytes = mem_alloc((size_t)ranks_count(), sizeof *bytes);
    enum result result = ranks_agree(bytes ? OK : mem_error(err, "validation"), err);
    if (result == OK) {
        result = gather(work, bytes, part, err);
    }
    mem_free(bytes);
    return result;
}
