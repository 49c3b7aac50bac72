/* Detections that were saved as JSON, for an evaluation without a network:
 *
 *   COCO's results                       [{"image_id", "category_id", "bbox": [x, y, w, h], "score"}...], for COCO truth
 *   `yolo detect --format json`, jsonl   records of "image" and "objects", each with "class_id", "name", "confidence"
 *                                        and "box" in pixels
 *   Darknet's `detector test -out`       records of "filename" and "objects", each with "class_id", "name",
 *                                        "confidence" and "relative_coordinates"
 *
 * The file is read as a stream; one struct eval_detection a detection is kept. */
#ifndef RESULTS_RESULTS_FILE_H
#define RESULTS_RESULTS_FILE_H

#include "eval/eval_set.h"

struct results_counts {
    size_t detections;
    size_t records;  /* of pictures; 0 for COCO's results */
    size_t failures; /* records that say a picture could not be read */
};

/* Add the file's detections to the set. Where the size of a list's picture is needed and the record
 * does not tell it, the picture's header is read. ERR_FORMAT with "path:line: place: ..." for what
 * is no JSON, a missing key, a number that is none, an id, picture or class that the truth does not
 * have. */
NODISCARD enum result results_file_read(const char *path, struct eval_set *set,
                                        struct results_counts *counts, struct error *err);

#endif
