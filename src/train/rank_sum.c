#include "train/rank_sum.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "base/cores.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "base/ranks.h"
#include "kernels/vectors.h"
#include "train/sum_tree.h"

enum {
    MOST_PIECE = 1 << 16, /* floats */
    LEAST_PIECE = 1 << 10,
    BUFFER = 1 << 22, /* floats that arrive */
    LEAST_ROUNDS = 2, /* pieces of each owner that are under way at a time */
    MOST_ROUNDS = 8,
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

/* Which process holds a node in the end. */
struct held_node {
    int rank;
    struct sum_node node;
};

struct rank_sum {
    int mini_batches, ranks, own;
    struct held_node *order;              /* [all], of all processes */
    int held;                             /* of this one */
    int all;                              /* of all */
    size_t piece_floats, window;          /* pieces under way */
    struct piece *pieces;                 /* [window], piece n at n % window */
    struct ranks_message *messages;       /* of all pieces */
    float *buffers;                       /* [rounds][all - held][piece_floats] */
    float **parts;                        /* [all], of the piece at hand */
    float *nodes[SUM_TREE_NODES];         /* of this update */
    size_t floats, count, begun, arrived; /* pieces */
    size_t complete;                      /* floats from here on are, as the courier knows */

    pthread_t courier;
    bool has_courier;
    pthread_mutex_t lock; /* of what follows; the rest is the courier's while it is busy */
    pthread_cond_t news, idle;
    size_t ready; /* floats from here on are complete */
    bool is_busy, ends;
    bool is_awaited; /* nobody computes */
};

/* ---- how many, how large ---- */

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

struct sizes {
    int held, all; /* nodes */
    size_t piece_floats, rounds;
};

static struct sizes sizes_of(int mini_batches)
{
    struct sum_node ignored[SUM_TREE_NODES];
    struct sizes s = {0};
    for (int r = 0; r < ranks_count(); r++) {
        int nodes = nodes_of(mini_batches, ranks_count(), r, ignored);
        s.all += nodes;
        s.held += r == ranks_own() ? nodes : 0;
    }
    size_t floats = (size_t)BUFFER / LEAST_ROUNDS / (size_t)s.all;
    floats = floats < MOST_PIECE ? floats : MOST_PIECE;
    s.piece_floats = floats > LEAST_PIECE ? floats : LEAST_PIECE;
    size_t rounds = (size_t)BUFFER / (size_t)s.all / s.piece_floats;
    rounds = rounds < MOST_ROUNDS ? rounds : MOST_ROUNDS;
    s.rounds = rounds > LEAST_ROUNDS ? rounds : LEAST_ROUNDS;
    return s;
}

static size_t buffer_bytes(const struct sizes *s)
{
    return s->rounds * (size_t)(s->all - s->held) * s->piece_floats * sizeof(float);
}

size_t rank_sum_bytes(int mini_batches)
{
    struct sizes s = sizes_of(mini_batches);
    return ranks_count() > 1 ? buffer_bytes(&s) : 0;
}

double rank_sum_sent(int mini_batches, double bytes)
{
    double ranks = ranks_count(), others = (ranks - 1.0) / ranks;
    return others * bytes * (sizes_of(mini_batches).held + 1.0);
}

/* ---- opening and closing ---- */

static void list_nodes(struct rank_sum *s)
{
    struct held_node *next = s->order;
    for (int r = 0; r < s->ranks; r++) {
        struct sum_node nodes[SUM_TREE_NODES];
        int count = nodes_of(s->mini_batches, s->ranks, r, nodes);
        for (int n = 0; n < count; n++) {
            *next++ = (struct held_node){r, nodes[n]};
        }
    }
}

static void *courier_main(void *ctx);

/* It leaves signals to the threads that know of them. */
static bool start_courier(struct rank_sum *s)
{
    sigset_t all, old;
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->news, NULL);
    pthread_cond_init(&s->idle, NULL);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    s->has_courier = cores_start_thread(&s->courier, courier_main, s) == 0;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return s->has_courier;
}

