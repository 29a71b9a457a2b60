/* What this processor, under this system, can do. */
#include "runtime/object.h"

#if defined(__x86_64__)
#include <cpuid.h>

#define OSXSAVE (1u << 27)

/* The registers that the system saves when threads switch; 0 where it says nothing. */
static uint64_t saved_registers(uint32_t leaf1_ecx) {
    uint32_t low, high;
    if (!(leaf1_ecx & OSXSAVE)) return 0;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

void object_cpu(uint64_t have[CPU_WORDS]) {
    uint32_t a, b, c, d;
    for (int i = 0; i < CPU_WORDS; i++) have[i] = 0;
    if (__get_cpuid(1, &a, &b, &c, &d)) {
        have[CPU_1_ECX] = c;
        have[CPU_XCR0] = saved_registers(c);
    }
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d)) {
        have[CPU_7_EBX] = b;
        have[CPU_7_ECX] = c;
        have[CPU_7_EDX] = d;
        uint32_t subleaves = a;
        if (subleaves && __get_cpuid_count(7, 1, &a, &b, &c, &d)) have[CPU_7_1_EAX] = a;
    }
    if (__get_cpuid(0x80000001, &a, &b, &c, &d)) have[CPU_EXT1_ECX] = c;
}
#else
void object_cpu(uint64_t have[CPU_WORDS]) {
    for (int i = 0; i < CPU_WORDS; i++) have[i] = 0;
}
#endif
