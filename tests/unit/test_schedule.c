/* Learning-rate policies against values worked out by hand from darknet-spec 6.4. */
#include "train/schedule.h"

#include "fixture.h"
#include "test.h"

#define CHECK_RATE(schedule, n, expected)                                                          \
    CHECK_NEAR(schedule_rate((schedule), (n)), (expected), 1e-6 * fabs((double)(expected)) + 1e-12)

/* The policy of a cfg's section by that name. */
static bool schedule_policy(const char *name, enum rate_policy *policy)
{
    char text[64];
    struct cfg cfg = {0};
    struct error err;
    int word;
    int length = snprintf(text, sizeof text, "[net]\npolicy=%s\n", name);
    bool is_known = cfg_parse("t.cfg", text, (size_t)length, &cfg, &err) == OK &&
                    cfg_choice(&cfg.sections[0], "policy", rate_policies, RATE_POLICY_COUNT, -1,
                               &word, &err) == OK;
    if (is_known) {
        *policy = (enum rate_policy)word;
    }
    cfg_free(&cfg);
    return is_known;
}

static void test_names(void)
{
    static const char *const names[] = {"constant", "step",   "steps", "exp",   "poly",
                                        "sigmoid",  "random", "sgdr",  "cosine"};
    enum rate_policy policy = RATE_POLICY_COUNT;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        CHECK(schedule_policy(names[i], &policy));
        CHECK(policy == (enum rate_policy)i);
        CHECK(strcmp(rate_policies[policy].name, names[i]) == 0);
    }
    CHECK(!schedule_policy("linear", &policy));
    CHECK(!schedule_policy("", &policy));
    CHECK(!schedule_policy("Steps", &policy));
}

static void test_burn_in(void)
{
    struct schedule s = {.rate = 0.001f, .warmup = 1000, .power = 4};
    for (int p = 0; p < RATE_POLICY_COUNT; p++) { /* whatever the policy */
        s.policy = (enum rate_policy)p;
        CHECK_RATE(&s, 1, 0.001 * 1e-12);
        CHECK_RATE(&s, 500, 0.001 * 0.0625);
        CHECK_RATE(&s, 999, 0.001 * pow(0.999, 4));
    }
    s.policy = RATE_CONSTANT;
    CHECK_RATE(&s, 1000, 0.001);
    s.warmup = 0;
    CHECK_RATE(&s, 1, 0.001);
    s = (struct schedule){.policy = RATE_CONSTANT, .rate = 2, .warmup = 4, .power = 1};
    CHECK_RATE(&s, 3, 1.5);
}

static void test_steps(void)
{
    static const int steps[] = {400, 450, 450};
    static const float scales[] = {0.1f, 0.5f, 4};
    struct schedule s = {.policy = RATE_STEPS,
                         .rate = 0.01f,
                         .steps = steps,
                         .scales = scales,
                         .step_count = 3,
                         .warmup = 10,
                         .power = 4};
    CHECK_RATE(&s, 10, 0.01);
    CHECK_RATE(&s, 399, 0.01);
    CHECK_RATE(&s, 400, 0.001);
    CHECK_RATE(&s, 449, 0.001);
    CHECK_RATE(&s, 450, 0.002);
    CHECK_RATE(&s, 1000000, 0.002);
    s.step_count = 0;
    CHECK_RATE(&s, 500, 0.01);
}

static void test_powers(void)
{
    struct schedule s = {.policy = RATE_STEP, .rate = 1, .step = 10, .scale = 0.5f};
    CHECK_RATE(&s, 9, 1);
    CHECK_RATE(&s, 10, 0.5);
    CHECK_RATE(&s, 39, 0.125);
    s.step = 0;
    CHECK(isfinite(schedule_rate(&s, 3)));
    s = (struct schedule){.policy = RATE_EXP, .rate = 2, .gamma = 0.5f};
    CHECK_RATE(&s, 1, 1);
    CHECK_RATE(&s, 3, 0.25);
    s = (struct schedule){.policy = RATE_POLY, .rate = 1, .length = 100, .power = 2};
    CHECK_RATE(&s, 50, 0.25);
    CHECK_RATE(&s, 90, 0.01);
    CHECK_RATE(&s, 100, 0);
    CHECK_RATE(&s, 150, 0); /* an even power would rise again */
    s = (struct schedule){.policy = RATE_SIGMOID, .rate = 1, .gamma = 0.1f, .step = 50};
    CHECK_RATE(&s, 50, 0.5);
    CHECK_NEAR(schedule_rate(&s, 60), 1 / (1 + exp(1.0)), 1e-6);
    CHECK(schedule_rate(&s, 1000000) == 0);
}

