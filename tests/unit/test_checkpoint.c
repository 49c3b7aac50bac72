/* Checkpoints: a resumed run equals the uninterrupted one byte for byte, wherever it was killed. */
#include "base/path.h"
#include "train/checkpoint.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#include "net/weights.h"
#include "run_rig.h"

/* ---- bit for bit ---- */

static void check_resume(const struct optimizer_options *options)
{
    struct run straight, first, second;
    CHECK(set_up());
    CHECK(run_start(&straight, options) && run_start(&first, options));
    for (int n = 0; n < 7; n++) {
        run_step(&first);
        run_step(&straight);
    }
    first.progress.stage = straight.progress.stage = 3;
    first.progress.validations_without_gain = straight.progress.validations_without_gain = 2;
    first.progress.seconds = straight.progress.seconds = 12.345;
    first.progress.stage_best_map = straight.progress.stage_best_map = 0.25;
    CHECK_OK(run_save(&first, true));
    straight.progress.best_map = first.progress.best_map;
    straight.progress.best_iteration = 7;
    run_end(&first);
    CHECK_OK(run_resume(&second, options));
    CHECK(second.rig.f.net.seen == 1000 + 7 * 64 && second.rig.f.net.loaded_layers == RIG_LAYERS);
    CHECK(run_equal(&second, &straight));
    for (int n = 0; n < 13; n++) {
        run_step(&second);
        run_step(&straight);
    }
    CHECK(run_equal(&second, &straight));
    /* And the files at the end. */
    char *files[2][2];
    size_t sizes[2][2];
    for (int k = 0; k < 2; k++) {
        CHECK_OK(run_save(k ? &second : &straight, false));
        for (int i = 0; i < 2; i++) {
            files[k][i] = slurp(file_names[i], &sizes[k][i]);
        }
    }
    for (int i = 0; i < 2; i++) {
        CHECK(files[0][i] && files[1][i] && sizes[0][i] == sizes[1][i]);
        CHECK(memcmp(files[0][i], files[1][i], sizes[0][i]) == 0);
        mem_free(files[0][i]);
        mem_free(files[1][i]);
    }
    run_end(&second);
    run_end(&straight);
}

static void test_resume(void)
{
    for (int i = 0; i < OPTION_SETS; i++) {
        check_resume(&options_of[i]);
    }
}

/* .weights hold the averages, and the network has its own values back afterwards. */
static void test_weights(void)
{
    struct run run;
    size_t count;
    CHECK(set_up());
    CHECK(run_start(&run, &options_of[0]));
    for (int n = 0; n < 4; n++) {
        run_step(&run);
    }
    float *raw = rig_snapshot(&run.rig, &count);
    CHECK_OK(run_save(&run, true));
    CHECK(rig_equals(&run.rig, raw));
    optimizer_swap_ema(run.optimizer);
    float *averaged = rig_snapshot(&run.rig, &count);
    CHECK(run_save(&run, false) == ERR_ARG); /* not now */
    CHECK_MSG(strstr(err.text, "averages"), "%s", err.text);
    CHECK(memcmp(raw, averaged, count * sizeof *raw) != 0);
    for (int k = 1; k < 3; k++) {
        struct rig reader;
        CHECK(rig_open(&reader, 40));
        capture_begin(); /* of noise for variances */
        enum result result = weights_load(in_folder(file_names[k]), &reader.f.net, &err);
        capture_end();
        CHECK_MSG(result == OK, "%s", err.text);
        CHECK(rig_equals(&reader, averaged));
        CHECK(reader.f.net.seen == 1000 + 4 * 64);
        rig_close(&reader);
    }
    free(raw);
    free(averaged);
    run_end(&run);
}

/* ---- killed ---- */

