/* The JSON stream: values, places of faults, and a file larger than its buffer. */
#include "base/json_reader.h"

#include "base/memory.h"
#include "test.h"

static char path[] = "/tmp/test_json_XXXXXX";
static struct json_reader reader;
static struct error err;

static void put(const char *text)
{
    static bool made;
    if (!made && mkstemp(path) < 0) {
        perror(path);
    }
    made = true;
    FILE *f = fopen(path, "w");
    fputs(text, f);
    fclose(f);
}

/* A file that is refused at its first bytes as what an editor made of it. */
static void check_wide(const char *bytes, size_t size)
{
    put("");
    FILE *f = fopen(path, "w");
    fwrite(bytes, 1, size, f);
    fclose(f);
    CHECK(json_open(&reader, path, &err) == OK);
    CHECK(!json_begin_object(&reader) || !json_next_key(&reader));
    CHECK(json_result(&reader) == ERR_FORMAT && strstr(err.text, ":1: UTF-16 text"));
    json_close(&reader);
}

static bool open_text(const char *text)
{
    put(text);
    return json_open(&reader, path, &err) == OK;
}

/* Did it fail with "path:place..."? */
static bool failed_with(const char *text)
{
    bool found = json_result(&reader) == ERR_FORMAT && strstr(err.text, text);
    if (!found) {
        printf("    result %d, %s\n", (int)json_result(&reader), err.text);
    }
    json_close(&reader);
    return found;
}

static void values(void)
{
    char text[32], place[64];
    double number = 0, four[4];
    int64_t whole = 0;
    bool flag = false;
    CHECK(open_text(
        "\xef\xbb\xbf{\"a\": -1.5e2, \"skip\": {\"x\": [1, {\"y\": null}], \"z\": true},\n"
        " \"b\": [0, 1.25, 3, 4e-1], \"c\": \"d\\u00e9\\\"\\uD83D\\ude00\\n\", \"e\": [],"
        " \"f\": 9007199254740992, \"g\": false, \"h\": 1, \"i\": {}}\n "));
    CHECK(json_peek(&reader) == JSON_OBJECT && json_begin_object(&reader));
    CHECK(json_next_key(&reader) && json_key_is(&reader, "a"));
    CHECK(json_peek(&reader) == JSON_NUMBER && json_number(&reader, &number) && number == -150);
    CHECK(json_next_key(&reader) && json_key_is(&reader, "skip") && json_skip(&reader));
    CHECK(json_next_key(&reader) && json_numbers(&reader, four, 4));
    CHECK(four[0] == 0 && four[1] == 1.25 && four[2] == 3 && four[3] == .4);
    CHECK(json_next_key(&reader) && strcmp(json_place(&reader, place, sizeof place), "c") == 0);
    CHECK(json_string(&reader, text, sizeof text));
    CHECK(strcmp(text, "d\xc3\xa9\"\xf0\x9f\x98\x80\n") == 0);
    CHECK(json_next_key(&reader) && json_begin_array(&reader) && !json_next_item(&reader));
    CHECK(json_next_key(&reader) && json_whole(&reader, &whole) && whole == 9007199254740992);
    CHECK(json_next_key(&reader) && json_flag(&reader, &flag) && !flag);
    CHECK(json_next_key(&reader) && json_flag(&reader, &flag) && flag);
    CHECK(json_next_key(&reader) && json_begin_object(&reader) && !json_next_key(&reader));
    CHECK(!json_next_key(&reader) && json_end(&reader) && json_peek(&reader) == JSON_NOTHING);
    CHECK(json_result(&reader) == OK);
    json_close(&reader);
}

