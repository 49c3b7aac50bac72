#include "train/sum_tree.h"

#include <assert.h>
#include <stdbool.h>

/* Are the two, which lie side by side, the halves of a node? The second may be the smaller one only at the end. */
static bool are_halves(int mini_batches, struct sum_node a, struct sum_node b)
{
    bool is_left = (a.count & (a.count - 1)) == 0 && a.first % (2 * a.count) == 0;
    bool is_end = b.first + b.count == mini_batches;
    return is_left && (b.count == a.count || (b.count < a.count && is_end));
}

int sum_tree_add(struct sum_tree *tree, struct sum_node node)
{
    int sums = 0;
    assert(tree->held < SUM_TREE_NODES && node.first + node.count <= tree->mini_batches);
    tree->nodes[tree->held++] = node;
    while (tree->held > 1) {
        struct sum_node *a = &tree->nodes[tree->held - 2];
        struct sum_node *b = &tree->nodes[tree->held - 1];
        if (!are_halves(tree->mini_batches, *a, *b)) {
            break;
        }
        a->count += b->count;
        tree->held--;
        sums++;
    }
    return sums;
}

/* How often 2 divides it. */
static int evenness(int number)
{
    int twos = 0;
    for (; number > 0 && number % 2 == 0; number /= 2) {
        twos++;
    }
    return twos;
}

struct sum_share sum_tree_share(int mini_batches, int ranks, int rank)
{
    int most = (mini_batches + ranks - 1) / ranks;
    struct sum_share share = {0, 0};
    for (int r = 0; r <= rank; r++) {
        long rest = (long)most * (ranks - 1 - r); /* what those behind can take */
        int least = rest < mini_batches ? mini_batches - (int)rest : 0;
        share.first = share.end;
        share.end = share.first + most < mini_batches ? share.first + most : mini_batches;
        for (int cut = share.end - 1; cut > share.first && cut >= least; cut--) {
            share.end = evenness(cut) > evenness(share.end) ? cut : share.end;
        }
    }
    return share;
}

int sum_tree_room(int mini_batches, int first, int end)
{
    struct sum_tree tree = {.mini_batches = mini_batches};
    int most = 0;
    for (int i = first; i < end; i++) {
        most = tree.held + 1 > most ? tree.held + 1 : most;
        sum_tree_add(&tree, (struct sum_node){i, 1});
    }
    return most;
}
