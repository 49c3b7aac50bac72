/* What the processor does with denormal floats (|x| < 1.2e-38) on the calling thread. An Intel core
 * takes some hundred cycles for an operation with one, and mish of a strongly negative input is one:
 * a network of random weights can take half as long again. */
#ifndef BASE_DENORMALS_H
#define BASE_DENORMALS_H

/* Results and operands that are denormal count as zero from now on: x86 (FTZ and DAZ of MXCSR) and 64-bit ARM
 * (FZ of FPCR), vectors and scalars alike; elsewhere nothing changes. Returns what was set before,
 * for denormals_restore on the same thread. */
unsigned long denormals_flush(void);

void denormals_restore(unsigned long before);

#endif
