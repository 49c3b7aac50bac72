#include "cli/cmd.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/memory_limit.h"
#include "base/parallel.h"
#include "base/text.h"
#include "data/data_source.h"
#include "doctor/init.h"
#include "net/weights.h"
#include "train/args.h"

#define FIELD(name) offsetof(struct init_options, name)

static const struct option init_file_options[] = {
    {"names", OPTION_STRING, FIELD(names), 0, 0, "FILE", "your classes, one name a line", 0},
    {"base|cfg|model", OPTION_STRING, FIELD(base), 0, 0, "STEM|FILE",
     "the network to begin from: yolov4-tiny is cfg/yolov4-tiny.cfg, or a .cfg; auto = chosen among "
     "those of the program by the pictures and the machine, with a table of the reasons",
     0},
    {"weights", OPTION_STRING, FIELD(weights), 0, 0, "FILE",
     "weights of the base, whole or cut; default: weights/STEM.weights if it is there; none = begin "
     "with random numbers",
     0},
    {"freeze", OPTION_STRING, FIELD(freeze), 0, 0, "SET",
     "also write stages.json: first this set is frozen, then all layers are tuned. " FREEZE_HELP
     "; auto = no plan, but the command that trains finds one",
     0},
    {"out", OPTION_STRING, FIELD(out), 0, 0, "DIR",
     "folder to write; default: the names file's name without its ending", 'o'},
    {0},
};

static const struct option init_data_options[] = {
    {"data-dir", OPTION_STRING, FIELD(sets.folder), 0, 0, "DIR",
     "folder of the pictures: with lists train.txt and val.txt, folders train and val or valid, also "
     "below images, or just pictures; Train, train2017, validation, test are understood",
     0},
    {"train", OPTION_STRING, FIELD(sets.train), 0, 0, "FILE",
     "a list of pictures, a folder or a COCO .json to train on", 0},
    {"valid|val", OPTION_STRING, FIELD(sets.valid), 0, 0, "FILE", "the same for validation", 0},
    {"data", OPTION_STRING, FIELD(data), 0, 0, "FILE",
     DATA_HELP ": what trains, what validates, and the names", 0},
    {"images", OPTION_STRING, FIELD(sets.images), 0, 0, "DIR", IMAGES_HELP, 0},
    {"split", OPTION_FLOAT, FIELD(sets.split), 0, 0.9, "SHARE",
     "of the pictures that validate where no others do; 0 = none", 0},
    {0},
};

static const struct option init_training_options[] = {
    {"imgsz|img-size|img", OPTION_SIZE, FIELD(imgsz), 32, 8192, "N|WxH",
     "network input size; default: the base's", 0},
    {"anchors", OPTION_CHOICE, FIELD(anchors), 0, 0, "keep|auto|new",
     "of the training boxes (yolo anchors): never, if they are worth it, always; default: auto, keep with loaded weights and "
     "with --recipe darknet",
     0},
    {"recipe", OPTION_CHOICE, FIELD(recipe), 0, 0, "auto|darknet",
     "auto: batch, length, burn_in and assignment as yolo train chooses them by the pictures; darknet: "
     "the base's, and for the length Darknet's rule, 2000 updates a class, at least 6000 and at least "
     "the number of pictures, or where that is over 300 passes over the pictures, 300 passes, but at "
     "least 500 updates",
     0},
    {"batch", OPTION_INT, FIELD(batch), 1, 65536, "N", "pictures per update", 0},
    {"subdivisions", OPTION_INT, FIELD(subdivisions), 1, 65536, "N",
     "mini-batches per update; default: as few as fit into half of the memory", 0},
    {"max-batches|iters", OPTION_INT, FIELD(max_batches), 1, 1e9, "N", "length in updates", 0},
    {"epochs", OPTION_INT, FIELD(epochs), 1, 1e6, "N", "length in passes over the pictures", 0},
    {0},
};

