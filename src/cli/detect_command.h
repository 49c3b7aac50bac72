/* What `yolo detect` and `yolo classify` share: the run, its summary, its exit status. */
#ifndef CLI_DETECT_COMMAND_H
#define CLI_DETECT_COMMAND_H

#include "base/options.h"
#include "report/detect_run.h"

/* What --shard does, for the tables of options. */
#define SHARD_HELP                                                                                 \
    "only share I of the N contiguous ones of all pictures, I from 1 to N: one process of a job "  \
    "array (docs/shards.md)"

struct detect_inputs {
    bool reads_stdin;  /* --stdin */
    const char *shard; /* --shard, or NULL */
    struct string_list excluded, paths;
};

/* Reads the command line; what usage holds may point into inputs. *done: help was printed. ERR_ARG if nothing is to be
 * looked at. detect_inputs_free also after an error. */
NODISCARD enum result detect_inputs_parse(const struct usage *usage, int argc, char **argv,
                                          struct detect_inputs *inputs, bool *done,
                                          struct error *err);
void detect_inputs_free(struct detect_inputs *inputs);

/* Of `options` all but the inputs. fails_empty: nothing found in all inputs together is a failure. */
NODISCARD enum result detect_command(const struct detect_run_options *options,
                                     const struct detect_inputs *inputs, bool fails_empty,
                                     int *status, struct error *err);

#endif
