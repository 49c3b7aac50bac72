/* data.yaml: what is read of it, and that each fault is told with its place. */
#include <limits.h>

#include "cfg/data_yaml.h"
#include "data/data_source.h"
#include "data/inputs.h"
#include "dataset_rig.h"

#define NAMES "names: [a, b]\n"

/* Its path, which stays. */
static const char *put_yaml(const char *text)
{
    static char path[4096];
    snprintf(path, sizeof path, "%s", put("y/data.yaml", text));
    return path;
}

static bool path_is(const struct data_yaml *yaml, enum data_part part, size_t index,
                    const char *expected)
{
    char path[4096];
    bool fits =
        data_yaml_path(yaml, part, index, path, &err) == OK && strcmp(path, in_root(expected)) == 0;
    if (!fits) {
        printf("    %s, not %s\n", path, in_root(expected));
    }
    return fits;
}

static void put_pictures(void)
{
    put("y/train/images/a.jpg", "");
    put("y/train/labels/a.txt", "0 .5 .5 .2 .2\n");
    put("y/valid/images/b.jpg", "");
    put("y/valid/labels/b.txt", "1 .5 .5 .2 .2\n");
    put("y/list.txt", "train/images/a.jpg\n");
}

#define CHECK_STR(a, b) CHECK_MSG(strcmp((a), (b)) == 0, "%s, not %s", (a), (b))

static void test_split(void)
{
    struct data_yaml yaml;
    put_pictures();
    const char *path = put_yaml("train: ../train/images\nval: [valid/images, list.txt]\ntest:\n"
                                "nc: 2\nnames: {1: 'two words', 0: a}\n");
    CHECK_OK(data_yaml_read(path, false, &yaml, &err));
    CHECK(yaml.classes == 2 && yaml.name_count == 2);
    CHECK_STR(yaml.names[0], "a");
    CHECK_STR(yaml.names[1], "two words");
    CHECK(data_yaml_count(&yaml, DATA_PART_TRAIN) == 1 &&
          data_yaml_count(&yaml, DATA_PART_VALID) == 2);
    CHECK(path_is(&yaml, DATA_PART_TRAIN, 0, "y/train/images"));
    CHECK(path_is(&yaml, DATA_PART_VALID, 0, "y/valid/images"));
    CHECK(path_is(&yaml, DATA_PART_VALID, 1, "y/list.txt"));
    data_yaml_free(&yaml);
}

static void test_root(void)
{
    static const char *const roots[] = {
        "path: ..\ntrain: y/train/images\n", "path: .\ntrain: train/images\n",
        "path: ../gone\ntrain: train/images\n", "path: ~\ntrain: ./train/images\n"};
    put_pictures();
    for (size_t i = 0; i < sizeof roots / sizeof roots[0]; i++) {
        struct data_yaml yaml;
        char text[200], found[4096], whole[PATH_MAX], expected[PATH_MAX];
        snprintf(text, sizeof text, "%s" NAMES, roots[i]);
        CHECK_OK(data_yaml_read(put_yaml(text), false, &yaml, &err));
        CHECK_OK(data_yaml_path(&yaml, DATA_PART_TRAIN, 0, found, &err));
        CHECK(realpath(found, whole) && realpath(in_root("y/train/images"), expected));
        CHECK_STR(whole, expected);
        data_yaml_free(&yaml);
    }
}

