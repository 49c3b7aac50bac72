/* A training run's folder and what is written there for people: results.csv, train.log.
 * The weights and the state are train/checkpoint.h's. */
#ifndef TRAIN_RUNLOG_H
#define TRAIN_RUNLOG_H

#include <stdint.h>
#include <stdio.h>

#include "base/error.h"

/* Make the next free folder of base/exp, base/exp2, base/exp3...; its path into path[size]. Two
 * runs started at once get different ones. */
NODISCARD enum result run_folder_new(const char *base, char *path, size_t size, struct error *err);
/* The newest of them that holds last.state: what --resume without a folder means. ERR_ARG if there
 * is none. */
NODISCARD enum result run_folder_last(const char *base, char *path, size_t size, struct error *err);
/* Take the folder for this process, before anything in it is changed: until *lock is closed (fclose) or the process ends,
 * however it does. ERR_ARG if another process has it. */
NODISCARD enum result run_folder_lock(const char *folder, FILE **lock, struct error *err);

/* The file that shows that a run in the folder has got somewhere: "last.state" if it can go on, else the name of its
 * weights or results. NULL: there was no run, or it ended before its first checkpoint. */
const char *run_folder_trace(const char *folder);

struct runlog;

/* Open results.csv and train.log in an existing folder. The first column must be the iteration; columns must outlive the
 * log. For a new run (resumed_at 0) both files start empty, results.csv with its header. For a resumed one, rows of later
 * iterations and a row that a kill cut short are removed from results.csv (through a rename), and both files are appended
 * to. A results.csv that lacks columns, of an older program, gets them, empty in its rows; ERR_FORMAT if the header names
 * others. At most 64 columns. */
NODISCARD enum result runlog_open(const char *folder, const char *const *columns, size_t count,
                                  uint64_t resumed_at, struct runlog **log, struct error *err);
/* NULL is accepted. */
void runlog_close(struct runlog *log);

/* One row: the iteration and a value for each further column (count - 1 of them); NaN and infinity
 * give an empty cell. On disk when it returns, as far as the process is concerned. */
NODISCARD enum result runlog_row(struct runlog *log, uint64_t iteration, const double *values,
                                 struct error *err);

/* Remove the rows of iterations after `last`: updates that were undone. After an error no row can be
 * written any more. */
NODISCARD enum result runlog_cut(struct runlog *log, uint64_t last, struct error *err);

/* A line for train.log, with date and time, and for the terminal (log_info). Failures to write it
 * are reported by the next runlog_row. log may be NULL: only the terminal. */
void runlog_say(struct runlog *log, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* The same, on the terminal a warning. */
void runlog_warn(struct runlog *log, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
