/* Training with cache-features: byte for byte the run without it while the loader delivers the same
 * variants, and byte for byte the run whose file of features cannot be had when they are replayed;
 * through kills, damage, a full disk, a roll-back and the border to another stage. */
#include "train/replay.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "base/path.h"
#include "capture.h"
#include "isa.h"
#include "net/network.h"
#include "picture_set.h"
#include "train/feature_cache.h"
#include "train/trainer.h"

/* A view and an in-place shortcut below, a concatenation on, and a skip connection across the
 * border. */
static const char cfg[] =
    "[net]\nwidth=32\nheight=32\nchannels=3\n"
    /* 0 */ "[convolutional]\nbatch_normalize=1\nfilters=8\nsize=3\nstride=2\npad=1\nactivation="
    "leaky\n"
    /* 1 */ "[convolutional]\nbatch_normalize=1\nfilters=8\nsize=3\nstride=2\npad=1\nactivation="
    "mish\n"
    /* 2 */ "[route]\nlayers=-1\ngroups=2\ngroup_id=1\n"
    /* 3 */ "[convolutional]\nbatch_normalize=1\nfilters=4\nsize=3\npad=1\nactivation=leaky\n"
    /* 4 */ "[shortcut]\nfrom=-2\nactivation=leaky\n"
    /* 5 */ "[route]\nlayers=-1,-4\n"
    /* 6 */ "[convolutional]\nbatch_normalize=1\nfilters=12\nsize=3\npad=1\nactivation=leaky\n"
    /* 7 */ "[shortcut]\nfrom=-2\nactivation=linear\n"
    /* 8 */ "[dropout]\nprobability=.2\n"
    /* 9 */ "[route]\nlayers=-1,1\n"
    /* 10 */ "[convolutional]\nfilters=24\nsize=1\nactivation=linear\n"
    /* 11 */ "[yolo]\nclasses=7\nnum=2\nmask=0,1\nanchors=6,6,12,14\niou_loss=ciou\nmax=9\n";

enum { LAYERS = 12, FROZEN = 6, MINI_BATCH = 2, PARTS = 2, UPDATE = MINI_BATCH * PARTS };

/* One run; zeros are what the others compare with. */
struct plan_of_run {
    int variants;
    uint64_t updates, second_stage; /* of the first stage; of another with nothing frozen */
    bool forbids_file;              /* something else lies in its place */
    bool no_augment;
    float random;
    int threads, loader_threads;
    uint64_t kill_at, stop_at, hide_at, poison_at,
        cut_at; /* update; pictures are not there from hide_at on */
    bool resumes;
    size_t room; /* bytes a file may take */
};

static char folder[64];
static char file_path[128];

static void remove_folder(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    if (system(command) != 0) {
        perror(command);
    }
}

static bool empty_folder(void)
{
    if (!folder[0]) {
        const char *disk =
            access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp"; /* without waiting */
        snprintf(folder, sizeof folder, "%s/test_replay.%d", disk, (int)getpid());
        snprintf(file_path, sizeof file_path, "%s/%s", folder, feature_cache_name);
        atexit(remove_folder);
    }
    remove_folder();
    return mkdir(folder, 0700) == 0;
}

/* ---- a run ---- */

struct context {
    const struct plan_of_run *plan;
    struct network *net;
    uint64_t updates;
    bool had_file, is_poisoned;
};

static void hide_pictures(bool hidden)
{
    for (int i = 0; i < PICTURES; i++) {
        char path[128], away[160];
        picture_path(i, path, sizeof path);
        snprintf(away, sizeof away, "%s.away", path);
        if (rename(hidden ? path : away, hidden ? away : path) != 0) {
            abort();
        }
    }
}

/* After every update. */
static bool should_stop(void *ctx)
{
    struct context *c = ctx;
    const struct plan_of_run *p = c->plan;
    c->updates++;
    c->had_file = c->had_file || path_exists(file_path);
    if (p->kill_at == c->updates) {
        raise(SIGKILL);
    }
    if (p->hide_at == c->updates) {
        hide_pictures(true);
    }
    if (p->cut_at == c->updates && truncate(file_path, (off_t)(p->updates * 100)) != 0) {
        abort();
    }
    if (p->poison_at == c->updates && !c->is_poisoned) {
        c->is_poisoned = true;
        c->net->layers[10].params[0].data[0] = NAN;
    }
    return p->stop_at == c->updates;
}

