/* Chooses the tables of kernels that fit this processor. Floor 0. It knows no kernel, only where each table runs. */
#include <string.h>

#include "kernels.h"
#include "pairs.h"

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

static int runs_avx512_bf16(void) {
    unsigned a, b, c, d;
    const unsigned avx512_bf16 = 1u << 5;
    return runs_avx512() && __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & avx512_bf16);
}

/* AMD's processors do twice as many multiplications in pairs as in floats, Intel's half as many (both measured). */
static int pays_avx512_bf16(void) {
    unsigned a, b, c, d;
    return __get_cpuid(0, &a, &b, &c, &d) && b == signature_AMD_ebx && c == signature_AMD_ecx && d == signature_AMD_edx;
}
#endif

static int nowhere(void) { return 0; }

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

/* Products of pairs: DO(name, the instruction set beside which it runs, whether it does so here, whether it pays). */
#if defined(__x86_64__)
#define EACH_PAIR_TABLE(DO) \
    DO(avx512_bf16, avx512, runs_avx512_bf16, pays_avx512_bf16) \
    DO(plain, portable, everywhere, nowhere)
#else
#define EACH_PAIR_TABLE(DO) \
    DO(plain, portable, everywhere, nowhere)
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

typedef struct {
    const char *name, *instruction_set;
    int (*runs_here)(void), (*pays)(void);
    const pair_kernels *kernels;
} pair_table;

#define DECLARE(name, set, runs_here, pays) extern const pair_kernels pair_kernels_##name;
EACH_PAIR_TABLE(DECLARE)
#undef DECLARE

#define ROW(name, set, runs_here, pays) {#name, #set, runs_here, pays, &pair_kernels_##name},
static const pair_table pair_tables[] = {EACH_PAIR_TABLE(ROW)};
#undef ROW

enum {
    N_INSTRUCTION_SETS = sizeof instruction_sets / sizeof *instruction_sets,
    N_PAIR_TABLES = sizeof pair_tables / sizeof *pair_tables
};

const kernels_f32 *simd_f32 = &kernels_f32_portable;
const kernels_f64 *simd_f64 = &kernels_f64_portable;
const pair_kernels *simd_pairs = &pair_kernels_plain;
int simd_multiplies_pairs = 0;

static int runs_beside(const pair_table *table) {
    return strcmp(table->instruction_set, simd_f32->instruction_set) == 0 && table->runs_here();
}

const char *simd_select_pairs(const char *wanted) {
    if (wanted == NULL) {
        simd_multiplies_pairs = 0;
        return simd_pairs->instruction_set;
    }
    for (int i = 0; i < N_PAIR_TABLES; i++) {
        const pair_table *table = &pair_tables[i];
        if (strcmp(wanted, table->name) != 0 || !runs_beside(table)) continue;
        simd_pairs = table->kernels;
        simd_multiplies_pairs = 1;
        return table->name;
    }
    return NULL;
}

static void select_best_pairs(void) {
    simd_pairs = &pair_kernels_plain;
    simd_multiplies_pairs = 0;
    for (int i = N_PAIR_TABLES - 1; i >= 0; i--)
        if (pair_tables[i].pays() && runs_beside(&pair_tables[i])) simd_select_pairs(pair_tables[i].name);
}

const char *simd_select(const char *wanted) {
    for (int i = 0; i < N_INSTRUCTION_SETS; i++) {
        const instruction_set *set = &instruction_sets[i];
        if ((wanted && strcmp(wanted, set->name) != 0) || !set->runs_here()) continue;
        simd_f32 = set->f32;
        simd_f64 = set->f64;
        select_best_pairs();
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

int simd_available_pairs(const char **names, int capacity) {
    int n = 0;
    for (int i = 0; i < N_PAIR_TABLES && n < capacity; i++)
        if (runs_beside(&pair_tables[i])) names[n++] = pair_tables[i].name;
    return n;
}
