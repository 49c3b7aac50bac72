/* What `yolo export` writes, read back by protobuf-c: nodes, attributes, constants, types, outputs. That other programs
 * compute the same from it is tests/oracles/test_onnx.sh's. */
#include "test.h"

#if HAVE_ONNX

#include <unistd.h>

#include <onnx.pb-c.h>

#include "base/fileio.h"
#include "base/memory.h"
#include "exchange/half.h"
#include "exchange/onnx_export.h"
#include "exchange/onnx_graph.h"
#include "fixture.h"
#include "layers/batchnorm.h"

static char path[64];

static const struct onnx_options plain = {.boxes = ONNX_BOXES_DECODED,
                                          .fit = "stretch",
                                          .version = "1",
                                          .iou = .5f,
                                          .confidence = .25f,
                                          .max_detections = 10};

/* Every parameter another number, no variance below 0 but the first. */
static void number(struct network *net)
{
    float next = -0.5f;
    for (int i = 0; i < net->layer_count; i++) {
        for (int k = 0; k < net->layers[i].param_count; k++) {
            struct param *p = &net->layers[i].params[k];
            bool is_variance = strcmp(p->role, "rolling_variance") == 0;
            for (size_t v = 0; v < p->count; v++) {
                next = next > 0.5f ? -0.5f : next + 0.001f;
                p->data[v] = is_variance ? (v == 0 ? -1e-12f : 1.0f + next) : next;
            }
        }
    }
}

/* The model, or NULL; free with onnx__model_proto__free_unpacked. */
static Onnx__ModelProto *exported(struct fixture *f, const struct onnx_options *options)
{
    struct onnx_summary summary;
    char *bytes = NULL;
    size_t size;
    snprintf(path, sizeof path, "/tmp/test_onnx.%ld.onnx", (long)getpid());
    number(&f->net);
    Onnx__ModelProto *model = NULL;
    if (onnx_export(&f->net, options, path, &summary, &f->err) == OK &&
        file_read(path, 1 << 20, &bytes, &size, &f->err) == OK) {
        model = onnx__model_proto__unpack(NULL, size, (const uint8_t *)bytes);
    }
    mem_free(bytes);
    unlink(path);
    return model;
}

static const Onnx__NodeProto *node_of(const Onnx__ModelProto *m, const char *op, int which)
{
    for (size_t i = 0; i < m->graph->n_node; i++) {
        if (strcmp(m->graph->node[i]->op_type, op) == 0 && which-- == 0) {
            return m->graph->node[i];
        }
    }
    return NULL;
}

static size_t count_of(const Onnx__ModelProto *m, const char *op)
{
    size_t count = 0;
    while (node_of(m, op, (int)count)) {
        count++;
    }
    return count;
}

static const Onnx__TensorProto *constant_of(const Onnx__ModelProto *m, const char *name)
{
    for (size_t i = 0; i < m->graph->n_initializer; i++) {
        if (strcmp(m->graph->initializer[i]->name, name) == 0) {
            return m->graph->initializer[i];
        }
    }
    return NULL;
}

static bool has_ints(const Onnx__NodeProto *n, const char *name, size_t count,
                     const int64_t *values)
{
    for (size_t i = 0; n && i < n->n_attribute; i++) {
        const Onnx__AttributeProto *a = n->attribute[i];
        if (strcmp(a->name, name) == 0) {
            return a->n_ints == count && memcmp(a->ints, values, count * sizeof *values) == 0;
        }
    }
    return false;
}

/* Where a constant is a parameter's bytes, as a little-endian machine has them. */
static bool holds(const Onnx__TensorProto *t, const struct param *p)
{
    if (!t || t->data_type != ONNX_FLOAT || t->raw_data.len != p->count * sizeof(float)) {
        return false;
    }
    for (size_t i = 0; i < p->count; i++) {
        uint32_t bits = le32(t->raw_data.data + 4 * i);
        float value;
        memcpy(&value, &bits, sizeof value);
        if (value != p->data[i]) {
            return false;
        }
    }
    return true;
}