static bool open_network(struct network *net)
{
    log_set_level(LOG_NORMAL);
    if (network_parse("t.cfg", cfg, sizeof cfg - 1, 0, 0, net, &err) != OK ||
        network_allocate(net, &err) != OK) {
        return false;
    }
    network_initialise(net, 3);
    return true;
}

/* False if the run failed; *had_file: there was one at some time. */
static bool run(const struct plan_of_run *p, bool *had_file)
{
    struct network net = {0};
    struct dataset set = open_set();
    struct train_outcome outcome;
    struct context context = {.plan = p, .net = &net};
    struct train_stage stages[2] = {{.title = "first",
                                     .schedule = {.rate = 0.01f, .policy = RATE_CONSTANT},
                                     .iterations = p->updates,
                                     .augments = !p->no_augment,
                                     .cache_features = p->variants},
                                    {.title = "second",
                                     .schedule = {.rate = 0.001f, .policy = RATE_CONSTANT},
                                     .iterations = p->second_stage,
                                     .augments = true}};
    struct train_options options = {
        .folder = folder,
        .net = &net,
        .set = &set,
        .augment = {.jitter = 0.2f,
                    .resize = 1.2f,
                    .flip = true,
                    .mosaic = true,
                    .hue = 0.1f,
                    .saturation = 1.5f,
                    .exposure = 1.5f,
                    .max_truths = 9},
        .random = p->random,
        .resize_step = 32,
        .optimizer = {.momentum = 0.9f, .decay = 0.001f, .ema_decay = 0.9f},
        .stages = stages,
        .stage_count = p->second_stage ? 2 : 1,
        .mini_batch = MINI_BATCH,
        .subdivisions = PARTS,
        .bn_momentum = 0.1f,
        .seed = 5,
        .loader_threads = p->loader_threads ? p->loader_threads : 1,
        .cache_bytes = 1000, /* pictures are read again and again */
        .checkpoint_every = 3,
        .resumes = p->resumes,
        .fingerprint = {.cfg = 1,
                        .dataset = 2,
                        .options = "seed=5\n",
                        .stages = p->second_stage ? "first\nsecond\n" : "first\n"},
        .should_stop = should_stop,
        .ctx = &context};
    parallel_set_threads(p->threads ? p->threads : 1);
    if (p->forbids_file && mkdir(file_path, 0700) != 0) {
        abort();
    }
    bool ok = open_network(&net) && kernels_select(NULL, &options.kern, &err) == OK &&
              freeze_set_make(&net, "0-5", BN_AUTO, NULL, &stages[0].freeze, &err) == OK &&
              freeze_set_make(&net, "none", BN_AUTO, NULL, &stages[1].freeze, &err) == OK &&
              trainer_run(&options, &outcome, &err) == OK && !outcome.diverged;
    if (p->hide_at && context.updates >= p->hide_at) {
        hide_pictures(false);
    }
    if (p->forbids_file) {
        rmdir(file_path);
    }
    *had_file = context.had_file;
    freeze_set_free(&stages[0].freeze);
    freeze_set_free(&stages[1].freeze);
    network_free(&net);
    dataset_free(&set);
    return ok;
}

/* Everything a resumed run would go on from, but for the time it took; mem_free. */
static char *final_state(size_t *size)
{
    char path[128], *data = NULL;
    struct checkpoint c;
    snprintf(path, sizeof path, "%s/last.state", folder);
    if (checkpoint_open(folder, &c, &err) == OK &&
        file_read(path, 1 << 22, &data, size, &err) == OK) {
        int found = 0;
        for (size_t i = 0; i < 300; i++) {
            if (memcmp(data + i, &c.progress.seconds, sizeof(double)) == 0) {
                memset(data + i, 0, sizeof(double));
                found++;
            }
        }
        memset(data + *size - 16, 0, 8); /* the checksum */
        if (found != 1) {
            abort();
        }
    }
    checkpoint_close(&c);
    return data;
}

/* A run in a folder of its own and what it ends with; NULL if it failed. Its warnings are in
 * `captured`. */
