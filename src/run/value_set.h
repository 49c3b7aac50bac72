/* Which samples a network without detection heads takes: class folders, lists, pictures alone, tables. */
#ifndef RUN_VALUE_SET_H
#define RUN_VALUE_SET_H

#include "data/dataset.h"
#include "run/model.h"

/* Where no names are named and `folder` is a folder of class folders: their names, as those of the data, into *args. *names
 * (mem_free) are behind them, or NULL. ERR_MEMORY only. */
NODISCARD enum result value_set_names(const char *folder, struct model_args *args, char ***names,
                                      struct error *err);

/* What the model learns from or is measured on at `path`. ERR_CFG, ERR_FORMAT or ERR_UNSUPPORTED if it can be nothing there. */
NODISCARD enum result value_set_source(const struct model *model, const char *path,
                                       struct dataset_source *source, struct error *err);

#endif
