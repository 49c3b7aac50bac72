/* The formats of `yolo detect` with made-up records; class filters and output names. */
#include <unistd.h>

#include <cjson/cJSON.h>

#include "base/fileio.h"
#include "base/memory.h"
#include "base/text.h"
#include "report/annotate.h"
#include "run/class_filter.h"
#include "base/json.h"
#include "results/results.h"
#include "data/coco_ids.h"
#include "results/paths.h"
#include "report/draw.h"
#include "test.h"

static char *names[] = {"dog", "traffic light", "a \"b\", <c> & d"};
static const double categories[] = {18, 10, 90};
static const struct result_object objects[] = {
    {0, 0.98125f, {128.125f, 222, 314.75f, 541.875f}},
    {2, 0.5f, {0, 0, 10, 20.5f}},
};

static struct result_record record_of(const char *image, size_t count)
{
    return (struct result_record){.image = image,
                                  .width = 640,
                                  .height = 480,
                                  .objects = objects,
                                  .count = count,
                                  .load_ms = 3.1234,
                                  .infer_ms = 21,
                                  .post_ms = 0.25,
                                  .image_id = 139};
}

static char output[65536];

/* Everything that a stream of these records writes, into `output`. */
static enum result print_all(enum result_format format, const struct result_record *records,
                             size_t count)
{
    FILE *file = tmpfile();
    struct result_stream stream = {
        .out = file, .format = format, .names = names, .categories = categories};
    struct error err;
    enum result result = results_begin(&stream, &err);
    for (size_t i = 0; i < count && result == OK; i++) {
        result = results_add(&stream, &records[i], &err);
    }
    if (result == OK) {
        result = results_end(&stream, &err);
    }
    rewind(file);
    size_t size = fread(output, 1, sizeof output - 1, file);
    output[size] = 0;
    fclose(file);
    return result;
}

static void text(void)
{
    struct result_record records[] = {record_of("a\nb.jpg", 2), record_of("c.jpg", 0), {0}};
    records[2] = (struct result_record){.image = "bad.jpg", .error = "no"};
    CHECK_OK(print_all(RESULT_TEXT, records, 3));
    const char *expected = "a?b.jpg: 640x480, 2 objects\n"
                           "  dog             0.981  128.1 222.0 314.8 541.9\n"
                           "  a \"b\", <c> & d  0.500  0.0 0.0 10.0 20.5\n"
                           "c.jpg: 640x480, 0 objects\n";
    CHECK_MSG(strcmp(output, expected) == 0, "%s", output);
}

static void csv(void)
{
    struct result_record records[] = {record_of("x,\"y\".jpg", 2), record_of("c.jpg", 0), {0}};
    records[2] = (struct result_record){.image = "bad.jpg", .error = "no"};
    CHECK_OK(print_all(RESULT_CSV, records, 3));
    const char *expected =
        "image,class_id,class,confidence,x1,y1,x2,y2\n"
        "\"x,\"\"y\"\".jpg\",0,dog,0.981250,128.125,222.000,314.750,541.875\n"
        "\"x,\"\"y\"\".jpg\",2,\"a \"\"b\"\", <c> & d\",0.500000,0.000,0.000,10.000,20.500\n";
    CHECK_MSG(strcmp(output, expected) == 0, "%s", output);
}

static double number_at(const cJSON *object, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    return cJSON_IsNumber(item) ? item->valuedouble : (double)NAN;
}

static bool string_is(const cJSON *object, const char *key, const char *expected)
{
    const char *value = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));
    return value && strcmp(value, expected) == 0;
}

