/* Errors of values: means, roots and explained variance, by hand. */
#include "eval/value_tally.h"

#include <math.h>

#include "test.h"

static void test_by_hand(void)
{
    struct value_tally t;
    struct error err;
    CHECK_OK(value_tally_init(&t, 3, &err));
    CHECK(isnan(value_tally_all(&t).mae) && isnan(value_tally_value(&t, 0).r2));
    static const float truth[4][3] = {{1, 10, 5}, {2, 20, 5}, {3, 30, 5}, {4, 40, 5}};
    static const float found[4][3] = {{1, 12, 5}, {2, 18, 6}, {4, 30, 5}, {4, 40, 4}};
    for (int i = 0; i < 4; i++) {
        value_tally_add(&t, 0, 2, truth[i], found[i]); /* in two parts, as the pixels of a map */
        value_tally_add(&t, 2, 1, truth[i] + 2, found[i] + 2);
    }
    struct value_numbers n = value_tally_value(&t, 0);
    CHECK_NEAR(n.mae, .25, 1e-12);
    CHECK_NEAR(n.rmse, .5, 1e-12);
    CHECK_NEAR(n.r2, 1 - 1.0 / 5, 1e-12);
    n = value_tally_value(&t, 1);
    CHECK_NEAR(n.mae, 1, 1e-12);
    CHECK_NEAR(n.rmse, sqrt(2), 1e-12);
    CHECK_NEAR(n.r2, 1 - 8.0 / 500, 1e-12);
    n = value_tally_value(&t, 2);
    CHECK_NEAR(n.mae, .5, 1e-12);
    CHECK(isnan(n.r2)); /* the truth is always the same */
    n = value_tally_all(&t);
    CHECK_NEAR(n.mae, (1 + 4 + 2) / 12.0, 1e-12);
    CHECK_NEAR(n.rmse, sqrt((1 + 8 + 2) / 12.0), 1e-12);
    CHECK_NEAR(n.r2, (.8 + 1 - 8.0 / 500) / 2, 1e-12);
    value_tally_free(&t);
}

/* Large values far from zero do not cancel. */
static void test_far(void)
{
    struct value_tally t;
    struct error err;
    CHECK_OK(value_tally_init(&t, 1, &err));
    for (int i = 0; i < 1000; i++) {
        float truth = 1e7f + (float)(i % 2), found = truth + .0f;
        value_tally_add(&t, 0, 1, &truth, &found);
    }
    CHECK_NEAR(t.sums[0].spread, 250, 1e-6);
    CHECK(value_tally_value(&t, 0).r2 == 1);
    value_tally_free(&t);
}

static const struct test_case cases[] = {{"by_hand", test_by_hand}, {"far", test_far}};
TEST_MAIN(cases)
