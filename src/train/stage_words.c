#include "train/stage_words.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_file.h"
#include "base/memory.h"
#include "train/freeze.h"

enum { MAX_PLAN_BYTES = 1 << 20, MAX_STAGES = 1000, MOST = 1000000000 };

/* ---- tables ---- */

/* Rows that a stage and the whole run share; AT(field): where the field of a stage_spec lies. */
/* clang-format off */
#define WHO_ROWS(AT)                                                                               \
    {"freeze", OPTION_STRING, AT(freeze), 0, 0, "SET",                                             \
     FREEZE_HELP "; auto = a trial of some updates with and without, memory and time decide "      \
                 "what is frozen and when",                                                        \
     0},                                                                                           \
    {"bn", OPTION_CHOICE, AT(bn), 0, 0, "auto|eval|frozen|train",                                  \
     "batch norm: auto = frozen layers keep their statistics, the others use the batch's; eval = " \
     "all use the stored statistics; frozen = gamma and beta keep still, too; train = Darknet's "  \
     "legacy, statistics of frozen layers move", 0}
#define HOW_ROWS(AT)                                                                               \
    {"lr|learning-rate", OPTION_FLOAT, AT(rate), 0, 1000, "X",                                     \
     "learning rate", 0},                                                                          \
    {"lr-policy|policy", OPTION_CHOICE, AT(policy), 0, 0,                                          \
     "constant|step|steps|exp|poly|sigmoid|random|sgdr|cosine", "how it falls", 0},                \
    {"lr-scale", OPTION_STRING, AT(lr_scale), 0, 0, "SET=X,...",                                   \
     "rates of their own for layers, as factors: 0-9=0.1,10-19=0.5", 0},                           \
    {"warmup|burn-in", OPTION_INT, AT(warmup), 0, 1e9, "N",                                        \
     "updates during which the rate rises (the cfg's burn_in)", 0},                                \
    {"patience", OPTION_INT, AT(patience), 0, 1e9, "N",                                            \
     "end (the stage) after N validations without a better mAP; 0 = never", 0},                    \
    {"cache-features", OPTION_INT, AT(cache_features), 0, 1e6, "K",                                \
     "while layers at the beginning are frozen: keep what they make of K variants of each "        \
     "picture (the first K epochs) in the run's folder, and train the epochs after from that, "    \
     "many times faster; 0 = no", 0}
/* clang-format on */

#define IN_STAGE(field) offsetof(struct stage_spec, field)
#define IN_RUN(field) offsetof(struct stage_words, run.field)
#define IN_WORDS(field) offsetof(struct stage_words, field)

static const struct option stage_options[] = {
    WHO_ROWS(IN_STAGE),
    {"epochs", OPTION_STRING, IN_STAGE(epochs), 0, 0, "N", "", 0},
    {"iters|iterations", OPTION_STRING, IN_STAGE(iters), 0, 0, "N", "", 0},
    HOW_ROWS(IN_STAGE),
    {"augment", OPTION_CHOICE, IN_STAGE(augment), 0, 0, "on|off|no-mosaic", "", 0},
    {0},
};

const struct option stage_words_options[] = {
    WHO_ROWS(IN_RUN),
    {"epochs", OPTION_INT, IN_WORDS(epochs), 1, 1e9, "N", "length in passes over the pictures", 0},
    {"iters|iterations|max-batches", OPTION_INT, IN_WORDS(iterations), 1, 1e9, "N",
     "length in updates (the cfg's max_batches)", 0},
    HOW_ROWS(IN_RUN),
    {"no-augment", OPTION_FLAG, IN_WORDS(no_augment), 0, 0, NULL,
     "pictures as they are, at one size", 0},
    {"no-mosaic", OPTION_FLAG, IN_WORDS(no_mosaic), 0, 0, NULL, "no pictures made of four", 0},
    {"stage", OPTION_LIST, IN_WORDS(stages), 0, 0, "\"KEY=VALUE ...\"",
     "a stage of its own; give it again for the next one. Keys: freeze, bn, epochs, iters, lr, "
     "policy, warmup, patience, augment, lr-scale, cache-features; what a stage does not say is as "
     "above",
     0},
    {"stages", OPTION_STRING, IN_WORDS(stage_file), 0, 0, "FILE",
     "the stages from a JSON file: [{\"freeze\": \"0-19\", \"epochs\": 10}, ...]", 0},
    {"unfreeze-every", OPTION_INT, IN_WORDS(unfreeze_every), 1, 1e9, "N",
     "gradual unfreezing: every N epochs the next part joins, down to the input", 0},
    {"from", OPTION_CHOICE, IN_WORDS(unfreeze_from), 0, 0, "heads|neck|backbone",
     "with --unfreeze-every: what trains first (with all behind it)", 0},
    {0},
};

