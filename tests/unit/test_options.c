#include "base/options.h"

#include "base/log.h"
#include "base/memory.h"
#include "test.h"

struct args {
    bool save, agnostic;
    int fit, batch, format;
    float conf, shift, hours;
    const char *out;
    struct string_list stages;
    struct option_size size;
};

#define FIELD(name) offsetof(struct args, name)

static const struct option table[] = {
    {"conf|thresh", OPTION_FLOAT, FIELD(conf), 0, 1, "P", "least confidence", 0},
    {"shift", OPTION_FLOAT, FIELD(shift), -10, 10, "X", "a signed number", 0},
    {"batch", OPTION_INT, FIELD(batch), 1, 1024, "N", "pictures at a time", 'b'},
    {"time", OPTION_HOURS, FIELD(hours), 1e-5, 1e6, "H", "how long", 0},
    {"no-save", OPTION_FLAG, FIELD(save), 0, 0, NULL, "no pictures", 0},
    {"agnostic", OPTION_FLAG, FIELD(agnostic), 0, 0, NULL, "across classes", 0},
    {"letterbox", OPTION_SET, FIELD(fit), 1, 0, NULL, "pad", 0},
    {"stretch", OPTION_SET, FIELD(fit), 2, 0, NULL, "stretch", 0},
    {"format", OPTION_CHOICE, FIELD(format), 0, 0, "text|json|csv", "output", 0},
    {"out", OPTION_STRING, FIELD(out), 0, 0, "DIR", "folder", 'o'},
    {"stage", OPTION_LIST, FIELD(stages), 0, 0, "TEXT", "a stage", 0},
    {"imgsz", OPTION_SIZE, FIELD(size), 8, 4096, "N|WxH", "input size", 0},
    {"dont-show", OPTION_NOTHING, 0, 0, 0, NULL, "no window is ever shown", 0},
    {0},
};

enum { MAX_WORDS = 16 };

/* Parse words[] (NULL-terminated) into *args. */
static enum result parse(const char *const *words, struct args *args, struct string_list *rest,
                         struct error *err)
{
    char *argv[MAX_WORDS];
    int argc = 0;
    for (; words[argc]; argc++) {
        argv[argc] = (char *)(size_t)words[argc];
    }
    struct usage usage = {
        .command = "try",
        .arguments = "",
        .about = "",
        .example = "yolo try",
        .groups = {{"Options", table, args}},
    };
    bool done;
    return options_parse(&usage, argc, argv, rest, &done, err);
}

#define PARSE(...) parse((const char *const[]){__VA_ARGS__, NULL}, &args, &rest, &err)
#define BEGIN                                                                                      \
    struct args args = {.conf = 0.25f, .batch = 1};                                                \
    struct string_list rest = {0};                                                                 \
    struct error err = {0}
#define END                                                                                        \
    string_list_free(&rest);                                                                       \
    string_list_free(&args.stages)

/* The words must be refused, and the message must contain `wanted`. */
#define CHECK_REFUSED(wanted, ...)                                                                 \
    do {                                                                                           \
        BEGIN;                                                                                     \
        enum result refused = PARSE(__VA_ARGS__);                                                  \
        bool found = strstr(err.text, wanted) != NULL;                                             \
        END;                                                                                       \
        CHECK_MSG(refused == ERR_ARG, "result %d", (int)refused);                                  \
        CHECK_MSG(found, "\"%s\" is not in \"%s\"", wanted, err.text);                             \
    } while (0)

static void spellings(void)
{
    static const char *const words[][4] = {
        {"--conf", ".5"},    {"--conf=.5"}, {"conf=.5"},
        {"-conf", ".5"},     {"-conf=.5"},  {"--thresh", "0.5"},
        {"-thresh", "5e-1"}, {"thresh=.5"}, {"--conf", ".9", "--thresh=.5"},
    };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        BEGIN;
        CHECK_OK(parse(words[i], &args, &rest, &err));
        CHECK_NEAR(args.conf, 0.5, 0);
        CHECK(rest.count == 0);
        END;
    }
}

static void dashes_and_underscores(void)
{
    BEGIN;
    CHECK_OK(PARSE("-dont_show", "--dont-show", "--no_save", "no-save=true"));
    CHECK(args.save);
    CHECK(rest.count == 0);
    END;
}

static void positionals(void)
{
    BEGIN;
    CHECK_OK(PARSE("a.jpg", "-", "other=1.jpg", "-3", "--conf", ".5", "b.jpg", "--", "--conf",
                   "conf=1"));
    static const char *const expected[] = {"a.jpg", "-",      "other=1.jpg", "-3",
                                           "b.jpg", "--conf", "conf=1"};
    CHECK(rest.count == 7);
    for (size_t i = 0; i < 7; i++) {
        CHECK(strcmp(rest.items[i], expected[i]) == 0);
    }
    CHECK_NEAR(args.conf, 0.5, 0);
    END;
}

static void values(void)
{
    BEGIN;
    CHECK_OK(PARSE("--shift", "-2.5", "-b", "8", "-o", "-", "--format", "csv", "--imgsz=416"));
    CHECK_NEAR(args.shift, -2.5, 0);
    CHECK(args.batch == 8);
    CHECK(strcmp(args.out, "-") == 0);
    CHECK(args.format == 2);
    CHECK(args.size.w == 416 && args.size.h == 416);
    CHECK_OK(PARSE("imgsz=640x352", "--out=--odd", "--shift=-1"));
    CHECK(args.size.w == 640 && args.size.h == 352);
    CHECK(strcmp(args.out, "--odd") == 0);
    CHECK_NEAR(args.shift, -1, 0);
    END;
}

