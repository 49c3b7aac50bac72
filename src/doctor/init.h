/* `yolo init`: a folder with what a training of one's own classes needs: a cfg made of a base network's, a .data
 * file, the names, and as asked for a plan of stages and lists of the pictures. */
#ifndef DOCTOR_INIT_H
#define DOCTOR_INIT_H

#include "base/options.h"
#include "cfg/data_file.h"
#include "doctor/init_base.h"
#include "doctor/init_cfg.h"
#include "doctor/init_data.h"
#include "run/model.h"
#include "train/freeze.h"

/* The words of the command line; NULL and 0: not given. */
struct init_options {
    const char *names;   /* file of the classes */
    const char *base;    /* STEM of a bundled cfg, or a cfg; "auto": doctor/init_base.h */
    const char *weights; /* "none": begin with random numbers */
    const char *out;     /* folder */
    const char *freeze;  /* layers that keep still in the first of two stages */
    const char *data;    /* a .data file: what it names, where it is not given here */
    struct init_data_args sets;
    struct option_size imgsz;
    int batch, subdivisions, max_batches, epochs;
    int anchors; /* enum init_anchors; -1: by the recipe */
    int recipe;  /* enum recipe_kind */
};

enum init_file {
    INIT_FILE_CFG,
    INIT_FILE_DATA,
    INIT_FILE_NAMES,
    INIT_FILE_STAGES,
    INIT_FILE_TRAIN, /* lists, if the pictures had to be divided */
    INIT_FILE_VALID,
    INIT_FILE_COUNT
};

enum { INIT_FILE_PATH = INIT_PATH + 300 };

struct init {
    struct init_options o;
    char folder[INIT_PATH], stem[256];
    char base_path[MODEL_PATH], base_stem[256];
    bool is_bundled;          /* the base was named by its stem */
    char weights[MODEL_PATH]; /* to begin with, proved to fit; "" = none are there */
    char **names;
    size_t name_count;
    struct data_file given; /* --data */
    struct init_data data;
    struct init_base_basis basis; /* with --base auto, and these: */
    struct init_bases bases;
    struct network base, net;
    struct init_cfg cfg;
    struct freeze_set freeze; /* zeroed without `freeze` */
    bool begins_loaded;       /* the command that is printed names weights, here or not yet */
    bool is_known;            /* the base is a cfg of this program (train/base_cfg.h) */
    const struct kernels *kernels;
    double bytes;   /* of a mini-batch as the recipe makes it; 0 without */
    int first_head; /* layer of the base from which on weights for other classes do not fit */
};

/* Decide. *init must be zeroed; what `options` points to outlives it. init_free also after an error. */
NODISCARD enum result init_decide(const struct init_options *options, struct init *init,
                                  struct error *err);
/* With the recipe: seconds of an update on this machine (doctor/init_cost.h). */
NODISCARD enum result init_measure(const struct init *init, double *seconds, struct error *err);
/* The files: all or none, and none is replaced (ERR_ARG). */
NODISCARD enum result init_write(const struct init *init, struct error *err);
void init_free(struct init *init);

/* --freeze auto: the training that is printed decides itself (train/freeze_advice.h). */
bool init_advises(const struct init *init);

/* Is this file written, and where. */
bool init_writes(const struct init *init, enum init_file file);
void init_file_path(const struct init *init, enum init_file file, char path[INIT_FILE_PATH]);

#endif