static void json_array(void)
{
    struct result_record records[] = {record_of("dog \"1\".jpg", 2), {0}, record_of("none", 0)};
    records[1] = (struct result_record){.image = "b\xff\xc3.jpg", .error = "b\xff: not a picture"};
    CHECK_OK(print_all(RESULT_JSON, records, 3));
    cJSON *root = cJSON_Parse(output);
    CHECK_MSG(cJSON_IsArray(root) && cJSON_GetArraySize(root) == 3, "%s", output);
    const cJSON *first = cJSON_GetArrayItem(root, 0), *second = cJSON_GetArrayItem(root, 1);
    CHECK(string_is(first, "image", "dog \"1\".jpg") && number_at(first, "width") == 640);
    CHECK(number_at(first, "height") == 480 && !cJSON_HasObjectItem(first, "error"));
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(first, "objects");
    CHECK(cJSON_GetArraySize(list) == 2);
    const cJSON *dog = cJSON_GetArrayItem(list, 0);
    CHECK(string_is(dog, "name", "dog") && number_at(dog, "class_id") == 0);
    CHECK_NEAR(number_at(dog, "confidence"), 0.98125, 1e-6);
    const cJSON *box = cJSON_GetObjectItemCaseSensitive(dog, "box");
    CHECK_NEAR(number_at(box, "x1"), 128.125, 1e-9);
    CHECK_NEAR(number_at(box, "y1"), 222, 1e-9);
    CHECK_NEAR(number_at(box, "x2"), 314.75, 1e-9);
    CHECK_NEAR(number_at(box, "y2"), 541.875, 1e-9);
    const cJSON *ms = cJSON_GetObjectItemCaseSensitive(first, "ms");
    CHECK_NEAR(number_at(ms, "load"), 3.123, 1e-9);
    CHECK_NEAR(number_at(ms, "infer"), 21, 1e-9);
    CHECK_NEAR(number_at(ms, "post"), 0.25, 1e-9);
    CHECK(string_is(second, "image", "b\xef\xbf\xbd\xef\xbf\xbd.jpg"));
    CHECK(string_is(second, "error", "b\xef\xbf\xbd: not a picture"));
    CHECK(cJSON_GetArraySize(second) == 2);
    list = cJSON_GetObjectItemCaseSensitive(cJSON_GetArrayItem(root, 2), "objects");
    CHECK(cJSON_IsArray(list) && cJSON_GetArraySize(list) == 0);
    cJSON_Delete(root);
}

static void json_edges(void)
{
    CHECK_OK(print_all(RESULT_JSON, NULL, 0));
    CHECK(strcmp(output, "[]\n") == 0);
    CHECK_OK(print_all(RESULT_COCO, NULL, 0));
    CHECK(strcmp(output, "[]\n") == 0);
    struct result_object broken = {0, NAN, {0, 0, INFINITY, 1}};
    struct result_record record = record_of("nan.jpg", 1);
    record.objects = &broken;
    CHECK_OK(print_all(RESULT_JSON, &record, 1));
    cJSON *root = cJSON_Parse(output);
    CHECK_MSG(cJSON_IsArray(root), "%s", output);
    cJSON_Delete(root);
}

static void json_lines(void)
{
    struct result_record records[] = {record_of("a\nb", 1), {.image = "b", .error = "c"}};
    CHECK_OK(print_all(RESULT_JSONL, records, 2));
    char *end = strchr(output, '\n');
    CHECK(end && strcmp(end + 1, "{\"image\":\"b\",\"error\":\"c\"}\n") == 0);
    *end = 0;
    cJSON *root = cJSON_Parse(output);
    CHECK(string_is(root, "image", "a\nb"));
    cJSON_Delete(root);
}

/* A record that memory does not suffice for leaves the array as it was. */
static void json_out_of_memory(void)
{
    json_init();
    for (long k = 0; k < 30; k++) {
        FILE *file = tmpfile();
        struct result_stream stream = {.out = file, .format = RESULT_JSON, .names = names};
        struct result_record record = record_of("a.jpg", 2);
        struct error err;
        CHECK_OK(results_begin(&stream, &err));
        CHECK_OK(results_add(&stream, &record, &err));
        mem_fail_after(k);
        enum result result = results_add(&stream, &record, &err);
        mem_fail_after(-1);
        CHECK_MSG(result == ERR_MEMORY, "allocation %ld: %d", k, (int)result);
        CHECK_OK(results_end(&stream, &err));
        rewind(file);
        output[fread(output, 1, sizeof output - 1, file)] = 0;
        fclose(file);
        cJSON *root = cJSON_Parse(output);
        CHECK_MSG(cJSON_GetArraySize(root) == 1, "allocation %ld: %s", k, output);
        cJSON_Delete(root);
    }
}

