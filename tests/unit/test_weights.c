/* .weights files: header versions, array order, exact sizes, prefixes, damage, and the way back. */
#include "net/weights.h"

#include <inttypes.h>
#include <sys/stat.h>

#include "base/memory.h"
#include "base/parallel.h"
#include "capture.h"
#include "test.h"

/* Parameters: 4 * 3 + 3 * 2 * 9 in layer 0, 4 + 4 * 3 in layer 2, 2 + 2 * 64 in layer 4. */
static const char small[] = "[net]\nwidth=4\nheight=4\nchannels=2\n"
                            "[convolutional]\nfilters=3\nsize=3\npad=1\nbatch_normalize=1\n"
                            "activation=linear\n"
                            "[maxpool]\nsize=2\nstride=1\n"
                            "[convolutional]\nfilters=4\nsize=1\nactivation=linear\n"
                            "[route]\nlayers=-1\n"
                            "[connected]\noutput=2\nactivation=linear\n";
enum { FLOATS = 66 + 16 + 130, FIRST = 66, SECOND = 66 + 16 };

static struct error err;
static char path[64];

static void remove_file(void)
{
    unlink(path);
}

static void set_path(void)
{
    if (!path[0]) {
        atexit(remove_file);
        snprintf(path, sizeof path, "/tmp/test_weights.%d", (int)getpid());
    }
}

static void put(unsigned char *bytes, uint64_t value, int size)
{
    for (int i = 0; i < size; i++) {
        bytes[i] = (unsigned char)(value >> 8 * i);
    }
}

static void put_float(unsigned char *bytes, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    put(bytes, bits, 4);
}

/* The value stored at a payload position: all differ, variances are positive. */
static float ramp(size_t i)
{
    return 1.0f + (float)i * 0.25f;
}

struct spec {
    int32_t major, minor, revision;
    uint64_t seen;
    int header_bytes;
    size_t floats;
    int extra_bytes; /* may be negative */
};

static void write_file(const struct spec *spec)
{
    set_path();
    static unsigned char bytes[65536];
    memset(bytes, 0, sizeof bytes);
    put(bytes, (uint32_t)spec->major, 4);
    put(bytes + 4, (uint32_t)spec->minor, 4);
    put(bytes + 8, (uint32_t)spec->revision, 4);
    put(bytes + 12, spec->seen, spec->header_bytes == 20 ? 8 : 4);
    size_t at = (size_t)spec->header_bytes;
    for (size_t i = 0; i < spec->floats; i++, at += 4) {
        put_float(bytes + at, ramp(i));
    }
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(bytes, 1, (size_t)((long)at + spec->extra_bytes), f) == 0 || fclose(f) != 0) {
        abort();
    }
}

static void write_text(const void *bytes, size_t size)
{
    set_path();
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(bytes, 1, size, f) != size || fclose(f) != 0) {
        abort();
    }
}

static void open_net(const char *text, struct network *net)
{
    *net = (struct network){0};
    err = (struct error){0};
    if (network_parse("a.cfg", text, strlen(text), 0, 0, net, &err) != OK ||
        network_allocate(net, &err) != OK) {
        printf("  %s\n", err.text);
        abort();
    }
}

static void check_values(const struct param *p, const char *role, size_t first)
{
    CHECK_MSG(strcmp(p->role, role) == 0, "%s in place of %s", p->role, role);
    for (size_t i = 0; i < p->count; i++) {
        CHECK_MSG(p->data[i] == ramp(first + i), "%s[%zu] = %g", role, i, (double)p->data[i]);
    }
}

static void test_order(void)
{
    struct network net;
    open_net(small, &net);
    write_file(&(struct spec){0, 2, 5, 1234567890123, 20, FLOATS, 0});
    CHECK_OK(weights_load(path, &net, &err));
    CHECK(net.seen == 1234567890123 && net.loaded_layers == 5);
    const struct param *p = net.layers[0].params;
    check_values(&p[0], "biases", 0);
    check_values(&p[1], "scales", 3);
    check_values(&p[2], "rolling_mean", 6);
    check_values(&p[3], "rolling_variance", 9);
    check_values(&p[4], "weights", 12);
    check_values(&net.layers[2].params[0], "biases", FIRST);
    check_values(&net.layers[2].params[1], "weights", FIRST + 4);
    check_values(&net.layers[4].params[0], "biases", SECOND);
    check_values(&net.layers[4].params[1], "weights", SECOND + 2);
    network_free(&net);
}

