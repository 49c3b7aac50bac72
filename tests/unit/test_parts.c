/* Backbone, neck and heads of every published network, and of small graphs made for the rule's
 * corners. */
#include "net/backbone.h"
#include "base/memory.h"
#include "capture.h"
#include "train/freeze.h"
#include "fixture.h"

static struct error err;

/* Where the authors of each network end its backbone: the last layer of the published classifier
 * or, where there is none, of the last block before the pyramid pooling or the branching (see
 * net/backbone.h). */
static const struct {
    const char *path;
    int backbone_last;
} own[] =
    {
        {"cfg/yolov4.cfg", 104},       {"cfg/yolov4-tiny.cfg", 28}, {"cfg/yolov4-tiny-3l.cfg", 28},
        {"cfg/yolov3.cfg", 74},        {"cfg/yolov3-tiny.cfg", 14}, {"cfg/yolov4-csp.cfg", 98},
        {"cfg/yolov4x-mish.cfg", 116}, {"cfg/yolov4-p5.cfg", 158},  {"cfg/tabletop.cfg", 46},
},
  shared[] = {
      {"reference/cfg/csresnext50-panet-spp.cfg", 80},
      {"reference/cfg/enet-coco.cfg", 134},
      {"reference/cfg/yolov2-tiny.cfg", 13},
      {"reference/cfg/yolov2.cfg", 24},
      {"reference/cfg/yolov3-spp.cfg", 74},
      {"reference/cfg/yolov4-csp-swish.cfg", 98},
      {"reference/cfg/yolov4-custom.cfg", 104},
      {"reference/cfg/yolov4-p6.cfg", 186},
      {"reference/cfg/yolov7-tiny.cfg", 32},
      {"reference/cfg/yolov7.cfg", 57},
      {"weights/mobilenetv2-yolo-fastest-voc/MobileNetV2-YOLO-Fastest-voc-v2.cfg", 67},
      {"weights/mobilenetv2-yolo-fastest-voc/MobileNetV2-YOLO-Fastest-voc.cfg", 57},
      {"weights/mobilenetv2-yolov3-nano/MobileNetV2-YOLOv3-Nano-coco.cfg", 57},
      {"weights/mobilenetv2-yolov3-nano/MobileNetV2-YOLOv3-Nano-voc.cfg", 57},
      {"weights/yolo-fastest-1.0-coco/yolo-fastest-xl.cfg", 108},
      {"weights/yolo-fastest-1.0-coco/yolo-fastest.cfg", 108},
      {"weights/yolo-fastest-1.1-body/yolo-fastest-1.1_body.cfg", 108},
      {"weights/yolo-fastest-1.1-coco/yolo-fastest-1.1-xl.cfg", 108},
      {"weights/yolo-fastest-1.1-coco/yolo-fastest-1.1.cfg", 108},
      {"weights/yolo-lite/coco-trial6.cfg", 10},
      {"weights/yolo-lite/tiny-yolov2-trial5.cfg", 6},
      {"weights/yoloface/yoloface-500k-v2.cfg", 67},
      {"weights/yoloface/yoloface-500k.cfg", 57},
      {"weights/yoloface/yoloface-50k.cfg", 29},
      {"weights/yolov4-tiny-pot/yolov4-tiny-custom.cfg", 28},
};

/* In all of them a head is one convolution and the detection layer right behind it. */
static void check_published(const char *path, int backbone_last)
{
    struct network net = {0};
    log_set_level(LOG_QUIET);
    CHECK_MSG(network_read(path, 0, 0, &net, &err) == OK, "%s", err.text);
    enum net_part *parts = mem_alloc((size_t)net.layer_count, sizeof *parts);
    CHECK(parts);
    CHECK_MSG(parts_find(&net, parts, &err) == OK, "%s", err.text);
    for (int i = 0; i < net.layer_count; i++) {
        bool is_head =
            net.layers[i].ops->head || (i + 1 < net.layer_count && net.layers[i + 1].ops->head);
        enum net_part want = is_head ? PART_HEAD : i <= backbone_last ? PART_BACKBONE : PART_NECK;
        CHECK_MSG(parts[i] == want, "%s: layer %d is %s, expected %s", path, i,
                  part_names[parts[i]], part_names[want]);
    }
    mem_free(parts);
    network_free(&net);
}

static void test_own(void)
{
    for (size_t i = 0; i < sizeof own / sizeof *own && !test_failed; i++) {
        check_published(own[i].path, own[i].backbone_last);
    }
}

static void test_shared(void)
{
    size_t missing = 0;
    for (size_t i = 0; i < sizeof shared / sizeof *shared && !test_failed; i++) {
        char path[1024];
        if (shared_path(shared[i].path, path, sizeof path)) {
            check_published(path, shared[i].backbone_last);
        } else {
            missing++;
        }
    }
    if (missing > 0) {
        SKIP("published cfg files are not there (YOLO_SHARED)");
    }
}

#define CONV(filters, stride)                                                                      \
    "[convolutional]\nfilters=" #filters "\nsize=3\npad=1\nstride=" #stride "\nactivation=leaky\n"
#define YOLO                                                                                       \
    "[convolutional]\nfilters=6\nsize=1\nactivation=linear\n"                                      \
    "[yolo]\nclasses=1\nnum=1\nmask=0\nanchors=3,4\n"
