/* Text that others chose (names of files and classes), on its way to people and into JSON. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* text as valid UTF-8 in out[size]: each byte that belongs to no well-formed character becomes
 * U+FFFD. size >= 3 * strlen(text) + 1 always suffices; cut at a character if it does not. Returns
 * out. */
char *text_utf8(const char *text, char *out, size_t size);

bool text_is_utf8(const char *text);

/* Bytes of the well-formed character at text, 0 if there is none. */
size_t text_utf8_length(const char *text);

/* The columns that a UTF-8 text takes on a terminal, one a character. */
int text_columns(const char *text);

/* Bytes of a byte order mark at the beginning of a text of `size` bytes: 3, or 0 if it has none. */
size_t text_mark(const void *text, size_t size);

/* In place: without blanks at both ends. Returns where it begins now. */
char *text_trim(char *text);

/* Can a list of pictures, one path a line, hold this path: has it no control characters but tabs? */
bool text_fits_list(const char *path);

/* In place: bytes that would end the line or steer a terminal (control characters, those of two
 * bytes in UTF-8, too) become '?'. Returns text. */
char *text_mask(char *text);

/* The same on its way to a stream. */
void text_put(FILE *out, const char *text);

#endif
