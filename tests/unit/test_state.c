/* Damaged, forged and foreign last.state files are refused, in words, before anything is changed.
 */
#include "train/stateio.h"

#include "run_rig.h"

/* ---- damage ---- */

static enum result try_open(void)
{
    struct checkpoint c;
    enum result result = checkpoint_open(folder, &c, &err);
    checkpoint_close(&c);
    return result;
}

#define CHECK_REFUSED(what, wanted, words)                                                         \
    do {                                                                                           \
        enum result refused = try_open();                                                          \
        CHECK_MSG(refused == (wanted), "%s: result %d", what, (int)refused);                       \
        CHECK_MSG(strstr(err.text, "last.state") && strstr(err.text, words), "%s: %s", what,       \
                  err.text);                                                                       \
        CHECK(!strchr(err.text, '\n'));                                                            \
    } while (0)

static void test_damage(void)
{
    struct run run;
    char *good, *bad;
    size_t size, weights_size;
    CHECK(set_up());
    CHECK_REFUSED("missing", ERR_IO, "No such file");
    CHECK(mkdir(in_folder("last.state"), 0700) == 0);
    CHECK_REFUSED("a folder", ERR_FORMAT, "not a regular file");
    CHECK(rmdir(in_folder("last.state")) == 0);
    CHECK(run_start(&run, &options_of[0]));
    run_step(&run);
    CHECK_OK(run_save(&run, false));
    run_end(&run);
    good = slurp("last.state", &size);
    bad = malloc(2 * size);
    CHECK(good && bad && size > 2000);

    CHECK(spill("last.state", "", 0));
    CHECK_REFUSED("empty", ERR_FORMAT, "empty");
    CHECK(spill("last.state", "hello world, this is no state at all, just a text\n", 50));
    CHECK_REFUSED("a text", ERR_FORMAT, "not a training state");
    char *weights = slurp("last.weights", &weights_size);
    CHECK(spill("last.state", weights, weights_size));
    CHECK_REFUSED("weights", ERR_FORMAT, "not a training state");
    mem_free(weights);
    memcpy(bad, good, size);
    bad[8]++;
    CHECK(spill("last.state", bad, size));
    CHECK_REFUSED("a later version", ERR_FORMAT, "this program reads version");
    memset(bad + size / 2, 0, size - size / 2);
    bad[8] = good[8];
    CHECK(spill("last.state", bad, size));
    CHECK_REFUSED("zeros from the middle on", ERR_FORMAT, "cut off");
    memset(bad, 0, size);
    CHECK(spill("last.state", bad, size));
    CHECK_REFUSED("nothing but zeros", ERR_FORMAT, "not a training state");
    memcpy(bad, good, size);
    memcpy(bad + size, good, size);
    CHECK(spill("last.state", bad, 2 * size));
    CHECK_REFUSED("twice", ERR_FORMAT, "appended");
    CHECK(spill("last.state", bad, size + 1));
    CHECK_REFUSED("one byte more", ERR_FORMAT, "appended");
    memcpy(bad + 500, good + 508, 8);
    memcpy(bad + 508, good + 500, 8);
    CHECK(spill("last.state", bad, size));
    CHECK_REFUSED("two words exchanged", ERR_FORMAT, "checksum");
    memcpy(bad, good, 1000); /* a piece lost in the middle */
    memcpy(bad + 1000, good + 1008, size - 1008);
    CHECK(spill("last.state", bad, size - 8));
    CHECK_REFUSED("eight bytes lost", ERR_FORMAT, "damaged");
    for (size_t length = 1; length < size; length += length < 64 || length + 64 > size ? 1 : 13) {
        CHECK(spill("last.state", good, length));
        CHECK_MSG(try_open() == ERR_FORMAT, "%zu of %zu bytes were taken for whole", length, size);
    }
    for (size_t i = 0; i < size; i += i < 256 || i + 64 > size ? 1 : 7) {
        memcpy(bad, good, size);
        bad[i] = (char)(bad[i] ^ 1 << i % 8);
        CHECK(spill("last.state", bad, size));
        CHECK_MSG(try_open() == ERR_FORMAT, "byte %zu of %zu", i, size);
    }
    CHECK(spill("last.state", good, size));
    CHECK_OK(try_open());
    mem_free(good);
    free(bad);
}

