#include "train/folder.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fileio.h"
#include "base/path.h"
#include "base/listing.h"
#include "base/memory.h"
#include "run/run_args.h"
#include "train/runlog.h"

static enum result write_file(const char *folder, const char *name, const char *text, size_t size,
                              struct error *err)
{
    struct atomic_file file;
    TRY(atomic_open_in(&file, folder, name, err));
    fwrite(text, 1, size, file.stream); /* atomic_commit reports a failure */
    return atomic_commit(&file, err);
}

static enum result write_names(const char *folder, const char *name, const struct model *model,
                               struct error *err)
{
    struct atomic_file file;
    TRY(atomic_open_in(&file, folder, name, err));
    for (size_t i = 0; i < model->name_count; i++) {
        fprintf(file.stream, "%s\n", model->names[i]);
    }
    return atomic_commit(&file, err);
}

/* A folder the user named may exist; it may hold no other run, and nothing `--run` would mistake
 * for ours. */
static enum result check_folder(const char *folder, const char *cfg, const char *names,
                                struct error *err)
{
    const char *run = run_folder_trace(folder);
    if (run && strcmp(run, "last.state") == 0) {
        return error_at(err, ERR_ARG, folder, 0,
                        "holds a run already (--resume %s, or another --out)", folder);
    }
    if (run) {
        return error_at(err, ERR_ARG, folder, 0,
                        "holds %s of a run already: another folder, please (--out DIR)", run);
    }
    struct listing listing;
    enum result result = listing_read(folder, &listing, err);
    for (size_t i = 0; i < listing.count && result == OK; i++) {
        const char *name = listing.entries[i].name;
        if ((path_ends_in(name, ".cfg") && strcmp(name, cfg) != 0) ||
            (path_ends_in(name, ".names") && strcmp(name, names) != 0)) {
            result = error_at(err, ERR_ARG, folder, 0,
                              "holds %s: another folder, please (--out DIR)", name);
        }
    }
    listing_free(&listing);
    return result;
}

/* Absolute, so that a resumed run finds them from anywhere. */
static enum result write_args(const char *folder, const struct train_args *args,
                              const struct training *t, struct error *err)
{
    const char *const keys[] = {"data", "cfg", "weights", "weights-names", "weights-cfg", "images"};
    const char *const paths[] = {t->data.path,
                                 t->model.cfg_path,
                                 t->model.weights_path,
                                 args->weights_names ? args->weights_names : "",
                                 args->weights_cfg ? args->weights_cfg : "",
                                 args->images ? args->images : ""};
    cJSON *json = train_args_json(args);
    if (!json) {
        return mem_error(err, "args.json");
    }
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        char whole[PATH_MAX];
        cJSON_DeleteItemFromObjectCaseSensitive(json, keys[i]);
        if (paths[i][0] && realpath(paths[i], whole)) {
            cJSON_AddStringToObject(json, keys[i], whole);
        }
    }
    cJSON_DeleteItemFromObjectCaseSensitive(json, "run");
    cJSON_DeleteItemFromObjectCaseSensitive(json, "model");
    cJSON *choices = t->recipe.count > 0 ? recipe_json(&t->recipe) : NULL;
    bool is_kept = choices && cJSON_AddItemToObject(json, "choices", choices);
    if (t->recipe.count > 0 && !is_kept) {
        cJSON_Delete(choices);
        cJSON_Delete(json);
        return mem_error(err, "args.json");
    }
    if (t->advice.text[0]) {
        cJSON *advice = cJSON_AddObjectToObject(json, "freeze_auto");
        cJSON_AddStringToObject(advice, "plan", t->advice.text);
        cJSON_AddNumberToObject(advice, "loss_free", t->advice.loss_free); /* null: not tried */
        cJSON_AddNumberToObject(advice, "loss_frozen", t->advice.loss_kept);
    }
    if (args->fits_time) {
        cJSON *fit = cJSON_AddObjectToObject(json, "time_fit");
        cJSON_AddNumberToObject(fit, "seconds_an_update", t->time_fit.update);
        cJSON_AddNumberToObject(fit, "seconds_a_validation", t->time_fit.validation);
        cJSON_AddStringToObject(fit, "why", t->time_fit.text);
    }
    cJSON_AddStringToObject(json, "isa", kernels_isa(t->model.kernels));
    enum result result = run_args_save(folder, json, err);
    cJSON_Delete(json);
    return result;
}

enum result training_make_folder(const struct train_args *args, struct training *t, char *folder,
                                 size_t size, struct error *err)
{
    char stem[256], cfg[300], names[300];
    model_stem(&t->model, stem, sizeof stem);
    snprintf(cfg, sizeof cfg, "%s.cfg", stem);
    snprintf(names, sizeof names, "%s.names", stem);
    if (args->out) {
        snprintf(folder, size, "%s", args->out);
        TRY(dir_make(folder, err));
        TRY(check_folder(folder, cfg, names, err));
    } else {
        TRY(run_folder_new("runs/train", folder, size, err));
    }
    TRY(run_folder_lock(folder, &t->lock, err));
    TRY(write_file(folder, cfg, t->cfg_text, t->cfg_size, err));
    if (t->model.name_count > 0) {
        TRY(write_names(folder, names, &t->model, err));
    }
    if (t->scale.count > 0) {
        char path[PATH_MAX];
        TRY(path_in(path, sizeof path, folder, feature_scale_name, err));
        TRY(feature_scale_write(&t->scale, path, err));
    }
    return write_args(folder, args, t, err);
}
