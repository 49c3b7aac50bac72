/* The order of tensors that names alone give. */
#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "exchange/tensors.h"

/* Runs of digits by their value: 2 before 10. */
static int by_name(const void *left, const void *right)
{
    const char *a = ((const struct tensor_entry *)left)->name;
    const char *b = ((const struct tensor_entry *)right)->name;
    while (*a && *b) {
        if (isdigit((unsigned char)*a) && isdigit((unsigned char)*b)) {
            a += strspn(a, "0");
            b += strspn(b, "0");
            size_t digits = strspn(a, "0123456789"), others = strspn(b, "0123456789");
            int order =
                digits != others ? (digits > others) - (digits < others) : strncmp(a, b, digits);
            if (order) {
                return order;
            }
            a += digits;
            b += others;
        } else if (*a != *b) {
            return (unsigned char)*a > (unsigned char)*b ? 1 : -1;
        } else {
            a++;
            b++;
        }
    }
    return (*a != 0) - (*b != 0);
}

/* ---- modules without weights ---- */

/* A run of entries with one module. */
struct module {
    const char *name;
    size_t first, end, place; /* place: its own number, or that of the module that it follows */
    bool has_weights;
};

/* Length of what the module's name has in front of its last word. */
static size_t parent_length(const char *module)
{
    size_t length = strlen(module);
    while (length > 0 && module[length - 1] != '.' && module[length - 1] != '/') {
        length--;
    }
    return length;
}

static bool has_parent(const char *module, const char *parent, size_t length)
{
    return strncmp(module, parent, length) == 0;
}

/* The digits that a name ends in, without leading zeros. */
static const char *number_behind(const char *module)
{
    const char *at = module + strlen(module);
    while (at > module && isdigit((unsigned char)at[-1])) {
        at--;
    }
    return at + strspn(at, "0");
}

/* The only module with weights beside this one that has its number: conv for bn, conv2 for bn2. NULL: none. */
static const struct module *find_host(const struct module *modules, size_t count, size_t own)
{
    const char *name = modules[own].name, *number = number_behind(name);
    size_t length = parent_length(name), first = own;
    const struct module *host = NULL;
    while (first > 0 && has_parent(modules[first - 1].name, name, length)) {
        first--;
    }
    for (size_t i = first; i < count && has_parent(modules[i].name, name, length); i++) {
        const char *other = modules[i].name;
        if (modules[i].has_weights && parent_length(other) == length &&
            strcmp(number_behind(other), number) == 0) {
            if (host) {
                return NULL;
            }
            host = &modules[i];
        }
    }
    return host;
}

static size_t find_modules(const struct tensor_list *list, struct module *modules)
{
    size_t count = 0;
    for (size_t i = 0; i < list->count; i++) {
        const struct tensor_entry *t = &list->items[i];
        if (i == 0 || !t->module[0] || strcmp(t->module, t[-1].module) != 0) {
            modules[count] = (struct module){.name = t->module, .first = i, .place = count};
            count++;
        }
        modules[count - 1].end = i + 1;
        modules[count - 1].has_weights |= t->rank >= 2;
    }
    return count;
}

static int by_place(const void *left, const void *right)
{
    const struct module *a = left, *b = right;
    if (a->place != b->place) {
        return a->place > b->place ? 1 : -1;
    }
    if (a->has_weights != b->has_weights) {
        return a->has_weights ? -1 : 1;
    }
    return (a->first > b->first) - (a->first < b->first);
}

enum result tensors_sort(struct tensor_list *list, struct error *err)
{
    if (list->count < 2) {
        return OK;
    }
    struct module *modules = mem_alloc(list->count, sizeof *modules);
    struct tensor_entry *sorted = mem_alloc(list->capacity, sizeof *sorted);
    if (!modules || !sorted) {
        mem_free(modules);
        mem_free(sorted);
        return mem_error(err, "the order of tensors");
    }
    qsort(list->items, list->count, sizeof *list->items, by_name);
    size_t count = find_modules(list, modules), done = 0;
    for (size_t i = 0; i < count; i++) {
        const struct module *host =
            modules[i].has_weights || !modules[i].name[0] ? NULL : find_host(modules, count, i);
        modules[i].place = host ? (size_t)(host - modules) : i;
    }
    qsort(modules, count, sizeof *modules, by_place);
    for (size_t i = 0; i < count; i++) {
        size_t length = modules[i].end - modules[i].first;
        memcpy(sorted + done, list->items + modules[i].first, length * sizeof *sorted);
        done += length;
    }
    mem_free(modules);
    mem_free(list->items);
    list->items = sorted;
    return OK;
}
