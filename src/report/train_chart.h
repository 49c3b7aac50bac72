/* chart.png of a training run, drawn from its results.csv. */
#ifndef REPORT_TRAIN_CHART_H
#define REPORT_TRAIN_CHART_H

#include "base/error.h"

/* Losses (left axis, logarithmic where they span decades), mAP (right axis) and the learning rate
 * (below) over the updates. With fewer than two rows: nothing is drawn. ERR_FORMAT if results.csv
 * is not a training's. */
NODISCARD enum result train_chart_draw(const char *folder, struct error *err);

#endif
