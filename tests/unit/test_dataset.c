/* Data sets: .data files, lists, COCO JSON; label files have test_labels.c. */
#include "data/dataset.h"

#include "base/lookup.h"
#include "base/sniff.h"
#include "cfg/data_file.h"
#include "dataset_rig.h"

/* ---- lists and folders ---- */

static void test_lists(void)
{
    put("list/images/b.JPG", "");
    put("list/images/a.jpg", "");
    put("list/labels/a.txt", "0 .5 .5 .5 .5\n");
    put("list/labels/orphan.txt", "0 .5 .5 .5 .5\n");
    const char *list = put("list/train.lst", "images/b.JPG\r\n\n images/a.jpg \nimages/gone.jpg\n"
                                             "images/\x01.jpg\nimages/a.jpg");
    struct dataset set;
    CHECK_OK(open_set(list, 1, &set));
    CHECK(set.sample_count == 3 && seen_count == 4);
    CHECK(was_seen(FAULT_ORPHAN_LABEL, in_root("list/labels/orphan.txt"), 0, "no picture"));
    CHECK(strcmp(set.samples[0].image_path, in_root("list/images/b.JPG")) == 0);
    CHECK(!set.samples[0].label_path && set.samples[0].truth_count == 0);
    CHECK(was_seen(FAULT_NO_LABEL, set.samples[0].image_path, 0, "list/labels/b.txt"));
    CHECK(was_seen(FAULT_NO_IMAGE, list, 4, "images/gone.jpg does not exist"));
    CHECK(was_seen(FAULT_NO_IMAGE, list, 5, "control characters"));
    CHECK(set.samples[1].truth_count == 1 && set.samples[2].truth_count == 1);
    dataset_free(&set);

    CHECK_OK(open_set(in_root("list/images"), 1, &set)); /* a folder, by name */
    CHECK(set.sample_count == 2 && strstr(set.samples[0].image_path, "a.jpg"));
    CHECK(set.samples[0].truth_count == 1);
    dataset_free(&set);
}

static void test_unusable_sets(void)
{
    struct dataset set;
    const char *path = in_root("nothing.txt");
    CHECK(open_set(path, 1, &set) == ERR_ARG && error_is(path, "no such file"));
    dataset_free(&set);
    path = put("empty.txt", "\n\n");
    CHECK(open_set(path, 1, &set) == ERR_FORMAT && error_is(path, "no pictures"));
    dataset_free(&set);
    path = put("gone.txt", "a/b.jpg\na/c.jpg\n");
    CHECK(open_set(path, 1, &set) == ERR_FORMAT && error_is(path, "none of the 2 pictures exists"));
    dataset_free(&set);
    path = put("binary.txt", "\x01\n\x02\n\x03\n\x04\n\x05\n\x06\n\x07\n\x08\n\x01\n\x0e\n\x0f\n");
    CHECK(open_set(path, 1, &set) != OK);
    dataset_free(&set);
}

