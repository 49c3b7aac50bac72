/* What a training run says of its stages, on the terminal and in train.log (runlog_say): which layers move, what changed
 * from the stage before, what kept still. */
#ifndef TRAIN_STAGE_REPORT_H
#define TRAIN_STAGE_REPORT_H

#include <stdbool.h>

#include "net/network.h"
#include "train/runlog.h"
#include "train/frozen_bytes.h"

/* A table of the layers with parameters: layers, mode, values trained and frozen, statistics. Neighbours of one mode
 * share a row. */
void stage_report_table(struct runlog *log, const struct network *net,
                        const enum layer_mode *modes);

/* "unfrozen: layers 10-28, ...": what changed from one stage to the next. Says nothing if the sets are equal. */
void stage_report_change(struct runlog *log, const struct network *net, const bool *before,
                         const bool *now);

/* "frozen: 14 layers, 1,234,567 values, 0 bytes changed": once frozen_bytes_changed has found none. Says nothing if
 * nothing is frozen. */
void stage_report_frozen(struct runlog *log, const struct frozen_bytes *proof);

#endif
