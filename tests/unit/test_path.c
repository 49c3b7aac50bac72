/* Names of files, taken apart and put together. */
#include "base/path.h"

#include "test.h"

static struct error err;

static void endings(void)
{
    static const struct {
        const char *path, *stem, *ending;
    } table[] = {
        {"a/b.jpg", "b", ".jpg"},
        {"b.tar.gz", "b.tar", ".gz"},
        {"a.b/c", "c", ""},
        {".data", ".data", ""},
        {"a.b/.jpg", ".jpg", ""},
        {".a.TXT", ".a", ".TXT"},
        {"a.", "a", "."},
        {"a/", "", ""},
        {"", "", ""},
        {"/x.y/z.w", "z", ".w"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        char stem[16];
        path_stem(table[i].path, stem, sizeof stem);
        CHECK_MSG(strcmp(stem, table[i].stem) == 0, "%s: %s", table[i].path, stem);
        CHECK_MSG(strcmp(table[i].path + path_stem_length(table[i].path), table[i].ending) == 0,
                  "%s", table[i].path);
    }
    CHECK(path_ends_in("a/B.JPG", ".jpg") && !path_ends_in("a/bjpg", ".jpg") &&
          !path_ends_in("a.jpg/b", ".jpg"));
    CHECK(!path_ends_in(".data", ".data") && path_ends_in("x.data", ".data"));
    char cut[4];
    path_stem("a/picture.jpg", cut, sizeof cut);
    CHECK(strcmp(cut, "pic") == 0);
}

static void joining(void)
{
    char out[8];
    CHECK_OK(path_in(out, sizeof out, "ab", "cd", &err));
    CHECK(strcmp(out, "ab/cd") == 0);
    CHECK_OK(path_in(out, sizeof out, "ab/", "cd", &err));
    CHECK(strcmp(out, "ab/cd") == 0);
    CHECK_OK(path_in(out, sizeof out, "ab", "/cd", &err));
    CHECK(strcmp(out, "/cd") == 0);
    CHECK_OK(path_in(out, sizeof out, "", "cd", &err));
    CHECK(strcmp(out, "cd") == 0);
    CHECK(path_in(out, sizeof out, "abcd", "efg", &err) == ERR_IO);
    CHECK_MSG(strcmp(err.text, "abcd: path too long") == 0, "%s", err.text);
    CHECK(path_beside(out, sizeof out, "a/b", "c") && strcmp(out, "a/c") == 0);
}

static const struct test_case cases[] = {
    {"endings", endings},
    {"joining", joining},
};
TEST_MAIN(cases)
