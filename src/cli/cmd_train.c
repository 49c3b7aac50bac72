/* yolo train: its options are train/args.c's, the run is report/train_run.c's. */
#include <stdio.h>

#include "base/ranks.h"
#include "cli/cmd.h"
#include "report/train_run.h"

struct job {
    struct train_args args;
    struct train_outcome outcome;
    char folder[MODEL_PATH];
};

static enum result parse_and_train(struct job *job, int argc, char **argv, struct error *err)
{
    bool done = false;
    enum result result = train_args_parse(&job->args, argc, argv, &done, err);
    if (result == OK && !done) {
        result = train_run(&job->args, job->folder, sizeof job->folder, &job->outcome, err);
    }
    train_args_free(&job->args);
    return result;
}

static enum result run(int argc, char **argv, int *status, struct error *err)
{
    struct job job = {.folder = ""};
    enum result result = ranks_open(err);
    if (result == OK) {
        result = parse_and_train(&job, argc, argv, err);
    }
    if (ranks_own() >
        0) { /* process 0 says it for all; who ends with another status would be taken for lost */
        job.outcome = (struct train_outcome){0};
        result = OK;
    } else if (result == OK && job.folder[0]) {
        printf("%s\n", job.folder);
    }
    ranks_close();
    *status = job.outcome.diverged          ? STATUS_DIVERGED
              : job.outcome.was_interrupted ? STATUS_INTERRUPTED
                                            : STATUS_OK;
    return result;
}

const struct command cmd_train = {
    .name = "train",
    .aliases = "",
    .summary = "train or fine-tune on labelled pictures; freezing; resume",
    .run = run,
};