/* States whose checksum is right and whose content is not: patch the good one and sign it again. */
static bool forge(const char *good, size_t size, size_t at, const void *patch, size_t bytes,
                  long drop)
{
    char *copy = malloc(size);
    struct state_writer out;
    if (!copy || state_create(&out, in_folder("last.state"), (uint32_t)good[8], &err) != OK) {
        return false;
    }
    memcpy(copy, good, size);
    memcpy(copy + at, patch, bytes);
    for (size_t i = 12; i < size - 24 - (size_t)(drop > 0 ? drop : 0); i += 1) {
        char one[2] = {copy[i], 0};
        state_hash_add(&out.hash, one, 1);
        fputc(copy[i], out.file.stream);
    }
    for (long i = drop; i < 0; i++) {
        state_put_u32(&out, 0);
    }
    free(copy);
    return state_commit(&out, &err) == OK;
}

static const unsigned char *find(const char *data, size_t size, const void *what, size_t bytes)
{
    for (size_t i = 0; i + bytes <= size; i++) {
        if (memcmp(data + i, what, bytes) == 0) {
            return (const unsigned char *)data + i;
        }
    }
    return NULL;
}

static void test_forged(void)
{
    struct run run, resumed;
    size_t size;
    CHECK(set_up());
    CHECK(run_start(&run, &options_of[0]));
    run_step(&run);
    CHECK_OK(run_save(&run, false));
    char *good = slurp("last.state", &size);
    const unsigned char *options =
        find(good, size, fingerprint.options, strlen(fingerprint.options));
    CHECK(options);
    size_t text = (size_t)(options - (const unsigned char *)good);
    size_t net = text + strlen(fingerprint.options) + 8 + strlen(fingerprint.stages);
    size_t floats =
        4 + 4 + 16 + 4 + 16 + 4 + 40 + 4 * network_param_floats(&run.rig.f.net, 3, NULL);
    size_t opt = net + floats;
    struct {
        const char *name;
        size_t at;
        const char *patch;
        size_t bytes;
        long drop;
        const char *words;
    } forgeries[] = {
        {"unchanged", 20, "", 0, 0, NULL},
        {"text of 2^56 bytes", text - 8, "\0\0\0\0\0\0\0\1", 8, 0, "a text of"},
        {"text of 2^32 - 1 bytes", text - 8, "\xff\xff\xff\xff", 4, 0, "a text of"},
        {"four layers", net, "\4", 1, 0, "4 layers"},
        {"three tensors in layer 0", net + 4, "\3", 1, 0, "layer 0 [convolutional] has 3 tensors"},
        {"five weights in layer 0", net + 16, "\5", 1, 0, "has 5 weights in it, 6"},
        {"2^56 weights in layer 0", net + 16, "\0\0\0\0\0\0\0\1", 8, 0, "weights in it, 6"},
        {"Adam", opt, "\1", 1, 0, "the optimiser adam, not sgd"},
        {"kind 200", opt, "\xc8", 1, 0, "another program"},
        {"no averages", opt + 4, "\0", 1, 0, "without moving averages"},
        {"eight slots", opt + 16, "\10", 1, 0, "8 tensors moved in it, 7 do now"},
        {"2^56 slots", opt + 16, "\0\0\0\0\0\0\0\1", 8, 0, "tensors moved in it"},
        {"another layer", opt + 24, "\0", 1, 0, "of layer 0 moved in it"},
        {"another count", opt + 32, "\2", 1, 0, "2 values of layer 1"},
        {"four bytes short", 20, "", 0, 4, "less than it should"},
        {"almost nothing", 20, "", 0, (long)size - 50, "less than it should"},
        {"eight bytes long", 20, "", 0, -2, "8 bytes too many"},
    };
    for (size_t i = 0; i < sizeof forgeries / sizeof forgeries[0]; i++) {
        CHECK(forge(good, size, forgeries[i].at, forgeries[i].patch, forgeries[i].bytes,
                    forgeries[i].drop));
        enum result result = run_resume(&resumed, &options_of[0]);
        if (!forgeries[i].words) {
            CHECK_MSG(result == OK, "%s", err.text);
            CHECK(same_file("last.state", good, size));
            CHECK(run_equal(&resumed, &run));
        } else {
            CHECK_MSG(result == ERR_FORMAT, "%s: result %d", forgeries[i].name, (int)result);
            CHECK_MSG(strstr(err.text, forgeries[i].words), "%s: %s", forgeries[i].name, err.text);
        }
        run_end(&resumed);
    }
    mem_free(good);
    run_end(&run);
}