static char *result_of(const struct plan_of_run *p, size_t *size)
{
    bool had_file;
    if (!empty_folder()) {
        return NULL;
    }
    capture_begin();
    bool ok = run(p, &had_file);
    capture_end();
    if (!ok || had_file != (p->variants > 0) || path_exists(file_path)) {
        printf("  %s, file: %d before, %d now; %s\n", ok ? "done" : err.text, had_file,
               path_exists(file_path), captured);
        return NULL;
    }
    return final_state(size);
}

static bool same_end(const struct plan_of_run *a, const struct plan_of_run *b)
{
    size_t a_size = 0, b_size = 0;
    char *a_end = result_of(a, &a_size), *b_end = result_of(b, &b_size);
    bool same = a_end && b_end && a_size == b_size && memcmp(a_end, b_end, a_size) == 0;
    mem_free(a_end);
    mem_free(b_end);
    return same;
}

/* Updates that K epochs take, rounded up: mini-batches straddle the epochs' borders. */
static uint64_t updates_of(int epochs)
{
    return (uint64_t)(epochs * PICTURES + UPDATE - 1) / UPDATE;
}

/* ---- the same bytes ---- */

/* As many epochs as variants: nothing at all changes. */
static void test_first_epochs(void)
{
    for (int variants = 2; variants <= 4; variants++) {
        struct plan_of_run plain = {.updates = (uint64_t)(variants * PICTURES / UPDATE)};
        struct plan_of_run kept = plain;
        kept.variants = variants;
        kept.loader_threads = kept.threads = 2;
        CHECK(same_end(&plain, &kept));
        plain.updates = kept.updates = updates_of(variants) + 2;
        CHECK(!same_end(&plain, &kept)); /* then the order is another */
    }
}

/* Replayed: the same as through the loader, and without the pictures. */
static void test_replay(void)
{
    for (int variants = 1; variants <= 3; variants++) {
        for (int i = 0; i < 4; i++) {
            struct plan_of_run kept = {.variants = variants,
                                       .updates = updates_of(4 * variants) + 5};
            struct plan_of_run loaded = kept;
            loaded.forbids_file = true;
            loaded.loader_threads = 1 + i;
            loaded.threads = 1 + i % 2;
            loaded.no_augment = kept.no_augment = i == 2;
            loaded.random = kept.random = i == 3 ? 1.0f : 0.0f; /* no multi-scale then */
            kept.hide_at = updates_of(variants);
            CHECK_MSG(same_end(&kept, &loaded), "%d variants, case %d", variants, i);
            CHECK_MSG(strstr(captured, "goes on without a file of features"), "%s", captured);
        }
    }
}

/* The next stage begins as after a stage without a file, and the file is gone while it runs. */
static void test_stages(void)
{
    struct plan_of_run kept = {
        .variants = 2, .updates = updates_of(5), .second_stage = 6, .random = 1.0f};
    struct plan_of_run loaded = kept;
    loaded.forbids_file = true;
    CHECK(same_end(&kept, &loaded));
    bool had_file;
    kept.stop_at = kept.updates;
    CHECK(empty_folder());
    capture_begin();
    bool ok = run(&kept, &had_file);
    capture_end();
    CHECK(ok && had_file && !path_exists(file_path));
}

/* ---- stopped, killed, damaged ---- */

/* Runs in a child until SIGKILL. */
static bool run_until_killed(const struct plan_of_run *p)
{
    fflush(NULL);
    parallel_set_threads(1); /* the child has no threads of ours */
    pid_t child = fork();
    if (child == 0) {
        bool had_file;
        fclose(stderr);
        run(p, &had_file);
        _exit(1);
    }
    int status;
    return child > 0 && waitpid(child, &status, 0) == child && WIFSIGNALED(status) &&
           WTERMSIG(status) == SIGKILL;
}

static void flip_bytes(unsigned *noise, int count)
{
    struct stat file;
    FILE *f = fopen(file_path, "r+b");
    if (!f || fstat(fileno(f), &file) != 0) {
        abort();
    }
    for (int i = 0; i < count; i++) {
        long at = (long)((double)(test_noise(noise) + 1) / 2 * (double)file.st_size);
        fseek(f, at, SEEK_SET);
        int byte = fgetc(f);
        fseek(f, at, SEEK_SET);
        fputc(byte ^ 64, f);
    }
    fclose(f);
}

