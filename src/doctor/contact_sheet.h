/* Pictures of what looks wrong. */
#ifndef DOCTOR_CONTACT_SHEET_H
#define DOCTOR_CONTACT_SHEET_H

#include "doctor/doctor.h"

/* For every picture with findings in its labels one JPEG in the folder: all boxes, the suspicious
 * ones in red with the number of their line, and the findings below; for every pair that looks
 * alike both side by side. At most `limit` of them; *drawn and *left say how many there are and are
 * not. A picture that cannot be read is passed over. */
NODISCARD enum result sheet_draw(const struct doctor *doctor, const char *folder, size_t limit,
                                 size_t *drawn, size_t *left, struct error *err);

#endif
