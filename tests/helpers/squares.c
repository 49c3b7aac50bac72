/* squares FOLDER: a set that is quickly learnt, red squares and blue discs on grey noise: twenty
 * pictures of 96 x 80 as BMP in FOLDER/images with labels in FOLDER/labels, lists and .data files
 * beside them:
 *
 *     two.data     all twenty, validated on the first four        few.data   the first four, no
 * validation eight.data   the first eight, on themselves                 gone.data  a list that is
 * not there */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { WIDTH = 96, HEIGHT = 80, PICTURES = 20 };

static unsigned char pixels[HEIGHT][WIDTH][3]; /* blue, green, red */
static unsigned state = 7;

static int below(int n)
{
    state = state * 1664525u + 1013904223u;
    return (int)((state >> 8) % (unsigned)n);
}

static FILE *create(const char *folder, const char *format, int i)
{
    char name[64], path[4096];
    snprintf(name, sizeof name, format, i);
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    if (!file) {
        perror(path);
        exit(1);
    }
    return file;
}

static void draw(int x0, int y0, int side, int is_disc)
{
    static const unsigned char colours[2][3] = {{40, 60, 230}, {230, 90, 40}};
    for (int y = 0; y < side; y++) {
        for (int x = 0; x < side; x++) {
            int dx = 2 * x - side, dy = 2 * y - side;
            if (!is_disc || dx * dx + dy * dy <= side * side) {
                memcpy(pixels[y0 + y][x0 + x], colours[is_disc], 3);
            }
        }
    }
}

static void write_picture(FILE *file)
{
    unsigned char header[54] = {'B', 'M', [10] = 54, [14] = 40, [26] = 1, [28] = 24};
    const unsigned values[][2] = {
        {2, 54 + sizeof pixels}, {18, WIDTH}, {22, HEIGHT}, {34, sizeof pixels}};
    for (int v = 0; v < 4; v++) {
        for (int b = 0; b < 4; b++) {
            header[values[v][0] + (unsigned)b] = (unsigned char)(values[v][1] >> 8 * b);
        }
    }
    fwrite(header, 1, sizeof header, file);
    for (int y = HEIGHT - 1; y >= 0; y--) {
        fwrite(pixels[y], 1, sizeof pixels[y], file);
    }
    fclose(file);
}

static void make(const char *folder, int i)
{
    for (int y = 0; y < HEIGHT; y++) {
        for (int x = 0; x < WIDTH; x++) {
            memset(pixels[y][x], 90 + below(30), 3);
        }
    }
    FILE *labels = create(folder, "labels/%02d.txt", i);
    for (int object = 0; object <= i % 2; object++) {
        int side = 20 + below(16), is_disc = below(2), x = below(WIDTH - side),
            y = below(HEIGHT - side);
        draw(x, y, side, is_disc);
        fprintf(labels, "%d %.6f %.6f %.6f %.6f\n", is_disc, (x + side / 2.0) / WIDTH,
                (y + side / 2.0) / HEIGHT, (double)side / WIDTH, (double)side / HEIGHT);
    }
    fclose(labels);
    write_picture(create(folder, "images/%02d.bmp", i));
}

static void list(const char *folder, const char *name, int pictures)
{
    FILE *file = create(folder, name, 0);
    for (int i = 0; i < pictures; i++) {
        fprintf(file, "images/%02d.bmp\n", i);
    }
    fclose(file);
}

static void data(const char *folder, const char *name, const char *train, const char *valid)
{
    FILE *file = create(folder, name, 0);
    fprintf(file, "classes=2\ntrain=%s\n%snames=two.names\n", train, valid);
    fclose(file);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: squares FOLDER\n");
        return 2;
    }
    const char *folder = argv[1];
    char path[4096];
    mkdir(folder, 0777);
    snprintf(path, sizeof path, "%s/images", folder);
    mkdir(path, 0777);
    snprintf(path, sizeof path, "%s/labels", folder);
    mkdir(path, 0777);
    for (int i = 0; i < PICTURES; i++) {
        make(folder, i);
    }
    list(folder, "train.txt", PICTURES);
    list(folder, "few.txt", 4);
    list(folder, "eight.txt", 8);
    FILE *names = create(folder, "two.names", 0);
    fputs("square\ndisc\n", names);
    fclose(names);
    data(folder, "two.data", "train.txt", "valid=few.txt\n");
    data(folder, "few.data", "few.txt", "");
    data(folder, "eight.data", "eight.txt", "valid=eight.txt\n");
    data(folder, "gone.data", "gone.txt", "");
    return 0;
}
