#include "base/yaml.h"

#include <string.h>
#include <yaml.h>

#include "base/fileio.h"
#include "base/memory.h"
#include "base/path.h"
#include "base/sniff.h"

struct reading {
    yaml_parser_t parser;
    const char *path, *text;
    size_t size;
    struct error *err;
};

static enum result fault(const struct reading *r, size_t line, const char *what)
{
    return error_at(r->err, ERR_FORMAT, r->path, (int)line, "%s", what);
}

static size_t line_of(const yaml_event_t *event)
{
    return event->start_mark.line + 1;
}

/* ---- what libyaml refuses ---- */

/* Is the line, counted from 0, indented with a tab? */
static bool has_tab(const struct reading *r, size_t line)
{
    const char *at = r->text;
    while (line > 0 && (at = strchr(at, '\n'))) {
        at++;
        line--;
    }
    return at && at[strspn(at, " ")] == '\t';
}

static size_t lines_before(const struct reading *r, size_t offset)
{
    size_t lines = 1;
    for (size_t i = 0; i < offset && i < r->size; i++) {
        lines += r->text[i] == '\n';
    }
    return lines;
}

static enum result parser_fault(const struct reading *r)
{
    const yaml_parser_t *p = &r->parser;
    switch (p->error) {
    case YAML_MEMORY_ERROR:
        return mem_error(r->err, r->path);
    case YAML_READER_ERROR:
        return fault(r, lines_before(r, p->problem_offset), "not a text file");
    default:
        break;
    }
    bool is_tab = has_tab(r, p->problem_mark.line);
    return error_at(r->err, ERR_FORMAT, r->path, (int)p->problem_mark.line + 1, "no YAML: %s%s",
                    p->problem ? p->problem : "unknown fault",
                    is_tab ? " (a tab: YAML is indented with blanks)" : "");
}

/* ---- the tree ---- */

static enum result copy_text(const struct reading *r, const yaml_event_t *event, char **out)
{
    const char *text = (const char *)event->data.scalar.value;
    if (strlen(text) != event->data.scalar.length) {
        return fault(r, line_of(event), "a text with a zero byte");
    }
    *out = mem_strdup(text);
    return *out ? OK : mem_error(r->err, r->path);
}

static bool means_nothing(const yaml_event_t *event)
{
    static const char *const words[] = {"", "~", "null", "Null", "NULL"};
    const char *text = (const char *)event->data.scalar.value;
    bool is_nothing = false;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        is_nothing = is_nothing || strcmp(text, words[i]) == 0;
    }
    return is_nothing && event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
}

static enum result new_node(const struct reading *r, const yaml_event_t *event,
                            struct yaml_node **out)
{
    struct yaml_node *node = mem_alloc(1, sizeof *node);
    *out = node;
    if (!node) {
        return mem_error(r->err, r->path);
    }
    node->line = (int)line_of(event);
    if (event->type == YAML_SCALAR_EVENT) {
        node->is_nothing = means_nothing(event);
        return copy_text(r, event, &node->text);
    }
    node->kind = event->type == YAML_MAPPING_START_EVENT ? YAML_MAP : YAML_LIST;
    return OK;
}

static void add(struct yaml_node *parent, struct yaml_node *node)
{
    *(parent->last ? &parent->last->next : &parent->first) = node;
    parent->last = node;
    parent->count++;
}

static bool has_anchor(const yaml_event_t *event)
{
    return event->type == YAML_ALIAS_EVENT ||
           (event->type == YAML_SCALAR_EVENT && event->data.scalar.anchor) ||
           (event->type == YAML_SEQUENCE_START_EVENT && event->data.sequence_start.anchor) ||
           (event->type == YAML_MAPPING_START_EVENT && event->data.mapping_start.anchor);
}

static bool has_tag(const yaml_event_t *event)
{
    return (event->type == YAML_SCALAR_EVENT && event->data.scalar.tag) ||
           (event->type == YAML_SEQUENCE_START_EVENT && event->data.sequence_start.tag) ||
           (event->type == YAML_MAPPING_START_EVENT && event->data.mapping_start.tag);
}

/* What is a fault wherever it stands. */
static enum result check_event(const struct reading *r, const yaml_event_t *event)
{
    return has_anchor(event) ? fault(r, line_of(event),
                                     "an anchor or an alias, which are not read (write the value "
                                     "itself)")
           : has_tag(event)  ? fault(r, line_of(event), "a tag (!...), which is not read")
                             : OK;
}

/* The nodes that are open, outermost first. */
struct tree {
    struct yaml_node *open[YAML_MAX_DEPTH];
    int depth;
    char *key; /* of the member to come, owned */
    size_t key_line;
};

