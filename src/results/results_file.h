/* Detections that were saved, for an evaluation without a network. JSON:
 *
 *   COCO's results                       [{"image_id", "category_id", "bbox": [x, y, w, h], "score"}...], for COCO truth
 *   `yolo detect --format json`, jsonl   records of "image" and "objects", each with "class_id", "name", "confidence"
 *                                        and "box" in pixels
 *   Darknet's `detector test -out`       records of "filename" and "objects", each with "class_id", "name",
 *                                        "confidence" and "relative_coordinates"
 *   `yolo eval --shard`                  results/share_file.h
 *
 * Files are read as streams; one struct eval_detection a detection is kept. */
#ifndef RESULTS_RESULTS_FILE_H
#define RESULTS_RESULTS_FILE_H

#include "results/results_whole.h"

struct results_counts {
    size_t detections;
    size_t records;  /* of pictures; 0 for COCO's results */
    size_t failures; /* records that say a picture could not be read */
};

/* Add the files' detections to the set. Where the size of a list's picture is needed and the record
 * does not tell it, the picture's header is read. ERR_FORMAT with "path:line: place: ..." for what
 * is no JSON, a missing key, a number that is none, an id, picture or class that the truth does not
 * have, a picture that two files tell of. Of several files also, named by their paths: shares with other settings or classes
 * than the first one's, a share that is missing, pictures that none has a record of. What COCO's results and plain records do
 * not say but let suspect (other thresholds, a share that is missing) is a warning. */
NODISCARD enum result results_files_read(const struct results_source *source, struct eval_set *set,
                                         struct results_counts *counts, struct error *err);

#endif
