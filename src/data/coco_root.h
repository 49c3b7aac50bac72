/* Where the pictures of an annotation file lie. */
#ifndef DATA_COCO_ROOT_H
#define DATA_COCO_ROOT_H

#include "data/coco_file.h"

/* "instances_val2017.json" -> "val2017"; "train/_annotations.coco.json" -> "train"; at most 200 bytes into out[256]. */
void coco_split_name(const char *path, char *out);

/* The folder that file_name counts from, into out[4096]: `images` if it is not NULL; else the first of these in which one of the
 * first pictures lies: the .json's own, and in it SPLIT, images, images/SPLIT and data; the same above it. Where there is none, the .json's
 * own ("" for the working directory). Tools write all of these. */
void coco_root_find(const struct coco_file *file, const char *path, const char *images, char *out);

#endif
