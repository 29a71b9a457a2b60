/* Feature strings to bits of cpuid. */
#include "codegen/cpu.h"
#include <string.h>

static const struct Feature {
    const char *name;
    CpuWord word;
    int bit;
} features[] = {
#define FEATURE(name, word, bit) {name, CPU_##word, bit},
#include "codegen/cpu.def"
#undef FEATURE
};

bool target_has(const Target *target, const char *name) {
    size_t length = strlen(name);
    for (const char *at = target->features; (at = strstr(at, name)); at += length)
        if (at > target->features && at[-1] == '+' && (at[length] == ',' || !at[length]))
            return true;
    return false;
}

void cpu_needed(const Target *target, uint64_t need[CPU_WORDS]) {
    for (int i = 0; i < CPU_WORDS; i++) need[i] = 0;
    for (size_t i = 0; i < sizeof features / sizeof *features; i++)
        if (target_has(target, features[i].name))
            need[features[i].word] |= (uint64_t)1 << features[i].bit;
}
