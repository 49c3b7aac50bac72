/* In which order the gradients of an update's mini-batches are summed: along a binary tree that their number alone makes.
 *
 *   node(first, count) = node(first, p) + node(first + p, count - p)      p: the largest power of two below count
 *
 * So mini-batches 0 .. 6 are ((0+1) + (2+3)) + ((4+5) + 6). The sum has the same bits whoever makes which part of it, and
 * at no time more nodes wait than the tree is high. One mini-batch is its own sum. */
#ifndef TRAIN_SUM_TREE_H
#define TRAIN_SUM_TREE_H

enum { SUM_TREE_NODES = 64 }; /* no tree is higher */

/* The sum of mini-batches [first, first + count) of an update. */
struct sum_node {
    int first, count;
};

/* The nodes that wait for their other halves, in ascending order. */
struct sum_tree {
    int mini_batches; /* of the whole update */
    int held;
    struct sum_node nodes[SUM_TREE_NODES];
};

/* The node that comes next in order. Returns how many sums follow, each of the two last nodes, which are one then. */
int sum_tree_add(struct sum_tree *tree, struct sum_node node);

/* Which mini-batches [first, end) of an update process `rank` of `ranks` makes. Neighbours, nobody more than needs be, and cut
 * where few nodes are. A process may have none. */
struct sum_share {
    int first, end;
};
struct sum_share sum_tree_share(int mini_batches, int ranks, int rank);

/* The most nodes there are at a time while mini-batches [first, end) come one by one, the latest with them. */
int sum_tree_room(int mini_batches, int first, int end);

#endif
