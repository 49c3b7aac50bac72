/* Networks from cfg text: sizes and counts of known networks, settings, and what is refused and
 * how. */
#include "net/network.h"

#include <stdint.h>

#include "base/memory.h"
#include "capture.h"
#include "test.h"

static struct error err;

static enum result parse(const char *text, struct network *net)
{
    err = (struct error){0};
    *net = (struct network){0};
    return network_parse("a.cfg", text, strlen(text), 0, 0, net, &err);
}

/* Facts of known networks: darknet-spec section 11, and the file sizes of published weights. */
struct facts {
    const char *path;
    int width, height, layers;
    size_t floats, trainable; /* 0: unknown */
    double gflop;             /* 0: unknown */
    int heads[5];             /* layer numbers + 1, 0 ends */
};

static const struct facts own_facts[] = {
    {"cfg/yolov4.cfg", 608, 608, 162, 64429405, 64363101, 128.459, {140, 151, 162}},
    {"cfg/yolov4-tiny.cfg", 416, 416, 38, 6062814, 6056606, 6.910, {31, 38}},
    {"cfg/yolov4-tiny-3l.cfg", 608, 608, 45, 6334045, 6327453, 17.741, {31, 38, 45}},
    {"cfg/yolov4-csp.cfg", 512, 512, 175, 52986205, 52921437, 77.003, {145, 160, 175}},
    {"cfg/yolov4x-mish.cfg", 640, 640, 203, 99847037, 99751053, 221.986, {169, 186, 203}},
    {"cfg/yolov4-p5.cfg", 896, 896, 244, 70917468, 70830684, 326.809, {236, 240, 244}},
    {"cfg/yolov3.cfg", 416, 416, 107, 62001757, 61949149, 65.879, {83, 95, 107}},
    {"cfg/yolov3-tiny.cfg", 416, 416, 24, 8858734, 8852366, 5.571, {17, 24}},
};

static const struct facts value_facts[] = {
    {"cfg/mnist.cfg", 28, 28, 9, 33882, 33658, 0, {0}},
    {"cfg/mnist-dense.cfg", 28, 28, 6, 109962, 109578, 0, {0}},
    {"cfg/mnist-encoder.cfg", 28, 28, 23, 213306, 212602, 0, {0}},
    {"cfg/mnist-autoencoder.cfg", 28, 28, 24, 194753, 193825, 0, {0}},
};

/* Our own design: its weights must stay within 4,000,000 bytes to lie in the repository. */
static const struct facts bundled_facts = {"cfg/tabletop.cfg", 320, 320, 87, 998154, 991786, 0.776,
                                           {73, 80, 87}};