static bool output_is(const Onnx__ModelProto *m, size_t which, const char *name, size_t rank,
                      const int64_t *dims)
{
    const Onnx__ValueInfoProto *v = which < m->graph->n_output ? m->graph->output[which] : NULL;
    if (!v || strcmp(v->name, name) != 0 || v->type->tensor_type->elem_type != ONNX_FLOAT ||
        v->type->tensor_type->shape->n_dim != rank) {
        return false;
    }
    for (size_t i = 0; i < rank; i++) { /* below 0: free */
        const Onnx__TensorShapeProto__Dimension *d = v->type->tensor_type->shape->dim[i];
        bool is_fixed = d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
        if (dims[i] < 0 ? is_fixed : !is_fixed || d->dim_value != dims[i]) {
            return false;
        }
    }
    return true;
}

static const char *meta_of(const Onnx__ModelProto *m, const char *key)
{
    for (size_t i = 0; i < m->n_metadata_props; i++) {
        if (strcmp(m->metadata_props[i]->key, key) == 0) {
            return m->metadata_props[i]->value;
        }
    }
    return "";
}

/* Every input of every node is there before it: a constant, the image or an earlier node's output. Every output of the
 * model is made, and no name twice. */
static bool is_sound(const Onnx__ModelProto *m)
{
    const Onnx__GraphProto *g = m->graph;
    for (size_t i = 0; i < g->n_node; i++) {
        for (size_t k = 0; k < g->node[i]->n_input; k++) {
            const char *name = g->node[i]->input[k];
            bool is_there =
                !name[0] || constant_of(m, name) || strcmp(name, g->input[0]->name) == 0;
            for (size_t j = 0; j < i && !is_there; j++) {
                is_there = strcmp(g->node[j]->output[0], name) == 0;
            }
            if (!is_there) {
                printf("  %s reads %s, which is not there\n", g->node[i]->name, name);
                return false;
            }
        }
        for (size_t j = 0; j < i; j++) {
            if (strcmp(g->node[j]->output[0], g->node[i]->output[0]) == 0) {
                return false;
            }
        }
    }
    for (size_t i = 0; i < g->n_output; i++) {
        bool is_made = false;
        for (size_t j = 0; j < g->n_node; j++) {
            is_made = is_made || strcmp(g->node[j]->output[0], g->output[i]->name) == 0;
        }
        if (!is_made) {
            return false;
        }
    }
    return true;
}

static const char like_tiny[] =
    "[convolutional]\nbatch_normalize=1\nfilters=8\nsize=3\nstride=2\npad=1\nactivation=mish\n"
    "[maxpool]\nsize=2\nstride=2\n[maxpool]\nsize=2\nstride=1\n[maxpool]\nsize=5\nstride=1\n"
    "[route]\nlayers=-1,-2\ngroups=2\ngroup_id=1\n"
    "[convolutional]\nfilters=14\nsize=1\nactivation=linear\n"
    "[yolo]\nclasses=2\nnum=2\nanchors=4,6, 10.5,12\nscale_x_y=1.2\n";

static void detector(void)
{
    struct fixture f;
    CHECK(fixture_open(&f, 32, 32, 3, like_tiny));
    char *names[] = {"a \"cat\"", "b\xff"};
    struct onnx_options o = plain;
    o.names = names;
    o.name_count = 2;
    Onnx__ModelProto *m = exported(&f, &o);
    CHECK(m && is_sound(m));
    CHECK(m->ir_version == 6 && m->n_opset_import == 1 && m->opset_import[0]->version == 11);
    CHECK(output_is(m, 0, "output0", 3, (int64_t[]){1, 6, 2 * 8 * 8}));
    /* Windows of even size: no more behind than the last one reads; the second has its pixel there, apart. */
    CHECK(has_ints(node_of(m, "MaxPool", 0), "pads", 4, (int64_t[]){0, 0, 0, 0}));
    CHECK(has_ints(node_of(m, "MaxPool", 1), "pads", 4, (int64_t[]){0, 0, 0, 0}));
    CHECK(count_of(m, "Pad") == 1);
    CHECK(has_ints(node_of(m, "MaxPool", 2), "pads", 4, (int64_t[]){2, 2, 2, 2}));
    CHECK(count_of(m, "Mish") == 0 && count_of(m, "Softplus") == 1 && count_of(m, "Tanh") == 1);
    /* Batch norm stays as it is: the file has the network's own numbers. */
    const struct layer *first = &f.net.layers[0];
    CHECK(holds(constant_of(m, "layer_0_convolutional/weights"), layer_param(first, "weights")));
    CHECK(holds(constant_of(m, "layer_0_convolutional/scales"), layer_param(first, "scales")));
    CHECK(holds(constant_of(m, "layer_0_convolutional/rolling_mean"),
                layer_param(first, "rolling_mean")));
    const Onnx__TensorProto *variance = constant_of(m, "layer_0_convolutional/rolling_variance");
    CHECK(variance && le32(variance->raw_data.data) == 0); /* below zero counts as zero */
    CHECK(strcmp(meta_of(m, "names"), "{\"0\":\"a \\\"cat\\\"\",\"1\":\"b\xef\xbf\xbd\"}") == 0);
    CHECK(strcmp(meta_of(m, "imgsz"), "[32, 32]") == 0 && strcmp(meta_of(m, "stride"), "4") == 0);
    CHECK(strstr(meta_of(m, "heads"), "\"anchors\":[[4,6],[10.5,12]],\"scale_x_y\":1.2,"));
    CHECK(strcmp(meta_of(m, "nms"), "{\"overlap\":\"iou\"}") == 0);
    onnx__model_proto__free_unpacked(m, NULL);
    fixture_close(&f);
}