/* A state of another network, or of other frozen layers, changes nothing. */
static void test_other_network(void)
{
    struct run run;
    struct rig other;
    struct checkpoint c;
    struct optimizer *o;
    size_t count;
    CHECK(set_up());
    CHECK(run_start(&run, &options_of[0]));
    run_step(&run);
    CHECK_OK(run_save(&run, false));
    CHECK(rig_open(&other, 41));
    rig_fill(&other, 5);
    float *before = rig_snapshot(&other, &count);
    CHECK_OK(checkpoint_open(folder, &c, &err));
    CHECK(checkpoint_restore_network(&c, &other.f.net, &err) == ERR_FORMAT);
    CHECK_MSG(strstr(err.text, "layer 2 [convolutional] has 40 biases in it, 41"), "%s", err.text);
    CHECK(rig_equals(&other, before));
    checkpoint_close(&c);

    CHECK_OK(checkpoint_open(folder, &c, &err));
    CHECK_OK(checkpoint_restore_network(&c, &run.rig.f.net, &err));
    CHECK(rig_set_modes(&run.rig, MODE_TRAIN, MODE_TRAIN, MODE_TRAIN));
    CHECK_OK(rig_optimizer(&options_of[0], &run.rig, NULL, &o, &err));
    CHECK(checkpoint_restore_optimizer(&c, &run.rig.f.net, o, NULL, &err) == ERR_FORMAT);
    CHECK_MSG(strstr(err.text, "frozen"), "%s", err.text);
    checkpoint_close(&c);
    optimizer_free(o);
    network_release(&run.rig.f.net, 0);
    CHECK(run_save(&run, false) == ERR_ARG);
    free(before);
    rig_close(&other);
    run_end(&run);
}

/* The same value however the bytes are cut, another for another length or content. */
static void test_hash(void)
{
    unsigned char data[100];
    unsigned noise = 3;
    for (size_t i = 0; i < sizeof data; i++) {
        data[i] = (unsigned char)(int)(test_noise(&noise) * 100);
    }
    uint64_t whole = state_hash_of(data, sizeof data);
    for (size_t step = 1; step < 40; step++) {
        struct state_hash hash = {0};
        for (size_t at = 0; at < sizeof data; at += step) {
            state_hash_add(&hash, data + at, at + step < sizeof data ? step : sizeof data - at);
            state_hash_add(&hash, data, 0);
        }
        CHECK(state_hash_value(&hash) == whole);
    }
    for (size_t n = 0; n < sizeof data; n++) {
        CHECK(state_hash_of(data, n) != whole);
        data[n] ^= 16;
        CHECK(state_hash_of(data, sizeof data) != whole);
        data[n] ^= 16;
    }
    CHECK(state_hash_of("\0\0", 1) != state_hash_of("\0\0", 2));
    CHECK(state_hash_of("", 0) != state_hash_of("\0", 1));
}

static const struct test_case cases[] = {
    {"damage", test_damage},
    {"forged", test_forged},
    {"other_network", test_other_network},
    {"hash", test_hash},
};
TEST_MAIN(cases)
