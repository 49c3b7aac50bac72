/* What a training run says of its stages: who moves, what changed, what kept still. Lines of train.log and the
 * terminal (runlog_say). */
#ifndef TRAIN_STAGE_REPORT_H
#define TRAIN_STAGE_REPORT_H

#include <stdbool.h>

#include "net/network.h"
#include "train/runlog.h"
#include "train/frozen_bytes.h"

/* The table of the layers with parameters, runs of one mode in a row: layers, mode, values trained and frozen,
 * statistics. */
void stage_report_table(struct runlog *log, const struct network *net,
                        const enum layer_mode *modes);

/* "unfrozen: layers 10-28, ...": from one stage to the next. Nothing if no set changed. */
void stage_report_change(struct runlog *log, const struct network *net, const bool *before,
                         const bool *now);

/* "frozen: 14 layers, 1,234,567 values, 0 bytes changed": after frozen_bytes_changed has found none. Nothing if nothing
 * keeps still. */
void stage_report_still(struct runlog *log, const struct frozen_bytes *still);

#endif
