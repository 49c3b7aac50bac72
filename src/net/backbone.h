/* The parts of a detection network, read from its graph: backbone, neck, heads.
 *
 *     image -> backbone ----------------------> neck -> convolution -> [yolo]
 *                 |  finer grids, laterally      ^ |
 *                 +------------------------------+ +-> convolution -> [yolo]
 *                                                      `------ heads ------'
 *
 * heads     Every detection layer, and above it the nearest layers with parameters that feed nothing but it, with the
 *           parameterless layers between: the convolution whose filters count the classes.
 * backbone  The beginning of the file, up to where the features of the coarsest grid are ready (coarsest of the layers
 *           that see no upsampling):
 *           - It ends before the first head, upsampling or pass-through ([reorg] of an earlier layer) that follows the
 *             coarsest grid.
 *           - Where blocks of several paths (residual, cross-stage partial, ELAN) stand on the coarsest grid, it ends
 *             with the last of them; a concatenation takes the convolution behind it along.
 *           - A block that pools at stride 1 (spatial pyramid pooling) belongs to the neck already.
 *           So plain convolutions behind the last block are neck (yolov3: 0-74, yolov4: 0-104), but where there are
 *           only plain ones, they all are backbone (yolov4-tiny: 0-28, yolov3-tiny: 0-14).
 * neck      The rest; may be empty. */
#ifndef NET_BACKBONE_H
#define NET_BACKBONE_H

#include "net/network.h"

enum net_part { PART_BACKBONE, PART_NECK, PART_HEAD, PART_COUNT };

extern const char *const part_names[PART_COUNT]; /* "backbone", "neck", "head" */

/* parts[layer_count]. ERR_CFG at the file if the network has no detection head. */
NODISCARD enum result parts_find(const struct network *net, enum net_part *parts,
                                 struct error *err);

#endif
