/* Anchors, their place in a cfg, and fingerprints of pictures. */
#include "test.h"

#include "base/memory.h"
#include "doctor/anchors.h"
#include "doctor/heads.h"
#include "doctor/phash.h"
#include "net/cfg_edit.h"

/* ---- anchors ---- */

/* `each` boxes around each of the centres, sizes within `spread` of it. */
static void scatter(const struct anchor *centres, int count, int each, float spread,
                    struct size_list *sizes)
{
    unsigned state = 5;
    for (int i = 0; i < count * each; i++) {
        const struct anchor *c = &centres[i % count];
        float w = c->w * (1 + spread * test_noise(&state));
        float h = c->h * (1 + spread * test_noise(&state));
        if (size_list_add(sizes, w, h, NULL) != OK) {
            return;
        }
    }
}

static const struct anchor clusters[] = {{10, 20}, {60, 40}, {50, 150}, {300, 280}};
enum { CLUSTERS = 4 };

static void iou_of_sizes(void)
{
    const struct anchor a = {10, 20};
    CHECK_NEAR(anchor_iou(&a, 10, 20), 1, 1e-6);
    CHECK_NEAR(anchor_iou(&a, 20, 10), 100.0 / 300, 1e-6);
    CHECK_NEAR(anchor_iou(&a, 5, 5), 25.0 / 200, 1e-6);
    CHECK(anchor_best(clusters, CLUSTERS, 55, 45) == 1);
    CHECK(anchor_best(clusters, CLUSTERS, 40, 160) == 2);
}

static void fit_by_hand(void)
{
    struct size_list sizes = {0};
    CHECK_OK(size_list_add(&sizes, 10, 20, NULL)); /* IoU 1 */
    CHECK_OK(size_list_add(&sizes, 10, 5, NULL));  /* IoU 0.25, factor 4 in height */
    CHECK_OK(size_list_add(&sizes, 41, 20, NULL)); /* IoU 200/820, factor 4.1 in width */
    CHECK_OK(size_list_add(&sizes, 10, 10, NULL)); /* IoU 0.5: not above */
    const struct anchor a = {10, 20};
    struct anchor_fit fit = anchors_measure(&a, 1, &sizes);
    size_list_free(&sizes);
    CHECK_NEAR(fit.mean_iou, (1 + 0.25 + 200.0 / 820 + 0.5) / 4, 1e-6);
    CHECK_NEAR(fit.recall50, 0.25, 1e-9);
    CHECK_NEAR(fit.recall_factor4, 0.75, 1e-9);
}

static void finds_the_clusters(void)
{
    struct size_list sizes = {0};
    scatter(clusters, CLUSTERS, 200, 0.05f, &sizes);
    for (uint64_t seed = 0; seed < 5; seed++) {
        struct anchor found[CLUSTERS];
        const struct anchor_search search = {CLUSTERS, seed, 4, 300};
        CHECK_OK(anchors_find(&search, &sizes, found, NULL));
        for (int i = 0; i < CLUSTERS; i++) { /* sorted by area, as they are */
            CHECK_NEAR(found[i].w / clusters[i].w, 1, 0.03);
            CHECK_NEAR(found[i].h / clusters[i].h, 1, 0.03);
        }
    }
    size_list_free(&sizes);
}

static void same_seed_same_anchors(void)
{
    struct size_list sizes = {0};
    scatter(clusters, CLUSTERS, 100, 0.8f, &sizes);
    struct anchor a[9], b[9];
    const struct anchor_search search = {9, 7, 2, 50};
    CHECK_OK(anchors_find(&search, &sizes, a, NULL));
    CHECK_OK(anchors_find(&search, &sizes, b, NULL));
    size_list_free(&sizes);
    for (int i = 0; i < 9; i++) {
        CHECK(a[i].w == b[i].w && a[i].h == b[i].h);
    }
}

static void refinement_only_improves(void)
{
    struct size_list sizes = {0};
    scatter(clusters, CLUSTERS, 100, 0.8f, &sizes);
    struct anchor plain[6], refined[6];
    struct anchor_search search = {6, 3, 1, 0};
    CHECK_OK(anchors_find(&search, &sizes, plain, NULL));
    search.generations = 500;
    CHECK_OK(anchors_find(&search, &sizes, refined, NULL));
    double before = anchors_measure(plain, 6, &sizes).mean_iou;
    double after = anchors_measure(refined, 6, &sizes).mean_iou;
    size_list_free(&sizes);
    CHECK_MSG(after > before, "%g -> %g", before, after);
}

