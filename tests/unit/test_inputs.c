/* The input stream and names files, on a folder tree made for it. */
#include "data/inputs.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/fileio.h"
#include "base/memory.h"
#include "test.h"

static struct error err;
static char folder[] = "/tmp/test_inputs_XXXXXX";

static void put_text(const char *name, const char *bytes, size_t size)
{
    FILE *f = fopen(name, "wb");
    if (!f || fwrite(bytes, 1, size, f) != size || fclose(f) != 0) {
        perror(name);
    }
}

static void touch(const char *name)
{
    put_text(name, "x", 1);
}

static void remove_tree(void)
{
    char command[100];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    if (chdir("/") != 0 || system(command) != 0) {
        perror(folder);
    }
}

/* All tests work in this folder; the first that runs makes it. */
static void enter_tree(void)
{
    static bool made;
    if (made) {
        return;
    }
    made = true;
    CHECK(mkdtemp(folder) && chdir(folder) == 0);
    atexit(remove_tree);
    CHECK_OK(dir_make("photos/b.jpg/deep", &err)); /* a folder named like a picture */
    CHECK_OK(dir_make("photos/.hidden", &err));
    CHECK_OK(dir_make("photos/a", &err));
    CHECK_OK(dir_make("photos/empty", &err));
    CHECK_OK(dir_make("lists/sub", &err));
    static const char *const files[] = {
        "photos/c.jpg",        "photos/B.PNG",
        "photos/a.jpeg",       "photos/a/1.bmp",
        "photos/a/10.bmp",     "photos/a/2.bmp",
        "photos/notes.txt",    "photos/.h.jpg",
        "photos/noext",        "photos/.hidden/x.jpg",
        "photos/data.tar",     "photos/b.jpg/deep/z.ppm",
        "photos/\xc3\xbc.jpg", "lists/sub/in list.jpg",
        "lists/own.jpg",       "own.jpg",
        "we[i]rd*.jpg",
    };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        touch(files[i]);
    }
    CHECK(symlink("..", "photos/a/up") == 0); /* a loop */
    CHECK(symlink("../own.jpg", "photos/link.jpg") == 0);
    CHECK(symlink("nowhere", "photos/dangling.jpg") == 0);
}

/* The whole stream as one text: "path>relative@origin", "!error text" for errors. */
static char *stream(const char *const *args, size_t count)
{
    size_t size = 1 << 20;
    char *out = calloc(size, 1);
    struct inputs *in;
    struct input_item *item = malloc(sizeof *item);
    if (inputs_open(args, count, &in, &err) != OK) {
        free(item);
        return out;
    }
    int got;
    while ((got = inputs_next(in, item, &err)) != 0) {
        size_t used = strlen(out);
        if (got < 0) {
            snprintf(out + used, size - used, "!%s\n", err.text);
        } else {
            snprintf(out + used, size - used, "%s>%s@%s\n", item->path, item->relative,
                     item->origin);
        }
    }
    bool stays_at_end = inputs_next(in, item, &err) == 0;
    inputs_close(in);
    free(item);
    if (!stays_at_end) {
        out[0] = 0;
    }
    return out;
}

static bool gives(const char *arg, const char *want)
{
    char *got = stream(&arg, 1);
    bool same = strcmp(got, want) == 0;
    if (!same) {
        printf("  %s gives\n%s  but not\n%s", arg, got, want);
    }
    free(got);
    return same;
}

static void folders(void)
{
    enter_tree();
    CHECK(gives("photos", "photos/B.PNG>B.PNG@\n"
                          "photos/a/1.bmp>a/1.bmp@\n"
                          "photos/a/10.bmp>a/10.bmp@\n"
                          "photos/a/2.bmp>a/2.bmp@\n"
                          "photos/a.jpeg>a.jpeg@\n"
                          "photos/b.jpg/deep/z.ppm>b.jpg/deep/z.ppm@\n"
                          "photos/c.jpg>c.jpg@\n"
                          "photos/dangling.jpg>dangling.jpg@\n"
                          "photos/link.jpg>link.jpg@\n"
                          "photos/\xc3\xbc.jpg>\xc3\xbc.jpg@\n"));
    CHECK(gives("photos/a//", "photos/a/1.bmp>1.bmp@\n"
                              "photos/a/10.bmp>10.bmp@\n"
                              "photos/a/2.bmp>2.bmp@\n"
                              "photos/a/up/B.PNG>up/B.PNG@\n"
                              "photos/a/up/a.jpeg>up/a.jpeg@\n"
                              "photos/a/up/b.jpg/deep/z.ppm>up/b.jpg/deep/z.ppm@\n"
                              "photos/a/up/c.jpg>up/c.jpg@\n"
                              "photos/a/up/dangling.jpg>up/dangling.jpg@\n"
                              "photos/a/up/link.jpg>up/link.jpg@\n"
                              "photos/a/up/\xc3\xbc.jpg>up/\xc3\xbc.jpg@\n"));
    CHECK(gives("photos/empty", ""));
}

