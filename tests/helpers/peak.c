/* peak COMMAND...: runs it with stdout and stderr thrown away and prints its peak memory in KB;
 * status 1 unless it ended with 0. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    pid_t child = argc > 1 ? fork() : -1;
    if (child == 0) {
        int null = open("/dev/null", O_WRONLY);
        dup2(null, STDOUT_FILENO);
        dup2(null, STDERR_FILENO);
        execvp(argv[1], argv + 1);
        _exit(127);
    }
    int status = 1;
    struct rusage usage;
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0 ||
        getrusage(RUSAGE_CHILDREN, &usage) != 0) {
        fprintf(stderr, "peak: status %d\n", status);
        return 1;
    }
    printf("%ld\n", usage.ru_maxrss);
    return 0;
}
