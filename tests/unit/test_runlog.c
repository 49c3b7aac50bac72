/* The run's folder, results.csv, train.log, args.json. */
#include "run/run_args.h"
#include "train/runlog.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <utime.h>

#include "base/fileio.h"
#include "base/json.h"
#include "base/path.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "capture.h"
#include "test.h"

static struct error err;
static char folder[64];
static const char *const columns[] = {"iteration", "loss", "mAP50"};
enum { COLUMNS = 3 };

static void remove_folder(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    if (system(command) != 0) {
        perror(command);
    }
}

static bool set_up(void)
{
    if (!folder[0]) {
        snprintf(folder, sizeof folder, "/tmp/test_runlog.%d", (int)getpid());
        atexit(remove_folder);
    }
    log_set_level(LOG_QUIET);
    remove_folder();
    return mkdir(folder, 0700) == 0;
}

static char *in_folder(const char *name)
{
    static char paths[4][160];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static bool spill(const char *name, const char *text)
{
    FILE *f = fopen(in_folder(name), "wb");
    bool is_written = f && fputs(text, f) >= 0;
    return f && fclose(f) == 0 && is_written;
}

static bool holds(const char *name, const char *text)
{
    char *data;
    size_t size;
    if (file_read(in_folder(name), 1 << 20, &data, &size, &err) != OK) {
        return false;
    }
    bool same = strcmp(data, text) == 0 && size == strlen(text);
    if (!same) {
        printf("  %s holds: %s\n", name, data);
    }
    mem_free(data);
    return same;
}

static void test_folders(void)
{
    char base[128], path[256];
    struct utimbuf time = {1000, 1000};
    CHECK(set_up());
    snprintf(base, sizeof base, "%s/runs/train", folder);
    CHECK(run_folder_last(base, path, sizeof path, &err) == ERR_IO);
    static const char *const names[] = {"exp", "exp2", "exp3"};
    for (size_t i = 0; i < 3; i++) {
        CHECK_OK(run_folder_new(base, path, sizeof path, &err));
        CHECK(strcmp(path_base(path), names[i]) == 0 && path_is_dir(path));
    }
    CHECK(run_folder_last(base, path, sizeof path, &err) == ERR_ARG);
    CHECK(spill("runs/train/exp3/last.state", "x") && spill("runs/train/exp/last.state", "x"));
    CHECK(utime(in_folder("runs/train/exp3/last.state"), &time) == 0);
    CHECK_OK(run_folder_last(base, path, sizeof path, &err));
    CHECK(strcmp(path_base(path), "exp") == 0);
    time.modtime = 500;
    CHECK(utime(in_folder("runs/train/exp/last.state"), &time) == 0);
    CHECK(mkdir(in_folder("runs/train/expert"), 0700) == 0 &&
          spill("runs/train/expert/last.state", "x"));
    CHECK_OK(run_folder_last(base, path, sizeof path, &err));
    CHECK(strcmp(path_base(path), "exp3") == 0);
    CHECK(rmdir(in_folder("runs/train/exp2")) ==
          0); /* the gap is filled, a file in the way left alone */
    CHECK(spill("runs/train/exp4", "x"));
    CHECK_OK(run_folder_new(base, path, sizeof path, &err));
    CHECK(strcmp(path_base(path), "exp2") == 0);
    CHECK_OK(run_folder_new(base, path, sizeof path, &err));
    CHECK(strcmp(path_base(path), "exp5") == 0);
    CHECK(run_folder_new(base, path, 20, &err) == ERR_IO);
    CHECK(spill("file", "x"));
    CHECK(run_folder_new(in_folder("file"), path, sizeof path, &err) == ERR_IO);
}

static void test_args(void)
{
    CHECK(set_up());
    cJSON *args = cJSON_CreateObject();
    static const char bytes[] = "caf\xe9/\xef\x83\xa9\xff\xc3\xa9\x7f\xef\x81\xbf.data";
    cJSON_AddStringToObject(args, "cfg", "a \"b\".cfg");
    cJSON_AddStringToObject(args, "data", bytes);
    cJSON_AddItemToArray(cJSON_AddArrayToObject(args, "stage"), cJSON_CreateString(bytes));
    cJSON_AddNumberToObject(args, "lr", 0.001);
    CHECK_OK(run_args_save(folder, args, &err));
    cJSON_Delete(args);
    CHECK_OK(run_args_load(folder, &args, &err));
    CHECK(strcmp(cJSON_GetObjectItem(args, "cfg")->valuestring, "a \"b\".cfg") == 0);
    CHECK(strcmp(cJSON_GetObjectItem(args, "data")->valuestring, bytes) == 0);
    CHECK(strcmp(cJSON_GetObjectItem(args, "stage")->child->valuestring, bytes) == 0);
    char *text;
    size_t size;
    CHECK_OK(file_read(in_folder("args.json"), 1 << 20, &text, &size, &err));
    CHECK_MSG(text_is_utf8(text), "%s", text); /* as JSON must be, whatever the names are */
    CHECK_MSG(strstr(text, "caf\\uf0e9/\\uf0ef\\uf083\\uf0a9\\uf0ff\xc3\xa9\\u007f"), "%s", text);
    mem_free(text);
    CHECK(cJSON_GetObjectItem(args, "lr")->valuedouble == 0.001);
    cJSON_Delete(args);
    CHECK(run_args_save(in_folder("nowhere"), NULL, &err) != OK);
    CHECK(spill("args.json", "{\n  \"a\": 1,\n  \"b\": ,\n}\n"));
    CHECK(run_args_load(folder, &args, &err) == ERR_FORMAT);
    CHECK_MSG(strstr(err.text, "args.json:3: not valid JSON"), "%s", err.text);
    static const char *const bad[] = {"", "[1]", "{} {}", "{\"a\": 1", "nul", "{\"a\": \"\n"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CHECK(spill("args.json", bad[i]));
        CHECK_MSG(run_args_load(folder, &args, &err) == ERR_FORMAT, "%s", bad[i]);
        CHECK(strstr(err.text, "args.json"));
    }
    CHECK(unlink(in_folder("args.json")) == 0);
    CHECK(run_args_load(folder, &args, &err) == ERR_IO);
}

static void *json_allocate(size_t size)
{
    return mem_alloc_raw(size, 1);
}

/* What memory could not hold is not called wrong. */
static void test_args_out_of_memory(void)
{
    CHECK(set_up());
    CHECK(
        spill("args.json", "{\"cfg\": \"a.cfg\", \"stages\": [1, 2, {\"x\": null}], \"lr\": 0.1}"));
    cJSON_Hooks hooks = {json_allocate, mem_free};
    cJSON_InitHooks(&hooks);
    int failed = 0;
    for (bool done = false; !done && failed < 1000;) {
        cJSON *args = NULL;
        mem_fail_after(failed);
        enum result result = run_args_load(folder, &args, &err);
        mem_fail_after(-1);
        done = result == OK;
        failed += !done;
        CHECK_MSG(done || (result == ERR_MEMORY && strstr(err.text, "out of memory")), "%s",
                  err.text);
        cJSON_Delete(args);
    }
    cJSON_InitHooks(NULL);
    CHECK_MSG(failed >= 10 && failed < 1000, "%d allocations", failed);
}

static void test_rows(void)
{
    struct runlog *log;
    CHECK(set_up());
    CHECK(spill("results.csv", "something old\n") && spill("train.log", "something old\n"));
    CHECK_OK(runlog_open(folder, columns, COLUMNS, 0, &log, &err));
    CHECK(holds("results.csv", "iteration,loss,mAP50\n") && holds("train.log", ""));
    CHECK_OK(runlog_row(log, 10, (double[]){1.5, (double)NAN}, &err));
    CHECK_OK(
        runlog_row(log, 18446744073709551615u, (double[]){(double)INFINITY, 0.123456789012}, &err));
    /* on disk while it is open */
    CHECK(
        holds("results.csv", "iteration,loss,mAP50\n10,1.5,\n18446744073709551615,,0.123456789\n"));
    runlog_close(log);
    runlog_close(NULL);
}

static void test_cut(void)
{
    struct runlog *log;
    CHECK(set_up());
    CHECK_OK(runlog_open(folder, columns, COLUMNS, 0, &log, &err));
    for (uint64_t i = 1; i < 5; i++) {
        CHECK_OK(runlog_row(log, i, (double[]){(double)i, (double)NAN}, &err));
    }
    CHECK_OK(runlog_cut(log, 2, &err));
    CHECK_OK(runlog_row(log, 3, (double[]){7, (double)NAN}, &err));
    CHECK(holds("results.csv", "iteration,loss,mAP50\n1,1,\n2,2,\n3,7,\n"));
    CHECK_OK(runlog_cut(log, 0, &err));
    CHECK(holds("results.csv", "iteration,loss,mAP50\n"));
    runlog_close(log);
}

static void test_resume(void)
{
    static const struct {
        uint64_t at;
        const char *before, *after;
    } resumes[] = {
        {20, "10,1,\n20,2,\n30,3,\n", "10,1,\n20,2,\n"},
        {20, "10,1,\n20,2,\n30,3", "10,1,\n20,2,\n"},
        {30, "10,1,\n20,2,\n30,3", "10,1,\n20,2,\n"}, /* cut short by a kill */
        {30, "10,1,\n20,2,0.5\n30,3,0.25\n", "10,1,\n20,2,0.5\n30,3,0.25\n"},
        {5, "10,1,\n", ""},
        {50, "", ""},
        {50, "10,1\n-5,1,\n,,\nabc\n\n99999999999999999999,1,\n7,7,7\n", "7,7,7\n"},
        {50, "1010,1,\n20x,2,\n5,1,1,1\n6,2,2\n", "6,2,2\n"},
    };
    for (size_t i = 0; i < sizeof resumes / sizeof resumes[0]; i++) {
        char text[256];
        struct runlog *log;
        CHECK(set_up());
        snprintf(text, sizeof text, "iteration,loss,mAP50\n%s", resumes[i].before);
        CHECK(spill("results.csv", text) && spill("train.log", "started\n"));
        CHECK_OK(runlog_open(folder, columns, COLUMNS, resumes[i].at, &log, &err));
        CHECK_OK(runlog_row(log, 40, (double[]){4, 4}, &err));
        runlog_close(log);
        snprintf(text, sizeof text, "iteration,loss,mAP50\n%s40,4,4\n", resumes[i].after);
        CHECK(holds("results.csv", text));
        CHECK(holds("train.log", "started\n"));
    }
}

static void test_resume_odd(void)
{
    struct runlog *log;
    CHECK(set_up());
    CHECK_OK(runlog_open(folder, columns, COLUMNS, 7, &log, &err)); /* no files: begun */
    runlog_close(log);
    CHECK(holds("results.csv", "iteration,loss,mAP50\n"));
    CHECK(spill("results.csv", "itera")); /* killed in the header */
    CHECK_OK(runlog_open(folder, columns, COLUMNS, 7, &log, &err));
    runlog_close(log);
    CHECK(holds("results.csv", "iteration,loss,mAP50\n"));
    static const char *const others[] = {"loss,mAP50\n1,2\n",
                                         "iteration,loss,mAP50,x\n",
                                         "a,b,c\n",
                                         "iteration,loss,mAP5\n",
                                         "\n",
                                         "iteration,mAP50,loss\n",
                                         "iteration,\n",
                                         "iteration,loss,loss\n"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        CHECK(spill("results.csv", others[i]));
        CHECK(runlog_open(folder, columns, COLUMNS, 7, &log, &err) == ERR_FORMAT);
        CHECK_MSG(strstr(err.text, "results.csv:1: has other columns"), "%s", err.text);
        CHECK(holds("results.csv", others[i]));
    }
    CHECK(runlog_open(in_folder("nowhere"), columns, COLUMNS, 0, &log, &err) == ERR_IO);
}

/* A run that an older program began, which knew fewer columns. */
static void test_resume_older(void)
{
    static const struct {
        const char *before, *after;
    } files[] = {
        {"iteration,loss\n10,1\n20,2\n30,3\n40,4\n", "10,1,\n20,2,\n30,3,\n"},
        {"iteration,mAP50\n10,\n20,0.5\n30,.25", "10,,\n20,,0.5\n"},
        {"iteration\n10\n20,1\n30\n", "10,,\n30,,\n"},
    };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char text[256];
        struct runlog *log;
        CHECK(set_up());
        CHECK(spill("results.csv", files[i].before));
        CHECK_OK(runlog_open(folder, columns, COLUMNS, 30, &log, &err));
        CHECK_OK(runlog_row(log, 40, (double[]){4, 4}, &err));
        runlog_close(log);
        snprintf(text, sizeof text, "iteration,loss,mAP50\n%s40,4,4\n", files[i].after);
        CHECK(holds("results.csv", text));
    }
}

