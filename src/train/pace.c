#include "train/pace.h"

enum { MEMORY = 100, ENOUGH = 6 };

void pace_enter(struct pace *pace, double now)
{
    pace->updates = 0;
    pace->update = 0.0;
    pace_row(pace, now);
}

void pace_update(struct pace *pace, double seconds)
{
    uint64_t before = pace->updates > MEMORY ? MEMORY : pace->updates;
    pace->updates++;
    pace->row_updates++;
    pace->update += (seconds - pace->update) / (double)(before > 1 ? before : 1);
}

void pace_validation(struct pace *pace, double seconds)
{
    pace->validations++;
    pace->validation += (seconds - pace->validation) / (double)pace->validations;
}

void pace_row(struct pace *pace, double now)
{
    pace->row_updates = 0;
    pace->row_started = now;
}

double pace_left(const struct pace *pace, uint64_t updates, uint64_t validations)
{
    return pace->updates == 0
               ? 0.0
               : (double)updates * pace->update + (double)validations * pace->validation;
}

bool pace_is_settled(const struct pace *pace)
{
    return pace->updates == ENOUGH;
}
