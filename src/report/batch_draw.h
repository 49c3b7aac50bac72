/* A batch as it is trained on, for people to look at. */
#ifndef REPORT_BATCH_DRAW_H
#define REPORT_BATCH_DRAW_H

#include "data/loader.h"

/* Write every image of a batch with its boxes as <prefix>NN.jpg. Classes without a name get their number. */
NODISCARD enum result batch_draw(const struct batch *batch, const char *const *names,
                                 size_t name_count, const char *prefix, struct error *err);

#endif