static void forms(void)
{
    struct fixture f;
    CHECK(fixture_open(&f, 32, 32, 3, like_tiny));
    struct onnx_options o = plain;
    o.boxes = ONNX_BOXES_RAW;
    o.opset = 18;
    Onnx__ModelProto *m = exported(&f, &o);
    CHECK(m && is_sound(m) && m->n_opset_import == 1 && m->opset_import[0]->version == 18);
    CHECK(output_is(m, 0, "head0", 4, (int64_t[]){1, 14, 8, 8}));
    CHECK(count_of(m, "Mish") == 1 && count_of(m, "Softplus") == 0 && count_of(m, "Exp") == 0);
    onnx__model_proto__free_unpacked(m, NULL);

    o = plain;
    o.boxes = ONNX_BOXES_NMS;
    m = exported(&f, &o);
    CHECK(m && is_sound(m) && output_is(m, 0, "detections", 2, (int64_t[]){-1, 7}));
    CHECK(count_of(m, "NonMaxSuppression") == 1);
    onnx__model_proto__free_unpacked(m, NULL);

    o = plain;
    o.is_dynamic = true;
    m = exported(&f, &o);
    CHECK(m && is_sound(m) && output_is(m, 0, "output0", 3, (int64_t[]){-1, 6, -1}));
    CHECK(count_of(m, "Pad") == 2 && count_of(m, "Range") == 1);
    onnx__model_proto__free_unpacked(m, NULL);
    fixture_close(&f);
}

/* Weights are folded and half as wide; what enters, leaves and makes boxes is not. */
static void half_precision(void)
{
    struct fixture f;
    CHECK(fixture_open(&f, 32, 32, 3, like_tiny));
    struct onnx_options o = plain;
    o.is_half = true;
    Onnx__ModelProto *m = exported(&f, &o);
    CHECK(m && is_sound(m));
    const Onnx__TensorProto *w = constant_of(m, "layer_0_convolutional/weights");
    CHECK(w && w->data_type == ONNX_HALF && w->raw_data.len == 2 * 8 * 27);
    CHECK(count_of(m, "BatchNormalization") == 0);
    CHECK(strcmp(node_of(m, "Cast", 0)->input[0], "images") == 0);
    const Onnx__TensorProto *anchors = constant_of(m, "layer_6_yolo/anchors");
    CHECK(anchors && anchors->data_type == ONNX_FLOAT);
    CHECK(output_is(m, 0, "output0", 3, (int64_t[]){1, 6, 128}));
    onnx__model_proto__free_unpacked(m, NULL);

    struct onnx_summary summary;
    f.net.layers[5].params[1].data[3] = 7e4f;
    CHECK(onnx_export(&f.net, &o, path, &summary, &f.err) == ERR_UNSUPPORTED);
    CHECK_MSG(strstr(f.err.text, "[convolutional] layer 5: 70000 is more than half"), "%s",
              f.err.text);
    CHECK(access(path, F_OK) != 0);
    fixture_close(&f);
}

