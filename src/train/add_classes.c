#include "train/add_classes.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/path.h"
#include "data/inputs.h"
#include "net/added_heads.h"
#include "net/class_rows.h"
#include "net/weights.h"

/* ---- names ---- */

static bool is_twice(char *const *names, size_t count, size_t at)
{
    for (size_t i = 0; i < count; i++) {
        if (i != at && strcmp(names[i], names[at]) == 0) {
            return true;
        }
    }
    return false;
}

static enum result read_data_names(const struct data_file *data, struct added_classes *added,
                                   struct error *err)
{
    if (!data->names) {
        return error_at(err, ERR_ARG, data->path, 0,
                        "--add-classes: no names=, so the classes to add have no names");
    }
    TRY(data_file_need(data, DATA_NAMES, err));
    TRY(names_read(data->names, &added->data_names, &added->data_count, err));
    if (data->classes && (size_t)data->classes != added->data_count) {
        return error_at(err, ERR_FORMAT, data->path, 0, "classes=%d, but %s has %zu names",
                        data->classes, data->names, added->data_count);
    }
    for (size_t i = 0; i < added->data_count; i++) {
        if (is_twice(added->data_names, added->data_count, i)) {
            return error_at(err, ERR_FORMAT, data->names, names_line(data->names, i),
                            "the class %s stands twice", added->data_names[i]);
        }
    }
    added->class_of = mem_alloc(added->data_count, sizeof *added->class_of);
    return added->class_of ? OK : mem_error(err, "class names");
}

