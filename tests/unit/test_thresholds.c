/* --conf: one threshold, some classes' own, those that a training left; and the file that it left them in. */
#include "run/thresholds.h"

#include <unistd.h>

#include "base/json.h"
#include "base/log.h"
#include "base/memory.h"
#include "capture.h"
#include "run/class_scores.h"
#include "test.h"

static char folder[] = "/tmp/test_thresholds_XXXXXX";
static struct error err;
static char *names[] = {"cat", "dog", "hair drier", "a=b", "7"};
enum { NAMES = sizeof names / sizeof names[0] };

static void remove_folder(void)
{
    char command[96];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    if (system(command) != 0) {
        perror(command);
    }
}

static const char *run_with(const char *text)
{
    static bool is_made;
    char path[128];
    if (!is_made && (!mkdtemp(folder) || atexit(remove_folder) != 0)) {
        perror(folder);
    }
    is_made = true;
    snprintf(path, sizeof path, "%s/%s", folder, class_scores_name);
    remove(path);
    if (text) {
        FILE *file = fopen(path, "w");
        fputs(text, file);
        fclose(file);
    }
    return folder;
}

/* Thresholds of all names, or an error. */
static enum result open_text(const char *text, const char *run, float found[NAMES + 1])
{
    struct thresholds t = {0};
    const struct thresholds_source source = {
        .text = text, .rest = .25f, .run = run, .names = names, .count = NAMES};
    capture_begin();
    enum result result = thresholds_check(text, run, &err);
    result = result == OK ? thresholds_open(&source, &t, &err) : result;
    capture_end();
    for (int k = 0; k < NAMES; k++) {
        found[k] = t.of_class ? t.of_class[k] : t.rest;
    }
    found[NAMES] = t.least;
    thresholds_free(&t);
    return result;
}

static void check(const char *text, const char *run, const float wanted[NAMES + 1])
{
    float found[NAMES + 1];
    enum result result = open_text(text, run, found);
    CHECK_MSG(result == OK, "%s: %s", text ? text : "nothing", err.text);
    for (int k = 0; k <= NAMES; k++) {
        CHECK_MSG(found[k] == wanted[k], "%s: %d is %g", text ? text : "nothing", k,
                  (double)found[k]);
    }
}

static void words(void)
{
    check(NULL, NULL, (float[]){.25f, .25f, .25f, .25f, .25f, .25f});
    check(".4", NULL, (float[]){.4f, .4f, .4f, .4f, .4f, .4f});
    check("dog=.4,CAT=.3,.2", NULL, (float[]){.3f, .4f, .2f, .2f, .2f, .2f});
    check(" .2 , hair drier = 1 ,a=b=0", NULL, (float[]){.2f, .2f, 1, 0, .2f, 0});
    check("dog=.1", NULL, (float[]){.25f, .1f, .25f, .25f, .25f, .1f});
    check("7=.1,0=.6,2=.7", NULL, (float[]){.6f, .25f, .7f, .25f, .1f, .1f}); /* a name wins */
}

static void refused(void)
{
    static const struct {
        const char *text, *why;
    } lines[] = {
        {"abc", "--conf 'abc': not a number"},
        {"nan", "not a number"},
        {"1.5", "--conf 1.5: must be between 0 and 1"},
        {"dog=-.1", "must be between 0 and 1"},
        {"dog=x", "--conf 'x': not a number"},
        {"dog=", "not a number"},
        {"=.5", "of which class?"},
        {".5,", "an empty item"},
        {",", "an empty item"},
        {".5,.6", "two thresholds for the classes that are not named"},
        {"best,.6", "of which training?"},
        {"best", "--conf best: of which training? (--run DIR"},
        {"dgo=.5", "no class 'dgo' (did you mean 'dog'?)"},
        {"elephant=.5", "no class 'elephant' (names as in the names file, or numbers 0-4)"},
        {"5=.5", "no class '5'"},
        {"dog=.5,Dog=.6", "class 'Dog' is given twice"},
        {"dog=.5,1=.6", "class '1' is given twice"},
    };
    float found[NAMES + 1];
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        CHECK_MSG(open_text(lines[i].text, NULL, found) == ERR_ARG, "%s", lines[i].text);
        CHECK_MSG(strstr(err.text, lines[i].why), "%s: %s", lines[i].text, err.text);
    }
    CHECK(open_text("best", run_with(NULL), found) == ERR_ARG);
    CHECK_MSG(strstr(err.text, "thresholds.json: no such file") &&
                  strstr(err.text, "yolo eval --run"),
              "%s", err.text);
}

