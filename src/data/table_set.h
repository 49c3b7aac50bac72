/* Tables for networks without pictures: rows of features, then targets.
 *
 * CSV: cells between commas, else semicolons, else tabs; in double quotes or not; blank lines are passed over; a first
 * line with words for features, and no number, is a header. Or a .npy of [rows, columns]. The network takes `features` numbers and
 * gives `targets`; so a table has as many columns as both, or with one column in place of all targets the class: a
 * number from 0, or a name (those of `names`). Features are in the order of .weights files: channel, y, x.
 *
 * A row that is too short or too long, a cell that is no number, or one that is not finite makes the table unusable, with its
 * place: ERR_FORMAT. */
#ifndef DATA_TABLE_SET_H
#define DATA_TABLE_SET_H

#include <stdbool.h>

#include "data/dataset.h"

/* Is a file of this name a table: .csv, .tsv or .npy? */
bool table_is_named(const char *path);

/* What makes every feature of the training set mean 0 and deviation 1: (x - mean) / deviation. */
struct feature_scale {
    double *mean, *deviation; /* [count]; 1 for a feature that is always the same */
    size_t count;
};
/* The file of a run's folder that holds one. */
extern const char feature_scale_name[];

/* free also after an error */
NODISCARD enum result feature_scale_of(const struct dataset *set, struct feature_scale *scale,
                                       struct error *err);
void feature_scale_free(struct feature_scale *scale);
/* ERR_FORMAT if the set has another number of features. */
NODISCARD enum result feature_scale_apply(const struct feature_scale *scale, struct dataset *set,
                                          struct error *err);

/* CSV: feature,mean,deviation, all digits. */
NODISCARD enum result feature_scale_write(const struct feature_scale *scale, const char *path,
                                          struct error *err);
NODISCARD enum result feature_scale_read(const char *path, struct feature_scale *scale,
                                         struct error *err);

#endif