/* Every mixture of files of two checkpoints that a kill can leave. */
static void test_between_renames(void)
{
    struct run early, late, resumed;
    char *weights, *best, *late_weights;
    size_t weights_size, best_size, late_size;
    CHECK(set_up());
    CHECK(run_start(&late, &options_of[0]));
    run_step(&late);
    CHECK_OK(run_save(&late, true));
    weights = slurp("last.weights", &weights_size);
    best = slurp("best.weights", &best_size);
    run_step(&late);

    /* After best.weights: the state does not know it. */
    CHECK(rename(in_folder("last.state"), in_folder("kept.state")) == 0);
    CHECK_OK(run_save(&late, true));
    CHECK(rename(in_folder("last.state"), in_folder("late.state")) == 0);
    late_weights = slurp("last.weights", &late_size);
    CHECK(late_size == weights_size && memcmp(late_weights, weights, late_size) != 0);
    CHECK(rename(in_folder("kept.state"), in_folder("last.state")) == 0);
    CHECK(spill("last.weights", weights, weights_size));
    capture_begin();
    enum result result = run_resume(&early, &options_of[0]);
    capture_end();
    CHECK_MSG(result == OK, "%s", err.text);
    CHECK_MSG(captured[0] == 0, "%s", captured); /* these two agree */
    CHECK(early.progress.iteration == 1 && early.progress.best_iteration == 1);
    run_step(&early);
    early.progress.best_map = late.progress.best_map;
    early.progress.best_iteration = 2;
    CHECK(run_equal(&early, &late));

    /* After last.state: last.weights is one behind, missing, cut short, too long, or not one. */
    for (int k = 0; k < 5; k++) {
        CHECK(rename(in_folder("late.state"), in_folder("last.state")) == 0 || k > 0);
        CHECK(spill("last.weights", weights, k == 2 ? weights_size / 2 : weights_size));
        CHECK(k != 1 || unlink(in_folder("last.weights")) == 0);
        CHECK(k != 3 || spill("last.weights", "hello", 5));
        if (k == 4) { /* right as far as it should go */
            char *longer = calloc(late_size + 1, 1);
            CHECK(longer && memcpy(longer, late_weights, late_size));
            CHECK(spill("last.weights", longer, late_size + 1));
            free(longer);
        }
        capture_begin();
        result = run_resume(&resumed, &options_of[0]);
        capture_end();
        CHECK_MSG(result == OK, "%s", err.text);
        CHECK_MSG(strstr(captured, "last.weights") && strstr(captured, "anew"), "%s", captured);
        CHECK(run_equal(&resumed, &late));
        CHECK(same_file("last.weights", late_weights, late_size));
        run_end(&resumed);
    }
    mem_free(weights);
    mem_free(best);
    mem_free(late_weights);
    run_end(&early);
    run_end(&late);
}

/* The update that the folder's state stands at; 0 if it cannot be read. */
static uint64_t saved_update(void)
{
    struct checkpoint c;
    uint64_t iteration = checkpoint_open(folder, &c, &err) == OK ? c.progress.iteration : 0;
    checkpoint_close(&c);
    return iteration;
}

static enum result save_interrupted(struct run *run)
{
    const struct checkpoint_content content = {&run->progress, &fingerprint, &run->rig.f.net,
                                               run->optimizer, NULL};
    return checkpoint_save_interrupted(folder, &content, &err);
}

/* An interrupt's checkpoint is resumed from, but not gone back to. */
static void test_go_back(void)
{
    struct run run;
    CHECK(set_up());
    CHECK(run_start(&run, &options_of[1]));
    run_step(&run);
    CHECK_OK(run_save(&run, false));
    for (uint64_t interrupts = 0; interrupts < 2; interrupts++) {
        run_step(&run);
        CHECK_OK(save_interrupted(&run));
        CHECK(saved_update() == 2 + interrupts);
    }
    for (int again = 0; again < 2; again++) {
        CHECK_OK(checkpoint_go_back(folder, &err));
        CHECK(saved_update() == 1);
    }
    CHECK_OK(save_interrupted(&run));
    CHECK_OK(run_save(&run, false));
    CHECK_OK(checkpoint_go_back(folder, &err));
    CHECK(saved_update() == 3);
    run_end(&run);
}

static void test_leftovers(void)
{
    struct run run;
    CHECK(set_up());
    CHECK(run_start(&run, &options_of[1]));
    CHECK_OK(run_save(&run, true));
    run_end(&run);
    CHECK(spill("last.state.yolo-123.tmp", "x", 1) && spill("best.weights.yolo-9.tmp", "x", 1));
    CHECK(spill("last.weights.yolo-77.tmp", "x", 1) && spill("mine.5.tmp", "x", 1));
    CHECK(spill("chart.png.yolo-8.tmp", "x", 1) && spill("results.csv.yolo-8.tmp", "x", 1));
    CHECK(spill("last.state.yolo-x.tmp", "x", 1) && spill("last.state.yolo-5.tmp.txt", "x", 1));
    CHECK(count_leftovers() == 8);
    CHECK_OK(run_resume(&run, &options_of[1]));
    CHECK(count_leftovers() == 3); /* the others are not ours */
    run_end(&run);
}

static void pause_microseconds(long us)
{
    struct timespec t = {0, us * 1000};
    nanosleep(&t, NULL);
}

/* Saves without end after each step, and says so, until somebody kills it. */
static void child_run(bool is_resumed, int saved)
{
    struct run run;
    bool is_ready =
        is_resumed ? run_resume(&run, &options_of[0]) == OK : run_start(&run, &options_of[0]);
    while (is_ready) {
        run_step(&run);
        is_ready =
            run_save(&run, run.progress.iteration % 3 == 0) == OK && write(saved, "", 1) == 1;
    }
    _exit(1);
}

