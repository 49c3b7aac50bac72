#include "cli/cmd.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "cli/options.h"

/* Darknet's words for a job, and the command that does it. */
static const struct {
    const char *word, *command;
} jobs[] = {{"test", "detect"}, {"map", "eval"}, {"valid", "eval"}, {"train", "train"}};

enum { JOB_COUNT = sizeof jobs / sizeof jobs[0] };

static const char about[] = "Darknet's order of words for the commands of this program:\n"
                            "  yolo detector test  DATA CFG WEIGHTS IMAGE...   is  yolo detect\n"
                            "  yolo detector map   DATA CFG WEIGHTS            is  yolo eval\n"
                            "  yolo detector train DATA CFG [WEIGHTS]          is  yolo train\n"
                            "with --data DATA --cfg CFG --weights WEIGHTS. All that follows is "
                            "passed on; see their own pages.\n";

static void print_help(void)
{
    const struct usage usage = {
        .command = "detector",
        .arguments = "JOB DATA CFG [WEIGHTS] [IMAGE...]",
        .about = about,
        .example = "yolo detector test cfg/coco.data yolov4.cfg yolov4.weights -thresh .25 dog.jpg",
    };
    options_print_help(&usage);
}

/* DATA CFG [WEIGHTS] become options, the rest stays. */
static enum result forward(const struct command *command, int argc, char **argv, int *status,
                           struct error *err)
{
    char names[3][16] = {"--data", "--cfg", "--weights"};
    char **words = mem_alloc((size_t)argc + 4, sizeof *words);
    if (!words) {
        return mem_error(err, "command line");
    }
    int count = 0, i = 0;
    for (; i < 3 && i < argc && argv[i][0] != '-'; i++) {
        words[count++] = names[i];
        words[count++] = argv[i];
    }
    for (; i < argc; i++) {
        words[count++] = argv[i];
    }
    enum result result = command->run(count, words, status, err);
    mem_free(words);
    return result;
}

static enum result run_detector(int argc, char **argv, int *status, struct error *err)
{
    if (argc > 0 && word_in("--help|-help|-h", argv[0])) {
        print_help();
        return OK;
    }
    for (size_t i = 0; argc > 0 && i < JOB_COUNT; i++) {
        const struct command *command = command_find(jobs[i].command);
        if (command && strcmp(argv[0], jobs[i].word) == 0) {
            return forward(command, argc - 1, argv + 1, status, err);
        }
    }
    error_set(err, ERR_ARG, "detector: %s", argc > 0 ? argv[0] : "no job");
    return error_hint(err, "see: yolo help detector");
}

const struct command cmd_detector = {
    "detector", "", "Darknet's order of words: detector test DATA CFG WEIGHTS IMAGE", run_detector};
