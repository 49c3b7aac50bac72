#include "exchange/tensors.h"

#include <stdint.h>
#include <string.h>

#include "base/fileio.h"
#include "base/memory.h"
#include "base/path.h"
#include "base/text.h"
#include "exchange/half.h"

static size_t type_bytes(enum tensor_type type)
{
    static const size_t bytes[] = {
        [TENSOR_F16] = 2, [TENSOR_BF16] = 2, [TENSOR_F32] = 4, [TENSOR_F64] = 8};
    return type == TENSOR_OTHER ? 0 : bytes[type];
}

void *tensors_memory(struct tensor_list *list, size_t size)
{
    void *blocks = list->blocks, *block = mem_alloc(1, size);
    if (!block || mem_grow(&blocks, list->block_count, &list->block_capacity, sizeof *list->blocks,
                           NULL) != OK) {
        mem_free(block);
        return NULL;
    }
    list->blocks = blocks;
    return list->blocks[list->block_count++] = block;
}

/* The last words of names that say what a tensor is: PyTorch's, Keras's, Lasagne's, Darknet's. */
static enum tensor_role role_of(const char *word)
{
    static const struct {
        const char *word;
        enum tensor_role role;
    } words[] = {{"bias", ROLE_BIASES},
                 {"biases", ROLE_BIASES},
                 {"b", ROLE_BIASES},
                 {"beta", ROLE_BIASES},
                 {"gamma", ROLE_GAMMA},
                 {"scale", ROLE_GAMMA},
                 {"scales", ROLE_GAMMA},
                 {"weight", ROLE_GAMMA}, /* of a vector */
                 {"running_mean", ROLE_MEAN},
                 {"moving_mean", ROLE_MEAN},
                 {"rolling_mean", ROLE_MEAN},
                 {"mean", ROLE_MEAN},
                 {"running_var", ROLE_VARIANCE},
                 {"moving_variance", ROLE_VARIANCE},
                 {"rolling_variance", ROLE_VARIANCE},
                 {"var", ROLE_VARIANCE},
                 {"variance", ROLE_VARIANCE},
                 {"inv_std", ROLE_INVERSE_DEVIATION}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(words[i].word, word) == 0) {
            return words[i].role;
        }
    }
    return ROLE_UNKNOWN;
}

/* "conv1/kernel:0" is the kernel of conv1. */
static bool set_module(struct tensor_list *list, struct tensor_entry *t)
{
    size_t length = strlen(t->name);
    char *copy = tensors_memory(list, length + 1);
    if (!copy) {
        return false;
    }
    memcpy(copy, t->name, length + 1);
    char *colon = strrchr(copy, ':');
    if (colon && strspn(colon + 1, "0123456789") == strlen(colon + 1)) {
        *colon = '\0';
    }
    char *cut = NULL;
    for (char *at = copy; *at; at++) {
        cut = *at == '.' || *at == '/' ? at : cut;
    }
    enum tensor_role role = role_of(cut ? cut + 1 : copy);
    t->role = t->rank >= 2 ? ROLE_WEIGHTS : role;
    if (cut) {
        *cut = '\0';
    }
    t->module = cut ? copy : copy + length; /* "" */
    return true;
}

enum result tensors_add(const char *path, struct tensor_list *list, const struct tensor_entry *t,
                        size_t bytes, struct error *err)
{
    struct tensor_entry own = *t;
    size_t wanted, length = strlen(t->name);
    void *items = list->items;
    bool fits = true;
    own.count = 1;
    for (int i = 0; i < t->rank && fits; i++) {
        fits = size_mul(own.count, t->dims[i], &own.count);
    }
    fits = fits && size_mul(own.count, type_bytes(t->type), &wanted);
    if (!fits || (t->type != TENSOR_OTHER && wanted != bytes)) {
        return error_at(err, ERR_FORMAT, path, 0, "%.100s: %zu bytes do not fit its shape", t->name,
                        bytes);
    }
    if (t->type == TENSOR_OTHER || own.count == 0) {
        return OK;
    }
    own.name = tensors_memory(list, length + 1);
    if (!own.name || mem_grow(&items, list->count, &list->capacity, sizeof own, err) != OK) {
        return mem_error(err, path);
    }
    list->items = items;
    memcpy(own.name, t->name, length + 1);
    text_mask(own.name);
    if (!own.module && !set_module(list, &own)) {
        return mem_error(err, path);
    }
    list->items[list->count++] = own;
    return OK;
}

enum result tensors_read(const char *path, struct tensor_list *list, struct error *err)
{
    size_t size;
    *list = (struct tensor_list){0};
    bool is_npz = path_ends_in(path, ".npz"), is_onnx = path_ends_in(path, ".onnx");
    if (!is_npz && !is_onnx && !path_ends_in(path, ".safetensors")) {
        return error_at(err, ERR_ARG, path, 0,
                        "not known by its ending (.npz, .safetensors, .onnx)");
    }
    TRY(file_read(path, SIZE_MAX / 4, &list->file, &size, err));
    return is_npz    ? npz_read(path, list->file, size, list, err)
           : is_onnx ? onnx_read(path, list->file, size, list, err)
                     : safetensors_read(path, list->file, size, list, err);
}

void tensors_free(struct tensor_list *list)
{
    for (size_t i = 0; i < list->block_count; i++) {
        mem_free(list->blocks[i]);
    }
    mem_free(list->blocks);
    mem_free(list->items);
    mem_free(list->file);
    if (list->parsed) {
        list->free_parsed(list->parsed);
    }
    *list = (struct tensor_list){0};
}

/* From the order of rows to that of columns. */
static size_t fortran_index(const struct tensor_entry *t, size_t i)
{
    size_t at = 0, stride = t->count;
    for (int axis = t->rank - 1; axis >= 0; axis--) {
        stride /= t->dims[axis];
        at += i % t->dims[axis] * stride;
        i /= t->dims[axis];
    }
    return at;
}

double tensor_value(const struct tensor_entry *t, size_t i)
{
    size_t bytes = type_bytes(t->type);
    const unsigned char *at = t->bytes + (t->is_fortran ? fortran_index(t, i) : i) * bytes;
    if (bytes == 2) {
        uint16_t bits = (uint16_t)(at[0] | at[1] << 8);
        return (double)(t->type == TENSOR_F16 ? half_to_float(bits) : bfloat_to_float(bits));
    }
    if (bytes == 4) {
        uint32_t bits = le32(at);
        float value;
        memcpy(&value, &bits, sizeof value);
        return (double)value;
    }
    uint64_t bits = le64(at);
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}