#define CFG "reference/cfg/"
#define FASTEST "weights/yolo-fastest-1."
#define MOBILE "weights/mobilenetv2-yolo"
static const struct facts shared_facts[] = {
    {CFG "yolov4.cfg", 608, 608, 162, 64429405, 64363101, 128.459, {140, 151, 162}},
    {CFG "yolov4-custom.cfg", 608, 608, 162, 64429405, 64363101, 128.459, {140, 151, 162}},
    {CFG "yolov4-tiny.cfg", 416, 416, 38, 6062814, 6056606, 6.910, {31, 38}},
    {CFG "yolov4-tiny-3l.cfg", 608, 608, 45, 6334045, 6327453, 17.741, {31, 38, 45}},
    {CFG "yolov4-csp.cfg", 512, 512, 175, 52986205, 52921437, 77.003, {145, 160, 175}},
    {CFG "yolov4-csp-swish.cfg", 640, 640, 176, 52986205, 52921437, 120.317, {168, 172, 176}},
    {CFG "yolov4x-mish.cfg", 640, 640, 203, 99847037, 99751053, 221.986, {169, 186, 203}},
    {CFG "yolov4-p5.cfg", 896, 896, 244, 70917468, 70830684, 326.809, {236, 240, 244}},
    {CFG "yolov4-p6.cfg", 1280, 1280, 305, 127717040, 127585200, 717.190, {293, 297, 301, 305}},
    {CFG "yolov3.cfg", 416, 416, 107, 62001757, 61949149, 65.879, {83, 95, 107}},
    {CFG "yolov3-spp.cfg", 608, 608, 114, 63052381, 62998749, 141.531, {90, 102, 114}},
    {CFG "yolov3-tiny.cfg", 416, 416, 24, 8858734, 8852366, 5.571, {17, 24}},
    {CFG "yolov2.cfg", 416, 416, 32, 50983561, 50962889, 29.475, {32}},
    {CFG "yolov2-tiny.cfg", 416, 416, 16, 11237145, 11232057, 5.412, {16}},
    {CFG "yolov7.cfg", 640, 640, 143, 36974557, 36928413, 104.580, {135, 139, 143}},
    {CFG "yolov7-tiny.cfg", 416, 416, 99, 6241885, 6227101, 5.802, {91, 95, 99}},
    {CFG "enet-coco.cfg", 416, 416, 146, 4808270, 4770414, 3.731, {137, 146}},
    {CFG "csresnext50-panet-spp.cfg", 512, 512, 138, 57030845, 56942525, 71.344, {116, 127, 138}},
    {CFG "darknet19.cfg", 224, 224, 27, 20856776, 0, 5.585, {0}},
    {CFG "darknet53.cfg", 256, 256, 78, 41645640, 0, 18.576, {0}},
    {CFG "cifar.cfg", 32, 32, 19, 7687050, 0, 1.625, {0}},
    {FASTEST "0-coco/yolo-fastest.cfg", 320, 320, 126, 356406, 0, 0, {116, 126}},
    {FASTEST "0-coco/yolo-fastest-xl.cfg", 320, 320, 126, 912686, 0, 0, {116, 126}},
    {FASTEST "1-coco/yolo-fastest-1.1.cfg", 320, 320, 131, 346062, 0, 0, {122, 131}},
    {FASTEST "1-coco/yolo-fastest-1.1-xl.cfg", 320, 320, 131, 923486, 0, 0, {122, 131}},
    {FASTEST "1-body/yolo-fastest-1.1_body.cfg", 320, 320, 131, 294396, 0, 0, {122, 131}},
    {MOBILE "-fastest-voc/MobileNetV2-YOLO-Fastest-voc.cfg", 320, 320, 80, 191214, 0, 0, {70, 80}},
    {MOBILE "-fastest-voc/MobileNetV2-YOLO-Fastest-voc-v2.cfg",
     320,
     320,
     88,
     209864,
     0,
     0,
     {74, 88}},
    {MOBILE "v3-nano/MobileNetV2-YOLOv3-Nano-coco.cfg", 320, 320, 80, 891070, 0, 0, {70, 80}},
    {MOBILE "v3-nano/MobileNetV2-YOLOv3-Nano-voc.cfg", 320, 320, 80, 769750, 0, 0, {70, 80}},
    {"weights/yoloface/yoloface-50k.cfg", 56, 56, 34, 11248, 0, 0, {34}},
    {"weights/yoloface/yoloface-500k.cfg", 320, 256, 82, 130140, 0, 0, {66, 74, 82}},
    {"weights/yoloface/yoloface-500k-v2.cfg", 352, 288, 96, 104624, 0, 0, {72, 84, 96}},
    {"weights/yolov4-tiny-pot/yolov4-tiny-custom.cfg", 416, 416, 38, 50328, 0, 0, {31, 38}},
    {"weights/yolo-lite/tiny-yolov2-trial5.cfg", 224, 224, 9, 17260, 0, 0, {9}},
    {"weights/yolo-lite/coco-trial6.cfg", 224, 224, 13, 649417, 0, 0, {13}},
};

