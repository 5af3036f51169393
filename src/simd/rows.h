/* Repetitions over the rows and vectors of a tile, whose accumulators are indexed by literals only; and what tiles and
   copies know of the caches. Floor 0. */
#ifndef CNN_CORE_ROWS_H
#define CNN_CORE_ROWS_H

#define EACH_ROW(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11) DO(12) DO(13)
#define EACH_VECTOR(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7)
#define UP_TO_4(DO) DO(1) DO(2) DO(3) DO(4)
#define UP_TO_6(DO) UP_TO_4(DO) DO(5) DO(6)
#define UP_TO_8(DO) UP_TO_6(DO) DO(7) DO(8)
#define UP_TO_12(DO) UP_TO_8(DO) DO(9) DO(10) DO(11) DO(12)
#define UP_TO_14(DO) UP_TO_12(DO) DO(13) DO(14)
#define UP_TO_(n) UP_TO_##n
#define UP_TO(n) UP_TO_(n)
enum { MOST_ROWS = 14, PANEL_VECTORS = 2, ROW_VECTORS = 8 };
enum { LONG_ROW_BYTES = 512 }; /* rows of x that are worth prefetching */
enum { CACHE_LINE_BYTES = 64 };
enum { SHORTEST_RUN = 12 }; /* steps of a k loop between prefetches; shorter runs cost more than they hide */

/* Prefetches up to `n_lines` lines of the block into the second-level cache and leaves the rest of it; `done` bytes of
   its first row are behind already. */
INLINE void prefetch_lines(block_ahead *block, ptrdiff_t *done, ptrdiff_t n_lines) {
    for (; n_lines > 0 && block->n_rows > 0; n_lines--) {
        __builtin_prefetch(block->row + *done, 0, 2);
        *done += CACHE_LINE_BYTES;
        if (*done >= block->n_bytes) *done = 0, block->row += block->stride, block->n_rows--;
    }
}

#endif
