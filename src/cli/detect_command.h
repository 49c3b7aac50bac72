/* What `yolo detect` and `yolo classify` share: the run, its summary, its exit status. */
#ifndef CLI_DETECT_COMMAND_H
#define CLI_DETECT_COMMAND_H

#include "report/detect_run.h"

/* fails_empty: nothing found in all inputs together is a failure. */
NODISCARD enum result detect_command(const struct detect_run_options *options, bool fails_empty,
                                     int *status, struct error *err);

#endif
