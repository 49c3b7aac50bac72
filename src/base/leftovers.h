/* Temporary files (base/fileio.h) that a killed process left behind. */
#ifndef BASE_LEFTOVERS_H
#define BASE_LEFTOVERS_H

#include <stddef.h>

/* What a temporary file's name has behind its target's: ".yolo-PID.tmp". */
void leftovers_ending(char *ending, size_t size);

/* Remove from the folder ("" is the working directory) every temporary file that nobody writes:
 * whoever does holds a lock (flock) on it. Files of other names, and all where the file system has
 * no locks, stay. */
void leftovers_sweep(const char *folder);

/* The same, the first time that this process asks for this folder. Thread-safe. */
void leftovers_sweep_once(const char *folder);

#endif
