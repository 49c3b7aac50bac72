/* How much a picture of a class counts in the loss. */
#ifndef DATA_CLASS_WEIGHTS_H
#define DATA_CLASS_WEIGHTS_H

#include "data/dataset.h"

/* "auto": every class has the same share in all, N / (classes with samples x samples of the class), so that the mean over
 * samples is 1. Or "dog=2,cat=.5", classes by name, else by number; others weigh 1. Into set->class_weights. ERR_ARG for what
 * is no such text, a class that is not there or given twice, and a set without classes. */
NODISCARD enum result class_weights_set(const char *text, char *const *names, struct dataset *set,
                                        struct error *err);

#endif
