/* A data set of noise in a folder under /tmp, for tests that read pictures. */
#ifndef TESTS_PICTURE_SET_H
#define TESTS_PICTURE_SET_H

#include "base/fileio.h"
#include "data/dataset.h"
#include "data/image.h"
#include "test.h"

static struct error err;
static char root[] = "/tmp/test_pictures_XXXXXX";
static char list_path[64];

enum { PICTURES = 7 };

static inline void picture_path(int i, char *path, size_t size)
{
    snprintf(path, size, "%s/p%d.png", root, i);
}

/* Seven pictures of noise in different sizes; number i has i boxes of class i, the first has none.
 */
static inline void write_picture(int i)
{
    char path[128];
    struct image image;
    unsigned state = (unsigned)i + 1;
    if (image_new(40 + 9 * i, 60 - 5 * i, &image, &err) != OK) {
        abort();
    }
    for (int k = 0; k < image.w * image.h * 3; k++) {
        image.rgb[k] = (unsigned char)(int)(128 + 127 * test_noise(&state));
    }
    picture_path(i, path, sizeof path);
    if (image_write(path, &image, &err) != OK) {
        abort();
    }
    image_free(&image);
}

static inline void remove_pictures(void)
{
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", root);
    if (system(command) != 0) {
        perror(command);
    }
}

static inline void make_files(void)
{
    static bool made;
    if (made) {
        return;
    }
    made = true;
    if (!mkdtemp(root)) {
        abort();
    }
    atexit(remove_pictures);
    snprintf(list_path, sizeof list_path, "%s/list.txt", root);
    FILE *list = fopen(list_path, "w");
    for (int i = 0; i < PICTURES; i++) {
        char path[128];
        write_picture(i);
        picture_path(i, path, sizeof path);
        fprintf(list, "%s\n", path);
        strcpy(strrchr(path, '.'), ".txt");
        FILE *labels = fopen(path, "w");
        for (int k = 0; k < i; k++) {
            fprintf(labels, "%d 0.5 0.%d 0.4 0.3\n", i, k + 2);
        }
        fclose(labels);
    }
    fclose(list);
}

static inline void see_nothing(void *ctx, enum label_fault fault, const char *path, int line,
                               const char *text)
{
    (void)ctx, (void)fault, (void)path, (void)line, (void)text;
}

static inline struct dataset open_set(void)
{
    make_files();
    struct dataset set;
    struct dataset_source source = {
        .path = list_path, .class_count = PICTURES, .sink = see_nothing};
    if (dataset_open(&source, &set, &err) != OK || set.sample_count != PICTURES) {
        abort();
    }
    return set;
}

#endif
