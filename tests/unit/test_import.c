/* Tensors of other programs' files: every pair of layouts and batch norms gives the network its numbers; cut files, lengths
 * that lie and unknown types are refused. */
#include "test.h"

#include <unistd.h>

#include "base/fileio.h"
#include "base/json.h"
#include "base/memory.h"
#include "exchange/import.h"
#include "fixture.h"

/* ---- files, made by hand ---- */

struct bytes {
    unsigned char data[1 << 14];
    size_t size;
};

static void put(struct bytes *b, const void *data, size_t size)
{
    memcpy(b->data + b->size, data, size);
    b->size += size;
}

static void put_le(struct bytes *b, unsigned long value, int size)
{
    for (int i = 0; i < size; i++) { /* what a number has no bytes for is zero */
        b->data[b->size++] = i < (int)sizeof value ? (unsigned char)(value >> 8 * i) : 0;
    }
}

static void put_floats(struct bytes *b, const float *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        put_le(b, bits, 4);
    }
}

struct array {
    const char *name, *shape; /* "2, 3" or "2," */
    const float *values;
    size_t count;
};

static void put_npy(struct bytes *b, const struct array *a, const char *type)
{
    char header[128];
    int length =
        snprintf(header, sizeof header,
                 "{'descr': '%s', 'fortran_order': False, 'shape': (%s), }\n", type, a->shape);
    put(b, "\x93NUMPY\1\0", 8);
    put_le(b, (unsigned long)length, 2);
    put(b, header, (size_t)length);
    put_floats(b, a->values, a->count);
}

enum packing { STORED, DEFLATED, ENCRYPTED, UNKNOWN, LYING };

/* An archive; "deflated" is one stored block of deflate's. */
static void put_npz(struct bytes *b, const struct array *arrays, size_t count, enum packing packing,
                    const char *type)
{
    struct bytes list = {.size = 0};
    unsigned long method = packing == DEFLATED ? 8 : packing == UNKNOWN ? 12 : 0;
    for (size_t i = 0; i < count; i++) {
        static struct bytes npy;
        char name[64];
        npy.size = 0;
        put_npy(&npy, &arrays[i], type);
        unsigned long extra = packing == DEFLATED ? 5 : 0, whole = npy.size;
        unsigned long lie = packing == LYING && i == count - 1 ? 1000 : 0;
        size_t length = (size_t)snprintf(name, sizeof name, "%s.npy", arrays[i].name), at = b->size;
        put(b, "PK\3\4", 4);
        put_le(b, 0, 22); /* sizes are where they count: in the list */
        put_le(b, length, 2);
        put_le(b, 0, 2);
        put(b, name, length);
        if (packing == DEFLATED) {
            put_le(b, 1, 1);
            put_le(b, whole, 2);
            put_le(b, ~whole, 2);
        }
        put(b, npy.data, npy.size);
        put(&list, "PK\1\2\0\0\0\0", 8);
        put_le(&list, packing == ENCRYPTED, 2);
        put_le(&list, method, 2);
        put_le(&list, 0, 8);
        put_le(&list, whole + extra + lie, 4);
        put_le(&list, whole + lie, 4);
        put_le(&list, length, 2);
        put_le(&list, 0, 12);
        put_le(&list, at, 4);
        put(&list, name, length);
    }
    size_t at = b->size;
    put(b, list.data, list.size);
    put(b, "PK\5\6\0\0\0\0", 8);
    put_le(b, count, 2);
    put_le(b, count, 2);
    put_le(b, list.size, 4);
    put_le(b, at, 4);
    put_le(b, 0, 2);
}

/* values behind the header, whose text is given. */
static void put_safetensors(struct bytes *b, const char *header, const float *values, size_t count)
{
    put_le(b, strlen(header), 8);
    put(b, header, strlen(header));
    put_floats(b, values, count);
}

static struct bytes file;

static const char *written(const char *ending)
{
    static char path[64];
    struct error err;
    snprintf(path, sizeof path, "/tmp/test_import.%ld%s", (long)getpid(), ending);
    return atomic_write(path, file.data, file.size, &err) == OK ? path : "";
}