static int find_name(const char *name, char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(names[i], name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

/* Old names, then the new ones, in one block as of names_read. */
static enum result join_names(struct added_classes *added, struct model *model, struct error *err)
{
    size_t old = model->name_count, count = old, bytes = 0;
    for (size_t i = 0; i < old; i++) {
        bytes += strlen(model->names[i]) + 1;
    }
    for (size_t i = 0; i < added->data_count; i++) {
        bool is_new = find_name(added->data_names[i], model->names, old) < 0;
        added->class_of[i] = is_new ? (int)count++ : -1;
        bytes += strlen(added->data_names[i]) + 1;
    }
    char **names = mem_alloc(count * sizeof *names + bytes, 1);
    if (!names) {
        return mem_error(err, "class names");
    }
    char *text = (char *)(names + count);
    for (size_t i = 0; i < old + added->data_count; i++) {
        bool is_old = i < old;
        const char *name = is_old ? model->names[i] : added->data_names[i - old];
        int place = is_old ? (int)i : added->class_of[i - old];
        if (place >= 0) {
            names[place] = text;
            text = strcpy(text, name) + strlen(name) + 1;
        }
    }
    mem_free(model->names);
    model->names = names;
    model->name_count = count;
    return OK;
}

static void hint_at_case(const struct added_classes *added, const struct model *model)
{
    for (size_t i = 0; i < added->data_count; i++) {
        const char *other = added->class_of[i] < 0
                                ? NULL
                                : class_match_other_case(added->data_names[i], model->names,
                                                         (size_t)added->old_count);
        if (other) {
            log_warn("class %s is added beside %s: names match letter by letter",
                     added->data_names[i], other);
        }
    }
}

static enum result find_old_names(const char *told, struct added_classes *added,
                                  struct model *model, struct error *err)
{
    int classes = model->head->classes;
    char *path = added->old_names;
    TRY(option_need_file("weights-names", told, err));
    if (told && !path_join(path, MODEL_PATH, "", told)) {
        return error_set(err, ERR_ARG, "--weights-names: path too long");
    }
    if (!told && !model_find_weights_names(model->weights_path, classes, path)) {
        return error_set(err, ERR_ARG,
                         "--add-classes: the names of the classes that %.300s knows are not at "
                         "hand (--weights-names FILE)",
                         model->weights_path);
    }
    mem_free(model->names);
    model->names = NULL;
    TRY(names_read(path, &model->names, &model->name_count, err));
    return model->name_count == (size_t)classes
               ? OK
               : error_at(err, ERR_FORMAT, path, 0,
                          "%zu names, but the network of %s has %d classes", model->name_count,
                          model->cfg_path, classes);
}

/* ---- the network ---- */

/* The old network, without parameters, in *old, and the new one in its place. */
static enum result exchange(const struct model_args *args, struct network *old,
                            struct added_classes *added, struct model *model, struct cfg_text *cfg,
                            struct error *err)
{
    int new_classes = (int)model->name_count - added->old_count;
    char path[MODEL_PATH + 32];
    snprintf(path, sizeof path, "%s with added classes", model->cfg_path);
    *old = model->net;
    model->net = (struct network){0};
    model->head = NULL;
    TRY(added_heads_cfg(old, new_classes, path, cfg, err));
    TRY(network_parse(path, cfg->bytes, cfg->size, args->imgsz.w, args->imgsz.h, &model->net, err));
    model->head = network_head(&model->net);
    return OK;
}

enum result added_open(const struct model_args *args, const char *weights_names,
                       const struct data_file *data, struct added_classes *added,
                       struct model *model, struct cfg_text *cfg, struct error *err)
{
    struct model_args named = *args;
    struct network old = {0};
    if (args->names) {
        return error_set(err, ERR_ARG,
                         "--add-classes: --names could be the old classes or the new ones (old: "
                         "--weights-names FILE; new: names= in the .data file)");
    }
    named.data = NULL;
    TRY(model_open(&named, MODEL_TRAIN, model, err));
    if (!model->weights_path[0]) {
        return error_set(err, ERR_ARG,
                         "--add-classes: beside which classes? No weights are named (--weights "
                         "FILE, --run DIR)");
    }
    if (!model->head) {
        return error_at(err, ERR_CFG, model->cfg_path, 0,
                        "no detection head, so no classes can be added");
    }
    memcpy(added->cfg_path, model->cfg_path, sizeof added->cfg_path);
    memcpy(added->weights_path, model->weights_path, sizeof added->weights_path);
    TRY(read_data_names(data, added, err));
    TRY(find_old_names(weights_names, added, model, err));
    added->old_count = (int)model->name_count;
    TRY(join_names(added, model, err));
    if (model->name_count == (size_t)added->old_count) {
        return error_at(err, ERR_ARG, data->names, 0,
                        "--add-classes: all %zu classes are known to %.300s already (%.300s)",
                        added->data_count, model->weights_path, added->old_names);
    }
    hint_at_case(added, model);
    snprintf(model->names_path, sizeof model->names_path, "%s", data->names);
    enum result result = exchange(args, &old, added, model, cfg, err);
    network_free(&old);
    return result;
}

enum result added_reopen(const struct model_args *args, const struct data_file *data,
                         const struct model *model, struct added_classes *added, struct error *err)
{
    bool is_known = args->cfg && args->weights &&
                    path_join(added->cfg_path, MODEL_PATH, "", args->cfg) &&
                    path_join(added->weights_path, MODEL_PATH, "", args->weights);
    int first = added_heads_first(&model->net);
    const struct layer *head = network_head_layer(&model->net, network_head_count(&model->net) - 1);
    TRY(read_data_names(data, added, err));
    if (first == 0 || head->index < first || !is_known) {
        return error_at(
            err, ERR_FORMAT, model->cfg_path, 0,
            "not what --add-classes makes of a cfg and weights, although args.json says "
            "so");
    }
    added->old_count = head->ops->head(head)->first_class;
    for (size_t i = 0; i < added->data_count; i++) {
        int found = find_name(added->data_names[i], model->names, model->name_count);
        added->class_of[i] = found < added->old_count ? -1 : found;
    }
    return OK;
}

void added_free(struct added_classes *added)
{
    mem_free(added->class_of);
    mem_free(added->data_names);
    *added = (struct added_classes){0};
}

void added_map(const struct added_classes *added, const char *what, struct dataset *set)
{
    size_t count = 0;
    for (size_t i = 0; i < added->data_count; i++) {
        count = added->class_of[i] >= (int)count ? (size_t)added->class_of[i] + 1 : count;
    }
    size_t left_out = dataset_map_classes(set, added->class_of, count);
    if (left_out > 0) {
        log_info("%s pictures: %zu boxes of classes that are known already are left out", what,
                 left_out);
    }
}

enum result added_check(const struct added_classes *added, const struct network *net,
                        const struct stage_plan *plan, struct error *err)
{
    int first = added_heads_first(net);
    for (size_t s = 0; added->old_count > 0 && s < plan->count; s++) {
        const struct freeze_set *freeze = &plan->stages[s].freeze;
        for (int i = 0; i < first; i++) {
            if (net->layers[i].param_count > 0 && !freeze->frozen[i]) {
                return error_set(err, ERR_ARG,
                                 "--add-classes keeps layers 0-%d still, which the old classes "
                                 "need; stage %zu sets layer %d free (leave --freeze none out)",
                                 first - 1, s + 1, i);
            }
        }
        if (freeze->bn == BN_TRAIN) {
            return error_set(err, ERR_ARG,
                             "--add-classes: --bn train moves the statistics of the old classes' "
                             "layers (--bn auto keeps them)");
        }
    }
    return OK;
}

/* ---- parameters ---- */

/* The old network with its weights, at the new one's size. */
static enum result read_old(const struct added_classes *added, const struct network *net,
                            struct network *old, struct error *err)
{
    const char *weights = added->weights_path;
    TRY(network_read(added->cfg_path, net->size.w, net->size.h, old, err));
    TRY(network_allocate(old, err));
    TRY(weights_load(weights, old, err));
    return old->loaded_layers == old->layer_count
               ? OK
               : error_at(
                     err, ERR_FORMAT, weights, 0,
                     "ends after layer %d of %d: it knows no classes beside which others could "
                     "be added",
                     old->loaded_layers - 1, old->layer_count);
}

static void describe(const struct added_classes *added, const struct network *old,
                     const struct model *model, struct training_start *start)
{
    size_t used;
    int first = added_heads_first(&model->net);
    snprintf(start->text, sizeof start->text, "%.300s, trained for %d classes", added->weights_path,
             added->old_count);
    snprintf(start->kept[0], START_TEXT,
             "kept      all %zu values of it: layers 0-%d keep still, so %d classes are found as "
             "before",
             network_param_floats(old, old->layer_count, NULL), first - 1, added->old_count);
    used = (size_t)snprintf(start->kept[1], START_TEXT, "added     layers %d-%d for", first,
                            model->net.layer_count - 1);
    for (size_t i = (size_t)added->old_count; i < model->name_count && used < START_TEXT; i++) {
        used += (size_t)snprintf(start->kept[1] + used, START_TEXT - used, " %s", model->names[i]);
    }
}

enum result added_load(const struct added_classes *added, uint64_t seed, struct model *model,
                       struct training_start *start, struct error *err)
{
    struct network old = {0};
    start->loaded = mem_alloc((size_t)model->net.layer_count, sizeof *start->loaded);
    if (!start->loaded) {
        return mem_error(err, "training");
    }
    network_initialise(&model->net, seed);
    enum result result = read_old(added, &model->net, &old, err);
    if (result == OK) {
        result = added_heads_fill(&old, &model->net, start->loaded, err);
    }
    if (result == OK) {
        describe(added, &old, model, start);
        model->net.loaded_layers = added_heads_first(&model->net);
    }
    network_free(&old);
    return result;
}

/* ---- the proof ---- */

static enum result prove_file(const struct network *old, const char *weights, const char *path,
                              struct network *net, struct error *err)
{
    size_t values, changed;
    TRY(weights_load(path, net, err));
    TRY(added_heads_compare(old, net, &values, &changed, err));
    if (changed > 0) {
        return error_at(err, ERR_INTERNAL, path, 0,
                        "%zu of %zu values of %s are others although they are frozen", changed,
                        values, weights);
    }
    log_info("old rows: %zu values of %s byte-equal in %s", values, weights, path);
    return OK;
}

static enum result prove_files(const struct network *old, const char *weights, const char *folder,
                               struct network *net, struct error *err)
{
    static const char *const names[] = {"last.weights", "best.weights"};
    for (size_t i = 0; i < 2; i++) {
        char path[MODEL_PATH];
        if (path_join(path, sizeof path, folder, names[i]) && path_exists(path)) {
            TRY(prove_file(old, weights, path, net, err));
        }
    }
    return OK;
}

enum result added_prove(const struct added_classes *added, const char *folder, struct model *model,
                        struct error *err)
{
    struct network old = {0};
    struct error why;
    enum result result = OK;
    if (added->old_count == 0) {
        return OK;
    }
    if (read_old(added, &model->net, &old, &why) == OK) {
        result = prove_files(&old, added->weights_path, folder, &model->net, err);
    } else {
        log_warn("old rows: compared with their hashes of the beginning only, not with the old "
                 "weights: %s",
                 why.text);
    }
    network_free(&old);
    return result;
}
