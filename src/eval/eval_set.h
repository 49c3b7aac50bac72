/* Pictures with their truths, and what was found in them: what an evaluation is made from.
 *
 * Truths come from one of
 *
 *   a list of pictures       with label files (data/dataset.h): classes by number, boxes cut at the picture's border.
 *                            Faulty lines are left out and counted; an unusable one takes its picture out.
 *   a COCO annotation file   boxes exactly as written. An annotation that cannot be used takes its picture out, and an
 *                            image without an id is left out. */
#ifndef EVAL_EVAL_SET_H
#define EVAL_EVAL_SET_H

#include "data/coco_file.h"
#include "data/dataset.h"
#include "eval/metrics.h"

struct eval_picture {
    char *path;                  /* owned; NULL: a COCO image without a file_name */
    const struct sample *sample; /* of a list; NULL for COCO */
    int64_t id;                  /* COCO's; for a list the place in it */
    int w, h;                    /* pixels; 0: not known */
    struct eval_truth *truths;   /* owned; of a list's picture only once its size is known */
    size_t truth_count;
    struct eval_detection *detections; /* owned */
    size_t detection_count, detection_capacity;
    bool has_failed; /* it could not be read: its truths are missed */
    bool has_record; /* a results file tells about it, whether or not anything was found */
    size_t teller;   /* which of the results files, from 1, tells about it; 0: none */
};

struct eval_set {
    struct eval_picture *pictures;
    size_t count;
    char **names; /* [class_count], owned; "class_0"... where there is no name */
    bool has_names;
    size_t class_count;
    bool is_coco;
    struct coco_file coco; /* if is_coco: classes are its categories, by id */
    struct dataset data;   /* else */
    size_t
        fault_count; /* pictures, label lines and annotations left out; each kind has been logged */
    size_t *by_name; /* pictures by their file's name; made at the first search */
};

struct eval_source {
    const char *path;    /* a list of pictures, a folder, a data.yaml, or a COCO .json */
    enum data_part part; /* of a data.yaml */
    const char *images;  /* COCO: the folder of the pictures; NULL: the json's own */
    char *const *names;  /* of a list's classes; NULL: not known */
    size_t class_count;  /* of a list; 0: the largest class + 1. For COCO the file says */
    bool needs_files;    /* COCO: images without a file_name are left out */
};

/* *set need not be initialised; free with eval_set_free, also after an error. ERR_FORMAT with its
 * place, ERR_IO, ERR_MEMORY. */
NODISCARD enum result eval_set_open(const struct eval_source *source, struct eval_set *set,
                                    struct error *err);
/* The pictures of a data set that is open, which outlives it; names[class_count] are copied. No sizes are known yet. */
NODISCARD enum result eval_set_of_dataset(const struct dataset *data, char *const *names,
                                          size_t class_count, struct eval_set *set,
                                          struct error *err);
void eval_set_free(struct eval_set *set);

/* Keep pictures [first, end) only. Not for truth that results will be read for: neither ids nor names are found after it. */
void eval_set_keep(struct eval_set *set, size_t first, size_t end);

/* The size of a picture is known: truths of a list become pixels. Again with the same size: nothing
 * happens. */
NODISCARD enum result eval_set_size(struct eval_set *set, size_t picture, int w, int h,
                                    struct error *err);

NODISCARD enum result eval_set_add(struct eval_set *set, size_t picture,
                                   const struct eval_detection *detection, struct error *err);

/* The picture of a COCO id; SIZE_MAX if there is none. */
size_t eval_set_find_id(const struct eval_set *set, int64_t id);

enum { EVAL_NO_PICTURE = -1, EVAL_TWO_PICTURES = -2 };

/* The picture whose path shares the file name and, of several, the most folders above it with path.
 * Else one of the above. ERR_MEMORY. */
NODISCARD enum result eval_set_find_path(struct eval_set *set, const char *path, ptrdiff_t *picture,
                                         struct error *err);

/* Was a picture of this name left out for its labels? */
bool eval_set_leaves_out(const struct eval_set *set, const char *path);

/* One picture as the metrics take it; borrows. */
struct eval_image eval_set_image(const struct eval_set *set, size_t picture);

/* The truths of a sample in pixels of a w x h picture into out[sample->truth_count]; those of
 * classes from class_count on are left out. Returns how many there are. */
size_t eval_truths_of_sample(const struct sample *sample, int w, int h, size_t class_count,
                             struct eval_truth *out);

/* A box on a w x h picture, clipped to it, as a detection. */
struct eval_detection eval_detection_of(const struct box_xyxy_px *box, int class_id,
                                        float confidence);

#endif
