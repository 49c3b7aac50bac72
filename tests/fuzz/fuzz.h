/* What the fuzz targets share. A target is one LLVMFuzzerTestOneInput that hands foreign bytes to
 * one reader. scripts/fuzz.sh links the targets with libFuzzer; everywhere else replay.c feeds them
 * the files of tests/fuzz/corpus/. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "net/network.h"
#include "net/plan.h"

/* Always 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A folder of this process, which goes with it. */
char *fuzz_folder(void);

/* The path of `name` in it. Valid until the eighth call
 * from now. */
const char *fuzz_path(const char *name);

/* The same, with these bytes in the file. */
const char *fuzz_file(const char *name, const void *data, size_t size);

/* What every reader promises: with an error, one printable line that says something. Aborts
 * otherwise. Returns result == OK. */
bool fuzz_read(enum result result, const struct error *err);

/* Aborts with the words if not so. */
void fuzz_expect(bool holds, const char *what);

/* The network that files of weights, states and features belong to: 16 x 16, two convolutions and a
 * head of two classes, its values random. Made once. */
struct network *fuzz_network(void);

/* Its plan on the scalar kernels, everything moving. */
struct plan *fuzz_plan(void);

/* Pictures for a plan's input: the same values each time, from 0 to 1. */
void fuzz_fill(const struct tensor *input);

/* whole[size] with foreign bytes laid over it by exclusive or, so that an input is what is changed,
 * and an input of zeros changes nothing. The first two bytes say how much is cut off (or, from
 * 32768 on, put behind). *out_size is the new size; out has room for size + data_size bytes. */
void fuzz_overlay(const uint8_t *data, size_t data_size, const uint8_t *whole, size_t size,
                  uint8_t *out, size_t *out_size);

#endif
