#include "train/args.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/ranks.h"
#include "base/memory.h"
#include "data/dataset.h"
#include "data/image.h"
#include "run/run_args.h"
#include "train/options.h"
#include "train/runlog.h"

#define FIELD(name) offsetof(struct train_args, name)

static const struct option training_options[] = {
    {"batch", OPTION_INT, FIELD(batch), 1, 65536, "N", "pictures per update", 0},
    {"subdivisions", OPTION_INT, FIELD(subdivisions), 1, 65536, "N",
     "mini-batches per update: more of them take less memory", 0},
    {"optimizer", OPTION_CHOICE, FIELD(optimizer), 0, 0, "sgd|adam|adamw",
     "belongs together with --lr and --momentum", 0},
    {"momentum", OPTION_FLOAT, FIELD(momentum), 0, 1, "X",
     "of sgd; beta1 of adam and adamw; default: the cfg's momentum, or B1", 0},
    {"decay|weight-decay", OPTION_FLOAT, FIELD(decay), 0, 1, "X", "default: the cfg's", 0},
    {"clip-norm", OPTION_FLOAT, FIELD(clip_norm), 0, 1e9, "X",
     "scale a gradient down to this norm; 0 = never", 0},
    {"ema", OPTION_FLOAT, FIELD(ema), 0, 1, "X",
     "decay of moving averages of the weights, as .9998, which are then saved and validated; 0 = "
     "none; "
     "default: the cfg's ema_alpha",
     0},
    {"bn-momentum", OPTION_FLOAT, FIELD(bn_momentum), 0, 1, "X",
     "share of a mini-batch in the running statistics", 0},
    {"val-every", OPTION_INT, FIELD(validate_every), 1, 1e9, "N",
     "updates between validations; default: one epoch", 0},
    {"seed", OPTION_INT, FIELD(seed), 0, INT_MAX, "N", "of everything random; default 0", 0},
    {0},
};

static const struct option recipe_options[] = {
    {"recipe", OPTION_CHOICE, FIELD(recipe), 0, 0, "auto|darknet",
     "what is not given and not changed in the cfg: chosen by the data and the start, or the cfg's; "
     "default: auto where the cfg's layers are those of one that comes with the program, and for all "
     "networks without detection heads",
     0},
    {"assign-iou", OPTION_FLOAT, FIELD(assign_iou), 0, 1, "X",
     "a box also trains every anchor whose shape overlaps it more than X; 1 = the nearest only; "
     "default: the cfg's iou_thresh",
     0},
    {"bn-start", OPTION_CHOICE, FIELD(bn_start), 0, 0, "stored|mean",
     "running statistics begin with those stored, or with the true mean of the first batches", 0},
    {"close-mosaic", OPTION_INT, FIELD(close_mosaic), 0, 1e9, "N",
     "no mosaics in the last N epochs", 0},
    {"best", OPTION_CHOICE, FIELD(best), 0, 0, "map50|map",
     "best.weights and patience go by mAP@.5, as Darknet's, or mAP@.5:.95, as Ultralytics'", 0},
    {0},
};

static const struct option arithmetic_options[] = {
    {"quantize-aware|qat", OPTION_FLAG, FIELD(quantize_aware), 0, 0, NULL,
     "a short stage that wins back what int8 costs: weights and outputs are rounded as --precision int8 rounds them, "
     "by STEM.int8 beside --weights, or as yolo quantize finds it at the start, and batch norm keeps its statistics "
     "(--bn eval). Validation is that of the int8 network; last.int8 and best.int8 lie beside the weights",
     0},
    {0},
};

