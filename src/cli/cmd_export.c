#include "cli/cmd.h"

#include <string.h>

#include "base/fileio.h"
#include "base/log.h"
#include "base/options.h"
#include "base/path.h"
#include "exchange/onnx_export.h"
#include "exchange/onnx_graph.h"
#include "exchange/onnx_int8.h"
#include "results/paths.h"
#include "run/infer.h"
#include "run/model.h"

enum { BOXES_NOT_GIVEN = -1 };

struct export_args {
    struct model_args model;
    int opset; /* 0: not given */
    int boxes;
    bool is_half, is_dynamic;
    float confidence, iou; /* below 0: not given */
    int max_detections;
};

static const struct option export_options[] = {
    {"boxes", OPTION_CHOICE, offsetof(struct export_args, boxes), 0, 0, "raw|decoded|nms",
     "detectors: what leaves the file; decoded if not given", 0},
    {"opset", OPTION_INT, offsetof(struct export_args, opset), ONNX_OPSET_LEAST, ONNX_OPSET_MOST,
     "N", "set of operators; the lowest that does, 11, of int8 13, if not given", 0},
    {"fp16|half", OPTION_FLAG, offsetof(struct export_args, is_half), 0, 0, NULL,
     "layers in half precision; input, output and boxes stay in 32 bits", 0},
    {"dynamic", OPTION_FLAG, offsetof(struct export_args, is_dynamic), 0, 0, NULL,
     "any number of images and, where the layers allow it, any size", 0},
    {"conf|thresh", OPTION_FLOAT, offsetof(struct export_args, confidence), 0, 1, "X",
     "--boxes nms: least confidence; .25 if not given", 0},
    {"iou|nms", OPTION_FLOAT, offsetof(struct export_args, iou), 0, 1, "X",
     "--boxes nms: overlap above which the weaker box goes; .45 if not given", 0},
    {"max-det", OPTION_INT, offsetof(struct export_args, max_detections), 1, 1 << 20, "N",
     "--boxes nms: boxes of a class in an image; 300 if not given", 0},
    {0},
};

static const char about[] =
    "The network as ONNX, for ONNX Runtime, OpenVINO, ncnn (by pnnx), OpenCV 4 and 5 and others.\n"
    "Input `images`: float32 [n, c, h, w], RGB, divided by 255. Outputs of a detector, in pixels of\n"
    "that input:\n"
    "  --boxes decoded  `output0` [n, 4 + classes, candidates]: centre x, y, width, height, then a\n"
    "                   confidence a class, as Ultralytics' exports have it; overlaps are in it\n"
    "  --boxes raw      `head0`, `head1` ... [n, anchors * (5 + classes), h, w]: what the last\n"
    "                   convolutions give\n"
    "  --boxes nms      `detections` [k, 7]: image, x1, y1, x2, y2, class, confidence, overlaps\n"
    "                   suppressed by plain IoU\n"
    "Other networks: `output0` [n, classes], or [n, c, h, w]. Class names, anchors, the input's\n"
    "scaling and how pictures are fitted stand in the file's metadata. --weights none writes random\n"
    "numbers, for measuring times. --precision int8 writes the quantised network (yolo quantize) with\n"
    "QuantizeLinear and DequantizeLinear, whose scales differ by channel. More: docs/onnx.md\n";

static bool is_given(float value)
{
    return value >= 0.0f;
}

static enum result check_flags(const struct export_args *a, const struct model *model,
                               struct error *err)
{
    bool is_nms = a->boxes == ONNX_BOXES_NMS;
    const char *nms_only = is_given(a->confidence) ? "conf"
                           : is_given(a->iou)      ? "iou"
                           : a->max_detections > 0 ? "max-det"
                                                   : NULL;
    if (a->boxes != BOXES_NOT_GIVEN && !model->head) {
        return error_set(err, ERR_ARG, "--boxes: %s has no detection head", model->cfg_path);
    }
    if (nms_only && !is_nms) {
        return error_set(err, ERR_ARG, "--%s is for --boxes nms", nms_only);
    }
    if (a->model.precision != PRECISION_INT8) {
        return OK;
    }
    if (!model->quant.layers) {
        return error_set(err, ERR_ARG, "--precision int8 acts only with weights, not with none");
    }
    if (a->is_half) {
        return error_set(err, ERR_ARG, "--precision int8 and --fp16: one or the other");
    }
    if (a->opset > 0 && a->opset < ONNX_OPSET_INT8) {
        return error_set(err, ERR_ARG, "--opset %d: --precision int8 needs %d or more", a->opset,
                         ONNX_OPSET_INT8);
    }
    return OK;
}