static void too_few_sizes(void)
{
    struct size_list sizes = {0};
    for (int i = 0; i < 50; i++) {
        CHECK_OK(size_list_add(&sizes, 10, (float)(10 + i % 3), NULL));
    }
    struct anchor found[4];
    struct anchor_search search = {4, 0, 1, 10};
    struct error err;
    enum result four = anchors_find(&search, &sizes, found, &err);
    search.count = 3;
    enum result three = anchors_find(&search, &sizes, found, NULL);
    size_list_free(&sizes);
    CHECK(four == ERR_FORMAT);
    CHECK_MSG(strstr(err.text, "4 anchors") && strstr(err.text, "there are 3"), "%s", err.text);
    CHECK_OK(three);
}

/* ---- cfg text ---- */

static void edits_keep_the_rest(void)
{
    static const char before[] = "# head\r\n[yolo]\r\nmask = 1,2 # old \r\n;x\r\nnum=3\nlast=1";
    static const char after[] =
        "# head\r\n[yolo]\r\nfirst=7\r\nsecond=8\r\nmask = 0,1,2 # old \r\n;x\r\nnum=12\nlast=1";
    struct cfg_edits edits = {0};
    CHECK_OK(cfg_edits_add(&edits, 5, false, NULL, "%d", 12));
    CHECK_OK(cfg_edits_add(&edits, 2, true, NULL, "first=7"));
    CHECK_OK(cfg_edits_add(&edits, 3, false, NULL, "0,1,2"));
    CHECK_OK(cfg_edits_add(&edits, 2, true, NULL, "second=8"));
    char bytes[sizeof before];
    memcpy(bytes, before, sizeof before);
    const struct cfg_text text = {bytes, sizeof before - 1};
    struct cfg_text out;
    CHECK_OK(cfg_edits_apply(&edits, "x.cfg", &text, &out, NULL));
    bool same = out.size == sizeof after - 1 && memcmp(out.bytes, after, out.size) == 0;
    mem_free(out.bytes);
    CHECK_OK(cfg_edits_add(&edits, 9, false, NULL, "1"));
    struct error err;
    CHECK(cfg_edits_apply(&edits, "x.cfg", &text, &out, &err) == ERR_FORMAT);
    CHECK_MSG(strncmp(err.text, "x.cfg:9: ", 9) == 0, "%s", err.text);
    cfg_edits_free(&edits);
    CHECK(same);
}

static const char two_heads[] = "[net]\nwidth=64\nheight=64\nchannels=3\n"
                                "[convolutional]\nfilters=21\nsize=1\nstride=8\n"
                                "[yolo]\nmask=1,2,3\nanchors=4,4, 8,8, 16,16, 24,24, 32,32, 60,60\n"
                                "num=6\nclasses=2\n"
                                "[route]\nlayers=0\n"
                                "[convolutional]\nfilters=21\nsize=2\nstride=2\n"
                                "[yolo]\nmask=3,4,5\nanchors=4,4, 8,8, 16,16, 24,24, 32,32, 60,60\n"
                                "num=6\nclasses=2\n";

static void heads_of_a_cfg(void)
{
    struct network net = {0};
    struct anchor_heads read = {0}, *heads = &read;
    struct error err = {0};
    CHECK_MSG(network_parse("two.cfg", two_heads, strlen(two_heads), 0, 0, &net, &err) == OK, "%s",
              err.text);
    CHECK_OK(heads_read(&net, heads, NULL));
    CHECK(heads->count == 2);
    CHECK_NEAR(heads->heads[0].stride, 8, 0);
    CHECK_NEAR(heads->heads[1].stride, 16, 0);
    CHECK(heads->heads[0].entries == 7);
    struct anchor anchors[ANCHORS_MAX];
    int owner[ANCHORS_MAX];
    CHECK(heads_anchors(heads, anchors, owner) == 6);
    CHECK_NEAR(anchors[0].w, 8, 0);
    CHECK_NEAR(anchors[5].h, 60, 0);
    CHECK(owner[2] == 0 && owner[3] == 1);
    CHECK(heads_find(heads, 4, 4) == -1); /* the smallest anchor is in no mask */
    CHECK(heads_find(heads, 8, 9) == 0);
    CHECK(heads_find(heads, 55, 55) == 1);
    int slots[ANCHORS_MAX];
    CHECK_OK(heads_share(heads, 6, slots, NULL));
    CHECK(slots[0] == 3 && slots[1] == 3);
    CHECK_OK(heads_share(heads, 5, slots, NULL));
    CHECK(slots[0] == 2 && slots[1] == 3);
    CHECK(heads_share(heads, 1, slots, NULL) == ERR_ARG);
    network_free(&net);
    heads_free(heads);
}