static const struct option class_options[] = {
    {"images", OPTION_STRING, FIELD(images), 0, 0, "DIR", IMAGES_HELP, 0},
    {"weights-cfg", OPTION_STRING, FIELD(weights_cfg), 0, 0, "FILE",
     "the network of --weights, if it is another one (a classifier's for a detector's backbone, an autoencoder's for a "
     "classifier): every layer of the same number, kind and shape is taken, and the first lines say which; default: the cfg of "
     "the run in whose folder the weights lie, where they do not fit otherwise",
     0},
    {"weights-names", OPTION_STRING, FIELD(weights_names), 0, 0, "FILE",
     "the classes for which --weights were trained, one a line: those with the same name keep their rows of the heads; "
     "default: the list beside the weights, if there is one",
     0},
    {"add-classes", OPTION_FLAG, FIELD(add_classes), 0, 0, NULL,
     "the data set's classes are added beside those of --weights, which are not labelled in its pictures: they get heads "
     "of their own, and every value of the old network keeps still",
     0},
    {"standardize|standardise", OPTION_FLAG, FIELD(standardizes), 0, 0, NULL,
     "tables: every feature minus its mean, by its deviation, of the training rows; the numbers are kept "
     "in features.csv of the run's folder, and eval --run takes them from there",
     0},
    {"class-weights", OPTION_STRING, FIELD(class_weights), 0, 0, "auto|CLASS=X,...",
     "classifiers: how much a sample counts in the training loss, by its class. auto: each class as much as another, "
     "however many samples it has; or dog=2,cat=.5 by name, and 1 for the others. Validation stays unweighted",
     0},
    {0},
};

static const struct option run_options[] = {
    {"time", OPTION_HOURS, FIELD(hours), 1e-5, 1e6, "2h|90m|1.5",
     "how long the training takes; a plain number is hours. Without --epochs and --iters a few updates "
     "are measured and as many planned as fit, so that rate, warm-up and mosaics fit, too; --stage "
     "lengths that do not fit become shares of it. Beside --epochs or --iters, and with --resume, it "
     "only ends the run earlier",
     0},
    {"checkpoint-every", OPTION_INT, FIELD(checkpoint_every), 1, 1e9, "N",
     "updates between checkpoints", 0},
    {"log-every", OPTION_INT, FIELD(log_every), 1, 1e9, "N", "updates between rows of results.csv",
     0},
    {"cache-mb", OPTION_INT, FIELD(cache_mb), 0, 1 << 20, "N",
     "memory for decoded pictures, at most", 0},
    {"cache-features-gb", OPTION_FLOAT, FIELD(cache_features_gb), 0, 1e6, "X",
     "the most that --cache-features may take on disk, default: 10; and never more than nine "
     "tenths of what "
     "is free",
     0},
    {"loader-threads", OPTION_INT, FIELD(loader_threads), 1, 256, "N",
     "threads that read pictures; default: half of --threads", 0},
    {"no-pictures", OPTION_FLAG, FIELD(no_pictures), 0, 0, NULL,
     "no train_pictures.jpg and val_pictures.jpg in the run's folder", 0},
    {0},
};

/* Not kept in args.json. */
static const struct option start_options[] = {
    {"out", OPTION_STRING, FIELD(out), 0, 0, "DIR",
     "the run's folder; default: runs/train/exp, exp2, ...", 'o'},
    {"resume", OPTION_STRING, FIELD(unused), 0, 0, "[DIR]",
     "go on with the run in DIR, or with the newest one in runs/train", 0},
    {"dry-run", OPTION_FLAG, FIELD(dry_run), 0, 0, NULL,
     "print the plan, the memory and a measured estimate of the time; write nothing", 0},
    {"show-batch", OPTION_FLAG, FIELD(show_batch), 0, 0, NULL,
     "write the first three batches as pictures; with --dry-run these are all that is written", 0},
    {"dont-show|map|clear", OPTION_NOTHING, 0, 0, 0, "[N]",
     "Darknet's; no window is ever shown, the mAP is always measured, schedules always begin anew",
     0},
    {"gpus|i", OPTION_NOTHING, 0, 0, 0, "LIST", "Darknet's; everything runs on the CPU", 0},
    {"mAP-epochs", OPTION_NOTHING, 0, 0, 0, "N",
     "Darknet's; validation comes every epoch, or with --val-every N after N updates", 0},
    {"thresh|iou-thresh", OPTION_NOTHING, 0, 0, 0, "X",
     "Darknet's; validation measures mAP@.5 over all thresholds, yolo eval much else", 0},
    {"mjpeg-port|chart", OPTION_NOTHING, 0, 0, 0, "X",
     "Darknet's; the chart is chart.png in the run's folder, and no port serves it", 0},
    {"show-imgs", OPTION_NOTHING, 0, 0, 0, NULL,
     "Darknet's; --show-batch writes the first batches as pictures", 0},
    {"letterbox|letter-box", OPTION_NOTHING, 0, 0, 0, NULL,
     "Darknet's; letter_box=1 in the cfg's [net] keeps the shape of every picture", 0},
    {"benchmark-layers", OPTION_NOTHING, 0, 0, 0, NULL,
     "Darknet's; yolo bench --train measures the layers", 0},
    {0},
};

