/* The permutation without memory; the generators are tested by what draws from them. */
#include "base/rng.h"

#include "test.h"

enum { MOST = 300 };

static void test_bijection(void)
{
    for (uint64_t count = 1; count <= MOST; count++) {
        bool seen[MOST] = {false};
        for (uint64_t i = 0; i < count; i++) {
            uint64_t to = rng_permute(7, count % 5, count, i);
            CHECK_MSG(to < count && !seen[to], "%d of %d goes to %d", (int)i, (int)count, (int)to);
            seen[to] = true;
        }
    }
    for (uint64_t i = 0; i < 1000; i++) { /* wide ranges stay in range, and differ by neighbours */
        uint64_t wide = (UINT64_C(1) << 62) + 12345;
        uint64_t to = rng_permute(1, 2, wide, i);
        CHECK(to < wide && to != rng_permute(1, 2, wide, i + 1) &&
              to == rng_permute(1, 2, wide, i));
    }
}

/* Over many streams every index comes to every place equally often, and neighbours do not keep
 * together. */
static void test_mixing(void)
{
    enum { STREAMS = 4000 };
    for (uint64_t count = 2; count <= 21; count += count < 6 ? 1 : 5) {
        int places[32][32] = {{0}}, together = 0;
        for (uint64_t stream = 0; stream < STREAMS; stream++) {
            uint64_t before = count;
            for (uint64_t i = 0; i < count; i++) {
                uint64_t to = rng_permute(3, stream, count, i);
                places[i][to]++;
                together += to == (before + 1) % count && before < count;
                before = to;
            }
        }
        double expected = (double)STREAMS / (double)count, chi = 0.0;
        for (uint64_t i = 0; i < count * count; i++) {
            double gap = places[i / count][i % count] - expected;
            chi += gap * gap / expected;
        }
        double freedom = (double)((count - 1) * (count - 1));
        CHECK_MSG(fabs(chi - freedom) < 5.0 * sqrt(2.0 * freedom) + 5.0,
                  "count %d: chi square %.1f of %.0f", (int)count, chi, freedom);
        double pairs = (double)STREAMS * (double)(count - 1), rate = together / pairs;
        double chance = 1.0 / (double)(count - 1);
        CHECK_MSG(count < 3 || fabs(rate - chance) < 0.02,
                  "count %d: %.3f of neighbours, expected %.3f", (int)count, rate, chance);
    }
}

static void test_streams(void)
{
    int same[3] = {0};
    for (uint64_t i = 0; i < 1000; i++) {
        uint64_t to = rng_permute(1, 1, 1000, i);
        same[0] += to == rng_permute(2, 1, 1000, i);
        same[1] += to == rng_permute(1, 2, 1000, i);
        same[2] += to == i;
    }
    for (int i = 0; i < 3; i++) {
        CHECK_MSG(same[i] < 12, "%d: %d", i, same[i]);
    }
}

static const struct test_case cases[] = {
    {"a permutation without memory is one", test_bijection},
    {"it mixes", test_mixing},
    {"seeds and streams differ", test_streams},
};
TEST_MAIN(cases)
