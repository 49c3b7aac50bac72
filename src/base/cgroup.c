#include "base/cgroup.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/fileio.h"

enum { LINE = 4096, FOLDER = LINE + 256, PATH = FOLDER + 64 };

bool cgroup_number(const char *folder, const char *name, double *number)
{
    char path[PATH];
    FILE *file = NULL;
    struct error unread;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (file_open(path, &file, NULL, &unread) != OK) {
        return false;
    }
    bool is_read = fscanf(file, "%lf", number) == 1; /* "max" is no number */
    fclose(file);
    return is_read;
}

/* The least limit of a group and those above it; the tree is mounted as /sys/fs/cgroup `name`. A container sees its own
 * group as the root of the mount, whatever `group` says, so that one is looked at as well. */
static double least_of_group(const char *root, const char *name, const char *group,
                             cgroup_reader reader)
{
    char folder[FOLDER];
    int mount = snprintf(folder, sizeof folder, "%s/sys/fs/cgroup%s", root, name);
    if (mount < 0 || (size_t)mount + strlen(group) >= sizeof folder) {
        return (double)INFINITY;
    }
    strcpy(folder + mount, group);
    double least = (double)INFINITY;
    for (;;) {
        double limit;
        least = reader(folder, &limit) ? fmin(limit, least) : least;
        char *slash = strrchr(folder, '/');
        if (!slash || slash - folder < mount) {
            return least;
        }
        *slash = '\0';
    }
}

/* Does "name,name" hold the controller? */
static bool names_controller(const char *names, const char *controller)
{
    size_t length = strlen(controller);
    for (const char *at = strstr(names, controller); at; at = strstr(at + 1, controller)) {
        bool begins = at == names || at[-1] == ',';
        if (begins && (at[length] == ',' || at[length] == '\0')) {
            return true;
        }
    }
    return false;
}

/* A line of /proc/self/cgroup is "number:controllers:/group"; version 2's has no controllers.
 * Version 1 mounts a tree under all of its controllers' names ("cpu,cpuacct"), most systems as "cpu", too. */
static double least_of_line(const char *root, const char *controller, cgroup_reader reader,
                            char *line)
{
    char *names = strchr(line, ':');
    char *group = names ? strchr(names + 1, ':') : NULL;
    char mount[64];
    if (!group) {
        return (double)INFINITY;
    }
    *names = '/';
    *group++ = '\0';
    group[strcspn(group, "\n")] = '\0';
    if (names[1] == '\0') {
        return least_of_group(root, "", group, reader);
    }
    if (!names_controller(names + 1, controller)) {
        return (double)INFINITY;
    }
    snprintf(mount, sizeof mount, "/%s", controller);
    return fmin(least_of_group(root, names, group, reader),
                least_of_group(root, mount, group, reader));
}

double cgroup_least(const char *root, const char *controller, cgroup_reader reader)
{
    char path[PATH], line[LINE];
    FILE *file = NULL;
    struct error unread;
    double least = (double)INFINITY;
    snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
    if (file_open(path, &file, NULL, &unread) != OK) {
        return least;
    }
    while (fgets(line, sizeof line, file)) {
        least = fmin(least_of_line(root, controller, reader, line), least);
    }
    fclose(file);
    return least;
}
