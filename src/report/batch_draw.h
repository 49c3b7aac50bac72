/* A batch as it is trained on, for people to look at. */
#ifndef REPORT_BATCH_DRAW_H
#define REPORT_BATCH_DRAW_H

#include "data/loader.h"
#include "report/picture_sheet.h"

/* Write every image of a batch with its boxes as <prefix>NN.jpg. Classes without a name get their number. */
NODISCARD enum result batch_draw(const struct batch *batch, const char *const *names,
                                 size_t name_count, const char *prefix, struct error *err);

/* Image n of the batch with its boxes, scaled for a contact sheet. The caption stays empty. */
/* Image n of the tensor, values in [0, 1] of 3 channels or (the first of) others, scaled to a cell of a sheet. */
NODISCARD enum result batch_tensor_picture(const struct tensor *input, int n, struct image *out,
                                           double *scale, struct error *err);

NODISCARD enum result batch_sheet_picture(const struct batch *batch, int n,
                                          const char *const *names, size_t name_count,
                                          struct sheet_picture *out, struct error *err);

#endif
