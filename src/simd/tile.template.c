/* The matrix product on one panel: register tiles, and the balanced split of the rows over tile heights. Floor 0.
   s[r,c] = sum_k x[r,k] w[k,c], k ascending, one multiply_add chain per element, whatever the tile. The accumulators
   are indexed by literals only (EACH_ROW): GCC keeps an array in registers where no loop counter indexes it. */
#ifndef REAL
#error "to be included by kernels_of_real.template.c, for one REAL"
#endif

_Static_assert(LARGEST_PANEL >= PANEL_VECTORS * LANES, "the product's packed panels have room for no wider ones");
_Static_assert(TILE_ROWS <= MOST_ROWS && NARROW_TILE_ROWS <= MOST_ROWS, "EACH_ROW repeats for no more rows");

/* What all tiles of one panel_product share, and all strips of one row_product. */
typedef struct {
    const panel_settings *given; /* for tiles alone */
    const REAL *w, *bias;
    REAL *packed; /* where a packing tile leaves the panel */
    ptrdiff_t n_cols, n_k, w_k;
    int accumulate;
    int stores_whole;   /* whether the dead lanes of a ragged vector may be stored too */
    int prefetches_x;   /* whether rows of x are long: each is a new beginning to the hardware's prefetchers */
    prefetching *ahead; /* what tiles prefetch for those to come, a little in each run of their k loop; NULL: nothing */
    REAL floor;
} NAMED(product);

/* What a tile prefetches before each run of its k loop: one row of the next tile's y, and its share of the block ahead.
   All at once would fill the queue of outstanding misses, behind which the tile's own operands have to wait. */
INLINE void NAMED(prefetch_ahead)(const int vectors, const REAL *next_y, NAMED(product) *p) {
    __builtin_prefetch(next_y, 1);
    if (vectors == 2) __builtin_prefetch(next_y + LANES, 1);
    __builtin_prefetch(next_y + vectors * LANES - 1, 1);
    prefetch_lines(p->ahead);
}

/* One tile of `rows` rows and `vectors` vectors (1 or 2), the last of which is `ragged` or whole. Constants of each
   instance, so that every `if` on them disappears. Dead lanes hold 0, or NaN where x is not finite. A tile that `packs`
   copies w on the way: the stores find room between the multiplications, a copy of its own would take their time. */
