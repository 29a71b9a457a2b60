/* Processors: what the host is, and what LLVM's names stand for. */
#include "base/file.h"
#include "codegen/backend.h"
#include <llvm-c/Core.h>
#include <llvm-c/TargetMachine.h>
#include <stdio.h>
#include <unistd.h>

/* The levels of the x86-64 ABI.  Level 1 lacks the rounding instructions we need. */
typedef struct Level {
    const char *features;
    uint32_t vector_bytes, registers;
} Level;

static const Level levels[] = {
    [2] = {"+cx16,+sahf,+popcnt,+sse3,+ssse3,+sse4.1,+sse4.2", 16, 16},
    [3] = {"+cx16,+sahf,+popcnt,+sse3,+ssse3,+sse4.1,+sse4.2,+avx,+avx2,+bmi,+bmi2,+f16c,"
           "+fma,+lzcnt,+movbe,+xsave",
           32, 16},
    [4] = {"+cx16,+sahf,+popcnt,+sse3,+ssse3,+sse4.1,+sse4.2,+avx,+avx2,+bmi,+bmi2,+f16c,"
           "+fma,+lzcnt,+movbe,+xsave,+evex512,+avx512f,+avx512bw,+avx512cd,+avx512dq,"
           "+avx512vl",
           64, 32},
};

/* TABLE: names that may be asked for, their ABI level, and L1 and L2 in KiB. */
static const struct Cpu {
    const char *name;
    uint32_t level, l1, l2;
} cpus[] = {
    {"x86-64-v2", 2, 32, 256},       {"x86-64-v3", 3, 32, 512},
    {"x86-64-v4", 4, 32, 1024},      {"nehalem", 2, 32, 256},
    {"westmere", 2, 32, 256},        {"sandybridge", 2, 32, 256},
    {"ivybridge", 2, 32, 256},       {"haswell", 3, 32, 256},
    {"broadwell", 3, 32, 256},       {"skylake", 3, 32, 256},
    {"alderlake", 3, 48, 1280},      {"skylake-avx512", 4, 32, 1024},
    {"cascadelake", 4, 32, 1024},    {"cooperlake", 4, 32, 1024},
    {"icelake-client", 4, 48, 512},  {"icelake-server", 4, 48, 1280},
    {"tigerlake", 4, 48, 1280},      {"rocketlake", 4, 48, 512},
    {"sapphirerapids", 4, 48, 2048}, {"emeraldrapids", 4, 48, 2048},
    {"graniterapids", 4, 48, 2048},  {"znver1", 3, 32, 512},
    {"znver2", 3, 32, 512},          {"znver3", 3, 32, 512},
    {"znver4", 4, 32, 1024},         {"znver5", 4, 48, 1024},
};

static uint32_t cache_bytes(int name, uint32_t otherwise) {
    long bytes = sysconf(name);
    return bytes > 0 ? (uint32_t)bytes : otherwise;
}

static bool has_feature(const char *features, const char *name) {
    size_t length = strlen(name);
    for (const char *at = features; (at = strstr(at, name)); at += length)
        if (at > features && at[-1] == '+' && (at[length] == ',' || !at[length]))
            return true;
    return false;
}

static bool has_all(const char *features, const char *const *names, uint32_t count) {
    for (uint32_t i = 0; i < count; i++)
        if (!has_feature(features, names[i])) return false;
    return true;
}

static uint32_t host_level(const char *features) {
    static const char *const v4[] = {"avx512f", "avx512bw", "avx512dq", "avx512vl"};
    static const char *const v3[] = {"avx2", "fma"};
    if (has_all(features, v4, 4)) return 4;
    if (has_all(features, v3, 2)) return 3;
    static const char *const v2[] = {"sse4.1"};
    return has_all(features, v2, 1) ? 2 : 0;
}

/* The features are passed in full: a virtual machine may lack some that the name implies.
 */
static Status target_host(Target *target) {
    char *name = LLVMGetHostCPUName(), *features = LLVMGetHostCPUFeatures();
    snprintf(target->cpu, sizeof target->cpu, "%s", name);
    int length = snprintf(target->features, sizeof target->features, "%s", features);
    uint32_t level = host_level(features);
    LLVMDisposeMessage(name);
    LLVMDisposeMessage(features);
    if (!level || length >= (int)sizeof target->features) return STATUS_SYSTEM;
    target->vector_bytes = levels[level].vector_bytes;
    target->registers = levels[level].registers;
    target->l1_bytes = cache_bytes(_SC_LEVEL1_DCACHE_SIZE, 32 << 10);
    target->l2_bytes = cache_bytes(_SC_LEVEL2_CACHE_SIZE, 512 << 10);
    return STATUS_OK;
}

Status target_find(const char *cpu, Target *target) {
    *target = (Target){.winograd = WINOGRAD_WHERE_FASTER};
    if (!cpu || !strcmp(cpu, "native")) return target_host(target);
    for (uint32_t i = 0; i < sizeof cpus / sizeof *cpus; i++) {
        if (strcmp(cpu, cpus[i].name)) continue;
        const Level *level = &levels[cpus[i].level];
        snprintf(target->cpu, sizeof target->cpu, "%s", cpu);
        snprintf(target->features, sizeof target->features, "%s", level->features);
        target->vector_bytes = level->vector_bytes;
        target->registers = level->registers;
        target->l1_bytes = cpus[i].l1 << 10;
        target->l2_bytes = cpus[i].l2 << 10;
        return STATUS_OK;
    }
    return STATUS_INPUT;
}

void target_unknown(const char *cpu, char *message) {
    if (!cpu || !strcmp(cpu, "native")) {
        snprintf(message, MESSAGE_BYTES,
                 "this processor lacks SSE 4.1, which all code needs");
        return;
    }
    int used = snprintf(message, MESSAGE_BYTES,
                        "no processor '%.60s' is known; those that are: native", cpu);
    for (uint32_t i = 0; i < sizeof cpus / sizeof *cpus && used < MESSAGE_BYTES; i++)
        used += snprintf(message + used, (size_t)(MESSAGE_BYTES - used), ", %s",
                         cpus[i].name);
}

bool target_lacks(const Target *target, char *name) {
    char *host = LLVMGetHostCPUFeatures();
    bool lacks = false;
    for (const char *at = target->features; *at && !lacks;) {
        size_t length = strcspn(at, ",");
        char feature[64];
        snprintf(feature, sizeof feature, "%.*s", (int)length, at);
        lacks = *feature == '+' && !has_feature(host, feature + 1);
        if (lacks && name) snprintf(name, sizeof feature, "%s", feature + 1);
        at += length + (at[length] == ',');
    }
    LLVMDisposeMessage(host);
    return lacks;
}
