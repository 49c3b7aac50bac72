#include "train/rank_sum.h"

#include <string.h>

#include "base/memory.h"
#include "base/ranks.h"
#include "train/sum_tree.h"

enum {
    MOST_PIECE = 1 << 16, /* floats */
    LEAST_PIECE = 1 << 10,
    BUFFER = 1 << 21, /* floats of all nodes of a piece */
    ROUNDS = 2,       /* pieces of each owner that are under way at a time */
    TAGS = 16384
};

/* A piece is sent to its owner, summed there, and sent back. */
enum stage { GOING, COMING, ARRIVED };

struct piece {
    size_t number, first, count; /* floats [first, first + count) */
    int owner;
    enum stage stage;
    struct ranks_message *messages; /* [message_room] */
    int message_count;
    float *buffer; /* of the owner's: the others' nodes, one behind the other */
};

struct rank_sum {
    int mini_batches, ranks, own;
    int held;                             /* nodes of this process */
    int all;                              /* nodes of all processes */
    size_t piece_floats, window;          /* pieces under way */
    struct piece *pieces;                 /* [window], piece n at n % window */
    struct ranks_message *messages;       /* of all pieces */
    float *buffers;                       /* [ROUNDS][all - held][piece_floats] */
    float **parts;                        /* [all], of the piece at hand */
    float *nodes[SUM_TREE_NODES];         /* of this update */
    size_t floats, count, begun, arrived; /* pieces */
    size_t ready;                         /* floats from here on are complete */
};

/* The nodes of a process's share; returns how many. */
static int nodes_of(int mini_batches, int ranks, int rank, struct sum_node *nodes)
{
    struct sum_share share = sum_tree_share(mini_batches, ranks, rank);
    struct sum_tree tree = {.mini_batches = mini_batches};
    for (int i = share.first; i < share.end; i++) {
        sum_tree_add(&tree, (struct sum_node){i, 1});
    }
    memcpy(nodes, tree.nodes, sizeof tree.nodes);
    return tree.held;
}

static int all_nodes(int mini_batches)
{
    struct sum_node ignored[SUM_TREE_NODES];
    int ranks = ranks_count(), all = 0;
    for (int r = 0; r < ranks; r++) {
        all += nodes_of(mini_batches, ranks, r, ignored);
    }
    return all;
}

static int own_nodes(int mini_batches)
{
    struct sum_node ignored[SUM_TREE_NODES];
    return nodes_of(mini_batches, ranks_count(), ranks_own(), ignored);
}

static size_t piece_floats(int all)
{
    size_t floats = (size_t)BUFFER / (size_t)all;
    floats = floats < MOST_PIECE ? floats : MOST_PIECE;
    return floats > LEAST_PIECE ? floats : LEAST_PIECE;
}

size_t rank_sum_bytes(int mini_batches)
{
    int all = all_nodes(mini_batches), others = all - own_nodes(mini_batches);
    return ranks_count() > 1 ? ROUNDS * (size_t)others * piece_floats(all) * sizeof(float) : 0;
}

double rank_sum_sent(int mini_batches, double bytes)
{
    double ranks = ranks_count(), others = (ranks - 1.0) / ranks;
    return others * bytes * (own_nodes(mini_batches) + 1.0);
}

enum result rank_sum_new(int mini_batches, struct rank_sum **sum, struct error *err)
{
    struct rank_sum *s = mem_alloc(1, sizeof *s);
    if (!s) {
        return mem_error(err, "sums over processes");
    }
    *s = (struct rank_sum){.mini_batches = mini_batches,
                           .ranks = ranks_count(),
                           .own = ranks_own(),
                           .held = own_nodes(mini_batches),
                           .all = all_nodes(mini_batches)};
    s->piece_floats = piece_floats(s->all);
    s->window = ROUNDS * (size_t)s->ranks;
    size_t room = (size_t)(s->all > s->ranks ? s->all : s->ranks);
    s->pieces = mem_alloc(s->window, sizeof *s->pieces);
    s->messages = mem_alloc(s->window * room, sizeof *s->messages);
    s->parts = mem_alloc((size_t)s->all, sizeof *s->parts);
    s->buffers = mem_alloc_raw(rank_sum_bytes(mini_batches), 1);
    if (!s->pieces || !s->messages || !s->parts || !s->buffers) {
        rank_sum_free(s);
        return mem_error(err, "sums over processes");
    }
    for (size_t i = 0; i < s->window; i++) {
        size_t others = (size_t)(s->all - s->held);
        s->pieces[i].messages = s->messages + i * room;
        s->pieces[i].buffer = s->buffers + i / (size_t)s->ranks * others * s->piece_floats;
    }
    *sum = s;
    return OK;
}

void rank_sum_free(struct rank_sum *sum)
{
    if (sum) {
        mem_free(sum->pieces);
        mem_free(sum->messages);
        mem_free(sum->parts);
        mem_free(sum->buffers);
        mem_free(sum);
    }
}

void rank_sum_begin(struct rank_sum *sum, float *const *nodes, size_t floats)
{
    int held = sum->held > 0 ? sum->held : 1;
    memcpy(sum->nodes, nodes, (size_t)held * sizeof *nodes);
    sum->floats = sum->ready = floats;
    sum->count = (floats + sum->piece_floats - 1) / sum->piece_floats;
    sum->begun = sum->arrived = 0;
}