static void quiet(void *ctx, const struct layer *l, const char *role, const char *from)
{
    (void)l;
    (void)role;
    (void)from;
    ++*(int *)ctx;
}

/* What is in `file`, into the network. */
static enum result imported(struct fixture *f, const char *ending, const struct import_options *o)
{
    struct tensor_list list;
    int pairs = 0;
    const char *path = written(ending);
    enum result result = tensors_read(path, &list, &f->err);
    if (result == OK) {
        result = import_tensors("f", &list, o, &f->net, quiet, &pairs, &f->err);
    }
    tensors_free(&list);
    unlink(path);
    return result == OK && pairs == 0 ? ERR_INTERNAL : result;
}

static const struct import_options plain = {.eps = -1};

/* ---- layouts ---- */

static const char one_norm[] =
    "[convolutional]\nbatch_normalize=1\nfilters=2\nsize=2\nactivation=leaky\n";

/* [o][i][y][x] of two outputs, one input, windows of 2 x 2. */
static const float oihw[] = {1, 2, 3, 4, 5, 6, 7, 8};
static const float hwio[] = {1, 5, 2, 6, 3, 7, 4, 8};
static const float turned[] = {4, 3, 2, 1, 8, 7, 6, 5};
static const float gamma_[] = {2, 3}, beta[] = {-1, -2}, mean[] = {.5f, .25f}, var[] = {4, 16};

static bool has(struct fixture *f, int layer, const char *role, const float *values, size_t count)
{
    const float *data = fixture_param(f, layer, role, count);
    for (size_t i = 0; data && i < count; i++) {
        if (!(fabsf(data[i] - values[i]) <= 1e-6f * (1 + fabsf(values[i])))) {
            printf("  %s[%zu] = %g, not %g\n", role, i, (double)data[i], (double)values[i]);
            return false;
        }
    }
    return data != NULL;
}

static void layouts(void)
{
    struct fixture f;
    const struct array torch[] = {{"arr_0", "2, 1, 2, 2", oihw, 8},
                                  {"arr_1", "2,", gamma_, 2},
                                  {"arr_2", "2,", beta, 2},
                                  {"arr_3", "2,", mean, 2},
                                  {"arr_4", "2,", var, 2}};
    for (int packing = STORED; packing <= DEFLATED; packing++) {
        CHECK(fixture_open(&f, 4, 4, 1, one_norm));
        file.size = 0;
        put_npz(&file, torch, 5, (enum packing)packing, "<f4");
        CHECK_MSG(imported(&f, ".npz", &plain) == OK, "%s", f.err.text);
        CHECK(has(&f, 0, "weights", oihw, 8) && has(&f, 0, "scales", gamma_, 2));
        CHECK(has(&f, 0, "biases", beta, 2) && has(&f, 0, "rolling_mean", mean, 2));
        CHECK(has(&f, 0, "rolling_variance", var, 2));
        fixture_close(&f);
    }
    /* Keras: another order of axes, names, an eps of its own, a bias before the batch norm. */
    static const float bias[] = {.5f, .5f}, shifted[] = {0, -.25f};
    static const float wider[] = {4 + .001f - 1e-5f, 16 + .001f - 1e-5f};
    const struct array keras[] = {
        {"conv/kernel", "2, 2, 1, 2", hwio, 8}, {"conv/bias", "2,", bias, 2},
        {"bn/moving_variance", "2,", var, 2},   {"bn/gamma", "2,", gamma_, 2},
        {"bn/moving_mean", "2,", mean, 2},      {"bn/beta", "2,", beta, 2}};
    CHECK(fixture_open(&f, 4, 4, 1, one_norm));
    file.size = 0;
    put_npz(&file, keras, 6, STORED, "<f4");
    struct import_options o = {.eps = .001};
    CHECK_MSG(imported(&f, ".npz", &o) == OK, "%s", f.err.text);
    CHECK(has(&f, 0, "weights", oihw, 8) && has(&f, 0, "scales", gamma_, 2));
    CHECK(has(&f, 0, "biases", beta, 2) && has(&f, 0, "rolling_mean", shifted, 2));
    CHECK(has(&f, 0, "rolling_variance", wider, 2));
    fixture_close(&f);
    /* Lasagne: beta first, 1 / deviation, turned windows. */
    static const float inverse[] = {.5f, .25f}, back[] = {4 - 1e-5f, 16 - 1e-5f};
    const struct array lasagne[] = {{"arr_0", "2, 1, 2, 2", turned, 8},
                                    {"arr_1", "2,", beta, 2},
                                    {"arr_2", "2,", gamma_, 2},
                                    {"arr_3", "2,", mean, 2},
                                    {"arr_4", "2,", inverse, 2}};
    CHECK(fixture_open(&f, 4, 4, 1, one_norm));
    file.size = 0;
    put_npz(&file, lasagne, 5, STORED, "<f4");
    o = (struct import_options){.eps = -1, .norm = IMPORT_NORM_LASAGNE, .is_turned = true};
    CHECK_MSG(imported(&f, ".npz", &o) == OK, "%s", f.err.text);
    CHECK(has(&f, 0, "weights", oihw, 8) && has(&f, 0, "scales", gamma_, 2));
    CHECK(has(&f, 0, "biases", beta, 2) && has(&f, 0, "rolling_variance", back, 2));
    fixture_close(&f);
}

