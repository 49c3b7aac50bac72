#include "cli/cmd.h"

#include <stdio.h>
#include <string.h>

#include "base/suggest.h"
#include "base/options.h"

const struct command *const commands[] = {
    &cmd_detect, &cmd_classify, &cmd_train,    &cmd_eval,  &cmd_info,  &cmd_partial, &cmd_diff,
    &cmd_dump,   &cmd_bench,    &cmd_init,     &cmd_synth, &cmd_check, &cmd_anchors, &cmd_convert,
    &cmd_export, &cmd_import,   &cmd_detector, &cmd_help,  NULL,
};

const struct command *command_find(const char *name)
{
    for (size_t i = 0; commands[i]; i++) {
        if (strcmp(commands[i]->name, name) == 0 || word_in(commands[i]->aliases, name)) {
            return commands[i];
        }
    }
    return NULL;
}

enum result command_unknown(const char *name, struct error *err)
{
    const char *names[sizeof commands / sizeof commands[0]];
    size_t count = 0;
    for (; commands[count]; count++) {
        names[count] = commands[count]->name;
    }
    const char *nearest = suggest(name, names, count);
    error_set(err, ERR_ARG, "unknown command %s", name);
    if (nearest) {
        return error_hint(err, "did you mean %s?", nearest);
    }
    return error_hint(err, "see: yolo help");
}

static void print_overview(void)
{
    printf(
        "yolo trains and runs detectors of the YOLOv4 family on a CPU.\n"
        "\n"
        "  yolo detect photos/                                boxes on stdout, pictures in runs/detect\n"
        "  yolo init --data-dir photos/ --names my.names      cfg and lists for your own classes, in my/\n"
        "  yolo train --data my/my.data --cfg my/my.cfg       a run in runs/train/exp\n"
        "  yolo eval --run runs/train/exp                     how good it is\n"
        "  yolo train --resume                                after Ctrl-C or a power cut\n"
        "\nUsage: yolo COMMAND [arguments] [options]\n\nCommands:\n");
    for (size_t i = 0; commands[i]; i++) {
        printf("  %-10s%s\n", commands[i]->name, commands[i]->summary);
    }
    printf(
        "\n`yolo help COMMAND` tells everything about one command; `yolo --version` the version.\n"
        "Exit codes: 0 done, 1 failed, 2 wrong usage or a wrong file, 3 done but some inputs "
        "failed,\n"
        "4 training diverged, 130 interrupted.\n");
}

static enum result run_help(int argc, char **argv, int *status, struct error *err)
{
    if (argc == 0 || strcmp(argv[0], "help") == 0 || argv[0][0] == '-') {
        print_overview();
        return OK;
    }
    const struct command *command = command_find(argv[0]);
    if (!command) {
        return command_unknown(argv[0], err);
    }
    char option[] = "--help";
    char *words[] = {option, NULL};
    return command->run(1, words, status, err);
}

const struct command cmd_help = {"help", "", "this list, or one command's page", run_help};