static void check_facts(const char *path, const struct facts *f)
{
    struct network net = {0};
    capture_begin();
    enum result result = network_read(path, 0, 0, &net, &err);
    capture_end();
    CHECK_MSG(result == OK, "%s", err.text);
    bool is_crop = strstr(captured, "[crop] flip is not built here") && /* cifar's */
                   strchr(captured, '\n') == strrchr(captured, '\n');
    CHECK_MSG(captured[0] == 0 || is_crop, "%s: warnings: %s", path, captured);
    CHECK_MSG(net.size.w == f->width && net.size.h == f->height, "%s: %d x %d", path, net.size.w,
              net.size.h);
    CHECK_MSG(net.layer_count == f->layers, "%s: %d layers", path, net.layer_count);
    size_t trainable, floats = network_param_floats(&net, net.layer_count, &trainable);
    CHECK_MSG(floats == f->floats, "%s: %zu floats", path, floats);
    CHECK_MSG(f->trainable == 0 || trainable == f->trainable, "%s: %zu trainable", path, trainable);
    double gflop = network_flops(&net) / 1e9;
    CHECK_MSG(f->gflop == 0 || fabs(gflop - f->gflop) <= 0.0005001, "%s: %.6f GFLOP", path, gflop);
    int heads = 0;
    for (int i = 0; i < net.layer_count; i++) {
        if (net.layers[i].ops->head) {
            CHECK_MSG(heads < 5 && f->heads[heads] == i + 1, "%s: head at %d", path, i);
            heads++;
        }
    }
    CHECK_MSG(heads == 5 || f->heads[heads] == 0, "%s: %d heads", path, heads);
    CHECK((network_head(&net) != NULL) == (heads > 0));
    network_free(&net);
}

static void test_own_facts(void)
{
    for (size_t i = 0; i < sizeof own_facts / sizeof *own_facts && !test_failed; i++) {
        check_facts(own_facts[i].path, &own_facts[i]);
    }
    for (size_t i = 0; i < sizeof value_facts / sizeof *value_facts && !test_failed; i++) {
        check_facts(value_facts[i].path, &value_facts[i]);
    }
    check_facts(bundled_facts.path, &bundled_facts);
}

static void test_shared_facts(void)
{
    size_t count = sizeof shared_facts / sizeof *shared_facts, missing = 0;
    for (size_t i = 0; i < count && !test_failed; i++) {
        char path[1024];
        if (shared_path(shared_facts[i].path, path, sizeof path)) {
            check_facts(path, &shared_facts[i]);
        } else {
            missing++;
        }
    }
    if (missing > 0) {
        SKIP("published cfg files are not there (YOLO_SHARED)");
    }
}

static void check_same_section(const char *path, struct cfg_section *a, struct cfg_section *b)
{
    CHECK_MSG(strcmp(a->name, b->name) == 0, "%s:%d: [%s] / [%s]", path, a->line, a->name, b->name);
    CHECK_MSG(a->option_count == b->option_count, "%s:%d: %zu keys / %zu", path, a->line,
              a->option_count, b->option_count);
    for (size_t i = 0; i < a->option_count; i++) {
        const char *value = cfg_string(b, a->options[i].key, NULL);
        CHECK_MSG(value && strcmp(value, a->options[i].value) == 0, "%s:%d: %s: %s / %s", path,
                  a->options[i].line, a->options[i].key, a->options[i].value,
                  value ? value : "missing");
    }
}

/* The project's cfg files describe the published networks, key for key. */
static void test_own_equal_published(void)
{
    for (size_t i = 0; i < sizeof own_facts / sizeof *own_facts; i++) {
        char path[1024], name[256];
        snprintf(name, sizeof name, "reference/%s", own_facts[i].path);
        if (!shared_path(name, path, sizeof path)) {
            SKIP("published cfg files are not there (YOLO_SHARED)");
        }
        struct cfg own, published;
        CHECK_OK(cfg_read(own_facts[i].path, &own, &err));
        CHECK_OK(cfg_read(path, &published, &err));
        CHECK_MSG(own.section_count == published.section_count, "%s", own_facts[i].path);
        for (size_t s = 0; s < own.section_count && !test_failed; s++) {
            check_same_section(own_facts[i].path, &own.sections[s], &published.sections[s]);
        }
        cfg_free(&own);
        cfg_free(&published);
    }
}

static const char small[] = "[net]\nwidth=64\nheight=32\nchannels=3\n"
                            "[convolutional]\nfilters=8\nsize=3\nstride=2\npad=1\n"
                            "batch_normalize=1\nactivation=leaky\n"
                            "[convolutional]\nfilters=18\nsize=1\nactivation=linear\n"
                            "[yolo]\nclasses=1\nnum=3\nmask=0,1,2\n"
                            "anchors=1,2,3,4,5,6\nnms_kind=diounms\nbeta_nms=0.7\n";