/* Start a child and kill it, every fourth one at any moment, the others at one behind the first
 * checkpoint, however busy the machine is. False if it ended before by itself. */
static bool kill_child(bool is_resumed, int round, unsigned *noise)
{
    int saved[2], status;
    char byte;
    fflush(NULL);
    if (pipe(saved) != 0) {
        return false;
    }
    pid_t child = fork();
    if (child == 0) {
        close(saved[0]);
        child_run(is_resumed, saved[1]);
    }
    close(saved[1]);
    bool is_alive = child > 0 && (round % 4 == 0 || read(saved[0], &byte, 1) == 1);
    pause_microseconds((long)((test_noise(noise) + 1) * 10000));
    if (child > 0) {
        kill(child, SIGKILL);
    }
    close(saved[0]);
    return is_alive && waitpid(child, &status, 0) == child && WIFSIGNALED(status) &&
           WTERMSIG(status) == SIGKILL;
}

static void test_kill(void)
{
    struct run straight, resumed;
    unsigned noise = 1;
    int kills = 0;
    uint64_t before = 0;
    CHECK(set_up());
    CHECK(run_start(&straight, &options_of[0]));
    for (int round = 0; round < 40; round++) {
        bool is_resumed = path_exists(in_folder("last.state"));
        CHECK(kill_child(is_resumed, round, &noise));
        kills += is_resumed;
        if (!path_exists(in_folder("last.state"))) {
            continue;
        }
        capture_begin();
        enum result result = run_resume(&resumed, &options_of[0]);
        capture_end();
        CHECK_MSG(result == OK, "%s", err.text);
        CHECK(resumed.progress.iteration >= before);
        before = resumed.progress.iteration;
        while (straight.progress.iteration < before) {
            run_step(&straight);
            if (straight.progress.iteration % 3 == 0) {
                straight.progress.best_map = (double)straight.progress.iteration / 1000;
                straight.progress.best_iteration = straight.progress.iteration;
            }
        }
        CHECK(run_equal(&resumed, &straight));
        run_end(&resumed);
    }
    CHECK_MSG(kills >= 30 && before >= 30, "%d kills, %d iterations", kills, (int)before);
    run_end(&straight);
}

/* ---- full disk ---- */

static void test_full_disk(void)
{
    struct run run, resumed;
    char *before[3], name[64];
    size_t sizes[3];
    CHECK(set_up());
    if (access("/dev/full", W_OK) != 0) {
        SKIP("there is no /dev/full");
    }
    for (int k = 0; k < 3; k++) { /* each of the three files in turn meets a full disk */
        CHECK(set_up());
        CHECK(run_start(&run, &options_of[0]));
        run_step(&run);
        CHECK_OK(run_save(&run, true));
        for (int i = 0; i < 3; i++) {
            before[i] = slurp(file_names[i], &sizes[i]);
        }
        run_step(&run);
        snprintf(name, sizeof name, "%s.yolo-%d.tmp", file_names[k], (int)getpid());
        CHECK(symlink("/dev/full", in_folder(name)) == 0);
        CHECK(run_save(&run, true) == ERR_IO);
        CHECK_MSG(strstr(err.text, file_names[k]), "%s", err.text);
        CHECK_MSG(k > 0 || strstr(err.text, "No space left"), "%s", err.text);
        CHECK(count_leftovers() == 0);
        CHECK(same_file("best.weights", before[2], sizes[2]) == (k == 2));
        CHECK(same_file("last.state", before[0], sizes[0]) == (k != 1));
        CHECK(same_file("last.weights", before[1], sizes[1]));
        CHECK(!optimizer_is_swapped(run.optimizer));
        /* What is there can be resumed. */
        capture_begin();
        enum result result = run_resume(&resumed, &options_of[0]);
        capture_end();
        CHECK_MSG(result == OK, "%s", err.text);
        CHECK(resumed.progress.iteration == (k == 1 ? 2 : 1));
        run_end(&resumed);
        CHECK_OK(run_save(&run, true)); /* room again */
        run_end(&run);
        CHECK_OK(run_resume(&resumed, &options_of[0]));
        CHECK(resumed.progress.iteration == 2);
        run_end(&resumed);
        for (int i = 0; i < 3; i++) {
            mem_free(before[i]);
        }
    }
}