/* A variance below this program's eps: the same factor all the same. */
static void small_variances(void)
{
    static const float deviation[] = {1000, 500};
    struct fixture f;
    const struct array lasagne[] = {{"arr_0", "2, 1, 2, 2", oihw, 8},
                                    {"arr_1", "2,", beta, 2},
                                    {"arr_2", "2,", gamma_, 2},
                                    {"arr_3", "2,", mean, 2},
                                    {"arr_4", "2,", deviation, 2}};
    CHECK(fixture_open(&f, 4, 4, 1, one_norm));
    file.size = 0;
    put_npz(&file, lasagne, 5, STORED, "<f4");
    struct import_options o = {.eps = -1, .norm = IMPORT_NORM_LASAGNE};
    CHECK_MSG(imported(&f, ".npz", &o) == OK, "%s", f.err.text);
    for (size_t i = 0; i < 2; i++) {
        double variance = (double)fixture_param(&f, 0, "rolling_variance", 2)[i];
        double factor = (double)fixture_param(&f, 0, "scales", 2)[i] / sqrt(variance + 1e-5);
        CHECK(variance >= 0);
        CHECK_NEAR(factor, (double)gamma_[i] * (double)deviation[i], 1e-3);
    }
    fixture_close(&f);
}

/* Names sorted as safetensors' writers do; their numbers count. Batch norm folded by the source. */
static void safetensors(void)
{
    struct fixture f;
    static const float values[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    const char header[] =
        "{\"__metadata__\":{\"format\":\"pt\"},"
        "\"n\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[0,8]},"
        "\"net.10.bias\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,16]},"
        "\"net.10.weight\":{\"dtype\":\"F32\",\"shape\":[2,2,1,1],\"data_offsets\":[16,32]},"
        "\"net.2.bias\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[32,40]},"
        "\"net.2.weight\":{\"dtype\":\"F32\",\"shape\":[2,1,1,1],\"data_offsets\":[40,48]}}";
    CHECK(fixture_open(&f, 4, 4, 1,
                       "[convolutional]\nbatch_normalize=1\nfilters=2\nactivation=leaky\n"
                       "[convolutional]\nfilters=2\nactivation=linear\n"));
    json_init();
    file.size = 0;
    put_safetensors(&file, header, values, 12);
    CHECK_MSG(imported(&f, ".safetensors", &plain) == OK, "%s", f.err.text);
    CHECK(has(&f, 0, "weights", values + 10, 2) && has(&f, 0, "biases", values + 8, 2));
    CHECK(has(&f, 1, "weights", values + 4, 4) && has(&f, 1, "biases", values + 2, 2));
    CHECK(has(&f, 0, "scales", (float[]){1, 1}, 2));
    CHECK_NEAR((double)fixture_param(&f, 0, "rolling_variance", 2)[0] + 1e-5, 1, 1e-7);
    fixture_close(&f);
}

/* A batch norm beside its convolution, whose name sorts before it; two of them in a block. */
static void blocks_of_modules(void)
{
    struct fixture f;
    static const float v[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    static const char *const names[][4] = {{"0.bn", "0.conv", "1.bn", "1.conv"},
                                           {"a.bn1", "a.conv1", "a.bn2", "a.conv2"},
                                           {"bn", "conv", "bn_1", "conv_1"}};
    CHECK(fixture_open(&f, 4, 4, 1,
                       "[convolutional]\nbatch_normalize=1\nfilters=1\nactivation=leaky\n"
                       "[convolutional]\nbatch_normalize=1\nfilters=1\nactivation=leaky\n"));
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char header[2048] = "{";
        size_t used = 1;
        for (int unit = 0, at = 0; unit < 2; unit++) {
            static const char *const words[] = {"bias", "weight", "running_mean", "running_var"};
            for (int k = 0; k < 4; k++, at++) {
                used += (size_t)snprintf(header + used, sizeof header - used,
                                         "\"%s.%s\":{\"dtype\":\"F32\",\"shape\":[1],"
                                         "\"data_offsets\":[%d,%d]},",
                                         names[i][2 * unit], words[k], 4 * at, 4 * at + 4);
            }
            used += (size_t)snprintf(header + used, sizeof header - used,
                                     "\"%s.weight\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1],"
                                     "\"data_offsets\":[%d,%d]}%s",
                                     names[i][2 * unit + 1], 4 * at, 4 * at + 4, unit ? "}" : ",");
            at++;
        }
        file.size = 0;
        put_safetensors(&file, header, v, 12);
        CHECK_MSG(imported(&f, ".safetensors", &plain) == OK, "%s: %s", names[i][0], f.err.text);
        CHECK(has(&f, 0, "weights", v + 4, 1) && has(&f, 0, "biases", v, 1));
        CHECK(has(&f, 0, "scales", v + 1, 1) && has(&f, 0, "rolling_variance", v + 3, 1));
        CHECK(has(&f, 1, "weights", v + 9, 1) && has(&f, 1, "rolling_mean", v + 7, 1));
    }
    fixture_close(&f);
}

/* Dense weights [inputs, outputs]; after a map with its channels together. */
static void dense(void)
{
    struct fixture f;
    static const float kernel[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, bias[] = {7, 8, 9};
    const struct array keras[] = {{"d/kernel", "4, 3", kernel, 12}, {"d/bias", "3,", bias, 3}};
    CHECK(fixture_open(&f, 2, 1, 2, "[connected]\noutput=3\nactivation=linear\n"));
    file.size = 0;
    put_npz(&file, keras, 2, STORED, "<f4");
    CHECK_MSG(imported(&f, ".npz", &plain) == OK, "%s", f.err.text);
    /* inputs by (x, c): (0,0) (0,1) (1,0) (1,1); here by (c, x) */
    const float planar[] = {1, 7, 4, 10, 2, 8, 5, 11, 3, 9, 6, 12};
    CHECK(has(&f, 0, "weights", planar, 12) && has(&f, 0, "biases", bias, 3));
    fixture_close(&f);
}

/* ---- faults ---- */

static bool refused(struct fixture *f, const char *ending, enum result result, const char *text)
{
    enum result got = imported(f, ending, &plain);
    if (got != result || !strstr(f->err.text, text)) {
        printf("  %s: result %d, %s\n", ending, (int)got, f->err.text);
        return false;
    }
    return true;
}

static void misfits(void)
{
    struct fixture f;
    const struct array wrong[] = {{"arr_0", "8, 1, 1, 1", oihw, 8}, {"arr_1", "2,", gamma_, 2}};
    const struct array two[] = {
        {"arr_0", "2, 1, 2, 2", oihw, 8}, {"arr_1", "2,", gamma_, 2}, {"arr_2", "2,", gamma_, 2}};
    const struct array more[] = {{"arr_0", "2, 1, 2, 2", oihw, 8},
                                 {"arr_1", "2,", gamma_, 2},
                                 {"arr_2", "2, 1, 2, 2", oihw, 8}};
    const struct array longer[] = {{"arr_0", "2, 1, 2, 2", oihw, 8}, {"arr_1", "4,", oihw, 4}};
    CHECK(fixture_open(&f, 4, 4, 1, one_norm));
    file.size = 0;
    put_npz(&file, wrong, 2, STORED, "<f4");
    CHECK(refused(
        &f, ".npz", ERR_FORMAT,
        "f: arr_0 is [8, 1, 1, 1], but layer 0 [convolutional] has 2 outputs of 1 inputs in windows of 2 x 2"));
    file.size = 0;
    put_npz(&file, two, 3, STORED, "<f4");
    CHECK(refused(&f, ".npz", ERR_FORMAT, "2 vectors follow arr_0"));
    file.size = 0;
    put_npz(&file, more, 3, STORED, "<f4");
    CHECK(refused(&f, ".npz", ERR_FORMAT, "arr_2 [2, 1, 2, 2] and what follows it finds no layer"));
    file.size = 0;
    put_npz(&file, longer, 2, STORED, "<f4");
    CHECK(
        refused(&f, ".npz", ERR_FORMAT, "arr_1 is [4], but layer 0 [convolutional] has 2 outputs"));
    file.size = 0;
    put_npz(&file, two, 0, STORED, "<f4");
    CHECK(refused(&f, ".npz", ERR_FORMAT, "no weights for layer 0 [convolutional]"));
    fixture_close(&f);
}

static void damaged(void)
{
    struct fixture f;
    const struct array good[] = {{"arr_0", "2, 1, 2, 2", oihw, 8}, {"arr_1", "2,", beta, 2}};
    static const struct {
        enum packing packing;
        const char *type;
        enum result result;
        const char *text;
    } archives[] = {{ENCRYPTED, "<f4", ERR_UNSUPPORTED, "arr_0.npy is encrypted"},
                    {UNKNOWN, "<f4", ERR_UNSUPPORTED, "arr_0.npy: compression 12"},
                    {LYING, "<f4", ERR_FORMAT, "an entry that is not where"},
                    {STORED, "<f8", ERR_FORMAT, "arr_0: 32 bytes do not fit its shape"},
                    {STORED, "<c8", ERR_UNSUPPORTED, "arr_0: type <c8 is not read"},
                    {STORED, ">f4", ERR_UNSUPPORTED, "arr_0: type >f4 is not read"}};
    CHECK(fixture_open(&f, 4, 4, 1, one_norm));
    for (size_t i = 0; i < sizeof archives / sizeof archives[0]; i++) {
        file.size = 0;
        put_npz(&file, good, 2, archives[i].packing, archives[i].type);
        CHECK(refused(&f, ".npz", archives[i].result, archives[i].text));
    }
    for (int packing = STORED; packing <= DEFLATED; packing++) {
        file.size = 0;
        put_npz(&file, good, 2, (enum packing)packing, "<f4");
        for (size_t whole = file.size; file.size > 0;) { /* every cut */
            file.size--;
            CHECK_MSG(imported(&f, ".npz", &plain) != OK, "%zu of %zu", file.size, whole);
        }
    }
    static const char *const headers[][2] = {
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,12]}}",
         "data_offsets that lead past"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,8]}}",
         "a: 8 bytes do not fit"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]}}", "data_offsets"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2]}}", "data_offsets"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,8]}}", "no length"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1e9,1e9,1e9,1e9],\"data_offsets\":[0,8]}}",
         "do not fit"},
        {"{\"a\":{\"dtype\":\"F8_E4M3\",\"shape\":[8],\"data_offsets\":[0,8]}}",
         "dtype F8_E4M3 is not known"},
        {"{\"a\":{\"shape\":[8],\"data_offsets\":[0,8]}}", "no dtype"},
        {"{\"a\":[1]}", "a: no tensor"},
        {"{\"a\":{\"dtype\":}", "the header is not valid JSON"}};
    json_init();
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        file.size = 0;
        put_safetensors(&file, headers[i][0], beta, 2);
        enum result result = strstr(headers[i][1], "not known") ? ERR_UNSUPPORTED : ERR_FORMAT;
        CHECK(refused(&f, ".safetensors", result, headers[i][1]));
    }
    file.size = 0;
    put_le(&file, 1000000, 8);
    put(&file, "{}", 2);
    CHECK(refused(&f, ".safetensors", ERR_FORMAT, "the header runs past the file's end"));
    file.size = 0;
    put(&file, "hello", 5);
    CHECK(refused(&f, ".safetensors", ERR_FORMAT, "not a .safetensors file"));
    CHECK(refused(&f, ".npz", ERR_FORMAT, "not a .npz archive"));
    CHECK(refused(&f, ".pt", ERR_ARG, "not known by its ending"));
