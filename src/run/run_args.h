/* args.json in a training run's folder. */
#ifndef RUN_RUN_ARGS_H
#define RUN_RUN_ARGS_H

#include <cjson/cJSON.h>

#include "base/error.h"

/* folder/args.json: what the run was started with. Loading names the line of a syntax error; *args
 * is an object, freed with cJSON_Delete. */
NODISCARD enum result run_args_save(const char *folder, const cJSON *args, struct error *err);
NODISCARD enum result run_args_load(const char *folder, cJSON **args, struct error *err);

#endif