static enum result take_key(const struct reading *r, struct tree *tree, const yaml_event_t *event)
{
    if (event->type != YAML_SCALAR_EVENT) {
        return fault(r, line_of(event), "a key that is no text");
    }
    TRY(copy_text(r, event, &tree->key));
    const struct yaml_node *map = tree->open[tree->depth - 1];
    if (map->count == YAML_MAX_KEYS) { /* each is compared with all before it */
        return fault(r, line_of(event), "too many keys");
    }
    const struct yaml_node *twin = yaml_find(map, tree->key);
    if (twin) {
        return error_at(r->err, ERR_FORMAT, r->path, (int)line_of(event),
                        "%.60s is given again (first in line %d)", tree->key, twin->line);
    }
    tree->key_line = line_of(event);
    return OK;
}

static enum result take_node(const struct reading *r, struct tree *tree, const yaml_event_t *event)
{
    struct yaml_node *parent = tree->depth > 0 ? tree->open[tree->depth - 1] : NULL;
    bool opens = event->type != YAML_SCALAR_EVENT;
    struct yaml_node *node;
    TRY(check_event(r, event));
    if (parent && parent->kind == YAML_MAP && !tree->key) {
        return take_key(r, tree, event);
    }
    if (!parent && event->type != YAML_MAPPING_START_EVENT) {
        return fault(r, line_of(event), "no \"key: value\" lines");
    }
    if (opens && tree->depth == YAML_MAX_DEPTH) {
        return fault(r, line_of(event), "nested too deeply");
    }
    enum result result = new_node(r, event, &node);
    if (node && parent) {
        add(parent, node);
        node->key = tree->key;
        node->line = tree->key ? (int)tree->key_line : node->line;
        tree->key = NULL;
    }
    if (node && opens) {
        tree->open[tree->depth++] = node;
    }
    return result;
}

static enum result take_event(const struct reading *r, struct tree *tree, const yaml_event_t *event,
                              struct yaml_node **root)
{
    switch (event->type) {
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        tree->depth--;
        return OK;
    case YAML_ALIAS_EVENT:
    case YAML_SCALAR_EVENT:
    case YAML_SEQUENCE_START_EVENT:
    case YAML_MAPPING_START_EVENT: {
        enum result result = take_node(r, tree, event);
        *root = tree->depth > 0 ? tree->open[0] : *root;
        return result;
    }
    case YAML_DOCUMENT_START_EVENT:
        return *root ? fault(r, line_of(event), "a second document") : OK;
    default:
        return OK;
    }
}

static enum result read_events(struct reading *r, struct yaml_node **root)
{
    struct tree tree = {.depth = 0};
    enum result result = OK;
    bool is_end = false;
    while (result == OK && !is_end) {
        yaml_event_t event;
        if (!yaml_parser_parse(&r->parser, &event)) {
            result = parser_fault(r);
            break;
        }
        result = take_event(r, &tree, &event, root);
        is_end = event.type == YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
    }
    mem_free(tree.key);
    return result == OK && !*root ? fault(r, 0, "nothing in it") : result;
}

enum result yaml_tree_read(const char *path, struct yaml_node **root, struct error *err)
{
    struct reading r = {.path = path, .err = err};
    char *text;
    *root = NULL;
    TRY(file_read(path, YAML_MAX_BYTES, &text, &r.size, err));
    r.text = text;
    const char *wide = sniff_wide(text, r.size);
    enum result result = wide                                ? fault(&r, 0, wide)
                         : yaml_parser_initialize(&r.parser) ? OK
                                                             : mem_error(err, path);
    if (result == OK) {
        yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
        yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, r.size);
        result = read_events(&r, root);
        yaml_parser_delete(&r.parser);
    }
    mem_free(text);
    if (result != OK) {
        yaml_tree_free(*root);
        *root = NULL;
    }
    return result;
}

void yaml_tree_free(struct yaml_node *root)
{
    while (root) {
        struct yaml_node *next = root->next;
        yaml_tree_free(root->first);
        mem_free(root->key);
        mem_free(root->text);
        mem_free(root);
        root = next;
    }
}

const struct yaml_node *yaml_find(const struct yaml_node *map, const char *key)
{
    const struct yaml_node *node = map->kind == YAML_MAP ? map->first : NULL;
    while (node && strcmp(node->key, key) != 0) {
        node = node->next;
    }
    return node;
}

bool yaml_is_named(const char *path)
{
    return path_ends_in(path, ".yaml") || path_ends_in(path, ".yml");
}
