/* .safetensors: the length of a JSON header (8 bytes), the header {"name": {"dtype", "shape", "data_offsets"}, ...}, the
 * values. */
#include <string.h>

#include <cjson/cJSON.h>

#include "base/fileio.h"
#include "base/json.h"
#include "base/memory.h"
#include "exchange/tensors.h"

enum { PREFIX = 8 };

static bool is_length(const cJSON *number, double most)
{
    return cJSON_IsNumber(number) && number->valuedouble >= 0 && number->valuedouble <= most &&
           number->valuedouble == (double)(size_t)number->valuedouble;
}

static enum result fault(const char *path, const cJSON *item, const char *what, struct error *err)
{
    return error_at(err, ERR_FORMAT, path, 0, "%.100s: %s", item->string, what);
}

static enum result find_type(const char *path, const cJSON *item, enum tensor_type *type,
                             struct error *err)
{
    static const struct {
        const char *name;
        enum tensor_type type;
    } types[] = {{"F32", TENSOR_F32},   {"F64", TENSOR_F64},   {"F16", TENSOR_F16},
                 {"BF16", TENSOR_BF16}, {"I64", TENSOR_OTHER}, {"I32", TENSOR_OTHER},
                 {"I16", TENSOR_OTHER}, {"I8", TENSOR_OTHER},  {"U8", TENSOR_OTHER},
                 {"U16", TENSOR_OTHER}, {"U32", TENSOR_OTHER}, {"U64", TENSOR_OTHER},
                 {"BOOL", TENSOR_OTHER}};
    const cJSON *name = cJSON_GetObjectItemCaseSensitive(item, "dtype");
    if (!cJSON_IsString(name)) {
        return fault(path, item, "no dtype", err);
    }
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (strcmp(types[i].name, name->valuestring) == 0) {
            *type = types[i].type;
            return OK;
        }
    }
    return error_at(err, ERR_UNSUPPORTED, path, 0, "%.100s: dtype %.20s is not known", item->string,
                    name->valuestring);
}

static enum result add_tensor(const char *path, const cJSON *item, const char *data, size_t size,
                              struct tensor_list *list, struct error *err)
{
    const cJSON *shape = cJSON_GetObjectItemCaseSensitive(item, "shape");
    const cJSON *offsets = cJSON_GetObjectItemCaseSensitive(item, "data_offsets");
    const cJSON *first = cJSON_GetArrayItem(offsets, 0), *end = cJSON_GetArrayItem(offsets, 1);
    struct tensor_entry t = {.name = item->string, .eps = -1};
    TRY(find_type(path, item, &t.type, err));
    if (!cJSON_IsArray(shape) || cJSON_GetArraySize(shape) > TENSORS_MAX_RANK) {
        return fault(path, item, "no shape, or one of too many axes", err);
    }
    for (const cJSON *extent = shape->child; extent; extent = extent->next) {
        if (!is_length(extent, 1 << 30)) {
            return fault(path, item, "a shape with something that is no length", err);
        }
        t.dims[t.rank++] = (size_t)extent->valuedouble;
    }
    if (!cJSON_IsArray(offsets) || !is_length(first, (double)size) ||
        !is_length(end, (double)size) || first->valuedouble > end->valuedouble) {
        return fault(path, item,
                     "data_offsets that lead past the file's end, or are none (cut off?)", err);
    }
    t.bytes = (const unsigned char *)data + (size_t)first->valuedouble;
    return tensors_add(path, list, &t, (size_t)end->valuedouble - (size_t)first->valuedouble, err);
}

enum result safetensors_read(const char *path, char *bytes, size_t size, struct tensor_list *list,
                             struct error *err)
{
    uint64_t length = size >= PREFIX ? le64((const unsigned char *)bytes) : 0;
    if (length < 2 || length > size - PREFIX || bytes[PREFIX] != '{') {
        return error_at(err, ERR_FORMAT, path, 0,
                        size >= PREFIX && length > size - PREFIX && bytes[PREFIX] == '{'
                            ? "the header runs past the file's end (cut off?)"
                            : "not a .safetensors file");
    }
    const char *stop = NULL;
    cJSON *root = cJSON_ParseWithLengthOpts(bytes + PREFIX, (size_t)length, &stop, false);
    if (!root) {
        return json_lacks_memory()
                   ? mem_error(err, path)
                   : error_at(err, ERR_FORMAT, path, 0, "byte %zu: the header is not valid JSON",
                              stop ? (size_t)(stop - bytes) : (size_t)PREFIX);
    }
    enum result result = OK;
    for (const cJSON *item = root->child; item && result == OK; item = item->next) {
        if (item->string && strcmp(item->string, "__metadata__") != 0) {
            result = cJSON_IsObject(item) ? add_tensor(path, item, bytes + PREFIX + length,
                                                       size - PREFIX - (size_t)length, list, err)
                                          : fault(path, item, "no tensor", err);
        }
    }
    cJSON_Delete(root);
    return result == OK ? tensors_sort(list, err) : result;
}
