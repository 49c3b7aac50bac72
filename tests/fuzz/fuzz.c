#include "fuzz.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernels/kernels.h"

enum { PATHS = 8 };

static char folder[PATH_MAX];

/* Folders that a target makes are its own to remove. */
static void remove_folder(void)
{
    DIR *dir = opendir(folder);
    for (const struct dirent *entry; dir && (entry = readdir(dir));) {
        unlink(fuzz_path(entry->d_name));
    }
    if (dir) {
        closedir(dir);
    }
    rmdir(folder);
}

char *fuzz_folder(void)
{
    if (!folder[0]) {
        const char *base = getenv("TMPDIR");
        snprintf(folder, sizeof folder, "%s/fuzz.XXXXXX", base && base[0] ? base : "/tmp");
        fuzz_expect(mkdtemp(folder) != NULL, "a folder for temporary files");
        atexit(remove_folder);
    }
    return folder;
}

const char *fuzz_path(const char *name)
{
    static char paths[PATHS][PATH_MAX + 256];
    static int next;
    char *path = paths[next++ % PATHS];
    snprintf(path, sizeof paths[0], "%s/%s", fuzz_folder(), name);
    return path;
}

const char *fuzz_file(const char *name, const void *data, size_t size)
{
    const char *path = fuzz_path(name);
    FILE *file = fopen(path, "wb");
    fuzz_expect(file && fwrite(data, 1, size, file) == size && fclose(file) == 0,
                "room for temporary files");
    return path;
}

void fuzz_expect(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "fuzz: not so: %s\n", what);
        abort();
    }
}

bool fuzz_read(enum result result, const struct error *err)
{
    if (result == OK) {
        return true;
    }
    fuzz_expect(err->text[0] != '\0', "an error has words");
    if (getenv("FUZZ_SAY")) {
        fprintf(stderr, "refused: %s\n", err->text);
    }
    for (const char *at = err->text; *at; at++) {
        fuzz_expect((unsigned char)*at >= 0x20 && *at != 0x7f, "an error is one printable line");
    }
    return false;
}

/* ---- the network ---- */

static const char cfg_text[] =
    "[net]\nwidth=16\nheight=16\nchannels=3\n"
    "[convolutional]\nbatch_normalize=1\nfilters=4\nsize=3\nstride=2\npad=1\n"
    "activation=leaky\n"
    "[convolutional]\nfilters=14\nsize=1\nactivation=linear\n"
    "[yolo]\nmask=0,1\nanchors=4,4, 9,9\nnum=2\nclasses=2\n";

struct network *fuzz_network(void)
{
    static struct network net;
    struct error err;
    if (net.layer_count == 0) {
        fuzz_expect(network_parse("fuzz.cfg", cfg_text, sizeof cfg_text - 1, 0, 0, &net, &err) ==
                            OK &&
                        network_allocate(&net, &err) == OK,
                    "the network of the fuzz targets");
        network_initialise(&net, 1);
    }
    return &net;
}

struct plan *fuzz_plan(void)
{
    static const enum layer_mode modes[] = {MODE_TRAIN, MODE_TRAIN, MODE_TRAIN};
    static struct plan *plan;
    const struct kernels *kern;
    struct error err;
    if (!plan) {
        struct plan_options options = {.batch = 1, .modes = modes, .bn_momentum = 0.1f};
        fuzz_expect(kernels_select("scalar", &kern, &err) == OK &&
                        plan_build(fuzz_network(), kern, &options, &plan, &err) == OK,
                    "the plan of the fuzz targets");
    }
    return plan;
}

void fuzz_fill(const struct tensor *input)
{
    for (int i = 0; i < input->n; i++) {
        for (int y = 0; y < input->h; y++) {
            for (int x = 0; x < input->w; x++) {
                for (int c = 0; c < input->c; c++) {
                    tensor_at(input, i, y, x)[c] = (float)((i + 3 * x + 5 * y + 7 * c) % 16) / 16;
                }
            }
        }
    }
}

/* ---- overlays ---- */

void fuzz_overlay(const uint8_t *data, size_t data_size, const uint8_t *whole, size_t size,
                  uint8_t *out, size_t *out_size)
{
    size_t mask = data_size > 2 ? data_size - 2 : 0;
    size_t cut = data_size >= 2 ? data[0] | (size_t)data[1] << 8 : 0;
    memcpy(out, whole, size);
    for (size_t i = 0; i < mask; i++) {
        out[i] = i < size ? out[i] ^ data[2 + i] : data[2 + i];
    }
    if (cut > INT16_MAX) {
        *out_size = mask > size ? mask : size;
    } else {
        *out_size = size - cut % (size + 1);
    }
}