static void coco_results(void)
{
    struct result_record records[] = {record_of("a.jpg", 2), {.image = "b", .error = "c"}};
    CHECK_OK(print_all(RESULT_COCO, records, 2));
    cJSON *root = cJSON_Parse(output);
    CHECK_MSG(cJSON_GetArraySize(root) == 2, "%s", output);
    const cJSON *dog = cJSON_GetArrayItem(root, 0);
    CHECK(number_at(dog, "image_id") == 139 && number_at(dog, "category_id") == 18);
    CHECK(number_at(cJSON_GetArrayItem(root, 1), "category_id") == 90);
    const double expected[4] = {128.125, 222, 186.625, 319.875};
    const cJSON *box = cJSON_GetObjectItemCaseSensitive(dog, "bbox");
    for (int i = 0; i < 4; i++) {
        const cJSON *number = cJSON_GetArrayItem(box, i);
        CHECK(cJSON_IsNumber(number));
        CHECK_NEAR(number->valuedouble, expected[i], 1e-9);
    }
    CHECK_NEAR(number_at(dog, "score"), 0.98125, 1e-6);
    cJSON_Delete(root);
}

static void full_stream(void)
{
    FILE *file = fopen("/dev/full", "w");
    if (!file) {
        SKIP("no /dev/full here");
    }
    struct result_stream stream = {.out = file, .format = RESULT_CSV, .names = names};
    struct error err;
    CHECK(results_begin(&stream, &err) == ERR_IO);
    fclose(file);
}

static char folder[] = "/tmp/test_results_XXXXXX";

static void folder_path(char *path, size_t size, const char *name)
{
    static bool is_made;
    if (!is_made && !mkdtemp(folder)) {
        printf("  no temporary folder\n");
        test_failed = true;
    }
    is_made = true;
    snprintf(path, size, "%s/%s", folder, name);
}

static bool file_is(const char *path, const char *expected)
{
    char *data;
    size_t size;
    struct error err;
    if (file_read(path, 1 << 20, &data, &size, &err) != OK) {
        return false;
    }
    bool is_equal = strcmp(data, expected) == 0;
    if (!is_equal) {
        printf("%s\n", data);
    }
    mem_free(data);
    unlink(path);
    return is_equal;
}

static void yolo_labels(void)
{
    char path[256];
    folder_path(path, sizeof path, "a.txt");
    struct error err;
    struct result_record record = record_of("a.jpg", 2);
    CHECK_OK(results_write_yolo(path, &record, false, &err));
    CHECK(file_is(path, "0 0.345996 0.795703 0.291602 0.666406\n"
                        "2 0.007812 0.021354 0.015625 0.042708\n"));
    record.count = 1;
    CHECK_OK(results_write_yolo(path, &record, true, &err));
    CHECK(file_is(path, "0 0.345996 0.795703 0.291602 0.666406 0.981250\n"));
    record.count = 0;
    CHECK_OK(results_write_yolo(path, &record, true, &err));
    CHECK(file_is(path, ""));
}