INLINE void NAMED(tile)(const int rows, const int vectors, const int ragged, const int packs, REAL *y, const REAL *x,
                        const REAL *gate, const REAL *next_y, NAMED(product) *p) {
    const int two = vectors == 2, ragged_0 = ragged && !two;
    const ptrdiff_t y_row = p->given->y_row, x_row = p->given->x_row, gate_row = p->given->gate_row;
    const ptrdiff_t x_k = p->given->x_k, w_k = p->w_k;
    const lanes live = first_lanes(p->n_cols - (vectors - 1) * LANES);
    const REAL *w = p->w;
    REAL *packed = p->packed;
    /* A base pointer for every fourth row: fewer general registers than a pointer for each. */
    const REAL *x_of[] = {x, x + 4 * x_row, x + 8 * x_row, x + 12 * x_row};
    vector s[MOST_ROWS][PANEL_VECTORS];

#define CLEAR(r) \
    if (r < rows) s[r][0] = s[r][1] = (vector){0};
    EACH_ROW(CLEAR)
#undef CLEAR
    /* The rows of y are far apart and come from beyond the caches: they travel while the sums grow. */
    if (!(LOOKS_AHEAD && p->ahead)) {
#define PREFETCH_Y(r) \
    if (r < rows) __builtin_prefetch(y + r * y_row, 1);
        EACH_ROW(PREFETCH_Y)
#undef PREFETCH_Y
    }
    if (p->prefetches_x) {
#define PREFETCH_X(r) \
    if (r < rows) __builtin_prefetch(x + (rows + r) * x_row);
        EACH_ROW(PREFETCH_X)
#undef PREFETCH_X
    }

    /* The next panel's rows are too far apart for the hardware to guess; the line where one begins may be here already.
     */
    const ptrdiff_t next_line = LOOKS_AHEAD && p->ahead ? 0 : 2 * PANEL_VECTORS * LANES - 1;
    ptrdiff_t k_left = p->n_k;
    const ptrdiff_t run = LOOKS_AHEAD && p->ahead ? k_left / rows + 1 : k_left;
    for (; k_left > 0; k_left -= run) {
        if (LOOKS_AHEAD && p->ahead) NAMED(prefetch_ahead)(vectors, next_y, p), next_y += y_row;
        for (ptrdiff_t k = run < k_left ? run : k_left; k > 0; k--) {
            const vector w_0 = NAMED(load_part)(w, ragged_0, live);
            const vector w_1 = two ? NAMED(load_part)(w + LANES, ragged, live) : (vector){0};
#define STEP(r) \
    if (r < rows) { \
        const vector x_r = broadcast(x_of[r / 4][r % 4 * x_row]); \
        s[r][0] = multiply_add(x_r, w_0, s[r][0]); \
        if (two) s[r][1] = multiply_add(x_r, w_1, s[r][1]); \
    }
            EACH_ROW(STEP)
#undef STEP
            if (packs) {
                store(packed, w_0);
                if (two) store(packed + LANES, w_1);
                packed += PANEL_VECTORS * LANES;
                __builtin_prefetch(w + next_line, 0, 2);
            }
            w += w_k;
            x_of[0] += x_k, x_of[1] += x_k, x_of[2] += x_k, x_of[3] += x_k;
        }
    }
    /* What follows is read again: kept through the loop, it would cost the sums a register and put w on the stack. */
    READ_AGAIN(p);
    READ_AGAIN(y);
    const vector zero = {0}, floor = broadcast(p->floor);

    if (p->accumulate) {
#define ADD_Y(r) \
    if (r < rows) { \
        s[r][0] += NAMED(load_part)(y + r * y_row, ragged_0, live); \
        if (two) s[r][1] += NAMED(load_part)(y + r * y_row + LANES, ragged, live); \
    }
        EACH_ROW(ADD_Y)
#undef ADD_Y
    } else {
        const vector b_0 = p->bias ? NAMED(load_part)(p->bias, ragged_0, live) : zero;
        const vector b_1 = p->bias && two ? NAMED(load_part)(p->bias + LANES, ragged, live) : zero;
#define ADD_BIAS(r) \
    if (r < rows) s[r][0] += b_0, s[r][1] += b_1;
        EACH_ROW(ADD_BIAS)
#undef ADD_BIAS
    }
#define RAISE(r) \
    if (r < rows) s[r][0] = at_least(s[r][0], floor), s[r][1] = at_least(s[r][1], floor);
    EACH_ROW(RAISE)
#undef RAISE
    if (gate) {
#define PASS(r) \
    if (r < rows) { \
        const REAL *gate_r = gate + r * gate_row; \
        s[r][0] = select(greater(NAMED(load_part)(gate_r, ragged_0, live), zero), s[r][0], zero); \
        if (two) s[r][1] = select(greater(NAMED(load_part)(gate_r + LANES, ragged, live), zero), s[r][1], zero); \
    }
        EACH_ROW(PASS)
#undef PASS
    }
    /* A store of some lanes is several instructions on most machines. */
#define STORE(r, parts) \
    if (r < rows) { \
        NAMED(store_part)(y + r * y_row, s[r][0], parts && ragged_0, live); \
        if (two) NAMED(store_part)(y + r * y_row + LANES, s[r][1], parts, live); \
    }
#define STORE_PARTS(r) STORE(r, 1)
#define STORE_WHOLE(r) STORE(r, 0)
    if (ragged && !p->stores_whole) {
        EACH_ROW(STORE_PARTS)
    } else {
        EACH_ROW(STORE_WHOLE)
    }
#undef STORE_WHOLE
#undef STORE_PARTS
#undef STORE
}

/* `n_tiles` tiles of one height, one below the other. */
typedef void NAMED(tile_function)(REAL *y, const REAL *x, const REAL *gate, NAMED(product) *p, ptrdiff_t n_tiles);

/* clang-format off */
#define INSTANCE(name, rows, vectors, ragged, packs) \
    static void NAMED(name)(REAL *y, const REAL *x, const REAL *gate, NAMED(product) *p, ptrdiff_t n_tiles) { \
        for (; n_tiles > 0; n_tiles--, y += rows * p->given->y_row, x += rows * p->given->x_row) { \
            NAMED(tile)(rows, vectors, ragged, packs, y, x, gate, y + rows * p->given->y_row, p); \
            if (gate) gate += rows * p->given->gate_row; \
        } \
    }