/* What becomes of the file between the kill and the resumed run. */
enum harm { HARM_NONE, HARM_BITS, HARM_SHORT, HARM_GONE, HARM_GARBAGE, HARM_COUNT };

static void do_harm(enum harm harm, unsigned *noise)
{
    FILE *f;
    struct stat file;
    switch (harm) {
    case HARM_BITS:
        flip_bytes(noise, 40);
        break;
    case HARM_SHORT:
        if (stat(file_path, &file) != 0 || truncate(file_path, file.st_size / 2 + 5) != 0) {
            abort();
        }
        break;
    case HARM_GONE:
        feature_cache_remove(folder);
        break;
    case HARM_GARBAGE:
        f = fopen(file_path, "wb");
        for (int i = 0; f && i < 1 << 20; i++) {
            fputc((int)(test_noise(noise) * 128), f);
        }
        if (!f || fclose(f) != 0) {
            abort();
        }
        break;
    default:
        break;
    }
}

static void test_kill(void)
{
    struct plan_of_run whole = {.variants = 2, .updates = updates_of(6)};
    size_t size, end_size;
    char *want = result_of(&whole, &size);
    unsigned noise = 1;
    CHECK(want);
    for (uint64_t at = 1; at < whole.updates; at++) {
        struct plan_of_run part = whole, rest = whole;
        bool had_file;
        part.kill_at = at;
        rest.resumes = true;
        rest.loader_threads = 2;
        CHECK(empty_folder());
        CHECK(run_until_killed(&part));
        do_harm((enum harm)(at % HARM_COUNT), &noise);
        capture_begin();
        bool ok = run(&rest, &had_file);
        capture_end();
        CHECK_MSG(ok && had_file && !path_exists(file_path), "killed at %d", (int)at);
        char *end = final_state(&end_size);
        bool same = end && end_size == size && memcmp(end, want, size) == 0;
        mem_free(end);
        CHECK_MSG(same, "killed at %d", (int)at);
    }
    mem_free(want);
}

/* Damage while the run goes on, with the pictures still there: made again, the same bytes. */
static void test_resume_after_stop(void)
{
    struct plan_of_run whole = {.variants = 2, .updates = updates_of(6)};
    struct plan_of_run part = whole, rest = whole;
    size_t size, end_size;
    char *want = result_of(&whole, &size);
    bool had_file;
    CHECK(want && empty_folder());
    part.stop_at = updates_of(2) + 1;
    rest.resumes = true;
    rest.hide_at = 1; /* everything is in the file */
    capture_begin();
    bool ok = run(&part, &had_file) && path_exists(file_path) && run(&rest, &had_file);
    capture_end();
    CHECK(ok && !path_exists(file_path));
    char *end = final_state(&end_size);
    CHECK(end && end_size == size && memcmp(end, want, size) == 0);
    mem_free(end);
    mem_free(want);
}

static void test_full_disk(void)
{
    struct plan_of_run kept = {.variants = 2, .updates = updates_of(5)};
    struct rlimit before, limit;
    size_t size, end_size;
    char *want = result_of(&kept, &size);
    bool had_file;
    CHECK(want && empty_folder());
    CHECK(getrlimit(RLIMIT_FSIZE, &before) == 0);
    limit = before;
    limit.rlim_cur = 45000; /* all files but this one are smaller */
    signal(SIGXFSZ, SIG_IGN);
    fflush(NULL);
    capture_begin();
    bool ok = setrlimit(RLIMIT_FSIZE, &limit) == 0 && run(&kept, &had_file);
    ok = setrlimit(RLIMIT_FSIZE, &before) == 0 && ok;
    capture_end();
    signal(SIGXFSZ, SIG_DFL);
    CHECK_MSG(ok && had_file && !path_exists(file_path), "%s", captured);
    const char *warning = strstr(captured, "goes on without features");
    CHECK_MSG(warning && !strstr(warning + 1, "goes on without features"), "%s", captured);
    char *end = final_state(&end_size);
    CHECK(end && end_size == size && memcmp(end, want, size) == 0);
    mem_free(end);
    mem_free(want);
}

