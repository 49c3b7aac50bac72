/* flat [-l] FILE: JSON as lines "PATH=VALUE", one a leaf, in the order of the file:
 *
 *     [0].objects[2].name="dog"        [1].objects=[]
 *
 * A strict reader of RFC 8259 that shares nothing with the program under test: any fault of
 * grammar, UTF-8 or escapes ends it with status 1 and the byte where it was. Strings come out with
 * \u escapes decoded but for control characters. -l: a document a line (JSONL). */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DEPTH = 100, MAX_PATH = 1 << 16 };

static unsigned char *text;
static size_t size, at;
static char path[MAX_PATH];

static _Noreturn void fail(const char *what)
{
    fflush(stdout);
    fprintf(stderr, "flat: byte %zu: %s\n", at, what);
    exit(1);
}

static int peek(void)
{
    return at < size ? text[at] : -1;
}

static void blanks(void)
{
    while (peek() == ' ' || peek() == '\t' || peek() == '\n' || peek() == '\r') {
        at++;
    }
}

static void expect(int c, const char *what)
{
    if (peek() != c) {
        fail(what);
    }
    at++;
}

static void extend(size_t length, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    int n = vsnprintf(path + length, MAX_PATH - length, format, list);
    va_end(list);
    if (n < 0 || length + (size_t)n >= MAX_PATH) {
        fail("a path too long for this reader");
    }
}

static unsigned hex4(void)
{
    unsigned value = 0;
    for (int i = 0; i < 4; i++) {
        int c = peek();
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0) {
            fail("four hexadecimal digits expected");
        }
        value = value * 16 + (unsigned)digit;
        at++;
    }
    return value;
}

