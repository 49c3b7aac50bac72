/* Pictures with a class each: class folders, lists whose paths name them, and what is wrong with such. */
#include "data/class_set.h"
#include "data/data_source.h"

#include "dataset_rig.h"

static char *letters[] = {"bat", "cart", "car", "dog"};

static enum result open_classes(const char *path, char **names, size_t count, bool refuses_empty,
                                struct dataset *set)
{
    seen_count = 0;
    struct dataset_source source = {.kind = DATASET_CLASSES,
                                    .path = path,
                                    .names = names,
                                    .name_count = count,
                                    .refuses_empty = refuses_empty,
                                    .sink = see,
                                    .sink_ctx = &seen_count};
    return dataset_open(&source, set, &err);
}

static void test_folders(void)
{
    put("f/train/dog/b.jpg", "");
    put("f/train/dog/deep/a.jpg", "");
    put("f/train/cat/z.png", "");
    put("f/train/.hidden/z.png", "");
    put("f/train/loose.png", "");
    put("f/test/cat/1.png", "");
    put("f/val/dog/1.png", "");
    struct data_file file;
    CHECK_OK(data_source_read(in_root("f"), &file, &err));
    CHECK(strcmp(file.train, in_root("f/train")) == 0 && strcmp(file.valid, in_root("f/val")) == 0);
    char **names;
    size_t count;
    CHECK_OK(class_folders_names(file.train, &names, &count, &err));
    CHECK(count == 2 && strcmp(names[0], "cat") == 0 && strcmp(names[1], "dog") == 0);
    struct dataset set;
    CHECK_OK(open_classes(file.train, names, count, true, &set));
    CHECK(set.sample_count == 3 && set.class_count == 2);
    CHECK(set.samples[0].class_id == 0 && set.samples[1].class_id == 1 &&
          set.samples[2].class_id == 1);
    CHECK(set.samples[0].truth_count == 0 && !set.samples[0].label_path);
    CHECK(set.value_count == 2 && dataset_targets(&set, 0).values[0] == 1.0f &&
          dataset_targets(&set, 0).values[1] == 0.0f && dataset_targets(&set, 2).values[1] == 1.0f);
    dataset_free(&set);
    CHECK_OK(open_classes(file.valid, names, count, false, &set)); /* no cat: only said */
    CHECK(set.sample_count == 1 && set.samples[0].class_id == 1);
    dataset_free(&set);
    data_file_free(&file);

    put("f/val/zebra/1.png", "");
    CHECK(open_classes(in_root("f/val"), names, count, false, &set) == ERR_FORMAT);
    CHECK(error_is(in_root("f/val/zebra"), "no class of this name (the classes are cat, dog)"));
    dataset_free(&set);
    mem_free(names);

    CHECK_OK(data_source_read(in_root("f/train"), &file, &err)); /* itself the classes */
    CHECK(strcmp(file.train, in_root("f/train")) == 0 && !file.valid);
    data_file_free(&file);
    CHECK(data_source_read(in_root(""), &file, &err) == ERR_FORMAT); /* the folder above */
    CHECK(strstr(err.text, "no train/ in it, but in f") && strstr(err.text, "f)"));
    data_file_free(&file);
    put("flat/a.png", "");
    CHECK(class_folders_names(in_root("flat"), &names, &count, &err) == ERR_FORMAT);
    CHECK(error_is(in_root("flat"), "no class folders"));
    mem_free(names);
}

static void test_empty_folder(void)
{
    static char *names[] = {"empty", "full"};
    put("e/full/a.png", "");
    put("e/empty/readme.txt", "");
    struct dataset set;
    CHECK(open_classes(in_root("e"), names, 2, true, &set) == ERR_FORMAT);
    CHECK(error_is(in_root("e/empty"), "an empty class folder"));
    dataset_free(&set);
    CHECK_OK(open_classes(in_root("e"), names, 2, false, &set));
    CHECK(set.sample_count == 1);
    dataset_free(&set);
}

static void test_lists(void)
{
    /* The folders above the list name a class, which says nothing. */
    put("dog/l/car/cart.png", "");
    put("dog/l/x/cart_7.png", "");
    put("dog/l/x/bat-7.png", "");
    put("dog/l/x/cars/carting.png", "");
    put("dog/l/x/tree.png", "");
    struct dataset set;
    const char *list =
        put("dog/l/train.txt", "car/cart.png\nx/cart_7.png\nx/gone.png\nx/bat-7.png\n");
    CHECK_OK(open_classes(list, letters, 4, false, &set));
    CHECK(set.sample_count == 3 && was_seen(FAULT_NO_IMAGE, list, 3, "x/gone.png"));
    CHECK(set.samples[0].class_id == 2); /* its folder */
    CHECK(set.samples[1].class_id == 1); /* not car, which is a part of it */
    CHECK(set.samples[2].class_id == 0);
    dataset_free(&set);
    list = put("dog/l/two.txt", "x/bat-7.png\nx/cars/carting.png\n");
    CHECK(open_classes(list, letters, 4, false, &set) == ERR_FORMAT);
    CHECK(error_is(list, ":2: x/cars/carting.png: two classes in the path, cart and car"));
    dataset_free(&set);
    list = put("dog/l/none.txt", "x/bat-7.png\n\nx/tree.png\n");
    CHECK(open_classes(list, letters, 4, false, &set) == ERR_FORMAT);
    CHECK(error_is(list,
                   ":3: x/tree.png: no class in the path (the classes are bat, cart, car, dog)"));
    dataset_free(&set);
}

/* Pictures alone: labels are neither looked for nor missed. */
static void test_pictures(void)
{
    put("p/images/a.png", "");
    put("p/images/b.png", "");
    put("p/labels/a.txt", "not a label\n");
    struct dataset set;
    seen_count = 0;
    struct dataset_source source = {
        .kind = DATASET_PICTURES, .path = in_root("p"), .sink = see, .sink_ctx = &seen_count};
    CHECK_OK(dataset_open(&source, &set, &err));
    CHECK(set.sample_count == 2 && set.samples[0].class_id == -1 && seen_count == 0);
    dataset_free(&set);
}

/* The same pictures by folders and by lists. */
static void test_shared(void)
{
    char path[4096], list[4096];
    if (!shared_path("data/mnist/images", path, sizeof path) ||
        !shared_path("data/mnist/val.txt", list, sizeof list)) {
        return;
    }
    struct data_file file;
    char **names;
    size_t count, right = 0;
    struct dataset folders, listed;
    CHECK_OK(data_source_read(path, &file, &err));
    CHECK_OK(class_folders_names(file.train, &names, &count, &err));
    CHECK(count == 10 && file.valid);
    CHECK_OK(open_classes(file.valid, names, count, true, &folders));
    CHECK_OK(open_classes(list, names, count, true, &listed));
    CHECK(folders.sample_count == 1000 && listed.sample_count == 1000);
    for (size_t i = 0; i < 1000; i++) {
        right += folders.samples[i].class_id == (int)(i / 100);
        right += listed.samples[i].class_id == (int)(i / 100);
    }
    CHECK(right == 2000);
    dataset_free(&folders);
    dataset_free(&listed);
    data_file_free(&file);
    mem_free(names);
}

static const struct test_case cases[] = {
    {"folders", test_folders}, {"empty_folder", test_empty_folder},
    {"lists", test_lists},     {"pictures", test_pictures},
    {"shared", test_shared},
};
TEST_MAIN(cases)