const struct option stage_words_new_options[] = {
    {"stage", OPTION_LIST, IN_WORDS(stages), 0, 0, "\"KEY=VALUE ...\"", "", 0},
    {"stages", OPTION_STRING, IN_WORDS(stage_file), 0, 0, "FILE", "", 0},
    {0},
};

const struct stage_spec stage_spec_unsaid = {.bn = -1,
                                             .rate = -1.0f,
                                             .policy = -1,
                                             .warmup = -1,
                                             .patience = -1,
                                             .augment = -1,
                                             .cache_features = -1};

const struct stage_words stage_words_unsaid = {
    .run = {.rate = -1.0f, .policy = -1, .warmup = -1, .patience = -1, .augment = -1},
    .unfreeze_from = -1};

/* ---- the whole run ---- */

static enum result check(const struct stage_words *w, bool is_resumed, struct error *err)
{
    bool has_stages = w->stages.count > 0;
    if (w->epochs && w->iterations) {
        return error_set(err, ERR_ARG, "--epochs and --iters both say how long: give one of them");
    }
    if (w->no_augment && w->no_mosaic) {
        return error_set(err, ERR_ARG, "--no-mosaic has nothing to act on beside --no-augment");
    }
    if ((w->unfreeze_every > 0) != (w->unfreeze_from >= 0)) {
        return error_set(err, ERR_ARG,
                         "gradual unfreezing takes both: --unfreeze-every N --from heads");
    }
    if (w->unfreeze_every > 0 && (w->run.freeze || has_stages)) {
        return error_set(err, ERR_ARG,
                         "--unfreeze-every makes the stages itself: it does not go with %s",
                         w->run.freeze ? "--freeze" : "--stage");
    }
    bool is_auto = w->run.freeze && strcmp(w->run.freeze, "auto") == 0;
    if (is_auto && has_stages) {
        return error_set(err, ERR_ARG,
                         "--freeze auto makes the stages itself: it does not go with --stage");
    }
    if (is_auto && w->run.bn == BN_TRAIN) {
        return error_set(
            err, ERR_ARG,
            "--freeze auto keeps what is frozen as it is: it does not go with --bn train");
    }
    if (has_stages && !is_resumed && (w->epochs || w->iterations)) {
        return error_set(err, ERR_ARG,
                         "--%s beside --stage: every stage says its own length (epochs=N)",
                         w->epochs ? "epochs" : "iters");
    }
    return OK;
}

enum result stage_words_finish(struct stage_words *w, bool is_resumed, struct error *err)
{
    if (w->stage_file && w->stages.count > 0) {
        return error_set(err, ERR_ARG, "--stage and --stages both plan the run: give one of them");
    }
    if (w->stage_file) {
        TRY(option_need_file("stages", w->stage_file, err));
        TRY(stage_file_read(w->stage_file, &w->stages, &w->plan, err));
    }
    return check(w, is_resumed, err);
}

void stage_words_free(struct stage_words *words)
{
    string_list_free(&words->stages);
    cJSON_Delete(words->plan);
    *words = stage_words_unsaid;
}

uint64_t stage_words_updates(const struct stage_words *words, uint64_t updates_per_epoch,
                             uint64_t otherwise)
{
    return words->epochs       ? (uint64_t)words->epochs * updates_per_epoch
           : words->iterations ? (uint64_t)words->iterations
                               : otherwise;
}