/* Paths with a folder data/ that is not there. */
static void test_data_folder(void)
{
    put("export/train.txt",
        "data/obj/a.jpg\n./data/obj/b.jpg\ndata/obj/gone.jpg\nother/obj/a.jpg\n");
    put("export/obj.names", "a\n");
    put("export/obj/a.jpg", "");
    put("export/obj/a.txt", "0 .5 .5 .5 .5\n");
    put("export/obj/b.jpg", "");
    put("mark/data/img/c.jpg", "");
    put("mark/data/img/c.txt", "0 .5 .5 .5 .5\n");
    put("mark/data/list.txt", "data/img/c.jpg\n");
    const char *path = put("export/obj.data", "train = data/train.txt\nval = data/gone.txt\n"
                                              "names = data/obj.names\nclasses=1\n");
    struct data_file file;
    CHECK_OK(data_file_read(path, &file, &err));
    CHECK(strcmp(file.train, in_root("export/train.txt")) == 0);
    CHECK(strcmp(file.names, in_root("export/obj.names")) == 0);
    CHECK(data_file_need(&file, DATA_VALID, &err) == ERR_FORMAT);
    char tried[9000];
    snprintf(tried, sizeof tried,
             "%s:2: valid: no such file (tried %s, data/gone.txt, %s, %s, gone.txt)", path,
             in_root("export/data/gone.txt"), in_root("export/../data/gone.txt"),
             in_root("export/gone.txt"));
    CHECK_MSG(strcmp(err.text, tried) == 0, "%s", err.text);
    data_file_free(&file);

    struct dataset set;
    const char *list = in_root("export/train.txt");
    CHECK_OK(open_set(list, 1, &set));
    CHECK(set.sample_count == 2 && dataset_count_boxes(&set) == 1);
    CHECK(strcmp(set.samples[1].image_path, in_root("export/obj/b.jpg")) == 0);
    CHECK(was_seen(FAULT_NO_IMAGE, list, 3,
                   "data/obj/gone.jpg does not exist (tried data/obj/gone.jpg, "));
    CHECK(was_seen(FAULT_NO_IMAGE, list, 4, "other/obj/a.jpg does not exist")); /* data/ only */
    dataset_free(&set);
    CHECK_OK(open_set(in_root("mark/data/list.txt"), 1, &set));
    CHECK(set.sample_count == 1 && dataset_count_boxes(&set) == 1);
    dataset_free(&set);
    char place[64];
    CHECK(lookup_place(NULL, "/data/x", LOOKUP_HERE, 0, place, sizeof place));
    CHECK(!lookup_place("a/f", "/data/x", LOOKUP_HERE, 1, place, sizeof place));
    CHECK(!lookup_place("a/f", "b/x", LOOKUP_HERE, 2, place, sizeof place));
    CHECK(!lookup_place("a/f", "data/", LOOKUP_HERE, 3, place, sizeof place));
    CHECK(!lookup_place("a/f", "data/x", LOOKUP_HERE, 0, place, 6));
}

