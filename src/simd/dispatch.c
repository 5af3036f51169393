/* Chooses the tables of kernels that fit this processor. Floor 0. It knows no kernel, only where each table runs. */
#include <string.h>

#include "kernels.h"
#include "pairs.h"
#include "quads.h"

typedef struct {
    const char *name;
    int (*runs_here)(void);
    const kernels_f32 *f32;
    const kernels_f64 *f64;
    const pair_kernels *pairs; /* widened */
} instruction_set;

static int everywhere(void) { return 1; }

#if defined(__x86_64__)
#include <cpuid.h>

extern const pair_kernels pair_kernels_amx, pair_kernels_tiles;
extern const quad_kernels quad_kernels_amx, quad_kernels_tiles;
int amx_is_permitted(void);

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

static int runs_avx512_vnni(void) {
    unsigned a, b, c, d;
    const unsigned avx512_vnni = 1u << 11;
    return runs_avx512() && __get_cpuid_count(7, 0, &a, &b, &c, &d) && (c & avx512_vnni);
}

static int runs_avx_vnni(void) {
    unsigned a, b, c, d;
    const unsigned avx_vnni = 1u << 4;
    return runs_avx2() && __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & avx_vnni);
}

/* Whether AMX is there with these features (bits of edx in leaf 7), and the system lets this process use it. */
static int has_tiles(unsigned features) {
    unsigned a, b, c, d;
    const unsigned tiles = 1u << 24 | features, tile_states = 3u << 17;
    return (saved_states() & tile_states) == tile_states && __get_cpuid_count(7, 0, &a, &b, &c, &d) &&
           (d & tiles) == tiles && amx_is_permitted();
}

/* A product with rests in every direction, on which two tables are compared. */
enum { N_ROWS = 37, N_K = 21, N_COLS = 27 };
static const panel_settings comparison = {
    .n_rows = N_ROWS, .n_cols = N_COLS, .n_k = N_K, .y_row = N_COLS, .x_row = N_K, .x_k = 1, .w_k = N_COLS};

static int multiply_pairs_alike(const pair_kernels *one, const pair_kernels *other) {
    static float x[N_ROWS * N_K], w[N_K * N_COLS], y[2][N_ROWS * N_COLS];
    for (int i = 0; i < N_ROWS * N_K; i++) x[i] = (float)(i * 37 % 101 - 50) / 7;
    for (int i = 0; i < N_K * N_COLS; i++) w[i] = (float)(i * 53 % 97 - 48) / 11;
    one->panel_product(y[0], x, w, NULL, NULL, NULL, &comparison);
    other->panel_product(y[1], x, w, NULL, NULL, NULL, &comparison);
    return memcmp(y[0], y[1], sizeof y[0]) == 0;
}

static int multiply_quads_alike(const quad_kernels *one, const quad_kernels *other) {
    static int32_t x[N_ROWS * N_K], w[N_K * N_COLS], y[2][N_ROWS * N_COLS];
    for (int i = 0; i < N_ROWS * N_K; i++) x[i] = (int32_t)(i * 2654435761u);
    for (int i = 0; i < N_K * N_COLS; i++) w[i] = (int32_t)(i * 2246822519u);
    one->panel_product(y[0], x, w, NULL, NULL, NULL, &comparison);
    other->panel_product(y[1], x, w, NULL, NULL, NULL, &comparison);
    return memcmp(y[0], y[1], sizeof y[0]) == 0;
}

/* Whether there are tiles whose products are those that plain C computes. */
static int runs_amx_bf16(void) {
    static int known = -1;
    if (known < 0)
        known =
            runs_avx512_bf16() && has_tiles(1u << 22) && multiply_pairs_alike(&pair_kernels_amx, &pair_kernels_tiles);
    return known;
}

static int runs_amx_int8(void) {
    static int known = -1;
    if (known < 0)
        known = runs_avx512() && has_tiles(1u << 25) && multiply_quads_alike(&quad_kernels_amx, &quad_kernels_tiles);
    return known;
}

/* AMD's processors do twice as many multiplications in pairs as in floats, Intel's half as many (both measured). */
static int pays_avx512_bf16(void) {
    unsigned a, b, c, d;
    return __get_cpuid(0, &a, &b, &c, &d) && b == signature_AMD_ebx && c == signature_AMD_ecx && d == signature_AMD_edx;
}
#endif

#if defined(__aarch64__)
#if defined(__linux__)
#include <sys/auxv.h>
static int runs_neon_dot(void) { return getauxval(AT_HWCAP) >> 20 & 1; }
#elif defined(__APPLE__)
static int runs_neon_dot(void) { return 1; }
#else
static int runs_neon_dot(void) { return 0; }
#endif
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

/* Products of pairs: DO(name, the instruction set beside which it runs, whether it does so here, whether it is chosen
   at once, as it pays). amx waits for simd_prepare_pairs. */
#if defined(__x86_64__)
#define PAIR_TABLES_OF_THIS_PROCESSOR(DO) \
    DO(amx, avx512, runs_amx_bf16, nowhere) \
    DO(avx512_bf16, avx512, runs_avx512_bf16, pays_avx512_bf16)
#else
#define PAIR_TABLES_OF_THIS_PROCESSOR(DO)
#endif
#define EACH_PAIR_TABLE(DO) \
    PAIR_TABLES_OF_THIS_PROCESSOR(DO) \
    DO(plain, portable, everywhere, nowhere) \
    DO(tiles, any, everywhere, nowhere)

