/* Inputs that lie in the output folder: results must not be written over them, also not over those
 * whose turn is still to come. */
#ifndef RESULTS_INPUT_GUARD_H
#define RESULTS_INPUT_GUARD_H

#include "results/paths.h"

/* Zeroed = nothing to be guarded. Free with name_set_free. */
struct input_guard {
    struct name_set files; /* by device and inode */
};

/* Guard the pictures in the folder `out` that the arguments of inputs_open name; paths on stdin come too late for that.
 * With leaves_out, those that a folder argument yields there are the run's own, and no inputs (report/detect_run.c). */
NODISCARD enum result input_guard_fill(struct input_guard *guard, const char *const *args,
                                       size_t count, const char *out, bool leaves_out,
                                       struct error *err);

/* Would writing `path` lose a guarded input, or `input` itself? */
bool input_guard_holds(const struct input_guard *guard, const char *path, const char *input);

/* Is `path` a label file that readers of data sets find for the picture `input`: where label_path.h looks,
 * or a .xml beside it? False if there is no such file yet. */
bool is_label_of(const char *path, const char *input);

#endif