struct stage_spec stage_words_fill(const struct stage_words *words, const struct stage_spec *spec)
{
    const struct stage_spec *run = &words->run;
    int augment = words->no_augment  ? STAGE_AUGMENT_OFF
                  : words->no_mosaic ? STAGE_AUGMENT_NO_MOSAIC
                                     : STAGE_AUGMENT_ON;
    return (struct stage_spec){
        .freeze = spec->freeze ? spec->freeze : run->freeze,
        .bn = spec->bn >= 0 ? spec->bn : run->bn,
        .epochs = spec->epochs,
        .iters = spec->iters,
        .rate = spec->rate >= 0.0f ? spec->rate : run->rate,
        .policy = spec->policy >= 0 ? spec->policy : run->policy,
        .warmup = spec->warmup >= 0 ? spec->warmup : run->warmup,
        .patience = spec->patience >= 0  ? spec->patience
                    : run->patience >= 0 ? run->patience
                                         : 0,
        .augment = spec->augment >= 0 ? spec->augment : augment,
        .cache_features = spec->cache_features >= 0 ? spec->cache_features : run->cache_features,
        .lr_scale = spec->lr_scale ? spec->lr_scale : run->lr_scale,
    };
}

/* ---- one stage ---- */

static const char blanks[] = " \t\r\n";

enum result stage_spec_parse(const char *text, struct stage_spec *spec, struct error *err)
{
    *spec = stage_spec_unsaid;
    spec->words = mem_strdup(text);
    if (!spec->words) {
        return mem_error(err, "a stage");
    }
    char *rest = NULL;
    uint64_t given = 0;
    for (char *word = strtok_r(spec->words, blanks, &rest); word;
         word = strtok_r(NULL, blanks, &rest)) {
        TRY(options_assign(stage_options, spec, &given, word, err));
    }
    return OK;
}

void stage_spec_free(struct stage_spec *spec)
{
    mem_free(spec->words);
    *spec = (struct stage_spec){0};
}

bool stage_span_parse(const char *text, long *first, long *last)
{
    char *end;
    *first = 0;
    *last = strtol(text, &end, 10);
    if (end == text || *text < '0' || *text > '9') {
        return false;
    }
    if (*end == '-' && end[1] >= '0' && end[1] <= '9') {
        *first = *last;
        *last = strtol(end + 1, &end, 10);
        if (*first < 1 || *last < *first) {
            return false;
        }
    }
    return *end == '\0' && *last >= 1 && *last <= MOST;
}

enum result stage_words_set(struct stage_words *w, const char *const *texts, size_t count,
                            struct error *err)
{
    struct string_list list = {0};
    cJSON *owner = cJSON_CreateArray();
    enum result result = owner ? OK : mem_error(err, "stages");
    for (size_t i = 0; result == OK && i < count; i++) {
        cJSON *item = cJSON_CreateString(texts[i]);
        bool is_kept = item && cJSON_AddItemToArray(owner, item);
        if (!is_kept) {
            cJSON_Delete(item);
        }
        result =
            is_kept ? string_list_add(&list, item->valuestring, err) : mem_error(err, "stages");
    }
    if (result != OK) {
        string_list_free(&list);
        cJSON_Delete(owner);
        return result;
    }
    string_list_free(&w->stages);
    cJSON_Delete(w->plan);
    w->stages = list;
    w->plan = owner;
    return OK;
}

/* The stage's words but for its length, and that as updates. NULL if out of memory. */
static char *with_length(const char *text, uint64_t updates)
{
    char length[48];
    size_t room = strlen(text) + sizeof length;
    char *words = mem_strdup(text), *out = mem_alloc(room, 1), *rest = NULL;
    for (char *word = words && out ? strtok_r(words, blanks, &rest) : NULL; word;
         word = strtok_r(NULL, blanks, &rest)) {
        char key[32];
        snprintf(key, sizeof key, "%.*s", (int)strcspn(word, "="), word);
        if (!word_in("epochs|iters|iterations", key)) {
            snprintf(out + strlen(out), room - strlen(out), "%s ", word);
        }
    }
    if (words && out) {
        snprintf(out + strlen(out), room - strlen(out), "iters=%" PRIu64, updates);
    }
    mem_free(words);
    return out;
}

