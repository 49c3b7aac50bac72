/* `yolo init --base auto`: which of the cfgs that came with the program, by the pictures and the machine. */
#ifndef DOCTOR_INIT_BASE_H
#define DOCTOR_INIT_BASE_H

#include <stdio.h>

#include "base/options.h"
#include "data/dataset.h"
#include "kernels/kernels.h"

enum { INIT_BASES = 16 };

struct init_base_basis {
    const struct dataset *set; /* to train on; empty: nothing is known of the pictures */
    size_t images;
    struct option_size imgsz; /* 0, 0: that of each cfg */
    const char *weights; /* --weights: those of the base; "none"; NULL: those that lie beside it */
    const struct kernels *kernels; /* NULL: as kernels_select chooses */
    int cores;
    double memory; /* bytes; 0: not known */
};

struct init_base {
    const char *stem;
    double gflop, values; /* of a picture, at this size; parameters */
    double hours, bytes;  /* of a training as the recipe plans it, of its mini-batch */
    int stride;           /* of the finest grid */
    double small;         /* share of the boxes that are smaller than a cell of it */
    bool has_weights;
    char why[160];
};

struct init_bases {
    struct init_base of[INIT_BASES];
    size_t count, chosen;
};

/* ERR_ARG if no cfg is there, or none that the weights belong to by their name. The hours are of a usual machine with so
 * many cores, so that the choice does not depend on what else is running. */
NODISCARD enum result init_base_choose(const struct init_base_basis *basis,
                                       struct init_bases *bases, struct error *err);

/* A table with what speaks for and against each. */
void init_base_print(const struct init_base_basis *basis, const struct init_bases *bases,
                     FILE *out);

#endif
