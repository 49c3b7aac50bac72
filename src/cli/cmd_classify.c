/* yolo classify: the best classes of pictures. The work is in detect_run.c. */
#include "base/options.h"
#include "cli/cmd.h"
#include "cli/detect_command.h"

struct classify_args {
    int top, batch, format, fit;
    const char *classes;
    struct detect_inputs inputs;
    struct model_args model;
};

#define FIELD(name) offsetof(struct classify_args, name)

static const struct option classify_options[] = {
    {"top|topk", OPTION_INT, FIELD(top), 1, 1000000, "N", "the best N classes of each picture",
     't'},
    {"classes", OPTION_STRING, FIELD(classes), 0, 0, "LIST",
     "only these: names, numbers, ranges, as in dog,2,5-8", 0},
    {"batch", OPTION_INT, FIELD(batch), 1, INFER_MAX_BATCH, "N", INFER_BATCH_HELP, 0},
    {"format", OPTION_CHOICE, FIELD(format), 0, 0, RESULT_CLASS_FORMAT_NAMES,
     "what goes to stdout, see above", 0},
    {"exclude", OPTION_LIST, FIELD(inputs.excluded), 0, 0, "DIR",
     "leave out inputs that lie in this folder; may be given again", 0},
    {"shard", OPTION_STRING, FIELD(inputs.shard), 0, 0, "I/N", SHARD_HELP, 0},
    {"stdin", OPTION_FLAG, FIELD(inputs.reads_stdin), 0, 0, NULL,
     "without INPUT: paths on stdin, as with -", 0},
    {"dont-show", OPTION_NOTHING, 0, 0, 0, NULL, "Darknet's; no window is ever shown", 0},
    {"gpus|i", OPTION_NOTHING, 0, 0, 0, "X", "Darknet's; everything runs on the CPU", 0},
    {0},
};

static const char about[] =
    "Tells the best classes of pictures, by a network that ends with [softmax] (or with [cost],\n"
    "where names say that its values are classes). INPUT is as in yolo detect: a picture, a\n"
    "folder, a glob pattern, a .txt list of paths, or - for paths on stdin. Results come in the\n"
    "order of the inputs; one that cannot be read costs only itself. The confidence is the\n"
    "network's output: a softmax's sum to 1. Pictures come into the network as in validation: the\n"
    "shorter side fills the input, its middle is taken (--letterbox, --stretch: all of it).\n"
    "\n"
    "Formats on stdout:\n"
    "  text   a line a picture, then an indented line a class: name confidence\n"
    "  jsonl  an object a line and picture, \"classes\" in it; json: an array of them, valid also when\n"
    "         interrupted\n"
    "  csv    a row a class: image,class_id,class,confidence\n";

static const char exit_codes[] =
    "0 done, 1 failed, 2 wrong usage or a wrong cfg or weights file,\n"
    "3 done but some inputs failed, 130 interrupted (what is printed is "
    "whole).\n";

static enum result classify(const struct classify_args *args, int *status, struct error *err)
{
    const struct detect_run_options options = {
        .model = &args->model,
        .infer = {.fit = args->fit, .batch = args->batch, .top = args->top},
        .only_classifies = true,
        .classes = args->classes,
        .format = (enum result_format)args->format,
    };
    return detect_command(&options, &args->inputs, false, status, err);
}

static enum result run(int argc, char **argv, int *status, struct error *err)
{
    struct classify_args args = {.top = 5};
    const struct usage usage = {
        .command = "classify",
        .arguments = "INPUT...",
        .about = about,
        .example = "yolo classify --run runs/train/exp --top 3 photos/",
        .exit_codes = exit_codes,
        .groups = {{"Classification", classify_options, &args},
                   {"Fit into the network's input", fit_options, &args.fit},
                   {"JPEG files", picture_options, &args.model},
                   {"Model", model_options, &args.model},
                   {"Arithmetic", precision_options, &args.model},
                   {"Machine", machine_options, &args.model}},
    };
    bool done = false;
    enum result result = detect_inputs_parse(&usage, argc, argv, &args.inputs, &done, err);
    if (result == OK && !done) {
        result = classify(&args, status, err);
    }
    detect_inputs_free(&args.inputs);
    return result;
}

const struct command cmd_classify = {
    .name = "classify",
    .aliases = "",
    .summary = "the best classes of images, by a classifier",
    .run = run,
};