static const char about[] =
    "Trains or fine-tunes a network on labelled pictures (--data: a Darknet .data file, a "
    "data.yaml,\n"
    "an .ndjson, a COCO .json or a folder, as README lists them under Data sets).\n"
    "--weights may be whole, cut (.conv.N: the rest begins with random numbers), for other classes\n"
    "(rows of the heads are kept by name, see --weights-names), or left out.\n"
    "Frozen layers keep every byte, batch norm statistics included, and cost no backward pass.\n"
    "\n"
    "Without detection heads the network's last layers say the task. [softmax]: classes; --data\n"
    "is a folder with train/CLASS/x.png and val/, valid/ or test/ beside train/, or a .data file\n"
    "whose lists name the class by the path (its folder, else the class name that it contains)\n"
    "with labels= or names=. [cost] on the input's shape: an autoencoder, from pictures alone.\n"
    "[cost] on anything else: values of a table, .csv or .npy, features first, then the values,\n"
    "or one column with the class. [net] says how pictures are augmented: min_crop, max_crop,\n"
    "angle, aspect, flip, hue, saturation, exposure; label_smooth_eps acts. best.weights has the\n"
    "best top-1, else the least validation loss; best/ holds a classifier's tables and confusion\n"
    "matrix, reconstructions.jpg an autoencoder's pictures beside the originals.\n"
    "\n"
    "The run's folder gets last.weights, best.weights (see --best), last.state, "
    "results.csv,\n"
    "chart.png, train.log, args.json, the cfg and the names; thresholds.json with what best.weights\n"
    "is worth by class, and from which confidence on; train_pictures.jpg as they are trained on, and\n"
    "val_pictures.jpg with truth beside detection. `yolo detect --run DIR` uses it, with --conf best\n"
    "its thresholds, too. A run that was interrupted or killed goes on with --resume, bit for bit as\n"
    "if nothing had happened.\n"
    "Settings that are given hold; then those that the cfg has otherwise than the cfg of this program\n"
    "with the same layers; the rest is chosen by the data and the start, and a table says what and why\n"
    "(--dry-run shows it). With --recipe darknet everything that is not given is the cfg's; a detector's\n"
    "cfg with layers of its own is trained so unless --recipe auto is given; of a cfg with layers of its\n"
    "own and no detection head each key of [net] holds. stdout gets the folder's path.\n"
    "\n"
    "Built with `make MPI=1`, `mpirun -n 4 yolo train ...` divides each update's mini-batches among\n"
    "processes, on one machine or several, and ends with the bytes of one process: docs/scaling.md.\n"
    "\n"
    "With --resume only --time, --checkpoint-every, --log-every, --cache-mb, --cache-features-gb,\n"
    "--loader-threads, --no-pictures, --threads, --cpu, and --stage for stages that have not begun may\n"
    "be given; the rest is known.\n";

static const char resume_about[] = "Goes on with a run of `yolo train`.\n";

static const char exit_codes[] =
    "0 trained to the end, 1 failed, 2 wrong usage or a wrong cfg or data file,\n"
    "4 diverged three times (the last good state is saved), 130 interrupted (saved, resumable)";

