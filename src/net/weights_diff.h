/* How two .weights files of one network differ. */
#ifndef NET_WEIGHTS_DIFF_H
#define NET_WEIGHTS_DIFF_H

#include "net/weights.h"

/* Of two runs of floats. */
struct difference {
    size_t count;         /* values compared */
    size_t changed;       /* values whose bits differ */
    size_t bytes_changed; /* bytes that differ */
    double max_abs;       /* infinite where exactly one of two values is not a number */
};

struct weights_diff {
    struct weights_header headers[2];
    struct difference total;
    struct network net;       /* of the cfg, as the first file has it; empty without a cfg */
    struct difference *parts; /* by parameter, LAYER_MAX_PARAMS a layer; NULL without a cfg */
};

/* With the cfg of both files layer by layer, else (NULL) their values as a whole. ERR_FORMAT if they hold different
 * numbers of values. *diff is zeroed; free with weights_diff_free, also after an error. */
NODISCARD enum result weights_diff_find(const char *cfg, const char *const paths[2],
                                        struct weights_diff *diff, struct error *err);
void weights_diff_free(struct weights_diff *diff);

#endif
