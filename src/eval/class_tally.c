#include "eval/class_tally.h"

#include <math.h>

#include "base/memory.h"

enum result class_tally_init(struct class_tally *tally, size_t class_count, struct error *err)
{
    size_t cells;
    *tally =
        (struct class_tally){.class_count = class_count,
                             .top = class_count < CLASS_TALLY_TOP ? class_count : CLASS_TALLY_TOP};
    if (!size_mul(class_count, class_count, &cells)) {
        return mem_error(err, "confusion matrix");
    }
    tally->counts = mem_alloc(cells, sizeof *tally->counts);
    tally->in_top = mem_alloc(class_count, sizeof *tally->in_top);
    tally->unread = mem_alloc(class_count, sizeof *tally->unread);
    return tally->counts && tally->in_top && tally->unread ? OK
                                                           : mem_error(err, "confusion matrix");
}

void class_tally_free(struct class_tally *tally)
{
    mem_free(tally->counts);
    mem_free(tally->in_top);
    mem_free(tally->unread);
    *tally = (struct class_tally){0};
}

/* Is class a before b? */
static bool is_better(const float *scores, size_t a, size_t b)
{
    float x = scores[a], y = scores[b];
    if (isnan(x) || isnan(y)) {
        return isnan(y) && (!isnan(x) || a < b);
    }
    return x > y || (x == y && a < b);
}

size_t class_best(const float *scores, size_t class_count, const bool *wanted, size_t *best,
                  size_t count)
{
    size_t found = 0;
    for (size_t k = 0; k < class_count; k++) {
        if (wanted && !wanted[k]) {
            continue;
        }
        size_t at = found;
        while (at > 0 && is_better(scores, k, best[at - 1])) {
            at--;
        }
        if (at >= count) {
            continue;
        }
        found += found < count;
        for (size_t i = found - 1; i > at; i--) {
            best[i] = best[i - 1];
        }
        best[at] = k;
    }
    return found;
}

void class_tally_add(struct class_tally *tally, size_t truth, const float *scores)
{
    size_t best[CLASS_TALLY_TOP];
    size_t found = class_best(scores, tally->class_count, NULL, best, tally->top);
    tally->counts[truth * tally->class_count + best[0]]++;
    for (size_t i = 0; i < found; i++) {
        tally->in_top[truth] += best[i] == truth;
    }
}

void class_tally_add_unread(struct class_tally *tally, size_t truth)
{
    tally->unread[truth]++;
}

size_t class_tally_count(const struct class_tally *tally, size_t truth, size_t found)
{
    return tally->counts[truth * tally->class_count + found];
}

static double share(size_t part, size_t whole)
{
    return whole > 0 ? (double)part / (double)whole : -1.0;
}

struct class_numbers class_tally_class(const struct class_tally *tally, size_t class_id)
{
    struct class_numbers n = {.images = tally->unread[class_id]};
    for (size_t k = 0; k < tally->class_count; k++) {
        n.images += class_tally_count(tally, class_id, k);
        n.found += class_tally_count(tally, k, class_id);
    }
    size_t right = class_tally_count(tally, class_id, class_id);
    n.precision = share(right, n.found);
    n.recall = share(right, n.images);
    n.f1 = share(2 * right, n.images + n.found);
    n.top = share(tally->in_top[class_id], n.images);
    return n;
}

struct class_numbers class_tally_all(const struct class_tally *tally)
{
    struct class_numbers all = {0};
    size_t right = 0, in_top = 0, classes = 0;
    for (size_t k = 0; k < tally->class_count; k++) {
        struct class_numbers n = class_tally_class(tally, k);
        all.images += n.images;
        all.found += n.found;
        right += class_tally_count(tally, k, k);
        in_top += tally->in_top[k];
        if (n.images > 0) {
            classes++;
            all.precision += fmax(n.precision, 0.0);
            all.f1 += n.f1;
        }
    }
    all.recall = share(right, all.images);
    all.top = share(in_top, all.images);
    all.precision = classes > 0 ? all.precision / (double)classes : -1.0;
    all.f1 = classes > 0 ? all.f1 / (double)classes : -1.0;
    return all;
}

double class_tally_balanced(const struct class_tally *tally)
{
    double sum = 0.0;
    size_t classes = 0;
    for (size_t k = 0; k < tally->class_count; k++) {
        struct class_numbers n = class_tally_class(tally, k);
        if (n.images > 0) {
            sum += n.recall;
            classes++;
        }
    }
    return classes > 0 ? sum / (double)classes : -1.0;
}
