/* Ultralytics' NDJSON: what is read of it, and that each fault is told with its place. */
#include "data/data_source.h"
#include "data/inputs.h"
#include "data/ndjson.h"
#include "dataset_rig.h"

#define HEAD                                                                                       \
    "{\"type\": \"dataset\", \"task\": \"detect\", \"class_names\": {\"0\": \"a\", \"1\": \"b\"}}\n"
#define IMAGE(file, rest)                                                                          \
    "{\"type\": \"image\", \"file\": \"" file "\", \"width\": 8, \"height\": 8, " rest "}\n"
#define BOXES(boxes) "\"annotations\": {\"boxes\": [" boxes "]}"

static const char *put_set(const char *text)
{
    static char path[4096];
    put("n/a.jpg", "");
    put("n/images/val/b.jpg", "");
    put("n/kept/images/train/c.jpg", "");
    snprintf(path, sizeof path, "%s", put("n/set.ndjson", text));
    return path;
}

static void test_set(void)
{
    struct data_file file;
    struct dataset set;
    char **names;
    size_t count;
    const char *path = put_set(
        "{\"type\": \"dataset\", \"task\": \"detect\", \"name\": \"x\", \"path\": \"kept\", \"class_names\": {\"2\": \"c\", \"0\": \"a\"}}\n\n" IMAGE(
            "a.jpg", "\"split\": \"train\", " BOXES(
                         "[0, 0.5, 0.5, 0.25, 0.5], [2, 0.5, 0.5, 0.2, 0.2, 0.9]"))
            IMAGE("b.jpg", "\"split\": \"val\", \"url\": \"http://x/b.jpg\", " BOXES(
                               "[2, 0.5, 0.5, 0.25, 0.5]")) IMAGE("c.jpg", "\"annotations\": {}")
                IMAGE("gone.jpg", "\"split\": \"train\""));
    CHECK_OK(data_source_read(path, &file, &err));
    CHECK(file.classes == 3 && strcmp(file.train, path) == 0 && strcmp(file.valid, path) == 0 &&
          strcmp(file.names, path) == 0);
    data_file_free(&file);
    CHECK_OK(names_read(path, &names, &count, &err));
    CHECK(count == 3 && strcmp(names[1], "class_1") == 0 && strcmp(names[2], "c") == 0);
    mem_free(names);
    CHECK_OK(open_set(path, 3, &set));
    CHECK(set.sample_count == 2 && set.samples[0].truth_count == 2 &&
          set.samples[0].list_line == 3);
    CHECK_NEAR(set.samples[0].truths[0].box.w, .25, 1e-7);
    CHECK(set.samples[0].truths[1].class_id == 2 && set.samples[0].is_mended);
    CHECK(set.samples[1].truth_count == 0 && !set.samples[1].is_unusable);
    CHECK(was_seen(FAULT_CONFIDENCE, path, 3, "sixth number"));
    CHECK(was_seen(FAULT_NO_IMAGE, path, 6, "gone.jpg does not exist"));
    dataset_free(&set);
    struct dataset_source source = {.path = path, .part = DATA_PART_VALID, .class_count = 3};
    CHECK_OK(dataset_open(&source, &set, &err));
    CHECK(set.sample_count == 1 && set.samples[0].truths[0].class_id == 2);
    dataset_free(&set);
}

/* Outlines and oriented boxes become the boxes around them, key points are dropped. */
static void test_other_labels(void)
{
    struct dataset set;
    const char *path = put_set(HEAD IMAGE(
        "a.jpg",
        "\"annotations\": {\"segments\": [[1, 0.1, 0.1, 0.5, 0.1, 0.5, 0.7]], \"obb\": [[0, 0.2, 0.2, 0.4, 0.2, 0.4, 0.4, 0.2, 0.4]], "
        "\"pose\": [[0, 0.5, 0.5, 0.2, 0.2, 0.4, 0.4, 2, 0.6, 0.6, 2]]}"));
    CHECK_OK(open_set(path, 2, &set));
    CHECK(set.samples[0].truth_count == 3 && !set.samples[0].is_unusable);
    CHECK_NEAR(set.samples[0].truths[0].box.cy, .4, 1e-6);
    CHECK_NEAR(set.samples[0].truths[1].box.w, .2, 1e-6);
    CHECK_NEAR(set.samples[0].truths[2].box.w, .2, 1e-6);
    CHECK(set.faults[FAULT_POLYGON] == 3);
    dataset_free(&set);
}

