/* Classes added to a network beside those that it knows. The old layers stay as they are, and keep still; the new classes get
 * heads of their own behind the last layer, one for each grid that has a head:
 *
 *     ... -> features -> hidden convolution -> convolution -> [yolo]     old: class_range=0,4  stopbackward=1
 *                   \--> hidden convolution -> convolution -> [yolo]     new: class_range=5,5
 *
 * So what the old heads find is the same to the last bit, and box and objectness of the new classes are free. The hidden
 * convolution (where there is one that feeds nothing but the head) begins as a copy of the old one, the rows of the box as
 * copies of the old ones. Darknet wants one number of classes in all heads, so each has rows for all; those for which a
 * head is not are off (weights 0, bias -100) and keep still (net/class_rows.h). */
#ifndef NET_ADDED_HEADS_H
#define NET_ADDED_HEADS_H

#include "net/cfg_edit.h"
#include "net/network.h"

/* The old cfg (net->cfg.path is read again) with `added` more classes; `path` is for messages about it. ERR_UNSUPPORTED
 * with path:line: heads without that ([region] scores its classes against each other), or not behind a convolution;
 * ERR_CFG as cfg_edits_make. text->bytes is the caller's. */
NODISCARD enum result added_heads_cfg(struct network *old, int added, const char *path,
                                      struct cfg_text *text, struct error *err);

/* Parameters of the network that it describes, from those of the old one; what is new and not copied stays.
 * loaded[layer_count]: values that each layer got. ERR_FORMAT if it is not made from that network. */
NODISCARD enum result added_heads_fill(const struct network *old, struct network *net,
                                       size_t *loaded, struct error *err);

/* The first layer that was added; 0: none was. */
int added_heads_first(const struct network *net);
/* Whether the layer is a head beside which others were added. */
bool added_heads_is_old(const struct network *net, int layer);

/* How many values the old network has, and how many of them are other bytes in the new one. */
NODISCARD enum result added_heads_compare(const struct network *old, const struct network *net,
                                          size_t *values, size_t *changed, struct error *err);

#endif