/* Half of a surrogate pair takes nothing of what follows it along. */
static void lone_surrogates(void)
{
    static const struct {
        const char *json, *text;
    } cases[] = {
        {"\\ud83d", "\xef\xbf\xbd"},
        {"\\ud83dx", "\xef\xbf\xbdx"},
        {"\\ud83d\\n", "\xef\xbf\xbd\n"},
        {"\\ud83d\\u0041b", "\xef\xbf\xbd"
                            "Ab"},
        {"\\ud83d\\u00e9", "\xef\xbf\xbd\xc3\xa9"},
        {"\\ude00\\u0041", "\xef\xbf\xbd"
                           "A"},
        {"\\ud83d\\ud83d\\ude00", "\xef\xbf\xbd\xf0\x9f\x98\x80"},
        {"\\ud83d\\ud83d\\ud83d", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"\\ud83d\\ud83d\\u0041", "\xef\xbf\xbd\xef\xbf\xbd"
                                  "A"},
        {"\\ud83d\\ude00\\ud83d", "\xf0\x9f\x98\x80\xef\xbf\xbd"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char json[64], text[32];
        snprintf(json, sizeof json, "\"%s\"", cases[i].json);
        CHECK(open_text(json) && json_string(&reader, text, sizeof text) && json_end(&reader));
        CHECK_MSG(strcmp(text, cases[i].text) == 0, "%s", cases[i].json);
        json_close(&reader);
    }
    CHECK(open_text("\"\\ud83d\\q\"") && !json_skip(&reader));
    CHECK(failed_with("known escape"));
    CHECK(open_text("\"\\ud83d\\u12\"") && !json_skip(&reader));
    CHECK(failed_with("hexadecimal digit"));
}

static void several_values(void)
{
    int64_t v, sum = 0;
    int count = 0;
    CHECK(open_text("1\n2 3\n\n"));
    while (json_peek(&reader) != JSON_NOTHING && json_whole(&reader, &v)) {
        sum += v;
        count++;
    }
    CHECK(json_result(&reader) == OK && count == 3 && sum == 6);
    json_close(&reader);
}

/* [{"k": VALUE}], read as a number. */
static void read_like_a_list(void)
{
    double number;
    json_begin_array(&reader);
    while (json_next_item(&reader)) {
        json_begin_object(&reader);
        while (json_next_key(&reader)) {
            if (json_key_is(&reader, "k")) {
                json_number(&reader, &number);
            } else {
                json_skip(&reader);
            }
        }
    }
    json_end(&reader);
}

static void faults(void)
{
    static const char *const table[][2] = {
        {"", ":1: not valid JSON: the file ends"},
        {"[\n{\"k\": 1},\n{\"k\": NaN}]", ":3: [1].k: not a finite number"},
        {"[{\"k\": -Infinity}]", "[0].k: not a finite number"},
        {"[{\"k\": Infinity}]", "[0].k: not a finite number"},
        {"[{\"k\": 1e999}]", "[0].k: is not a finite number"},
        {"[{\"k\": \"1\"}]", "[0].k: is not a number"},
        {"[{\"k\": 01}]", "[0].k: not valid JSON: \"01\""},
        {"[{\"k\": 1.}]", "[0].k: not valid JSON: \"1.\""},
        {"[{\"k\": 1-2}]", "[0].k: not valid JSON: \"1-2\""},
        {"[{\"k\": 1, \"j\": [1, 2", "[0].j[1]: not valid JSON: the file ends"},
        {"[{\"k\": 1, \"j\": \"abc", "[0].j: not valid JSON: the file ends"},
        {"[{\"k\" 1}]", "[0].k: not valid JSON: byte 7 of the line, where ':'"},
        {"[{\"k\": 1 \"j\": 2}]", "where ',' or '}'"},
        {"[{\"k\": 1}] x", ":1: not valid JSON: byte 12 of the line, where the end"},
        {"[{\"k\": 1},]", "where a value is expected"},
        {"[{\"j\": \"\\x\"}]", "[0].j: not valid JSON: byte 10"},
        {"[{\"j\": nul}]", "where true, false or null"},
        {"{\"k\": 1}", ":1: not an array"},
        {"[{\"j\": \"a\nb\"}]", "[0].j: not valid JSON"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        CHECK(open_text(table[i][0]));
        read_like_a_list();
        CHECK_MSG(failed_with(table[i][1]), "%s", table[i][0]);
    }
    CHECK(json_open(&reader, "/nonexistent/x.json", &err) == ERR_IO);
    json_close(&reader);
    CHECK(json_open(&reader, "/tmp", &err) == ERR_FORMAT);
    json_close(&reader);
}

static void limits(void)
{
    char text[8], deep[JSON_MAX_DEPTH + 2];
    double two[2];
    memset(deep, '[', sizeof deep - 1);
    deep[sizeof deep - 1] = 0;
    CHECK(open_text(deep) && !json_skip(&reader) && failed_with("nested deeper than 64"));
    CHECK(open_text("[\"eight...\"]") && json_begin_array(&reader) && json_next_item(&reader));
    CHECK(!json_string(&reader, text, sizeof text) && failed_with("[0]: a text of 8 bytes"));
    CHECK(open_text("\"a\\u0000b\"") && !json_string(&reader, text, sizeof text));
    CHECK(failed_with("zero byte"));
    CHECK(open_text("[1, 2, 3]") && !json_numbers(&reader, two, 2));
    CHECK(failed_with("array of 2 numbers (it has 3)"));
    check_wide("\xff\xfe{\0\"\0a\0", 8);
    check_wide("\xfe\xff\0{\0\"\0a", 8);
    check_wide("{\0\"\0a\0\"\0", 8);
    CHECK(open_text("1.5") && !json_whole(&reader, &(int64_t){0}) && failed_with("whole number"));
    CHECK(open_text("{\"a\": {}}") && json_begin_object(&reader) && json_next_key(&reader));
    CHECK(json_skip(&reader) && !json_fault_in(&reader, "id", "is missing") &&
          failed_with(": a.id: is missing"));
}

/* Numbers and texts across the borders of the buffer. */
static void large(void)
{
    enum { COUNT = 30000 };
    FILE *f;
    double number, wanted = 0;
    char text[32], expected[32];
    put("");
    f = fopen(path, "w");
    fputc('[', f);
    for (int i = 0; i < COUNT; i++) {
        fprintf(f, "%s[%d.25, \"t%d\"]", i ? "," : "", i, i);
    }
    fputc(']', f);
    fclose(f);
    CHECK_OK(json_open(&reader, path, &err));
    CHECK(json_begin_array(&reader));
    for (; json_next_item(&reader); wanted++) {
        CHECK(json_begin_array(&reader) && json_next_item(&reader));
        CHECK(json_number(&reader, &number) && number == wanted + .25);
        snprintf(expected, sizeof expected, "t%.0f", wanted);
        CHECK(json_next_item(&reader) && json_string(&reader, text, sizeof text));
        CHECK(strcmp(text, expected) == 0 && !json_next_item(&reader));
    }
    CHECK(wanted == COUNT && json_end(&reader));
    json_close(&reader);
    remove(path);
}

static const struct test_case cases[] = {
    {"values", values},
    {"lone_surrogates", lone_surrogates},
    {"several values", several_values},
    {"faults", faults},
    {"limits", limits},
    {"large", large},
};

TEST_MAIN(cases)