/* What is no list is called what it is. */
static void test_other_kinds(void)
{
    static const struct {
        const char *text;
        size_t size;
        const char *error;
    } table[] = {
        {"\xff\xfe\x61\0.\0j\0p\0g\0\n\0", 12, ":1: no list of pictures: UTF-16 text"},
        {"\0a\0b\0.\0j\0p\0g\0\n", 14, ":1: no list of pictures: UTF-16 text"},
        {"{\"type\": \"image\", \"file\": \"a.jpg\"}\n", 0,
         ":1: no list of pictures: JSON, one object"},
        {"[{\"id\": 1}]\n", 0, ":1: no list of pictures: JSON ("},
        {"# my set\npath: ../set\ntrain: images/train\n", 0, ":2: no list of pictures: YAML"},
        {"names:\n  0: cat\n", 0, ":1: no list of pictures: YAML"},
        {"a.jpg 1,2,30,40,0 5,6,70,80,1\n", 0, ":1: no list of pictures: lines \"path x1,y1"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        size_t size = table[i].size ? table[i].size : strlen(table[i].text);
        const char *path = put_bytes("kind.txt", table[i].text, size);
        struct dataset set;
        CHECK(open_set(path, 1, &set) == ERR_FORMAT && error_is(path, table[i].error));
        for (size_t k = 0; k < seen_count; k++) {
            CHECK_MSG(!strstr(seen[k].text, "no list"), "said twice: %s", seen[k].text);
        }
        dataset_free(&set);
    }
    const char *path = put("data.yaml", "train: images/train\nnc: 2\n");
    struct data_file file;
    CHECK(data_file_read(path, &file, &err) == ERR_FORMAT && error_is(path, ":1: YAML"));
    data_file_free(&file);
    CHECK(!sniff_structured("C:\\pictures\\a.jpg") && !sniff_structured("http://a/b.jpg"));
    CHECK(!sniff_boxed_path("a 1,2,3,4,x") && !sniff_boxed_path("a 1,2,3") &&
          !sniff_boxed_path("a"));
    const char *label;
    struct dataset set;
    CHECK_OK(open_label("0\0 \0.\0"
                        "5\0",
                        8, 1, &label, &set));
    CHECK(was_seen(FAULT_NOT_NUMBERS, label, 0, "UTF-16"));
    dataset_free(&set);
}

/* ---- COCO ---- */

#define CATEGORIES "\"categories\": [{\"id\": 7, \"name\": \"b\"}, {\"id\": 3, \"name\": \"a\"}]"
#define IMAGES                                                                                     \
    "\"images\": [{\"id\": 42, \"file_name\": \"x.jpg\", \"width\": 200, \"height\": 100},"        \
    "{\"id\": 5, \"file_name\": \"gone.jpg\", \"width\": 10, \"height\": 10},"                     \
    "{\"id\": 9, \"file_name\": \"y.jpg\", \"width\": 10, \"height\": 10}]"

static enum result open_coco(const char *text, size_t classes, const char **path,
                             struct dataset *set)
{
    put("coco/x.jpg", "");
    put("coco/y.jpg", "");
    *path = put("coco/all.json", text);
    return open_set(*path, classes, set);
}

static void test_coco(void)
{
    const char *path;
    struct dataset set;
    CHECK_OK(
        open_coco("{\"info\": {}, " CATEGORIES "," IMAGES ", \"annotations\": ["
                  "{\"id\": 1, \"image_id\": 42, \"category_id\": 7, \"bbox\": [20, 10, 40, 20],"
                  " \"area\": 123.5, \"iscrowd\": 0, \"segmentation\": [[1, 2, 3]]},"
                  "{\"id\": 2, \"image_id\": 42, \"category_id\": 3, \"bbox\": [0, 0, 200, 100],"
                  " \"iscrowd\": 1},"
                  "{\"id\": 3, \"image_id\": 42, \"category_id\": 3, \"bbox\": [5, 5, 0, 9]},"
                  "{\"id\": 4, \"image_id\": 5, \"category_id\": 3, \"bbox\": [0, 0, 1, 1]},"
                  "{\"id\": 5, \"image_id\": 77, \"category_id\": 3, \"bbox\": [0, 0, 1, 1]},"
                  "{\"id\": 6, \"image_id\": 9, \"category_id\": 8, \"bbox\": [0, 0, 1, 1]},"
                  "{\"id\": 7, \"image_id\": 9, \"category_id\": 3, \"bbox\": [5, 5, 10, 1]}]}",
                  2, &path, &set));
    CHECK(set.sample_count == 2 && set.class_count == 2);
    CHECK(set.category_ids[0] == 3 && set.category_ids[1] == 7);
    const struct sample *s = &set.samples[0];
    CHECK(s->coco_id == 42 && s->image_w == 200 && s->image_h == 100 && s->truth_count == 2);
    CHECK(s->truths[0].class_id == 1 && s->truths[1].class_id == 0);
    CHECK_NEAR(s->truths[0].box.cx, 0.2, 1e-6);
    CHECK_NEAR(s->truths[0].box.cy, 0.2, 1e-6);
    CHECK_NEAR(s->truths[0].box.w, 0.2, 1e-6);
    CHECK_NEAR(s->truths[0].box.h, 0.2, 1e-6);
    CHECK(s->areas[0] == 123.5 && s->areas[1] == 20000);
    CHECK(s->is_crowd && !s->is_crowd[0] && s->is_crowd[1]);
    CHECK(set.samples[1].truth_count == 1 && !set.samples[1].is_crowd);
    CHECK_NEAR(set.samples[1].truths[0].box.w, 0.5, 1e-6);
    CHECK(seen_count == 5);
    CHECK(was_seen(FAULT_ZERO_SIZE, path, 1, "annotations[2]: "));
    CHECK(was_seen(FAULT_NO_IMAGE, path, 1, "images[1]: "));
    CHECK(was_seen(FAULT_NO_IMAGE, path, 1, "annotations[4]: no image of id 77"));
    CHECK(was_seen(FAULT_CLASS_RANGE, path, 1, "annotations[5]: no category of id 8"));
    CHECK(was_seen(FAULT_CLIPPED, path, 1, "annotations[6]: "));
    dataset_free(&set);
}

/* A wrong annotation costs only itself; its neighbours before and behind are taken. */
static void test_coco_annotations(void)
{
    static const struct {
        const char *rest, *text;
    } table[] = {
        {"\"image_id\": 9, \"category_id\": 3", "bbox: is missing"},
        {"\"image_id\": 9, \"category_id\": 3, \"bbox\": null", "bbox: is null"},
        {"\"image_id\": 9, \"category_id\": 3, \"bbox\": []", "bbox: is empty"},
        {"\"image_id\": 9, \"category_id\": 3, \"bbox\": [1, 2, 3]", "bbox: is not an array of 4"},
        {"\"image_id\": 9, \"category_id\": 3, \"bbox\": [1, 2, 3, 4, 5]",
         "bbox: is not an array of 4"},
        {"\"image_id\": 9, \"category_id\": 3, \"bbox\": \"1 2 3 4\"",
         "bbox: is not an array of 4"},
        {"\"image_id\": 9, \"category_id\": 3, \"bbox\": {\"x\": [1]}",
         "bbox: is not an array of 4"},
        {"\"image_id\": 9, \"category_id\": 3, \"bbox\": [1, null, 3, [4]]",
         "bbox[1]: is not a finite number"},
        {"\"image_id\": 9, \"category_id\": 3, \"bbox\": [1, 2, 3, 1e999]",
         "bbox[3]: is not a finite number"},
        {"\"image_id\": null, \"category_id\": 3, \"bbox\": [1, 2, 3, 4]",
         "image_id: is not a whole number"},
        {"\"category_id\": 3, \"bbox\": [1, 2, 3, 4]", "image_id: is missing"},
        {"\"image_id\": 9, \"category_id\": \"3\", \"bbox\": [1, 2, 3, 4]",
         "category_id: is not a whole number"},
        {"\"image_id\": 9, \"category_id\": 3, \"bbox\": [1, 2, 3, 4], \"iscrowd\": \"no\"",
         "iscrowd: is neither"},
        {"\"image_id\": 9, \"category_id\": 3, \"bbox\": [1, 2, 3, 4], \"area\": []",
         "area: is not a number"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        const char *path;
        struct dataset set;
        char json[2048], text[128];
        snprintf(json, sizeof json,
                 "{" CATEGORIES "," IMAGES ", \"annotations\": ["
                 "{\"image_id\": 9, \"category_id\": 3, \"bbox\": [1, 1, 2, 2], \"area\": null, "
                 "\"iscrowd\": null},\n"
                 "{%s},\n{\"image_id\": 9, \"category_id\": 7, \"bbox\": [2, 2, 4, 4]}]}",
                 table[i].rest);
        CHECK_MSG(open_coco(json, 2, &path, &set) == OK, "%s: %s", table[i].text, err.text);
        snprintf(text, sizeof text, "annotations[1].%s", table[i].text);
        CHECK_MSG(was_seen(FAULT_ANNOTATION, path, 2, text), "%s", text);
        CHECK(set.faults[FAULT_ANNOTATION] == 1 && set.samples[1].truth_count == 2);
        CHECK(set.samples[1].areas[0] == 4 && set.samples[1].truths[1].class_id == 1);
        dataset_free(&set);
    }
}

/* Where the file gives no size, the picture's counts. */
static void test_coco_sizes(void)
{
    static const char *const sizes[] = {"", ", \"width\": null, \"height\": null",
                                        ", \"width\": 0, \"height\": 0", ", \"width\": 10",
                                        ", \"width\": \"10\", \"height\": -3"};
    static const char ppm[13 + 20 * 10 * 3] = "P6 20 10 255\n";
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        const char *path;
        struct dataset set;
        char json[1024];
        snprintf(json, sizeof json,
                 "{" CATEGORIES ", \"images\": [{\"id\": 1, \"file_name\": \"size.ppm\"%s},\n"
                 "{\"id\": 2, \"file_name\": \"x.jpg\"}], \"annotations\": ["
                 "{\"image_id\": 1, \"category_id\": 3, \"bbox\": [5, 5, 10, 5]}]}",
                 sizes[i]);
        put_bytes("coco/size.ppm", ppm, sizeof ppm);
        capture_begin();
        enum result result = open_coco(json, 2, &path, &set);
        capture_end();
        CHECK_MSG(result == OK, "%s: %s", sizes[i], err.text);
        CHECK(set.sample_count == 1 && set.samples[0].image_w == 20 &&
              set.samples[0].image_h == 10);
        CHECK_NEAR(set.samples[0].truths[0].box.w, .5, 1e-6);
        CHECK_NEAR(set.samples[0].truths[0].box.cy, .75, 1e-6);
        CHECK(was_seen(FAULT_NO_IMAGE, path, 2, "images[1]: no width and height, and "));
        dataset_free(&set);
    }
}

static void test_coco_broken(void)
{
#define ONE(annotation) "{" CATEGORIES "," IMAGES ", \"annotations\": [" annotation "]}"
    static const struct {
        const char *json, *text;
    } table[] = {
        {"", ":1: not valid JSON"},
        {"{\n\"a\": 1,\n}", ":3: not valid JSON"},
        {"[]", "not a JSON object"},
        {"{}", "no \"categories\""},
        {"{" CATEGORIES "}", "no \"images\""},
        {"{" CATEGORIES "," IMAGES "}", "no \"annotations\""},
        {"{" CATEGORIES ",\"images\": 3}", ":1: images: not an array"},
        {"{\"categories\": [{\"id\": 1}, {}]}", "categories[1].id: is missing"},
        {"{\"categories\": [{\"id\": \"1\"}]}", "categories[0].id: is not a whole number"},
        {"{\"categories\": [{\"id\": 1}, {\"id\": 1}]}", "categories: the id 1 is given twice"},
        {"{\"categories\": [{\"id\": 1},\n{\"id\": 2},\n{\"id\": 1}\n]\n}",
         ":3: categories: the id 1 is given twice (first in line 1; were two files joined?)"},
        {"{" CATEGORIES
         ",\n\"images\": [{\"id\": 7, \"file_name\": \"a\"},\n{\"id\": 7, \"file_name\": \"b\"}]\n\n}",
         ":3: images: the id 7 is given twice (first in line 2; were two files joined?)"},
        {"{\"categories\": [{\"id\": 1}],\"images\": [], \"annotations\": []}",
         "1 categories, but 2 classes are expected"},
        {"{" CATEGORIES ",\"images\": [7]}", ":1: images[0]: not a JSON object"},
        {"{" CATEGORIES ",\"images\": [{\"id\": 1, \"width\": 0}]}",
         "images[0].file_name: is missing"},
        {"{" CATEGORIES ",\"images\": [{\"id\": 1, \"width\": 1, \"height\": 1}]}",
         "images[0].file_name: is missing"},
        {"{" CATEGORIES
         ",\"images\": [{\"id\": 1, \"width\": 1, \"height\": 1, \"file_name\": 3}]}",
         "images[0].file_name: is not a text"},
        {"{" CATEGORIES ",\"images\": [{\"id\": 1.5}]}", "images[0].id: is not a whole number"},
        {ONE("{\"image_id\": 42}"), "annotations[0].category_id: is missing"},
        {ONE("{\"image_id\": 42, \"category_id\": 3}"), "annotations[0].bbox: is missing"},
        {ONE("{\"image_id\": 42, \"category_id\": 3, \"bbox\": [1, 2, 3]}"),
         "annotations[0].bbox: is not an array of 4 numbers"},
        {ONE("{\"image_id\": 42, \"category_id\": 3, \"bbox\": [1, 2, 3, 1e999]}"),
         "annotations[0].bbox[3]: is not a finite number"},
        {ONE("{\"image_id\": 42, \"category_id\": 3, \"bbox\": [1, 2, 3, 4], \"iscrowd\": \"no\"}"),
         "annotations[0].iscrowd: is neither 0 nor 1"},
        {ONE("{\"image_id\": 42, \"category_id\": 3, \"bbox\": [1, 2, 3, 4], \"area\": []}"),
         "annotations[0].area: is not a number"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        const char *path;
        struct dataset set;
        enum result result = open_coco(table[i].json, 2, &path, &set);
        CHECK_MSG(result == ERR_FORMAT, "%s: %d", table[i].text, (int)result);
        CHECK_MSG(error_is(path, table[i].text), "%s", table[i].text);
        dataset_free(&set);
    }
}

/* ---- .data ---- */

static void test_data_file(void)
{
    put("d/train.txt", "");
    put("d/my names.txt", "a\n");
    const char *path = put("d/x.data", "# comment\r\nclasses= 3\r\n train = train.txt\r\n"
                                       "valid=gone.txt\n\nnames =  my names.txt \nbackup=out\n"
                                       "train=other.txt\ntop=5\nvalidd=3\n; more");
    struct data_file file;
    capture_begin();
    enum result result = data_file_read(path, &file, &err);
    capture_end();
    CHECK_MSG(result == OK, "%s", err.text);
    CHECK(file.classes == 3);
    CHECK(strcmp(file.train, in_root("d/train.txt")) == 0);
    CHECK(strcmp(file.names, in_root("d/my names.txt")) == 0);
    CHECK(strcmp(file.backup, in_root("d/out")) == 0);
    CHECK(strcmp(file.valid, "gone.txt") == 0);
    CHECK_MSG(strstr(captured, "x.data:8: train is given again; line 3 counts"), "%s", captured);
    CHECK(strstr(captured, "x.data:10: unknown key validd (did you mean valid?)"));
    CHECK_OK(data_file_need(&file, DATA_TRAIN, &err));
    CHECK(data_file_need(&file, DATA_VALID, &err) == ERR_FORMAT);
    char tried[9000];
    snprintf(tried, sizeof tried, "%s:4: valid: no such file (tried %s, gone.txt)", path,
             in_root("d/gone.txt"));
    CHECK_MSG(strcmp(err.text, tried) == 0, "%s", err.text);
    data_file_free(&file);
}

static void test_data_file_broken(void)
{
    static const struct {
        const char *text, *error;
    } table[] = {
        {"[net]\n", ":1: \"[net]\": key = value"},
        {"classes=1\ntrain=\n", ":2: train has no value"},
        {"classes=many\n", ":1: classes: \"many\""},
        {"classes=0\n", ":1: classes"},
        {"=x\n", ":1: "},
    };
    struct data_file file;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        const char *path = put("broken.data", table[i].text);
        CHECK(data_file_read(path, &file, &err) == ERR_FORMAT);
        CHECK(error_is(path, table[i].error));
        data_file_free(&file);
    }
    CHECK(data_file_read(in_root("no.data"), &file, &err) == ERR_ARG);
    const char *keys = put("keys.data", "val = a\nvalid = b\nvalidation = c\n");
    capture_begin();
    enum result result = data_file_read(keys, &file, &err);
    capture_end();
    CHECK(result == OK && strcmp(file.valid, "b") == 0 && file.lines[DATA_VALID] == 2);
    CHECK_MSG(strstr(captured, "keys.data:3: validation is given again; line 2 counts"), "%s",
              captured);
    data_file_free(&file);
    keys = put("keys.data", "validation = c\nval = a\n");
    capture_begin();
    result = data_file_read(keys, &file, &err);
    capture_end();
    CHECK(result == OK && strcmp(file.valid, "c") == 0 && file.lines[DATA_VALID] == 1);
    data_file_free(&file);
    keys = put("keys.data", "eval = coco\ntest = a.txt\n");
    capture_begin();
    result = data_file_read(keys, &file, &err);
    capture_end();
    CHECK(result == OK && !file.valid && !strstr(captured, "eval is"));
    CHECK_MSG(strstr(captured, "keys.data:2: test is not read"), "%s", captured);
    data_file_free(&file);
    keys = put("keys.data", "eval = val.txt\n");
    capture_begin();
    result = data_file_read(keys, &file, &err);
    capture_end();
    CHECK_MSG(result == OK && strstr(captured, "keys.data:1: eval is no list"), "%s", captured);
    data_file_free(&file);
    const char *path = put("few.data", "labels=a.txt\nnames=b.txt\n");
    CHECK_OK(data_file_read(path, &file, &err));
    CHECK(strcmp(file.names, "b.txt") == 0);
    CHECK(data_file_need(&file, DATA_TRAIN, &err) == ERR_FORMAT && error_is(path, "train"));
    data_file_free(&file);
}

/* As in a cfg; what names a file is no comment. */
static void test_data_file_comments(void)
{
    put("c/#1 #2.txt", "");
    put("c/names.txt", "a\n");
    const char *path =
        put("c/x.data", "classes = 5 # five\ntrain = #1 #2.txt\nnames=names.txt\t# of five\n"
                        "valid = a#b.txt # gone\nbackup = out  #where\ntop = 5 # c\n");
    struct data_file file;
    capture_begin();
    enum result result = data_file_read(path, &file, &err);
    capture_end();
    CHECK_MSG(result == OK, "%s", err.text);
    CHECK(file.classes == 5);
    CHECK_MSG(strcmp(file.train, in_root("c/#1 #2.txt")) == 0, "%s", file.train);
    CHECK_MSG(strcmp(file.names, in_root("c/names.txt")) == 0, "%s", file.names);
    CHECK_MSG(strcmp(file.valid, "a#b.txt") == 0, "%s", file.valid);
    CHECK_MSG(strcmp(file.backup, in_root("c/out")) == 0, "%s", file.backup);
    CHECK_MSG(strstr(captured,
                     "x.data:3: names: a comment behind a value counts as part of it in Darknet; "
                     "read as 'names.txt'"),
              "%s", captured);
    CHECK(strstr(captured, ":4: valid") && strstr(captured, ":5: backup"));
    CHECK_MSG(!strstr(captured, ":1:") && !strstr(captured, ":2:") && !strstr(captured, ":6:"),
              "%s", captured);
    data_file_free(&file);
    path = put("c/close.data", "classes=7#seven\n");
    CHECK_OK(data_file_read(path, &file, &err));
    CHECK(file.classes == 7);
    data_file_free(&file);
    static const struct {
        const char *text, *error;
    } table[] = {
        {"train = # none yet\n", ":1: train has no value"},
        {"classes = # five\n", ":1: classes has no value"},
        {"classes = five # 5\n", ":1: classes: \"five\""},
        {"classes = 5 6\n", ":1: classes: \"5 6\""},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        path = put("broken.data", table[i].text);
        CHECK(data_file_read(path, &file, &err) == ERR_FORMAT);
        CHECK_MSG(error_is(path, table[i].error), "%s", err.text);
        data_file_free(&file);
    }
}

/* ---- real sets ---- */

static void test_shared_sets(void)
{
    char path[4096];
    struct dataset set;
    if (!shared_path("data/coco128/train.txt", path, sizeof path)) {
        SKIP("no shared data (set YOLO_SHARED)");
    }
    CHECK_OK(open_set(path, 80, &set));
    size_t boxes = 0;
    size_t duplicates = set.faults[FAULT_DUPLICATE];
    size_t no_label = set.faults[FAULT_NO_LABEL];
    for (size_t i = 0; i < set.sample_count; i++) {
        boxes += set.samples[i].truth_count;
    }
    CHECK(set.sample_count == 102);
    dataset_free(&set);
    CHECK(shared_path("data/coco128/val.txt", path, sizeof path));
    CHECK_OK(open_set(path, 80, &set));
    for (size_t i = 0; i < set.sample_count; i++) {
        boxes += set.samples[i].truth_count;
    }
    duplicates += set.faults[FAULT_DUPLICATE];
    CHECK(set.faults[FAULT_ORPHAN_LABEL] == 2);
    CHECK(set.sample_count == 26 && no_label + set.faults[FAULT_NO_LABEL] == 2);
    CHECK_MSG(boxes + duplicates == 929, "%zu boxes, %zu duplicates", boxes, duplicates);
    dataset_free(&set);
    CHECK(shared_path("data/aquarium/train.txt", path, sizeof path));
    CHECK_OK(open_set(path, 7, &set));
    CHECK(set.sample_count == 448);
    CHECK(set.faults[FAULT_NOT_NUMBERS] == 0 && set.faults[FAULT_CLASS_RANGE] == 0);
    dataset_free(&set);
}

static const struct test_case cases[] = {
    {"lists", test_lists},
    {"unusable_sets", test_unusable_sets},
    {"data_folder", test_data_folder},
    {"other_kinds", test_other_kinds},
    {"coco", test_coco},
    {"coco_annotations", test_coco_annotations},
    {"coco_sizes", test_coco_sizes},
    {"coco_broken", test_coco_broken},
    {"data_file", test_data_file},
    {"data_file_broken", test_data_file_broken},
    {"data_file_comments", test_data_file_comments},
    {"shared_sets", test_shared_sets},
};
TEST_MAIN(cases)
