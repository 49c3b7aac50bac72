/* The tree along which an update's mini-batches are summed: its shape, its room, that parts of it made apart come to the
 * same bits, and that a training step goes along it. */
#include "train/sum_tree.h"

#include <string.h>

#include "fixture.h"
#include "kernels/vectors.h"
#include "test.h"
#include "train/step.h"

enum { MOST = 70, VALUES = 3 };

static float leaves[MOST][VALUES];

static void make_leaves(void)
{
    unsigned seed = 11;
    for (int i = 0; i < MOST; i++) {
        for (int k = 0; k < VALUES; k++) {
            leaves[i][k] = test_noise(&seed) * (i % 7 ? 1.0f : 1e5f);
        }
    }
}

/* By the definition in the header. */
static float defined(int first, int count, int value)
{
    int left = 1;
    if (count == 1) {
        return leaves[first][value];
    }
    while (left * 2 < count) {
        left *= 2;
    }
    return defined(first, left, value) + defined(first + left, count - left, value);
}

/* A part of the update, mini-batches [first, end), as nodes with their sums. */
struct part {
    struct sum_tree tree;
    float sums[SUM_TREE_NODES][VALUES];
};

static void add_node(struct part *p, struct sum_node node, const float *sum)
{
    int held = p->tree.held;
    memcpy(p->sums[held], sum, sizeof p->sums[held]);
    for (int sums = sum_tree_add(&p->tree, node); sums > 0; sums--, held--) {
        vec_accumulate(VALUES, p->sums[held], p->sums[held - 1]);
    }
}

static void make_part(struct part *p, int mini_batches, int first, int end)
{
    *p = (struct part){.tree.mini_batches = mini_batches};
    for (int i = first; i < end; i++) {
        add_node(p, (struct sum_node){i, 1}, leaves[i]);
    }
}

static bool is_defined_sum(const struct part *p, int count)
{
    bool is = p->tree.held == 1 && p->tree.nodes[0].first == 0 && p->tree.nodes[0].count == count;
    for (int k = 0; k < VALUES; k++) {
        float wanted = defined(0, count, k);
        is = is && memcmp(&p->sums[0][k], &wanted, sizeof wanted) == 0;
    }
    return is;
}

static void test_whole(void)
{
    make_leaves();
    for (int count = 1; count <= MOST; count++) {
        struct part whole;
        make_part(&whole, count, 0, count);
        CHECK_MSG(is_defined_sum(&whole, count), "%d mini-batches", count);
    }
}

/* Two cuts anywhere: three processes, of which some may have nothing to do. */
static void test_cut(void)
{
    make_leaves();
    for (int count = 1; count <= MOST; count += count < 20 ? 1 : 13) {
        for (int cut = 0; cut <= count; cut++) {
            for (int other = cut; other <= count; other++) {
                const int cuts[] = {0, cut, other, count};
                struct part all = {.tree.mini_batches = count}, one;
                for (int r = 0; r < 3; r++) {
                    make_part(&one, count, cuts[r], cuts[r + 1]);
                    for (int n = 0; n < one.tree.held; n++) {
                        add_node(&all, one.tree.nodes[n], one.sums[n]);
                    }
                }
                CHECK_MSG(is_defined_sum(&all, count), "%d mini-batches cut at %d and %d", count,
                          cut, other);
            }
        }
    }
}

/* One, and one for each doubling. */
static void test_room(void)
{
    for (int count = 1, room = 1; count < 3000; count++) {
        room += count == 1 << room;
        CHECK_MSG(sum_tree_room(count, 0, count) == room, "%d mini-batches", count);
    }
    CHECK(sum_tree_room(8, 3, 3) == 0 && sum_tree_room(8, 3, 6) == 3);
}

/* All mini-batches in order, nobody with more than needs be. */
static void test_share(void)
{
    for (int count = 1; count <= MOST; count++) {
        for (int ranks = 1; ranks < 12; ranks++) {
            int next = 0;
            for (int r = 0; r < ranks; r++) {
                struct sum_share share = sum_tree_share(count, ranks, r);
                CHECK_MSG(share.first == next && share.end >= next, "%d on %d", count, ranks);
                CHECK((share.end - share.first - 1) * ranks < count);
                next = share.end;
            }
            CHECK(next == count);
        }
    }
    /* Cut where few nodes are: 64 on 3 as 20, 22, 22. */
    CHECK(sum_tree_share(64, 3, 0).end == 20 && sum_tree_share(64, 3, 1).end == 42);
}

/* ---- a step ---- */

enum { BATCH = 2, SIDE = 8, STEPS = 7 };

static const char sections[] =
    "[convolutional]\nfilters=6\nsize=3\nstride=2\npad=1\nbatch_normalize=1\nactivation=leaky\n"
    "[convolutional]\nfilters=14\nsize=1\nactivation=linear\n"
    "[yolo]\nclasses=2\nnum=2\nmask=0,1\nanchors=3,3,5,6\nmax=9\n";

struct rig {
    struct fixture f;
    enum layer_mode modes[3];
    struct step step;
};

