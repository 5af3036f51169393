/* Products of tiles of quads in plain C, as AMX_INT8 has them. Floor 0. */
#include "portable.h"
#include "tiles.h"

/* The sum of four products, of bytes of x without a sign and of w with one. */
static int32_t multiply_quad(uint32_t x, uint32_t w) {
    uint8_t x_bytes[4];
    int8_t w_bytes[4];
    int32_t sum = 0;
    memcpy(x_bytes, &x, sizeof x), memcpy(w_bytes, &w, sizeof w);
    for (int i = 0; i < 4; i++) sum += x_bytes[i] * w_bytes[i];
    return sum;
}

/* What does not fit into 32 bits is lost, without a limit. */
static void multiply_tiles(int sum, int x, int w) {
    for (int r = 0; r < registers[sum].n_rows; r++)
        for (int c = 0; c < registers[sum].n_cols; c++)
            for (int k = 0; k < EDGE; k++)
                registers[sum].of[r][c] += (uint32_t)multiply_quad(registers[x].of[r][k], registers[w].of[k][c]);
}

#define MULTIPLY_TILES(sum, x, w) multiply_tiles(sum, x, w)
#define QUAD_TABLE tiles
#define X_OFFSET 128
#define PANEL_WIDTH ANY_WIDTH
#include "quads.template.c"