static void files_and_patterns(void)
{
    enter_tree();
    CHECK(gives("photos/c.jpg", "photos/c.jpg>c.jpg@\n"));
    CHECK(gives("photos/data.tar", "photos/data.tar>data.tar@\n")); /* named: an item of any kind */
    CHECK(gives("missing.jpg", "missing.jpg>missing.jpg@\n"));
    CHECK(gives("missing.txt", "missing.txt>missing.txt@\n"));
    CHECK(gives("photos/*.jpg", "photos/b.jpg/deep/z.ppm>deep/z.ppm@\n"
                                "photos/c.jpg>c.jpg@\n"
                                "photos/dangling.jpg>dangling.jpg@\n"
                                "photos/link.jpg>link.jpg@\n"
                                "photos/\xc3\xbc.jpg>\xc3\xbc.jpg@\n"));
    CHECK(gives("photos/[ac]*.jp*g", "photos/a.jpeg>a.jpeg@\nphotos/c.jpg>c.jpg@\n"));
    CHECK(gives("none/*.jpg", "none/*.jpg>*.jpg@\n"));
    CHECK(gives("we[i]rd*.jpg", "we[i]rd*.jpg>we[i]rd*.jpg@\n")); /* exists: no pattern */
    const char *several[] = {"own.jpg", "photos/a", "own.jpg"};
    char *got = stream(several, 3);
    CHECK(strncmp(got, "own.jpg>own.jpg@\nphotos/a/1.bmp>1.bmp@\n", 39) == 0);
    CHECK(strlen(got) > 17 && strcmp(got + strlen(got) - 17, "own.jpg>own.jpg@\n") == 0);
    free(got);
    struct inputs *in;
    CHECK(inputs_open(NULL, 0, &in, &err) == ERR_ARG && !in);
}

static void lists(void)
{
    enter_tree();
    static const char text[] = "\xef\xbb\xbfown.jpg\r\n" /* here and beside the list: here */
                               "\n  \t\r\n"
                               "sub/in list.jpg\n"     /* only beside the list */
                               " sub/in list.jpg \t\n" /* blanks by accident */
                               "#1.jpg\n"
                               "nowhere/at all.jpg\r\n"
                               "/absolute.png"; /* no line end */
    put_text("lists/l.txt", text, sizeof text - 1);
    CHECK(gives("lists/l.txt", "own.jpg>own.jpg@lists/l.txt:1\n"
                               "lists/sub/in list.jpg>in list.jpg@lists/l.txt:4\n"
                               "lists/sub/in list.jpg>in list.jpg@lists/l.txt:5\n"
                               "#1.jpg>#1.jpg@lists/l.txt:6\n"
                               "nowhere/at all.jpg>at all.jpg@lists/l.txt:7\n"
                               "/absolute.png>absolute.png@lists/l.txt:8\n"));
    put_text("lists/empty.txt", "", 0);
    CHECK(gives("lists/empty.txt", ""));
    CHECK(gives("lists/*.txt", "own.jpg>own.jpg@lists/l.txt:1\n"
                               "lists/sub/in list.jpg>in list.jpg@lists/l.txt:4\n"
                               "lists/sub/in list.jpg>in list.jpg@lists/l.txt:5\n"
                               "#1.jpg>#1.jpg@lists/l.txt:6\n"
                               "nowhere/at all.jpg>at all.jpg@lists/l.txt:7\n"
                               "/absolute.png>absolute.png@lists/l.txt:8\n"));
    CHECK(gives("photos/no*", "photos/noext>noext@\n")); /* notes.txt beside pictures is no list */
}

static void unusable_lines(void)
{
    enter_tree();
    char *text = calloc(1, 3 << 20);
    memset(text, 'x', 5000);
    size_t size = 5000;
    size += (size_t)sprintf(text + size, "\nown.jpg\nbell\a.jpg\n");
    memcpy(text + size, "nul\0.jpg\nown.jpg\n", 17);
    put_text("lists/long.txt", text, size + 17);
    CHECK(gives("lists/long.txt", "!lists/long.txt:1: a line of over 4095 bytes is no path\n"
                                  "own.jpg>own.jpg@lists/long.txt:2\n"
                                  "!lists/long.txt:3: control characters in a path\n"
                                  "!lists/long.txt:4: control characters in a path\n"
                                  "own.jpg>own.jpg@lists/long.txt:5\n"));
    unsigned state = 1;
    for (size_t i = 0; i < 1 << 20; i++) {
        text[i] = (char)(int)(128 * test_noise(&state));
    }
    put_text("lists/noise.txt", text, 1 << 20);
    const char *args[] = {"lists/noise.txt", "own.jpg"};
    char *got = stream(args, 2);
    int errors = 0;
    for (const char *p = got; *p; p++) {
        errors += *p == '!' && (p == got || p[-1] == '\n');
    }
    CHECK_MSG(errors == 10, "%d errors", errors);
    CHECK(strstr(got, "its rest is skipped (one path per line is expected)\nown.jpg>own.jpg@\n"));
    free(got);
    memset(text, 'y', 3 << 20);
    put_text("lists/endless.txt", text, 3 << 20);
    CHECK(gives("lists/endless.txt", "!lists/endless.txt:1: not a list of pictures; its rest is "
                                     "skipped (one path per line is expected)\n"));
    free(text);
}

