/* How fast a training goes, and how long it still takes. Times in seconds. */
#ifndef TRAIN_PACE_H
#define TRAIN_PACE_H

#include <stdbool.h>
#include <stdint.h>

/* All zero: nothing measured yet. */
struct pace {
    uint64_t updates; /* measured since pace_enter */
    double
        update; /* of one: the mean of about the last hundred; the first, which warms up, counts only alone */
    uint64_t validations;
    double validation; /* of one, the mean */

    uint64_t row_updates; /* since the last row of results.csv */
    double row_started;
};

/* Updates of another kind begin: another stage. What validations take is still known. */
void pace_enter(struct pace *pace, double now);
void pace_update(struct pace *pace, double seconds);
void pace_validation(struct pace *pace, double seconds);
/* A row is written, or what came since the last one is undone. */
void pace_row(struct pace *pace, double now);

/* What so many updates and validations take; 0 while no update is measured. */
double pace_left(const struct pace *pace, uint64_t updates, uint64_t validations);
/* True once in a stage: as soon as enough updates are measured to tell how long it takes. */
bool pace_is_settled(const struct pace *pace);

#endif