enum result rank_sum_new(int mini_batches, struct rank_sum **sum, struct error *err)
{
    struct sizes sizes = sizes_of(mini_batches);
    struct rank_sum *s = mem_alloc(1, sizeof *s);
    if (!s) {
        return mem_error(err, "sums over processes");
    }
    *s = (struct rank_sum){.mini_batches = mini_batches,
                           .ranks = ranks_count(),
                           .own = ranks_own(),
                           .held = sizes.held,
                           .all = sizes.all,
                           .piece_floats = sizes.piece_floats,
                           .window = sizes.rounds * (size_t)ranks_count()};
    size_t room = (size_t)(s->all > s->ranks ? s->all : s->ranks);
    s->order = mem_alloc((size_t)s->all, sizeof *s->order);
    s->pieces = mem_alloc(s->window, sizeof *s->pieces);
    s->messages = mem_alloc(s->window * room, sizeof *s->messages);
    s->parts = mem_alloc((size_t)s->all, sizeof *s->parts);
    s->buffers = mem_alloc_raw(buffer_bytes(&sizes), 1);
    if (!s->order || !s->pieces || !s->messages || !s->parts || !s->buffers || !start_courier(s)) {
        rank_sum_free(s);
        return mem_error(err, "sums over processes");
    }
    list_nodes(s);
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
    if (!sum) {
        return;
    }
    if (sum->has_courier) {
        pthread_mutex_lock(&sum->lock);
        sum->ends = true;
        pthread_cond_signal(&sum->news);
        pthread_mutex_unlock(&sum->lock);
        pthread_join(sum->courier, NULL);
    }
    mem_free(sum->order);
    mem_free(sum->pieces);
    mem_free(sum->messages);
    mem_free(sum->parts);
    mem_free(sum->buffers);
    mem_free(sum);
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
    float *into = p->buffer;
    for (int n = 0; n < s->all; n++) {
        if (s->order[n].rank != s->own) {
            ranks_receive(next_message(p), into, p->count * sizeof(float), s->order[n].rank,
                          tag_of(p, GOING));
            into += s->piece_floats;
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
    float *const *own = s->nodes;
    float *from = p->buffer;
    for (int n = 0; n < s->all; n++) {
        bool is_own = s->order[n].rank == s->own;
        int held = tree.held;
        s->parts[held] = is_own ? *own++ + p->first : from;
        from += is_own ? 0 : s->piece_floats;
        for (int sums = sum_tree_add(&tree, s->order[n].node); sums > 0; sums--, held--) {
            vec_accumulate(p->count, s->parts[held], s->parts[held - 1]);
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
    return s->begun < s->count && s->begun - s->arrived < s->window && first >= s->complete;
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

/* ---- the courier ---- */

/* Wait for something to do; false: there will be nothing. */
static bool has_work(struct rank_sum *s, bool *is_awaited)
{
    pthread_mutex_lock(&s->lock);
    if (s->is_busy && s->arrived == s->count) {
        s->is_busy = false;
        pthread_cond_signal(&s->idle);
    }
    s->complete = s->ready;
    while (!s->ends && (!s->is_busy || (s->begun == s->arrived && !can_begin(s)))) {
        pthread_cond_wait(&s->news, &s->lock);
        s->complete = s->ready;
    }
    *is_awaited = s->is_awaited;
    bool has = !s->ends;
    pthread_mutex_unlock(&s->lock);
    return has;
}

static void carry(void *ctx)
{
    struct rank_sum *s = ctx;
    bool is_awaited;
    for (int tries = 0; has_work(s, &is_awaited);) {
        size_t before = s->arrived;
        advance(s);
        if (s->arrived > before) {
            tries = 0;
        } else if (is_awaited) {
            ranks_pause(&tries);
        } else {
            ranks_rest();
        }
    }
}

static void *courier_main(void *ctx)
{
    parallel_alone(carry, ctx);
    return NULL;
}

void rank_sum_begin(struct rank_sum *sum, float *const *nodes, size_t floats)
{
    int held = sum->held > 0 ? sum->held : 1;
    pthread_mutex_lock(&sum->lock);
    memcpy(sum->nodes, nodes, (size_t)held * sizeof *nodes);
    sum->floats = sum->complete = sum->ready = floats;
    sum->count = (floats + sum->piece_floats - 1) / sum->piece_floats;
    sum->begun = sum->arrived = 0;
    sum->is_awaited = false;
    sum->is_busy = floats > 0;
    pthread_mutex_unlock(&sum->lock);
}

void rank_sum_ready(struct rank_sum *sum, size_t first)
{
    pthread_mutex_lock(&sum->lock);
    sum->ready = first;
    pthread_cond_signal(&sum->news);
    pthread_mutex_unlock(&sum->lock);
}

void rank_sum_finish(struct rank_sum *sum)
{
    pthread_mutex_lock(&sum->lock);
    sum->ready = 0;
    sum->is_awaited = true;
    pthread_cond_signal(&sum->news);
    while (sum->is_busy) {
        pthread_cond_wait(&sum->idle, &sum->lock);
    }
    pthread_mutex_unlock(&sum->lock);
}
