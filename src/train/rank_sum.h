/* The gradients of an update, of which each process has summed its own mini-batches, become the sum of all on every process:
 * along train/sum_tree.h, so with the same bits on any number of them.
 *
 * The floats are cut into pieces, from the last one, whose gradient is known first, to the first. A piece has an owner, one
 * process after the other. Everybody sends it the nodes that he holds, it finishes the tree and sends everybody the sum.
 * So of n floats a process sends n for each of its nodes and receives as much, where Allreduce has 2 n; and the memory that
 * it takes does not depend on the number of processes. Pieces travel while others are still computed. */
#ifndef TRAIN_RANK_SUM_H
#define TRAIN_RANK_SUM_H

#include <stddef.h>

#include "base/error.h"

struct rank_sum;

/* For updates of so many mini-batches. Processes of base/ranks.h take part in the same sums in the same order. */
NODISCARD enum result rank_sum_new(int mini_batches, struct rank_sum **sum, struct error *err);
void rank_sum_free(struct rank_sum *sum); /* NULL is accepted */

/* Bytes it takes. */
size_t rank_sum_bytes(int mini_batches);
/* What this process sends of an update whose gradient has so many bytes. */
double rank_sum_sent(int mini_batches, double bytes);

/* Begin with the next update: nodes[i] + [0, floats) is node i of those that this process holds in the end. nodes[0] gets
 * the sum, also where it holds none. */
void rank_sum_begin(struct rank_sum *sum, float *const *nodes, size_t floats);
/* The nodes are complete from float `first` on: send what can be sent, without waiting. */
void rank_sum_ready(struct rank_sum *sum, size_t first);
/* They are complete; wait for the sum. */
void rank_sum_finish(struct rank_sum *sum);

#endif
