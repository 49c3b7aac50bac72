#include "base/fileio.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/leftovers.h"
#include "base/memory.h"
#include "base/path.h"

enum {
    LONG_NAME = 200, /* bytes of a file name that leave room for more */
    LOCK_TRIES = 100 /* of a millisecond */
};

static enum result open_stream(const char *path, int flags, const char *mode, FILE **stream,
                               uintmax_t *size, struct error *err)
{
    struct stat info;
    *stream = NULL;
    /* O_NONBLOCK: opening a pipe must not wait for its other end. It changes nothing for files. */
    int fd = open(path, flags | O_NONBLOCK | O_CLOEXEC, 0666);
    if (fd < 0 && errno == ENXIO) {
        return error_at(err, ERR_FORMAT, path, 0, "not a regular file but a pipe or a socket");
    }
    enum result result =
        fd >= 0 && fstat(fd, &info) == 0 ? OK : error_errno(err, path, "cannot open");
    bool is_wrong = result == OK && !S_ISREG(info.st_mode) &&
                    !(S_ISCHR(info.st_mode) && (flags & O_APPEND)); /* train.log may be /dev/null */
    if (is_wrong) {
        result = error_at(err, ERR_FORMAT, path, 0, "not a regular file but a %s",
                          S_ISDIR(info.st_mode)    ? "folder"
                          : S_ISFIFO(info.st_mode) ? "pipe"
                                                   : "device");
    }
    if (result == OK && !(*stream = fdopen(fd, mode))) {
        result = error_errno(err, path, "cannot open");
    }
    if (result != OK && fd >= 0) {
        close(fd);
    }
    if (result == OK && size) {
        *size = (uintmax_t)info.st_size;
    }
    return result;
}

enum result file_open(const char *path, FILE **stream, uintmax_t *size, struct error *err)
{
    return open_stream(path, O_RDONLY, "rb", stream, size, err);
}

bool file_read_at(FILE *stream, size_t offset, void *bytes, size_t count)
{
    char *next = bytes;
    for (size_t left = count; left > 0;) {
        ssize_t got = pread(fileno(stream), next, left, (off_t)(offset + count - left));
        if (got == 0 || (got < 0 && errno != EINTR)) {
            return false;
        }
        next += got > 0 ? got : 0;
        left -= got > 0 ? (size_t)got : 0;
    }
    return true;
}

enum result file_append(const char *path, FILE **stream, struct error *err)
{
    return open_stream(path, O_WRONLY | O_APPEND | O_CREAT, "ab", stream, NULL, err);
}

enum result file_read(const char *path, size_t max_bytes, char **data, size_t *size,
                      struct error *err)
{
    FILE *f;
    uintmax_t length = 0;
    TRY(file_open(path, &f, &length, err));
    if (length > max_bytes) {
        fclose(f);
        return error_at(err, ERR_FORMAT, path, 0, "%ju bytes is over the limit of %zu bytes",
                        length, max_bytes);
    }
    size_t want = (size_t)length;
    char *bytes = mem_alloc_raw(want + 1, 1);
    if (!bytes) {
        fclose(f);
        return mem_error(err, path);
    }
    size_t got = fread(bytes, 1, want, f);
    bool failed = got != want;
    fclose(f);
    if (failed) {
        mem_free(bytes);
        return error_at(err, ERR_IO, path, 0, "read %zu of %zu bytes", got, want);
    }
    bytes[want] = 0;
    *data = bytes;
    *size = want;
    return OK;
}

/* The temporary name is longer than the target's. Where there is no room, a number takes the
 * place of the name's end. */
static void name_temporary(struct atomic_file *file)
{
    static atomic_uint number;
    char ending[32];
    leftovers_ending(ending, sizeof ending);
    size_t folder = (size_t)(path_base(file->path) - file->path), size = sizeof file->temporary;
    if (strlen(file->path) - folder <= LONG_NAME) {
        snprintf(file->temporary, size, "%s%s", file->path, ending);
        return;
    }
    snprintf(file->temporary, size, "%.*s.%u%s", (int)(folder + LONG_NAME), file->path,
             atomic_fetch_add(&number, 1), ending);
}

/* Is what the path names still what was opened? */
static bool is_same_file(const char *path, int fd)
{
    struct stat named, opened;
    return stat(path, &named) == 0 && fstat(fd, &opened) == 0 && named.st_ino == opened.st_ino &&
           named.st_dev == opened.st_dev;
}

/* Before the lock stands, a sweep by another process may remove the file as a leftover: then try
 * again. -1 with errno. */
