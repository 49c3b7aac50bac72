/* yolo detect: boxes for pictures. Options and their meaning; the work is in detect_run.c. */
#include <signal.h>
#include <stdio.h>

#include "base/log.h"
#include "cli/cmd.h"
#include "cli/detect_command.h"
#include "report/detect_run.h"
#include "run/model.h"
#include "base/options.h"

enum { VOC_FROM_1, VOC_FROM_0 };

static const float DEFAULT_CONFIDENCE = 0.25f, DEFAULT_OVERLAP = 0.45f;
enum { DEFAULT_DETECTIONS = 300 };

struct detect_args {
    const char *confidence;
    float iou; /* negative: not given */
    const char *classes;
    bool agnostic;
    int max_detections; /* negative: not given */
    int top;            /* 0: not given */
    int fit;
    int batch;
    const char *out;
    bool no_save; /* no annotated pictures */
    bool crops;
    int format;
    bool saves_confidence;
    int voc_pixels; /* VOC_FROM_1, VOC_FROM_0 */
    const char *annotations;
    bool skips_existing, fails_empty;
    struct detect_inputs inputs;
    struct model_args model;
};

#define FIELD(name) offsetof(struct detect_args, name)

static const struct option detection_options[] = {
    {"conf|thresh|threshold", OPTION_STRING, FIELD(confidence), 0, 0, "X|LIST|best",
     "report boxes whose confidence exceeds X, default 0.25; dog=.4,cat=.3,.25: by class; best: what "
     "a training (--run) found best for each class",
     0},
    {"iou|nms", OPTION_FLOAT, FIELD(iou), 0, 1, "X",
     "of two boxes of a class that overlap more, drop the weaker; default 0.45", 0},
    {"classes", OPTION_STRING, FIELD(classes), 0, 0, "LIST",
     "only these: names, numbers, ranges, as in dog,2,5-8", 0},
    {"agnostic|agnostic-nms", OPTION_FLAG, FIELD(agnostic), 0, 0, NULL,
     "let boxes suppress each other across classes too", 0},
    {"max-det", OPTION_INT, FIELD(max_detections), 0, 1000000, "N",
     "at most N boxes a picture, best first; 0 = all; default 300", 0},
    {"top", OPTION_INT, FIELD(top), 1, 1000000, "N",
     "with a classifier: the best N classes of each picture, default 5", 0},
    {"batch", OPTION_INT, FIELD(batch), 1, INFER_MAX_BATCH, "N", INFER_BATCH_HELP, 0},
    {0},
};

static const struct option output_options[] = {
    {"format", OPTION_CHOICE, FIELD(format), 0, 0, RESULT_FORMAT_NAMES,
     "what goes to stdout (yolo, voc: into files, see above)", 0},
    {"out", OPTION_STRING, FIELD(out), 0, 0, "DIR", "output folder, default runs/detect", 'o'},
    {"no-save", OPTION_FLAG, FIELD(no_save), 0, 0, NULL, "write no annotated pictures", 0},
    {"crops|save-crop", OPTION_FLAG, FIELD(crops), 0, 0, NULL,
     "also write each detected part to DIR/crops/CLASS/", 0},
    {"pixels-from", OPTION_CHOICE, FIELD(voc_pixels), 0, 0, "1|0",
     "--format voc: pixels from 1, both ends included (VOC itself, supervision), or edges from 0 "
     "(Datumaro, FiftyOne)",
     0},
    {"save-conf", OPTION_FLAG, FIELD(saves_confidence), 0, 0, NULL,
     "--format yolo: the confidence as sixth column", 0},
    {"annotations", OPTION_STRING, FIELD(annotations), 0, 0, "FILE",
     "--format coco: the annotation file that image and category ids come from", 0},
    {"skip-existing", OPTION_FLAG, FIELD(skips_existing), 0, 0, NULL,
     "leave out inputs whose annotated picture exists: nothing is printed for them", 0},
    {"exclude", OPTION_LIST, FIELD(inputs.excluded), 0, 0, "DIR",
     "leave out inputs that lie in this folder, as those in --out are; may be given again", 0},
    {"shard", OPTION_STRING, FIELD(inputs.shard), 0, 0, "I/N", SHARD_HELP, 0},
    {"fail-empty", OPTION_FLAG, FIELD(fails_empty), 0, 0, NULL,
     "exit with 1 if nothing was detected in all inputs (of the share) together", 0},
    {"save-labels", OPTION_SET, FIELD(format), RESULT_YOLO, 0, NULL,
     "Darknet's, the same as --format yolo", 0},
    {"stdin", OPTION_FLAG, FIELD(inputs.reads_stdin), 0, 0, NULL,
     "without INPUT: paths on stdin, as with -", 0},
    {"dont-show|ext-output", OPTION_NOTHING, 0, 0, 0, NULL,
     "Darknet's; no window is ever shown, coordinates are always printed", 0},
    {"gpus|i|hier", OPTION_NOTHING, 0, 0, 0, "X",
     "Darknet's; everything runs on the CPU, classes have no hierarchy", 0},
    {"benchmark-layers", OPTION_NOTHING, 0, 0, 0, NULL, "Darknet's; yolo bench measures the layers",
     0},
    {0},
};

