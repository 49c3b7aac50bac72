/* JSON out, through cJSON. */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <stdbool.h>
#include <stdio.h>

#include <cjson/cJSON.h>

#include "base/error.h"

/* Make cJSON allocate through base/memory and remember whether an allocation failed: the builders
 * then need no check at every call. Call once at start; the memory of failure is the one global
 * state. */
void json_init(void);

/* Did an allocation fail since json_init? Then what was built since may lack members, and is not to be written. */
bool json_lacks_memory(void);

/* A number rounded to `digits` decimals; null if it is not finite. */
void json_add_rounded(cJSON *object, const char *key, double value, int digits);

/* A finite number that is read back to its last bit: cJSON itself takes 15 digits where the rest is within rounding. */
cJSON *json_exact(double value);

/* Printed JSON on its way to a stream. Names of files need not be UTF-8, but JSON must be: other bytes become
 * U+FFFD. Control characters that cJSON leaves as they are (0x7f, U+0080..9F) are escaped, as a terminal may
 * obey them. */
void json_put(FILE *out, const char *text);

/* The same for a file that is to give the very bytes back: a byte 0xNN that is no UTF-8 becomes U+F0NN, of the
 * private use area. So do the bytes of such a character itself. */
void json_put_bytes(FILE *out, const char *text);

/* The byte that the character at `text` stands for there; 0: it stands for itself. */
unsigned char json_kept_byte(const char *text);
/* A text that was read, in place: with the bytes that were kept so. */
void json_restore_bytes(char *text);

/* root on one line as valid UTF-8 (mem_free), and delete it; NULL as json_print's ERR_MEMORY. */
char *json_text(cJSON *root);

/* Print root and a newline to stdout, indented if `pretty`, and delete it. ERR_MEMORY if anything
 * failed to be allocated since json_init: nothing is printed then. */
NODISCARD enum result json_print(cJSON *root, bool pretty, struct error *err);

/* The same to any stream; errors of the stream are the caller's to look for. */
NODISCARD enum result json_write(cJSON *root, bool pretty, FILE *out, struct error *err);
/* The same on one line, for a file that is to give the very bytes of its texts back. */
NODISCARD enum result json_write_bytes(cJSON *root, FILE *out, struct error *err);

#endif
