/* What `yolo detect` and `yolo classify` found in one picture, and the formats in which it is told. */
#ifndef RESULTS_RESULTS_H
#define RESULTS_RESULTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/error.h"
#include "layers/box.h"

/* All formats: the ends of their constants and their words. Nothing of YOLO and VOC goes to the stream: a
 * file a picture (results/files.c). */
#define RESULT_FORMATS(FIRST, NEXT)                                                                \
    FIRST(TEXT, "text")                                                                            \
    NEXT(JSON, "json")                                                                             \
    NEXT(JSONL, "jsonl")                                                                           \
    NEXT(CSV, "csv")                                                                               \
    NEXT(YOLO, "yolo")                                                                             \
    NEXT(VOC, "voc")                                                                               \
    NEXT(COCO, "coco")

/* Those that tell classes of whole pictures: the first ones. */
#define RESULT_CLASS_FORMAT_NAMES "text|json|jsonl|csv"
enum { RESULT_CLASS_FORMATS = 4 };

#define RESULT_CONSTANT(end, word) RESULT_##end,
#define RESULT_FIRST_WORD(end, word) word
#define RESULT_NEXT_WORD(end, word) "|" word
#define RESULT_WORD(end, word) , word

enum result_format { RESULT_FORMATS(RESULT_CONSTANT, RESULT_CONSTANT) };
/* For an OPTION_CHOICE: the number of a word is its constant. */
#define RESULT_FORMAT_NAMES RESULT_FORMATS(RESULT_FIRST_WORD, RESULT_NEXT_WORD)

struct result_object {
    int class_id;
    float confidence;
    struct box_xyxy_px box; /* clipped to the picture; not of a classifier's */
};

/* One picture. Borrows everything. */
struct result_record {
    const char *image; /* its path, any bytes */
    const char *error; /* NULL, or why it could not be read: then only image counts */
    int width, height;
    const struct result_object *objects; /* [count], strongest first */
    size_t count;
    double load_ms, infer_ms, post_ms;
    double image_id; /* RESULT_COCO: from the annotation file */
};

/* Results on their way to a stream, each flushed as it is added. */
struct result_stream {
    FILE *out;
    enum result_format format;
    char *const *names;       /* by class_id */
    const double *categories; /* RESULT_COCO: category id by class_id */
    const float *
        thresholds; /* by class_id: json, jsonl and csv tell them of each object; NULL: they do not */
    bool is_of_classes; /* objects are classes of whole pictures: formats without boxes */
    size_t written;     /* array elements or lines so far; zero before results_begin */
};

/* Begin the format: '[' or the csv header. ERR_IO, here and below, if the stream takes no more. */
NODISCARD enum result results_begin(struct result_stream *stream, struct error *err);

/* Write one record. text, csv and coco pass over errors, which belong on stderr. ERR_MEMORY: nothing of this record was
 * written, and the output stays valid. */
NODISCARD enum result results_add(struct result_stream *stream, const struct result_record *record,
                                  struct error *err);

/* End the format. Call it once, whatever happened before: only then is an array valid. */
NODISCARD enum result results_end(struct result_stream *stream, struct error *err);

/* One line an object, "class cx cy w h" (centre and size as fractions of the picture),
 * with_confidence adds a sixth column; strongest first; an empty file for a picture without
 * objects. */
NODISCARD enum result results_write_yolo(const char *path, const struct result_record *record,
                                         bool with_confidence, struct error *err);

/* A Pascal VOC annotation in whole pixels; each object also carries a <confidence>. first_pixel 1:
 * counted from 1, both ends included, as VOC itself and supervision do; 0: the box's edges, counted
 * from 0, as Datumaro and FiftyOne do: then xmin and ymin are one less. */
NODISCARD enum result results_write_voc(const char *path, const struct result_record *record,
                                        char *const *names, int first_pixel, struct error *err);

/* A CSV cell (RFC 4180): quotes around what holds a separator, a quote or a line end; quotes inside
 * are doubled. */
void results_put_csv(FILE *out, const char *text);

#endif
