/* Products of tiles of pairs in plain C, bit for bit as AMX_BF16 has them. Floor 0. */
#include "pairs.h"

#include "portable.h"
#include "bfloat16.h"
#include "tiles.h"

/* sum += E + O, the sums over the even and the odd elements of 16 pairs, each from zero. */
static void multiply_tiles(int sum, int x, int w) {
    for (int r = 0; r < registers[sum].n_rows; r++)
        for (int c = 0; c < registers[sum].n_cols; c++) {
            float even = 0, odd = 0;
            for (int k = 0; k < EDGE; k++) {
                const float x_pair = number_of(registers[x].of[r][k]), w_pair = number_of(registers[w].of[k][c]);
                even = add_product(even_of(x_pair), even_of(w_pair), even);
                odd = add_product(odd_of(x_pair), odd_of(w_pair), odd);
            }
            const float before = number_of(registers[sum].of[r][c]);
            registers[sum].of[r][c] = bits_of(without_denormals(before + without_denormals(even + odd)));
        }
}

#define MULTIPLY_TILES(sum, x, w) multiply_tiles(sum, x, w)
#define PAIR_TABLE tiles
#include "pairs.template.c"
