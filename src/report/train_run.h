/* The run of `yolo train`: from its options to a trained network, or to what a dry run says; with the chart and the
 * pictures that people look at. */
#ifndef REPORT_TRAIN_RUN_H
#define REPORT_TRAIN_RUN_H

#include "train/args.h"
#include "train/trainer.h"

/* args: as parsed; a resumed run's own are read into it. folder[size] gets the run's folder, "" after a dry run, whose
 * findings go to stdout. All else goes to the log and into the folder. */
NODISCARD enum result train_run(struct train_args *args, char *folder, size_t size,
                                struct train_outcome *outcome, struct error *err);

#endif
