/* Tables: CSV and .npy as rows of features and targets, their faults, and scales of features. */
#include "data/table_set.h"

#include <math.h>

#include "data/npy.h"
#include "dataset_rig.h"

static char *names[] = {"red", "green", "12"};

/* The network takes `features` numbers and gives `targets`. */
static enum result open_table(const char *path, size_t features, size_t targets, size_t name_count,
                              struct dataset *set)
{
    struct dataset_source source = {.kind = DATASET_TABLE,
                                    .path = path,
                                    .features = features,
                                    .targets = targets,
                                    .names = names,
                                    .name_count = name_count,
                                    .label_smooth = .1f};
    return dataset_open(&source, set, &err);
}

static void test_csv(void)
{
    struct dataset set;
    const char *path = put("a.csv", "\xef\xbb\xbfx,\"y, in cm\",out\r\n1,2.5,-3e2\r\n\r\n "
                                    "4 ,\"5\",6\n");
    CHECK_OK(open_table(path, 2, 1, 0, &set));
    CHECK(set.sample_count == 2 && set.feature_count == 2 && set.value_count == 1);
    CHECK(set.features[0] == 1.0f && set.features[1] == 2.5f && set.features[3] == 5.0f);
    CHECK(dataset_targets(&set, 0).values[0] == -300.0f &&
          dataset_targets(&set, 1).values[0] == 6.0f);
    CHECK(set.samples[1].list_line == 4 && strstr(set.samples[1].image_path, "a.csv:4"));
    dataset_free(&set);
    path = put("b.tsv", "1\t2\t3\t4\n5\t6\t7\t8"); /* no header, tabs, two targets */
    CHECK_OK(open_table(path, 2, 2, 0, &set));
    CHECK(set.sample_count == 2 && set.features[2] == 5.0f &&
          dataset_targets(&set, 1).values[1] == 8.0f);
    dataset_free(&set);
    CHECK_OK(open_table(put("c.csv", "7;8\n9;10\n"), 1, 1, 0, &set));
    CHECK(set.features[1] == 9.0f && dataset_targets(&set, 1).values[0] == 10.0f);
    dataset_free(&set);
}

/* One column in place of the targets: a number or a name, a name before a number. */
static void test_classes(void)
{
    struct dataset set;
    CHECK_OK(open_table(put("k.csv", "a,b,kind\n1,2,green\n3,4,0\n5,6,12\n"), 2, 3, 3, &set));
    CHECK(set.sample_count == 3 && set.class_count == 3 && set.value_count == 3);
    CHECK(set.samples[0].class_id == 1 && set.samples[1].class_id == 0 &&
          set.samples[2].class_id == 2);
    const float *v = dataset_targets(&set, 0).values;
    CHECK_NEAR(v[0], .05, 1e-7);
    CHECK_NEAR(v[1], .9, 1e-7);
    CHECK_NEAR(v[2], .05, 1e-7);
    dataset_free(&set);
}

static void test_faults(void)
{
    static const struct {
        const char *text, *error;
        size_t targets;
    } table[] = {
        {"1,2,3\n4,5\n", ":2: 2 columns, but the rows above have 3", 1},
        {"1,2,3\n4,5,6,7\n", ":2: 4 columns, but the rows above have 3", 1},
        {"1,2,3\n\n4,x,6\n", ":3: column 2: \"x\" is no number", 1},
        {"1,x,3\n4,5,6\n", ":1: column 2: \"x\" is no number", 1}, /* no header */
        {"a,b,c\nd,e,f\n", ":2: column 1: \"d\" is no number", 1},
        {"1,2,3\n4,,6\n", ":2: column 2 is empty", 1},
        {"1,2,nan\n", ":1: column 3 is nan: not a number that can be learnt", 1},
        {"1,-inf,3\n", ":1: column 2 is -inf", 1},
        {"1,1e300,3\n", ":1: column 2 is 1e+300", 1},
        {"1,2\n", ":1: 2 columns, but the network takes 2 features and gives 1 values: 3", 1},
        {"1,2\n", "gives 3 values: 5, or 3 with a class", 3},
        {"1,2,3\n", ":1: column 3: 3 is no class (0 to 2, or a name)", 3},
        {"1,2,-1\n", ":1: column 3: -1 is no class", 3},
        {"1,2,.5\n", ":1: column 3: 0.5 is no class", 3},
        {"1,2,blue\n", ":1: column 3: no class is called \"blue\"", 3},
        {"1,2,\n", ":1: column 3 is empty", 3},
        {"1,\"2,3\n", ":1: column 2: a quote that is not closed", 1},
        {"\n\n", "a table without rows", 1},
        {"x,y,z\n", "a table without rows", 1},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct dataset set;
        const char *path = put("fault.csv", table[i].text);
        CHECK_MSG(open_table(path, 2, table[i].targets, 3, &set) == ERR_FORMAT, "%zu", i);
        CHECK_MSG(error_is(path, table[i].error), "%zu", i);
        dataset_free(&set);
    }
    struct dataset set;
    const char *path = put_bytes("zero.csv", "1,2\0,3\n", 7);
    CHECK(open_table(path, 2, 1, 0, &set) == ERR_FORMAT && error_is(path, "not a text file"));
    dataset_free(&set);
}

