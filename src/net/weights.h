/* Darknet .weights files: a header (major, minor, revision, images seen) and float32 arrays in layer
 * order without names or sizes; darknet-spec section 3. */
#ifndef NET_WEIGHTS_H
#define NET_WEIGHTS_H

#include "base/error.h"
#include "net/network.h"

struct weights_header {
    int32_t major, minor, revision;
    uint64_t seen;
    size_t header_bytes; /* 16 or 20 */
};

/* Load into an allocated network. The file must fit exactly, or end exactly on the border of a layer
 * (a .conv.N prefix): then net->loaded_layers says where, and the rest keeps its initial values.
 * Anything else is ERR_FORMAT naming the layer, bytes expected and found. Sets net->seen and loaded_layers
 * (= layer_count for a whole file). Not-a-number values are counted and warned about. */
NODISCARD enum result weights_load(const char *path, struct network *net, struct error *err);

/* Write layers [0, layers) as Darknet 0.2.5 (64-bit seen), through a temporary file and rename. */
NODISCARD enum result weights_save(const char *path, const struct network *net, int layers,
                                   uint64_t seen, struct error *err);

/* Only the header. */
NODISCARD enum result weights_peek(const char *path, struct weights_header *header,
                                   struct error *err);

#endif