static const char about[] =
    "What a training of your own classes needs, from a base network: a cfg, a .data file and the\n"
    "names, in a folder of their own; with --freeze also a plan of two stages. In the cfg change\n"
    "classes, filters of the convolutions in front of the heads, batch, max_batches, steps, burn_in,\n"
    "iou_thresh, anchors and masks where new anchors are worth it or the base's masks skip one, and\n"
    "what options ask for; all else, comments too, stays as it is. What a training takes is said before\n"
    "anything is written. Prints the cfg's changes as a diff and the commands that follow. Never\n"
    "replaces a file.\n";

/* ---- what is printed ---- */

/* A path as a word for the shell. */
static void print_word(const char *word)
{
    bool is_plain = *word != '\0', has_control = false;
    for (const char *c = word; *c; c++) {
        has_control = has_control || iscntrl((unsigned char)*c);
        is_plain = is_plain && (isalnum((unsigned char)*c) || strchr("/._-+=,:@%", *c));
    }
    if (is_plain) {
        printf(" %s", word);
        return;
    }
    printf(has_control ? " $'" : " '");
    for (const char *c = word; *c; c++) {
        if (iscntrl((unsigned char)*c)) {
            printf("\\%03o", (unsigned char)*c);
        } else if (has_control && strchr("'\\", *c)) {
            printf("\\%c", *c);
        } else {
            printf(*c == '\'' ? "'\\''" : "%c", *c);
        }
    }
    printf("'");
}

static void print_file_option(const struct init *init, const char *option, enum init_file file)
{
    char path[INIT_FILE_PATH];
    init_file_path(init, file, path);
    printf(" %s", option);
    print_word(path);
}

static void print_summary(const struct init *init)
{
    const struct init_data *data = &init->data;
    char path[INIT_FILE_PATH];
    printf("\n");
    for (int i = 0; i < INIT_FILE_COUNT; i++) {
        if (init_writes(init, i)) {
            init_file_path(init, i, path);
            printf("wrote      %s\n", text_mask(path));
        }
    }
    if (init->cfg.length.is_left) {
        printf("length     %s\n", init->cfg.length.why);
    } else {
        printf("length     %d updates of %d pictures: %s\n", init->cfg.length.updates,
               init->cfg.length.images, init->cfg.length.why);
    }
    if (init->cfg.anchors[0]) {
        printf("anchors    %s\n", init->cfg.anchors);
    }
    if (!data->train[0]) {
        printf("pictures   none named: list yours, one path a line, in %s/train.txt and "
               "%s/valid.txt;\n           the boxes of a.jpg stand in a.txt, a line each: class cx "
               "cy w h\n",
               init->folder, init->folder);
        return;
    }
    printf("pictures   %zu to train on, with %zu boxes", data->train_count, data->objects);
    if (data->is_split) {
        printf("; %zu set aside by name to validate on (--split)", data->valid_count);
    } else if (!data->valid[0]) {
        printf("; none to validate on, so there will be no best.weights");
    }
    printf("\n");
}

/* Before anything is written: whoever sees that it takes too much, asks for less. */
static enum result print_cost(const struct init *init, struct error *err)
{
    const struct init_length *length = &init->cfg.length;
    double seconds, machine = memory_limit("");
    if (init->o.recipe == RECIPE_DARKNET) {
        return OK;
    }
    TRY(init_measure(init, &seconds, err));
    printf("takes      %.2g GB a mini-batch, of %.3g GB; about %.*f s an update", init->bytes / 1e9,
           machine / 1e9, seconds < 10.0 ? 1 : 0, seconds);
    if (!length->is_left) {
        double hours = seconds * length->updates / 3600.0;
        double count = hours < 1.0 ? hours * 60.0 : hours;
        printf(", %.*f %s in all, validation apart", count < 10.0 ? 1 : 0, count,
               hours < 1.0 ? "minutes" : "hours");
    }
    printf(" (threads: %d)\n", parallel_threads());
    fflush(stdout);
    if (init->bytes > machine && machine > 0.0) {
        log_warn("not even a mini-batch of one picture fits into the memory (a smaller --base or "
                 "--imgsz)");
    }
    return OK;
}

