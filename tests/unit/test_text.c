/* Foreign names: into UTF-8 for JSON, and harmless for terminals and logs. */
#include "base/text.h"

#include "base/error.h"
#include "base/log.h"
#include "capture.h"
#include "test.h"

static const struct {
    const char *text, *clean, *masked;
} names[] = {
    {"a b/\xc3\xa4.jpg", "a b/\xc3\xa4.jpg", "a b/\xc3\xa4.jpg"},
    {"a\x1b[31mb\n\tc\x7f", "a\x1b[31mb\n\tc\x7f", "a?[31mb??c?"},
    {"\xc2\x9b"
     "31m\xc2\xa0",
     "\xc2\x9b"
     "31m\xc2\xa0",
     "??31m\xc2\xa0"}, /* U+009B begins a sequence, U+00A0 is a blank */
    {"caf\xe9.jpg", "caf\xef\xbf\xbd.jpg", "caf\xe9.jpg"},
    {"x\xc2", "x\xef\xbf\xbd", "x\xc2"},
    {"", "", ""},
};
enum { NAMES = sizeof names / sizeof names[0] };

static void utf8(void)
{
    for (size_t i = 0; i < NAMES; i++) {
        char clean[64];
        CHECK_MSG(strcmp(text_utf8(names[i].text, clean, sizeof clean), names[i].clean) == 0, "%zu",
                  i);
        CHECK_MSG(text_is_utf8(names[i].text) == (strcmp(names[i].text, names[i].clean) == 0),
                  "%zu", i);
        CHECK(text_is_utf8(clean));
    }
}

static void masked(void)
{
    for (size_t i = 0; i < NAMES; i++) {
        char text[64], put[64] = "";
        snprintf(text, sizeof text, "%s", names[i].text);
        CHECK_MSG(strcmp(text_mask(text), names[i].masked) == 0, "%zu: %s", i, text);
        FILE *stream = tmpfile();
        CHECK(stream);
        text_put(stream, names[i].text);
        rewind(stream);
        CHECK(fread(put, 1, sizeof put - 1, stream) < sizeof put);
        fclose(stream);
        CHECK_MSG(strchr(put, 0x1b) == NULL && strchr(put, '\n') == NULL, "%zu: %s", i, put);
    }
}

/* Whatever is said goes through one of these. */
static void listed(void)
{
    CHECK(text_fits_list("") && text_fits_list("a b\tc") && text_fits_list(names[0].text));
    CHECK(text_fits_list(names[2].text) && text_fits_list(names[3].text));
    CHECK(!text_fits_list("a\n") && !text_fits_list("\r") && !text_fits_list(names[1].text));
}

static void messages(void)
{
    struct error err;
    capture_begin();
    log_info("%s: 1 picture", names[1].text);
    log_warn("%s: left out", names[1].text);
    capture_end();
    CHECK_MSG(strcmp(captured, "a?[31mb??c?: 1 picture\nyolo: warning: a?[31mb??c?: left out\n") ==
                  0,
              "%s", captured);
    error_at(&err, ERR_FORMAT, "x.data", 3, "no");
    error_hint(&err, "like %s", names[1].text);
    error_prefix(&err, "in %s", names[1].text);
    CHECK_MSG(strcmp(err.text, "in a?[31mb??c?: x.data:3: no (like a?[31mb??c?)") == 0, "%s",
              err.text);
}

static void trimmed(void)
{
    static const char *const table[][2] = {{"", ""},         {" \t\r\n", ""},
                                           {"a", "a"},       {" a b\r", "a b"},
                                           {"\ta\n\n", "a"}, {" \xc3\xa9 ", "\xc3\xa9"}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        char text[16];
        strcpy(text, table[i][0]);
        CHECK_MSG(strcmp(text_trim(text), table[i][1]) == 0, "%zu", i);
    }
    CHECK(text_mark("\xef\xbb\xbfx", 4) == 3 && text_mark("\xef\xbb\xbf", 2) == 0 &&
          text_mark("abc", 3) == 0);
}

static const struct test_case cases[] = {{"utf8", utf8},
                                         {"masked", masked},
                                         {"listed", listed},
                                         {"messages", messages},
                                         {"trimmed", trimmed}};

TEST_MAIN(cases)
