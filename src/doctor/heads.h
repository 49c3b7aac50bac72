/* The anchors of a network's detection heads, and a cfg with other ones. */
#ifndef DOCTOR_HEADS_H
#define DOCTOR_HEADS_H

#include <stdbool.h>

#include "doctor/anchors.h"
#include "net/cfg_edit.h"
#include "net/network.h"

struct anchor_head {
    int layer;
    struct cfg_section *section, *conv; /* conv: the convolution above, NULL if there is none */
    float stride;                       /* pixels of the network's input a cell */
    bool in_cells;                      /* [region] writes its anchors in cells */
    int num, slots, entries, classes;   /* channels = slots * entries, classes among these */
    struct anchor anchors[ANCHORS_MAX]; /* [num], in pixels: all, also other heads' */
    int mask[ANCHORS_MAX];              /* [slots]: which of them are this head's */
};

struct anchor_heads {
    struct anchor_head *heads; /* [count], by stride, smallest first */
    int count;
    int net_w, net_h;
    bool letterbox;
};

/* Points into the network, at whose present size (net->size, network_resize) anchors are pixels. ERR_UNSUPPORTED if there is no detection head or one has more anchors than
 * ANCHORS_MAX. Free with heads_free, also after an error. */
NODISCARD enum result heads_read(struct network *net, struct anchor_heads *heads,
                                 struct error *err);
void heads_free(struct anchor_heads *heads);

/* The anchors in use (in some head's mask), at most ANCHORS_MAX: how many. owner[i], if wanted,
 * gets the number of the head. */
int heads_anchors(const struct anchor_heads *heads, struct anchor *anchors, int *owner);

/* The head that learns a box of this size: the one whose mask has the best of all its anchors; the
 * first of several. -1: no head (an anchor that is in no mask fits best). */
int heads_find(const struct anchor_heads *heads, float w, float h);

/* A picture's box -> its size on the network's input. picture_w and picture_h matter only with a
 * letterbox; 0 = not known, taken as if stretched. */
struct anchor heads_box_size(const struct anchor_heads *heads, const struct box_cxcywh_norm *box,
                             int picture_w, int picture_h);

/* How many of `count` anchors, sorted by area, each head gets: as now if the number is that in use,
 * else as even as possible, large strides first. slots[count]. ERR_ARG if there are more
 * heads than anchors. */
NODISCARD enum result heads_share(const struct anchor_heads *heads, int count, int *slots,
                                  struct error *err);

/* Round to what the cfg will say: whole pixels, at least 1; cells to four decimals. */
void heads_round(const struct anchor_heads *heads, struct anchor *anchors, int count);

/* What must change in the cfg for these anchors (sorted by area; NULL: the old ones stay) and this
 * number of classes (0: the old one): anchors, mask, num and classes of the heads, and filters of
 * the convolutions above them. ERR_ARG as heads_share; ERR_CFG at a head with counters_per_class=
 * of another number, or without a convolution right above it. */
NODISCARD enum result heads_edit(const struct anchor_heads *heads, const struct anchor *anchors,
                                 int count, int classes, struct cfg_edits *edits,
                                 struct error *err);

/* Write a copy of the network's cfg with these anchors (sorted by area). The file is replaced as a
 * whole or not at all. */
NODISCARD enum result heads_write(const struct anchor_heads *heads, const struct network *net,
                                  const struct anchor *anchors, int count, const char *path,
                                  struct error *err);

#endif