static int open_locked(const char *path)
{
    for (int tries = 0;; tries++) {
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
        if (fd < 0) {
            return -1;
        }
        bool is_locked = flock(fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK;
        if ((is_locked && is_same_file(path, fd)) || tries == LOCK_TRIES) {
            return fd;
        }
        close(fd);
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
}

static void unlock(struct atomic_file *file)
{
    if (file->lock >= 0) {
        close(file->lock);
        file->lock = -1;
    }
}

enum result atomic_open(struct atomic_file *file, const char *path, struct error *err)
{
    file->stream = NULL;
    file->skips_sync = false;
    file->temporary[0] = 0;
    file->lock = -1;
    if (strlen(path) >= sizeof file->path) {
        return error_at(err, ERR_IO, path, 0, "path too long");
    }
    snprintf(file->path, sizeof file->path, "%.*s", (int)(path_base(path) - path), path);
    leftovers_sweep_once(file->path);
    strcpy(file->path, path);
    name_temporary(file);
    int fd = open_locked(file->temporary);
    file->stream = fd >= 0 ? fdopen(fd, "wb") : NULL;
    if (!file->stream) {
        enum result result = error_errno(err, path, "cannot create");
        if (fd >= 0) {
            unlink(file->temporary);
            close(fd);
        }
        file->temporary[0] = 0;
        return result;
    }
    file->lock =
        fcntl(fd, F_DUPFD_CLOEXEC, 0); /* the stream is closed before the file has its name */
    return OK;
}

/* stdio remembers that a write failed, not why. What stopped it (a full disk, a quota, a limit on
 * the size of files) stops the next write just as well, and that one tells. */
static int write_errno(int fd)
{
    static const char probe[4096];
    for (int i = 0; i < 16; i++) {
        if (write(fd, probe, sizeof probe) < 0) {
            return errno;
        }
    }
    return EIO;
}

/* 0, or the errno of the first step that failed. */
static int finish_stream(struct atomic_file *file)
{
    int code = 0;
    if (ferror(file->stream)) {
        code = write_errno(fileno(file->stream));
    } else if (fflush(file->stream) != 0) {
        code = errno;
    } else if (!file->skips_sync && fsync(fileno(file->stream)) != 0) {
        code = errno;
    }
    if (fclose(file->stream) != 0 && code == 0) {
        code = errno;
    }
    file->stream = NULL;
    return code;
}

/* The new name lives in the folder: it is safe from a power cut when the folder is. Best effort, as
 * not every file system lets folders be opened or synced, and the file is already in its place. */
static void sync_folder_of(const char *path)
{
    char folder[sizeof((struct atomic_file *)0)->path];
    size_t length = (size_t)(path_base(path) - path);
    snprintf(folder, sizeof folder, "%.*s", (int)length, path);
    int fd = open(length > 0 ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)!fsync(fd);
        close(fd);
    }
}

enum result atomic_open_in(struct atomic_file *file, const char *folder, const char *name,
                           struct error *err)
{
    char path[sizeof file->path];
    TRY(path_in(path, sizeof path, folder, name, err));
    return atomic_open(file, path, err);
}

enum result atomic_commit(struct atomic_file *file, struct error *err)
{
    int code = finish_stream(file);
    if (code == 0 && rename(file->temporary, file->path) != 0) {
        code = errno;
    }
    if (code != 0) {
        errno = code;
        enum result result = error_errno(err, file->path, "cannot write");
        atomic_abandon(file);
        return result;
    }
    file->temporary[0] = 0;
    unlock(file);
    if (!file->skips_sync) {
        sync_folder_of(file->path);
    }
    return OK;
}

enum result atomic_write(const char *path, const void *bytes, size_t size, struct error *err)
{
    struct atomic_file file;
    TRY(atomic_open(&file, path, err));
    fwrite(bytes, 1, size, file.stream); /* atomic_commit reports a failure */
    return atomic_commit(&file, err);
}

void atomic_abandon(struct atomic_file *file)
{
    if (file->stream) {
        fclose(file->stream);
        file->stream = NULL;
    }
    if (file->temporary[0]) {
        unlink(file->temporary);
        file->temporary[0] = 0;
        unlock(file);
    }
}

enum result atomic_end(struct atomic_file *file, enum result result, struct error *err)
{
    if (result == OK) {
        return atomic_commit(file, err);
    }
    atomic_abandon(file);
    return result;
}

enum result dir_make(const char *path, struct error *err)
{
    char partial[4096];
    if (strlen(path) >= sizeof partial) {
        return error_at(err, ERR_IO, path, 0, "path too long");
    }
    strcpy(partial, path);
    for (char *slash = partial + 1;; slash++) {
        if (*slash != '/' && *slash != 0) {
            continue;
        }
        char kept = *slash;
        *slash = 0;
        if (mkdir(partial, 0777) != 0 && errno != EEXIST) {
            return error_errno(err, path, "cannot create the folder");
        }
        *slash = kept;
        if (kept == 0) {
            break;
        }
    }
    if (!path_is_dir(path)) {
        return error_at(err, ERR_IO, path, 0, "exists and is not a folder");
    }
    return OK;
}

uint32_t le32(const unsigned char *bytes)
{
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
           (uint32_t)bytes[3] << 24;
}

uint64_t le64(const unsigned char *bytes)
{
    return (uint64_t)le32(bytes) | (uint64_t)le32(bytes + 4) << 32;
}

void le32_to_host(void *values, size_t count)
{
    const uint32_t probe = 1;
    if (*(const unsigned char *)&probe == 1) {
        return;
    }
    unsigned char *bytes = values;
    for (size_t i = 0; i < count; i++) {
        uint32_t value = le32(bytes + 4 * i);
        memcpy(bytes + 4 * i, &value, sizeof value);
    }
}