static void test_options(void)
{
    struct network net;
    CHECK_OK(parse("[network]\nwidth=64\nheight=32\nchannels=1\nbatch=8\nsubdivisions=2\n"
                   "letter_box=1\nmomentum=.5\npolicy=steps\nsteps=10,20\nscales=.1,.2\n"
                   "max_batches=99\nflip=0\nadam=1\nB1=.8\nloss_scale=128\nmax_crop=5\n"
                   "[convolutional]\ntrainable=0\nstopbackward=800\nlearning_rate=.5\nclip=1\n"
                   "train_only_bn=1\nactivation=linear\n[convolutional]\nactivation=linear\n",
                   &net));
    const struct net_options *o = &net.options;
    CHECK(o->width == 64 && o->height == 32 && o->channels == 1);
    CHECK(o->batch == 8 && o->subdivisions == 2 && o->letter_box && !o->flip && o->adam);
    CHECK_NEAR(o->momentum, .5, 0);
    CHECK_NEAR(o->decay, .0001f, 0);
    CHECK_NEAR(o->learning_rate, .001f, 0);
    CHECK_NEAR(o->adam_b1, .8f, 0);
    CHECK_NEAR(o->adam_eps, 1e-6f, 0);
    CHECK(strcmp(rate_policies[o->policy].name, "steps") == 0);
    CHECK(o->step_count == 2 && o->steps[0] == 10 && o->steps[1] == 20);
    CHECK_NEAR(o->scales[1], .2f, 0);
    CHECK(o->sgdr_cycle == 99 && o->resize_step == 32);
    CHECK(!net.layers[0].is_trainable && net.layers[0].stopbackward == 800);
    CHECK_NEAR(net.layers[0].learning_rate, .5, 0);
    CHECK(net.layers[1].is_trainable && net.layers[1].stopbackward == 0);
    CHECK_NEAR(net.layers[1].learning_rate, 1, 0);
    CHECK(network_head(&net) == NULL);
    CHECK(o->min_crop == 5 && o->max_crop == 5); /* the default of 64 is above what is given */
    network_free(&net);

    CHECK_OK(parse("[net]\nwidth=64\nheight=32\nchannels=1\nangle=7\naspect=.75\n"
                   "label_smooth_eps=.1\n[softmax]\n",
                   &net));
    CHECK(o->min_crop == 64 && o->max_crop == 128);
    CHECK(o->angle == 7.0f && o->aspect == .75f && o->label_smooth_eps == .1f);
    network_free(&net);
    CHECK(parse("[net]\nwidth=64\nheight=64\nchannels=1\nmin_crop=70\nmax_crop=60\n[softmax]\n",
                &net) == ERR_CFG &&
          strstr(err.text, ":5: [net] min_crop: 70 is above max_crop=60"));
    network_free(&net);
}

static void test_warnings(void)
{
    struct network net = {0};
    static const char text[] =
        "[net]\nwidth=50\nheight=50\nchannels=3\ntrack=1\nlernrate=1\n"
        "contrastive=0\n[convolutional]\nfilters=18\nfilter=9\n"
        "activation=linear\nstride=4\n[yolo]\nclasses=1\nnum=3\n"
        "mask=0,1,2\nanchors=1,2,3,4,5,6\njitter=.3\nrandom=1\nignore_thresh=.7\n";
    capture_begin();
    enum result result = network_parse("a.cfg", text, sizeof text - 1, 0, 0, &net, &err);
    capture_end();
    CHECK_MSG(result == OK, "%s", err.text);
    network_free(&net);
    CHECK_MSG(strstr(captured, "a.cfg: an input of 50 x 50 is not a multiple of 4"), "%s",
              captured);
    CHECK_MSG(strstr(captured, "a.cfg:5: [net] track is not built here"), "%s", captured);
    CHECK_MSG(strstr(captured, "a.cfg:6: [net] unknown key lernrate"), "%s", captured);
    CHECK_MSG(
        strstr(captured, "a.cfg:10: [convolutional] unknown key filter (did you mean filters?)"),
        "%s", captured);
    int lines = 0;
    for (const char *c = captured; *c; c++) {
        lines += *c == '\n';
    }
    CHECK_MSG(lines == 4, "%s", captured);
}

/* A misspelt freezing key is found by its neighbour; keys that change training and are not built
 * are named, at the value that switches them off they are not. */