static void test_headers(void)
{
    static const struct spec specs[] = {
        {0, 1, 0, 4000000000, 16, FLOATS, 0}, {0, 0, 0, 7, 16, FLOATS, 0},
        {0, 2, 0, 1u << 31, 20, FLOATS, 0},   {0, 2, 5, 5000000000, 20, FLOATS, 0},
        {1, 0, 0, 3, 20, FLOATS, 0},          {0, 3, 0, 3, 20, FLOATS, 0},
    };
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        struct weights_header h;
        struct network net;
        write_file(&specs[i]);
        CHECK_OK(weights_peek(path, &h, &err));
        CHECK_MSG(h.header_bytes == (size_t)specs[i].header_bytes, "%zu: %zu", i, h.header_bytes);
        CHECK(h.major == specs[i].major && h.minor == specs[i].minor);
        CHECK(h.revision == specs[i].revision && h.seen == specs[i].seen);
        open_net(small, &net);
        CHECK_OK(weights_load(path, &net, &err));
        check_values(&net.layers[4].params[1], "weights", SECOND + 2);
        CHECK(net.seen == specs[i].seen);
        network_free(&net);
    }
    struct network net;
    write_file(&(struct spec){0, 2, 5, UINT64_MAX, 20, FLOATS, 0});
    open_net(small, &net);
    capture_begin();
    enum result result = weights_load(path, &net, &err);
    capture_end();
    CHECK(result == OK && net.seen == 0 && strstr(captured, "18446744073709551615 images seen"));
    network_free(&net);
}

static void test_transposed(void)
{
    struct network net;
    open_net(small, &net);
    write_file(&(struct spec){0, 1001, 0, 0, 20, FLOATS, 0});
    CHECK_OK(weights_load(path, &net, &err));
    check_values(&net.layers[2].params[1], "weights", FIRST + 4);
    check_values(&net.layers[4].params[0], "biases", SECOND);
    const float *w = net.layers[4].params[1].data;
    for (size_t o = 0; o < 2; o++) {
        for (size_t i = 0; i < 64; i++) {
            CHECK_NEAR(w[o * 64 + i], ramp(SECOND + 2 + i * 2 + o), 0);
        }
    }
    network_free(&net);
}

static void test_round_trip(void)
{
    struct network a, b;
    unsigned state = 3;
    open_net(small, &a);
    open_net(small, &b);
    for (int i = 0; i < a.layer_count; i++) {
        for (int k = 0; k < a.layers[i].param_count; k++) {
            for (size_t j = 0; j < a.layers[i].params[k].count; j++) {
                a.layers[i].params[k].data[j] = test_noise(&state) + 1;
            }
        }
    }
    set_path();
    CHECK_OK(weights_save(path, &a, a.layer_count, 9876543210, &err));
    struct stat info;
    CHECK(stat(path, &info) == 0 && info.st_size == 20 + 4 * FLOATS);
    struct weights_header h;
    CHECK_OK(weights_peek(path, &h, &err));
    CHECK(h.major == 0 && h.minor == 2 && h.revision == 5 && h.seen == 9876543210);
    CHECK_OK(weights_load(path, &b, &err));
    for (int i = 0; i < a.layer_count; i++) {
        for (int k = 0; k < a.layers[i].param_count; k++) {
            const struct param *p = &a.layers[i].params[k], *q = &b.layers[i].params[k];
            CHECK(memcmp(p->data, q->data, p->count * sizeof(float)) == 0);
        }
    }
    network_free(&a);
    network_free(&b);
}

static void test_prefixes(void)
{
    static const struct {
        size_t floats;
        int layers, next; /* layers loaded; the first parameter layer that got nothing */
    } prefixes[] = {{FIRST, 2, 2}, {SECOND, 4, 4}};
    for (size_t i = 0; i < 2; i++) {
        struct network net;
        open_net(small, &net);
        write_file(&(struct spec){0, 2, 5, 64, 20, prefixes[i].floats, 0});
        CHECK_OK(weights_load(path, &net, &err));
        CHECK_MSG(net.loaded_layers == prefixes[i].layers, "%d", net.loaded_layers);
        check_values(&net.layers[0].params[4], "weights", 12);
        const struct param *p = &net.layers[prefixes[i].next].params[1];
        for (size_t j = 0; j < p->count; j++) {
            CHECK_NEAR(p->data[j], 0, 0);
        }
        network_free(&net);
    }
    struct network net;
    open_net(small, &net);
    set_path();
    CHECK_OK(weights_save(path, &net, 2, 5, &err));
    CHECK_OK(weights_load(path, &net, &err));
    CHECK(net.loaded_layers == 2 && net.seen == 5);
    network_free(&net);
}

