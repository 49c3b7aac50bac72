/* The table of classes at the end of a training. */
#ifndef REPORT_SCORE_TABLE_H
#define REPORT_SCORE_TABLE_H

/* Say on stderr what the folder's thresholds.json holds (run/class_scores.h), a line a class. Nothing if there is no such
 * file. */
void score_table_say(const char *folder);

#endif