#if HAVE_ONNX
    CHECK(refused(&f, ".onnx", ERR_FORMAT, "byte "));
    /* A graph in an attribute of a node of a graph in ..., each a byte or two of the file. */
    file.size = sizeof file.data;
    size_t at = file.size;
    for (int depth = 0; depth < 3000; depth++) {
        static const unsigned char tags[] = {0x0a, 0x2a, 0x32}; /* node, attribute, g */
        size_t length = file.size - at;
        file.data[--at] = (unsigned char)(length >> 7);
        file.data[--at] = (unsigned char)(length | 128);
        file.data[--at] = tags[2 - depth % 3];
    }
    size_t length = file.size - at;
    file.data[--at] = (unsigned char)(length >> 7);
    file.data[--at] = (unsigned char)(length | 128);
    file.data[--at] = 0x3a; /* the model's graph */
    file.size -= at;
    memmove(file.data, file.data + at, file.size);
    CHECK(refused(&f, ".onnx", ERR_UNSUPPORTED, "messages in messages deeper than"));
#else
    CHECK(refused(&f, ".onnx", ERR_UNSUPPORTED, "built without ONNX"));
#endif
    fixture_close(&f);
}

static void read_without_memory(struct fixture *f, const char *ending)
{
    struct tensor_list list;
    const char *path = written(ending);
    enum result result = ERR_MEMORY;
    int tries = 0;
    for (; result != OK && tries < 100; tries++) {
        mem_fail_after(tries);
        result = tensors_read(path, &list, &f->err);
        mem_fail_after(-1);
        tensors_free(&list);
        CHECK_MSG(result == OK || result == ERR_MEMORY || result == ERR_FORMAT, "%s", f->err.text);
    }
    CHECK(result == OK && tries > 3);
    unlink(path);
}

static void without_memory(void)
{
    const struct array good[] = {{"arr_0", "2, 1, 2, 2", oihw, 8}, {"arr_1", "2,", beta, 2}};
    struct fixture f;
    CHECK(fixture_open(&f, 4, 4, 1, one_norm));
    file.size = 0;
    put_npz(&file, good, 2, DEFLATED, "<f4");
    read_without_memory(&f, ".npz");
    file.size = 0;
    put_safetensors(&file,
                    "{\"a.b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
                    "\"a.c\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}",
                    beta, 2);
    read_without_memory(&f, ".safetensors");
    fixture_close(&f);
}

static const struct test_case cases[] = {
    {"layouts", layouts},
    {"small_variances", small_variances},
    {"safetensors", safetensors},
    {"blocks_of_modules", blocks_of_modules},
    {"dense", dense},
    {"misfits", misfits},
    {"damaged", damaged},
    {"without_memory", without_memory},
};
TEST_MAIN(cases)