static const char about[] =
    "Finds objects in pictures. INPUT is a picture, a folder (searched to the bottom), a glob\n"
    "pattern, a .txt list of paths, or - for paths on stdin. Results come in the order of the\n"
    "inputs; one that cannot be read costs only itself.\n"
    "\n"
    "Formats on stdout:\n"
    "  text   a line a picture, then an indented line a box: name confidence x1 y1 x2 y2 (pixels)\n"
    "  jsonl  an object a line and picture; json: an array of them, valid also when interrupted\n"
    "  csv    a row a box: image,class_id,class,confidence,x1,y1,x2,y2. Names stand as they are: a\n"
    "         spreadsheet may take one that begins with = + - @ for a formula (import it as text)\n"
    "  coco   COCO results, an array; needs --annotations, files are matched by file_name\n"
    "Formats in files, nothing on stdout:\n"
    "  yolo   DIR/labels/NAME.txt, a line a box: class cx cy w h as fractions of the picture\n"
    "  voc    DIR/NAME.xml, Pascal VOC: whole pixels from 1, both ends included; with\n"
    "         --pixels-from 0 edges from 0, xmin and ymin one less. scripts/voc_to_yolo.py reads both\n"
    "With --shard I/N each process prints its share in full, with the array's brackets or the header:\n"
    "yolo merge makes one file of them, the one that a single process prints. Names in DIR are that\n"
    "one's, too, so that all shares may have the same DIR.\n"
    "With a classifier (its network ends with [softmax]) it does what yolo classify does: the\n"
    "best classes of each picture; options and formats for boxes are refused.\n"
    "With thresholds by class (--conf best, --conf dog=.4,.25) json, jsonl and csv tell of each box the\n"
    "one that it has passed.\n"
    "\n"
    "Annotated pictures lie in DIR as the inputs do in their folder; .jpg .png .bmp stay what "
    "they\n"
    "are, others become .jpg. Where two inputs have one name, the later gets _2, _3... An input\n"
    "is never overwritten, nor are labels that it has; but paths on stdin are known only when "
    "they\n"
    "come: keep their pictures out of DIR. Ctrl-C: the batch at hand is finished and written; a\n"
    "second one kills.\n";

static const char exit_codes[] =
    "0 done (also when nothing was detected), 1 failed or --fail-empty,\n"
    "2 wrong usage or a wrong cfg or weights file, 3 done but some inputs failed,\n"
    "130 interrupted (what is printed is whole).\n";

