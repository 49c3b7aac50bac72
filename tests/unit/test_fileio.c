/* Files that appear whole or not at all. */
#include "base/fileio.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/leftovers.h"
#include "base/memory.h"
#include "test.h"

static char folder[] = "/tmp/yolo_fileio_XXXXXX";

static int entries_in(const char *path)
{
    DIR *dir = opendir(path);
    int count = 0;
    for (struct dirent *entry = dir ? readdir(dir) : NULL; entry; entry = readdir(dir)) {
        count += entry->d_name[0] != '.';
    }
    if (dir) {
        closedir(dir);
    }
    return count;
}

static void commit_text(const char *path, const char *text, bool skips_sync)
{
    struct error err;
    struct atomic_file file;
    CHECK_OK(atomic_open(&file, path, &err));
    file.skips_sync = skips_sync;
    fputs(text, file.stream);
    CHECK_OK(atomic_commit(&file, &err));
}

static void check_content(const char *path, const char *text)
{
    struct error err;
    char *data = NULL;
    size_t size = 0;
    CHECK_OK(file_read(path, 1 << 20, &data, &size, &err));
    CHECK_MSG(size == strlen(text) && memcmp(data, text, size) == 0, "%s", path);
    mem_free(data);
}

/* Nobody writes to the pipe: opening it for real would wait for ever, and alarm() ends this
 * program. */
static void test_only_files(void)
{
    struct error err;
    FILE *stream;
    uintmax_t length = 0;
    char path[512], *data;
    size_t size;
    const struct {
        const char *path, *words;
    } wrong[] = {{path, "not a regular file but a pipe"},
                 {folder, "not a regular file but a folder"},
                 {"/dev/null", "not a regular file but a device"}};
    snprintf(path, sizeof path, "%s/pipe", folder);
    CHECK(mkfifo(path, 0600) == 0);
    alarm(20);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        stream = stdin;
        CHECK(file_open(wrong[i].path, &stream, NULL, &err) == ERR_FORMAT && !stream);
        CHECK_MSG(strstr(err.text, wrong[i].words), "%s", err.text);
        CHECK(file_read(wrong[i].path, 100, &data, &size, &err) == ERR_FORMAT);
        CHECK_MSG(strstr(err.text, wrong[i].words), "%s", err.text);
    }
    CHECK_OK(file_append("/dev/null", &stream, &err));
    fclose(stream);
    CHECK(file_append(path, &stream, &err) == ERR_FORMAT && !stream && strstr(err.text, "a pipe"));
    unlink(path);
    CHECK(file_open(path, &stream, NULL, &err) == ERR_IO &&
          strstr(err.text, "cannot open: No such"));
    for (int i = 0; i < 2; i++) {
        CHECK_OK(file_append(path, &stream, &err));
        fputs("ab", stream);
        fclose(stream);
    }
    CHECK_OK(file_open(path, &stream, &length, &err));
    CHECK(length == 4 && fgetc(stream) == 'a');
    fclose(stream);
    check_content(path, "abab");
    alarm(0);
    unlink(path);
}

static void test_replaces(void)
{
    char path[512];
    snprintf(path, sizeof path, "%s/replaced", folder);
    commit_text(path, "old", false);
    check_content(path, "old");
    commit_text(path, "new one", true);
    check_content(path, "new one");
    CHECK(entries_in(folder) == 1);
    unlink(path);
}

static void test_relative_path(void)
{
    char before[4096];
    CHECK(getcwd(before, sizeof before) != NULL);
    CHECK(chdir(folder) == 0);
    commit_text("here", "in the working directory", false);
    check_content("here", "in the working directory");
    unlink("here");
    CHECK(chdir(before) == 0);
}

/* The write fails on the way (large) or only when the rest is flushed (small): the cause is named,
 * the old file stays, nothing is left behind. */
static void check_limit(size_t bytes)
{
    char path[512];
    struct error err = {0};
    struct atomic_file file;
    struct rlimit old, low;
    snprintf(path, sizeof path, "%s/limited", folder);
    commit_text(path, "old", false);
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &old);
    low = old;
    low.rlim_cur = 1000;
    CHECK_OK(atomic_open(&file, path, &err));
    setrlimit(RLIMIT_FSIZE, &low);
    for (size_t i = 0; i < bytes; i++) {
        putc('x', file.stream);
    }
    enum result result = atomic_commit(&file, &err);
    setrlimit(RLIMIT_FSIZE, &old);
    CHECK(result == ERR_IO);
    CHECK_MSG(strstr(err.text, "File too large") != NULL, "%s", err.text);
    CHECK_MSG(strncmp(err.text, path, strlen(path)) == 0, "%s", err.text);
    check_content(path, "old");
    CHECK(entries_in(folder) == 1);
    unlink(path);
}

