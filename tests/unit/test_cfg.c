/* Lexing and getters of net/cfg: what Darknet accepts reads the same, nonsense is named with its
 * line. */
#include "cfg/cfg.h"

#include <float.h>
#include <limits.h>

#include "base/memory.h"
#include "base/suggest.h"
#include "capture.h"
#include "test.h"

static struct error err;

static enum result parse(const char *text, struct cfg *cfg)
{
    err = (struct error){0};
    return cfg_parse("a.cfg", text, strlen(text), cfg, &err);
}

static void test_lexing(void)
{
    struct cfg cfg;
    CHECK_OK(parse("\xef\xbb\xbf# c\r\n; c = 1\n\n [ n e t ] \r\n wid th = 4 1 6\t\r\n"
                   "a==b=c\n[conv]\nlayers = -1, -4\nend=1",
                   &cfg));
    CHECK(cfg.section_count == 2);
    CHECK(strcmp(cfg.sections[0].name, "net") == 0 && cfg.sections[0].line == 4);
    CHECK(strcmp(cfg_string(&cfg.sections[0], "width", ""), "416") == 0);
    CHECK(strcmp(cfg_string(&cfg.sections[0], "a", ""), "=b=c") == 0);
    CHECK(cfg_find(&cfg.sections[0], "width")->line == 5);
    CHECK(strcmp(cfg.sections[1].name, "conv") == 0 && cfg.sections[1].line == 7);
    CHECK(strcmp(cfg_string(&cfg.sections[1], "layers", ""), "-1,-4") == 0);
    CHECK(strcmp(cfg_string(&cfg.sections[1], "end", ""), "1") == 0);
    CHECK(cfg_string(&cfg.sections[1], "End", NULL) == NULL);
    cfg_free(&cfg);
}

static void test_inline_comments(void)
{
    struct cfg cfg;
    capture_begin();
    enum result result = parse("[c]\nfilters=112#96\nsize = 3 # kernel, odd\nmask=0,1#2,3", &cfg);
    capture_end();
    CHECK(result == OK);
    CHECK_MSG(captured[0] == 0, "noise: %s", captured);
    int value;
    CHECK_OK(cfg_int(&cfg.sections[0], "filters", 1, 1, 1000, &value, &err));
    CHECK(value == 112);
    CHECK_OK(cfg_int(&cfg.sections[0], "size", 1, 1, 1000, &value, &err));
    CHECK(value == 3);
    int *mask;
    size_t count;
    CHECK_OK(cfg_ints(&cfg.sections[0], "mask", &mask, &count, &err));
    CHECK(count == 2 && mask[0] == 0 && mask[1] == 1);
    mem_free(mask);
    cfg_free(&cfg);

    capture_begin();
    result = parse("[c] # first\nactivation=mish#x\nlayers = 1 , 2#3,4", &cfg);
    capture_end();
    CHECK(result == OK);
    CHECK(strcmp(cfg.sections[0].name, "c") == 0);
    CHECK(strcmp(cfg_string(&cfg.sections[0], "activation", ""), "mish") == 0);
    CHECK_OK(cfg_ints(&cfg.sections[0], "layers", &mask, &count, &err));
    CHECK(count == 2 && mask[0] == 1 && mask[1] == 2);
    mem_free(mask);
    cfg_free(&cfg);
    CHECK_MSG(strstr(captured, "a.cfg:1: ") && strstr(captured, "a.cfg:2: ") &&
                  strstr(captured, "a.cfg:3: "),
              "%s", captured);
}

static void test_duplicates_and_unused(void)
{
    struct cfg cfg;
    capture_begin();
    enum result result = parse("[c]\nsize=3\nsize=5\nstrid=2\nqqqqq=1\nclasses=3", &cfg);
    int value = 0;
    enum result read = cfg_int(&cfg.sections[0], "size", 1, 1, 9, &value, &err);
    cfg_warn_unused(&cfg);
    capture_end();
    CHECK(result == OK && read == OK);
    CHECK(value == 3);
    cfg_free(&cfg);
    CHECK_MSG(strstr(captured, "a.cfg:3: [c] size is already set in line 2"), "%s", captured);
    CHECK_MSG(strstr(captured, "a.cfg:4: [c] unknown key strid (did you mean stride?)"), "%s",
              captured);
    CHECK_MSG(strstr(captured, "a.cfg:5: [c] unknown key qqqqq\n"), "%s", captured);
    CHECK_MSG(strstr(captured, "a.cfg:6: [c] classes has no effect here"), "%s", captured);
    CHECK_MSG(!strstr(captured, "a.cfg:2:"), "%s", captured);
}

