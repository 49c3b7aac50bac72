/* `yolo init`: what changes in a cfg for other classes and another data set. */
#ifndef DOCTOR_INIT_CFG_H
#define DOCTOR_INIT_CFG_H

#include <stdio.h>

#include "doctor/advice.h"
#include "net/cfg_edit.h"

enum init_anchors { ANCHORS_KEEP, ANCHORS_AUTO, ANCHORS_NEW };

struct init_wish {
    int classes;
    int width, height;       /* 0: the base's */
    int batch, subdivisions; /* 0: the base's */
    int max_batches;         /* 0: by the rule */
    int passes;              /* --epochs; 0: by the rule */
    size_t images;           /* to train on; 0: not known */
    bool follows_recipe; /* what `yolo train` would choose (train/recipe.h), not Darknet's rule */
    bool begins_loaded;  /* with weights */
    enum init_anchors anchors;
    bool anchors_may_fail;     /* nobody asked: too few boxes for a search leave the base's */
    const struct dataset *set; /* its boxes, for new anchors */
};

/* Length of a training: updates, and why. */
struct init_length {
    int updates, burn_in;
    int images; /* of an update */
    char why[256];
    bool is_left; /* as it stands in the base: who trains decides */
};

/* By the recipe, as long as `yolo train` trains; without pictures it is left to that. Else Darknet's rule is 2000 updates a class, at least 6000, and at least one for every picture: made
 * for sets of thousands of pictures at 64 an update. Where it would show every picture more than
 * 300 times (what Scaled-YOLOv4 and Ultralytics train COCO with, from nothing), 300 times are
 * taken, at least 500 updates. --epochs is counted as `yolo train` does. The burn-in is at most a
 * tenth. There must be no more subdivisions than pictures in a batch. */
struct init_length init_length(const struct net_options *base, const struct init_wish *wish);

struct init_cfg {
    struct cfg_edits edits;
    struct cfg_text old, text; /* the base, and what is to be written */
    struct init_length length;
    char anchors[320]; /* what was found about them; "" = nothing was asked */
};

/* Edits for `wish` in the base network's cfg, and the text they make; `path` is the new file's
 * name. If the classes change and the heads share or leave out anchors although there is one for
 * each slot (yolov4-tiny), each head gets its own. *cfg must be zeroed; free with init_cfg_free,
 * also after an error. */
NODISCARD enum result init_cfg_make(struct network *base, const struct init_wish *wish,
                                    const char *path, struct init_cfg *cfg, struct error *err);
void init_cfg_free(struct init_cfg *cfg);

/* The changed lines as a unified diff without context, the section's name behind each place. */
void init_cfg_diff(const struct init_cfg *cfg, const struct network *base, const char *path,
                   FILE *out);

#endif
