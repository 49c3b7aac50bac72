/* chart.png of a training run, drawn from its results.csv. */
#ifndef REPORT_TRAIN_CHART_H
#define REPORT_TRAIN_CHART_H

#include "base/error.h"

/* A small chart a quantity over the updates, each with an axis of its own: the whole loss (training and validation) and
 * its parts (logarithmic where they span decades), mAP@.5 and mAP@.5:.95, the learning rate. Those without a value are
 * left out. With fewer than two rows: nothing is drawn. ERR_FORMAT if results.csv is not a training's. */
NODISCARD enum result train_chart_draw(const char *folder, struct error *err);

#endif