/* But for what is said of stages: stage_words_unsaid. */
static const struct train_args unsaid = {.optimizer = -1,
                                         .momentum = -1.0f,
                                         .decay = -1.0f,
                                         .ema = -1.0f,
                                         .clip_norm = -1.0f,
                                         .bn_momentum = -1.0f,
                                         .recipe = RECIPE_UNSAID,
                                         .assign_iou = -1.0f,
                                         .bn_start = -1,
                                         .close_mosaic = -1,
                                         .best = -1,
                                         .checkpoint_every = 100,
                                         .log_every = 10,
                                         .cache_mb = 256,
                                         .cache_features_gb = -1.0f};

static struct train_args defaults(void)
{
    struct train_args args = unsaid;
    args.stages = stage_words_unsaid;
    return args;
}

/* ---- parsing ---- */

/* "--resume", "-resume=DIR", "resume=DIR": then *dir is DIR or NULL. */
static bool is_resume(const char *word, const char **dir)
{
    size_t dashes = strspn(word, "-");
    const char *name = word + dashes;
    if (dashes > 2 || strncmp(name, "resume", 6) != 0) {
        return false;
    }
    *dir = name[6] == '=' && name[7] ? name + 7 : NULL;
    return (name[6] == '\0' && dashes > 0) || *dir;
}

/* Take --resume [DIR], whose value is optional, out of the words. */
static int take_resume(struct train_args *args, int argc, char **argv)
{
    int kept = 0;
    for (int i = 0; i < argc; i++) {
        const char *dir;
        if (!is_resume(argv[i], &dir)) {
            argv[kept++] = argv[i];
            continue;
        }
        args->resumes = true;
        if (!dir && i + 1 < argc && argv[i + 1][0] != '-' && !strchr(argv[i + 1], '=')) {
            dir = argv[++i];
        }
        args->resume = dir ? dir : args->resume;
    }
    return kept;
}

static struct usage usage_of(struct train_args *args)
{
    if (args->resumes) {
        return (struct usage){.command = "train",
                              .arguments = "--resume [DIR]",
                              .about = resume_about,
                              .example = "yolo train --resume runs/train/exp2",
                              .exit_codes = exit_codes,
                              .groups = {{"Stages", stage_words_new_options, &args->stages},
                                         {"Run", run_options, args},
                                         {"Machine", machine_options, &args->model}}};
    }
    return (struct usage){
        .command = "train",
        .arguments = "",
        .about = about,
        .example =
            "yolo train --data obj.data --cfg obj.cfg --weights yolov4-tiny.conv.29 --freeze 0-19",
        .exit_codes = exit_codes,
        .groups = {{"What trains, and how long", stage_words_options, &args->stages},
                   {"Training", training_options, args},
                   {"Recipe", recipe_options, args},
                   {"Arithmetic", arithmetic_options, args},
                   {"Classes and tables", class_options, args},
                   {"Run", run_options, args},
                   {"Files", start_options, args},
                   {"JPEG files", picture_options, &args->model},
                   {"Model", model_options, &args->model},
                   {"Machine", machine_options, &args->model}}};
}

static const float CACHE_FEATURES_GB = 10.0f;

/* Not among the defaults, so that a limit that was given can be told from none. */
static void settle_limit(struct train_args *args)
{
    if (args->cache_features_gb < 0.0f) {
        args->cache_features_gb = CACHE_FEATURES_GB;
    }
}

static enum result parse_words(struct train_args *args, int argc, char **argv, bool *done,
                               struct error *err)
{
    struct usage usage = usage_of(args);
    return options_parse_few(&usage, argc, argv, NULL, 0, done, err);
}