static void test_named_keys(void)
{
    struct network net = {0};
    static const char text[] =
        "[net]\nwidth=32\nheight=32\nchannels=3\nadversarial_lr=.1\nattention=0\n"
        "aspect=1\nmax_epochs=9\ncutmix=1\n[convolutional]\nfilters=18\nactivation=silu\n"
        "trainabel=0\nclip=1\ncbn=0\n[dropout]\ndropblock=1\ndont_update=4\n"
        "[yolo]\nclasses=1\nnum=3\nanchors=1,2,3,4,5,6\nsim_thresh=.8\n"
        "scale_x_y=.001\nshow_details=1\n";
    static const char *const lines[] = {
        "a.cfg:5: [net] adversarial_lr is not built here",
        "a.cfg:8: [net] max_epochs has no effect: max_batches says how long",
        "a.cfg:9: [net] cutmix has no effect: it is for classifiers",
        "a.cfg:13: [convolutional] unknown key trainabel (did you mean trainable?)",
        "a.cfg:14: [convolutional] clip is not built here: weights are not clamped",
        "a.cfg:17: [dropout] dropblock is not built: plain dropout",
        "a.cfg:18: [dropout] dont_update has no effect: the layer has no weights",
        "a.cfg:23: [yolo] sim_thresh has no effect here",
    };
    capture_begin();
    enum result result = network_parse("a.cfg", text, sizeof text - 1, 0, 0, &net, &err);
    capture_end();
    CHECK_MSG(result == OK, "%s", err.text);
    network_free(&net);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        CHECK_MSG(strstr(captured, lines[i]), "%s lacks %s", captured, lines[i]);
    }
    size_t count = 0;
    for (const char *c = captured; *c; c++) {
        count += *c == '\n';
    }
    CHECK_MSG(count == sizeof lines / sizeof *lines, "%s", captured);
}

static void test_parameters(void)
{
    struct network net;
    CHECK_OK(parse(small, &net));
    CHECK(network_param_floats(&net, 1, NULL) == 4 * 8 + 8 * 27);
    size_t trainable;
    CHECK(network_param_floats(&net, 3, &trainable) == 4 * 8 + 8 * 27 + 18 + 18 * 8);
    CHECK(trainable == 2 * 8 + 8 * 27 + 18 + 18 * 8);
    CHECK(net.layers[0].params[0].data == NULL);
    CHECK_OK(network_allocate(&net, &err));
    for (int i = 0; i < net.layer_count; i++) {
        for (int k = 0; k < net.layers[i].param_count; k++) {
            const struct param *p = &net.layers[i].params[k];
            bool is_one =
                strcmp(p->role, "scales") == 0 || strcmp(p->role, "rolling_variance") == 0;
            CHECK((uintptr_t)p->data % MEM_ALIGN == 0);
            for (size_t j = 0; j < p->count; j++) {
                CHECK_NEAR(p->data[j], is_one ? 1 : 0, 0);
            }
        }
    }
    network_release(&net, 0);
    CHECK(net.layers[0].params[0].data == NULL && net.layers[1].params[0].data != NULL);
    network_release(&net, 0);
    CHECK_NEAR(network_flops(&net), 2.0 * 32 * 16 * (8 * 27 + 18 * 8), 0);
    CHECK(network_head(&net)->classes == 1 && network_head(&net)->nms_kind == NMS_DIOU);
    CHECK_NEAR(network_head(&net)->beta_nms, .7f, 0);
    network_free(&net);
}