#define WIDE(rows) INSTANCE(wide_tile_##rows, rows, 2, 0, 0)
#define WIDE_RAGGED(rows) INSTANCE(wide_ragged_tile_##rows, rows, 2, 1, 0)
#define NARROW(rows) INSTANCE(narrow_tile_##rows, rows, 1, 0, 0)
#define NARROW_RAGGED(rows) INSTANCE(narrow_ragged_tile_##rows, rows, 1, 1, 0)
UP_TO(TILE_ROWS)(WIDE)
UP_TO(TILE_ROWS)(WIDE_RAGGED)
UP_TO(NARROW_TILE_ROWS)(NARROW)
UP_TO(NARROW_TILE_ROWS)(NARROW_RAGGED)
INSTANCE(packing_wide_tile, TILE_ROWS, 2, 0, 1)
INSTANCE(packing_wide_ragged_tile, TILE_ROWS, 2, 1, 1)
INSTANCE(packing_narrow_tile, NARROW_TILE_ROWS, 1, 0, 1)
INSTANCE(packing_narrow_ragged_tile, NARROW_TILE_ROWS, 1, 1, 1)
#undef WIDE
#undef WIDE_RAGGED
#undef NARROW
#undef NARROW_RAGGED
#undef INSTANCE

/* The tiles of one width: `of` by height less one, up to the tallest, which also `packs`. */
typedef struct {
    NAMED(tile_function) *of[MOST_ROWS], *packs;
    ptrdiff_t tallest;
} NAMED(tiles);

#define WIDE(rows) NAMED(wide_tile_##rows),
#define WIDE_RAGGED(rows) NAMED(wide_ragged_tile_##rows),
#define NARROW(rows) NAMED(narrow_tile_##rows),
#define NARROW_RAGGED(rows) NAMED(narrow_ragged_tile_##rows),
static const NAMED(tiles)
    NAMED(wide_tiles) = {{UP_TO(TILE_ROWS)(WIDE)}, NAMED(packing_wide_tile), TILE_ROWS},
    NAMED(wide_ragged_tiles) = {{UP_TO(TILE_ROWS)(WIDE_RAGGED)}, NAMED(packing_wide_ragged_tile), TILE_ROWS},
    NAMED(narrow_tiles) = {{UP_TO(NARROW_TILE_ROWS)(NARROW)}, NAMED(packing_narrow_tile), NARROW_TILE_ROWS},
    NAMED(narrow_ragged_tiles) = {{UP_TO(NARROW_TILE_ROWS)(NARROW_RAGGED)}, NAMED(packing_narrow_ragged_tile),
                                  NARROW_TILE_ROWS};
#undef WIDE
#undef WIDE_RAGGED
#undef NARROW
#undef NARROW_RAGGED
/* clang-format on */

/* y = max(x . w + (y or bias), floor) where gate > 0, else 0, in tiles whose heights differ by at most one: 16 rows on
   6-row tiles are 6 + 5 + 5, since a tile of 4 takes nearly as long as one of 6. */
static void NAMED(panel_product)(REAL *y, const REAL *x, const REAL *w, REAL *packed, const REAL *bias,
                                 const REAL *gate, const panel_settings *s) {
    const ptrdiff_t n_cols = s->n_cols, n_k = s->n_k, y_row = s->y_row, x_row = s->x_row, gate_row = s->gate_row;
    ptrdiff_t n_rows = s->n_rows;
    if (n_rows <= 0 || n_cols <= 0) return;
    const int wide = n_cols > LANES, ragged = n_cols % LANES != 0;
    const NAMED(tiles) *tiles = wide ? (ragged ? &NAMED(wide_ragged_tiles) : &NAMED(wide_tiles))
                                     : (ragged ? &NAMED(narrow_ragged_tiles) : &NAMED(narrow_tiles));
    NAMED(product) p = {.given = s,
                        .w = w,
                        .bias = bias,
                        .packed = packed,
                        .n_cols = n_cols,
                        .n_k = n_k,
                        .w_k = s->w_k,
                        .accumulate = s->accumulate,
                        .stores_whole = s->spare_cols >= LANES - n_cols % LANES,
                        .prefetches_x = s->x_k == 1 && n_k * sizeof(REAL) >= LONG_ROW_BYTES,
                        .floor = s->clamp ? 0 : LOWEST};
    prefetching block;
    const block_ahead *ahead = s->ahead;
    if (LOOKS_AHEAD && ahead && n_k >= SHORTEST_RUN * TILE_ROWS) {
        /* A tile of r rows has r runs at the most: about as many runs as rows. */
        const ptrdiff_t lines_per_row = (ahead->n_bytes + CACHE_LINE_BYTES - 1) / CACHE_LINE_BYTES;
        block = (prefetching){.rest = *ahead, .lines = (ahead->n_rows * lines_per_row + n_rows - 1) / n_rows};
        p.ahead = &block;
    }
    if (packed) {
        tiles->packs(y, x, gate, &p, 1);
        n_rows -= tiles->tallest;
        if (n_rows == 0) return;
        y += tiles->tallest * y_row;
        x += tiles->tallest * x_row;
        if (gate) gate += tiles->tallest * gate_row;
        p.w = packed;
        p.w_k = PANEL_VECTORS * LANES;
    }
    if (n_rows <= tiles->tallest) { /* most products of a tiny network, for which the divisions below take long */
        tiles->of[n_rows - 1](y, x, gate, &p, 1);
        return;
    }
    const ptrdiff_t n_tiles = (n_rows + tiles->tallest - 1) / tiles->tallest;
    const ptrdiff_t height = n_rows / n_tiles, n_taller = n_rows % n_tiles, first = n_taller * (height + 1);
    if (n_taller > 0) tiles->of[height](y, x, gate, &p, n_taller);
    tiles->of[height - 1](y + first * y_row, x + first * x_row, gate ? gate + first * gate_row : gate, &p,
                          n_tiles - n_taller);
}