static void test_broken_text(void)
{
    static const struct {
        const char *text, *line, *what;
    } cases[] = {
        {"size=3\n[c]\n", "a.cfg:1: ", "before the first"},
        {"\n\nsize\n", "a.cfg:3: ", "before the first"},
        {"[c]\nsize 3\n", "a.cfg:2: ", "expected key=value"},
        {"[c]\nsize\n", "a.cfg:2: ", "expected key=value"},
        {"[c]\n=3\n", "a.cfg:2: ", "no key"},
        {"[c]\nsize=\n", "a.cfg:2: ", "no value"},
        {"[c]\nsize= # three\n", "a.cfg:2: ", "no value"},
        {"[c\nsize=1\n", "a.cfg:1: ", "']' is missing"},
        {"[]\n", "a.cfg:1: ", "no name"},
        {"[c]size=1\n", "a.cfg:1: ", "behind ']'"},
        {"[c]\n\x01\x02=3\n", "a.cfg:2: ", "not a text file"},
        {"[c]\r\nsize=\x7f\r\n", "a.cfg:2: ", "not a text file"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct cfg cfg;
        enum result result = parse(cases[i].text, &cfg);
        CHECK_MSG(result == ERR_CFG, "case %zu: result %d", i, (int)result);
        CHECK_MSG(strncmp(err.text, cases[i].line, strlen(cases[i].line)) == 0, "%s", err.text);
        CHECK_MSG(strstr(err.text, cases[i].what), "case %zu: %s", i, err.text);
        CHECK(cfg.sections == NULL && cfg.path == NULL);
    }
}

static void test_binary_noise(void)
{
    static const char zeros[] = "[net]\nwidth=4\0"
                                "16\n";
    struct cfg cfg;
    CHECK(cfg_parse("a.cfg", zeros, sizeof zeros - 1, &cfg, &err) == ERR_CFG);
    CHECK(strstr(err.text, "a.cfg:2: "));
    /* Whatever the bytes: an answer, no crash, nothing leaked (sanitizers watch). */
    unsigned state = 1;
    for (int round = 0; round < 2000; round++) {
        static const char alphabet[] = "[]=#;,\n\n ab1.-\r\t\x80\xff";
        char text[64];
        for (size_t i = 0; i < sizeof text; i++) {
            float noise = test_noise(&state) * 0.5f + 0.5f;
            text[i] = alphabet[(size_t)(noise * (float)(sizeof alphabet - 1))];
        }
        capture_begin();
        enum result result = cfg_parse("a.cfg", text, sizeof text, &cfg, &err);
        capture_end();
        CHECK(result == OK || result == ERR_CFG);
        cfg_free(&cfg);
    }
}

static void test_limits(void)
{
    size_t size = (16u << 20) + 1;
    char *big = mem_alloc(size, 1);
    struct cfg cfg;
    memset(big, 'a', size);
    CHECK(cfg_parse("a.cfg", big, size, &cfg, &err) == ERR_CFG);
    CHECK(strstr(err.text, "a.cfg: "));
    size_t used = (size_t)snprintf(big, size, "[c]\n");
    for (int i = 0; i < 1500; i++) {
        used += (size_t)snprintf(big + used, size - used, "k%d=1\n", i);
    }
    CHECK(cfg_parse("a.cfg", big, used, &cfg, &err) == ERR_CFG);
    CHECK_MSG(strstr(err.text, "a.cfg:1002: over 1000 keys"), "%s", err.text);
    used = 0;
    for (int i = 0; i < 20000; i++) {
        used += (size_t)snprintf(big + used, size - used, "[c]\n");
    }
    CHECK(cfg_parse("a.cfg", big, used, &cfg, &err) == ERR_CFG);
    CHECK_MSG(strstr(err.text, "a.cfg:10001: over 10000 sections"), "%s", err.text);
    mem_free(big);
}

static void test_numbers(void)
{
    struct cfg cfg;
    int i;
    float f;
    bool b;
    CHECK_OK(parse("[c]\na=3.0\nb=-7\nc=.5\nd=1e-3\ne=+2\nf=0\ng=1\nh=-1", &cfg));
    struct cfg_section *s = &cfg.sections[0];
    CHECK_OK(cfg_int(s, "a", 0, -9, 9, &i, &err));
    CHECK(i == 3);
    CHECK_OK(cfg_int(s, "b", 0, -9, 9, &i, &err));
    CHECK(i == -7);
    CHECK_OK(cfg_int(s, "none", 5, 0, 1, &i, &err));
    CHECK(i == 5);
    CHECK_OK(cfg_float(s, "c", 0, 0, 1, &f, &err));
    CHECK_NEAR(f, 0.5, 0);
    CHECK_OK(cfg_float(s, "d", 0, 0, 1, &f, &err));
    CHECK_NEAR(f, 1e-3f, 0);
    CHECK_OK(cfg_float(s, "e", 0, 0, 2, &f, &err));
    CHECK_NEAR(f, 2, 0);
    CHECK_OK(cfg_float(s, "none", 0.25f, 0, 2, &f, &err));
    CHECK_NEAR(f, 0.25, 0);
    CHECK_OK(cfg_bool(s, "f", true, &b, &err));
    CHECK(!b);
    CHECK_OK(cfg_bool(s, "g", false, &b, &err));
    CHECK(b);
    CHECK_OK(cfg_bool(s, "h", false, &b, &err));
    CHECK(b);
    CHECK_OK(cfg_bool(s, "none", true, &b, &err));
    CHECK(b);
    cfg_free(&cfg);
}

static void test_broken_numbers(void)
{
    static const char *const values[] = {
        "abc",
        "99999999999999999999",
        "-99999999999999999999",
        "3.5",
        "nan",
        "inf",
        "-inf",
        "0x10",
        "1e1",
        "101",
        "-1",
        "1e999",
        "--1",
        ".",
        "-",
    };
    for (size_t k = 0; k < sizeof values / sizeof *values; k++) {
        char text[64];
        struct cfg cfg;
        int i = 77;
        snprintf(text, sizeof text, "[c]\n\nfilters=%s\n", values[k]);
        CHECK_OK(parse(text, &cfg));
        enum result result = cfg_int(&cfg.sections[0], "filters", 1, 1, 100, &i, &err);
        cfg_free(&cfg);
        CHECK_MSG(result == ERR_CFG, "%s gave %d", values[k], i);
        CHECK_MSG(strncmp(err.text, "a.cfg:3: [c] filters: ", 22) == 0, "%s", err.text);
    }
    static const char *const floats[] = {"abc", "nan", "inf", "1e39", "1e999", "-1e39", "2", "e5"};
    for (size_t k = 0; k < sizeof floats / sizeof *floats; k++) {
        char text[64];
        struct cfg cfg;
        float f = 77, top = strcmp(floats[k], "2") == 0 ? 1.0f : FLT_MAX;
        snprintf(text, sizeof text, "[c]\nmomentum=%s\n", floats[k]);
        CHECK_OK(parse(text, &cfg));
        enum result result = cfg_float(&cfg.sections[0], "momentum", 1, -top, top, &f, &err);
        cfg_free(&cfg);
        CHECK_MSG(result == ERR_CFG, "%s gave %g", floats[k], (double)f);
        CHECK_MSG(strncmp(err.text, "a.cfg:2: [c] momentum: ", 23) == 0, "%s", err.text);
    }
}

/* Blanks vanish, as in Darknet; where that makes one number of two, it is said. */
static void test_blank_inside(void)
{
    static const char *const told[] = {"filters=8 8",       "filters = 1\t6 # two",
                                       "steps=400 450,500", "steps=400,450 500",
                                       "rate=0. 001",       "anchors=10,13 16,30"};
    static const char *const silent[] = {"filters = 8 ",  "steps = 400 , 450",    "filters=8 # 1 2",
                                         "# filters=8 8", "activation = leaky 2", "a 1 2=3"};
    char text[64];
    struct cfg cfg;
    for (size_t i = 0; i < sizeof told / sizeof *told; i++) {
        snprintf(text, sizeof text, "[c]\n%s\n", told[i]);
        capture_begin();
        enum result result = parse(text, &cfg);
        capture_end();
        CHECK_OK(result);
        cfg_free(&cfg);
        CHECK_MSG(strstr(captured, "a.cfg:2: ") && strstr(captured, "blanks inside a number"),
                  "%s: %s", told[i], captured);
    }
    for (size_t i = 0; i < sizeof silent / sizeof *silent; i++) {
        snprintf(text, sizeof text, "[c]\n%s\n", silent[i]);
        capture_begin();
        enum result result = parse(text, &cfg);
        capture_end();
        CHECK_OK(result);
        cfg_free(&cfg);
        CHECK_MSG(!strstr(captured, "blanks inside"), "%s: %s", silent[i], captured);
    }
}

/* An editor's UTF-16 is called so, and not a .weights file for its zeros. */
static void test_wide_text(void)
{
    static const char marked[] = "\xff\xfe[\0c\0]\0\n", bare[] = "[\0n\0e\0t\0]\0\n";
    struct cfg cfg;
    CHECK(cfg_parse("a.cfg", marked, sizeof marked, &cfg, &err) == ERR_CFG);
    CHECK_MSG(strstr(err.text, "a.cfg: UTF-16 text"), "%s", err.text);
    CHECK(cfg_parse("a.cfg", bare, sizeof bare, &cfg, &err) == ERR_CFG);
    CHECK_MSG(strstr(err.text, "a.cfg: UTF-16 text"), "%s", err.text);
}

/* A number is the whole value, for whatever it is asked as. */
static void test_garbage_behind(void)
{
    static const struct {
        const char *value, *what;
    } cases[] = {
        {"3x3", "'3x3' is not a number: 'x3' stands behind it"},
        {"0,01", "'0,01' is not a number (a decimal point, not a comma: 0.01)"},
        {"1,5,2", "',5,2' stands behind it"},
        {".5;half", "';half' stands behind it"},
        {"0.1f", "'f' stands behind it"},
        {"1e", "'e' stands behind it"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[64];
        struct cfg cfg;
        float f = 77;
        int n = 77;
        bool b = false;
        snprintf(text, sizeof text, "[c]\nsize=%s", cases[i].value);
        CHECK_OK(parse(text, &cfg));
        capture_begin();
        bool is_whole = cfg_int(&cfg.sections[0], "size", 1, 0, 9, &n, &err) == OK ||
                        cfg_bool(&cfg.sections[0], "size", true, &b, &err) == OK;
        enum result result = cfg_float(&cfg.sections[0], "size", 1, 0, 9, &f, &err);
        capture_end();
        cfg_free(&cfg);
        CHECK_MSG(!is_whole && result == ERR_CFG, "%s gave %d, %g", cases[i].value, n, (double)f);
        CHECK_MSG(strncmp(err.text, "a.cfg:2: [c] size: ", 19) == 0 &&
                      strstr(err.text, cases[i].what),
                  "%s", err.text);
    }
}

/* Bounds are floats, and so is what is compared with them. */
static void test_own_minimum(void)
{
    struct cfg cfg;
    float f = 0;
    CHECK_OK(parse("[c]\nscale=.001\nless=.000999\n", &cfg));
    CHECK_OK(cfg_float(&cfg.sections[0], "scale", 1, 1e-3f, 1e3f, &f, &err));
    CHECK(f == 1e-3f);
    CHECK(cfg_float(&cfg.sections[0], "less", 1, 1e-3f, 1e3f, &f, &err) == ERR_CFG);
    CHECK_MSG(strstr(err.text, "0.001 to 1000 are possible"), "%s", err.text);
    cfg_free(&cfg);
}

static void test_lists(void)
{
    struct cfg cfg;
    float *floats;
    int *ints;
    size_t count;
    CHECK_OK(parse("[c]\nanchors = 10,13,  16.5,-30\nsteps=4,5.0\n", &cfg));
    CHECK_OK(cfg_floats(&cfg.sections[0], "anchors", &floats, &count, &err));
    CHECK(count == 4);
    CHECK_NEAR(floats[0], 10, 0);
    CHECK_NEAR(floats[2], 16.5, 0);
    CHECK_NEAR(floats[3], -30, 0);
    mem_free(floats);
    CHECK_OK(cfg_ints(&cfg.sections[0], "steps", &ints, &count, &err));
    CHECK(count == 2 && ints[0] == 4 && ints[1] == 5);
    mem_free(ints);
    CHECK_OK(cfg_ints(&cfg.sections[0], "none", &ints, &count, &err));
    CHECK(count == 0 && ints == NULL);
    cfg_free(&cfg);

    static const char *const broken[] = {
        "1,,2", ",1", "1,", "1,x", "1x,2", "1,nan", "1,2.5", "1,99999999999", "1 2,3;4"};
    for (size_t k = 0; k < sizeof broken / sizeof *broken; k++) {
        char text[64];
        snprintf(text, sizeof text, "[c]\nsteps=%s\n", broken[k]);
        CHECK_OK(parse(text, &cfg));
        enum result result = cfg_ints(&cfg.sections[0], "steps", &ints, &count, &err);
        cfg_free(&cfg);
        CHECK_MSG(result == ERR_CFG, "%s", broken[k]);
        CHECK_MSG(strncmp(err.text, "a.cfg:2: [c] steps: ", 20) == 0, "%s", err.text);
    }
}

static void test_files(void)
{
    struct cfg cfg;
    CHECK(cfg_read("/nonexistent/a.cfg", &cfg, &err) == ERR_IO);
    CHECK(strstr(err.text, "/nonexistent/a.cfg"));
    CHECK(cfg_read("/", &cfg, &err) == ERR_FORMAT);
    cfg_free(&cfg);
}

static void test_out_of_memory(void)
{
    for (long k = 0; k < 40; k++) {
        struct cfg cfg;
        mem_fail_after(k);
        enum result result = parse("[c]\na=1\nb=2\n[d]\nc=3\n", &cfg);
        mem_fail_after(-1);
        CHECK(result == OK || result == ERR_MEMORY);
        CHECK(k > 0 || result == ERR_MEMORY);
        cfg_free(&cfg);
    }
}

static void check_choice_refused(struct cfg_section *c, const char *key,
                                 const struct cfg_word *words, size_t count, const char *message)
{
    int value;
    CHECK(cfg_choice(c, key, words, count, 1, &value, &err) == ERR_CFG);
    CHECK_MSG(strcmp(err.text, message) == 0, "%s", err.text);
}

static void test_choice(void)
{
    static const struct cfg_word words[] = {{"mse", 3}, {"giou", 5}, {"generous", 5}, {"iou", 7}};
    struct cfg cfg;
    int value;
    CHECK_OK(parse("[c]\na=giou\nb=generous\nc=GIoU\nd=genrous\ne=quantum\n", &cfg));
    struct cfg_section *c = &cfg.sections[0];
    CHECK_OK(cfg_choice(c, "a", words, 4, 1, &value, &err));
    CHECK(value == 5);
    CHECK_OK(cfg_choice(c, "b", words, 4, 1, &value, &err));
    CHECK(value == 5);
    CHECK_OK(cfg_choice(c, "none", words, 4, 1, &value, &err));
    CHECK(value == 1);
    check_choice_refused(c, "b", words, 2,
                         "a.cfg:3: [c] b: unknown value 'generous' (one of mse, giou)");
    check_choice_refused(c, "c", words, 4,
                         "a.cfg:4: [c] c: unknown value 'GIoU' (did you mean giou? Case matters; "
                         "one of mse, giou, generous, iou)");
    check_choice_refused(c, "d", words, 4,
                         "a.cfg:5: [c] d: unknown value 'genrous' (did you mean generous? one of "
                         "mse, giou, generous, iou)");
    check_choice_refused(
        c, "e", words, 4,
        "a.cfg:6: [c] e: unknown value 'quantum' (one of mse, giou, generous, iou)");
    cfg_free(&cfg);
}

static void test_suggest(void)
{
    static const char *const names[] = {"stride", "size", "filters", "batch_normalize"};
    CHECK(suggest("strdie", names, 4) == names[0]);
    CHECK(suggest("Batch-Normalise", names, 4) == names[3]);
    CHECK(suggest("filter", names, 4) == names[2]);
    CHECK(suggest("sizes", names, 4) == names[1]);
    CHECK(suggest("quantum", names, 4) == NULL);
    CHECK(suggest("", names, 4) == NULL);
}

static const struct test_case cases[] = {
    {"lexing", test_lexing},
    {"inline_comments", test_inline_comments},
    {"duplicates_and_unused", test_duplicates_and_unused},
    {"broken_text", test_broken_text},
    {"binary_noise", test_binary_noise},
    {"limits", test_limits},
    {"numbers", test_numbers},
    {"broken_numbers", test_broken_numbers},
    {"blank_inside", test_blank_inside},
    {"wide_text", test_wide_text},
    {"garbage_behind", test_garbage_behind},
    {"own_minimum", test_own_minimum},
    {"lists", test_lists},
    {"files", test_files},
    {"out_of_memory", test_out_of_memory},
    {"choice", test_choice},
    {"suggest", test_suggest},
};

TEST_MAIN(cases)