/* Every kind and every activation gives a sound graph, in every set of operators. */
static void all_kinds(void)
{
    static const char *const nets[] = {
        "[convolutional]\nfilters=8\nsize=3\ndilation=2\npadding=1\ngroups=1\nactivation=gelu\n"
        "[convolutional]\nfilters=4\nsize=3\npadding=5\ndilation=3\nactivation=stair\n"
        "[deconvolutional]\nbatch_normalize=1\nfilters=4\nsize=4\nstride=2\npadding=1\nactivation=selu\n"
        "[batchnorm]\n[activation]\nactivation=normalize_channels_softmax\n[local_avgpool]\nsize=3\nstride=2\n"
        "[reorg3d]\nstride=1\n[upsample]\nstride=2\nscale=.5\n[maxpool]\nmaxpool_depth=1\nout_channels=3\n"
        "[dropout]\n[softmax]\nspatial=1\n",
        "[crop]\ncrop_height=12\ncrop_width=12\n[convolutional]\nfilters=8\nactivation=normalize_channels\n"
        "[reorg]\nstride=2\n[convolutional]\nfilters=6\nactivation=elu\n"
        "[shortcut]\nfrom=-2\nweights_type=per_channel\nweights_normalization=softmax\nactivation=plse\n"
        "[convolutional]\nfilters=9\nactivation=lhtan\n[shortcut]\nfrom=-2\nactivation=hardtan\n"
        "[avgpool]\n[scale_channels]\nfrom=-2\n[sam]\nfrom=-1\nactivation=hard_mish\n"
        "[connected]\noutput=5\nactivation=ramp\nbatch_normalize=1\n[softmax]\ntemperature=2\n[cost]\n",
        ("[convolutional]\nfilters=18\nactivation=loggy\n[Gaussian_yolo]\nclasses=9\nnum=1\nanchors=3,4\n"
         "yolo_point=left_top\nclass_range=2,5\n")};
    for (int net = 0; net < 3; net++) {
        for (int opset = ONNX_OPSET_LEAST; opset <= ONNX_OPSET_MOST; opset++) {
            struct fixture f;
            CHECK_MSG(fixture_open(&f, 16, 16, 3, nets[net]), "%s", f.err.text);
            struct onnx_options o = plain;
            o.opset = opset;
            o.is_dynamic = opset % 2;
            Onnx__ModelProto *m = exported(&f, &o);
            CHECK_MSG(m && is_sound(m), "net %d, opset %d: %s", net, opset, f.err.text);
            onnx__model_proto__free_unpacked(m, NULL);
            fixture_close(&f);
        }
    }
    for (int act = 0; act < ACT_COUNT; act++) {
        struct fixture f;
        char text[128];
        snprintf(text, sizeof text, "[convolutional]\nactivation=%s\n",
                 activation_name((enum activation)act));
        CHECK(fixture_open(&f, 4, 4, 3, text));
        Onnx__ModelProto *m = exported(&f, &plain);
        CHECK_MSG(m && is_sound(m) && (act == ACT_LINEAR) == (m->graph->n_node == 1), "%s", text);
        onnx__model_proto__free_unpacked(m, NULL);
        fixture_close(&f);
    }
}

/* What is not on the way to an output is not in the file; size-bound layers leave the batch free. */
static void parts(void)
{
    struct fixture f;
    CHECK(fixture_open(&f, 16, 16, 3,
                       "[convolutional]\nfilters=7\nactivation=linear\n[yolo]\nclasses=2\nnum=1\n"
                       "anchors=3,4\n[route]\nlayers=0\n[avgpool]\n"));
    Onnx__ModelProto *m = exported(&f, &plain);
    CHECK(m && is_sound(m) && count_of(m, "GlobalAveragePool") == 0);
    onnx__model_proto__free_unpacked(m, NULL);
    fixture_close(&f);

    CHECK(fixture_open(&f, 16, 16, 3,
                       "[connected]\noutput=5\nactivation=leaky\n[softmax]\n[cost]\n"));
    struct onnx_options o = plain;
    o.is_dynamic = true;
    m = exported(&f, &o);
    CHECK(m && is_sound(m) && output_is(m, 0, "output0", 2, (int64_t[]){-1, 5}));
    CHECK(m->graph->input[0]->type->tensor_type->shape->dim[2]->dim_value == 16);
    CHECK(strcmp(meta_of(m, "task"), "classify") == 0);
    onnx__model_proto__free_unpacked(m, NULL);
    fixture_close(&f);
}