#define SCORE(threshold, f1)                                                                       \
    "\"objects\": 3, \"AP\": 0.5, \"AP50\": 0.6, \"precision\": 0.7, \"recall\": 0.8, \"F1\": " f1 \
    ", \"threshold\": " threshold

static const char scores[] = "{" SCORE(
    "0.3", "0.6") ", \"classes\": ["
                  "{\"name\": \"dog\", " SCORE(
                      "0.41",
                      "0.75") "},"
                              "{\"name\": \"cat\", " SCORE(
                                  "0.52",
                                  "0.5") "},"
                                         "{\"name\": \"hair drier\", " SCORE(
                                             "0", "0") "},"
                                                       "{\"name\": \"a=b\", " SCORE(
                                                           "0.2", "0.1") "},"
                                                                         "{\"name\": \"7\", " SCORE(
                                                                             "0.1", "1") "}]}";

static void best(void)
{
    const char *run = run_with(scores);
    check("best", run, (float[]){.52f, .41f, .3f, .2f, .1f, .1f}); /* nothing found: as of all */
    CHECK_MSG(strstr(captured, "confidence: cat 0.520, dog 0.410"), "%s", captured);
    check("best,dog=.9", run, (float[]){.52f, .9f, .3f, .2f, .1f, .1f});
    run =
        run_with("{" SCORE("0", "0") ", \"classes\": [{\"name\": \"dog\", " SCORE("0", "0") "}]}");
    float found[NAMES + 1];
    CHECK(open_text("best", run, found) == ERR_ARG);
    CHECK_MSG(strstr(err.text, "has no class 'cat' (1 classes, the network 5)"), "%s", err.text);
}

/* Numbers of classes in place of names that were changed since. */
static void renamed(void)
{
    char text[sizeof scores + 8];
    strcpy(text, scores);
    memcpy(strstr(text, "a=b"), "xxx", 3);
    check("best", run_with(text), (float[]){.52f, .41f, .3f, .2f, .1f, .1f});
}

static void broken_files(void)
{
    static const struct {
        const char *text, *why;
    } files[] = {
        {"{}", "objects: is missing or out of range (what `yolo eval --format json` prints"},
        {"[1]", "objects: is missing"},
        {"{", "thresholds.json"},
        {"{" SCORE("0.3", "0.6") "}", "classes: is no list of classes"},
        {"{" SCORE("0.3", "0.6") ", \"classes\": []}", "classes: is no list of classes"},
        {"{" SCORE("0.3", "0.6") ", \"classes\": [1]}", "classes[0].name: is missing"},
        {"{" SCORE("1.3", "0.6") ", \"classes\": []}", "threshold: is missing or out of range"},
        {"{" SCORE("0.3", "0.6") ", \"classes\": [{\"name\": \"x\", " SCORE("\"a\"", "1") "}]}",
         "classes[0].threshold: is missing or out of range"},
    };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        float found[NAMES + 1];
        CHECK(open_text("best", run_with(files[i].text), found) == ERR_FORMAT);
        CHECK_MSG(strstr(err.text, files[i].why), "%s: %s", files[i].text, err.text);
    }
}

static void out_of_memory(void)
{
    const char *run = run_with(scores);
    float found[NAMES + 1];
    long failed = 0;
    json_init();
    for (long k = 0;; k++) {
        mem_fail_after(k);
        enum result result = open_text("best,dog=.5", run, found);
        mem_fail_after(-1);
        if (result == OK) {
            break;
        }
        failed++;
        CHECK_MSG(result == ERR_MEMORY, "allocation %ld: %d %s", k, (int)result, err.text);
    }
    CHECK_MSG(failed > 10, "%ld", failed);
}

static const struct test_case cases[] = {
    {"words", words},     {"refused", refused},           {"best", best},
    {"renamed", renamed}, {"broken_files", broken_files}, {"out_of_memory", out_of_memory},
};

TEST_MAIN(cases)
