#include "base/leftovers.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/path.h"

static const char mark[] = ".yolo-";

void leftovers_ending(char *ending, size_t size)
{
    snprintf(ending, size, "%s%d.tmp", mark, (int)getpid());
}

static bool is_temporary(const char *name)
{
    const char *at = name;
    for (const char *next; (next = strstr(at + 1, mark)) != NULL;) {
        at = next; /* the last one */
    }
    if (at == name) {
        return false;
    }
    at += sizeof mark - 1;
    size_t digits = strspn(at, "0123456789");
    return digits > 0 && strcmp(at + digits, ".tmp") == 0;
}

static void remove_left(const char *path)
{
    struct stat info, named;
    int fd = open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        return;
    }
    bool is_left =
        fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && flock(fd, LOCK_EX | LOCK_NB) == 0;
    /* Before the lock stood, a writer may have finished: the name is then free, or the next writer's file. */
    is_left = is_left && stat(path, &named) == 0 && named.st_ino == info.st_ino &&
              named.st_dev == info.st_dev;
    if (is_left && unlink(path) == 0) {
        log_debug("%s: left by a killed run; removed", path);
    }
    close(fd);
}

void leftovers_sweep(const char *folder)
{
    DIR *dir = opendir(folder[0] ? folder : ".");
    if (!dir) {
        return;
    }
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        char path[4096];
        if (is_temporary(entry->d_name) && path_join(path, sizeof path, folder, entry->d_name)) {
            remove_left(path);
        }
    }
    closedir(dir);
}

void leftovers_sweep_once(const char *folder)
{
    enum {
        REMEMBERED = 256
    }; /* a folder that drives out another one costs a second look at that */
    static atomic_uint_least64_t seen[REMEMBERED];
    uint64_t hash = hash_text(folder);
    if (atomic_exchange(&seen[hash % REMEMBERED], hash) != hash) {
        leftovers_sweep(folder);
    }
}