static void test_say(void)
{
    struct runlog *log;
    char *text;
    size_t size;
    CHECK(set_up());
    CHECK_OK(runlog_open(folder, columns, COLUMNS, 0, &log, &err));
    runlog_say(log, "frozen: %d layers", 14);
    log_set_level(LOG_NORMAL);
    capture_begin();
    runlog_say(log, "done");
    runlog_say(NULL, "bye");
    capture_end();
    CHECK_MSG(strcmp(captured, "done\nbye\n") == 0, "%s", captured);
    CHECK_OK(file_read(in_folder("train.log"), 1000, &text, &size, &err));
    CHECK_MSG(size == 20 + 18 + 20 + 5 && strcmp(text + 19, " frozen: 14 layers\n") > 0, "%s",
              text);
    CHECK(strncmp(text + 19, " frozen: 14 layers\n20", 21) == 0);
    mem_free(text);
    runlog_close(log);
}

static void test_lock(void)
{
    FILE *first, *second = NULL;
    struct runlog *log;
    CHECK(set_up());
    CHECK_OK(run_folder_lock(folder, &first, &err));
    CHECK_OK(runlog_open(folder, columns, COLUMNS, 0, &log, &err));
    runlog_say(log, "begun");
    CHECK(run_folder_lock(folder, &second, &err) == ERR_ARG && !second);
    CHECK_MSG(strstr(err.text, "another process"), "%s", err.text);
    runlog_close(log);
    CHECK(run_folder_lock(folder, &second, &err) == ERR_ARG); /* still */
    fclose(first);
    CHECK_OK(run_folder_lock(folder, &second, &err));
    fclose(second);
    CHECK(run_folder_lock(in_folder("nowhere"), &second, &err) == ERR_IO);
}

