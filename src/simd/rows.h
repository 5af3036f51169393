/* Repetitions over the rows and vectors of a tile, whose accumulators are indexed by literals only; and what tiles and
   copies know of the caches. Floor 0. */
#ifndef CNN_CORE_ROWS_H
#define CNN_CORE_ROWS_H

#define EACH_ROW(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11) DO(12) DO(13)
#define EACH_SUM(DO) \
    EACH_ROW(DO) \
    DO(14) DO(15)
#define EACH_VECTOR(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7)
#define UP_TO_4(DO) DO(1) DO(2) DO(3) DO(4)
#define UP_TO_6(DO) UP_TO_4(DO) DO(5) DO(6)
#define UP_TO_8(DO) UP_TO_6(DO) DO(7) DO(8)
#define UP_TO_12(DO) UP_TO_8(DO) DO(9) DO(10) DO(11) DO(12)
#define UP_TO_14(DO) UP_TO_12(DO) DO(13) DO(14)
#define UP_TO_(n) UP_TO_##n
#define UP_TO(n) UP_TO_(n)
enum { MOST_ROWS = 14, MOST_SUMS = 16, PANEL_VECTORS = 2, ROW_VECTORS = 8 };
enum { LONG_ROW_BYTES = 512 }; /* rows of x that are worth prefetching */
enum { CACHE_LINE_BYTES = 64 };
enum { SHORTEST_RUN = 12 }; /* steps of a k loop between prefetches; shorter runs cost more than they hide */

/* A block on its way into the second-level cache: what is left of it, how much of its first row is done, and how many
   lines are prefetched at a time. */
typedef struct {
    block_ahead rest;
    ptrdiff_t done, lines;
} prefetching;

INLINE void prefetch_lines(prefetching *block) {
    for (ptrdiff_t n = block->lines; n > 0 && block->rest.n_rows > 0; n--) {
        __builtin_prefetch(block->rest.row + block->done, 0, 2);
        block->done += CACHE_LINE_BYTES;
        if (block->done >= block->rest.n_bytes)
            block->done = 0, block->rest.row += block->rest.stride, block->rest.n_rows--;
    }
}

#endif