static void test_broken_sizes(void)
{
    static const struct {
        struct spec spec;
        const char *what;
    } cases[] = {
        {{0, 2, 5, 0, 20, 0, 0},
         "layer 0 [convolutional] needs 264 bytes at offset 20, 0 are left"},
        {{0, 2, 5, 0, 20, FLOATS, -1},
         "layer 4 [connected] needs 520 bytes at offset 348, 519 are"},
        {{0, 2, 5, 0, 20, FLOATS - 1, 0}, "layer 4 [connected] needs 520 bytes"},
        {{0, 2, 5, 0, 20, FLOATS, 1}, "1 bytes are left behind the last layer with parameters, 4"},
        {{0, 2, 5, 0, 20, FLOATS + 1, 0}, "4 bytes are left behind"},
        {{0, 2, 5, 0, 20, FLOATS + 5000, 0}, "20000 bytes are left behind"},
        {{0, 2, 5, 0, 20, 12, 0}, "layer 0 [convolutional] needs 264"},
        {{0, 2, 5, 0, 20, FIRST + 1, 0},
         "layer 2 [convolutional] needs 64 bytes at offset 284, 4 "},
        {{0, 2, 5, 0, 20, FIRST, 2}, "layer 2 [convolutional] needs 64 bytes at offset 284, 2 "},
        {{0, 2, 5, 0, 20, FIRST, -4}, "layer 0 [convolutional]"},
        {{0, 1, 5, 0, 16, FLOATS + 1, 0}, "4 bytes are left behind"},
        {{0, 2, 5, 0, 16, FLOATS - 1, 0}, "layer 4 [connected]"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct network net;
        open_net(small, &net);
        write_file(&cases[i].spec);
        capture_begin(); /* a header of the wrong length ends in an absurd number of images */
        enum result result = weights_load(path, &net, &err);
        capture_end();
        CHECK_MSG(result == ERR_FORMAT, "case %zu: %d", i, (int)result);
        CHECK_MSG(strncmp(err.text, path, strlen(path)) == 0 && strstr(err.text, cases[i].what),
                  "case %zu: %s", i, err.text);
        CHECK_MSG(strstr(err.text, "the right cfg") && strstr(err.text, "wants 8"), "%s", err.text);
        CHECK(net.loaded_layers == 0 && net.layers[0].params[0].data[0] == 0);
        network_free(&net);
    }
}

/* The length that the version does not have, where the file's size and the first value say so. */
static void test_other_headers(void)
{
    static const struct spec specs[] = {
        {0, 0, 0, 32000, 20, FLOATS, 0},      {0, 1, 5, 0, 20, FLOATS, 0},
        {0, 1, 0, 5000000000, 20, FLOATS, 0}, {0, 2, 5, 64, 16, FLOATS, 0},
        {0, 2, 0, 4000000000, 16, FLOATS, 0}, {1, 0, 0, 0, 16, FLOATS, 0},
    };
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        struct network net;
        write_file(&specs[i]);
        open_net(small, &net);
        capture_begin();
        enum result result = weights_load(path, &net, &err);
        capture_end();
        CHECK_MSG(result == OK, "case %zu: %s", i, err.text);
        check_values(&net.layers[0].params[0], "biases", 0);
        check_values(&net.layers[4].params[1], "weights", SECOND + 2);
        CHECK_MSG(net.seen == specs[i].seen, "case %zu: %" PRIu64, i, net.seen);
        const char *said = strstr(
            captured, specs[i].header_bytes == 20
                          ? "has a header of 16 bytes, but by its size this file has one of 20"
                          : "has a header of 20 bytes, but by its size this file has one of 16");
        CHECK_MSG(said && !strstr(said + 1, "has a header"), "case %zu: %s", i, captured);
        CHECK_MSG(!strstr(captured, "images seen"), "%s", captured);
        network_free(&net);
    }
}

/* Without a network the other file says how many values there are. */
static void test_pairs(void)
{
    static const struct {
        struct spec specs[2];
        size_t taken[2];
        int warnings;
    } table[] = {
        {{{0, 0, 0, 7, 20, FLOATS, 0}, {0, 2, 5, 9, 20, FLOATS, 0}}, {20, 20}, 1},
        {{{0, 2, 5, 7, 20, FLOATS, 0}, {0, 2, 0, 4000000000, 16, FLOATS, 0}}, {20, 16}, 1},
        {{{0, 2, 5, 7, 20, FLOATS, 0}, {0, 1, 0, 9, 16, FLOATS, 0}}, {20, 16}, 0},
        {{{0, 2, 5, 7, 20, FLOATS, 0}, {0, 2, 5, 9, 20, FLOATS - 2, 0}}, {20, 20}, 0},
    };
    char first[4100];
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const char *const paths[2] = {first, path};
        struct weights_header headers[2];
        set_path();
        snprintf(first, sizeof first, "%s.first", path);
        write_file(&table[i].specs[0]);
        CHECK(rename(path, first) == 0);
        write_file(&table[i].specs[1]);
        capture_begin();
        enum result result = weights_peek_pair(paths, headers, &err);
        capture_end();
        CHECK_MSG(result == OK, "case %zu: %s", i, err.text);
        for (int k = 0; k < 2; k++) {
            CHECK_MSG(headers[k].header_bytes == table[i].taken[k], "case %zu: %zu", i,
                      headers[k].header_bytes);
            CHECK_MSG(headers[k].seen == table[i].specs[k].seen, "case %zu", i);
        }
        const char *said = strstr(captured, "by its size this file has one of");
        CHECK_MSG(!!said == table[i].warnings && !strstr(captured, "images seen"), "%s", captured);
        remove(first);
    }
}

