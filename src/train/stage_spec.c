#include "train/stage_spec.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_file.h"
#include "base/memory.h"

enum { MAX_PLAN_BYTES = 1 << 20, MAX_STAGES = 1000, MOST = 1000000000 };

#define FIELD(name) offsetof(struct stage_spec, name)

static const struct option stage_options[] = {
    {"freeze", OPTION_STRING, FIELD(freeze), 0, 0, "SET", "", 0},
    {"bn", OPTION_CHOICE, FIELD(bn), 0, 0, "auto|eval|frozen|train", "", 0},
    {"epochs", OPTION_STRING, FIELD(epochs), 0, 0, "N", "", 0},
    {"iters|iterations", OPTION_STRING, FIELD(iters), 0, 0, "N", "", 0},
    {"lr|learning-rate", OPTION_FLOAT, FIELD(rate), 0, 1000, "X", "", 0},
    {"policy|lr-policy", OPTION_CHOICE, FIELD(policy), 0, 0,
     "constant|step|steps|exp|poly|sigmoid|random|sgdr|cosine", "", 0},
    {"warmup|burn-in", OPTION_INT, FIELD(warmup), 0, 1e9, "N", "", 0},
    {"patience", OPTION_INT, FIELD(patience), 0, 1e9, "N", "", 0},
    {"augment", OPTION_CHOICE, FIELD(augment), 0, 0, "on|off|no-mosaic", "", 0},
    {"lr-scale", OPTION_STRING, FIELD(lr_scale), 0, 0, "SET=X", "", 0},
    {"cache-features", OPTION_INT, FIELD(cache_features), 0, 1e6, "K", "", 0},
    {0},
};

const struct stage_spec stage_spec_unsaid = {.bn = -1,
                                             .rate = -1.0f,
                                             .policy = -1,
                                             .warmup = -1,
                                             .patience = -1,
                                             .augment = -1,
                                             .cache_features = -1};

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