/* The file is cut short while it is replayed: the rest is made again, with the same bits. */
static void test_cut_short(void)
{
    struct plan_of_run kept = {
        .variants = 2, .updates = updates_of(6), .cut_at = updates_of(2) + 2};
    struct plan_of_run loaded = kept;
    loaded.forbids_file = true;
    loaded.cut_at = 0;
    CHECK(same_end(&kept, &loaded));
}

/* The loss becomes useless (two updates later, weights being packed): back to the checkpoint, past
 * the pictures. */
static void test_roll_back(void)
{
    /* After a checkpoint; while the file fills, and when it is replayed. */
    static const int places[] = {3, 6, 9};
    for (int i = 0; i < 3; i++) {
        struct plan_of_run kept = {
            .variants = 2, .updates = updates_of(6), .poison_at = (uint64_t)places[i]};
        struct plan_of_run loaded = kept;
        loaded.forbids_file = true;
        CHECK_MSG(same_end(&kept, &loaded), "at %d", places[i]);
        CHECK_MSG(strstr(captured, "rate halved") && strstr(captured, "layer 10 "), "%s", captured);
    }
}

/* ---- order and size ---- */

static void test_sources(void)
{
    struct network net = {0};
    struct dataset set = open_set();
    struct replay *replay;
    enum layer_mode modes[LAYERS];
    bool frozen[LAYERS] = {true, true, true, true, true, true};
    struct replay_options options = {.folder = folder,
                                     .net = &net,
                                     .modes = modes,
                                     .set = &set,
                                     .mini_batch = 2,
                                     .first_sample = 10,
                                     .variants = 3};
    CHECK(empty_folder() && open_network(&net));
    CHECK_OK(kernels_select(NULL, &options.kern, &err));
    modes_resolve(&net, frozen, BN_AUTO, modes);
    CHECK_OK(replay_open(&options, &replay, &err));
    int moved = 0;
    for (uint64_t epoch = 0; epoch < 12; epoch++) {
        bool seen[PICTURES] = {false};
        for (uint64_t i = 0; i < PICTURES; i++) {
            uint64_t k = 10 + epoch * PICTURES + i;
            uint64_t source = replay_source(replay, k) - 10;
            CHECK(source / PICTURES == epoch % 3 && !seen[source % PICTURES]);
            seen[source % PICTURES] = true;
            CHECK(epoch >= 3 || source == k - 10);
            moved += source % PICTURES != i;
        }
    }
    CHECK(moved > 30);
    replay_close(replay);
    feature_cache_remove(folder);
    memset(frozen, false, sizeof frozen);
    modes_resolve(&net, frozen, BN_AUTO, modes);
    CHECK(replay_open(&options, &replay, &err) == ERR_ARG && strstr(err.text, "frozen"));
    CHECK(!path_exists(file_path));
    network_free(&net);
    dataset_free(&set);
}