static void print_next(const struct init *init)
{
    bool is_random = weights_are_none(init->o.weights);
    bool has_weights = init->weights[0];
    char weights[MODEL_PATH];
    snprintf(weights, sizeof weights, "weights/%.255s.weights", init->base_stem);
    printf("\nnext:\n");
    if (init->begins_loaded && !has_weights) {
        printf(
            "  scripts/get-weights.sh %s    # they are not here yet; --list tells what there is\n",
            init->base_stem);
    }
    if (init->data.train[0]) {
        printf("  yolo check");
        print_file_option(init, "--data", INIT_FILE_DATA);
        print_file_option(init, "--cfg", INIT_FILE_CFG);
        printf("\n");
    }
    printf("  yolo train");
    print_file_option(init, "--data", INIT_FILE_DATA);
    print_file_option(init, "--cfg", INIT_FILE_CFG);
    if (init->o.recipe == RECIPE_DARKNET || !init->is_known) {
        printf(" --recipe %s", init->o.recipe == RECIPE_DARKNET ? "darknet" : "auto");
    }
    if (init->begins_loaded) {
        printf(" --weights");
        print_word(has_weights ? init->weights : weights);
    }
    if (init_advises(init)) {
        printf(" --freeze auto");
    }
    if (init->freeze.frozen) {
        print_file_option(init, "--stages", INIT_FILE_STAGES);
    }
    printf("\n\n");
    if (is_random) {
        printf("This begins with random numbers, as told.\n");
        return;
    }
    if (!init->begins_loaded) {
        printf("This begins with random numbers; --weights FILE names those of %s to begin with.\n",
               init->base_path);
    }
    printf(
        "Of weights for other classes all layers are taken, and of the heads the rows of classes "
        "with the same name\n(--weights-names FILE, where their names do not lie beside them); of "
        "cut ones the layers that are there. To cut:\n  yolo partial --cfg");
    print_word(init->base_path);
    printf(" --weights");
    print_word(has_weights ? init->weights : weights);
    printf(" --layers %d --out %s.conv.%d\n", init->first_head, init->base_stem, init->first_head);
}

/* ---- the command ---- */

static enum result run_init(int argc, char **argv, int *status, struct error *err)
{
    (void)status;
    struct init_options args = {.base = "auto", .sets.split = 0.1f, .anchors = -1};
    const struct usage usage = {
        .command = "init",
        .arguments = "",
        .about = about,
        .example =
            "yolo init --names my.names --base yolov4-tiny --freeze backbone --data-dir pictures",
        .groups = {{"Options", init_file_options, &args},
                   {"Pictures", init_data_options, &args},
                   {"Training", init_training_options, &args}},
    };
    bool done;
    TRY(options_parse_few(&usage, argc, argv, NULL, 0, &done, err));
    if (done) {
        return OK;
    }
    struct init *init = mem_alloc(1, sizeof *init);
    if (!init) {
        return mem_error(err, "init");
    }
    enum result result = init_decide(&args, init, err);
    if (result == OK && init->bases.count > 0) {
        init_base_print(&init->basis, &init->bases, stdout);
    }
    result = result == OK ? print_cost(init, err) : result;
    result = result == OK ? init_write(init, err) : result;
    if (result == OK) {
        char path[INIT_FILE_PATH];
        init_file_path(init, INIT_FILE_CFG, path);
        init_cfg_diff(&init->cfg, &init->base, path, stdout);
        print_summary(init);
        print_next(init);
    }
    init_free(init);
    mem_free(init);
    return result;
}

const struct command cmd_init = {
    "init", "", "cfg, .data and stage plan for your classes from a base network", run_init};