static void test_resize(void)
{
    struct network net;
    CHECK_OK(parse(small, &net));
    CHECK_OK(network_allocate(&net, &err));
    float *data = net.layers[0].params[0].data;
    CHECK_OK(network_resize(&net, 96, 160, &err));
    CHECK(net.size.w == 96 && net.size.h == 160);
    CHECK(net.layers[2].out.w == 48 && net.layers[2].out.h == 80);
    CHECK(net.layers[0].params[0].data == data);
    CHECK(network_resize(&net, 0, 5, &err) == ERR_ARG);
    CHECK(network_resize(&net, 32, 1 << 20, &err) == ERR_ARG);
    network_free(&net);

    /* What was halved and doubled again meets its source only where the size is even. */
    CHECK_OK(parse("[net]\nwidth=8\nheight=8\nchannels=1\n[convolutional]\nactivation=linear\n"
                   "[maxpool]\nsize=2\nstride=2\n[upsample]\nstride=2\n[shortcut]\nfrom=0\n"
                   "activation=linear\n",
                   &net));
    CHECK_OK(network_allocate(&net, &err));
    CHECK(network_resize(&net, 9, 8, &err) == ERR_CFG);
    CHECK_MSG(strncmp(err.text, "a.cfg:13: ", 10) == 0, "%s", err.text);
    CHECK(net.size.w == 8 && net.layers[0].out.w == 8 && net.layers[3].out.w == 8);
    CHECK(net.layers[0].params[0].data != NULL);
    CHECK_OK(network_resize(&net, 12, 8, &err));
    CHECK(net.layers[3].out.w == 12);
    network_free(&net);

    CHECK_OK(parse("[net]\nwidth=8\nheight=8\nchannels=1\n[connected]\noutput=4\n"
                   "activation=linear\n",
                   &net));
    CHECK_OK(network_resize(&net, 4, 4, &err));
    CHECK(network_param_floats(&net, 1, NULL) == 4 + 4 * 16);
    CHECK_OK(network_allocate(&net, &err));
    CHECK(network_resize(&net, 8, 8, &err) == ERR_CFG);
    CHECK_MSG(strstr(err.text, "depend on the input size"), "%s", err.text);
    CHECK(network_param_floats(&net, 1, NULL) == 4 + 4 * 16 && net.layers[0].params[0].data);
    network_free(&net);

    net = (struct network){0};
    CHECK_OK(network_parse("a.cfg", small, sizeof small - 1, 96, 64, &net, &err));
    CHECK(net.size.w == 96 && net.options.width == 64 && net.layers[0].out.w == 48);
    network_free(&net);
}

