#include "data/class_weights.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/suggest.h"
#include "data/inputs.h"

static const double MOST = 1e6, LEAST = 1e-6;
enum { WORD_BYTES = 128 };

/* ---- by number of samples ---- */

static void weigh_by_count(struct dataset *set, size_t *counts)
{
    double present = 0;
    for (size_t i = 0; i < set->sample_count; i++) {
        counts[set->samples[i].class_id]++;
    }
    for (size_t k = 0; k < set->class_count; k++) {
        present += counts[k] > 0;
    }
    for (size_t k = 0; k < set->class_count; k++) {
        if (counts[k] > 0) {
            set->class_weights[k] =
                (float)((double)set->sample_count / (present * (double)counts[k]));
        }
    }
}

/* ---- as said ---- */

static enum result bad(const char *text, enum result code, struct error *err, const char *why,
                       const char *word)
{
    error_set(err, code, "--class-weights %.200s: %s%.100s", text, why, word);
    return error_hint(err, "auto, or weights of classes: dog=2,cat=.5");
}

static enum result find_class(const char *text, char *const *names, size_t count, const char *word,
                              size_t *class_id, struct error *err)
{
    for (size_t k = 0; k < count; k++) {
        if (strcmp(names[k], word) == 0) {
            *class_id = k;
            return OK;
        }
    }
    if (names_number(word, count, class_id)) {
        return OK;
    }
    char why[WORD_BYTES * 2];
    const char *nearest = suggest(word, (const char *const *)names, count);
    snprintf(why, sizeof why, "there is no class %.80s%s%s%s", word,
             nearest ? ", did you mean " : "", nearest ? nearest : "", nearest ? "?" : "");
    return bad(text, ERR_ARG, err, why, "");
}

/* "dog=2" */
static enum result take_word(const char *text, char *word, char *const *names, struct dataset *set,
                             struct error *err)
{
    char *equals = strrchr(word, '='), *end;
    size_t class_id = 0;
    if (!equals || equals == word || !equals[1]) {
        return bad(text, ERR_ARG, err, "no CLASS=WEIGHT: ", word);
    }
    *equals = 0;
    TRY(find_class(text, names, set->class_count, word, &class_id, err));
    double weight = strtod(equals + 1, &end);
    if (*end || !(weight >= LEAST && weight <= MOST)) {
        return bad(text, ERR_ARG, err, "a weight is a number from 1e-6 to 1e6, and not ",
                   equals + 1);
    }
    if (set->class_weights[class_id] != 0) {
        return bad(text, ERR_ARG, err, "given twice: ", word);
    }
    set->class_weights[class_id] = (float)weight;
    return OK;
}

static enum result read_words(const char *text, char *const *names, struct dataset *set,
                              struct error *err)
{
    for (const char *at = text;;) {
        char word[WORD_BYTES];
        size_t length = strcspn(at, ",");
        if (length == 0 || length >= sizeof word) {
            return bad(text, ERR_ARG, err, "no CLASS=WEIGHT", "");
        }
        memcpy(word, at, length);
        word[length] = 0;
        TRY(take_word(text, word, names, set, err));
        at += length;
        if (*at++ == 0) {
            return OK;
        }
    }
}

enum result class_weights_set(const char *text, char *const *names, struct dataset *set,
                              struct error *err)
{
    if (set->sample_count == 0 || set->samples[0].class_id < 0) {
        return error_set(err, ERR_ARG,
                         "--class-weights acts only where each sample has a class, which these do "
                         "not");
    }
    set->class_weights = mem_alloc(set->class_count, sizeof *set->class_weights);
    size_t *counts = mem_alloc(set->class_count, sizeof *counts);
    enum result result = set->class_weights && counts ? OK : mem_error(err, "class weights");
    if (result == OK && strcmp(text, "auto") == 0) {
        weigh_by_count(set, counts);
    } else if (result == OK) {
        result = read_words(text, names, set, err);
    }
    for (size_t k = 0; result == OK && k < set->class_count; k++) {
        float *weight = &set->class_weights[k];
        *weight = *weight != 0 ? *weight : 1;
    }
    mem_free(counts);
    return result;
}