/* A file of the same network but for one number says so. */
static void test_fitting_hints(void)
{
    static const struct {
        const char *from, *to, *hint;
    } cases[] = {
        {"channels=2", "channels=3", "(they fit channels=2)"},
        {"channels=2", "channels=1", "(they fit channels=2)"},
        {"output=2", "output=3", "(is this the right cfg"},
    };
    static const struct spec specs[] = {{0, 2, 5, 9, 20, FLOATS, 0}, {0, 0, 0, 9, 20, FLOATS, 0}};
    for (size_t i = 0; i < 2 * sizeof cases / sizeof *cases; i++) {
        char text[2 * sizeof small];
        struct network net;
        const char *from = cases[i / 2].from, *at = strstr(small, from);
        snprintf(text, sizeof text, "%.*s%s%s", (int)(at - small), small, cases[i / 2].to,
                 at + strlen(from));
        write_file(&specs[i % 2]);
        open_net(text, &net);
        CHECK(weights_load(path, &net, &err) == ERR_FORMAT);
        CHECK_MSG(strstr(err.text, cases[i / 2].hint), "%s", err.text);
        network_free(&net);
    }
}

static void test_broken_files(void)
{
    struct network net;
    open_net(small, &net);
    static const struct {
        unsigned char bytes[28];
        size_t size;
        const char *what;
    } cases[] = {
        {{0}, 0, "too few"},
        {{0, 0, 0, 0, 2}, 10, "too few"},
        {{0, 0, 0, 0, 2}, 17, "ends in its header"},
        {"[net]\nwidth=416\nheight=4", 24, "not a Darknet .weights file but a cfg"},
        {"\x89PNG\r\n\x1a\n, and then some", 24, "not a Darknet .weights file but a picture"},
        {"\xff\xd8\xff\xe0\0\x10JFIF\0\1\1", 24, "but a picture"},
        {"GIF89a\1\0\1\0", 24, "but a picture"},
        {"BM\x46\x30\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0", 24, "but a picture"},
        {"RIFF\x24\0\0\0WEBPVP8 ", 24, "but a picture"},
        {"\n <!DOCTYPE html>\n<title>", 24, "but an HTML or XML page"},
        {"\xef\xbb\xbf<HTML><body>404</bo", 22, "but an HTML or XML page"},
        {"{\"error\": \"not found\"}   ", 24, "but a JSON text"},
        {"Not Found, and some more", 24, "but a text"},
        {"version https://git-lfs.", 24, "but a git-lfs pointer"},
        {"PK\3\4\0\0\x8\x8\0\0\0\0\0\0best/", 24, "but a zip archive (PyTorch's .pt"},
        {"\x80\2\x8a\nl\xfc\x9c\x46\xf9", 24, "but a Python pickle"},
        {"\x40\2\0\0\0\0\0\0{\"__metadata__\"", 24, "but a safetensors file"},
        {"\x8\7\x12\7pytorch\x1a\5"
         "1.13",
         24, "but an ONNX model"},
        {"\x89HDF\r\n\x1a\n\0\0", 24, "but an HDF5 file"},
        {"\x1f\x8b\x8\0\0\0\0\0\0\3\xff", 24, "but a gzip archive"},
        {"\x1c\0\0\0TFL3\x14\0 ", 24, "but a TensorFlow Lite model"},
        {{0xff, 0xff, 0xff, 0xff, 2}, 24, "not a Darknet .weights file: its version would be -1.2"},
        {{0, 0, 0, 0, 0, 0, 0, 0x80}, 24, "would be 0.-2147483648"},
        {{0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff, 0x7f}, 24, "2147483647.2147483647"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct weights_header h;
        write_text(cases[i].bytes, cases[i].size);
        CHECK_MSG(weights_load(path, &net, &err) == ERR_FORMAT, "case %zu", i);
        CHECK_MSG(strncmp(err.text, path, strlen(path)) == 0 && strstr(err.text, cases[i].what),
                  "case %zu: %s", i, err.text);
        CHECK(weights_peek(path, &h, &err) == ERR_FORMAT);
    }
    CHECK(weights_load("/nonexistent/a.weights", &net, &err) == ERR_IO);
    CHECK(strstr(err.text, "/nonexistent/a.weights"));
    CHECK(weights_load("/tmp", &net, &err) == ERR_FORMAT);
    network_free(&net);
}

static void test_odd_values(void)
{
    struct network net;
    write_file(&(struct spec){0, 2, 5, 0, 20, FLOATS, 0});
    unsigned char value[4];
    FILE *f = fopen(path, "r+b");
    CHECK(f);
    put_float(value, NAN);
    fseek(f, 20 + 4 * (FIRST + 2), SEEK_SET);
    fwrite(value, 1, 4, f);
    put_float(value, -INFINITY);
    fseek(f, 20 + 4 * (SECOND + 2), SEEK_SET);
    fwrite(value, 1, 4, f);
    put_float(value, -1);
    fseek(f, 20 + 4 * 10, SEEK_SET);
    fwrite(value, 1, 4, f);
    fclose(f);
    open_net(small, &net);
    capture_begin();
    enum result result = weights_load(path, &net, &err);
    capture_end();
    network_free(&net);
    CHECK(result == OK);
    CHECK_MSG(strstr(captured, "2 values are not finite numbers, the first in layer 2 [convol"),
              "%s", captured);
    CHECK_MSG(strstr(captured, "1 variances are negative, the first in layer 0"), "%s", captured);
}

static const char unloaded[] = "[net]\nwidth=4\nheight=4\nchannels=2\n"
                               "[convolutional]\nfilters=3\nbatch_normalize=1\nactivation=linear\n"
                               "dontloadscales=1\n"
                               "[convolutional]\nfilters=4\nactivation=linear\ndontload=1\n"
                               "[convolutional]\nfilters=2\nactivation=linear\n";

static void test_dontload(void)
{
    struct network net;
    open_net(unloaded, &net);
    write_file(&(struct spec){0, 2, 5, 0, 20, 3 + 6 + 2 + 8, 0});
    CHECK_OK(weights_load(path, &net, &err));
    CHECK(net.loaded_layers == 3);
    check_values(&net.layers[0].params[0], "biases", 0);
    CHECK_NEAR(net.layers[0].params[1].data[0], 1, 0);
    CHECK_NEAR(net.layers[0].params[2].data[0], 0, 0);
    CHECK_NEAR(net.layers[0].params[3].data[0], 1, 0);
    check_values(&net.layers[0].params[4], "weights", 3);
    CHECK_NEAR(net.layers[1].params[0].data[0], 0, 0);
    check_values(&net.layers[2].params[0], "biases", 9);
    check_values(&net.layers[2].params[1], "weights", 11);
    write_file(&(struct spec){0, 2, 5, 0, 20, 3 + 9 + 6 + 4 + 12 + 2 + 8, 0});
    CHECK(weights_load(path, &net, &err) == ERR_FORMAT);
    CHECK_MSG(strstr(err.text, "without the keys dontload"), "%s", err.text);
    network_free(&net);
}

/* In a block that held something else, and through threads that share a parameter's parts. */
static void compare_layer_by_layer(const char *text)
{
    struct network whole, net = {0};
    struct weights_file *file;
    open_net(text, &whole);
    CHECK_OK(weights_load(path, &whole, &err));
    CHECK_OK(network_parse("a.cfg", text, strlen(text), 0, 0, &net, &err));
    CHECK_OK(weights_open(path, &net, &file, &err));
    CHECK(net.seen == whole.seen && net.loaded_layers == whole.loaded_layers);
    size_t floats = network_largest_block(&net);
    float *block = mem_alloc(floats, sizeof *block);
    memset(block, 0x55, floats * sizeof *block);
    for (int i = 0; i < net.layer_count; i++) {
        network_lend(&net, i, block);
        CHECK_OK(weights_read_next(file, &net, &err));
        for (int k = 0; k < net.layers[i].param_count; k++) {
            const struct param *p = &net.layers[i].params[k], *q = &whole.layers[i].params[k];
            CHECK_MSG(memcmp(p->data, q->data, p->count * sizeof *q->data) == 0, "layer %d: %s", i,
                      p->role);
        }
        network_lend(&net, i, NULL);
    }
    weights_close(file);
    mem_free(block);
    network_free(&net);
    network_free(&whole);
}

static void test_layer_by_layer(void)
{
    static const char large[] = "[net]\nwidth=4\nheight=4\nchannels=1\n"
                                "[convolutional]\nfilters=512\nsize=1\nactivation=linear\n"
                                "[convolutional]\nfilters=500\nsize=1\nactivation=linear\n";
    write_file(&(struct spec){0, 2, 5, 9, 20, FLOATS, 0});
    compare_layer_by_layer(small);
    write_file(&(struct spec){0, 2, 5, 9, 20, FIRST, 0});
    compare_layer_by_layer(small);
    write_file(&(struct spec){0, 1001, 0, 0, 20, FLOATS, 0});
    compare_layer_by_layer(small);
    write_file(&(struct spec){0, 2, 5, 0, 20, 3 + 6 + 2 + 8, 0});
    compare_layer_by_layer(unloaded);

    struct network net;
    open_net(large, &net);
    struct param *p = &net.layers[1].params[1];
    unsigned state = 5;
    for (size_t i = 0; i < p->count; i++) {
        p->data[i] = test_noise(&state);
    }
    p->data[7] = p->data[p->count / 2] = p->data[p->count - 1] = NAN;
    CHECK_OK(weights_save(path, &net, 2, 0, &err));
    network_free(&net);
    parallel_set_threads(3);
    capture_begin();
    compare_layer_by_layer(large);
    capture_end();
    parallel_set_threads(0);
    const char *told = strstr(captured, "3 values are not finite numbers, the first in layer 1");
    CHECK_MSG(told && strstr(told + 1, "3 values are not finite"), "%s", captured);

    struct weights_file *file;
    struct network other = {0};
    CHECK_OK(network_parse("a.cfg", small, strlen(small), 0, 0, &other, &err));
    CHECK(weights_open(path, &other, &file, &err) == ERR_FORMAT && !file);
    network_free(&other);
}

static void test_save_errors(void)
{
    struct network net;
    open_net(small, &net);
    CHECK(weights_save("/nonexistent/a.weights", &net, 5, 0, &err) == ERR_IO);
    set_path();
    CHECK(weights_save(path, &net, 6, 0, &err) == ERR_ARG);
    CHECK(weights_save(path, &net, -1, 0, &err) == ERR_ARG);
    write_text("keep", 4);
    network_release(&net, 2);
    CHECK(weights_save(path, &net, 5, 0, &err) == ERR_ARG);
    CHECK_MSG(strstr(err.text, "layer 2 [convolutional]"), "%s", err.text);
    struct stat info;
    CHECK(stat(path, &info) == 0 && info.st_size == 4);
    CHECK_OK(weights_save(path, &net, 2, 0, &err));
    CHECK(stat(path, &info) == 0 && info.st_size == 20 + 4 * FIRST);
    network_free(&net);
}

#define FASTEST "weights/yolo-fastest-1."
#define MOBILE "weights/mobilenetv2-yolo"
static void test_published(void)
{
    static const char *const files[][2] = {
        {FASTEST "0-coco/yolo-fastest", NULL},
        {FASTEST "0-coco/yolo-fastest-xl", NULL},
        {FASTEST "1-coco/yolo-fastest-1.1", NULL},
        {FASTEST "1-coco/yolo-fastest-1.1-xl", NULL},
        {FASTEST "1-body/yolo-fastest-1.1_body", NULL},
        {MOBILE "-fastest-voc/MobileNetV2-YOLO-Fastest-voc", NULL},
        {MOBILE "-fastest-voc/MobileNetV2-YOLO-Fastest-voc-v2", NULL},
        {MOBILE "v3-nano/MobileNetV2-YOLOv3-Nano-coco", NULL},
        {MOBILE "v3-nano/MobileNetV2-YOLOv3-Nano-voc", NULL},
        {"weights/yoloface/yoloface-50k", NULL},
        {"weights/yoloface/yoloface-500k", NULL},
        {"weights/yoloface/yoloface-500k-v2", NULL},
        {"weights/yolov4-tiny-pot/yolov4-tiny-custom", "yolov4-tiny-custom_best"},
        {"weights/yolo-lite/tiny-yolov2-trial5", NULL},
        {"weights/yolo-lite/coco-trial6", "coco-trial6_653550"},
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char name[256], cfg[1024], weights[1024];
        snprintf(name, sizeof name, "%s.cfg", files[i][0]);
        if (!shared_path(name, cfg, sizeof cfg)) {
            SKIP("published weights are not there (YOLO_SHARED)");
        }
        size_t folder = (size_t)(strrchr(files[i][0], '/') - files[i][0]);
        if (files[i][1]) {
            snprintf(name, sizeof name, "%.*s/%s.weights", (int)folder, files[i][0], files[i][1]);
        } else {
            snprintf(name, sizeof name, "%s.weights", files[i][0]);
        }
        CHECK_MSG(shared_path(name, weights, sizeof weights), "%s", weights);
        struct network net = {0};
        capture_begin();
        enum result result = network_read(cfg, 0, 0, &net, &err);
        capture_end();
        CHECK_MSG(result == OK, "%s", err.text);
        CHECK_OK(network_allocate(&net, &err));
        capture_begin();
        result = weights_load(weights, &net, &err);
        capture_end();
        CHECK_MSG(result == OK && captured[0] == 0, "%s%s", err.text, captured);
        CHECK(net.loaded_layers == net.layer_count);
        network_free(&net);
    }
}

static void test_out_of_memory(void)
{
    enum result result = ERR_MEMORY;
    struct network net;
    open_net(small, &net);
    write_file(&(struct spec){0, 1001, 0, 0, 20, FLOATS, 0});
    for (long k = 0; result != OK; k++) {
        CHECK(k < 100);
        mem_fail_after(k);
        result = weights_load(path, &net, &err);
        mem_fail_after(-1);
        CHECK(result == OK || result == ERR_MEMORY);
    }
    network_free(&net);
}

/* Two heads of two and one anchors; the second convolution is shared. */
static enum result open_heads(int classes, struct network *net)
{
    char text[1024];
    int n =
        snprintf(text, sizeof text,
                 "[net]\nwidth=4\nheight=4\nchannels=2\n"
                 "[convolutional]\nfilters=6\nsize=1\nactivation=leaky\n"
                 "[convolutional]\nfilters=%d\nsize=1\nactivation=linear\n"
                 "[yolo]\nmask=0,1\nnum=3\nclasses=%d\nanchors=1,1, 2,2, 3,3\n"
                 "[route]\nlayers=0\n"
                 "[convolutional]\nfilters=5\nsize=3\npad=1\nbatch_normalize=1\nactivation=mish\n"
                 "[convolutional]\nfilters=%d\nsize=1\nactivation=linear\n"
                 "[yolo]\nmask=2\nnum=3\nclasses=%d\nanchors=1,1, 2,2, 3,3\n",
                 2 * (5 + classes), classes, 5 + classes, classes);
    enum result result = network_parse("heads.cfg", text, (size_t)n, 0, 0, net, &err);
    return result == OK ? network_allocate(net, &err) : result;
}

static void fill_ramp(struct network *net)
{
    size_t at = 0;
    for (int i = 0; i < net->layer_count; i++) {
        for (int k = 0; k < net->layers[i].param_count; k++) {
            for (size_t j = 0; j < net->layers[i].params[k].count; j++) {
                net->layers[i].params[k].data[j] = ramp(at++);
            }
        }
    }
}

static bool params_equal(const struct layer *a, const struct layer *b)
{
    for (int k = 0; k < a->param_count; k++) {
        if (memcmp(a->params[k].data, b->params[k].data, a->params[k].count * sizeof(float)) != 0) {
            return false;
        }
    }
    return true;
}

static void test_other_classes(void)
{
    static struct network from, to;
    size_t loaded[7];
    int classes = 0;
    set_path();
    CHECK_OK(open_heads(4, &from));
    fill_ramp(&from);
    CHECK_OK(weights_save(path, &from, from.layer_count, 77, &err));
    for (int own = 1; own <= 9; own++) {
        CHECK_OK(open_heads(own, &to));
        CHECK_OK(weights_load_transfer(path, &to, NULL, loaded, &classes, &err));
        CHECK_MSG(classes == 4, "%d classes", classes);
        CHECK(loaded[0] > 0 && loaded[4] > 0 && loaded[2] == 0);
        CHECK(params_equal(&from.layers[0], &to.layers[0]));
        CHECK(params_equal(&from.layers[4], &to.layers[4]));
        CHECK((loaded[1] > 0) == (own == 4) && (loaded[5] > 0) == (own == 4));
        CHECK(to.loaded_layers == (own == 4 ? to.layer_count : 1));
        if (own != 4) { /* heads keep what they had */
            CHECK(to.layers[1].params[0].data[0] == 0.0f && to.layers[5].params[1].data[0] == 0.0f);
        }
        network_free(&to);
        to = (struct network){0};
    }
    for (int own = 1; own <= 9; own++) { /* elsewhere that number is named */
        CHECK_OK(open_heads(own, &to));
        enum result result = weights_load(path, &to, &err);
        CHECK_MSG(own == 4 ? result == OK : !!strstr(err.text, "(they fit classes=4)"), "%s",
                  err.text);
        network_free(&to);
        to = (struct network){0};
    }
    CHECK_OK(weights_save(path, &from, 5, 0, &err)); /* up to and with layer 4 */
    CHECK_OK(open_heads(9, &to));
    CHECK(weights_load_transfer(path, &to, NULL, loaded, &classes, &err) == ERR_FORMAT);
    network_free(&to);
    network_free(&from);
}

/* ---- classes by name ---- */

static enum result open_kinds(int classes, struct network *net)
{
    char text[2048];
    int n = snprintf(text, sizeof text,
                     "[net]\nwidth=4\nheight=4\nchannels=2\n"
                     "[convolutional]\nfilters=3\nsize=1\nactivation=leaky\n"
                     "[convolutional]\nfilters=%d\nsize=3\npad=1\nactivation=linear\n"
                     "[yolo]\nmask=0,1\nnum=3\nclasses=%d\nanchors=1,1, 2,2, 3,3\n"
                     "[route]\nlayers=0\n"
                     "[convolutional]\nfilters=%d\nsize=1\nbatch_normalize=1\nactivation=linear\n"
                     "[Gaussian_yolo]\nmask=1,2\nnum=3\nclasses=%d\nanchors=1,1, 2,2, 3,3\n"
                     "[route]\nlayers=0\n"
                     "[convolutional]\nfilters=%d\nsize=1\nactivation=linear\n"
                     "[region]\nnum=2\nclasses=%d\nanchors=1,1, 2,2\nsoftmax=1\n",
                     2 * (5 + classes), classes, 2 * (9 + classes), classes, 2 * (5 + classes),
                     classes);
    enum result result = network_parse("kinds.cfg", text, (size_t)n, 0, 0, net, &err);
    return result == OK ? network_allocate(net, &err) : result;
}

/* Row by row, against the old network: what keeps, and that nothing else was touched. */
static void check_rows(const struct network *from, const struct network *to, int layer,
                       const struct class_match *match)
{
    const struct layer *l = &to->layers[layer], *old = &from->layers[layer];
    const struct head_info *head = to->layers[layer + 1].ops->head(&to->layers[layer + 1]);
    int around = head->objectness + 1, old_entries = around + (int)match->old_count;
    for (int k = 0; k < l->param_count; k++) {
        size_t row = l->params[k].count / (size_t)l->out.c;
        for (int r = 0; r < l->out.c; r++) {
            int slot = r / head->entries, e = r % head->entries;
            int c = e < around ? -1 : match->old_of[e - around];
            int source = e < around ? e : around + c;
            const float *got = l->params[k].data + (size_t)r * row;
            const float *want = old->params[k].data + (size_t)(slot * old_entries + source) * row;
            for (size_t j = 0; j < row; j++) {
                float initial = e >= around && c < 0 ? -7.0f : want[j];
                CHECK_MSG(got[j] == initial, "layer %d %s row %d: %g, not %g", layer,
                          l->params[k].role, r, (double)got[j], (double)initial);
            }
        }
    }
}

static void test_rows_by_name(void)
{
    static struct network from, to;
    static char *old[] = {"dog", "cat", "Bird", "cow", "cow"};
    static char *lists[][6] = {
        {"cat", "bird", "dog", "cow", "mug", "cup"}, /* order, case, twice in the old list, new */
        {"Bird", "dog"},                             /* fewer */
        {"cat", "dog", "Bird", "x", "y"},            /* as many */
        {"mug"},                                     /* none */
    };
    static const size_t counts[] = {6, 2, 5, 1}, matched[] = {2, 2, 3, 0};
    size_t loaded[9];
    int classes = 0;
    set_path();
    CHECK_OK(open_kinds(5, &from));
    fill_ramp(&from);
    CHECK_OK(weights_save(path, &from, from.layer_count, 77, &err));
    for (size_t n = 0; n < 4; n++) {
        struct class_match match = {0};
        CHECK_OK(open_kinds((int)counts[n], &to));
        for (int i = 0; i < to.layer_count; i++) {
            for (int k = 0; k < to.layers[i].param_count; k++) {
                for (size_t j = 0; j < to.layers[i].params[k].count; j++) {
                    to.layers[i].params[k].data[j] = -7.0f;
                }
            }
        }
        CHECK_OK(weights_find_classes(path, &to, &classes, &err));
        CHECK(classes == 5);
        CHECK_OK(class_match_make(lists[n], counts[n], old, 5, &match, &err));
        CHECK_MSG(match.matched == matched[n] && !match.is_same, "%zu", match.matched);
        CHECK_OK(weights_load_transfer(path, &to, &match, loaded, &classes, &err));
        CHECK(classes == 5 && params_equal(&from.layers[0], &to.layers[0]));
        CHECK(to.loaded_layers == (matched[n] == counts[n] ? to.layer_count : 1));
        for (int layer = 1; layer < 9; layer += 3) {
            const struct head_info *head = to.layers[layer + 1].ops->head(&to.layers[layer + 1]);
            size_t row = 0, rows = (size_t)head->slots * (size_t)(head->objectness + 1) +
                                   (size_t)head->slots * matched[n];
            check_rows(&from, &to, layer, &match);
            for (int k = 0; k < to.layers[layer].param_count; k++) {
                row += to.layers[layer].params[k].count / (size_t)to.layers[layer].out.c;
            }
            CHECK_MSG(loaded[layer] == row * rows, "%zu, not %zu", loaded[layer], row * rows);
        }
        match.old_count = 4; /* not those of the file */
        CHECK(weights_load_transfer(path, &to, &match, loaded, &classes, &err) == ERR_FORMAT);
        CHECK(strstr(err.text, "trained for 5 classes, not for 4") != NULL);
        class_match_free(&match);
        network_free(&to);
        to = (struct network){0};
    }
    struct class_match same = {0};
    CHECK_OK(class_match_make(lists[0], 2, lists[0], 2, &same, &err));
    CHECK(same.is_same);
    class_match_free(&same);
    CHECK(strcmp(class_match_other_case("bird", old, 5), "Bird") == 0);
    CHECK(!class_match_other_case("dog", old, 5));
    CHECK_OK(weights_save(path, &from, 3, 0, &err)); /* cut behind the first head */
    CHECK_OK(weights_find_classes(path, &from, &classes, &err));
    CHECK(classes == 0);
    network_free(&from);
}

static const struct test_case cases[] = {
    {"other_classes", test_other_classes},
    {"rows_by_name", test_rows_by_name},
    {"order", test_order},
    {"headers", test_headers},
    {"transposed", test_transposed},
    {"round_trip", test_round_trip},
    {"prefixes", test_prefixes},
    {"broken_sizes", test_broken_sizes},
    {"other_headers", test_other_headers},
    {"pairs", test_pairs},
    {"fitting_hints", test_fitting_hints},
    {"broken_files", test_broken_files},
    {"odd_values", test_odd_values},
    {"dontload", test_dontload},
    {"layer_by_layer", test_layer_by_layer},
    {"save_errors", test_save_errors},
    {"published", test_published},
    {"out_of_memory", test_out_of_memory},
};

TEST_MAIN(cases)
