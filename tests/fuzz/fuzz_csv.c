/* results.csv of a run that is resumed, and the chart that is drawn from it. */
#include "fuzz.h"

#include <string.h>

#include "base/log.h"
#include "report/train_chart.h"
#include "train/runlog.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const columns[] = {"iteration", "loss"};
    static const double values[] = {1};
    struct runlog *log;
    struct error err;
    log_set_level(LOG_QUIET);
    fuzz_file("results.csv", data, size);
    if (size > 0 && size % 512 == 0) { /* drawing takes long */
        (void)!fuzz_read(train_chart_draw(fuzz_folder(), &err), &err);
    }
    if (fuzz_read(runlog_open(fuzz_folder(), columns, 2, 5, &log, &err), &err)) {
        (void)!fuzz_read(runlog_row(log, 6, values, &err), &err);
        (void)!fuzz_read(runlog_cut(log, 3, &err), &err);
        runlog_close(log);
    }
    return 0;
}
