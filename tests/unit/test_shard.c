/* Shares: what is one, and that they are a partition. */
#include "test.h"

#include <stdint.h>

#include "base/shard.h"

static void parsing(void)
{
    static const char *const bad[] = {
        "",     "/",     "1",    "1/",    "/1",        "0/1",
        "2/1",  "1/0",   "-1/2", "1/-2",  "+1/2",      "1 /2",
        "1/2 ", "1/2/3", "a/b",  "1.0/2", "1/1000001", "1/18446744073709551617"};
    struct shard shard;
    struct error err;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CHECK_MSG(shard_parse(bad[i], &shard, &err) == ERR_ARG, "%s", bad[i]);
        CHECK(shard.count == 0);
    }
    CHECK(shard_parse("3/1000000", &shard, &err) == OK && shard.number == 3);
    CHECK(shard.count == 1000000);
    CHECK(shard_parse("01/02", &shard, &err) == OK && shard.number == 1 && shard.count == 2);
    CHECK(shard_parse(NULL, &shard, &err) == OK && shard.count == 0);
}

static void partition(void)
{
    for (size_t total = 0; total < 40; total++) {
        for (size_t n = 1; n < 45; n++) {
            size_t next = 0, first, end;
            for (size_t i = 1; i <= n; i++) {
                shard_range(&(struct shard){i, n}, total, &first, &end);
                CHECK(first == next && end >= first);
                CHECK(end - first == total / n || end - first == total / n + 1);
                next = end;
            }
            CHECK(next == total);
        }
    }
    size_t first, end;
    shard_range(&(struct shard){0}, 7, &first, &end);
    CHECK(first == 0 && end == 7);
    shard_range(&(struct shard){SHARD_MAX, SHARD_MAX}, SIZE_MAX, &first, &end);
    CHECK(end == SIZE_MAX && end - first == SIZE_MAX / SHARD_MAX);
}

static void words(void)
{
    char text[128];
    shard_say(&(struct shard){2, 4}, 10, "inputs", text, sizeof text);
    CHECK_MSG(strcmp(text, "share 2 of 4: inputs 4 to 6 of 10") == 0, "%s", text);
    shard_say(&(struct shard){4, 4}, 3, "inputs", text, sizeof text);
    CHECK_MSG(strcmp(text, "share 4 of 4: none of the 3 inputs") == 0, "%s", text);
}

static const struct test_case cases[] = {
    {"parsing", parsing},
    {"partition", partition},
    {"words", words},
};
TEST_MAIN(cases)
