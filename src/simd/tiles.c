/* Tiles in plain C, bit for bit as AMX has them, so that what is built on them is tested everywhere. Floor 0. */
#include "pairs.h"

#include "portable.h"
#include "bfloat16.h"

enum { TILES = 8, EDGE = 16 };

/* The registers, and their sizes as configured. They are a thread's own, as those of a processor are. */
static _Thread_local struct {
    float of[EDGE][EDGE];
    int n_rows, n_cols;
} registers[TILES];

static void configure(const uint8_t *rows, const uint16_t *row_bytes) {
    for (int tile = 0; tile < TILES; tile++)
        registers[tile].n_rows = rows[tile], registers[tile].n_cols = row_bytes[tile] / 4;
}

static void clear_tile(int tile) {
    for (int r = 0; r < EDGE; r++)
        for (int c = 0; c < EDGE; c++) registers[tile].of[r][c] = 0;
}

static void load_tile(int tile, const float *from, ptrdiff_t row_bytes) {
    clear_tile(tile);
    for (int r = 0; r < registers[tile].n_rows; r++)
        for (int c = 0; c < registers[tile].n_cols; c++) registers[tile].of[r][c] = from[r * (row_bytes / 4) + c];
}

static void store_tile(int tile, float *to, ptrdiff_t row_bytes) {
    for (int r = 0; r < registers[tile].n_rows; r++)
        for (int c = 0; c < registers[tile].n_cols; c++) to[r * (row_bytes / 4) + c] = registers[tile].of[r][c];
}

/* sum += E + O, the sums over the even and the odd elements of 16 pairs, each from zero. */
static void multiply_tiles(int sum, int x, int w) {
    for (int r = 0; r < registers[sum].n_rows; r++)
        for (int c = 0; c < registers[sum].n_cols; c++) {
            float even = 0, odd = 0;
            for (int k = 0; k < EDGE; k++) {
                const float x_pair = registers[x].of[r][k], w_pair = registers[w].of[k][c];
                even = add_product(even_of(x_pair), even_of(w_pair), even);
                odd = add_product(odd_of(x_pair), odd_of(w_pair), odd);
            }
            registers[sum].of[r][c] = without_denormals(registers[sum].of[r][c] + without_denormals(even + odd));
        }
}

#define CONFIGURE(c) configure((c)->rows, (c)->row_bytes)
#define CLEAR_TILE(tile) clear_tile(tile)
#define LOAD_TILE(tile, from, row_bytes) load_tile(tile, from, row_bytes)
#define STORE_TILE(tile, to, row_bytes) store_tile(tile, to, row_bytes)
#define MULTIPLY_TILES(sum, x, w) multiply_tiles(sum, x, w)
#define RELEASE() (void)0
#define WRITTEN_FOR_TILES() (void)0
#define PAIR_TABLE tiles
#include "tiles.template.c"