static void too_large(void)
{
    /* Only lengths are looked at, but where the bytes have to be turned round first. */
    if (__BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__) {
        SKIP("2 GB of numbers would be needed on this processor");
    }
    snprintf(path, sizeof path, "/tmp/test_onnx.%ld.onnx", (long)getpid());
    struct error err = {0};
    struct onnx_graph *g = onnx_make(11);
    static const float nothing[1] = {0};
    onnx_scope(g, "s");
    onnx_floats(g, "weights", nothing, (int64_t[]){1 << 15, 1 << 14}, 2);
    CHECK(onnx_write(g, path, "1", &err) == ERR_UNSUPPORTED);
    CHECK_MSG(strstr(err.text, "2.15 GB: an ONNX file holds at most 2 GB"), "%s", err.text);
    CHECK(access(path, F_OK) != 0);
    onnx_free(g);
}

/* ---- on bytes ---- */

static const char on_bytes[] =
    "[convolutional]\nbatch_normalize=1\nfilters=8\nsize=3\nstride=2\npad=1\nactivation=relu\n"
    "[convolutional]\nbatch_normalize=1\nfilters=8\nsize=3\npad=1\nactivation=leaky\n"
    "[maxpool]\nsize=2\nstride=2\n"
    "[convolutional]\nfilters=8\nsize=1\nactivation=linear\n"
    "[shortcut]\nfrom=-2\nactivation=linear\n"
    "[convolutional]\nfilters=14\nsize=1\nactivation=linear\n"
    "[yolo]\nclasses=2\nnum=2\nanchors=4,6, 10.5,12\n";

/* Layers 1 and 3 on bytes. */
static void quantise(struct fixture *f, struct quantization *q)
{
    CHECK_OK(quant_allocate(q, f->net.layer_count, &f->err));
    q->network = quant_network_hash(&f->net);
    q->weights = quant_weights_hash(&f->net);
    for (int i = 0; i < 6; i++) {
        struct quant_layer *l = &q->layers[i];
        l->is_int8 = i == 1 || i == 3;
        CHECK_OK(quant_need_channels(l, f->net.layers[i].out.c, &f->err));
        for (int c = 0; c < l->channels; c++) {
            l->steps[c] = 0.01f * (float)(c + 1);
            l->zeros[c] = (uint8_t)(10 * i + c);
            l->bias[c] = 0.25f;
        }
    }
    CHECK_OK(quant_check(q, &f->net, "q.int8", &f->err));
}

