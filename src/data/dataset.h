/* Labelled pictures: Darknet .data + list + YOLO txt, or COCO JSON. All labels are read and checked when
 * the set is opened; pictures only when asked for. */
#ifndef DATA_DATASET_H
#define DATA_DATASET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "layers/box.h"

struct sample {
    char *image_path;
    char *label_path;      /* NULL: no label file (a background picture) or COCO */
    struct truth *truths;  /* fractions of the picture, clipped to it */
    bool *is_crowd;        /* [truth_count], NULL if there is none */
    size_t truth_count;
    int64_t coco_id;       /* image id of a COCO file; -1 otherwise */
};

enum label_fault {
    FAULT_NOT_NUMBERS, FAULT_CLASS_RANGE, FAULT_OUTSIDE, FAULT_CLIPPED, FAULT_ZERO_SIZE, FAULT_DUPLICATE,
    FAULT_NO_LABEL, FAULT_EMPTY_LABEL, FAULT_NO_IMAGE, FAULT_COUNT
};

struct dataset {
    struct sample *samples;
    size_t sample_count, sample_capacity;
    size_t class_count;
    size_t faults[FAULT_COUNT];   /* how many of each; the first few of each were logged with path:line */
};

/* What to call for every fault; line 0 = the whole file. NULL: dataset_open logs the first five of each kind. */
typedef void (*fault_sink)(void *ctx, enum label_fault fault, const char *path, int line,
                           const char *text);

struct dataset_source {
    const char *path;      /* a list of images, a folder, or a COCO .json */
    const char *images;    /* COCO: the folder of the pictures; NULL: beside the json */
    size_t class_count;
    fault_sink sink;
    void *sink_ctx;
};

/* Label path rules: the .txt beside the image; else /images/ -> /labels/ (last occurrence), then Darknet's
 * own replacements. Lines may end in CR LF; blank lines are skipped. A bad line costs only itself: it is
 * counted in faults and skipped; boxes are clipped to the picture. ERR_* only if the set as a whole is unusable
 * (no list, no pictures). Free with dataset_free. */
NODISCARD enum result dataset_open(const struct dataset_source *source, struct dataset *set,
                                   struct error *err);
void dataset_free(struct dataset *set);

/* Darknet's .data file. Paths resolve against the file's folder, then the working directory; an error lists
 * what was tried. Strings belong to the struct; free with data_file_free. */
struct data_file {
    char *train, *valid, *names, *backup;
    int classes; /* 0: not given */
};
NODISCARD enum result data_file_read(const char *path, struct data_file *file, struct error *err);
void data_file_free(struct data_file *file);

#endif