static void voc_annotation(void)
{
    char path[256];
    folder_path(path, sizeof path, "a.xml");
    struct error err;
    struct result_record record = record_of("x/<&\x01>.jpg", 2);
    CHECK_OK(results_write_voc(path, &record, names, 1, &err));
    char *data;
    size_t size;
    CHECK_OK(file_read(path, 1 << 20, &data, &size, &err));
    CHECK(strstr(data, "<filename>&lt;&amp;?&gt;.jpg</filename>"));
    CHECK(strstr(data, "<path>x/&lt;&amp;?&gt;.jpg</path>"));
    CHECK(strstr(data, "<name>a \"b\", &lt;c&gt; &amp; d</name>"));
    CHECK(strstr(data, "<xmin>129</xmin>") && strstr(data, "<ymin>223</ymin>"));
    CHECK(strstr(data, "<xmax>315</xmax>") && strstr(data, "<ymax>480</ymax>"));
    CHECK(strstr(data, "<xmin>1</xmin>") && strstr(data, "<xmax>10</xmax>"));
    mem_free(data);
    CHECK_OK(results_write_voc(path, &record, names, 0, &err));
    CHECK_OK(file_read(path, 1 << 20, &data, &size, &err));
    CHECK(strstr(data, "<xmin>128</xmin>") && strstr(data, "<ymin>222</ymin>"));
    CHECK(strstr(data, "<xmax>315</xmax>") && strstr(data, "<ymax>480</ymax>"));
    CHECK(strstr(data, "<xmin>0</xmin>") && strstr(data, "<xmax>10</xmax>"));
    mem_free(data);
    unlink(path);
}

static enum result read_coco(const char *text_in, struct coco_ids *ids, struct error *err)
{
    char path[256];
    folder_path(path, sizeof path, "a.json");
    FILE *file = fopen(path, "w");
    fputs(text_in, file);
    fclose(file);
    static char *coco_names[] = {"dog", "aeroplane"};
    enum result result = coco_ids_read(path, coco_names, 2, ids, err);
    unlink(path);
    return result;
}

#define CATEGORIES "\"categories\":[{\"id\":5,\"name\":\"airplane\"},{\"id\":18,\"name\":\"Dog\"}]"

static void coco_ids(void)
{
    struct coco_ids ids = {0};
    struct error err;
    CHECK_OK(read_coco(
        "{\"images\":[{\"id\":9,\"file_name\":\"b.jpg\"},"
        "{\"id\":7,\"file_name\":\"a.jpg\"},{\"id\":8,\"file_name\":\"x/b.jpg\"}]," CATEGORIES "}",
        &ids, &err));
    CHECK(ids.count == 3 && ids.categories[0] == 18 && ids.categories[1] == 5);
    double id = -1;
    CHECK(coco_ids_take(&ids, "aa.jpg", &id, &err) == ERR_FORMAT);
    CHECK(coco_ids_take(&ids, "", &id, &err) == ERR_FORMAT);
    CHECK(coco_ids_take(&ids, "/a.jpg", &id, &err) == OK && id == 7);
    CHECK(coco_ids_take(&ids, "/data/y/b.jpg", &id, &err) == OK && id == 9);
    CHECK(coco_ids_take(&ids, "/data/x/b.jpg", &id, &err) == OK && id == 8);
    CHECK(coco_ids_take(&ids, "a.jpg", &id, &err) == ERR_FORMAT && strstr(err.text, "earlier"));
    coco_ids_free(&ids);
    CHECK_OK(read_coco("{\"images\":[{\"id\":1,\"file_name\":\"a.jpg\"},"
                       "{\"id\":2,\"file_name\":\"images/a.jpg\"}]," CATEGORIES "}",
                       &ids, &err));
    CHECK(coco_ids_find(&ids, "set/images/x/images_/a.jpg")->id == 2);
    CHECK(coco_ids_find(&ids, "set/images/x/a.jpg")->id == 1);
    coco_ids_free(&ids);
    static const char *const bad[] = {
        "{",
        "[]",
        "{\"images\":[]}",
        "{\"images\":[{\"id\":\"x\",\"file_name\":\"b\"}]," CATEGORIES "}",
        "{\"images\":[{\"id\":1,\"file_name\":\"b\"},{\"id\":2,\"file_name\":\"b\"}]," CATEGORIES
        "}",
        "{\"images\":[],\"categories\":[{\"id\":5,\"name\":\"airplane\"}]}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CHECK_MSG(read_coco(bad[i], &ids, &err) == ERR_FORMAT, "%s", bad[i]);
        coco_ids_free(&ids);
    }
}

