#include "base/denormals.h"

#if defined(__x86_64__) || defined(__SSE2__)

enum { FTZ = 1 << 15, DAZ = 1 << 6 };

unsigned long denormals_flush(void)
{
    unsigned before = __builtin_ia32_stmxcsr();
    __builtin_ia32_ldmxcsr(before | FTZ | DAZ);
    return before;
}

void denormals_restore(unsigned long before)
{
    __builtin_ia32_ldmxcsr((unsigned)before);
}

#elif defined(__aarch64__)

static const unsigned long FZ = 1ul << 24;

static void set_fpcr(unsigned long value)
{
    __asm__ volatile("msr fpcr, %0" : : "r"(value));
}

unsigned long denormals_flush(void)
{
    unsigned long before;
    __asm__ volatile("mrs %0, fpcr" : "=r"(before));
    set_fpcr(before | FZ);
    return before;
}

void denormals_restore(unsigned long before)
{
    set_fpcr(before);
}

#else

unsigned long denormals_flush(void)
{
    return 0;
}

void denormals_restore(unsigned long before)
{
    (void)before;
}

#endif
