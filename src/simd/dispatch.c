/* Chooses the tables of kernels that fit this processor. Floor 0. It knows no kernel, only where each table runs. */
#include <string.h>

#include "kernels.h"

typedef struct {
    const char *name;
    int (*runs_here)(void);
    const kernels_f32 *f32;
    const kernels_f64 *f64;
} instruction_set;

static int everywhere(void) { return 1; }

#if defined(__x86_64__)
#include <cpuid.h>

/* Which register states the operating system saves (XCR0); 0 where it does not say. */
static unsigned saved_states(void) {
    unsigned a, b, c, d, low, high;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE)) return 0;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

/* Whether the processor has all the features (bits of ebx in leaf 7) and the system saves all the states. */
static int has(unsigned features, unsigned states) {
    unsigned a, b, c, d;
    return (saved_states() & states) == states && __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & features) == features;
}

static int runs_avx2(void) {
    unsigned a, b, c, d;
    const unsigned ymm = 0x06;
    return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_FMA) && has(bit_AVX2, ymm);
}

static int runs_avx512(void) {
    const unsigned zmm_and_masks = 0xe6;
    return runs_avx2() && has(bit_AVX512F | bit_AVX512DQ | bit_AVX512BW | bit_AVX512VL, zmm_and_masks);
}
#endif

/* Best first: DO(name, whether it runs here). A file of src/simd/ bears the name and holds the tables. */
/* clang-format off */
#if defined(__x86_64__)
#define EACH_INSTRUCTION_SET(DO) \
    DO(avx512, runs_avx512) \
    DO(avx2, runs_avx2) \
    DO(portable, everywhere)
#elif defined(__aarch64__)
#define EACH_INSTRUCTION_SET(DO) \
    DO(neon, everywhere) \
    DO(portable, everywhere)
#else
#define EACH_INSTRUCTION_SET(DO) \
    DO(portable, everywhere)
#endif
/* clang-format on */

#define DECLARE(name, runs_here) \
    extern const kernels_f32 kernels_f32_##name; \
    extern const kernels_f64 kernels_f64_##name;
EACH_INSTRUCTION_SET(DECLARE)
#undef DECLARE

#define ROW(name, runs_here) {#name, runs_here, &kernels_f32_##name, &kernels_f64_##name},
static const instruction_set instruction_sets[] = {EACH_INSTRUCTION_SET(ROW)};
#undef ROW

enum { N_INSTRUCTION_SETS = sizeof instruction_sets / sizeof *instruction_sets };

const kernels_f32 *simd_f32 = &kernels_f32_portable;
const kernels_f64 *simd_f64 = &kernels_f64_portable;

const char *simd_select(const char *wanted) {
    for (int i = 0; i < N_INSTRUCTION_SETS; i++) {
        const instruction_set *set = &instruction_sets[i];
        if ((wanted && strcmp(wanted, set->name) != 0) || !set->runs_here()) continue;
        simd_f32 = set->f32;
        simd_f64 = set->f64;
        return set->name;
    }
    return NULL;
}

int simd_available(const char **names, int capacity) {
    int n = 0;
    for (int i = 0; i < N_INSTRUCTION_SETS && n < capacity; i++)
        if (instruction_sets[i].runs_here()) names[n++] = instruction_sets[i].name;
    return n;
}
