#include "layers/kinds.h"

#include <string.h>

#define ADDRESS(name) &name##_ops,

const struct layer_ops *const layer_kinds[] = {LAYER_KINDS(ADDRESS) NULL};

const struct layer_ops *layer_find(const char *section_name)
{
    for (size_t i = 0; layer_kinds[i]; i++) {
        if (strcmp(layer_kinds[i]->name, section_name) == 0) {
            return layer_kinds[i];
        }
        const char *const *alias = layer_kinds[i]->aliases;
        for (; alias && *alias; alias++) {
            if (strcmp(*alias, section_name) == 0) {
                return layer_kinds[i];
            }
        }
    }
    return NULL;
}
