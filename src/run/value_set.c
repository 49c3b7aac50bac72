#include "run/value_set.h"

#include "base/path.h"
#include "data/class_set.h"
#include "data/table_set.h"

enum result value_set_names(const char *folder, struct model_args *args, char ***names,
                            struct error *err)
{
    bool asks = !args->names && !args->run && path_is_dir(folder);
    *names = NULL;
    if (!asks || class_folders_names(folder, names, &args->class_name_count, err) != OK) {
        return asks && err->code == ERR_MEMORY ? ERR_MEMORY : OK;
    }
    args->class_names = *names;
    args->class_folder = folder;
    return OK;
}

static enum result no_set(const struct model *model, const char *path, struct error *err)
{
    size_t values = task_values(&model->net);
    if (model->task == TASK_NONE) {
        return error_at(err, ERR_CFG, model->cfg_path, 0,
                        "nothing to train or to measure: no [yolo], [Gaussian_yolo] or [region] "
                        "section, and neither [softmax] nor [cost] at the end");
    }
    error_at(err, ERR_FORMAT, path, 0,
             "the network of %s gives %zu values, which pictures alone do not tell",
             model->cfg_path, values);
    return error_hint(err, "a table, .csv or .npy; or class folders or names= for %zu classes",
                      values);
}

enum result value_set_source(const struct model *model, const char *path,
                             struct dataset_source *source, struct error *err)
{
    const struct network *net = &model->net;
    bool is_table = table_is_named(path), classifies = model->task == TASK_CLASSIFY;
    *source = (struct dataset_source){.path = path,
                                      .kind = is_table     ? DATASET_TABLE
                                              : classifies ? DATASET_CLASSES
                                                           : DATASET_PICTURES,
                                      .class_count = model->name_count,
                                      .names = model->names,
                                      .name_count = model->name_count,
                                      .features = (size_t)net->size.w * (size_t)net->size.h *
                                                  (size_t)net->size.c,
                                      .targets = task_values(net),
                                      .needs_no_targets = model->task == TASK_RECONSTRUCT};
    if (is_table) {
        return model->task == TASK_NONE ? no_set(model, path, err) : OK;
    }
    TRY(classifies || model->task == TASK_RECONSTRUCT ? OK : no_set(model, path, err));
    return model_check_pictures(net, err);
}