static void test_source(void)
{
    struct data_file file;
    struct dataset set;
    char **names;
    size_t count;
    put_pictures();
    const char *path = put_yaml("train: [train/images, list.txt]\nval: valid/images\n" NAMES);
    CHECK_OK(data_source_read(path, &file, &err));
    CHECK_STR(file.train, path);
    CHECK_STR(file.valid, path);
    CHECK_STR(file.names, path);
    CHECK(file.classes == 2 && file.lines[DATA_TRAIN] == 1 && file.lines[DATA_VALID] == 2);
    data_file_free(&file);
    CHECK_OK(names_read(path, &names, &count, &err));
    CHECK(count == 2 && strcmp(names[1], "b") == 0 && names_line(path, 1) == 0);
    mem_free(names);
    struct dataset_source source = {.path = path, .class_count = 2};
    CHECK_OK(dataset_open(&source, &set, &err));
    CHECK(set.sample_count == 2 && set.samples[0].list == NULL && set.samples[1].list_line == 1);
    CHECK_STR(set.samples[1].list, in_root("y/list.txt"));
    CHECK(set.samples[0].truth_count == 1 && set.samples[0].truths[0].class_id == 0);
    dataset_free(&set);
    source.part = DATA_PART_VALID;
    CHECK_OK(dataset_open(&source, &set, &err));
    CHECK(set.sample_count == 1 && set.samples[0].truths[0].class_id == 1);
    dataset_free(&set);
}

/* Key points behind a box: the box is taken, where kpt_shape says how many numbers follow. */
static void test_key_points(void)
{
    struct dataset set;
    put_pictures();
    put("y/train/labels/a.txt", "0 .5 .5 .2 .2 .4 .4 2 .6 .6 2\n0 .25 .25 .1 .1 .2 .2 1 .3 .3 0\n");
    const char *path = put_yaml("train: train/images\nkpt_shape: [2, 3]\n" NAMES);
    CHECK_OK(open_set(path, 2, &set));
    CHECK(set.sample_count == 1 && set.samples[0].truth_count == 2);
    CHECK_NEAR(set.samples[0].truths[0].box.w, .2, 1e-6);
    CHECK_NEAR(set.samples[0].truths[1].box.cx, .25, 1e-6);
    CHECK(set.faults[FAULT_POLYGON] == 2 && seen_count == 1 && strstr(seen[0].text, "key points"));
    dataset_free(&set);
}