static void switches(void)
{
    BEGIN;
    CHECK_OK(PARSE("--agnostic", "--no-save"));
    CHECK(args.agnostic && args.save);
    CHECK_OK(PARSE("--no-agnostic", "--save"));
    CHECK(!args.agnostic && !args.save);
    CHECK_OK(PARSE("agnostic=True", "--save=false"));
    CHECK(args.agnostic && args.save);
    CHECK_OK(PARSE("--letterbox"));
    CHECK(args.fit == 1);
    CHECK_OK(PARSE("--letterbox", "--stretch"));
    CHECK(args.fit == 2);
    END;
}

static void repeatable(void)
{
    BEGIN;
    CHECK_OK(
        PARSE("--stage", "freeze=0-19", "--stage=freeze=none", "--batch", "2", "--batch", "4"));
    CHECK(args.stages.count == 2);
    CHECK(strcmp(args.stages.items[0], "freeze=0-19") == 0);
    CHECK(strcmp(args.stages.items[1], "freeze=none") == 0);
    CHECK(args.batch == 4);
    END;
}

static void bad_numbers(void)
{
    CHECK_REFUSED("--conf abc: is not a number", "--conf", "abc");
    CHECK_REFUSED("--conf .5x: is not a number", "--conf", ".5x");
    CHECK_REFUSED("--conf nan: is not a number", "--conf", "nan");
    CHECK_REFUSED("--conf inf: is not a number", "--conf=inf");
    CHECK_REFUSED("between 0 and 1", "--conf", "1.5");
    CHECK_REFUSED("between 0 and 1", "--conf", "-0.1");
    CHECK_REFUSED("not a whole number", "--batch", "2.5");
    CHECK_REFUSED("not a whole number", "--batch", "99999999999999999999");
    CHECK_REFUSED("not a whole number", "--batch", "4294967297");
    CHECK_REFUSED("not a whole number", "--batch=");
    CHECK_REFUSED("not a whole number", "--batch= 3");
    CHECK_REFUSED("between 1 and 1024", "--batch", "0");
    CHECK_REFUSED("WIDTHxHEIGHT", "--imgsz", "416x");
    CHECK_REFUSED("WIDTHxHEIGHT", "--imgsz", "axb");
    CHECK_REFUSED("between 8 and 4096", "--imgsz", "416x4");
    CHECK_REFUSED("one of text|json|csv", "--format", "xml");
    CHECK_REFUSED("is empty", "--out=");
}

static void missing_values(void)
{
    CHECK_REFUSED("--conf needs a value", "--conf");
    CHECK_REFUSED("--out needs a value", "--out", "--no-save");
    CHECK_REFUSED("--letterbox takes no value", "--letterbox=1");
    CHECK_REFUSED("--agnostic maybe: is a switch", "--agnostic=maybe");
}

static void unknown(void)
{
    CHECK_REFUSED("unknown option --cnof (did you mean --conf?)", "--cnof", ".5");
    CHECK_REFUSED("did you mean --thresh?", "-tresh", ".5");
    CHECK_REFUSED("did you mean --imgsz?", "--imgszz=3");
    CHECK_REFUSED("unknown option --zzzzzz (see: yolo help try)", "--zzzzzz");
    CHECK_REFUSED("unknown option --no-batch", "--no-batch");
    CHECK_REFUSED("unknown option --con", "--con", ".5");
    CHECK_REFUSED("unknown option -x", "-x");
}

static void levels(void)
{
    BEGIN;
    CHECK_OK(PARSE("-q"));
    CHECK_OK(PARSE("--verbose"));
    CHECK_OK(PARSE("a"));
    CHECK(rest.count == 1);
    END;
    log_set_level(LOG_NORMAL);
}

static void out_of_memory(void)
{
    BEGIN;
    mem_fail_after(0);
    enum result result = PARSE("a.jpg", "b.jpg");
    mem_fail_after(-1);
    CHECK(result == ERR_MEMORY);
    CHECK(rest.count == 0);
    END;
}

static void hours(void)
{
    static const struct {
        const char *text;
        float hours; /* 0: refused */
    } rows[] = {
        {"1.5", 1.5f},       {"2h", 2.0f},   {"90m", 1.5f},  {"45s", 0.0125f}, {"1h30m", 1.5f},
        {"1h30m36s", 1.51f}, {"1.5h", 1.5f}, {".5h", 0.5f},  {"1h36s", 1.01f}, {"2x", 0.0f},
        {"30m1h", 0.0f},     {"1h2h", 0.0f}, {"1h30", 0.0f}, {"h", 0.0f},      {"1h-5m", 0.0f},
        {"1h 5m", 0.0f},     {"", 0.0f},     {"nan", 0.0f},  {"0s", 0.0f},     {"9e9h", 0.0f},
        {"infh", 0.0f},      {"-1", 0.0f},   {"2hh", 0.0f},  {"1H", 0.0f},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        BEGIN;
        char word[32];
        snprintf(word, sizeof word, "--time=%s", rows[i].text);
        enum result result = PARSE(word);
        bool is_right = rows[i].hours > 0.0f
                            ? result == OK && fabsf(args.hours - rows[i].hours) < 1e-6f
                            : result == ERR_ARG;
        CHECK_MSG(is_right, "--time=%s: %g, %s", rows[i].text, (double)args.hours, err.text);
        END;
    }
}

static const struct test_case cases[] = {
    {"spellings", spellings},
    {"dashes_and_underscores", dashes_and_underscores},
    {"positionals", positionals},
    {"values", values},
    {"switches", switches},
    {"repeatable", repeatable},
    {"bad_numbers", bad_numbers},
    {"hours", hours},
    {"missing_values", missing_values},
    {"unknown", unknown},
    {"levels", levels},
    {"out_of_memory", out_of_memory},
};

TEST_MAIN(cases)
