/* Pictures with their detections drawn in, and the detected parts cut out. */
#ifndef REPORT_ANNOTATE_H
#define REPORT_ANNOTATE_H

#include "base/error.h"
#include "results/results.h"
#include "data/image.h"

/* Draw every object of the record into the picture: frames, the strongest's on top, then labels
 * (draw_label), the strongest's with the first choice of place. */
void annotate_draw(struct image *image, const struct result_record *record, char *const *names);

/* Save each object's part of the undrawn picture as <folder>/<class name>/<stem>_<number>.jpg, number from
 * 1, strongest first; characters of a name that no folder may carry become '_'. Objects of no area (clipped
 * away) are left out. *saved counts files. */
NODISCARD enum result annotate_save_crops(const struct image *image,
                                          const struct result_record *record, char *const *names,
                                          const char *folder, const char *stem, size_t *saved,
                                          struct error *err);

#endif