#define NET "[net]\nwidth=32\nheight=32\nchannels=3\n" /* layers begin in line 5 */
#define HUGE_UPSAMPLE "[upsample]\nstride=100\n"
static const struct {
    const char *text, *place, *what;
    enum result code;
} broken[] = {
    {"", "a.cfg: ", "empty", ERR_CFG},
    {"[convolutional]\nfilters=3\n", "a.cfg:1: ", "first section must be [net]", ERR_CFG},
    {"[net]\nwidth=32\nheight=32\n[maxpool]\n", "a.cfg:1: ", "channels is missing", ERR_CFG},
    {"[net]\nwidth=0\nheight=32\nchannels=3\n[maxpool]\n", "a.cfg:2: ", "width", ERR_CFG},
    {"[net]\nwidth=-416\nheight=32\nchannels=3\n[maxpool]\n", "a.cfg:2: ", "range", ERR_CFG},
    {"[net]\nwidth=99999999999999999999\nheight=1\n", "a.cfg:2: ", "range", ERR_CFG},
    {"[net]\nwidth=\n", "a.cfg:2: ", "no value", ERR_CFG},
    {NET, "a.cfg:1: ", "no layers", ERR_CFG},
    {NET "[convolutionl]\n", "a.cfg:5: ", "did you mean [convolutional]", ERR_CFG},
    {NET "[quantum]\n", "a.cfg:5: ", "unknown section", ERR_CFG},
    {NET "[lstm]\n", "a.cfg:5: ", "not built here", ERR_UNSUPPORTED},
    {NET "[maxpool]\n" NET, "a.cfg:6: ", "second time", ERR_CFG},
    {NET "batch=0\n[maxpool]\n", "a.cfg:5: ", "batch", ERR_CFG},
    {NET "momentum=nan\n[maxpool]\n", "a.cfg:5: ", "momentum", ERR_CFG},
    {NET "momentum=1.5\n[maxpool]\n", "a.cfg:5: ", "momentum", ERR_CFG},
    {NET "policy=step5\n[maxpool]\n", "a.cfg:5: ", "policy", ERR_CFG},
    {NET "policy=stpes\n[maxpool]\n", "a.cfg:5: ", "did you mean steps? one of constant,", ERR_CFG},
    {NET "policy=cosine\n[maxpool]\n", "a.cfg:5: ", "one of constant, step, steps", ERR_CFG},
    {NET "[activation]\nactivation=SiLU\n", "a.cfg:6: ", "did you mean silu? Case matters",
     ERR_CFG},
    {NET "[shortcut]\nfrom=-1\nweights_type=perlayer\n", "a.cfg:7: ", "did you mean per_layer?",
     ERR_CFG},
    {NET "[cost]\ntype=SSE\n", "a.cfg:6: ", "did you mean sse? Case matters", ERR_CFG},
    {NET "policy=steps\nsteps=1,2\n[maxpool]\n", "a.cfg:5: ", "steps and scales", ERR_CFG},
    {NET "policy=steps\nsteps=1,2\nscales=.1\n[maxpool]\n", "a.cfg:7: ", "2 steps", ERR_CFG},
    {NET "policy=steps\nsteps=2,1\nscales=.1,.1\n[maxpool]\n", "a.cfg:6: ", "ascend", ERR_CFG},
    {NET "inputs=7\n[maxpool]\n", "a.cfg:5: ", "3072", ERR_CFG},
    {NET "[maxpool]\n[route]\nlayers=5\n", "a.cfg:7: ", "5", ERR_CFG},
    {NET "[maxpool]\n[route]\nlayers=1\n", "a.cfg:7: ", "1", ERR_CFG},
    {NET "[maxpool]\n[route]\nlayers=-2\n", "a.cfg:7: ", "-2", ERR_CFG},
    {NET "[maxpool]\n[route]\nlayers=-2147483648\n", "a.cfg:7: ", "", ERR_CFG},
    {NET "[maxpool]\n[route]\n", "a.cfg:6: ", "layers", ERR_CFG},
    {NET "[maxpool]\n[route]\nlayers=-1,\n", "a.cfg:7: ", "empty", ERR_CFG},
    {NET "[maxpool]\n[maxpool]\nstride=2\n[shortcut]\nfrom=0\n", "a.cfg:9: ", "", ERR_CFG},
    {NET "[maxpool]\n[shortcut]\nfrom=7\n", "a.cfg:7: ", "7", ERR_CFG},
    {NET "[convolutional]\nfilters=0\n", "a.cfg:6: ", "filters", ERR_CFG},
    {NET "[convolutional]\nfilters=-3\n", "a.cfg:6: ", "filters", ERR_CFG},
    {NET "[convolutional]\nsize=0\n", "a.cfg:6: ", "size", ERR_CFG},
    {NET "[convolutional]\nstride=0\n", "a.cfg:6: ", "stride", ERR_CFG},
    {NET "[convolutional]\nsize=33\n", "a.cfg:5: ", "", ERR_CFG},
    {NET "[convolutional]\ngroups=2\nfilters=2\n", "a.cfg:", "groups", ERR_CFG},
    {NET "[convolutional]\nactivation=mishmash\n", "a.cfg:6: ", "mishmash", ERR_CFG},
    {NET "[convolutional]\nfilters=2000000000\n", "a.cfg:", "", ERR_CFG},
    {NET "[convolutional]\nstopbackward=-1\n", "a.cfg:6: ", "stopbackward", ERR_CFG},
    {NET "[convolutional]\ndont_update=-1\n", "a.cfg:6: ", "dont_update", ERR_CFG},
    {NET "[convolutional]\nclip=x\n", "a.cfg:6: ", "clip", ERR_CFG},
    {NET "[convolutional]\nlearning_rate=0\n", "a.cfg:6: ", "trainable=0", ERR_CFG},
    {NET "learning_rate=0\n[maxpool]\n", "a.cfg:5: ", "rate of 0", ERR_CFG},
    {NET "learning_rate=0,01\n[maxpool]\n", "a.cfg:5: ", "a comma: 0.01", ERR_CFG},
    {NET "learning_rate=1e-60\n[maxpool]\n", "a.cfg:5: ", "rate of 0", ERR_CFG},
    {NET "policy=exp\ngamma=0\n[maxpool]\n", "a.cfg:6: ", "above 0", ERR_CFG},
    {NET "policy=step\nscale=0\n[maxpool]\n", "a.cfg:6: ", "the rate 0", ERR_CFG},
    {NET "policy=steps\nsteps=9,19\nscales=0,1\n[maxpool]\n", "a.cfg:7: ", "write 0.1", ERR_CFG},
    {NET "batch=64x\n[maxpool]\n", "a.cfg:5: ", "stands behind", ERR_CFG},
    {NET "[maxpool]\nstride=0\n", "a.cfg:6: ", "stride", ERR_CFG},
    {NET "[upsample]\nstride=0\n", "a.cfg:6: ", "stride", ERR_CFG},
    {NET HUGE_UPSAMPLE HUGE_UPSAMPLE HUGE_UPSAMPLE HUGE_UPSAMPLE HUGE_UPSAMPLE, "a.cfg:", "",
     ERR_CFG},
    {NET "[connected]\noutput=16000000\n", "a.cfg:5: ", "GB", ERR_CFG},
    {NET "[yolo]\nclasses=1\nnum=1\nmask=0\nanchors=1,1\n", "a.cfg:5: ", "", ERR_CFG},
    {NET "[convolutional]\nfilters=6\nactivation=linear\n[yolo]\nclasses=1\nnum=1\nmask=1\n"
         "anchors=1,1\n",
     "a.cfg:11: ", "mask", ERR_CFG},
    {NET "[convolutional]\nfilters=6\nactivation=linear\n[yolo]\nclasses=1\nnum=1\nanchors=1,1\n"
         "[route]\nlayers=-2\n[convolutional]\nfilters=7\n[yolo]\nnum=1\nclasses=2\nanchors=1,1\n",
     "a.cfg:18: ", "layer 4 has 2, but layer 1, [yolo] at line 8, has 1", ERR_CFG},
};