enum result train_args_parse(struct train_args *args, int argc, char **argv, bool *done,
                             struct error *err)
{
    *args = defaults();
    for (int i = 0; i < argc; i++) {
        if (word_in("--help|-help|-h", argv[i])) { /* of everything, also beside --resume */
            return parse_words(args, argc, argv, done, err);
        }
    }
    argc = take_resume(args, argc, argv);
    enum result result = parse_words(args, argc, argv, done, err);
    if (result != OK && args->resumes) {
        return error_prefix(err, "--resume, where the run's own settings hold");
    }
    TRY(result);
    TRY(stage_words_finish(&args->stages, args->resumes, err));
    if (args->dry_run && args->out && !args->show_batch) {
        return error_set(err, ERR_ARG, "--out has nothing to hold with --dry-run");
    }
    if (args->quantize_aware && args->add_classes) {
        return error_set(err, ERR_ARG,
                         "--quantize-aware comes after --add-classes, on what that has trained");
    }
    if (args->quantize_aware && args->stages.run.bn == BN_AUTO) {
        args->stages.run.bn = BN_EVAL;
    }
    args->has_new_stages = args->resumes && args->stages.stages.count > 0;
    args->limits_features = args->cache_features_gb >= 0.0f;
    args->has_new_time = args->resumes && args->hours > 0.0f;
    settle_limit(args);
    args->argc = argc;
    args->argv = argv;
    return OK;
}

void train_args_free(struct train_args *args)
{
    stage_words_free(&args->stages);
    cJSON_Delete(args->loaded);
    *args = defaults();
}

/* ---- JSON ---- */

static void first_word(const char *words, int index, char *out, size_t size)
{
    for (; index > 0; index--) {
        words += strcspn(words, "|");
        words += *words == '|';
    }
    snprintf(out, size, "%.*s", (int)strcspn(words, "|"), words);
}

/* The shortest decimal that reads as this float: .01, not .00999999978. */
static double short_double(float value)
{
    double number = (double)value;
    for (int digits = 6; digits <= 9; digits++) {
        char text[32];
        snprintf(text, sizeof text, "%.*g", digits, (double)value);
        number = strtod(text, NULL);
        if ((float)number == value) {
            break;
        }
    }
    return number;
}

static void list_to_json(cJSON *object, const char *name, const struct string_list *list)
{
    cJSON *array = list->count > 0 ? cJSON_AddArrayToObject(object, name) : NULL;
    for (size_t i = 0; array && i < list->count; i++) {
        cJSON_AddItemToArray(array, cJSON_CreateString(list->items[i]));
    }
}

static void option_to_json(cJSON *object, const char *name, const struct option *o,
                           const void *target)
{
    char word[64];
    const struct option_size *size = target;
    switch (o->kind) {
    case OPTION_FLAG:
        cJSON_AddBoolToObject(object, name, *(const bool *)target);
        break;
    case OPTION_INT:
        cJSON_AddNumberToObject(object, name, *(const int *)target);
        break;
    case OPTION_FLOAT:
    case OPTION_HOURS:
        cJSON_AddNumberToObject(object, name, short_double(*(const float *)target));
        break;
    case OPTION_STRING:
        if (*(const char *const *)target) {
            cJSON_AddStringToObject(object, name, *(const char *const *)target);
        }
        break;
    case OPTION_CHOICE:
        if (*(const int *)target >= 0) {
            first_word(o->argument, *(const int *)target, word, sizeof word);
            cJSON_AddStringToObject(object, name, word);
        }
        break;
    case OPTION_LIST:
        list_to_json(object, name, target);
        break;
    case OPTION_SIZE:
        snprintf(word, sizeof word, "%dx%d", size->w, size->h);
        cJSON_AddStringToObject(object, name, word);
        break;
    default:
        break;
    }
}

static void group_to_json(cJSON *object, const struct option *options, const void *target)
{
    for (const struct option *o = options; o->names; o++) {
        char name[64];
        first_word(o->names, 0, name, sizeof name);
        option_to_json(object, name, o, (const char *)target + o->offset);
    }
}