/* One row of x, as many columns as `vectors` vectors hold, the last of them `ragged` or whole. */
INLINE void NAMED(row)(const int vectors, const int ragged, REAL *y, const REAL *x, const NAMED(product) *p) {
    const lanes live = first_lanes(p->n_cols - (vectors - 1) * LANES);
    const ptrdiff_t n_k = p->n_k, w_k = p->w_k;
    const vector zero = {0}, floor = broadcast(p->floor);
    const REAL *w = p->w, *added = p->accumulate ? y : p->bias;
    vector s[ROW_VECTORS];

#define PART(v, p) NAMED(load_part)(p + v * LANES, ragged && v == vectors - 1, live)
#define CLEAR(v) \
    if (v < vectors) s[v] = zero;
    EACH_VECTOR(CLEAR)
#undef CLEAR
    for (ptrdiff_t k = 0; k < n_k; k++, w += w_k) {
        const vector x_k = broadcast(x[k]);
#define STEP(v) \
    if (v < vectors) s[v] = multiply_add(x_k, PART(v, w), s[v]);
        EACH_VECTOR(STEP)
#undef STEP
    }
#define FINISH(v) \
    if (v < vectors) { \
        s[v] = at_least(s[v] + (added ? PART(v, added) : zero), floor); \
        NAMED(store_part)(y + v * LANES, s[v], ragged && v == vectors - 1, live); \
    }
    EACH_VECTOR(FINISH)
#undef FINISH
#undef PART
}

/* The strip of `vectors` vectors as its own instance. */
INLINE void NAMED(strip)(const int ragged, ptrdiff_t vectors, REAL *y, const REAL *x, const NAMED(product) *p) {
#define STRIP(n) \
    case n: NAMED(row)(n, ragged, y, x, p); break;
    /* clang-format off */
    switch (vectors) { UP_TO_8(STRIP) }
    /* clang-format on */
#undef STRIP
}

/* y = max(x . w + (y or bias), floor) for one row x, in strips of ROW_VECTORS vectors: enough chains to keep the
   multipliers busy. */
static void NAMED(row_product)(REAL *y, const REAL *x, const REAL *w, const REAL *bias, ptrdiff_t n_cols, ptrdiff_t n_k,
                               ptrdiff_t w_k, int accumulate, REAL floor) {
    NAMED(product) p = {.w = w, .bias = bias, .n_k = n_k, .w_k = w_k, .accumulate = accumulate, .floor = floor};
    while (n_cols > 0) {
        p.n_cols = n_cols < ROW_VECTORS * LANES ? n_cols : ROW_VECTORS * LANES;
        const ptrdiff_t vectors = (p.n_cols + LANES - 1) / LANES;
        if (p.n_cols % LANES == 0)
            NAMED(strip)(0, vectors, y, x, &p);
        else
            NAMED(strip)(1, vectors, y, x, &p);
        n_cols -= p.n_cols;
        y += p.n_cols;
        p.w += p.n_cols;
        if (p.bias) p.bias += p.n_cols;
    }
}
