/* Preloaded into a command (LD_PRELOAD), it makes the machine refuse: the k-th allocation of the whole process,
 * libraries included, or the k-th step of writing files.
 *
 *   FAIL_ALLOC=k     the k-th of malloc, calloc, realloc, aligned_alloc, posix_memalign and mmap finds no memory
 *   FAIL_WRITE=k     the k-th of fopen and open for writing, fwrite and its kin, fflush, fclose, write, pwrite, fsync,
 *                    ftruncate, rename, link, symlink and mkdir finds the disk full (stdout and stderr are left out:
 *                    a dead stdout has tests of its own)
 *   FAIL_STICKY=1    and all of its kind after it
 *   FAIL_END=1       MPI_Finalize does not return
 *   FAIL_COUNT=FILE  at the end both counts go there, as "allocations writes"
 *
 * Counting from 1; without k nothing fails. For glibc: a stream that failed is marked so in its _flags. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STREAM_HAS_FAILED = 0x20 /* _IO_ERR_SEEN */ };

/* glibc's own: there before dlsym is, which allocates. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void *__libc_memalign(size_t align, size_t size);

struct counter {
    atomic_long count;
    long fails; /* 0: none */
};

static struct counter allocs, writes;
static bool is_on, is_sticky;
static const char *count_path;

static long number(const char *name)
{
    const char *text = getenv(name);
    return text ? atol(text) : 0;
}

__attribute__((constructor)) static void begin(void)
{
    allocs.fails = number("FAIL_ALLOC");
    writes.fails = number("FAIL_WRITE");
    is_sticky = number("FAIL_STICKY") != 0;
    count_path = getenv("FAIL_COUNT");
    is_on = true;
}

__attribute__((destructor)) static void end(void)
{
    char text[64];
    is_on = false;
    if (count_path) {
        int fd = open(count_path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
        int length = snprintf(text, sizeof text, "%ld %ld\n", atomic_load(&allocs.count),
                              atomic_load(&writes.count));
        if (fd < 0 || write(fd, text, (size_t)length) != length) {
            abort();
        }
        close(fd);
    }
}

int MPI_Finalize(void);
int MPI_Finalize(void)
{
    int (*real)(void) = NULL;
    while (number("FAIL_END") != 0) {
        pause();
    }
    *(void **)&real = dlsym(RTLD_NEXT, "MPI_Finalize");
    return real();
}

static bool fails(struct counter *c, int code)
{
    if (!is_on) {
        return false;
    }
    long k = atomic_fetch_add(&c->count, 1) + 1;
    if (c->fails == 0 || (is_sticky ? k < c->fails : k != c->fails)) {
        return false;
    }
    errno = code;
    return true;
}

/* ---- memory ---- */

void *malloc(size_t size)
{
    return fails(&allocs, ENOMEM) ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return fails(&allocs, ENOMEM) ? NULL : __libc_calloc(count, size);
}

void *realloc(void *block, size_t size)
{
    return fails(&allocs, ENOMEM) ? NULL : __libc_realloc(block, size);
}

void *aligned_alloc(size_t align, size_t size)
{
    return fails(&allocs, ENOMEM) ? NULL : __libc_memalign(align, size);
}

int posix_memalign(void **block, size_t align, size_t size)
{
    void *got = fails(&allocs, ENOMEM) ? NULL : __libc_memalign(align, size);
    if (got) {
        *block = got;
    }
    return got ? 0 : ENOMEM;
}

/* The next definition of a name behind this one. */
#define NEXT(name)                                                                                 \
    static __typeof__(name) *next;                                                                 \
    if (!next) {                                                                                   \
        bool was_on = is_on;                                                                       \
        is_on = false;                                                                             \
        *(void **)&next = dlsym(RTLD_NEXT, #name);                                                 \
        is_on = was_on;                                                                            \
    }

void *mmap(void *at, size_t length, int protection, int flags, int fd, off_t offset)
{
    NEXT(mmap)
    return fails(&allocs, ENOMEM) ? MAP_FAILED : next(at, length, protection, flags, fd, offset);
}

/* ---- files ---- */

static bool fails_stream(FILE *stream)
{
    if (stream == stdout || stream == stderr || !fails(&writes, ENOSPC)) {
        return false;
    }
    stream->_flags |= STREAM_HAS_FAILED;
    return true;
}

static bool fails_fd(int fd)
{
    return fd != STDOUT_FILENO && fd != STDERR_FILENO && fails(&writes, ENOSPC);
}

FILE *fopen(const char *path, const char *mode)
{
    NEXT(fopen)
    return strpbrk(mode, "wa+") && fails(&writes, ENOSPC) ? NULL : next(path, mode);
}

int open(const char *path, int flags, ...)
{
    NEXT(open)
    va_list args;
    va_start(args, flags);
    int mode = flags & O_CREAT ? va_arg(args, int) : 0;
    va_end(args);
    return (flags & O_ACCMODE) != O_RDONLY && fails(&writes, ENOSPC) ? -1 : next(path, flags, mode);
}

size_t fwrite(const void *data, size_t size, size_t count, FILE *stream)
{
    NEXT(fwrite)
    return fails_stream(stream) ? 0 : next(data, size, count, stream);
}

int fputs(const char *text, FILE *stream)
{
    NEXT(fputs)
    return fails_stream(stream) ? EOF : next(text, stream);
}

int fputc(int c, FILE *stream)
{
    NEXT(fputc)
    return fails_stream(stream) ? EOF : next(c, stream);
}

int putc(int c, FILE *stream)
{
    NEXT(putc)
    return fails_stream(stream) ? EOF : next(c, stream);
}

int vfprintf(FILE *stream, const char *format, va_list args)
{
    NEXT(vfprintf)
    return fails_stream(stream) ? -1 : next(stream, format, args);
}

int fprintf(FILE *stream, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int written = vfprintf(stream, format, args);
    va_end(args);
    return written;
}

int fflush(FILE *stream)
{
    NEXT(fflush)
    return stream && fails_stream(stream) ? EOF : next(stream);
}

/* The stream is closed whatever it returns. Only streams that were written to count. */
int fclose(FILE *stream)
{
    NEXT(fclose)
    bool was_written = is_on && (fcntl(fileno(stream), F_GETFL) & O_ACCMODE) != O_RDONLY;
    bool has_failed = was_written && fails_stream(stream);
    int result = next(stream);
    if (has_failed) {
        errno = ENOSPC;
        return EOF;
    }
    return result;
}

ssize_t write(int fd, const void *data, size_t size)
{
    NEXT(write)
    return fails_fd(fd) ? -1 : next(fd, data, size);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at)
{
    NEXT(pwrite)
    return fails_fd(fd) ? -1 : next(fd, data, size, at);
}

int fsync(int fd)
{
    NEXT(fsync)
    return fails_fd(fd) ? -1 : next(fd);
}

int ftruncate(int fd, off_t size)
{
    NEXT(ftruncate)
    return fails_fd(fd) ? -1 : next(fd, size);
}

int rename(const char *from, const char *to)
{
    NEXT(rename)
    return fails(&writes, ENOSPC) ? -1 : next(from, to);
}

int link(const char *from, const char *to)
{
    NEXT(link)
    return fails(&writes, ENOSPC) ? -1 : next(from, to);
}

int symlink(const char *target, const char *path)
{
    NEXT(symlink)
    return fails(&writes, ENOSPC) ? -1 : next(target, path);
}

int mkdir(const char *path, mode_t mode)
{
    NEXT(mkdir)
    return fails(&writes, ENOSPC) ? -1 : next(path, mode);
}