/* ---- fingerprints ---- */

/* A soft pattern with noise of the given strength. */
static struct image pattern(int w, int h, float noise, unsigned state)
{
    struct image image = {0};
    if (image_new(w, h, &image, NULL) != OK) {
        return image;
    }
    for (int y = 0; y < h; y++) {
        for (int x = 0; x < w; x++) {
            double u = (double)x / w;
            double v = (double)y / h;
            double value = 128 + 60 * sin(7 * u + 3 * v) + 50 * cos(9 * v * u + 2 * u);
            value += (double)(noise * test_noise(&state));
            unsigned char byte = (unsigned char)(value < 0 ? 0 : value > 255 ? 255 : value);
            memset(image.rgb + ((size_t)y * (size_t)w + (size_t)x) * 3, byte, 3);
        }
    }
    return image;
}

static void dhash_of_a_ramp(void)
{
    struct image image;
    CHECK_OK(image_new(90, 80, &image, NULL));
    for (int i = 0; i < 90 * 80; i++) { /* brighter to the right, but for rows 20 to 29 */
        int x = i % 90;
        int y = i / 90;
        memset(image.rgb + 3 * (size_t)i, y / 10 == 2 ? 200 - 2 * x : 2 * x, 3);
    }
    struct look look = look_at(&image);
    image_free(&image);
    CHECK_MSG(look.dhash == 0xffffffffff00ffffu, "%016llx", (unsigned long long)look.dhash);
}

static void looks_survive_resizing(void)
{
    struct image a = pattern(320, 240, 0, 1);
    struct image b = pattern(200, 150, 8, 2);
    struct image c;
    CHECK_OK(image_resize(&a, 240, 320, &c, NULL));
    for (size_t i = 0; i < 240u * 320u * 3u; i++) {
        c.rgb[i] = (unsigned char)(255 - c.rgb[i]);
    }
    struct look look_a = look_at(&a);
    struct look look_b = look_at(&b);
    struct look look_c = look_at(&c);
    image_free(&a);
    image_free(&b);
    image_free(&c);
    CHECK(hamming64(look_a.dhash, look_b.dhash) <= 3);
    CHECK(look_correlation(&look_a, &look_b) > 0.99);
    CHECK(hamming64(look_a.dhash, look_c.dhash) > 40);
    CHECK(look_correlation(&look_a, &look_c) < -0.9);
    CHECK_NEAR(look_correlation(&look_a, &look_a), 1, 1e-12);
}

static void tiny_pictures_have_looks(void)
{
    struct image image = pattern(1, 3, 0, 1);
    struct look look = look_at(&image);
    image_free(&image);
    CHECK(look.dhash == 0);
    CHECK_NEAR(look_correlation(&look, &look), 1, 1e-12);
}

static void bytes_are_told_apart(void)
{
    unsigned char bytes[64] = {0};
    uint64_t seen[64 * 8 + 65];
    size_t count = 0;
    for (size_t size = 0; size <= 64; size++) {
        seen[count++] = hash_bytes(bytes, size, 0);
    }
    for (size_t bit = 0; bit < 64 * 8; bit++) {
        bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
        seen[count++] = hash_bytes(bytes, 64, 0);
        bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < i; k++) {
            CHECK_MSG(seen[i] != seen[k], "%zu and %zu", i, k);
        }
    }
    CHECK(hash_bytes(bytes, 64, 0) == hash_bytes(bytes, 64, 0));
    CHECK(hash_bytes(bytes, 64, 0) != hash_bytes(bytes, 64, 1));
}

static const struct test_case cases[] = {
    {"IoU of sizes", iou_of_sizes},
    {"fit of anchors by hand", fit_by_hand},
    {"k-means finds the clusters", finds_the_clusters},
    {"same seed, same anchors", same_seed_same_anchors},
    {"refinement only improves", refinement_only_improves},
    {"fewer sizes than anchors", too_few_sizes},
    {"cfg edits keep every other byte", edits_keep_the_rest},
    {"heads of a cfg", heads_of_a_cfg},
    {"dHash of a ramp", dhash_of_a_ramp},
    {"looks survive resizing and noise", looks_survive_resizing},
    {"tiny pictures have looks", tiny_pictures_have_looks},
    {"hashes tell bytes apart", bytes_are_told_apart},
};
TEST_MAIN(cases)