static void test_refused(void)
{
    static const struct {
        const char *text, *error;
    } table[] = {
        {"", ": nothing in it"},
        {"# nothing\n", ": nothing in it"},
        {"- a\n- b\n", ":1: no \"key: value\" lines"},
        {"a text\n", ":1: no \"key: value\" lines"},
        {"train: x\n\tval: y\n", ":2: no YAML: "},
        {"names:\n\t- a\n", ":2: no YAML: found character that cannot start any token (a tab"},
        {"names: [a, b\n", ": no YAML: "},
        {"train: 'x\n", ": no YAML: "},
        {"names: &n [a, b]\nval: *n\n", ":1: an anchor or an alias"},
        {"val: *n\n", ":1: an anchor or an alias"},
        {"names: &n [a]\n", ":1: an anchor or an alias"},
        {"train: !!python/object:os.x y\n", ":1: a tag"},
        {"[a]: b\n", ":1: a key that is no text"},
        {"nc: 2\nnc: 3\n", ":2: nc is given again (first in line 1)"},
        {"nc: 2\n---\nnc: 2\n", ":2: a second document"},
        {"nc: two\n", ":1: nc: a number of classes"},
        {"nc: 0\n", ":1: nc: a number of classes"},
        {"nc: [2]\n", ":1: nc: a number of classes"},
        {"nc: 99999999999999999999\n", ":1: nc: a number of classes"},
        {"train: list.txt\n", ": no classes (names"},
        {"nc: 3\n" NAMES, ":1: nc: 3, but line 2 names 2 classes"},
        {"names: list.txt\n", ":1: names: a list of names"},
        {"names: []\n", ":1: names: a list of names"},
        {"names: [a, [b]]\n", ":1: names: a name is no text"},
        {"names: [a, ~]\n", ":1: names: a class without a name"},
        {"names: [\"a\\nb\"]\n", ":1: names: a name with control characters"},
        {"names: [\"a\\0b\"]\n", ":1: a text with a zero byte"},
        {"names: {x: a}\n", ":1: names: \"x\" is no class"},
        {"names: {-1: a}\n", ":1: names: \"-1\" is no class"},
        {"names:\n  0: a\n  2: b\n", ":3: names: class 2, but there are 2 names"},
        {"names:\n  0: a\n  00: b\n", ":3: names: class 0 is given again"},
        {"train: {a: b}\n" NAMES, ":1: train: a path, or a list of paths"},
        {"train: []\n" NAMES, ":1: train: a path, or a list of paths"},
        {"train: [list.txt, [a]]\n" NAMES, ":1: train: a path, or a list of paths"},
        {"train: [list.txt, '']\n" NAMES, ":1: train: a path, or a list of paths"},
        {"train: gone.txt\n" NAMES, ":1: train: no such file (tried "},
        {"train: list.txt\nval:\n- list.txt\n- gone.txt\n" NAMES, ":4: val: no such file"},
        {"train: ../../gone\n" NAMES,
         ":1: train: ../../gone leads out of the data set's folder (path"},
        {"train: a/../../beside\n" NAMES, ":1: train: a/../../beside leads out"},
        {"train: ../beside\n" NAMES, ":1: train: ../beside leads out"},
        {"train: ..\n" NAMES, ":1: train: .. leads out"},
        {"path: [a]\ntrain: list.txt\n" NAMES, ":1: path: a folder is expected"},
        {"kpt_shape: 17\n" NAMES, ":1: kpt_shape: [points, 2 or 3]"},
        {"kpt_shape: [2, -3]\n" NAMES, ":1: kpt_shape: [points, 2 or 3]"},
        {"a: [[[[[[[[[[[[[[[[[b]]]]]]]]]]]]]]]]]\n", ":1: nested too deeply"},
        {"a: \x01\n", ":1: not a text file"},
        {"b: 1\na: \xff\n", ":2: not a text file"},
    };
    put_pictures();
    put("beside/c.jpg", "");
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct data_file file;
        const char *path = put_yaml(table[i].text);
        CHECK_MSG(data_source_read(path, &file, &err) == ERR_FORMAT &&
                      error_is(path, table[i].error),
                  "%s", table[i].text);
        data_file_free(&file);
    }
    struct data_file file;
    const char *path = put_bytes("y/data.yaml", "n\0c\0:\0 \0002\0\n\0", 12);
    CHECK(data_source_read(path, &file, &err) == ERR_FORMAT && error_is(path, ": UTF-16"));
    data_file_free(&file);
    CHECK(data_source_read(in_root("gone.yaml"), &file, &err) == ERR_ARG);
    data_file_free(&file);
}

static void test_unknown_keys(void)
{
    struct data_file file;
    put_pictures();
    const char *path =
        put_yaml("train: list.txt\nvall: list.txt\nroboflow: {a: b}\nzebra: 1\n" NAMES);
    capture_begin();
    CHECK_OK(data_source_read(path, &file, &err));
    capture_end();
    CHECK(strstr(captured, "data.yaml:2: unknown key vall (did you mean val"));
    CHECK(strstr(captured, "data.yaml:4: unknown key zebra\n") && !strstr(captured, "roboflow"));
    data_file_free(&file);
}

/* Whatever fails to be allocated: an error, and nothing is lost. */
static void test_memory(void)
{
    put_pictures();
    const char *path = put_yaml("train: list.txt\nval: [valid/images]\nnames: {0: a, 1: b}\n");
    enum result result = ERR_MEMORY;
    for (long k = 0; result != OK; k++) {
        struct data_file file;
        mem_fail_after(k);
        result = data_source_read(path, &file, &err);
        mem_fail_after(-1);
        CHECK(result == OK || result == ERR_MEMORY);
        data_file_free(&file);
    }
}

static const struct test_case cases[] = {
    {"split", test_split},           {"root", test_root},       {"source", test_source},
    {"key_points", test_key_points}, {"refused", test_refused}, {"unknown_keys", test_unknown_keys},
    {"memory", test_memory},
};
TEST_MAIN(cases)