/* A fault of an object costs its picture, that of a picture only itself. */
static void test_faults(void)
{
    static const struct {
        const char *line;
        enum label_fault fault;
        const char *text;
    } table[] = {
        {IMAGE("a.jpg", BOXES("[2, 0.5, 0.5, 0.2, 0.2]")), FAULT_CLASS_RANGE,
         "class 2, but there are 2"},
        {IMAGE("a.jpg", BOXES("[0, 0.5, 0.5, 0.2]")), FAULT_NOT_NUMBERS, "4 numbers"},
        {IMAGE("a.jpg", BOXES("[]")), FAULT_EMPTY_LABEL, "no boxes"},
        {IMAGE("a.jpg", BOXES("[0, 0.5, 0.5, 0.2, 0.2, 0.1, 0.1]")), FAULT_NOT_NUMBERS,
         "boxes_of_7_numbers"},
        {IMAGE("a.jpg", "\"annotations\": {\"segments\": [[0, 0.5, 0.5, 0.2, 0.2]]}"),
         FAULT_NOT_NUMBERS, "segments_of_5_numbers"},
        {IMAGE("a.jpg", BOXES("[0, \"x\", 0.5, 0.2, 0.2]")), FAULT_NOT_NUMBERS, "nan"},
        {IMAGE("a.jpg", BOXES("[0, 50, 50, 20, 20]")), FAULT_OUTSIDE, "pixels?"},
        {IMAGE("../a.jpg", BOXES("")), FAULT_NO_IMAGE, "leads out"},
        {IMAGE("/etc/a.jpg", BOXES("")), FAULT_NO_IMAGE, "leads out"},
        {IMAGE("x/../../a.jpg", BOXES("")), FAULT_NO_IMAGE, "leads out"},
        {IMAGE("", BOXES("")), FAULT_NO_IMAGE, "file: is missing"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        char text[2000];
        struct dataset set;
        snprintf(text, sizeof text, HEAD "%s" IMAGE("a.jpg", BOXES("[1, 0.5, 0.5, 0.2, 0.2]")),
                 table[i].line);
        const char *path = put_set(text);
        CHECK_OK(open_set(path, 2, &set));
        CHECK_MSG(was_seen(table[i].fault, path, table[i].fault == FAULT_EMPTY_LABEL ? 0 : 2,
                           table[i].text),
                  "%s", table[i].line);
        dataset_free(&set);
    }
}

static void test_refused(void)
{
    static const struct {
        const char *text, *error;
    } table[] = {
        {"", ": nothing in it"},
        {"\n \n", ": nothing in it"},
        {"not JSON\n", ":1: "},
        {"[1]\n", ":1: "},
        {"{}\n", ":1: no \"type\""},
        {"{\"type\": \"thing\"}\n", ":1: type: \"thing\" is neither"},
        {"{\"type\": 1}\n", ":1: type: is not a text"},
        {IMAGE("a.jpg", "\"split\": \"val\""), ":1: the first line does not describe the set"},
        {HEAD HEAD, ":2: the set is described again"},
        {HEAD IMAGE("a.jpg", "\"split\": \"tset\""), ":2: split: \"tset\" is no split"},
        {HEAD IMAGE("a.jpg", "\"split\": 1"), ":2: split: is not a text"},
        {HEAD "{\"type\": \"image\", \"file\": 1}\n", ":2: file: is not a text"},
        {HEAD IMAGE("a.jpg", "\"annotations\": []"), ":2: annotations: "},
        {HEAD IMAGE("a.jpg", "\"annotations\": {\"boxes\": [1]}"), ":2: annotations.boxes[0]: "},
        {HEAD "{\"type\": \"image\", \"file\": \"a.jpg\"", ":2: "},
        {HEAD "{\"type\": \"image\", \"file\": \"a", ":2: "},
        {"{\"type\": \"dataset\", \"task\": \"classify\"}\n",
         ":1: task: \"classify\" has no boxes"},
        {"{\"type\": \"dataset\", \"class_names\": [\"a\"]}\n", ":1: class_names: "},
        {"{\"type\": \"dataset\", \"class_names\": {\"x\": \"a\"}}\n",
         ":1: class_names.x: no class"},
        {"{\"type\": \"dataset\", \"class_names\": {\"-1\": \"a\"}}\n",
         ":1: class_names.-1: no class"},
        {"{\"type\": \"dataset\", \"class_names\": {\"99999999999999999999\": \"a\"}}\n",
         "no class"},
        {"{\"type\": \"dataset\", \"class_names\": {\"0\": \"\"}}\n",
         ":1: class_names.0: a class without a name"},
        {"{\"type\": \"dataset\", \"class_names\": {\"0\": 1}}\n",
         ":1: class_names.0: is not a text"},
        {"{\"type\": \"dataset\", \"class_names\": {\"0\": \"a\", \"00\": \"b\"}}\n",
         ":1: class_names: class 0 is given again"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct data_file file;
        struct dataset set;
        const char *path = put_set(table[i].text);
        enum result result = data_source_read(path, &file, &err);
        data_file_free(&file);
        CHECK_MSG(result == OK || error_is(path, table[i].error), "%s", table[i].text);
        if (result == OK) { /* objects are looked at when the set is opened */
            result = open_set(path, 2, &set);
            dataset_free(&set);
        }
        CHECK_MSG(result == ERR_FORMAT && error_is(path, table[i].error), "%s", table[i].text);
    }
}

static void test_memory(void)
{
    const char *path = put_set(HEAD IMAGE("a.jpg", BOXES("[0, 0.5, 0.5, 0.2, 0.2]")));
    enum result result = ERR_MEMORY;
    for (long k = 0; result != OK; k++) {
        struct data_file file;
        struct dataset set;
        mem_fail_after(k);
        result = data_source_read(path, &file, &err);
        enum result opened = open_set(path, 2, &set);
        mem_fail_after(-1);
        result = result == OK ? opened : result;
        CHECK(result == OK || result == ERR_MEMORY);
        data_file_free(&file);
        dataset_free(&set);
    }
}

static const struct test_case cases[] = {
    {"set", test_set},       {"other_labels", test_other_labels},
    {"faults", test_faults}, {"refused", test_refused},
    {"memory", test_memory},
};
TEST_MAIN(cases)