static float le_float(const Onnx__TensorProto *t, size_t i)
{
    uint32_t bits = le32(t->raw_data.data + 4 * i);
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Whole numbers times their scale are the weights, times the batch norm's scale, in steps of the input. */
static void check_weights(const struct fixture *f, const Onnx__ModelProto *m,
                          const struct quantization *q)
{
    const struct layer *l = &f->net.layers[1];
    const Onnx__TensorProto *w = constant_of(m, "layer_1_convolutional/weights");
    const Onnx__TensorProto *steps = constant_of(m, "layer_1_convolutional/weight_steps");
    const Onnx__TensorProto *biases = constant_of(m, "layer_1_convolutional/biases");
    float scale[8], shift[8];
    int negative = 0;
    batchnorm_fold(l, scale, shift);
    CHECK(w && w->data_type == ONNX_INT8 && w->raw_data.len == 8 * 8 * 9);
    CHECK(steps && steps->raw_data.len == 32 && biases && biases->raw_data.len == 32);
    for (size_t i = 0; i < 8 * 8 * 9; i++) {
        size_t k = i / 72, c = i / 9 % 8;
        float exact = scale[k] * layer_param(l, "weights")->data[i] * q->layers[0].steps[c];
        float step = le_float(steps, k);
        CHECK(step > 0.0f &&
              fabsf((float)(int8_t)w->raw_data.data[i] * step - exact) <= 1.001f * step);
        negative += scale[k] < 0.0f;
    }
    CHECK(negative > 0);
    for (size_t k = 0; k < 8; k++) {
        CHECK_NEAR(le_float(biases, k), shift[k] + 0.25f, 1e-6);
    }
}

static void bytes(void)
{
    struct fixture f;
    struct quantization q = {0};
    struct onnx_options o = plain;
    CHECK(fixture_open(&f, 32, 32, 3, on_bytes));
    number(&f.net);
    quantise(&f, &q);
    o.quant = &q;
    Onnx__ModelProto *m = exported(&f, &o);
    CHECK(m && is_sound(m) && m->opset_import[0]->version == 13);
    CHECK(count_of(m, "QuantizeLinear") == 4);   /* layers 0, 1, 3, 4 */
    CHECK(count_of(m, "DequantizeLinear") == 6); /* 0, 1 in steps, 3, 4 as values, two of weights */
    for (int i = 0; i < 4; i++) {
        const Onnx__NodeProto *n = node_of(m, "QuantizeLinear", i);
        const Onnx__TensorProto *zeros = constant_of(m, n->input[2]);
        CHECK(n->n_input == 3 && n->n_attribute == 1 && n->attribute[0]->i == 1);
        CHECK(zeros && zeros->data_type == ONNX_UINT8 && zeros->raw_data.len == 8);
    }
    check_weights(&f, m, &q);
    const Onnx__TensorProto *last = constant_of(m, "layer_5_convolutional/biases");
    CHECK(last && fabsf(le_float(last, 3) - layer_param(&f.net.layers[5], "biases")->data[3] -
                        0.25f) < 1e-6f); /* fp32, and corrected, too */
    CHECK(strcmp(meta_of(m, "precision"), "int8") == 0);
    onnx__model_proto__free_unpacked(m, NULL);
    quant_free(&q);
    fixture_close(&f);
}

static void runs_out_of_memory(struct fixture *f, const struct onnx_options *o)
{
    struct onnx_summary summary;
    enum result result = ERR_MEMORY;
    int tries = 0;
    for (; result != OK && tries < 1000; tries++) {
        mem_fail_after(tries);
        result = onnx_export(&f->net, o, path, &summary, &f->err);
        mem_fail_after(-1);
        CHECK_MSG(result == OK || (result == ERR_MEMORY && access(path, F_OK) != 0), "%d: %s",
                  tries, f->err.text);
    }
    CHECK(result == OK && tries > 10);
    unlink(path);
}

static void without_memory(void)
{
    struct fixture f;
    struct quantization q = {0};
    struct onnx_options o = plain;
    CHECK(fixture_open(&f, 32, 32, 3, on_bytes));
    number(&f.net);
    quantise(&f, &q);
    o.boxes = ONNX_BOXES_NMS;
    o.is_half = true;
    runs_out_of_memory(&f, &o);
    o.is_half = false;
    o.quant = &q;
    runs_out_of_memory(&f, &o);
    quant_free(&q);
    fixture_close(&f);
}

static void halves(void)
{
    static const struct {
        float value;
        uint16_t half;
    } known[] = {{0, 0},
                 {-0.0f, 0x8000},
                 {1, 0x3c00},
                 {-2, 0xc000},
                 {65504, 0x7bff},
                 {65520, 0x7c00},
                 {65519, 0x7bff},
                 {1e9f, 0x7c00},
                 {0x1p-14f, 0x400},
                 {0x1p-24f, 1},
                 {0x1p-25f, 0},
                 {0x3p-25f, 2},
                 {1.0f + 0x1p-11f, 0x3c00},
                 {1.0f + 0x3p-11f, 0x3c02},
                 {0.1f, 0x2e66},
                 {0x1p-14f - 0x1p-26f, 0x400}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        CHECK_MSG(half_from_float(known[i].value) == known[i].half, "%g: %04x",
                  (double)known[i].value, half_from_float(known[i].value));
    }
    for (unsigned h = 0; h < 0x10000; h++) { /* every half is a float, and comes back */
        float value = half_to_float((uint16_t)h);
        CHECK(isnan(value) ? (h & 0x7c00) == 0x7c00 && (h & 0x3ff) : half_from_float(value) == h);
    }
    CHECK(bfloat_to_float(0x3fc0) == 1.5f);
}

static const struct test_case cases[] = {
    {"detector", detector},   {"forms", forms},
    {"bytes", bytes},         {"half_precision", half_precision},
    {"all_kinds", all_kinds}, {"parts", parts},
    {"too_large", too_large}, {"without_memory", without_memory},
    {"halves", halves},
};

#else

static void onnx(void)
{
    SKIP("this build is without ONNX (no protoc-c, or no onnx.proto)");
}

static const struct test_case cases[] = {{"onnx", onnx}};

#endif

TEST_MAIN(cases)