/* A header of 118 bytes, as NumPy pads it. */
static const char *put_npy(const char *name, const char *descr, const char *shape, const void *data,
                           size_t bytes)
{
    char file[1024] = "\x93NUMPY\x01";
    memset(file + 10, ' ', 118);
    file[8] = 118;
    int n = snprintf(file + 10, 118, "{'descr': '%s', 'fortran_order': False, 'shape': %s, }",
                     descr, shape);
    file[10 + n] = ' ';
    file[127] = '\n';
    memcpy(file + 128, data, bytes);
    return put_bytes(name, file, 128 + bytes);
}

static void test_npy(void)
{
    const float singles[] = {1, 2, 3, 4, 5, 6};
    const double doubles[] = {.1, 1, 0, .2, 2, 2};
    struct dataset set;
    CHECK_OK(open_table(put_npy("f.npy", "<f4", "(2, 3)", singles, sizeof singles), 2, 1, 0, &set));
    CHECK(set.sample_count == 2 && set.features[3] == 5.0f &&
          dataset_targets(&set, 1).values[0] == 6.0f);
    CHECK(strstr(set.samples[1].image_path, "f.npy:2"));
    dataset_free(&set);
    CHECK_OK(open_table(put_npy("d.npy", "<f8", "(2, 3)", doubles, sizeof doubles), 2, 3, 3, &set));
    CHECK(set.features[2] == .2f && set.samples[0].class_id == 0 && set.samples[1].class_id == 2);
    dataset_free(&set);
    const float bad[] = {1, NAN, 3};
    const char *path = put_npy("n.npy", "<f4", "(1, 3)", bad, sizeof bad);
    CHECK(open_table(path, 2, 1, 0, &set) == ERR_FORMAT && error_is(path, ":1: column 2 is nan"));
    dataset_free(&set);
    path = put_npy("t.npy", "<f4", "(1, 1, 3)", bad, sizeof bad);
    CHECK(open_table(path, 2, 1, 0, &set) == ERR_FORMAT && error_is(path, "(rows, columns)"));
    dataset_free(&set);
    const float infinite[] = {1, 2, (float)INFINITY};
    path = put_npy("i.npy", "<f4", "(1, 3)", infinite, sizeof infinite);
    CHECK(open_table(path, 2, 1, 0, &set) == ERR_FORMAT && error_is(path, ":1: column 3 is inf"));
    dataset_free(&set);
    const double huge[] = {1, 1e300, 3};
    path = put_npy("h.npy", "<f8", "(1, 3)", huge, sizeof huge);
    CHECK(open_table(path, 2, 1, 0, &set) == ERR_FORMAT && error_is(path, ":1: column 2 is inf"));
    dataset_free(&set);
    path = put_npy("w.npy", "<i8", "(1, 3)", huge, sizeof huge);
    CHECK(open_table(path, 2, 1, 0, &set) == ERR_UNSUPPORTED && error_is(path, "only float32"));
    dataset_free(&set);
    path = put_npy("o.npy", "<f4", "(3,)", bad, sizeof bad);
    CHECK(open_table(path, 2, 1, 0, &set) == ERR_FORMAT && error_is(path, "(rows, columns)"));
    dataset_free(&set);
    path = put_npy("k.npy", "<f4", "(1, 4)", huge, 16);
    CHECK(open_table(path, 2, 1, 0, &set) == ERR_FORMAT &&
          error_is(path, ": 4 columns, but the network takes 2 features"));
    dataset_free(&set);
    path = put_npy("s.npy", "<f4", "(2, 3)", bad, sizeof bad);
    CHECK(open_table(path, 2, 1, 0, &set) == ERR_FORMAT && error_is(path, "do not fit the shape"));
    dataset_free(&set);
}

