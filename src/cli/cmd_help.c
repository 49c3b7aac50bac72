#include "cli/cmd.h"

#include <stdio.h>
#include <string.h>

#include "base/suggest.h"
#include "base/options.h"

const struct command *const commands[] = {
    &cmd_detect,   &cmd_classify, &cmd_train,  &cmd_eval,   &cmd_info,     &cmd_partial,
    &cmd_diff,     &cmd_dump,     &cmd_bench,  &cmd_init,   &cmd_synth,    &cmd_check,
    &cmd_anchors,  &cmd_convert,  &cmd_export, &cmd_import, &cmd_quantize, &cmd_merge,
    &cmd_detector, &cmd_help,     NULL,
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
        "\n`yolo help COMMAND` tells everything about one command, `yolo help freeze` what a frozen\n"
        "layer does, here and in other tools; `yolo --version` the version.\n"
        "Exit codes: 0 done, 1 failed, 2 wrong usage or a wrong file, 3 done but some inputs "
        "failed,\n"
        "4 training diverged, 130 interrupted.\n");
}

/* Rows of other tools: tests/tools/three_facts.py has run them (docs/freezing.md). */
static void print_freezing(void)
{
    printf(
        "A layer has three facts, and tools tie them together differently: is it frozen (its weights\n"
        "keep), does it normalise and drop as in training, do its statistics move.\n"
        "\n"
        "                                weights  normalises by  statistics  dropout\n"
        "  yolo train --freeze SET       keep     stored         keep        off\n"
        "    with --bn train             keep     the batch      move        off\n"
        "  what trains                   move     the batch      move        on\n"
        "    with --bn eval              move     stored         keep        on\n"
        "    with --bn frozen            move*    stored         keep        on\n"
        "  yolo eval, validation         keep     stored         keep        off\n"
        "\n"
        "  Keras: trainable=False        keep     stored         keep        on\n"
        "    base(x, training=False)     move     the batch      move        on     (fit overrules it)\n"
        "  PyTorch: requires_grad=False  keep     the batch      move        on\n"
        "    eval()                      move     stored         keep        off\n"
        "    both                        keep     stored         keep        off\n"
        "  Lasagne: not `trainable`      keep     the batch      move        on\n"
        "    and deterministic=True      keep     stored         keep        off\n"
        "  Darknet: stopbackward=N       keep     the batch      move        on     (read)\n"
        "\n"
        "  * gamma and beta of batch norms keep\n"
        "\n"
        "`yolo train --dry-run` prints what each layer does, `yolo info --freeze SET` counts, `yolo diff`\n"
        "proves what kept still. A dropout layer is off only if it is in SET itself.\n");
}

static enum result run_help(int argc, char **argv, int *status, struct error *err)
{
    if (argc == 0 || strcmp(argv[0], "help") == 0 || argv[0][0] == '-') {
        print_overview();
        return OK;
    }
    if (strcmp(argv[0], "freeze") == 0) {
        print_freezing();
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
