/* Texts that are taken for another kind of file by mistake: called what they are. */
#ifndef DATA_TEXT_KIND_H
#define DATA_TEXT_KIND_H

#include <stddef.h>

/* JSON, JSON a line, or YAML where a list or a .data file is expected, by its first line that says
 * something; a sentence on it, or NULL. */
const char *text_is_structured(const char *line);

/* A line of a list of the form "path x1,y1,x2,y2,class x1,...": a sentence on it, or NULL. */
const char *text_is_boxed_path(const char *line);

#endif
