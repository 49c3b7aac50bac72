/* In place of the files onnx_*.c where the program is built without them (Makefile). */
#include "exchange/onnx_export.h"
#include "exchange/tensors.h"

static enum result refuse(const char *path, struct error *err)
{
    return error_set(
        err, ERR_UNSUPPORTED,
        "%s: this yolo was built without ONNX (make found no protoc-c, or no onnx.proto, which "
        "Debian's and newer Ubuntus' libonnx-dev bring; make ONNX_PROTO=FILE names another)",
        path);
}

enum result onnx_export(const struct network *net, const struct onnx_options *options,
                        const char *path, struct onnx_summary *summary, struct error *err)
{
    (void)net;
    (void)options;
    (void)summary;
    return refuse(path, err);
}

enum result onnx_read(const char *path, char *bytes, size_t size, struct tensor_list *list,
                      struct error *err)
{
    (void)bytes;
    (void)size;
    (void)list;
    return refuse(path, err);
}