static void test_full_disk(void)
{
    struct runlog *log;
    if (access("/dev/full", W_OK) != 0) {
        SKIP("there is no /dev/full");
    }
    CHECK(set_up());
    char name[64];
    snprintf(name, sizeof name, "results.csv.yolo-%d.tmp", (int)getpid());
    CHECK(symlink("/dev/full", in_folder(name)) == 0);
    CHECK(runlog_open(folder, columns, COLUMNS, 0, &log, &err) == ERR_IO);
    CHECK(symlink("/dev/full", in_folder("full")) == 0);
    CHECK(unlink(in_folder("train.log")) == 0 &&
          rename(in_folder("full"), in_folder("train.log")) == 0);
    CHECK_OK(runlog_open(folder, columns, COLUMNS, 1, &log, &err));
    CHECK_OK(runlog_row(log, 1, (double[]){1, 1}, &err));
    runlog_say(log, "lost");
    CHECK(runlog_row(log, 2, (double[]){1, 1}, &err) == ERR_IO);
    CHECK_MSG(strstr(err.text, "train.log") && strstr(err.text, "No space left"), "%s", err.text);
    CHECK_OK(runlog_row(log, 3, (double[]){1, 1}, &err)); /* said once */
    runlog_close(log);
}

static void test_memory(void)
{
    struct runlog *log;
    CHECK(set_up());
    CHECK(spill("results.csv", "iteration,loss,mAP50\n"));
    for (long failures = 0;; failures++) {
        mem_fail_after(failures);
        enum result result = runlog_open(folder, columns, COLUMNS, 5, &log, &err);
        mem_fail_after(-1);
        if (result == OK) {
            CHECK(failures == 2);
            break;
        }
        CHECK(result == ERR_MEMORY);
    }
    runlog_close(log);
}

/* A member that could not be added is not left out in silence: a resumed run would train otherwise. The last test, as
 * json.h forgets no failure. */
static void test_args_incomplete(void)
{
    CHECK(set_up());
    json_init();
    cJSON *args = cJSON_CreateObject();
    CHECK(cJSON_AddNumberToObject(args, "lr", 0.001));
    mem_fail_after(0);
    CHECK(!cJSON_AddNumberToObject(args, "batch", 2));
    mem_fail_after(-1);
    CHECK(run_args_save(folder, args, &err) == ERR_MEMORY);
    CHECK(!path_exists(in_folder("args.json")));
    cJSON_Delete(args);
}

static const struct test_case cases[] = {
    {"folders", test_folders},
    {"args", test_args},
    {"args.json without memory", test_args_out_of_memory},
    {"rows", test_rows},
    {"cut", test_cut},
    {"resume", test_resume},
    {"resume_odd", test_resume_odd},
    {"resume_older", test_resume_older},
    {"say", test_say},
    {"lock", test_lock},
    {"full_disk", test_full_disk},
    {"memory", test_memory},
    {"args.json, one member short", test_args_incomplete},
};
TEST_MAIN(cases)
