/* Changing values in the text of a .cfg: every byte that is not part of a changed value stays. */
#ifndef NET_CFG_EDIT_H
#define NET_CFG_EDIT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "cfg/cfg.h"

struct cfg_edit {
    int line;    /* counted from 1; 0 only with insert: before the first line */
    bool insert; /* false: the value behind the line's '=' becomes `text`; true: `text` becomes a
                    new line behind this one, with the same line end */
    char *text;  /* owned by the list */
};

/* Zeroed = empty. */
struct cfg_edits {
    struct cfg_edit *items;
    size_t count, capacity;
};

NODISCARD enum result cfg_edits_add(struct cfg_edits *edits, int line, bool insert,
                                    struct error *err, const char *fmt, ...) PRINTF_LIKE(5, 6);
void cfg_edits_free(struct cfg_edits *edits);

/* key = text in the section: the value of the line that has the key, or a new line under the
 * header. */
NODISCARD enum result cfg_edits_set(struct cfg_edits *edits, struct cfg_section *section,
                                    const char *key, const char *text, struct error *err);

/* The text with all edits made. Blanks around a value and a comment behind it stay. Several lines
 * inserted behind one stand in the order of the list. out->bytes (mem_free) end with a zero byte
 * that out->size does not count. ERR_FORMAT if there is no such line or no '=' in it; `path` is for
 * that message. */
struct cfg_text {
    char *bytes;
    size_t size;
};
NODISCARD enum result cfg_edits_apply(const struct cfg_edits *edits, const char *path,
                                      const struct cfg_text *text, struct cfg_text *out,
                                      struct error *err);

/* Read the file of a network, make the edits, and prove that the outcome (called new_path in
 * messages) is a network, too. Both texts are the caller's (mem_free), also after an error. */
NODISCARD enum result cfg_edits_make(const struct cfg_edits *edits, const char *path,
                                     const char *new_path, struct cfg_text *text,
                                     struct cfg_text *changed, struct error *err);

#endif
