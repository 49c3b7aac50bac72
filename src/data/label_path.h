/* Where the labels of a picture are looked for. */
#ifndef DATA_LABEL_PATH_H
#define DATA_LABEL_PATH_H

#include <stdbool.h>
#include <stddef.h>

enum { LABEL_PATHS = 3 };

/* Candidate number `which`, best first:
 *   0  the .txt beside the picture
 *   1  the last folder named images becomes labels
 *   2  AlexeyAB's Darknet: the first images/train2017, val2017, train2014, val2014 becomes labels/...,
 *      the first JPEGImages becomes labels
 * The extension, whatever it is, becomes .txt. False if the candidate is the same as an earlier one or
 * does not fit. */
bool label_path_candidate(const char *image, int which, char *out, size_t size);

/* The first candidate that exists. */
bool label_path_find(const char *image, char *out, size_t size);

/* Is there an annotation of Pascal VOC for the picture, NAME.xml beside it or in a folder annotations (Annotations) in place of
 * images (JPEGImages)? That folder. */
bool label_path_voc(const char *image, char *folder, size_t size);

/* A picture's name for use below a folder images of our own. Labels are found by the last folder
 * of that name, so the parts "images", "images_"... of the name get one more "_" each; no two names
 * become one. False if it does not fit. */
bool label_path_nest(const char *name, char *out, size_t size);

/* The way back: the name that label_path_nest made `nested` of. */
bool label_path_unnest(const char *nested, char *out, size_t size);

#endif