static void test_random(void)
{
    struct schedule s = {.policy = RATE_RANDOM, .rate = 1, .power = 1, .seed = 7};
    double sum = 0;
    for (long n = 1; n <= 10000; n++) {
        float rate = schedule_rate(&s, n);
        CHECK(rate >= 0 && rate < 1);
        CHECK(rate == schedule_rate(&s, n));
        sum += (double)rate;
    }
    CHECK_NEAR(sum / 10000, 0.5, 0.02);
    float before = schedule_rate(&s, 3);
    s.power = 2;
    CHECK_NEAR(schedule_rate(&s, 3), before * before, 1e-6);
    s.seed = 8;
    s.power = 1;
    CHECK(schedule_rate(&s, 3) != before);
}

static void test_sgdr(void)
{
    struct schedule s = {
        .policy = RATE_SGDR, .rate = 1, .rate_min = 0.2f, .sgdr_cycle = 10, .sgdr_mult = 2};
    CHECK_NEAR(schedule_rate(&s, 5), 0.6, 1e-6);
    CHECK_NEAR(schedule_rate(&s, 10), 0.2, 1e-6); /* the end of the first cycle belongs to it */
    CHECK_NEAR(schedule_rate(&s, 11), 0.2 + 0.4 * (1 + cos(M_PI / 20)), 1e-6);
    CHECK_NEAR(schedule_rate(&s, 20), 0.6, 1e-6);
    CHECK_NEAR(schedule_rate(&s, 30), 0.2, 1e-6);
    CHECK_NEAR(schedule_rate(&s, 50), 0.6, 1e-6);
    s.sgdr_mult = 1.55f; /* 10, 15, 23: whole numbers */
    CHECK_NEAR(schedule_rate(&s, 25), 0.2, 1e-6);
    CHECK_NEAR(schedule_rate(&s, 48), 0.2, 1e-6);
    s.sgdr_mult = 1;
    CHECK_NEAR(schedule_rate(&s, 1000005), 0.6, 1e-6);
    CHECK_NEAR(schedule_rate(&s, 1000010), 0.2, 1e-6);
    s.sgdr_cycle = 1;
    CHECK_NEAR(schedule_rate(&s, 2000000000), 0.2, 1e-6); /* and at once */
    s.sgdr_mult = 0;
    CHECK_NEAR(schedule_rate(&s, 2000000000), 0.2, 1e-6);
    s.sgdr_mult = 1e30f;
    CHECK(isfinite(schedule_rate(&s, 2000000000)));
    s.sgdr_cycle = 0; /* the whole length */
    s.length = 100;
    CHECK_NEAR(schedule_rate(&s, 50), 0.6, 1e-6);
    s.length = 0;
    CHECK(isfinite(schedule_rate(&s, 50)));
}

static void test_cosine(void)
{
    struct schedule s = {.policy = RATE_COSINE,
                         .rate = 1,
                         .rate_min = 0.1f,
                         .warmup = 20,
                         .power = 1,
                         .length = 120};
    CHECK_NEAR(schedule_rate(&s, 10), 0.5, 1e-6);
    CHECK_NEAR(schedule_rate(&s, 20), 1, 1e-6); /* from the end of the warm-up */
    CHECK_NEAR(schedule_rate(&s, 45), 0.1 + 0.45 * (1 + cos(M_PI / 4)), 1e-6);
    CHECK_NEAR(schedule_rate(&s, 70), 0.55, 1e-6);
    CHECK_NEAR(schedule_rate(&s, 120), 0.1, 1e-6);
    CHECK_NEAR(schedule_rate(&s, 121), 0.1, 1e-6);
    s.length = 20; /* all of it warm-up */
    CHECK_NEAR(schedule_rate(&s, 20), 0.1, 1e-6);
}

static void test_of_net(void)
{
    static const char text[] =
        "[net]\nwidth=8\nheight=8\nchannels=3\nlearning_rate=0.0013\n"
        "burn_in=1000\nmax_batches=500500\npolicy=steps\nsteps=400000,450000\n"
        "scales=.1,.1\n[convolutional]\nfilters=1\nactivation=linear\n";
    struct network net = {0};
    struct error err;
    CHECK_OK(network_parse("t.cfg", text, sizeof text - 1, 0, 0, &net, &err));
    struct schedule s = schedule_of_net(&net.options, 1);
    CHECK(s.policy == RATE_STEPS && s.length == 500500 && s.step_count == 2);
    CHECK_RATE(&s, 1, 0.0013 * 1e-12);
    CHECK_RATE(&s, 1000, 0.0013);
    CHECK_RATE(&s, 425000, 0.00013);
    CHECK_RATE(&s, 500500, 0.000013);
    network_free(&net);
}

static const struct test_case cases[] = {
    {"names", test_names},   {"burn_in", test_burn_in}, {"steps", test_steps},
    {"powers", test_powers}, {"random", test_random},   {"sgdr", test_sgdr},
    {"cosine", test_cosine}, {"of_net", test_of_net},
};
TEST_MAIN(cases)
