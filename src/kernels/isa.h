/* What a *_slots.c is compiled for: the Makefile makes an object of each for every instruction set, and defines ISA as
 * scalar, avx2 or avx512, ISA_BITS as 0, 256 or 512, and ISA_VNNI as 1 for those of int8 with VNNI, whose names end so. */
#ifndef KERNELS_ISA_H
#define KERNELS_ISA_H

#define ISA_JOIN(name, isa) name##_##isa
#define ISA_JOINED(name, isa) ISA_JOIN(name, isa)
/* name_avx2 */
#define OF_ISA(name) ISA_JOINED(name, ISA)

#endif
