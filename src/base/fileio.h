/* Whole files in, whole files out. */
#ifndef BASE_FILEIO_H
#define BASE_FILEIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"

/* Every file that is read comes through here: *stream (fclose) stands at its start, *size (or NULL)
 * gets its bytes. ERR_IO for a missing file; ERR_FORMAT for a folder, and for pipes and devices,
 * which could keep the reader waiting for ever. Only lists of pictures may be pipes, and are opened
 * elsewhere. */
NODISCARD enum result file_open(const char *path, FILE **stream, uintmax_t *size,
                                struct error *err);

/* The same for a file that lines are added to, made if it is missing; a device takes them, too. */
NODISCARD enum result file_append(const char *path, FILE **stream, struct error *err);

/* `count` bytes from `offset` on, wherever the stream stands; for any number of threads at once. False: not all were read. */
bool file_read_at(FILE *stream, size_t offset, void *bytes, size_t count);

/* Read a regular file of at most max_bytes. *data (mem_free) gets one extra zero byte behind the
 * *size bytes. ERR_IO for a missing file, ERR_FORMAT for folders, devices and larger files. */
NODISCARD enum result file_read(const char *path, size_t max_bytes, char **data, size_t *size,
                                struct error *err);

/* A file written beside its target and renamed over it by commit, after fsync: the target is always
 * either the old file or the whole new one, also after a power cut (the folder is synced, too). */
struct atomic_file {
    FILE *stream;    /* write here */
    bool skips_sync; /* set after open for what can be made again (pictures): commit is then far
                        cheaper, and a power cut may lose the file */
    char path[4096];
    char temporary[4096 + 48];
    int lock; /* held until the file has its name, so that nobody takes it for a leftover; -1: none */
};

/* The first one of a process in a folder also removes what killed processes left there (base/leftovers.h). */
NODISCARD enum result atomic_open(struct atomic_file *file, const char *path, struct error *err);
/* The file `name` of that folder. */
NODISCARD enum result atomic_open_in(struct atomic_file *file, const char *folder, const char *name,
                                     struct error *err);
/* Flush, sync, rename. Any write error since open is reported here, with its cause; the target is
 * then untouched. */
NODISCARD enum result atomic_commit(struct atomic_file *file, struct error *err);
/* Drop the temporary file; harmless after commit. */
void atomic_abandon(struct atomic_file *file);
/* How a file ends that a function has filled: commit if its result is OK, else drop it and give the result back. */
NODISCARD enum result atomic_end(struct atomic_file *file, enum result result, struct error *err);
/* A whole file at once. */
NODISCARD enum result atomic_write(const char *path, const void *bytes, size_t size,
                                   struct error *err);

/* Create a directory and its parents; fine if it exists. */
NODISCARD enum result dir_make(const char *path, struct error *err);

/* Little-endian values from bytes, on any host. */
uint32_t le32(const unsigned char *bytes);
uint64_t le64(const unsigned char *bytes);

/* Swap the bytes of `count` 4-byte values in place on a big-endian host; nothing elsewhere. */
void le32_to_host(void *values, size_t count);

#endif