/* nms_kind= of every head but plain IoU is only approached. */
static void say_other_nms(const struct model *model)
{
    const struct head_info *head = network_head(&model->net);
    if (nms_exponent(head->nms_kind, head->beta_nms) >= 0.0f) {
        log_warn("ONNX suppresses by plain IoU: the cfg's nms_kind= spares a few boxes whose "
                 "centres lie apart (--boxes decoded leaves that to you, by metadata nms)");
    }
}

static const char *way_word(enum image_way way)
{
    return way == IMAGE_LETTERBOX ? "letterbox" : way == IMAGE_CROP ? "crop" : "stretch";
}

static enum result export_model(const struct export_args *a, const struct model *model,
                                const char *path, struct error *err)
{
    int boxes = a->boxes == BOXES_NOT_GIVEN ? ONNX_BOXES_DECODED : a->boxes;
    const struct onnx_options options = {
        .opset = a->opset,
        .boxes = (enum onnx_boxes_form)boxes,
        .is_half = a->is_half,
        .quant = model->quant.layers ? &model->quant : NULL,
        .is_dynamic = a->is_dynamic,
        .confidence = is_given(a->confidence) ? a->confidence : 0.25f,
        .iou = is_given(a->iou) ? a->iou : 0.45f,
        .max_detections = a->max_detections > 0 ? a->max_detections : 300,
        .fit = way_word(infer_way(FIT_AS_CFG, &model->net)),
        .names = model->names,
        .name_count = model->name_count,
        .version = YOLO_VERSION};
    struct onnx_summary summary;
    TRY(onnx_export(&model->net, &options, path, &summary, err));
    if (model->head && boxes == ONNX_BOXES_NMS) {
        say_other_nms(model);
    }
    if (a->is_dynamic && summary.fixes_size) {
        log_warn("%s:%d: [%s] layer %d holds for one size of its input: only the number of images "
                 "is free",
                 summary.fixes_size->section->path, summary.fixes_size->section->line,
                 summary.fixes_size->section->name, summary.fixes_size->index);
    }
    log_info("%s: opset %d, %d nodes, input %dx%d%s%s", path, summary.opset, summary.nodes,
             model->net.size.w, model->net.size.h,
             a->is_half      ? ", half precision"
             : options.quant ? ", int8"
                             : "",
             summary.has_free_size ? " or any other" : "");
    return OK;
}

static enum result check_path(const char *path, const struct model *model, struct error *err)
{
    if (is_same_file(path, model->cfg_path) || is_same_file(path, model->weights_path) ||
        is_same_file(path, model->names_path)) {
        return error_set(err, ERR_ARG, "%s would overwrite an input (choose another name)", path);
    }
    return OK;
}

static enum result run_export(int argc, char **argv, int *status, struct error *err)
{
    (void)status;
    struct export_args args = {.boxes = BOXES_NOT_GIVEN, .confidence = -1, .iou = -1};
    struct model model = {0};
    const struct usage usage = {
        .command = "export",
        .arguments = "OUT.onnx",
        .about = about,
        .example = "yolo export my.onnx --run runs/train/exp",
        .groups = {{"Options", export_options, &args},
                   {"Model", model_options, &args.model},
                   {"Arithmetic", precision_options, &args.model}},
    };
    const char *path;
    bool done;
    TRY(options_parse_few(&usage, argc, argv, &path, 1, &done, err));
    if (done) {
        return OK;
    }
    if (!path) {
        return error_set(err, ERR_ARG, "export: OUT.onnx, the file to write, is missing");
    }
    if (!path_ends_in(path, ".onnx")) {
        return error_set(err, ERR_ARG, "%s: the file to write must end in .onnx", path);
    }
    enum model_need need = weights_are_none(args.model.weights) ? MODEL_ANY : MODEL_WHOLE;
    enum result result = model_open(&args.model, need, &model, err);
    if (result == OK) {
        result = check_flags(&args, &model, err);
    }
    if (result == OK) {
        result = check_path(path, &model, err);
    }
    if (result == OK) {
        result = model_load(&model, err);
    }
    if (result == OK) {
        result = export_model(&args, &model, path, err);
    }
    model_close(&model);
    return result;
}

const struct command cmd_export = {"export", "", "the network as an ONNX file", run_export};