cJSON *train_args_json(const struct train_args *args)
{
    cJSON *object = cJSON_CreateObject();
    if (object) {
        group_to_json(object, model_options, &args->model);
        group_to_json(object, picture_options, &args->model);
        group_to_json(object, stage_words_options, &args->stages);
        cJSON_DeleteItemFromObjectCaseSensitive(object, "stages"); /* what it held is in "stage" */
        group_to_json(object, training_options, args);
        group_to_json(object, recipe_options, args);
        group_to_json(object, arithmetic_options, args);
        group_to_json(object, class_options, args);
        group_to_json(object, run_options, args);
        group_to_json(object, machine_options, &args->model);
    }
    return object;
}

static bool list_from_json(const cJSON *item, struct string_list *list)
{
    bool is_good = cJSON_IsArray(item);
    for (const cJSON *text = is_good ? item->child : NULL; text && is_good; text = text->next) {
        struct error ignored;
        is_good = cJSON_IsString(text) && string_list_add(list, text->valuestring, &ignored) == OK;
    }
    return is_good;
}

/* What the command line takes, or what stands for nothing given: `unset`. */
static bool number_from_json(const cJSON *item, const struct option *o, double unset)
{
    double number = item->valuedouble;
    bool is_whole = o->kind != OPTION_INT || number == floor(number);
    return cJSON_IsNumber(item) && is_whole &&
           (number == unset || (number >= o->min && number <= o->max));
}

static bool size_from_json(const char *text, const struct option *o, struct option_size *size)
{
    char behind;
    if (sscanf(text, "%7dx%7d%c", &size->w, &size->h, &behind) != 2) {
        return false;
    }
    return (size->w == 0 && size->h == 0) ||
           (size->w >= o->min && size->w <= o->max && size->h >= o->min && size->h <= o->max);
}

/* *target holds the default. False, and *target not to be used: not what was written. */
static bool option_from_json(const cJSON *item, const struct option *o, void *target)
{
    char word[64];
    switch (o->kind) {
    case OPTION_FLAG:
        *(bool *)target = cJSON_IsTrue(item);
        return cJSON_IsBool(item);
    case OPTION_INT:
        if (!number_from_json(item, o, *(const int *)target)) {
            return false;
        }
        *(int *)target = item->valueint;
        return true;
    case OPTION_FLOAT:
    case OPTION_HOURS:
        if (!number_from_json(item, o, short_double(*(const float *)target))) {
            return false;
        }
        *(float *)target = (float)item->valuedouble;
        return true;
    case OPTION_STRING:
        *(const char **)target = item->valuestring;
        return cJSON_IsString(item);
    case OPTION_CHOICE:
        for (int i = 0; cJSON_IsString(item); i++) {
            first_word(o->argument, i, word, sizeof word);
            if (!word[0] || strcmp(word, item->valuestring) == 0) {
                *(int *)target = i;
                return word[0] != '\0';
            }
        }
        return false;
    case OPTION_LIST:
        return list_from_json(item, target);
    case OPTION_SIZE:
        return cJSON_IsString(item) && size_from_json(item->valuestring, o, target);
    default:
        return false;
    }
}

static enum result group_from_json(const cJSON *object, const char *folder,
                                   const struct option *options, void *target, struct error *err)
{
    for (const struct option *o = options; o->names; o++) {
        char name[64];
        first_word(o->names, 0, name, sizeof name);
        const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
        if (item && !option_from_json(item, o, (char *)target + o->offset)) {
            return error_set(err, ERR_FORMAT, "%s/args.json: %s: not what `yolo train` writes",
                             folder, name);
        }
    }
    return OK;
}

static enum result load_groups(const struct train_args *args, const char *folder,
                               struct train_args *loaded, struct error *err)
{
    TRY(group_from_json(args->loaded, folder, model_options, &loaded->model, err));
    TRY(group_from_json(args->loaded, folder, picture_options, &loaded->model, err));
    TRY(group_from_json(args->loaded, folder, stage_words_options, &loaded->stages, err));
    TRY(group_from_json(args->loaded, folder, training_options, loaded, err));
    TRY(group_from_json(args->loaded, folder, recipe_options, loaded, err));
    TRY(group_from_json(args->loaded, folder, arithmetic_options, loaded, err));
    TRY(group_from_json(args->loaded, folder, class_options, loaded, err));
    TRY(group_from_json(args->loaded, folder, run_options, loaded, err));
    return group_from_json(args->loaded, folder, machine_options, &loaded->model, err);
}

