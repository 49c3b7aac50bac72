/* In place of libFuzzer: feeds each file of a corpus to the target once. replay FILE-OR-FOLDER...;
 * prints a line a file, then the total as the unit tests do. A finding ends the process: its file
 * is the last one named. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fuzz.h"

static int passed, failed;

static void feed(const char *path)
{
    FILE *file = fopen(path, "rb");
    struct stat info;
    uint8_t *bytes = NULL;
    printf("ok   %s\n", path); /* the verdict that holds unless the process dies here */
    fflush(stdout);
    if (file && fstat(fileno(file), &info) == 0) {
        size_t size = (size_t)info.st_size;
        bytes = malloc(size ? size : 1); /* no byte more, so that ASan sees the end */
        if (bytes && fread(bytes, 1, size, file) == size) {
            LLVMFuzzerTestOneInput(bytes, size);
            passed++;
        } else {
            printf("FAIL %s: cannot be read\n", path);
            failed++;
        }
    } else {
        printf("FAIL %s: cannot be opened\n", path);
        failed++;
    }
    free(bytes);
    if (file) {
        fclose(file);
    }
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        struct dirent **entries;
        int count = scandir(argv[i], &entries, is_visible, alphasort);
        for (int k = 0; k < count; k++) {
            char path[4096];
            snprintf(path, sizeof path, "%s/%s", argv[i], entries[k]->d_name);
            feed(path);
            free(entries[k]);
        }
        if (count >= 0) {
            free(entries);
        } else {
            feed(argv[i]);
        }
    }
    printf("%d passed, %d failed\n", passed, failed);
    return failed > 0 || passed == 0;
}
