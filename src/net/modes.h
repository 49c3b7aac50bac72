/* The only author of layer modes: from what is frozen and how batch norm shall behave to one mode per
 * layer. See the table of semantics in docs/freezing.md. */
#ifndef NET_MODES_H
#define NET_MODES_H

#include "net/network.h"

enum bn_policy { BN_AUTO, BN_EVAL, BN_FROZEN, BN_TRAIN };

/* frozen[layer_count] -> modes[layer_count].
 * A frozen layer with no moving ancestor (through every input) becomes MODE_INFER; a frozen layer above a
 * moving one MODE_FROZEN; with BN_TRAIN frozen layers that have batch norm become MODE_ADAPT. Layers
 * without parameters follow their inputs: MODE_TRAIN if an ancestor moves, unless marked frozen. [dropout] that is
 * not marked frozen acts in any place, also on the image or right above a frozen prefix, and is such an ancestor. */
void modes_resolve(const struct network *net, const bool *frozen, enum bn_policy bn,
                   enum layer_mode *modes);

#endif
