/* What one sees of a training: how long it still takes, and how it went. */
#include "train/pace.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "data/image.h"
#include "report/run_table.h"
#include "report/train_chart.h"
#include "test.h"

static void time_left(void)
{
    struct pace pace = {0};
    pace_enter(&pace, 100.0);
    CHECK(pace_left(&pace, 50, 2) == 0.0 && pace.row_started == 100.0);
    pace_update(&pace, 9.0); /* warms up */
    CHECK_NEAR(pace_left(&pace, 50, 2), 450.0, 1e-9);
    pace_update(&pace, 2.0);
    CHECK_NEAR(pace_left(&pace, 50, 0), 100.0, 1e-9);
    pace_update(&pace, 4.0);
    pace_validation(&pace, 10.0);
    pace_validation(&pace, 20.0);
    CHECK_NEAR(pace_left(&pace, 50, 2), 180.0, 1e-9);
    CHECK(pace.row_updates == 3);
    pace_row(&pace, 130.0);
    CHECK(pace.row_updates == 0 && pace.row_started == 130.0 && pace.updates == 3);
    int settled = 0;
    for (int i = 0; i < 400; i++) {
        pace_update(&pace, i < 200 ? 1.0 : 3.0);
        settled += pace_is_settled(&pace);
    }
    CHECK(settled == 1);
    CHECK_MSG(pace.update > 2.6 && pace.update < 3.0, "%g", pace.update); /* the old ones fade */
    pace_enter(&pace, 500.0);
    CHECK(pace_left(&pace, 10, 1) == 0.0); /* another stage: updates of another kind */
    pace_update(&pace, 1.0);
    CHECK_NEAR(pace_left(&pace, 10, 1), 25.0, 1e-9);
}

static void peak(void)
{
    double before = memory_peak();
    enum { BYTES = 64 << 20 };
    unsigned char *block = mem_alloc_raw(BYTES, 1);
    CHECK(block && before > 0.0);
    memset(block, 1, BYTES);
    CHECK(memory_peak() >= BYTES && block[BYTES / 2] == 1);
    mem_free(block);
}

/* ---- results.csv and its chart ---- */

static char folder[64];
static struct error err;

static void remove_folder(void)
{
    char command[96];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    if (system(command) != 0) {
        perror(command);
    }
}

static const char *in_folder(const char *name)
{
    static char path[128];
    if (!folder[0]) {
        strcpy(folder, "/tmp/test_watching_XXXXXX");
        if (!mkdtemp(folder)) {
            perror(folder);
        }
        atexit(remove_folder);
    }
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static const char header[] =
    "iteration,epoch,stage,rate,loss,box,objectness,classes,val_loss,map50";

/* Box losses a thousandth of the whole loss; mAP every tenth row. */
static void write_rows(const char *more_columns, int rows, bool has_map)
{
    FILE *file = fopen(in_folder("results.csv"), "w");
    fprintf(file, "%s%s,seconds\n", header, more_columns);
    for (int i = 1; i <= rows; i++) {
        double loss = 5.0 + 5.0 / i;
        fprintf(file, "%d,1,%d,.001,%g,%g,%g,%g,", i, i > rows / 2 ? 2 : 1, loss, loss / 1000,
                loss / 2, loss / 2);
        if (has_map && i % 10 == 0) {
            fprintf(file, "%g,%g%s", loss + 1, .5, more_columns[0] ? ",.25" : "");
        } else {
            fprintf(file, ",%s", more_columns[0] ? "," : "");
        }
        fprintf(file, ",%d\n", i * 2);
    }
    fclose(file);
}

static void table(void)
{
    struct run_table table = {0};
    write_rows(",map50_95", 40, true);
    CHECK_OK(run_table_read(folder, &table, &err));
    CHECK(table.count == 40 && run_table_row(&table, 9)[RUN_MAP] == .25);
    CHECK(isnan(run_table_row(&table, 10)[RUN_MAP50]));
    CHECK(run_table_latest(&table, RUN_MAP50) == .5 && run_table_latest(&table, RUN_SECONDS) == 80);
    run_table_free(&table);
    write_rows("", 10, true); /* of an older program */
    CHECK_OK(run_table_read(folder, &table, &err));
    CHECK(run_table_latest(&table, RUN_MAP50) == .5 && isnan(run_table_latest(&table, RUN_MAP)));
    run_table_free(&table);
    FILE *file = fopen(in_folder("results.csv"), "w");
    fputs("iteration,loss\n1,2\n", file);
    fclose(file);
    CHECK(run_table_read(folder, &table, &err) == ERR_FORMAT);
    CHECK_MSG(strstr(err.text, "results.csv:1: no column stage"), "%s", err.text);
    run_table_free(&table);
}

/* Pixels of a colour in the part of a picture from the shares x1, y1 to x2, y2. */
static int count_color(const struct image *image, double x1, double y1, double x2, double y2, int r,
                       int g, int b)
{
    int count = 0;
    for (int y = (int)(y1 * image->h); y < (int)(y2 * image->h); y++) {
        for (int x = (int)(x1 * image->w); x < (int)(x2 * image->w); x++) {
            const unsigned char *p = image->rgb + ((size_t)y * (size_t)image->w + (size_t)x) * 3;
            count += p[0] == r && p[1] == g && p[2] == b;
        }
    }
    return count;
}

/* The box loss, a thousandth of the whole, fills a chart of its own: its line comes from top to bottom. */
static void chart(void)
{
    struct image image;
    write_rows(",map50_95", 400, true);
    CHECK_OK(train_chart_draw(folder, &err));
    CHECK_OK(image_read(in_folder("chart.png"), &image, &err));
    CHECK(count_color(&image, .34, .1, .66, .3, 190, 120, 0) > 20);
    CHECK(count_color(&image, 0, .5, 1, 1, 120, 90, 170) > 100); /* mAP@.5:.95 */
    int height = image.h;
    image_free(&image);
    write_rows(",map50_95", 400, false);
    CHECK_OK(train_chart_draw(folder, &err));
    CHECK_OK(image_read(in_folder("chart.png"), &image, &err));
    CHECK(image.h == height && count_color(&image, 0, 0, 1, 1, 120, 90, 170) == 0);
    image_free(&image);
}

static const struct test_case cases[] = {
    {"time_left", time_left}, {"peak", peak}, {"table", table}, {"chart", chart}};

TEST_MAIN(cases)
