/* What a network is for follows from its last layers. */
#ifndef NET_TASK_H
#define NET_TASK_H

#include "net/network.h"

enum net_task {
    TASK_NONE,   /* nothing of it has a loss: it runs forward only */
    TASK_DETECT, /* it has detection heads */
    TASK_CLASSIFY, /* it ends with [softmax], a [cost] may follow: one value a class, 1 x 1 x classes */
    TASK_RECONSTRUCT, /* it ends with [cost] on an output of the input's shape. The target is the input, unless values
                         are given: a table may have as many targets as features */
    TASK_REGRESS, /* it ends with [cost] on anything else, or with [softmax] on a map: values are given. With names
                         of as many classes as values that is classification, too: the data decide */
};
enum net_task task_of(const struct network *net);
/* "detection", "classification", ... */
const char *task_name(enum net_task task);

/* Values of one image's target and of the last layer's output: as many as struct truth_set has then. 0 for TASK_NONE and
 * TASK_DETECT. The output itself is plan_output of the last layer. */
size_t task_values(const struct network *net);

#endif