/* Products of quads, best first: DO(name, whether it runs here, whether it is chosen at once). They run beside every
   instruction set with panels as wide as theirs. amx waits for simd_prepare_quads. */
#if defined(__x86_64__)
#define QUAD_TABLES_OF_THIS_PROCESSOR(DO) \
    DO(amx, runs_amx_int8, nowhere) \
    DO(avx512_vnni, runs_avx512_vnni, everywhere) \
    DO(avx512, runs_avx512, everywhere) \
    DO(avx_vnni, runs_avx_vnni, everywhere) \
    DO(avx2, runs_avx2, everywhere)
#elif defined(__aarch64__) && !defined(_MSC_VER)
#define QUAD_TABLES_OF_THIS_PROCESSOR(DO) \
    DO(neon_dot, runs_neon_dot, everywhere)
#else
#define QUAD_TABLES_OF_THIS_PROCESSOR(DO)
#endif
#define EACH_QUAD_TABLE(DO) \
    QUAD_TABLES_OF_THIS_PROCESSOR(DO) \
    DO(plain, everywhere, everywhere) \
    DO(tiles, everywhere, nowhere)
/* clang-format on */

#define DECLARE(name, runs_here) \
    extern const kernels_f32 kernels_f32_##name; \
    extern const kernels_f64 kernels_f64_##name; \
    extern const pair_kernels pair_kernels_##name;
EACH_INSTRUCTION_SET(DECLARE)
#undef DECLARE

#define ROW(name, runs_here) {#name, runs_here, &kernels_f32_##name, &kernels_f64_##name, &pair_kernels_##name},
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

typedef struct {
    int (*runs_here)(void), (*is_chosen_at_once)(void);
    const quad_kernels *kernels;
} quad_table;

#define DECLARE(name, runs_here, is_chosen_at_once) extern const quad_kernels quad_kernels_##name;
EACH_QUAD_TABLE(DECLARE)
#undef DECLARE

#define ROW(name, runs_here, is_chosen_at_once) {runs_here, is_chosen_at_once, &quad_kernels_##name},
static const quad_table quad_tables[] = {EACH_QUAD_TABLE(ROW)};
#undef ROW

enum {
    N_INSTRUCTION_SETS = sizeof instruction_sets / sizeof *instruction_sets,
    N_PAIR_TABLES = sizeof pair_tables / sizeof *pair_tables,
    N_QUAD_TABLES = sizeof quad_tables / sizeof *quad_tables
};

const kernels_f32 *simd_f32 = &kernels_f32_portable;
const kernels_f64 *simd_f64 = &kernels_f64_portable;
static const pair_kernels *widening = &pair_kernels_portable; /* beside the instruction set in use */
const pair_kernels *simd_pairs = &pair_kernels_portable;
int simd_multiplies_pairs = 0;
const quad_kernels *simd_quads = &quad_kernels_plain;
static int pairs_are_chosen = 0, quads_are_chosen = 0; /* by name */

static int runs_beside(const pair_table *table) {
    const char *set = table->instruction_set;
    return (strcmp(set, "any") == 0 || strcmp(set, simd_f32->instruction_set) == 0) && table->runs_here();
}

const char *simd_select_pairs(const char *wanted) {
    pairs_are_chosen = 1;
    if (wanted == NULL) {
        simd_pairs = widening;
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
    simd_select_pairs(NULL);
    for (int i = N_PAIR_TABLES - 1; i >= 0; i--)
        if (pair_tables[i].pays() && runs_beside(&pair_tables[i])) simd_select_pairs(pair_tables[i].name);
    pairs_are_chosen = 0;
}

void simd_prepare_pairs(void) {
    if (!pairs_are_chosen) simd_select_pairs("amx");
}

static int multiplies_quads(const quad_table *table) {
    const ptrdiff_t width = table->kernels->panel_width;
    return (width == ANY_WIDTH || width == simd_f32->panel_width) && table->runs_here();
}

const char *simd_select_quads(const char *wanted) {
    for (int i = 0; i < N_QUAD_TABLES; i++) {
        const quad_table *table = &quad_tables[i];
        const char *name = table->kernels->instruction_set;
        if (!(wanted ? strcmp(wanted, name) == 0 : table->is_chosen_at_once()) || !multiplies_quads(table)) continue;
        simd_quads = table->kernels;
        quads_are_chosen = wanted != NULL;
        return name;
    }
    return NULL;
}

void simd_prepare_quads(void) {
    if (!quads_are_chosen) simd_select_quads("amx");
}

const char *simd_select(const char *wanted) {
    for (int i = 0; i < N_INSTRUCTION_SETS; i++) {
        const instruction_set *set = &instruction_sets[i];
        if ((wanted && strcmp(wanted, set->name) != 0) || !set->runs_here()) continue;
        simd_f32 = set->f32;
        simd_f64 = set->f64;
        widening = set->pairs;
        select_best_pairs();
        simd_select_quads(NULL);
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

int simd_available_quads(const char **names, int capacity) {
    int n = 0;
    for (int i = 0; i < N_QUAD_TABLES && n < capacity; i++)
        if (multiplies_quads(&quad_tables[i])) names[n++] = quad_tables[i].kernels->instruction_set;
    return n;
}
