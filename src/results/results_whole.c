#include "results/results_whole.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"

enum result results_check_truth(const struct results_source *source, const struct eval_set *set,
                                struct error *err)
{
    const struct share_head *head = source->head;
    const char *path = source->paths[0];
    if (head->pictures != set->count) {
        return error_at(err, ERR_FORMAT, path, 1, "of %zu pictures, but the truth has %zu",
                        head->pictures, set->count);
    }
    if (head->class_count != set->class_count) {
        return error_at(err, ERR_FORMAT, path, 1, "%zu classes, but the truth has %zu",
                        head->class_count, set->class_count);
    }
    for (size_t k = 0; k < set->class_count; k++) {
        if (strcmp(head->classes[k], set->names[k]) != 0) {
            return error_at(err, ERR_FORMAT, path, 1,
                            "class %zu is \"%.200s\", but \"%.200s\" in the truth", k,
                            head->classes[k], set->names[k]);
        }
    }
    return OK;
}

static enum result need_all_shares(size_t count, const size_t *tellers, struct error *err)
{
    size_t missing = 0, first = 0;
    for (size_t i = count; i > 0; i--) {
        if (tellers[i - 1] == 0) {
            first = i;
            missing++;
        }
    }
    if (missing == 0) {
        return OK;
    }
    error_set(err, ERR_FORMAT, "--results: share %zu of %zu is missing", first, count);
    return missing > 1 ? error_hint(err, "%zu in all are", missing) : ERR_FORMAT;
}

static const char *name_of(const struct eval_picture *p)
{
    return p->path ? p->path : "a picture without a name";
}

static enum result need_all_pictures(const struct eval_set *set, struct error *err)
{
    size_t missing = 0, first = 0, last = 0;
    for (size_t i = 0; i < set->count; i++) {
        if (set->pictures[i].teller == 0) {
            first = missing == 0 ? i : first;
            last = i;
            missing++;
        }
    }
    return missing == 0
               ? OK
               : error_set(
                     err, ERR_FORMAT,
                     "--results: no record of %zu of the %zu pictures, %.200s to %.200s: is a "
                     "share missing?",
                     missing, set->count, name_of(&set->pictures[first]),
                     name_of(&set->pictures[last]));
}

/* COCO's results do not tell a picture without detections from one that nobody looked at. So many in a row that chance will not
 * do are told. */
static void suspect_a_gap(const struct eval_set *set)
{
    static const double UNLIKELY = 1e-6;
    size_t longest = 0, end = 0, run = 0, without = 0;
    for (size_t i = 0; i < set->count; i++) {
        bool is_without = set->pictures[i].teller == 0;
        run = is_without ? run + 1 : 0;
        without += is_without;
        if (run > longest) {
            longest = run;
            end = i + 1;
        }
    }
    double rest = (double)(set->count - longest),
           rate = ((double)(without - longest) + 1) / (rest + 2);
    if (longest > 0 && (double)longest * log(rate) < log(UNLIKELY)) {
        log_warn("--results: nothing in %zu pictures in a row, %s to %s: is a share missing? (json "
                 "and jsonl would tell)",
                 longest, name_of(&set->pictures[end - longest]), name_of(&set->pictures[end - 1]));
    }
}

struct file_scores {
    size_t count,
        below; /* detections; those that are weaker than any of the file of the highest least score */
    double least;
};

/* The files of one run have one least confidence, but for chance. */
static enum result suspect_thresholds(const struct results_source *source,
                                      const struct eval_set *set, struct error *err)
{
    enum { ENOUGH = 50, SHARE_PERCENT = 20 };
    size_t files = source->count, highest = SIZE_MAX;
    struct file_scores *scores = mem_alloc(files, sizeof *scores);
    if (!scores) {
        return mem_error(err, "results");
    }
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < set->count; i++) {
            const struct eval_picture *p = &set->pictures[i];
            struct file_scores *of = p->teller > 0 ? &scores[p->teller - 1] : NULL;
            for (size_t d = 0; of && d < p->detection_count; d++) {
                double score = p->detections[d].score;
                if (pass == 0) {
                    of->least = of->count++ == 0 || score < of->least ? score : of->least;
                } else {
                    of->below += highest != SIZE_MAX && score < scores[highest].least;
                }
            }
        }
        for (size_t f = 0; pass == 0 && f < files; f++) {
            bool is_higher = highest == SIZE_MAX || scores[f].least > scores[highest].least;
            highest = scores[f].count >= ENOUGH && is_higher ? f : highest;
        }
    }
    for (size_t f = 0; f < files; f++) {
        if (scores[f].count >= ENOUGH && scores[f].below * 100 >= scores[f].count * SHARE_PERCENT) {
            log_warn(
                "--results: %zu of %zu detections of %s are below %.3g, none of %s: was --conf "
                "another one?",
                scores[f].below, scores[f].count, source->paths[f], scores[highest].least,
                source->paths[highest]);
            break;
        }
    }
    mem_free(scores);
    return OK;
}

enum result results_check_whole(const struct results_source *source, const struct eval_set *set,
                                const size_t *tellers, bool has_plain, struct error *err)
{
    size_t shares = source->head->shard.count;
    if (shares > 0) {
        TRY(need_all_shares(shares, tellers, err));
        return need_all_pictures(set, err);
    }
    if (source->count < 2) {
        return OK;
    }
    if (has_plain) {
        suspect_a_gap(set);
    } else {
        TRY(need_all_pictures(set, err));
    }
    return suspect_thresholds(source, set, err);
}
