#include "cli/cmd.h"

#include <limits.h>

#include "base/options.h"
#include "base/parallel.h"
#include "data/data_source.h"
#include "doctor/check.h"

enum { FORMAT_TEXT, FORMAT_JSON, DRAW_MOST = 200 };

struct check_args {
    struct check_options o;
    struct string_list images;
    struct option_size imgsz;
    int format, threads;
};

#define FIELD(name) offsetof(struct check_args, name)

static const struct option option_rows[] = {
    {"data", OPTION_STRING, FIELD(o.source.data), 0, 0, "FILE", DATA_HELP, 0},
    {"train", OPTION_STRING, FIELD(o.source.train), 0, 0, "FILE",
     "a list of pictures, a folder or a COCO .json, in place of the data set's", 0},
    {"valid|val", OPTION_STRING, FIELD(o.source.valid), 0, 0, "FILE", "the same for validation", 0},
    {"names", OPTION_STRING, FIELD(o.source.names), 0, 0, "FILE", "class names, one a line", 0},
    {"images", OPTION_LIST, FIELD(images), 0, 0, "DIR",
     IMAGES_HELP "; given twice: of TRAIN, of VALID", 0},
    {"classes", OPTION_INT, FIELD(o.source.classes), 1, 1 << 20, "N",
     "number of classes; default: the .data file's, else the number of names", 0},
    {"cfg", OPTION_STRING, FIELD(o.cfg), 0, 0, "FILE",
     "the network to be trained: box sizes against its strides and anchors; without detection heads what "
     "it takes and gives",
     0},
    {"imgsz|img-size|img", OPTION_SIZE, FIELD(imgsz), 8, 8192, "N|WxH",
     "network input size in place of the cfg's", 0},
    {"no-images|labels-only", OPTION_FLAG, FIELD(o.no_images), 0, 0, NULL,
     "do not open the pictures: labels and lists only", 0},
    {"draw", OPTION_STRING, FIELD(o.draw), 0, 0, "DIR",
     "draw pictures with suspicious labels, and pairs that look alike, into this folder", 0},
    {"draw-max", OPTION_INT, FIELD(o.draw_max), 1, INT_MAX, "N",
     "at most so many of them; default: 200", 0},
    {"fix", OPTION_STRING, FIELD(o.fix), 0, 0, "DIR",
     "write a cleaned copy of lists and labels into this new folder", 0},
    {"format", OPTION_CHOICE, FIELD(format), 0, 0, "text|json", "output format", 0},
    {"json", OPTION_SET, FIELD(format), FORMAT_JSON, 0, NULL, "the same as --format json", 0},
    {"threads", OPTION_INT, FIELD(threads), 0, 1024, "N",
     "threads; 0 = as OMP_NUM_THREADS says, else all cores", 0},
    {0},
};

static const char about[] =
    "Everything that is wrong with a data set, before any training: one line a fault with its "
    "file\n"
    "and line, then figures and a summary. Errors cost a line or a picture, or spoil what is\n"
    "measured; warnings are usable but probably not meant so; notes are no faults. Found are "
    "missing\n"
    "and broken pictures, bad label lines, boxes outside, without area, cut, tiny, repeated or "
    "nearly\n"
    "so, labels and pictures without each other, the same pictures twice or in train and in valid "
    "(by\n"
    "file, by pixels, by look), and classes that do not fit. A label line is \"class x y w h\"; a "
    "sixth\n"
    "number between 0 and 1 is a confidence and dropped, polygons and oriented boxes (class x y x "
    "y x y\n"
    "...) become their boxes. A picture with a line that nobody can read (text, commas, pixels, "
    "classes\n"
    "out of range) shows more than is known of it: it is no background, and train, eval, anchors "
    "and\n"
    "--fix leave it out. Your files are never changed; --fix writes a cleaned copy elsewhere: "
    "links to\n"
    "the pictures, labels, lists and a .data file.\n"
    "\n"
    "A folder of folders of pictures without labels is a classifier's (DIR/train/CLASS/x.png, or the\n"
    "classes themselves); a list is, if the network of --cfg is. Then pictures that cannot be read, that\n"
    "are in train and in valid, or in two classes, and classes without any are found. Of tables (.csv,\n"
    ".npy; --cfg says which columns are features) rows given twice or in both, equal features with\n"
    "another class, columns that are always the same or far from a mean of 0 and a deviation of 1.\n";

static const char exit_codes[] =
    "0 no errors, no warnings, 1 failed, 2 wrong usage or a set that cannot be read\n"
    "at all, 3 errors or warnings were found";

/* DATA, or TRAIN [VALID]. */
static enum result take_words(const char *const words[2], struct doctor_source *source,
                              struct error *err)
{
    size_t used = 0;
    if (words[0] && !source->data && !source->train) {
        *(data_is_description(words[0]) ? &source->data : &source->train) = words[0];
        used = 1;
        if (words[1] && source->train && !source->valid) {
            source->valid = words[1];
            used = 2;
        }
    }
    if (used < 2 && words[used]) {
        return error_set(err, ERR_ARG, "check: unexpected %s", words[used]);
    }
    if (!source->data && !source->train) {
        return error_set(err, ERR_ARG,
                         "check: a data set is missing (a .data file, or a list of "
                         "pictures, a folder, a COCO .json)");
    }
    return OK;
}

/* --images: one for both, or one for each. */
static enum result take_images(const struct string_list *images, struct doctor_source *source,
                               struct error *err)
{
    if (images->count > SETS_MAX) {
        return error_set(err, ERR_ARG, "--images: at most one for each of two sets");
    }
    for (size_t i = 0; i < SETS_MAX && images->count > 0; i++) {
        source->images[i] = images->items[i < images->count ? i : 0];
    }
    return OK;
}

static enum result check_acts(const struct check_args *args, struct error *err)
{
    if (args->imgsz.w && !args->o.cfg) {
        return error_set(err, ERR_ARG,
                         "--imgsz acts only with --cfg: the network that has this input");
    }
    if (args->o.draw_max && !args->o.draw) {
        return error_set(err, ERR_ARG, "--draw-max acts only with --draw DIR");
    }
    return OK;
}

static enum result run_check(int argc, char **argv, int *status, struct error *err)
{
    struct check_args args = {0};
    const struct usage usage = {
        .command = "check",
        .arguments = "DATA | TRAIN [VALID]",
        .about = about,
        .example = "yolo check data/my.data --cfg my.cfg --draw suspicious",
        .exit_codes = exit_codes,
        .groups = {{"Options", option_rows, &args}},
    };
    const char *words[2];
    bool done, is_clean;
    enum result result = options_parse_few(&usage, argc, argv, words, 2, &done, err);
    result = result == OK ? take_images(&args.images, &args.o.source, err) : result;
    string_list_free(&args.images);
    TRY(result);
    if (done) {
        return OK;
    }
    TRY(take_words(words, &args.o.source, err));
    TRY(check_acts(&args, err));
    parallel_set_threads(args.threads);
    args.o.w = args.imgsz.w;
    args.o.h = args.imgsz.h;
    args.o.prints_json = args.format == FORMAT_JSON;
    args.o.draw_max = args.o.draw_max ? args.o.draw_max : DRAW_MOST;
    TRY(check_run(&args.o, &is_clean, err));
    *status = is_clean ? STATUS_OK : STATUS_SOME_INPUTS_FAILED;
    return OK;
}

const struct command cmd_check = {"check", "doctor",
                                  "every fault of a data set, before any training", run_check};