static void test_scales(void)
{
    struct dataset set, other;
    struct feature_scale scale, read;
    CHECK_OK(
        open_table(put("s.csv", "1,1e8,5,0\n3,100000001,5,0\n5,100000002,5,0\n"), 3, 1, 0, &set));
    CHECK_OK(feature_scale_of(&set, &scale, &err));
    CHECK(scale.count == 3);
    CHECK_NEAR(scale.mean[0], 3, 1e-12);
    CHECK_NEAR(scale.deviation[0], sqrt(8.0 / 3), 1e-12);
    CHECK(scale.deviation[2] == 1.0); /* always the same */
    const char *path = in_root("scale.csv");
    CHECK_OK(feature_scale_write(&scale, path, &err));
    CHECK_OK(feature_scale_read(path, &read, &err));
    CHECK(read.count == 3 && memcmp(read.mean, scale.mean, 3 * sizeof *read.mean) == 0 &&
          memcmp(read.deviation, scale.deviation, 3 * sizeof *read.mean) == 0);
    CHECK_OK(feature_scale_apply(&read, &set, &err));
    CHECK_NEAR(set.features[0], -2 / sqrt(8.0 / 3), 1e-6);
    CHECK(set.features[2] == 0.0f && set.features[3] == 0.0f);
    feature_scale_free(&read);

    CHECK_OK(open_table(put("o.csv", "1,2\n"), 1, 1, 0, &other));
    CHECK(feature_scale_apply(&scale, &other, &err) == ERR_FORMAT);
    dataset_free(&other);
    path = put("broken.csv", "feature,mean,deviation\n0,1,2\n1,x,2\n");
    CHECK(feature_scale_read(path, &read, &err) == ERR_FORMAT &&
          error_is(path, ":3: feature,mean"));
    feature_scale_free(&read);
    path = put("zero_scale.csv", "feature,mean,deviation\n0,1,0\n");
    CHECK(feature_scale_read(path, &read, &err) == ERR_FORMAT && error_is(path, ":2: "));
    feature_scale_free(&read);
    feature_scale_free(&scale);
    dataset_free(&set);
}

/* What NumPy writes by columns, and what was cut off. */
static void test_broken_npy(void)
{
    const float values[] = {1, 2, 3, 4, 5, 6};
    char file[256];
    struct dataset set;
    put_npy("whole.npy", "<f4", "(2, 3)", values, sizeof values);
    FILE *stream = fopen(in_root("whole.npy"), "rb");
    CHECK(stream);
    size_t size = fread(file, 1, sizeof file, stream);
    fclose(stream);
    CHECK(size == 128 + sizeof values);
    const char *path;
    for (size_t kept = 0; kept < size; kept++) {
        path = put_bytes("cut.npy", file, kept);
        CHECK_MSG(open_table(path, 2, 1, 0, &set) == ERR_FORMAT && error_is(path, ": "), "%zu",
                  kept);
        dataset_free(&set);
    }
    char *order = strstr(file + 10, "False");
    CHECK(order);
    memcpy(order, "True ", 5);
    path = put_bytes("columns.npy", file, size);
    CHECK(open_table(path, 2, 1, 0, &set) == ERR_UNSUPPORTED && error_is(path, "only C order"));
    dataset_free(&set);
}

static const struct test_case cases[] = {
    {"csv", test_csv}, {"classes", test_classes},       {"faults", test_faults},
    {"npy", test_npy}, {"broken_npy", test_broken_npy}, {"scales", test_scales}};
TEST_MAIN(cases)
