/* The tile registers of AMX in plain C, so that what is built on them is tested everywhere. Floor 0.
   The including file adds MULTIPLY_TILES, bit for bit as the instruction has it. */
#ifndef CNN_CORE_TILES_H
#define CNN_CORE_TILES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { REGISTERS = 8, EDGE = 16 };

/* Words of 32 bits, and how many rows and columns of them as configured. They are a thread's own, as those of a
   processor are. */
static _Thread_local struct {
    uint32_t of[EDGE][EDGE];
    int n_rows, n_cols;
} registers[REGISTERS];

static void configure(const uint8_t *rows, const uint16_t *row_bytes) {
    for (int tile = 0; tile < REGISTERS; tile++)
        registers[tile].n_rows = rows[tile], registers[tile].n_cols = row_bytes[tile] / 4;
}

static void clear_tile(int tile) { memset(registers[tile].of, 0, sizeof registers[tile].of); }

static void load_tile(int tile, const void *from, ptrdiff_t row_bytes) {
    clear_tile(tile);
    for (int r = 0; r < registers[tile].n_rows; r++)
        memcpy(registers[tile].of[r], (const char *)from + r * row_bytes, 4 * (size_t)registers[tile].n_cols);
}

static void store_tile(int tile, void *to, ptrdiff_t row_bytes) {
    for (int r = 0; r < registers[tile].n_rows; r++)
        memcpy((char *)to + r * row_bytes, registers[tile].of[r], 4 * (size_t)registers[tile].n_cols);
}

#define TILE_REGISTERS
#define CONFIGURE(c) configure((c)->rows, (c)->row_bytes)
#define CLEAR_TILE(tile) clear_tile(tile)
#define LOAD_TILE(tile, from, row_bytes) load_tile(tile, from, row_bytes)
#define STORE_TILE(tile, to, row_bytes) store_tile(tile, to, row_bytes)
#define RELEASE() (void)0
#define WRITTEN_FOR_TILES() (void)0

#endif