#define ROUTE(layers) "[route]\nlayers=" layers "\n"

/* One letter a layer: b, n, h. */
static void check_graph(const char *sections, const char *want)
{
    struct fixture f;
    enum net_part parts[64];
    char got[65] = "";
    CHECK_MSG(fixture_open(&f, 32, 32, 3, sections), "%s", f.err.text);
    CHECK(f.net.layer_count <= 64);
    CHECK_OK(parts_find(&f.net, parts, &err));
    for (int i = 0; i < f.net.layer_count; i++) {
        got[i] = part_names[parts[i]][0];
        got[i + 1] = 0;
    }
    CHECK_MSG(strcmp(got, want) == 0, "got %s, expected %s", got, want);
    fixture_close(&f);
}

static void test_plain(void)
{
    check_graph(CONV(4, 2) CONV(4, 2) YOLO, "bbhh");
}

/* Plain convolutions behind a residual block of the coarsest grid are neck; one behind a
 * concatenation closes it. */
static void test_blocks(void)
{
    check_graph(CONV(4, 2) CONV(4, 1) "[shortcut]\nfrom=-2\n" CONV(4, 1) YOLO, "bbbnhh");
    check_graph(CONV(4, 2) CONV(4, 1) ROUTE("-1,-2") CONV(4, 1) CONV(4, 1) YOLO, "bbbbnhh");
    /* a block on a finer grid decides nothing */
    check_graph(CONV(4, 2) CONV(4, 1) "[shortcut]\nfrom=-2\n" CONV(4, 2) CONV(4, 1) YOLO,
                "bbbbbhh");
}

static void test_pyramid_pooling(void)
{
    check_graph(CONV(4, 2) CONV(4, 2) "[maxpool]\nsize=5\nstride=1\n" ROUTE("-1,-2") CONV(4, 1)
                    YOLO,
                "bbnnnhh");
}

/* The averages of a squeeze-and-excitation gate are no grid. */
static void test_gate(void)
{
    check_graph(CONV(4, 2)
                    CONV(4, 2) "[avgpool]\n" CONV(4, 1) "[scale_channels]\nfrom=-3\n" CONV(4, 2)
                        YOLO,
                "bbbbbbhh");
}

static void test_passthrough(void)
{
    check_graph(CONV(4, 2) CONV(4, 2) ROUTE("-2") "[reorg]\nstride=2\n" ROUTE("-1,-3") CONV(4, 1)
                    YOLO,
                "bbnnnnhh");
    /* a stem that folds the image into channels is none */
    check_graph(CONV(4, 1) "[reorg]\nstride=2\n" CONV(4, 2) YOLO, "bbbhh");
}

static void test_heads(void)
{
    /* a head on the way: the backbone goes on behind it */
    check_graph(CONV(4, 2) YOLO ROUTE("0") CONV(4, 2) YOLO, "bhhbbhh");
    /* a prediction that others read, too, is no head's own */
    check_graph(CONV(4, 2) YOLO ROUTE("1") "[upsample]\nstride=2\n" YOLO, "bbhnnhh");
    /* parameterless layers between prediction and head belong to it */
    check_graph(CONV(4, 2) CONV(6, 1) "[activation]\nactivation=linear\n"
                                      "[yolo]\nclasses=1\nnum=1\nmask=0\nanchors=3,4\n",
                "bhhh");
}

static void test_classifier(void)
{
    struct fixture f;
    enum net_part parts[8];
    CHECK(fixture_open(&f, 32, 32, 3, CONV(4, 2) "[avgpool]\n[softmax]\n"));
    CHECK(parts_find(&f.net, parts, &err) == ERR_CFG);
    CHECK_MSG(strstr(err.text, "t.cfg: no [yolo]"), "%s", err.text);
    fixture_close(&f);
}

/* The stages of a run are compared as text: a set must not lose its name in silence. */
static void test_names(void)
{
    struct fixture f;
    bool frozen[3] = {true, false, false};
    char text[64];
    CHECK(fixture_open(&f, 16, 16, 3,
                       "[convolutional]\nfilters=4\nsize=3\nstride=2\npad=1\nactivation=leaky\n"
                       "[convolutional]\nfilters=6\nsize=1\nactivation=linear\n"
                       "[yolo]\nmask=0\nanchors=4,4\nnum=1\nclasses=1\n"));
    CHECK(freeze_describe(&f.net, frozen, text, sizeof text));
    CHECK_MSG(strcmp(text, "0 (backbone)") == 0, "%s", text);
    for (long k = 0; k < 2; k++) {
        mem_fail_after(k);
        bool is_whole = freeze_describe(&f.net, frozen, text, sizeof text);
        mem_fail_after(-1);
        CHECK_MSG(!is_whole && strcmp(text, "0") == 0, "%s", text);
    }
    fixture_close(&f);
}

static const struct test_case cases[] = {
    {"own", test_own},
    {"shared", test_shared},
    {"plain", test_plain},
    {"blocks", test_blocks},
    {"pyramid_pooling", test_pyramid_pooling},
    {"gate", test_gate},
    {"passthrough", test_passthrough},
    {"heads", test_heads},
    {"classifier", test_classifier},
    {"names", test_names},
};
TEST_MAIN(cases)
