/* Darknet .weights files: a header (major, minor, revision, images seen) and float32 arrays in layer
 * order without names or sizes; darknet-spec section 3. */
#ifndef NET_WEIGHTS_H
#define NET_WEIGHTS_H

#include "base/error.h"
#include "net/class_rows.h"
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

/* A file that fits a network (as above, with the same errors), whose layers are read one by one: by a plan, which packs each
 * at once, so that only one layer's values are in memory. Sets net->seen and loaded_layers. `path` must outlive it. */
struct weights_file;
NODISCARD enum result weights_open(const char *path, struct network *net,
                                   struct weights_file **file, struct error *err);
/* The next layer, from 0 on, into the memory that it has; what is not in the file gets its initial value. The last one warns
 * of odd values. */
NODISCARD enum result weights_read_next(struct weights_file *file, struct network *net,
                                        struct error *err);
void weights_close(struct weights_file *file); /* NULL is accepted */

/* For how many classes the file was trained: the number for which it fits the network exactly (the layers that feed the
 * heads have `slots` filters per class). 0: it is cut on a layer's border, or fits no number of classes. */
NODISCARD enum result weights_find_classes(const char *path, const struct network *net,
                                           int *classes, struct error *err);

/* As weights_load, but the file may be of the same network trained for other classes. Everything is loaded but the layers
 * that feed the heads; of those, `match` says which rows are those of the file (net/class_rows.h). NULL: nothing is known
 * of its classes, then they are loaded if their number is the same. A file that ends on a layer's border loads as
 * weights_load does. loaded[layer_count] gets how many values each layer got, *classes for how many the file was trained.
 * ERR_FORMAT if no number of classes fits, or not that of match. */
NODISCARD enum result weights_load_transfer(const char *path, struct network *net,
                                            const struct class_match *match, size_t *loaded,
                                            int *classes, struct error *err);

/* Write layers [0, layers) as Darknet 0.2.5 (64-bit seen), through a temporary file and rename. */
NODISCARD enum result weights_save(const char *path, const struct network *net, int layers,
                                   uint64_t seen, struct error *err);

/* Only the header, as long as its version says. */
NODISCARD enum result weights_peek(const char *path, struct weights_header *header,
                                   struct error *err);

/* Read the headers of two files of one network, which have equally many values. Where by their versions they have not, but
 * would with the other length of one header, that length is taken, with a warning, as weights_load does by the network. */
NODISCARD enum result weights_peek_pair(const char *const paths[2],
                                        struct weights_header headers[2], struct error *err);

#endif
