/* Pictures for training and evaluation: with boxes (Darknet list + YOLO txt, or COCO JSON), with a class each, or alone;
 * and rows of tables, which are samples, too. All labels are read and checked when the set is opened; pictures only when asked for. */
#ifndef DATA_DATASET_H
#define DATA_DATASET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "cfg/data_yaml.h"
#include "layers/box.h"

struct sample {
    char *image_path;     /* of a row: "FILE:LINE", for messages */
    char *label_path;     /* NULL: no label file (a background picture) or COCO */
    struct truth *truths; /* [truth_count], fractions of the picture, clipped to it */
    bool *is_crowd;       /* [truth_count], NULL if there is none */
    int *lines;           /* [truth_count], in the label file; NULL for COCO or without truths */
    size_t truth_count;
    const char *list;     /* that names the picture, of the set's; NULL for a folder or COCO */
    int list_line;        /* where; 0 for a folder or COCO */
    int64_t coco_id;      /* image id of a COCO file; -1 otherwise */
    int class_id;         /* of the whole sample, where it has one; -1 otherwise */
    int image_w, image_h; /* as a COCO file says, else of its picture; 0 for label files */
    double *areas;        /* [truth_count], COCO's "area" in pixels (else the box's); or NULL */
    bool is_unusable;     /* a line, or an annotation, shows something that nobody can place */
    bool is_mended;       /* a line had a confidence, or was a polygon: truths are not as written */
};

enum label_fault {
    FAULT_NOT_NUMBERS, /* a line that is not "class x y w h", or a file that is no text: unusable */
    FAULT_CLASS_RANGE, /* a class that there is not; COCO: a category_id of no category: unusable */
    FAULT_OUTSIDE,     /* a box outside the picture: skipped; far outside, as of pixels: unusable */
    FAULT_CLIPPED,     /* a box partly outside: kept, clipped */
    FAULT_ZERO_SIZE,   /* a box without area: skipped; of a negative side: unusable */
    FAULT_DUPLICATE,   /* the very same line again: skipped */
    FAULT_NO_LABEL,    /* no label file: a background picture */
    FAULT_EMPTY_LABEL, /* a label file without a line: a background picture */
    FAULT_NO_IMAGE,    /* a picture that does not exist: left out of the set */
    FAULT_ORPHAN_LABEL, /* a label file without a picture, in a folder of labels: not used */
    FAULT_ANNOTATION,   /* COCO: an annotation without a whole box or ids: unusable */
    FAULT_CONFIDENCE,   /* a sixth number in [0, 1], as detectors save: dropped; said once a set */
    FAULT_POLYGON,      /* class and points x y: its box is taken; said once a set */
    FAULT_COUNT
};

/* Short English words for a kind of fault, plural: "boxes without area". */
const char *label_fault_name(enum label_fault fault);

struct dataset {
    struct sample *samples;
    size_t sample_count, sample_capacity;
    atomic_bool *is_told; /* [sample_count], of which picture a loader has warned already */
    char **lists;         /* [list_count], those that were read */
    size_t list_count, list_capacity;
    size_t left_out_count; /* samples behind sample_count: pictures that leaves_out took away */
    size_t class_count;
    int64_t *category_ids; /* COCO: [class_count], ids by class; NULL otherwise */
    float *features;       /* tables: [sample_count][feature_count]; NULL otherwise */
    size_t feature_count;
    float *
        values; /* targets: [sample_count][value_count] of a table, [class_count][class_count] of classes; or NULL */
    size_t value_count;
    float *
        class_weights; /* [class_count], how much a sample counts in the loss; NULL: all the same */
    size_t faults[FAULT_COUNT]; /* how many; the first few of each were logged with path:line */
};

/* What to call for every fault; line 0 = the whole file. NULL: dataset_open logs the first five of each kind. */
typedef void (*fault_sink)(void *ctx, enum label_fault fault, const char *path, int line,
                           const char *text);

