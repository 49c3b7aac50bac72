/* What trains well without a flag: batch, optimiser, rate, length and so on, by the pictures and the start. docs/recipe.md
 * says what was tried and what each choice is worth.
 *
 * Of each setting the command line wins, then a cfg's key that differs from the cfg of this program with the same layers
 * (train/base_cfg.h), then the recipe. A detector with other layers is trained as its cfg says, unless the recipe is asked for;
 * of another network with other layers each key that its [net] has wins over the recipe. */
#ifndef TRAIN_RECIPE_H
#define TRAIN_RECIPE_H

#include "run/model.h"
#include "train/args.h"

enum { RECIPE_BATCH = 16, RECIPE_MOST_CHOICES = 16 };

/* Many anchors a box: what yolov4.cfg has. */
static const float RECIPE_ASSIGN_IOU = 0.213f;

enum recipe_by { RECIPE_BY_RECIPE, RECIPE_BY_COMMAND_LINE, RECIPE_BY_CFG, RECIPE_BY_COUNT };
extern const char *const recipe_by_names[RECIPE_BY_COUNT];

struct recipe_choice {
    char flag[64]; /* what would say it: "--batch 16" */
    enum recipe_by by;
    char reason[320];
};

struct recipe {
    char title[256]; /* which one, and why that */
    struct recipe_choice choices[RECIPE_MOST_CHOICES];
    size_t count; /* 0: darknet, or a resumed run's, whose args.json has them */
};

struct recipe_basis {
    const struct network *net;
    const struct kernels *kernels;
    size_t images, valid; /* to train on, to validate on; rows of a table */
    bool is_table;
    bool begins_loaded;
    const char *length_reason; /* where the length that is given comes from; NULL: from the user */
};

/* Settle everything in args that was not given; --recipe darknet leaves it to the cfg. A resumed run has its own. */
NODISCARD enum result recipe_settle(struct train_args *args, const struct recipe_basis *basis,
                                    struct recipe *recipe, struct error *err);

/* The choices as a JSON array for args.json; NULL if out of memory. */
cJSON *recipe_json(const struct recipe *recipe);

/* Passes over the pictures: from nothing 100, and at least 500 updates; from weights fewer. */
int recipe_epochs(size_t images, uint64_t images_per_update, bool begins_loaded);
/* The same without boxes: a classifier, an autoencoder, a table; at least 10 passes and 500 updates, from weights 5 and 300. */
int recipe_value_epochs(size_t samples, uint64_t samples_per_update, bool begins_loaded);
/* Updates of warm-up in so many. */
int recipe_warmup(uint64_t updates);
/* Parts of a batch: as few as fit into half of the machine's memory; *bytes: what one takes. Nothing is frozen, or
 * what `freeze` names. */
int recipe_subdivisions(const struct network *net, const struct kernels *kernels,
                        const char *freeze, int batch, double *bytes);

/* A cfg's steps, where the recipe or --time makes the length another one than the cfg's: they keep their share of it. */
void recipe_move_steps(const struct train_args *args, struct net_options *options,
                       uint64_t updates_per_epoch);

#endif