static void put(char **out, unsigned c)
{
    if (c < 0x20) {
        *out += sprintf(*out, "\\u%04x", c);
    } else if (c < 0x80) {
        *(*out)++ = (char)c;
    } else if (c < 0x800) {
        *(*out)++ = (char)(0xc0 | c >> 6);
        *(*out)++ = (char)(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        *(*out)++ = (char)(0xe0 | c >> 12);
        *(*out)++ = (char)(0x80 | (c >> 6 & 0x3f));
        *(*out)++ = (char)(0x80 | (c & 0x3f));
    } else {
        *(*out)++ = (char)(0xf0 | c >> 18);
        *(*out)++ = (char)(0x80 | (c >> 12 & 0x3f));
        *(*out)++ = (char)(0x80 | (c >> 6 & 0x3f));
        *(*out)++ = (char)(0x80 | (c & 0x3f));
    }
}

static void escape(char **out)
{
    int c = peek();
    at++;
    if (c == 'u') {
        unsigned value = hex4();
        if (value >= 0xdc00 && value < 0xe000) {
            fail("half a surrogate pair");
        }
        if (value >= 0xd800 && value < 0xdc00) {
            expect('\\', "half a surrogate pair");
            expect('u', "half a surrogate pair");
            unsigned low = hex4();
            if (low < 0xdc00 || low >= 0xe000) {
                fail("half a surrogate pair");
            }
            value = 0x10000 + ((value - 0xd800) << 10) + (low - 0xdc00);
        }
        put(out, value);
    } else if (c == '"' || c == '\\') {
        *(*out)++ = '\\';
        *(*out)++ = (char)c;
    } else if (c == '/') {
        *(*out)++ = '/';
    } else if (c > 0 && strchr("bfnrt", c)) {
        put(out, (unsigned)"\b\f\n\r\t"[strchr("bfnrt", c) - "bfnrt"]);
    } else {
        fail("no such escape");
    }
}

/* One character of more than a byte: well formed, not overlong, no surrogate. */
static void utf8(char **out)
{
    static const unsigned least[] = {0, 0, 0x80, 0x800, 0x10000};
    int c = peek(), length = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
    unsigned value = (unsigned)c & (0x7fu >> length);
    if (c < 0xc2 || c > 0xf4) {
        fail("not UTF-8");
    }
    at++;
    for (int i = 1; i < length; i++, at++) {
        if (peek() < 0x80 || peek() > 0xbf) {
            fail("not UTF-8");
        }
        value = value << 6 | ((unsigned)peek() & 0x3f);
    }
    if (value < least[length] || value > 0x10ffff || (value >= 0xd800 && value < 0xe000)) {
        fail("not UTF-8");
    }
    put(out, value);
}

/* The string at the cursor, without its quotes; the caller frees it. */
static char *string(void)
{
    expect('"', "a string expected");
    size_t end = at;
    while (end < size && text[end] != '"') {
        end += text[end] == '\\' ? 2 : 1;
    }
    char *value = malloc(6 * (end - at) + 8), *out = value;
    if (!value) {
        fail("out of memory");
    }
    while (peek() != '"') {
        int c = peek();
        if (c < 0x20) { /* or the end */
            fail("a string that does not end, or holds a control character");
        } else if (c == '\\') {
            at++;
            escape(&out);
        } else if (c >= 0x80) {
            utf8(&out);
        } else {
            *out++ = (char)c;
            at++;
        }
    }
    at++;
    *out = '\0';
    return value;
}

static size_t digits(void)
{
    size_t start = at;
    while (peek() >= '0' && peek() <= '9') {
        at++;
    }
    return at - start;
}

static void number(void)
{
    size_t start = at;
    if (peek() == '-') {
        at++;
    }
    int first = peek();
    size_t whole = digits();
    if (whole == 0 || (first == '0' && whole > 1)) {
        fail("no value");
    }
    if (peek() == '.') {
        at++;
        if (digits() == 0) {
            fail("no digits behind the point");
        }
    }
    if (peek() == 'e' || peek() == 'E') {
        at++;
        if (peek() == '+' || peek() == '-') {
            at++;
        }
        if (digits() == 0) {
            fail("no digits in the exponent");
        }
    }
    printf("%s=%.*s\n", path, (int)(at - start), (char *)text + start);
}

static void value(int depth)
{
    size_t length = strlen(path);
    blanks();
    int open = peek();
    if (depth > MAX_DEPTH) {
        fail("too deep for this reader");
    }
    if (open == '{' || open == '[') {
        int close = open == '{' ? '}' : ']';
        at++;
        blanks();
        if (peek() == close) {
            printf("%s=%c%c\n", path, open, close);
        } else {
            for (size_t i = 0; i == 0 || peek() == ','; i++) {
                at += i > 0;
                if (open == '[') {
                    extend(length, "[%zu]", i);
                } else {
                    blanks();
                    char *key = string();
                    extend(length, "%s%s", length ? "." : "", key);
                    free(key);
                    blanks();
                    expect(':', "a colon expected");
                }
                value(depth + 1);
                blanks();
            }
        }
        path[length] = '\0';
        expect(close, "a comma or the closing bracket expected");
    } else if (open == '"') {
        char *s = string();
        printf("%s=\"%s\"\n", path, s);
        free(s);
    } else {
        static const char *const words[] = {"true", "false", "null"};
        for (int i = 0; i < 3; i++) {
            size_t n = strlen(words[i]);
            if (size - at >= n && memcmp(text + at, words[i], n) == 0) {
                at += n;
                printf("%s=%s\n", path, words[i]);
                return;
            }
        }
        number();
    }
}

int main(int argc, char **argv)
{
    int lines = argc == 3 && strcmp(argv[1], "-l") == 0;
    FILE *file = argc == 2 + lines ? fopen(argv[1 + lines], "rb") : NULL;
    if (!file) {
        fprintf(stderr, "usage: flat [-l] FILE (one that can be opened)\n");
        return 2;
    }
    size_t got, room = 0;
    do {
        room = room ? 2 * room : 1 << 16;
        unsigned char *grown = realloc(text, room);
        if (!grown) {
            fail("out of memory");
        }
        text = grown;
        got = fread(text + size, 1, room - size, file);
        size += got;
    } while (got);
    fclose(file);
    blanks();
    for (size_t i = 0; i == 0 || (lines && at < size); i++) {
        path[0] = '\0';
        if (lines) {
            extend(0, "[%zu]", i);
        }
        value(0);
        if (lines && peek() != '\n') {
            fail("a line of JSON does not end where its value does");
        }
        blanks();
    }
    if (at != size) {
        fail("something behind the end");
    }
    free(text);
    return 0;
}
