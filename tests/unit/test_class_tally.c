/* A classifier's metrics, against numbers counted by hand. */
#include "eval/class_tally.h"

#include <math.h>

#include "base/memory.h"
#include "test.h"

static struct error err;

static void test_best(void)
{
    const float scores[] = {.1f, .5f, NAN, .5f, .9f, .2f};
    const bool wanted[] = {true, true, true, true, false, false};
    size_t best[8];
    CHECK(class_best(scores, 6, NULL, best, 3) == 3);
    CHECK(best[0] == 4 && best[1] == 1 && best[2] == 3); /* equal: the lower number first */
    CHECK(class_best(scores, 6, NULL, best, 8) == 6);
    CHECK(best[3] == 5 && best[4] == 0 && best[5] == 2); /* no number: the last */
    CHECK(class_best(scores, 6, wanted, best, 8) == 4);
    CHECK(best[0] == 1 && best[1] == 3 && best[2] == 0 && best[3] == 2);
    CHECK(class_best(scores, 6, NULL, best, 0) == 0);
}

/* Seven classes, of which the last has no picture. Pictures are (truth, found, rank of the truth). */
static void test_numbers(void)
{
    static const size_t pictures[][3] = {{0, 0, 0}, {0, 0, 0}, {0, 1, 1}, {1, 1, 0},
                                         {1, 2, 6}, {2, 2, 0}, {3, 2, 4}, {4, 4, 0}};
    struct class_tally t;
    CHECK_OK(class_tally_init(&t, 7, &err));
    CHECK(t.top == 5);
    for (size_t i = 0; i < sizeof pictures / sizeof pictures[0]; i++) {
        const size_t *p = pictures[i];
        float scores[7];
        float next = 10;
        for (size_t k = 0; k < 7; k++) { /* the found one first, the truth at its rank */
            scores[k] = k == p[1] ? 20 : next--;
        }
        if (p[0] != p[1]) {
            float sorted[7];
            size_t best[7];
            scores[p[0]] = -50;
            class_best(scores, 7, NULL, best, 7);
            for (size_t r = 0; r < 7; r++) {
                sorted[r] = scores[best[r]];
            }
            scores[p[0]] = p[2] < 6 ? (sorted[p[2] - 1] + sorted[p[2]]) / 2 : -50;
        }
        class_tally_add(&t, p[0], scores);
    }
    class_tally_add_unread(&t, 5);
    CHECK(class_tally_count(&t, 0, 0) == 2 && class_tally_count(&t, 0, 1) == 1);
    CHECK(class_tally_count(&t, 1, 2) == 1 && class_tally_count(&t, 5, 5) == 0);

    struct class_numbers n = class_tally_class(&t, 0);
    CHECK(n.images == 3 && n.found == 2);
    CHECK_NEAR(n.precision, 1, 0);
    CHECK_NEAR(n.recall, 2.0 / 3, 1e-15);
    CHECK_NEAR(n.f1, 2 * (2.0 / 3) / (5.0 / 3), 1e-15);
    CHECK_NEAR(n.top, 1, 0);
    n = class_tally_class(&t, 1);
    CHECK_NEAR(n.precision, .5, 0);
    CHECK_NEAR(n.recall, .5, 0);
    CHECK_NEAR(n.top, .5, 0); /* rank 6 is not among five */
    n = class_tally_class(&t, 3);
    CHECK(n.images == 1 && n.found == 0 && n.precision == -1.0 && n.recall == 0.0 && n.f1 == 0.0);
    CHECK_NEAR(n.top, 1, 0); /* rank 4 is */
    n = class_tally_class(&t, 5);
    CHECK(n.images == 1 && n.recall == 0.0 && n.top == 0.0);
    n = class_tally_class(&t, 6);
    CHECK(n.images == 0 && n.recall == -1.0 && n.f1 == -1.0 && n.top == -1.0);

    struct class_numbers all = class_tally_all(&t);
    CHECK(all.images == 9 && all.found == 8);
    CHECK_NEAR(all.recall, 5.0 / 9, 1e-15);
    CHECK_NEAR(all.top, 7.0 / 9, 1e-15);
    CHECK_NEAR(all.precision, (1 + .5 + 1.0 / 3 + 0 + 1 + 0) / 6, 1e-15);
    CHECK_NEAR(all.f1, (.8 + .5 + .5 + 0 + 1 + 0) / 6, 1e-15);
    CHECK_NEAR(class_tally_balanced(&t), (2.0 / 3 + .5 + 1 + 0 + 1 + 0) / 6, 1e-15);
    class_tally_free(&t);
}

static void test_edges(void)
{
    struct class_tally t;
    CHECK_OK(class_tally_init(&t, 2, &err));
    CHECK(t.top == 2);
    CHECK(class_tally_all(&t).recall == -1.0 && class_tally_balanced(&t) == -1.0);
    const float nothing[] = {NAN, NAN};
    class_tally_add(&t, 1, nothing);
    CHECK(class_tally_count(&t, 1, 0) == 1 && class_tally_all(&t).top == 1.0);
    class_tally_free(&t);
    for (long n = 0; n < 3; n++) {
        mem_fail_after(n);
        CHECK(class_tally_init(&t, 3, &err) == ERR_MEMORY);
        mem_fail_after(-1);
        class_tally_free(&t);
    }
    CHECK(class_tally_init(&t, (size_t)1 << 40, &err) == ERR_MEMORY);
    class_tally_free(&t);
}

static const struct test_case cases[] = {
    {"best", test_best}, {"numbers", test_numbers}, {"edges", test_edges}};
TEST_MAIN(cases)
