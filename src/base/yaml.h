/* YAML in, as a tree, through libyaml: maps, lists and texts of one document. What only programs write (anchors, aliases,
 * tags, several documents, keys that are no text) is refused with its place. (libyaml has a yaml_free of its own, for all of the process.) */
#ifndef BASE_YAML_H
#define BASE_YAML_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

enum { YAML_MAX_BYTES = 16 * 1024 * 1024, YAML_MAX_DEPTH = 16, YAML_MAX_KEYS = 20000 };

enum yaml_kind { YAML_TEXT, YAML_LIST, YAML_MAP };

struct yaml_node {
    enum yaml_kind kind;
    int line;
    char *key;       /* of a map's member; else NULL */
    char *text;      /* YAML_TEXT: as written, whatever it looks like */
    bool is_nothing; /* YAML_TEXT: null, ~ or empty, and not in quotes */
    struct yaml_node *first, *last, *next;
    size_t count; /* of members */
};

/* *root: a map, in the file's order (yaml_tree_free). ERR_FORMAT with path:line for what is no such YAML, a key given twice, more
 * than the limits above; ERR_IO; ERR_MEMORY. */
NODISCARD enum result yaml_tree_read(const char *path, struct yaml_node **root, struct error *err);
void yaml_tree_free(struct yaml_node *root);

/* The member of that key; NULL if there is none. */
const struct yaml_node *yaml_find(const struct yaml_node *map, const char *key);

/* Is a file of this name YAML: .yaml or .yml? */
bool yaml_is_named(const char *path);

#endif