/* Options that would have no effect beside the others. */
static enum result check_args(const struct detect_args *args,
                              const struct detect_run_options *options, struct error *err)
{
    TRY(thresholds_check(args->confidence, args->model.run, err));
    if (args->format == RESULT_COCO && !args->annotations) {
        return error_set(err, ERR_ARG,
                         "--format coco needs --annotations FILE: image and category ids are read "
                         "from it, never guessed (--format json needs none)");
    }
    TRY(option_need_file("annotations", args->annotations, err));
    if (args->format != RESULT_COCO && args->annotations) {
        return error_set(err, ERR_ARG, "--annotations acts only with --format coco");
    }
    if (args->format != RESULT_YOLO && args->saves_confidence) {
        return error_set(err, ERR_ARG, "--save-conf acts only with --format yolo");
    }
    if (args->format != RESULT_VOC && args->voc_pixels == VOC_FROM_0) {
        return error_set(err, ERR_ARG, "--pixels-from acts only with --format voc");
    }
    if (args->skips_existing && args->no_save) {
        return error_set(err, ERR_ARG,
                         "--skip-existing looks for annotated pictures, --no-save writes none");
    }
    if (args->out && !detect_writes_files(options)) {
        return error_set(err, ERR_ARG, "--out has nothing to hold with --no-save");
    }
    return OK;
}

/* What was given that a classifier has no use for. */
static const char *box_option(const struct detect_args *args)
{
    return args->confidence            ? "--conf"
           : args->iou >= 0            ? "--iou"
           : args->agnostic            ? "--agnostic"
           : args->max_detections >= 0 ? "--max-det"
           : args->crops               ? "--crops"
           : args->skips_existing      ? "--skip-existing"
           : args->out                 ? "--out"
                                       : NULL;
}

static struct detect_run_options options_of(const struct detect_args *args)
{
    return (struct detect_run_options){
        .model = &args->model,
        .infer = {.confidence = args->confidence,
                  .rest_confidence = DEFAULT_CONFIDENCE,
                  .iou = args->iou >= 0 ? args->iou : DEFAULT_OVERLAP,
                  .top = args->top,
                  .fit = args->fit,
                  .batch = args->batch,
                  .max_detections =
                      args->max_detections >= 0 ? args->max_detections : DEFAULT_DETECTIONS,
                  .agnostic = args->agnostic},
        .box_option = box_option(args),
        .classes = args->classes,
        .format = (enum result_format)args->format,
        .annotations = args->annotations,
        .out = args->out ? args->out : "runs/detect",
        .saves_pictures = !args->no_save,
        .saves_crops = args->crops,
        .saves_confidence = args->saves_confidence,
        .voc_first_pixel = args->voc_pixels == VOC_FROM_0 ? 0 : 1,
        .skips_existing = args->skips_existing,
    };
}

static enum result detect(const struct detect_args *args, int *status, struct error *err)
{
    const struct detect_run_options options = options_of(args);
    TRY(check_args(args, &options, err));
    return detect_command(&options, &args->inputs, args->fails_empty, status, err);
}

static enum result run(int argc, char **argv, int *status, struct error *err)
{
    struct detect_args args = {.iou = -1.0f, .max_detections = -1};
    const struct usage usage = {
        .command = "detect",
        .arguments = "INPUT...",
        .about = about,
        .example = "yolo detect --model yolov4-tiny --conf 0.4 --format json photos/ > found.json",
        .exit_codes = exit_codes,
        .groups = {{"Detection", detection_options, &args},
                   {"Fit into the network's input", fit_options, &args.fit},
                   {"Output", output_options, &args},
                   {"JPEG files", picture_options, &args.model},
                   {"Model", model_options, &args.model},
                   {"Arithmetic", precision_options, &args.model},
                   {"Machine", machine_options, &args.model}},
    };
    bool done = false;
    enum result result = detect_inputs_parse(&usage, argc, argv, &args.inputs, &done, err);
    if (result == OK && !done) {
        result = detect(&args, status, err);
    }
    detect_inputs_free(&args.inputs);
    return result;
}

const struct command cmd_detect = {
    .name = "detect",
    .aliases = "predict|test",
    .summary = "boxes for images: files, folders, globs, lists, stdin",
    .run = run,
};