/* What is known of the pictures. */
enum dataset_kind {
    DATASET_BOXES,
    DATASET_CLASSES, /* a class each: path is a folder of class folders, or a list; needs names (data/class_set.h) */
    DATASET_PICTURES, /* nothing: path is a folder or a list; labels are not looked for */
    DATASET_TABLE     /* no pictures: numbers (data/table_set.h) */
};

struct dataset_source {
    enum dataset_kind kind;
    const char *path;    /* a list of images, a folder, a data.yaml, or a COCO .json */
    enum data_part part; /* of a data.yaml or .ndjson */
    const char *images;  /* COCO: the folder of the pictures; NULL: beside the json */
    size_t class_count;  /* 0: not known; then the largest class + 1 (COCO: all categories) */
    /* [name_count]. COCO: not the categories' in another order; or NULL. DATASET_CLASSES: the classes */
    char *const *names;
    size_t name_count;
    float label_smooth; /* classes: this share of a target goes to the other classes; 0: none */
    size_t features, targets; /* DATASET_TABLE: what the network takes and gives */
    bool needs_no_targets;    /* DATASET_TABLE: it may hold features alone */
    bool
        refuses_empty; /* DATASET_CLASSES: a class folder without pictures is an error, not a warning */
    /* Pictures with an unusable line or annotation do not belong to the set: they would seem to show less than
     * they do. They are counted, and said once; all pictures may be such. */
    bool leaves_out;
    fault_sink sink;
    void *sink_ctx;
};

/* Lists: relative paths are looked for as base/lookup.h says, the working directory first; labels as
 * label_path.h says. Lines may end in CR LF; blank lines are skipped. A bad line is counted in faults and
 * skipped; unless it marks no part of the picture, the sample is_unusable. Boxes are clipped to the picture.
 *
 * COCO: classes are the categories sorted by id, and there must be class_count of them. A fault of an image
 * costs only that image, a fault of an annotation its picture (is_unusable). An image without a size gets that
 * of its picture. Other wrong types and missing keys are ERR_FORMAT with their place ("x.json: images[12].id: ...").
 *
 * Classes: data/class_set.h says which picture has which. A picture without a class, or with two, makes the set unusable,
 * with its place: a wrong class would not be noticed later.
 *
 * Otherwise ERR_* only if the set as a whole is unusable (no list, no pictures). Free with dataset_free, also
 * after an error; *set need not be initialised. */
NODISCARD enum result dataset_open(const struct dataset_source *source, struct dataset *set,
                                   struct error *err);
void dataset_free(struct dataset *set);

/* The values that sample `index` should give, which belong to the set; without items. No values where the set has
 * boxes or nothing, and for an index beyond the set (a picture that could not be read). */
struct truth_set dataset_targets(const struct dataset *set, size_t index);

/* Boxes that can be learnt and measured: not of crowds, nor of pictures with an unusable line. */
size_t dataset_count_boxes(const struct dataset *set);

/* For a set without boxes: " (...)" about annotations of Pascal VOC that its first picture has, and what makes labels of them; "" if
 * there are none. */
enum { DATASET_HINT = 4300 };
const char *dataset_voc_hint(const struct dataset *set, char hint[DATASET_HINT]);

/* Give classes other numbers: class c becomes class_of[c], of `count`; boxes where that is -1 are left out. Returns how many
 * those are. */
size_t dataset_map_classes(struct dataset *set, const int *class_of, size_t count);

/* Is a source of this path a COCO file: named *.json, and no folder? */
bool dataset_is_coco(const char *path);

/* ERR_ARG if --images DIR is given (not NULL) and none of the two sources (or NULL) is a COCO file. */
NODISCARD enum result images_act(const char *images, const char *train, const char *valid,
                                 struct error *err);
#define IMAGES_HELP                                                                                \
    "COCO: the folder that file_name counts from; default: that of the .json, SPLIT, images or "   \
    "images/SPLIT in it or above it, where its pictures are"

#endif