/* The disk fills up in the middle of a file: at every size up to a whole checkpoint. */
static void test_disk_fills_up(void)
{
    struct run run, resumed;
    char *state;
    size_t size;
    struct rlimit kept, limit;
    CHECK(set_up());
    CHECK(run_start(&run, &options_of[0]));
    run_step(&run);
    CHECK_OK(run_save(&run, false));
    state = slurp("last.state", &size);
    run_step(&run);
    CHECK(getrlimit(RLIMIT_FSIZE, &kept) == 0);
    signal(SIGXFSZ, SIG_IGN);
    for (size_t room = 0; room < size; room += 97) {
        limit = kept;
        limit.rlim_cur = room;
        fflush(NULL);
        CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
        enum result result = run_save(&run, false);
        CHECK(setrlimit(RLIMIT_FSIZE, &kept) == 0);
        CHECK_MSG(result == ERR_IO, "%zu bytes of room", room);
        CHECK(same_file("last.state", state, size));
    }
    signal(SIGXFSZ, SIG_DFL);
    CHECK(count_leftovers() == 0);
    mem_free(state);
    CHECK_OK(run_save(&run, false));
    CHECK_OK(run_resume(&resumed, &options_of[0]));
    CHECK(run_equal(&resumed, &run));
    run_end(&resumed);
    run_end(&run);
}

/* ---- the rest ---- */

static void test_fingerprint(void)
{
    static const struct {
        const char *options, *words;
    } changes[] = {
        {"batch=32\nlr=0.001\nseed=7\n", "batch was 64, is 32"},
        {"batch=64\nlr=0.001\nseed=77\n", "seed was 7, is 77"},
        {"batch=64\nlr=0.001\n", "seed was 7, is not set"},
        {"batch=64\nlr=0.001\nseed=7\nclip=1\n", "clip was not set, is 1"},
        {"", "batch was 64, is not set"},
        {"batch=64\nlr=\nseed=7\n", "lr was 0.001, is"},
        {"batch=64\nlr\nseed=7\n", "lr was 0.001, is"},
        {"batch=64\nlr=0.0011\nseed=7", "lr was 0.001, is 0.0011"},
    };
    struct run run;
    struct checkpoint c;
    CHECK(set_up());
    CHECK(run_start(&run, &options_of[0]));
    CHECK_OK(run_save(&run, false));
    run_end(&run);
    CHECK_OK(checkpoint_open(folder, &c, &err));
    struct train_fingerprint now = fingerprint;
    CHECK_OK(checkpoint_check(&c, &now, &err));
    now.options = "seed=7\nbatch=64\nlr=0.001"; /* any order */
    CHECK_OK(checkpoint_check(&c, &now, &err));
    now.cfg++;
    CHECK(checkpoint_check(&c, &now, &err) == ERR_ARG && strstr(err.text, "the cfg has changed"));
    now = fingerprint;
    now.dataset++;
    CHECK(checkpoint_check(&c, &now, &err) == ERR_ARG && strstr(err.text, "pictures"));
    now = fingerprint;
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        now.options = changes[i].options;
        CHECK(checkpoint_check(&c, &now, &err) == ERR_ARG);
        CHECK_MSG(strstr(err.text, changes[i].words), "%s", err.text);
    }
    now.options = "batch=64\nlr=0.001\nseed=7\n" CHECKPOINT_SUM_LINE; /* the program is newer */
    CHECK(checkpoint_check(&c, &now, &err) == ERR_ARG);
    CHECK_MSG(strstr(err.text, "an older program") && strstr(err.text, "last.weights"), "%s",
              err.text);
    checkpoint_close(&c);
}

static void test_memory(void)
{
    struct run run, resumed;
    long failures = 0;
    CHECK(set_up());
    CHECK(run_start(&run, &options_of[0]));
    run_step(&run);
    CHECK_OK(run_save(&run, false));
    for (;; failures++) {
        struct checkpoint c;
        mem_fail_after(failures);
        enum result result = checkpoint_open(folder, &c, &err);
        if (result == OK) {
            result = checkpoint_restore_network(&c, &run.rig.f.net, &err);
        }
        if (result == OK) {
            result = checkpoint_restore_optimizer(&c, &run.rig.f.net, run.optimizer, NULL, &err);
        }
        mem_fail_after(-1);
        checkpoint_close(&c);
        CHECK(result == OK || result == ERR_MEMORY);
        if (result == OK) {
            break;
        }
    }
    CHECK(failures > 0);
    CHECK_OK(run_resume(&resumed, &options_of[0]));
    CHECK(run_equal(&resumed, &run));
    run_end(&resumed);
    run_end(&run);
}

static const struct test_case cases[] = {
    {"resume", test_resume},
    {"weights", test_weights},
    {"between_renames", test_between_renames},
    {"go_back", test_go_back},
    {"leftovers", test_leftovers},
    {"kill", test_kill},
    {"full_disk", test_full_disk},
    {"disk_fills_up", test_disk_fills_up},
    {"fingerprint", test_fingerprint},
    {"memory", test_memory},
};
TEST_MAIN(cases)