static void utf8(void)
{
    static const char *const pairs[][2] = {
        {"plain", "plain"},
        {"\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\x95", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\x95"},
        {"a\x80z", "a\xef\xbf\xbdz"},
        {"\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd"},                                 /* overlong */
        {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},                 /* surrogate */
        {"\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"}, /* too big */
        {"\xe2\x82", "\xef\xbf\xbd\xef\xbf\xbd"},                                 /* cut off */
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        char out[64];
        CHECK_MSG(strcmp(text_utf8(pairs[i][0], out, sizeof out), pairs[i][1]) == 0, "pair %zu", i);
    }
    char small[4];
    CHECK(strcmp(text_utf8("ab\xc3\xa4", small, sizeof small), "ab") == 0);
}

static void class_filters(void)
{
    static char *coco[] = {"person", "dog", "traffic light", "7", "cat", "car", "Dog"};
    bool *wanted;
    struct error err;
    CHECK_OK(class_filter_parse("dog, Traffic Light,4-5", coco, 7, &wanted, &err));
    const bool expected[7] = {false, true, true, false, true, true, true};
    for (int i = 0; i < 7; i++) {
        CHECK_MSG(wanted[i] == expected[i], "class %d", i);
    }
    mem_free(wanted);
    CHECK_OK(class_filter_parse("7", coco, 7, &wanted, &err));
    CHECK(wanted[3] && !wanted[0]);
    mem_free(wanted);
    static const char *const bad[] = {"",    "dog,",  ",dog", "8",
                                      "5-9", "5-4",   "dgo",  "1-",
                                      "-1",  "1-2-3", "0x1",  "99999999999999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CHECK_MSG(class_filter_parse(bad[i], coco, 7, &wanted, &err) == ERR_ARG, "'%s'", bad[i]);
    }
    CHECK(class_filter_parse("perso", coco, 7, &wanted, &err) == ERR_ARG);
    CHECK_MSG(strstr(err.text, "did you mean 'person'?"), "%s", err.text);
}

static void output_names(void)
{
    struct name_set set = {0};
    struct error err;
    char name[64];
    static const char *const expected[] = {"a/b.jpg", "a/b_2.jpg", "a/b_3.jpg"};
    for (int i = 0; i < 3; i++) {
        CHECK_OK(name_set_add(&set, "a/b.jpg", name, sizeof name, &err));
        CHECK_MSG(strcmp(name, expected[i]) == 0, "%s", name);
    }
    CHECK_OK(name_set_add(&set, "a/b_2.jpg", name, sizeof name, &err));
    CHECK_MSG(strcmp(name, "a/b_2_2.jpg") == 0, "%s", name);
    for (int i = 0; i < 5000; i++) {
        char relative[32];
        snprintf(relative, sizeof relative, "%d", i);
        CHECK_OK(name_set_add(&set, relative, name, sizeof name, &err));
        CHECK(strcmp(name, relative) == 0);
    }
    CHECK_OK(name_set_add(&set, "4321", name, sizeof name, &err));
    CHECK(strcmp(name, "4321_2") == 0);
    CHECK(name_set_add(&set, "a/b.jpg", name, 8, &err) == ERR_IO);
    name_set_free(&set);
    static const char *const pictures[][2] = {
        {"a.jpg", "a.jpg"}, {"x.y/a", "x.y/a.jpg"},     {"a.PNG", "a.PNG"},
        {"a.gif", "a.jpg"}, {".hidden", ".hidden.jpg"}, {"d/.h.bmp", "d/.h.bmp"},
    };
    for (size_t i = 0; i < sizeof pictures / sizeof pictures[0]; i++) {
        CHECK_OK(picture_name(pictures[i][0], name, sizeof name, &err));
        CHECK_MSG(strcmp(name, pictures[i][1]) == 0, "%s", name);
    }
}

static void inside(void)
{
    char path[256];
    folder_path(path, sizeof path, "x/y/f");
    struct error err;
    CHECK_OK(parent_make(path, &err));
    char outer[256], sibling[256];
    folder_path(outer, sizeof outer, "x");
    folder_path(sibling, sizeof sibling, "xy");
    CHECK_OK(dir_make(sibling, &err));
    folder_path(path, sizeof path, "x/y");
    CHECK(is_inside(path, outer) && is_inside(outer, outer) && !is_inside(outer, path));
    CHECK(!is_inside(sibling, outer) && is_inside(path, "/") && !is_inside("/no/such", "/"));
    CHECK(is_same_file(path, path) && !is_same_file(path, outer) && !is_same_file("/no", "/no"));
}

/* A black picture with the objects drawn in. */
static enum result annotated(const struct result_object *drawn, size_t count, struct image *image)
{
    struct error err;
    const struct result_record record = {.objects = drawn, .count = count};
    enum result result = image_new(400, 300, image, &err);
    if (result == OK) {
        memset(image->rgb, 0, (size_t)400 * 300 * 3);
        annotate_draw(image, &record, names);
    }
    return result;
}

static void no_frame_cuts_a_label(void)
{
    static const struct result_object pair[] = {{0, 0.9f, {60, 20, 300, 280}},
                                                {2, 0.5f, {20, 100, 120, 200}}};
    struct image both, alone;
    CHECK_OK(annotated(pair, 2, &both));
    CHECK_OK(annotated(pair + 1, 1, &alone));
    for (size_t y = 88; y < 99;
         y++) { /* the tab on top of the weaker, the stronger's frame in it */
        size_t row = (y * 400 + 20) * 3;
        CHECK_MSG(memcmp(both.rgb + row, alone.rgb + row, (size_t)90 * 3) == 0, "row %zu", y);
    }
    image_free(&both);
    image_free(&alone);
}

static size_t count_color(const struct image *image, struct color c)
{
    size_t count = 0;
    for (size_t i = 0; i < (size_t)image->w * (size_t)image->h * 3; i += 3) {
        count += image->rgb[i] == c.r && image->rgb[i + 1] == c.g && image->rgb[i + 2] == c.b;
    }
    return count;
}

static void no_label_hides_another(void)
{
    static const struct box_xyxy_px box = {100, 100, 103, 103};
    const struct result_object same[] = {{0, 0.9f, box}, {2, 0.6f, box}, {1, 0.3f, box}};
    struct image image, alone;
    CHECK_OK(annotated(same, 3, &image));
    for (size_t i = 0; i < 3; i++) {
        struct color color = draw_class_color(same[i].class_id);
        CHECK_OK(annotated(same + i, 1, &alone));
        size_t wanted = count_color(&alone, color) - 9;
        CHECK_MSG(count_color(&image, color) >= wanted, "label %zu", i);
        image_free(&alone);
    }
    image_free(&image);
}

static const struct test_case cases[] = {
    {"text", text},
    {"csv", csv},
    {"json_array", json_array},
    {"json_edges", json_edges},
    {"json_lines", json_lines},
    {"coco_results", coco_results},
    {"full_stream", full_stream},
    {"yolo_labels", yolo_labels},
    {"voc_annotation", voc_annotation},
    {"coco_ids", coco_ids},
    {"utf8", utf8},
    {"class_filters", class_filters},
    {"output_names", output_names},
    {"inside", inside},
    {"no_frame_cuts_a_label", no_frame_cuts_a_label},
    {"no_label_hides_another", no_label_hides_another},
    {"json_out_of_memory", json_out_of_memory},
};
TEST_MAIN(cases)