static void test_limit(void)
{
    check_limit(1001);
    check_limit(100000);
}

static void test_abandon(void)
{
    char path[512];
    struct error err;
    struct atomic_file file;
    snprintf(path, sizeof path, "%s/abandoned", folder);
    CHECK_OK(atomic_open(&file, path, &err));
    fputs("half", file.stream);
    atomic_abandon(&file);
    atomic_abandon(&file);
    CHECK(entries_in(folder) == 0);
}

static void touch(const char *path)
{
    FILE *f = fopen(path, "wb");
    CHECK(f && fclose(f) == 0);
}

/* Only temporary files that nobody writes go, with the first file that is written in a folder. */
static void test_leftovers(void)
{
    static const char *const kept[] = {"mine.5.tmp", "a.yolo-.tmp", "a.yolo-5x.tmp",
                                       "a.yolo-5.tmp.png", ".yolo-5.tmp"};
    char sub[512], path[600], before[4096];
    struct error err;
    struct atomic_file file, other;
    snprintf(sub, sizeof sub, "%s/left", folder);
    CHECK_OK(dir_make(sub, &err));
    CHECK(getcwd(before, sizeof before) && chdir(sub) == 0);
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
        touch(kept[i]);
    }
    touch("a.png.yolo-99999.tmp");
    touch("a.yolo-b.yolo-1.tmp");
    CHECK(mkdir("folder.yolo-3.tmp", 0700) == 0);
    CHECK(symlink("mine.5.tmp", "link.yolo-3.tmp") == 0);
    CHECK(chdir(before) == 0);
    snprintf(path, sizeof path, "%s/new", sub);
    CHECK_OK(atomic_open(&file, path, &err));
    CHECK(entries_in(sub) == 4 + 2 + 1); /* and one that begins with a dot */
    snprintf(path, sizeof path, "%s/other", sub);
    CHECK_OK(atomic_open(&other, path, &err));
    leftovers_sweep(sub);
    CHECK(entries_in(sub) == 4 + 2 + 2); /* both are being written */
    CHECK_OK(atomic_commit(&file, &err));
    atomic_abandon(&other);
    CHECK(entries_in(sub) == 4 + 2 + 1);
    char command[700];
    snprintf(command, sizeof command, "rm -r '%s'", sub);
    CHECK(system(command) == 0);
}

/* While somebody sweeps without pause, no file that is being written is lost. */
static void *sweep_on(void *stop)
{
    while (!atomic_load((atomic_bool *)stop)) {
        leftovers_sweep(folder);
    }
    return NULL;
}

static void test_swept_while_written(void)
{
    atomic_bool stop = false;
    pthread_t thread;
    char path[512];
    snprintf(path, sizeof path, "%s/raced", folder);
    CHECK(pthread_create(&thread, NULL, sweep_on, &stop) == 0);
    for (int i = 0; i < 2000; i++) {
        commit_text(path, "here", true);
    }
    atomic_store(&stop, true);
    CHECK(pthread_join(thread, NULL) == 0);
    check_content(path, "here");
    unlink(path);
}

/* Memory that ran out in the C library says nothing of the file. */
static void test_memory(void)
{
    struct error err;
    errno = ENOMEM;
    CHECK(error_errno(&err, "a.txt", "cannot open") == ERR_MEMORY && err.code == ERR_MEMORY);
    CHECK(strncmp(err.text, "a.txt: cannot open: ", 20) == 0);
    errno = ENOSPC;
    CHECK(error_errno(&err, "a.txt", "cannot write") == ERR_IO && err.code == ERR_IO);
}

static const struct test_case cases[] = {
    {"leftovers", test_leftovers},
    {"swept_while_written", test_swept_while_written},
    {"only_files", test_only_files},
    {"replaces", test_replaces},
    {"relative_path", test_relative_path},
    {"limit", test_limit},
    {"abandon", test_abandon},
    {"memory", test_memory},
};

int main(int argc, char **argv)
{
    if (!mkdtemp(folder)) {
        perror(folder);
        return 1;
    }
    int status = test_main(cases, sizeof cases / sizeof cases[0], argc, argv);
    rmdir(folder);
    return status;
}
