/* The commands: one cmd_NAME.c each, one row in cmd_help.c's list. */
#ifndef CLI_CMD_H
#define CLI_CMD_H

#include "base/error.h"

/* Exit statuses beyond those that results map to (main.c). */
enum {
    STATUS_OK = 0,
    STATUS_FAILED = 1,
    STATUS_USAGE = 2,
    STATUS_SOME_INPUTS_FAILED = 3,
    STATUS_DIVERGED = 4,
    STATUS_INTERRUPTED = 130
};

struct command {
    const char *name;
    const char *aliases; /* "predict|test", or "" */
    const char *summary; /* one line for `yolo help` */

    /* argv[0 .. argc) are the words behind the command's name. An error is reported by main.c.
     * *status (0 on entry) is the exit status if the command returns OK. Results go to stdout,
     * unchecked: main.c reports write errors at the end. */
    enum result (*run)(int argc, char **argv, int *status, struct error *err);
};

/* NULL-terminated, in the order of the help page. */
extern const struct command *const commands[];

/* By name or alias; NULL if unknown. */
const struct command *command_find(const char *name);

/* ERR_ARG with a suggestion. */
enum result command_unknown(const char *name, struct error *err);

extern const struct command cmd_help, cmd_detect, cmd_train, cmd_info, cmd_partial, cmd_diff,
    cmd_dump, cmd_bench, cmd_synth, cmd_anchors, cmd_check, cmd_init, cmd_convert, cmd_eval,
    cmd_detector, cmd_classify, cmd_export, cmd_import, cmd_quantize, cmd_merge;

#define YOLO_VERSION "0.1.0"

#endif