static bool open_rig(struct rig *r, int mini_batches)
{
    *r = (struct rig){.modes = {MODE_TRAIN, MODE_TRAIN, MODE_TRAIN}};
    struct step_options options = {
        .net = &r->f.net, .modes = r->modes, .batch = BATCH, .mini_batches = mini_batches};
    bool ok = fixture_open(&r->f, SIDE, SIDE, 3, sections) &&
              kernels_select(NULL, &options.kernels, &r->f.err) == OK;
    if (ok) {
        network_initialise(&r->f.net, 3);
    }
    return ok && step_open(&options, &r->step, &r->f.err) == OK;
}

static void close_rig(struct rig *r)
{
    step_close(&r->step);
    fixture_close(&r->f);
}

/* Mini-batch number `number` of an update. */
static void run_mini_batch(struct rig *r, int number)
{
    struct truth truth = {.box = {.5f, .5f, .4f, .3f + .05f * (float)number}, .class_id = 1};
    const struct truth_set truths[BATCH] = {{.items = &truth, .count = 1}};
    const struct tensor *input = plan_input(r->step.plan);
    unsigned seed = (unsigned)number + 1;
    for (size_t i = 0; i < tensor_pixels(input) * (size_t)input->c; i++) {
        input->data[i] = fabsf(test_noise(&seed));
    }
    const struct step_input in = {.truths = truths, .images = BATCH, .bn_momentum = 0.1f};
    struct loss_parts parts = step_loss(r->step.plan, &in);
    step_backward(&r->step, BATCH, &parts);
}

/* Node (first, count) of the tree from gradients of updates of one mini-batch each. */
static void sum_by_hand(struct rig *alone, int first, int count, float *sum, size_t floats)
{
    int left = 1;
    if (count == 1) {
        step_begin(&alone->step);
        run_mini_batch(alone, first);
        memcpy(sum, plan_gradient_set(alone->step.plan, 0), floats * sizeof *sum);
        return;
    }
    while (left * 2 < count) {
        left *= 2;
    }
    float *other = calloc(floats, sizeof *other);
    sum_by_hand(alone, first, left, sum, floats);
    sum_by_hand(alone, first + left, count - left, other, floats);
    for (size_t i = 0; i < floats; i++) {
        sum[i] += other[i];
    }
    free(other);
}

static void test_step(void)
{
    for (int count = 1; count <= STEPS; count++) {
        struct rig alone, whole;
        CHECK(open_rig(&alone, 1) && open_rig(&whole, count));
        step_begin(&whole.step);
        for (int i = 0; i < count; i++) {
            run_mini_batch(&whole, i);
        }
        size_t floats = plan_gradient_floats(whole.step.plan);
        float *wanted = calloc(floats, sizeof *wanted);
        sum_by_hand(&alone, 0, count, wanted, floats);
        CHECK_MSG(memcmp(plan_gradient_set(whole.step.plan, 0), wanted, floats * sizeof *wanted) ==
                      0,
                  "%d mini-batches", count);
        /* What waits is counted. */
        size_t sets = (size_t)sum_tree_room(count, 0, count);
        CHECK(step_bytes(&whole.step) ==
              step_bytes(&alone.step) + (sets - 1) * floats * sizeof(float));
        CHECK(isfinite(step_update(&whole.step, 0.01f)) &&
              whole.step.images == BATCH * (size_t)count);
        free(wanted);
        close_rig(&alone);
        close_rig(&whole);
    }
}

/* A recorded mini-batch moves the statistics as its forward pass would have. */
static void test_records(void)
{
    struct rig direct, recorded;
    float records[2][64];
    CHECK(open_rig(&direct, 2) && open_rig(&recorded, 2));
    struct plan *plan = recorded.step.plan;
    CHECK(plan_record_floats(plan) > 0 && plan_record_floats(plan) <= 64);
    step_begin(&direct.step);
    step_begin(&recorded.step);
    for (int i = 0; i < 2; i++) {
        plan_record_statistics(plan, records[i]);
        run_mini_batch(&direct, i);
        run_mini_batch(&recorded, i);
    }
    const char *const roles[] = {"rolling_mean", "rolling_variance"};
    for (int moves = 0; moves < 2; moves++) {
        for (int i = 0; moves && i < 2; i++) {
            plan_move_statistics(plan, records[i]);
        }
        for (int k = 0; k < 2; k++) {
            const struct param *moved = layer_param(&direct.f.net.layers[0], roles[k]);
            const struct param *kept = layer_param(&recorded.f.net.layers[0], roles[k]);
            bool is_same = memcmp(moved->data, kept->data, moved->count * sizeof(float)) == 0;
            CHECK(is_same == (moves == 1));
        }
    }
    close_rig(&direct);
    close_rig(&recorded);
}

static const struct test_case cases[] = {{"whole", test_whole}, {"cut", test_cut},
                                         {"room", test_room},   {"share", test_share},
                                         {"step", test_step},   {"records", test_records}};

TEST_MAIN(cases)