/* Records count only under everything they depend on. */
static void test_key(void)
{
    struct network net = {0};
    struct dataset set = open_set();
    struct replay *replay;
    struct plan *plan = NULL;
    enum layer_mode modes[LAYERS];
    const bool frozen[LAYERS] = {true, true, true, true, true, true};
    const struct replay_options base = {.folder = folder,
                                        .net = &net,
                                        .modes = modes,
                                        .set = &set,
                                        .augment = {.max_truths = 9, .mosaic = true},
                                        .mini_batch = 2,
                                        .first_sample = 4,
                                        .variants = 3,
                                        .seed = 9,
                                        .fingerprint = {.cfg = 1, .dataset = 2}};
    struct replay_options options = base;
    const struct truth_set truths[2] = {{0}};
    const size_t indices[2] = {3, 1};
    struct batch batch = {.truths = truths, .sample_index = indices, .images = 2}, got;
    CHECK(empty_folder() && open_network(&net));
    modes_resolve(&net, frozen, BN_AUTO, modes);
    CHECK_OK(kernels_select("scalar", &options.kern, &err));
    struct plan_options plan_options = {.batch = 2, .modes = modes, .bn_momentum = 0.1f};
    CHECK_OK(plan_build(&net, options.kern, &plan_options, &plan, &err));
    enum { CHANGES = 16 };
    for (int change = -1; change <= CHANGES; change++) {
        struct replay_options o = options;
        float *value = net.layers[change == CHANGES ? 6 : 3].params[2].data; /* 6 moves */
        float kept = *value;
        uint64_t k = 4;
        switch (change) {
        case 0:
            o.seed = 10;
            break;
        case 1:
            k = o.first_sample = 6;
            break;
        case 2:
            o.mini_batch = 4;
            break;
        case 3:
            o.variants = 2;
            break;
        case 4:
            o.kern = kernels_direct(o.kern);
            break;
        case 5:
            o.fingerprint.cfg = 3;
            break;
        case 6:
            o.fingerprint.dataset = 3;
            break;
        case 7:
            o.augment.mosaic = false;
            break;
        case 8:
            o.augment.is_off = true;
            break;
        case 9:
            o.augment.jitter = 0.1f;
            break;
        case 10:
            o.augment.hue = 0.1f;
            break;
        case 11:
            o.augment.flip = true;
            break;
        case 12:
            o.augment.max_truths = 8;
            break;
        case 13:
            o.augment.letter_box = true;
            break;
        case 14:
            o.kern = isa_kernels("avx2");
            if (!o.kern) {
                continue;
            }
            break;
        case 15:
        case CHANGES:
            *value += 1.0f;
            break;
        default:
            break;
        }
        CHECK_OK(replay_open(&o, &replay, &err));
        bool is_there = replay_fetch(replay, k, 2, &got);
        if (change < 0) {
            CHECK(!is_there);
            replay_forward(replay, plan, k, &batch);
            CHECK(replay_fetch(replay, k, 2, &got));
        } else {
            CHECK_MSG(is_there == (change == CHANGES), "change %d", change);
        }
        CHECK(!is_there || (got.images == 2 && got.sample_index[0] == 3 && !got.input.data));
        replay_close(replay);
        *value = kept;
    }
    plan_free(plan);
    feature_cache_remove(folder);
    network_free(&net);
    dataset_free(&set);
}

static void test_size(void)
{
    struct network net = {0};
    struct dataset set = open_set();
    enum layer_mode modes[LAYERS];
    const bool frozen[LAYERS] = {true, true, true, true, true, true};
    struct replay_options options = {.net = &net, .modes = modes, .set = &set, .variants = 5};
    struct replay_size size;
    CHECK(open_network(&net));
    modes_resolve(&net, frozen, BN_AUTO, modes);
    CHECK_OK(replay_measure(&options, &size, &err));
    CHECK_MSG(strcmp(size.layers, "layers 1, 4") == 0, "%s", size.layers);
    CHECK(size.pictures == PICTURES && size.variants == 5);
    CHECK(size.picture_bytes >= 8 * 8 * (8 + 4) * 4 && size.picture_bytes % 4096 == 0);
    CHECK(size.bytes == size.picture_bytes * 5 * PICTURES);
    CHECK_OK(replay_check(&size, "/tmp", size.bytes, &err));
    CHECK(replay_check(&size, "/tmp", size.bytes - 1, &err) == ERR_ARG);
    CHECK_MSG(strstr(err.text, "--cache-features 4 would fit"), "%s", err.text);
    CHECK(replay_check(&size, "/tmp", size.bytes / 5 - 1, &err) == ERR_ARG);
    CHECK_MSG(strstr(err.text, "not even one"), "%s", err.text);
    size.bytes = UINT64_MAX;
    size.picture_bytes = UINT64_MAX / 5 / PICTURES;
    CHECK(replay_check(&size, "/tmp", UINT64_MAX, &err) == ERR_ARG);
    CHECK_MSG(strstr(err.text, "free, of which"), "%s", err.text);
    options.variants = 2000000000;
    CHECK_OK(replay_measure(&options, &size, &err));
    CHECK(replay_check(&size, "/tmp", 10000000000, &err) == ERR_ARG);
    network_free(&net);
    dataset_free(&set);
}

static const struct test_case cases[] = {
    {"as many epochs as variants: the run without", test_first_epochs},
    {"replay: the run through the loader", test_replay},
    {"stages", test_stages},
    {"killed anywhere, the file harmed", test_kill},
    {"stopped and resumed without pictures", test_resume_after_stop},
    {"cut short", test_cut_short},
    {"full disk", test_full_disk},
    {"roll-back", test_roll_back},
    {"order", test_sources},
    {"key", test_key},
    {"size and limits", test_size},
};
TEST_MAIN(cases)
