/* --quantize-aware: a training that computes as int8 will (net/plan_rounding.c), from trained weights, with the steps of
 * STEM.int8 beside them or of a calibration at its start. Its checkpoints write an .int8 beside each .weights. */
#ifndef TRAIN_QUANTIZE_AWARE_H
#define TRAIN_QUANTIZE_AWARE_H

#include "train/training.h"

/* Once the stages are known: ERR_ARG where it cannot act. t->quant then says enough to measure memory and time. */
NODISCARD enum result quantize_aware_draft(const struct train_args *args, struct training *t,
                                           struct error *err);
/* Once the weights are there: t->quant for good, of a resumed run that of its folder. ERR_FORMAT if the file is of other weights
 * or of another network, ERR_ARG if not all weights were loaded. */
NODISCARD enum result quantize_aware_open(const struct train_args *args, struct training *t,
                                          struct error *err);
/* Its line for the fingerprint of a run, into text; "" without --quantize-aware. */
const char *quantize_aware_line(const struct training *t, char *text, size_t size);

#endif