/* ---- other processes ---- */

/* Becomes args. */
static enum result take_shared(struct train_args *args, const char *text, struct error *err)
{
    struct train_args loaded = defaults();
    loaded.loaded = cJSON_Parse(text);
    if (!loaded.loaded) {
        return mem_error(err, "options");
    }
    enum result result = load_groups(&loaded, "process 0", &loaded, err);
    loaded.fits_time = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(loaded.loaded, "fits_time"));
    loaded.out = args->out;
    loaded.dry_run = args->dry_run;
    loaded.show_batch = args->show_batch;
    loaded.limits_features = args->limits_features;
    loaded.stages.plan = args->stages.plan;
    string_list_free(&args->stages.stages);
    *args = loaded;
    return result;
}

static char *shared_text(const struct train_args *args)
{
    cJSON *json = train_args_json(args);
    cJSON_AddBoolToObject(json, "fits_time", args->fits_time);
    char *text = json ? cJSON_PrintUnformatted(json) : NULL;
    cJSON_Delete(json);
    return text;
}

enum result train_args_share(struct train_args *args, struct error *err)
{
    bool gives = ranks_own() == 0;
    if (ranks_count() == 1) {
        return OK;
    }
    char *text = gives ? shared_text(args) : NULL;
    size_t bytes = text ? strlen(text) + 1 : 0;
    TRY(ranks_agree(text || !gives ? OK : mem_error(err, "options"), err));
    ranks_broadcast(&bytes, sizeof bytes);
    char *taken = gives ? NULL : mem_alloc(bytes, 1);
    enum result result = ranks_agree(taken || gives ? OK : mem_error(err, "options"), err);
    if (result == OK) {
        ranks_broadcast(gives ? text : taken, bytes);
        result = gives ? OK : take_shared(args, taken, err);
    }
    mem_free(taken);
    cJSON_free(text);
    return ranks_agree(result, err);
}

/* ---- a run that goes on ---- */

/* What the new stages say in full. */
static void forget_old_stages(struct stage_words *loaded)
{
    string_list_free(&loaded->stages);
    loaded->epochs = loaded->iterations = loaded->unfreeze_every = 0;
    loaded->unfreeze_from = -1;
}

enum result train_args_load(struct train_args *args, const char *folder, struct error *err)
{
    bool done;
    struct train_args loaded = defaults();
    TRY(option_need_folder("resume", folder, err));
    TRY(run_args_load(folder, &args->loaded, err));
    enum result result = load_groups(args, folder, &loaded, err);
    if (args->has_new_stages || result != OK) {
        forget_old_stages(&loaded.stages);
    }
    TRY(result);
    loaded.resumes = true;
    loaded.resume = folder;
    loaded.has_new_stages = args->has_new_stages;
    loaded.limits_features = args->limits_features;
    loaded.has_new_time = args->has_new_time;
    loaded.fits_time = cJSON_HasObjectItem(args->loaded, "time_fit");
    loaded.loaded = args->loaded;
    loaded.stages.plan = args->stages.plan;
    loaded.argc = args->argc;
    loaded.argv = args->argv;
    bool is_from_file = args->has_new_stages && args->stages.stage_file;
    if (is_from_file) { /* read already */
        loaded.stages.stages = args->stages.stages;
    } else {
        string_list_free(&args->stages.stages);
    }
    *args = loaded;
    TRY(parse_words(args, args->argc, args->argv, &done, err));
    settle_limit(args);
    args->stages.stage_file = NULL;
    return OK;
}