/* ---- a piece ---- */

static int tag_of(const struct piece *p, enum stage stage)
{
    return (int)(p->number % TAGS) * 2 + (stage == COMING);
}

static struct ranks_message *next_message(struct piece *p)
{
    struct ranks_message *message = &p->messages[p->message_count++];
    message->is_open = false;
    return message;
}

static bool are_done(struct piece *p)
{
    bool done = true;
    for (int i = 0; i < p->message_count; i++) {
        done = ranks_is_done(&p->messages[i]) && done;
    }
    return done;
}

/* The owner receives the others' nodes. */
static void expect_nodes(struct rank_sum *s, struct piece *p)
{
    struct sum_node ignored[SUM_TREE_NODES];
    float *into = p->buffer;
    for (int r = 0; r < s->ranks; r++) {
        int nodes = r == s->own ? 0 : nodes_of(s->mini_batches, s->ranks, r, ignored);
        for (int n = 0; n < nodes; n++, into += s->piece_floats) {
            ranks_receive(next_message(p), into, p->count * sizeof(float), r, tag_of(p, GOING));
        }
    }
}

static void send_nodes(struct rank_sum *s, struct piece *p)
{
    for (int n = 0; n < s->held; n++) {
        ranks_send(next_message(p), s->nodes[n] + p->first, p->count * sizeof(float), p->owner,
                   tag_of(p, GOING));
    }
}

static void begin_piece(struct rank_sum *s)
{
    struct piece *p = &s->pieces[s->begun % s->window];
    size_t end = s->floats - s->begun * s->piece_floats;
    p->number = s->begun++;
    p->owner = (int)(p->number % (size_t)s->ranks);
    p->first = end > s->piece_floats ? end - s->piece_floats : 0;
    p->count = end - p->first;
    p->stage = GOING;
    p->message_count = 0;
    if (p->owner == s->own) {
        expect_nodes(s, p);
    } else {
        send_nodes(s, p);
    }
}

/* Finish the tree: own nodes and the others' in their order. */
static void sum_piece(struct rank_sum *s, const struct piece *p)
{
    struct sum_tree tree = {.mini_batches = s->mini_batches};
    struct sum_node nodes[SUM_TREE_NODES];
    float *from = p->buffer;
    for (int r = 0; r < s->ranks; r++) {
        int count = nodes_of(s->mini_batches, s->ranks, r, nodes);
        for (int n = 0; n < count; n++) {
            bool is_own = r == s->own;
            int held = tree.held;
            s->parts[held] = is_own ? s->nodes[n] + p->first : from;
            from += is_own ? 0 : s->piece_floats;
            for (int sums = sum_tree_add(&tree, nodes[n]); sums > 0; sums--, held--) {
                sum_floats(s->parts[held - 1], s->parts[held], 0, p->count);
            }
        }
    }
    if (s->parts[0] != s->nodes[0] + p->first) {
        memcpy(s->nodes[0] + p->first, s->parts[0], p->count * sizeof(float));
    }
}

/* The owner sends the sum, the others receive it where their first node was. */
static void exchange_sum(struct rank_sum *s, struct piece *p)
{
    float *sum = s->nodes[0] + p->first;
    p->message_count = 0;
    p->stage = COMING;
    if (p->owner != s->own) {
        ranks_receive(next_message(p), sum, p->count * sizeof(float), p->owner, tag_of(p, COMING));
        return;
    }
    sum_piece(s, p);
    for (int r = 0; r < s->ranks; r++) {
        if (r != s->own) {
            ranks_send(next_message(p), sum, p->count * sizeof(float), r, tag_of(p, COMING));
        }
    }
}

static void advance_piece(struct rank_sum *s, struct piece *p)
{
    if (p->stage != ARRIVED && are_done(p)) {
        if (p->stage == GOING) {
            exchange_sum(s, p);
        } else {
            p->stage = ARRIVED;
        }
    }
}

/* ---- all pieces ---- */

static bool can_begin(const struct rank_sum *s)
{
    size_t behind = (s->begun + 1) * s->piece_floats;
    size_t first = s->floats > behind ? s->floats - behind : 0;
    return s->begun < s->count && s->begun - s->arrived < s->window && first >= s->ready;
}

static void advance(struct rank_sum *s)
{
    while (can_begin(s)) {
        begin_piece(s);
    }
    for (size_t n = s->arrived; n < s->begun; n++) {
        advance_piece(s, &s->pieces[n % s->window]);
    }
    while (s->arrived < s->begun && s->pieces[s->arrived % s->window].stage == ARRIVED) {
        s->arrived++;
    }
}

void rank_sum_ready(struct rank_sum *sum, size_t first)
{
    sum->ready = first;
    advance(sum);
}

void rank_sum_finish(struct rank_sum *sum)
{
    int tries = 0;
    sum->ready = 0;
    while (sum->arrived < sum->count) {
        size_t before = sum->arrived;
        advance(sum);
        if (sum->arrived == before) {
            ranks_pause(&tries);
        } else {
            tries = 0;
        }
    }
}
