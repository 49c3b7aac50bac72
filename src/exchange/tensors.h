/* The tensors of a file of another program: .npz of NumPy, .safetensors, .onnx. Whole in memory. */
#ifndef EXCHANGE_TENSORS_H
#define EXCHANGE_TENSORS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

enum { TENSORS_MAX_RANK = 8 };

enum tensor_type { TENSOR_F16, TENSOR_BF16, TENSOR_F32, TENSOR_F64, TENSOR_OTHER /* no floats */ };

/* What a tensor is for, where its file says so: by a name's last word, or by the node that reads it. */
enum tensor_role {
    ROLE_UNKNOWN,
    ROLE_WEIGHTS,
    ROLE_BIASES, /* of a module with a mean: beta */
    ROLE_GAMMA,
    ROLE_MEAN,
    ROLE_VARIANCE,
    ROLE_INVERSE_DEVIATION, /* 1 / sqrt(variance + eps) */
};

struct tensor_entry {
    char *name;
    char *
        module; /* what the tensors of a layer have in common, of the name or of the node; "" where nothing is */
    enum tensor_role role;
    enum tensor_type type;
    bool is_fortran;       /* the first axis runs fastest */
    bool has_inputs_first; /* of a matrix: [inputs, outputs]; known of ONNX only */
    int rank;
    size_t dims[TENSORS_MAX_RANK], count;
    const unsigned char *bytes; /* little-endian, count values */
    double eps;                 /* of its batch norm, where the file says so; else below 0 */
};

struct tensor_list {
    struct tensor_entry *items;
    size_t count, capacity;
    char *file;   /* the bytes behind the tensors, or NULL */
    void *parsed; /* what a library made of them, and how it is freed; or NULL */
    void (*free_parsed)(void *parsed);
    void **blocks; /* others */
    size_t block_count, block_capacity;
};

/* By the file's ending. Order: as written (.npz), by names with their numbers counted (.safetensors, whose writers sort
 * them), as nodes read them (.onnx). What holds no floats is left out. Every length is checked against the file: a fault
 * is ERR_FORMAT, a kind that is not known ERR_UNSUPPORTED, in one line with its place. *list is zeroed first; free it also
 * after an error. */
NODISCARD enum result tensors_read(const char *path, struct tensor_list *list, struct error *err);
void tensors_free(struct tensor_list *list);

/* Value i in the order of rows (the last axis runs fastest). */
double tensor_value(const struct tensor_entry *t, size_t i);

/* ---- for the readers ---- */

/* bytes[size] is zero; it is list->file. */
NODISCARD enum result npz_read(const char *path, char *bytes, size_t size, struct tensor_list *list,
                               struct error *err);
NODISCARD enum result safetensors_read(const char *path, char *bytes, size_t size,
                                       struct tensor_list *list, struct error *err);
NODISCARD enum result onnx_read(const char *path, char *bytes, size_t size,
                                struct tensor_list *list, struct error *err);

/* Adds t, copying its name and finding module and role by it where they are not set. ERR_FORMAT unless its values take
 * `bytes` bytes. */
NODISCARD enum result tensors_add(const char *path, struct tensor_list *list,
                                  const struct tensor_entry *t, size_t bytes, struct error *err);

/* A block that lives as long as the list; NULL without memory. */
void *tensors_memory(struct tensor_list *list, size_t size);

/* Sort by name, numbers in it by their value; a module of vectors alone follows the one beside it that has weights and the
 * same number behind its name ("0.bn" follows "0.conv", "bn2" follows "conv2"), if only one does. */
NODISCARD enum result tensors_sort(struct tensor_list *list, struct error *err);

#endif