static void test_broken(void)
{
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        struct network net;
        capture_begin();
        enum result result = parse(broken[i].text, &net);
        capture_end();
        network_free(&net);
        CHECK_MSG(result == broken[i].code && err.code == result, "%s gave %d: %s", broken[i].text,
                  (int)result, err.text);
        CHECK_MSG(strncmp(err.text, broken[i].place, strlen(broken[i].place)) == 0 &&
                      strstr(err.text, broken[i].what),
                  "%s gave %s", broken[i].text, err.text);
    }
}

/* Damaged networks end in an answer, never in a crash: digits, signs and letters change at random.
 */
static void test_damaged(void)
{
    char text[sizeof small];
    unsigned state = 7;
    for (int round = 0; round < 3000; round++) {
        memcpy(text, small, sizeof small);
        for (int hits = round % 4; hits >= 0; hits--) {
            static const char alphabet[] = "0123456789-.=\n[]#,ae";
            float where = test_noise(&state) * 0.5f + 0.5f, what = test_noise(&state) * 0.5f + 0.5f;
            text[(size_t)(where * (float)(sizeof small - 1))] =
                alphabet[(size_t)(what * (float)(sizeof alphabet - 1))];
        }
        struct network net;
        capture_begin();
        enum result result = parse(text, &net);
        if (result == OK && network_param_floats(&net, net.layer_count, NULL) < 1000000) {
            result = network_allocate(&net, &err);
        }
        capture_end();
        network_free(&net);
        CHECK_MSG(result == OK || result == ERR_CFG || result == ERR_UNSUPPORTED, "%s: %d %s", text,
                  (int)result, err.text);
    }
}

static void test_out_of_memory(void)
{
    enum result result = ERR_MEMORY;
    for (long k = 0; result != OK; k++) {
        struct network net;
        CHECK(k < 1000);
        mem_fail_after(k);
        result = parse(small, &net);
        if (result == OK) {
            result = network_allocate(&net, &err);
        }
        mem_fail_after(-1);
        network_free(&net);
        CHECK_MSG(result == OK || result == ERR_MEMORY, "after %ld: %s", k, err.text);
    }
}

static const struct test_case cases[] = {
    {"own_facts", test_own_facts},
    {"shared_facts", test_shared_facts},
    {"own_equal_published", test_own_equal_published},
    {"options", test_options},
    {"warnings", test_warnings},
    {"named_keys", test_named_keys},
    {"parameters", test_parameters},
    {"resize", test_resize},
    {"broken", test_broken},
    {"damaged", test_damaged},
    {"out_of_memory", test_out_of_memory},
};

TEST_MAIN(cases)