enum result stage_words_set_lengths(struct stage_words *w, const uint64_t *updates,
                                    struct error *err)
{
    size_t count = w->stages.count;
    char **texts = mem_alloc(count, sizeof *texts);
    bool is_whole = texts != NULL;
    for (size_t i = 0; is_whole && i < count; i++) {
        texts[i] = with_length(w->stages.items[i], updates[i]);
        is_whole = texts[i] != NULL;
    }
    enum result result = is_whole ? stage_words_set(w, (const char *const *)texts, count, err)
                                  : mem_error(err, "stages");
    for (size_t i = 0; texts && i < count; i++) {
        mem_free(texts[i]);
    }
    mem_free(texts);
    return result;
}

/* ---- plan files ---- */

static enum result append(char *text, size_t size, const char *key, const char *value,
                          struct error *err)
{
    size_t used = strlen(text);
    int n = snprintf(text + used, size - used, "%s%s=%s", used ? " " : "", key, value);
    if (n < 0 || (size_t)n >= size - used) {
        return error_set(err, ERR_FORMAT, "%.40s: too long", key);
    }
    return OK;
}

static enum result append_item(char *text, size_t size, const cJSON *item, struct error *err)
{
    char number[32];
    if (cJSON_IsString(item)) {
        if (!item->valuestring[0] || strpbrk(item->valuestring, blanks)) {
            return error_set(err, ERR_FORMAT, "%.40s: empty, or with a blank in it", item->string);
        }
        return append(text, size, item->string, item->valuestring, err);
    }
    if (cJSON_IsNumber(item)) {
        snprintf(number, sizeof number, "%.9g", item->valuedouble);
        return append(text, size, item->string, number, err);
    }
    if (cJSON_IsBool(item)) {
        return append(text, size, item->string, cJSON_IsTrue(item) ? "on" : "off", err);
    }
    return error_set(err, ERR_FORMAT, "%.40s: must be a word, a number, or true or false",
                     item->string);
}

static enum result stage_text(const cJSON *stage, cJSON *texts, struct error *err)
{
    char text[1024] = "";
    if (!cJSON_IsObject(stage)) {
        return error_set(err, ERR_FORMAT,
                         "is no object, as in {\"freeze\": \"0-19\", \"epochs\": 10}");
    }
    for (const cJSON *item = stage->child; item; item = item->next) {
        TRY(append_item(text, sizeof text, item, err));
    }
    cJSON *string = cJSON_CreateString(text);
    if (!string || !cJSON_AddItemToArray(texts, string)) {
        cJSON_Delete(string);
        return mem_error(err, "stages");
    }
    return OK;
}

static enum result read_plan(const char *path, cJSON **plan, struct error *err)
{
    TRY(json_file_read(path, MAX_PLAN_BYTES, plan, err));
    if (!cJSON_IsArray(*plan) || !(*plan)->child) {
        return error_at(
            err, ERR_FORMAT, path, 0,
            "must be an array of stages, as in [{\"freeze\": \"backbone\", \"epochs\": 10}]");
    }
    return OK;
}

enum result stage_file_read(const char *path, struct string_list *list, cJSON **owner,
                            struct error *err)
{
    cJSON *plan = NULL;
    cJSON *texts = cJSON_CreateArray();
    enum result result = texts ? read_plan(path, &plan, err) : mem_error(err, "stages");
    size_t number = 0;
    for (const cJSON *stage = result == OK ? plan->child : NULL; stage && result == OK;
         stage = stage->next) {
        number++;
        result = number > MAX_STAGES ? error_set(err, ERR_FORMAT, "more than %d stages", MAX_STAGES)
                                     : stage_text(stage, texts, err);
        if (result != OK) {
            error_prefix(err, "%s: stage %zu", path, number);
        }
    }
    for (const cJSON *text = result == OK ? texts->child : NULL; text && result == OK;
         text = text->next) {
        result = string_list_add(list, text->valuestring, err);
    }
    cJSON_Delete(plan);
    if (result != OK) {
        cJSON_Delete(texts);
        return result;
    }
    *owner = texts;
    return OK;
}
