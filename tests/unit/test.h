/* The test harness: a test file lists its cases and ends with TEST_MAIN. A failed check prints its
 * place and ends the case; SKIP ends it as skipped, skip_part leaves out what the machine lacks;
 * the last line of a program is "N passed, N failed, N skipped". */
#ifndef TESTS_TEST_H
#define TESTS_TEST_H

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct test_case {
    const char *name;
    void (*run)(void);
};

static bool test_failed;
static const char *test_skip_reason;

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            printf("  %s:%d: CHECK(%s)\n", __FILE__, __LINE__, #condition);                        \
            test_failed = true;                                                                    \
            return;                                                                                \
        }                                                                                          \
    } while (0)

/* As CHECK, with a printf-style explanation. */
#define CHECK_MSG(condition, ...)                                                                  \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            printf("  %s:%d: CHECK(%s): ", __FILE__, __LINE__, #condition);                        \
            printf(__VA_ARGS__);                                                                   \
            printf("\n");                                                                          \
            test_failed = true;                                                                    \
            return;                                                                                \
        }                                                                                          \
    } while (0)

/* |a - b| <= limit; NaN fails. */
#define CHECK_NEAR(a, b, limit)                                                                    \
    do {                                                                                           \
        double near_a = (double)(a), near_b = (double)(b);                                         \
        CHECK_MSG(fabs(near_a - near_b) <= (double)(limit), "%s = %.9g, expected %.9g within %g",  \
                  #a, near_a, near_b, (double)(limit));                                            \
    } while (0)

#define CHECK_OK(call)                                                                             \
    do {                                                                                           \
        enum result check_result = (call);                                                         \
        CHECK_MSG(check_result == OK, "result %d", (int)check_result);                             \
    } while (0)

/* Leave the case as skipped, loudly. */
#define SKIP(reason)                                                                               \
    do {                                                                                           \
        test_skip_reason = (reason);                                                               \
        return;                                                                                    \
    } while (0)

/* Kinds of parts that cases were run without, each with its number of cases. */
enum { TEST_MAX_PARTS = 8 };
static struct {
    const char *what;
    int cases, last_case;
} test_parts[TEST_MAX_PARTS];
static int test_case_number;

/* Run the rest of the case without a part that this machine lacks (an instruction set, say). Each
 * kind counts as skipped once a case. `what` outlives the program's end. */
static inline void skip_part(const char *what)
{
    int i = 0;
    while (i < TEST_MAX_PARTS - 1 && test_parts[i].what && strcmp(test_parts[i].what, what) != 0) {
        i++;
    }
    test_parts[i].what = what;
    if (test_parts[i].last_case != test_case_number) {
        test_parts[i].last_case = test_case_number;
        test_parts[i].cases++;
    }
}

static inline int report_parts(const char *program)
{
    int count = 0;
    for (int i = 0; i < TEST_MAX_PARTS && test_parts[i].what; i++) {
        count += test_parts[i].cases;
        printf("SKIP %s, %d %s, the part with %s: this machine lacks it\n", program,
               test_parts[i].cases, test_parts[i].cases == 1 ? "case" : "cases",
               test_parts[i].what);
    }
    return count;
}

/* Fixed-seed noise in [-1, 1) for test data. */
static inline float test_noise(unsigned *state)
{
    *state = *state * 1664525u + 1013904223u;
    return (float)(*state >> 8) / 8388608.0f - 1.0f;
}

static inline int test_main(const struct test_case *cases, size_t count, int argc, char **argv)
{
    int passed = 0, failed = 0, skipped = 0;
    for (size_t i = 0; i < count; i++) {
        if (argc > 1 && !strstr(cases[i].name, argv[1])) {
            continue;
        }
        test_failed = false;
        test_skip_reason = NULL;
        test_case_number = (int)i + 1;
        cases[i].run();
        if (test_failed) {
            failed++;
            printf("FAIL %s (again: %s %s)\n", cases[i].name, argv[0], cases[i].name);
        } else if (test_skip_reason) {
            skipped++;
            printf("SKIP %s: %s\n", cases[i].name, test_skip_reason);
        } else {
            passed++;
            printf("ok   %s\n", cases[i].name);
        }
        fflush(stdout);
    }
    const char *slash = strrchr(argv[0], '/');
    skipped += report_parts(slash ? slash + 1 : argv[0]);
    printf("%d passed, %d failed, %d skipped\n", passed, failed, skipped);
    return failed ? 1 : 0;
}

#define TEST_MAIN(cases)                                                                           \
    int main(int argc, char **argv)                                                                \
    {                                                                                              \
        return test_main(cases, sizeof(cases) / sizeof(cases)[0], argc, argv);                     \
    }

#endif