static void from_stdin(void)
{
    enter_tree();
    put_text("stdin.data", "photos/c.jpg\nown.jpg\r\n", 22);
    CHECK(freopen("stdin.data", "rb", stdin));
    CHECK(gives("-", "photos/c.jpg>c.jpg@stdin:1\nown.jpg>own.jpg@stdin:2\n"));
    CHECK(gives("-", "")); /* nothing more */
}

static void unreadable(void)
{
    enter_tree();
    if (getuid() == 0) {
        SKIP("root reads everything");
    }
    CHECK_OK(dir_make("locked/in", &err));
    touch("locked/z.jpg");
    touch("locked.txt");
    CHECK(chmod("locked/in", 0) == 0 && chmod("locked.txt", 0) == 0);
    CHECK(gives("locked", "!locked/in: cannot open the folder: Permission denied\n"
                          "locked/z.jpg>z.jpg@\n"));
    CHECK(gives("locked.txt", "!locked.txt: cannot open the list: Permission denied\n"));
    CHECK(chmod("locked/in", 0755) == 0);
}

static void out_of_memory(void)
{
    enter_tree();
    const char *args[] = {"photos", "photos/*.jpg", "own.jpg"};
    struct input_item *item = malloc(sizeof *item);
    int ends = 0;
    for (long k = 0; k < 200; k++) {
        struct inputs *in = NULL;
        mem_fail_after(k);
        if (inputs_open(args, 3, &in, &err) == OK) {
            int rounds = 0;
            int got;
            int failed = 0;
            while ((got = inputs_next(in, item, &err)) != 0 && rounds++ < 100) {
                failed += got < 0;
                CHECK(got > 0 || err.code == ERR_MEMORY);
            }
            CHECK(failed <= 1 && rounds < 100);
            ends += failed == 0;
        }
        mem_fail_after(-1);
        inputs_close(in);
    }
    CHECK(ends > 50 && ends < 195);
    free(item);
}

static void names(void)
{
    enter_tree();
    static const char text[] = "\xef\xbb\xbfperson\r\n  traffic light\t\nd\xc3\xb6g\n\n \r\n";
    put_text("a.names", text, sizeof text - 1);
    char **list;
    size_t count;
    CHECK_OK(names_read("a.names", &list, &count, &err));
    CHECK(count == 3);
    CHECK(strcmp(list[0], "person") == 0 && strcmp(list[1], "traffic light") == 0);
    CHECK(strcmp(list[2], "d\xc3\xb6g") == 0);
    mem_free(list);
    put_text("b.names", "one\n \nthree\n", 12);
    CHECK(names_read("b.names", &list, &count, &err) == ERR_FORMAT &&
          strstr(err.text, "b.names:2: an empty line"));
    put_text("b.names", "one", 3);
    CHECK_OK(names_read("b.names", &list, &count, &err));
    CHECK(count == 1 && strcmp(list[0], "one") == 0);
    mem_free(list);
    put_text("c.names", " \r\n\n", 4);
    CHECK(names_read("c.names", &list, &count, &err) == ERR_FORMAT && strstr(err.text, "no names"));
    put_text("c.names", "", 0);
    CHECK(names_read("c.names", &list, &count, &err) == ERR_FORMAT);
    put_text("c.names", "ok\nb\0d\n", 7);
    CHECK(names_read("c.names", &list, &count, &err) == ERR_FORMAT &&
          strstr(err.text, "c.names:2: not a text file"));
    CHECK(names_read("missing.names", &list, &count, &err) == ERR_IO);
    for (long k = 0; k < 2; k++) {
        mem_fail_after(k);
        CHECK(names_read("b.names", &list, &count, &err) == ERR_MEMORY);
    }
    mem_fail_after(-1);
}

static const struct test_case cases[] = {
    {"folders", folders},
    {"files_and_patterns", files_and_patterns},
    {"lists", lists},
    {"unusable_lines", unusable_lines},
    {"from_stdin", from_stdin},
    {"unreadable", unreadable},
    {"out_of_memory", out_of_memory},
    {"names", names},
};
TEST_MAIN(cases)
