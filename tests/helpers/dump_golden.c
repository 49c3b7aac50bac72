/* What `yolo dump` writes against a golden file (tests/tools/make_golden.py tells the format):
 *
 *     dump_golden input GOLDEN FILE.npy      the golden file's input, as NumPy would write it
 *     dump_golden compare GOLDEN FOLDER LIMIT
 *
 * compare: FOLDER/input.npy is that file, and every layer's NNN.npy of the first and the last image
 * is within LIMIT of what PyTorch computed, relative to the layer's largest magnitude. Prints one
 * line. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *golden;
static size_t golden_size, at;

static _Noreturn void fail(const char *what, const char *path)
{
    fprintf(stderr, "dump_golden: %s: %s\n", path, what);
    exit(1);
}

static char *read_all(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END) != 0) {
        fail("cannot be read", path);
    }
    *size = (size_t)ftell(file);
    rewind(file);
    char *data = malloc(*size + 1);
    if (!data || fread(data, 1, *size, file) != *size) {
        fail("cannot be read", path);
    }
    fclose(file);
    return data;
}

static const unsigned char *take(size_t bytes)
{
    if (golden_size - at < bytes) {
        fail("cut off", "golden file");
    }
    at += bytes;
    return (const unsigned char *)golden + at - bytes;
}

static float float_at(const unsigned char *bytes)
{
    uint32_t bits =
        bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static int take_int(void)
{
    const unsigned char *b = take(4);
    return (int)(b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24);
}

/* The header NumPy writes for little-endian floats of this shape: magic, version 1, a dict padded
 * to 64. */
static size_t npy_header(char *out, size_t room, const int *shape)
{
    int n = snprintf(out + 10, room - 10,
                     "{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d, %d, %d), }",
                     shape[0], shape[1], shape[2], shape[3]);
    size_t length = 10 + (size_t)n;
    while ((length + 1) % 64) {
        out[length++] = ' ';
    }
    out[length++] = '\n';
    memcpy(out, "\x93NUMPY\x01\x00", 8);
    out[8] = (char)((length - 10) & 0xff);
    out[9] = (char)((length - 10) >> 8);
    return length;
}

/* The floats of FOLDER/NAME, which must be an array of this shape. */
static const unsigned char *npy_floats(const char *folder, const char *name, const int *shape,
                                       char **block)
{
    char path[4096], header[256];
    size_t size, length = npy_header(header, sizeof header, shape);
    snprintf(path, sizeof path, "%s/%s", folder, name);
    *block = read_all(path, &size);
    if (size < length || memcmp(*block, header, length) != 0) {
        fail("not NumPy's header of the expected shape", path);
    }
    if (size - length !=
        (size_t)shape[0] * (size_t)shape[1] * (size_t)shape[2] * (size_t)shape[3] * 4) {
        fail("another number of floats than its shape's", path);
    }
    return (const unsigned char *)*block + length;
}

static double worst(const unsigned char *got, size_t got_floats, const unsigned char *want,
                    size_t per_image)
{
    double scale = 1e-6, error = 0;
    for (size_t i = 0; i < 2 * per_image; i++) {
        scale = fmax(scale, fabs((double)float_at(want + 4 * i)));
    }
    for (size_t i = 0; i < 2 * per_image; i++) {
        size_t k = i < per_image ? i : got_floats - 2 * per_image + i;
        double gap = fabs((double)float_at(got + 4 * k) - (double)float_at(want + 4 * i));
        error = !(gap <= error * scale) ? gap / scale : error; /* also NaN */
    }
    return error;
}

int main(int argc, char **argv)
{
    int is_input = argc == 4 && strcmp(argv[1], "input") == 0;
    if (!is_input && !(argc == 5 && strcmp(argv[1], "compare") == 0)) {
        fprintf(stderr, "usage: dump_golden input GOLDEN FILE.npy | compare GOLDEN FOLDER LIMIT\n");
        return 2;
    }
    golden = read_all(argv[2], &golden_size);
    if (memcmp(take(8), "YOLOGOLD", 8) != 0) {
        fail("no golden file", argv[2]);
    }
    int shape[4];
    take_int();
    for (int i = 0; i < 4; i++) {
        shape[i] = take_int();
    }
    int layers = take_int();
    take_int();
    size_t floats = (size_t)shape[0] * (size_t)shape[1] * (size_t)shape[2] * (size_t)shape[3];
    const unsigned char *input = take(4 * floats);
    char *block;
    if (is_input) {
        char header[256];
        size_t length = npy_header(header, sizeof header, shape);
        FILE *file = fopen(argv[3], "wb");
        if (!file || fwrite(header, 1, length, file) != length ||
            fwrite(input, 4, floats, file) != floats || fclose(file) != 0) {
            fail("cannot be written", argv[3]);
        }
        return 0;
    }
    double limit = strtod(argv[4], NULL), error = 0;
    if (memcmp(npy_floats(argv[3], "input.npy", shape, &block), input, 4 * floats) != 0) {
        fail("not the input", argv[3]);
    }
    free(block);
    for (int i = 0; i < layers; i++) {
        char name[32];
        int out[4] = {shape[0], 0, 0, 0};
        for (int k = 1; k < 4; k++) {
            out[k] = take_int();
        }
        size_t per_image = (size_t)out[1] * (size_t)out[2] * (size_t)out[3];
        snprintf(name, sizeof name, "%03d.npy", i);
        const unsigned char *got = npy_floats(argv[3], name, out, &block);
        double e = worst(got, per_image * (size_t)shape[0], take(8 * per_image), per_image);
        if (!(e <= limit)) {
            printf("layer %d: %.3g exceeds %g\n", i, e, limit);
        }
        error = !(e <= error) ? e : error;
        free(block);
    }
    printf("%d layers, worst relative error %.2g\n", layers, error);
    return error <= limit ? 0 : 1;
}
