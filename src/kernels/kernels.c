#include "kernels/kernels.h"

#include <stdatomic.h>
#include <string.h>

#if HAVE_X86_KERNELS
#include <cpuid.h>
#endif

#include "base/cores.h"
#include "kernels/slots.h"
#include "kernels/slots_int8.h"

enum isa { ISA_SCALAR, ISA_AVX2, ISA_AVX512, ISA_COUNT };

static const char *const ISA_NAMES[ISA_COUNT] = {"scalar", "avx2", "avx512"};

#define INSTALLS_OF(isa)                                                                           \
    {                                                                                              \
        ops_install_##isa, tile_install_##isa, pointwise_install_##isa, depthwise_install_##isa,   \
            winograd_install_##isa, winograd_stride2_install_##isa, strassen_install_##isa,        \
            weights_install_##isa, train_install_##isa                                             \
    }

enum { INSTALLS = 9 };

static void (*const installs[ISA_COUNT][INSTALLS])(struct kernels *kern) = {
    INSTALLS_OF(scalar),
#if HAVE_X86_KERNELS
    INSTALLS_OF(avx2),
    INSTALLS_OF(avx512),
#endif
};

static const struct int8_slots *const int8_slots[ISA_COUNT] = {
    &int8_slots_scalar,
#if HAVE_X86_KERNELS
    &int8_slots_avx2,
    &int8_slots_avx512,
#endif
};

#if HAVE_X86_KERNELS
/* The registers the operating system saves at a task switch: bits of XCR0. */
static unsigned saved_registers(void)
{
    unsigned low, high;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

/* NULL if the machine runs `isa`, else what it lacks. */
static const char *isa_missing(enum isa isa)
{
    const unsigned ymm = 0x06, zmm = 0xe6; /* XMM, YMM; and mask, upper and high ZMM registers */
    unsigned a, b, c, d;
    if (isa == ISA_SCALAR) {
        return NULL;
    }
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE) || !(c & bit_AVX)) {
        return "the processor or the operating system lacks AVX";
    }
    unsigned saved = saved_registers();
    if ((saved & ymm) != ymm) {
        return "the operating system does not enable the AVX registers";
    }
    bool fma = c & bit_FMA;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(b & bit_AVX2) || !fma) {
        return "the processor lacks AVX2 or FMA";
    }
    if (isa == ISA_AVX2 || EMULATES_AVX512) {
        return NULL;
    }
    const unsigned needed = bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL;
    if ((b & needed) != needed) {
        return "the processor lacks AVX-512 F, BW, DQ or VL";
    }
    return (saved & zmm) == zmm ? NULL
                                : "the operating system does not enable the AVX-512 registers";
}
#else
static const char *isa_missing(enum isa isa)
{
    return isa == ISA_SCALAR ? NULL : "this program was built for another processor family";
}
#endif

static enum isa isa_best(void)
{
    enum isa best = ISA_SCALAR;
    for (int i = ISA_SCALAR + 1; i < ISA_COUNT && !isa_missing((enum isa)i); i++) {
        best = (enum isa)i;
    }
    return best;
}

static const struct kernels *table_fill(enum isa isa, bool is_direct)
{
    static struct kernels tables[2][ISA_COUNT];
    struct kernels table = {.isa = ISA_NAMES[isa]};
    for (int i = 0; i < INSTALLS; i++) {
        installs[isa][i](&table);
    }
    table.conv.is_direct = is_direct;
    table.conv.l2_floats = cores_l2_bytes() / sizeof(float);
    tables[is_direct][isa] = table;
    return &tables[is_direct][isa];
}

enum result kernels_select(const char *isa, const struct kernels **kern, struct error *err)
{
    if (!isa || strcmp(isa, "auto") == 0) {
        *kern = table_fill(isa_best(), false);
        return OK;
    }
    for (int i = 0; i < ISA_COUNT; i++) {
        if (strcmp(isa, ISA_NAMES[i]) != 0) {
            continue;
        }
        const char *missing = isa_missing((enum isa)i);
        if (missing) {
            return error_set(err, ERR_ARG, "no %s kernels here: %s (best on this machine: %s)", isa,
                             missing, ISA_NAMES[isa_best()]);
        }
        *kern = table_fill((enum isa)i, false);
        return OK;
    }
    return error_set(err, ERR_ARG, "no kernels named '%s' (auto, scalar, avx2 or avx512)", isa);
}

const char *kernels_isa(const struct kernels *kern)
{
    return kern->isa;
}

static enum isa isa_of(const struct kernels *kern)
{
    int isa = ISA_SCALAR;
    while (ISA_NAMES[isa] != kern->isa) {
        isa++;
    }
    return (enum isa)isa;
}

const struct kernels *kernels_direct(const struct kernels *kern)
{
    return table_fill(isa_of(kern), true);
}

#if HAVE_X86_KERNELS
static bool find_vnni(enum isa isa)
{
    unsigned a, b, c, d;
    if (isa == ISA_AVX512) {
        return EMULATES_AVX512 || (__get_cpuid_count(7, 0, &a, &b, &c, &d) && (c & bit_AVX512VNNI));
    }
    return __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & bit_AVXVNNI);
}

/* Asked once: a virtual machine takes microseconds to answer. */
static bool has_vnni(enum isa isa)
{
    static atomic_int known[ISA_COUNT]; /* 0: not yet, 1: no, 2: yes */
    int answer = atomic_load_explicit(&known[isa], memory_order_relaxed);
    if (answer == 0) {
        answer = find_vnni(isa) ? 2 : 1;
        atomic_store_explicit(&known[isa], answer, memory_order_relaxed);
    }
    return answer == 2;
}
#endif

const struct int8_slots *int8_slots_of(const struct kernels *kern)
{
    enum isa isa = isa_of(kern);
#if HAVE_X86_KERNELS
    if (isa != ISA_SCALAR && has_vnni(isa)) {
        return isa == ISA_AVX512 ? &int8_slots_avx512_vnni : &int8_slots_avx2_vnni;
    }
#endif
    return int8_slots[isa];
}

bool kernels_are_direct(const struct kernels *kern)
{
    return kern->conv.is_direct;
}