enum result train_args_keep_stages(const struct train_args *args, const char *folder,
                                   struct error *err)
{
    const char *const old[] = {"stage", "epochs", "iters", "unfreeze-every", "from"};
    for (size_t i = 0; i < sizeof old / sizeof old[0]; i++) {
        cJSON_DeleteItemFromObjectCaseSensitive(args->loaded, old[i]);
    }
    list_to_json(args->loaded, "stage", &args->stages.stages);
    return run_args_save(folder, args->loaded, err);
}

/* args.json: "isa" of the beginning, then [{"iteration": 100, "isa": "avx2"}, ...]. */
static const char isa_changes[] = "isa_changes";

const char *train_args_isa(const struct train_args *args)
{
    const cJSON *changes = cJSON_GetObjectItemCaseSensitive(args->loaded, isa_changes);
    const cJSON *last = args->loaded;
    for (const cJSON *change = cJSON_IsArray(changes) ? changes->child : NULL; change;
         change = change->next) {
        last = change;
    }
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(last, "isa"));
}

enum result train_args_keep_isa(const struct train_args *args, const char *folder,
                                uint64_t iteration, const char *isa, struct error *err)
{
    cJSON *changes = cJSON_GetObjectItemCaseSensitive(args->loaded, isa_changes);
    if (!cJSON_IsArray(changes)) {
        cJSON_DeleteItemFromObjectCaseSensitive(args->loaded, isa_changes);
        changes = cJSON_AddArrayToObject(args->loaded, isa_changes);
    }
    cJSON *change = cJSON_CreateObject();
    bool is_whole = changes && cJSON_AddNumberToObject(change, "iteration", (double)iteration) &&
                    cJSON_AddStringToObject(change, "isa", isa) &&
                    cJSON_AddItemToArray(changes, change);
    if (!is_whole) {
        cJSON_Delete(change);
        return mem_error(err, "args.json");
    }
    return run_args_save(folder, args->loaded, err);
}

/* Only what acts: runs from before these options have no such lines. */
static void add_new(cJSON *object, const struct train_args *args)
{
    if (args->assign_iou >= 0.0f) {
        cJSON_AddNumberToObject(object, "assign-iou", short_double(args->assign_iou));
    }
    if (args->bn_start > 0) {
        cJSON_AddStringToObject(object, "bn-start", "mean");
    }
    if (args->close_mosaic > 0) {
        cJSON_AddNumberToObject(object, "close-mosaic", args->close_mosaic);
    }
    if (args->best == MEASURE_MAP) {
        cJSON_AddStringToObject(object, "best", "map");
    }
    if (args->class_weights) {
        cJSON_AddStringToObject(object, "class-weights", args->class_weights);
    }
    if (args->model.jpeg == IMAGE_JPEG_TURBO) {
        cJSON_AddStringToObject(object, "jpeg", "turbo");
    }
}

char *train_args_fingerprint(const struct train_args *args, const char *more)
{
    enum { TEXT_BYTES = 8192 };
    char *text = mem_alloc(TEXT_BYTES, 1);
    cJSON *object = cJSON_CreateObject();
    size_t used = 0;
    bool is_whole = text && object;
    if (is_whole) {
        group_to_json(object, training_options, args);
        add_new(object, args);
        cJSON_AddNumberToObject(object, "width", args->model.imgsz.w);
        cJSON_AddNumberToObject(object, "height", args->model.imgsz.h);
        cJSON_AddBoolToObject(object, "no-winograd", args->model.no_winograd);
    }
    for (const cJSON *item = is_whole ? object->child : NULL; item; item = item->next) {
        char *value = cJSON_PrintUnformatted(item);
        size_t left = TEXT_BYTES - used;
        int n = value ? snprintf(text + used, left, "%s=%s\n", item->string, value) : -1;
        cJSON_free(value);
        if (n < 0 || (size_t)n >= left) {
            is_whole = false;
            break;
        }
        used += (size_t)n;
    }
    is_whole = is_whole && strlen(more) < TEXT_BYTES - used;
    if (is_whole) {
        strcpy(text + used, more);
    }
    cJSON_Delete(object);
    if (!is_whole || json_lacks_memory()) {
        mem_free(text);
        return NULL;
    }
    return text;
}
