/* yolo train: its options are train/args.c's, the run is report/train_run.c's. */
#include <stdio.h>

#include "cli/cmd.h"
#include "report/train_run.h"

static enum result run(int argc, char **argv, int *status, struct error *err)
{
    struct train_args args;
    struct train_outcome outcome = {0};
    char folder[MODEL_PATH] = "";
    bool done = false;
    enum result result = train_args_parse(&args, argc, argv, &done, err);
    if (result == OK && !done) {
        result = train_run(&args, folder, sizeof folder, &outcome, err);
    }
    if (result == OK && folder[0]) {
        printf("%s\n", folder);
    }
    *status = outcome.diverged          ? STATUS_DIVERGED
              : outcome.was_interrupted ? STATUS_INTERRUPTED
                                        : STATUS_OK;
    train_args_free(&args);
    return result;
}

const struct command cmd_train = {
    .name = "train",
    .aliases = "",
    .summary = "train or fine-tune on labelled pictures; freezing; resume",
    .run = run,
};
