/* The matrix product on one panel by tile registers, as AMX has them: what tile.template.c does by vectors. Floor 0.
   REAL is what a sum is; x and w are pairs or quads of as many bits. The including file has given the vectors of
   AVX-512's width or less, and the tile registers: CONFIGURE, CLEAR_TILE, LOAD_TILE, STORE_TILE, MULTIPLY_TILES,
   RELEASE, and WRITTEN_FOR_TILES between plain stores and loads of tiles. Tile numbers are literals.

   A block of y is at most 32 x 32, in four tiles; a step of the sum takes 16 k, of two tiles of x and two of w.
   Rows and columns that are not there are not in the tiles' sizes, so that nothing beyond them is read or written. */
#ifndef REAL
#error "to be included by a template of products of pairs or quads, for one REAL"
#endif

enum { TILE_EDGE = 16, BLOCK_EDGE = 2 * TILE_EDGE, TILE_ROW_BYTES = 64 };
enum { SUM_0_0, SUM_0_1, SUM_1_0, SUM_1_1, X_0, X_1, W_0, W_1, N_TILES };

/* The argument of ldtilecfg: 64 bytes, of which palette 1 has eight tiles of `rows` rows of `row_bytes` bytes. */
typedef struct {
    uint8_t palette, start_row, unused[14];
    uint16_t row_bytes[8], unused_bytes[8];
    uint8_t rows[8], unused_rows[8];
} tile_configuration;

_Static_assert(sizeof(tile_configuration) == 64, "ldtilecfg reads 64 bytes");

INLINE ptrdiff_t first_half(ptrdiff_t n) { return n < TILE_EDGE ? n : TILE_EDGE; }

INLINE void set_size(tile_configuration *c, int tile, ptrdiff_t n_rows, ptrdiff_t n_cols) {
    c->rows[tile] = (uint8_t)(n_cols > 0 ? n_rows : 0);
    c->row_bytes[tile] = (uint16_t)(n_rows > 0 ? 4 * n_cols : 0);
}

/* Tiles for a block of n_rows x n_cols sums. */
INLINE tile_configuration configuration_of(ptrdiff_t n_rows, ptrdiff_t n_cols) {
    tile_configuration c = {.palette = 1};
    const ptrdiff_t rows_0 = first_half(n_rows), rows_1 = n_rows - rows_0;
    const ptrdiff_t cols_0 = first_half(n_cols), cols_1 = n_cols - cols_0;
    set_size(&c, SUM_0_0, rows_0, cols_0), set_size(&c, SUM_0_1, rows_0, cols_1);
    set_size(&c, SUM_1_0, rows_1, cols_0), set_size(&c, SUM_1_1, rows_1, cols_1);
    set_size(&c, X_0, rows_0, TILE_EDGE), set_size(&c, X_1, rows_1, TILE_EDGE);
    set_size(&c, W_0, TILE_EDGE, cols_0), set_size(&c, W_1, TILE_EDGE, cols_1);
    return c;
}

/* The sums so far, row by row. */
typedef struct {
    REAL of[BLOCK_EDGE][BLOCK_EDGE];
} block_of_sums;

INLINE void store_sums(block_of_sums *sums, int two_rows, int two_cols) {
    STORE_TILE(SUM_0_0, &sums->of[0][0], sizeof sums->of[0]);
    if (two_cols) STORE_TILE(SUM_0_1, &sums->of[0][TILE_EDGE], sizeof sums->of[0]);
    if (two_rows) STORE_TILE(SUM_1_0, &sums->of[TILE_EDGE][0], sizeof sums->of[0]);
    if (two_rows && two_cols) STORE_TILE(SUM_1_1, &sums->of[TILE_EDGE][TILE_EDGE], sizeof sums->of[0]);
}

/* One step, of 16 k. */
INLINE void add_products(const REAL *x, const REAL *w, ptrdiff_t x_row, ptrdiff_t w_k, int two_rows, int two_cols) {
    LOAD_TILE(X_0, x, 4 * x_row);
    LOAD_TILE(W_0, w, 4 * w_k);
    MULTIPLY_TILES(SUM_0_0, X_0, W_0);
    if (two_cols) {
        LOAD_TILE(W_1, w + TILE_EDGE, 4 * w_k);
        MULTIPLY_TILES(SUM_0_1, X_0, W_1);
    }
    if (two_rows) {
        LOAD_TILE(X_1, x + TILE_EDGE * x_row, 4 * x_row);
        MULTIPLY_TILES(SUM_1_0, X_1, W_0);
        if (two_cols) MULTIPLY_TILES(SUM_1_1, X_1, W_1);
    }
}

/* The last step of x and w, filled up with zeros where it is not whole; and any step of an x without rows. */
typedef struct {
    REAL x[BLOCK_EDGE][TILE_EDGE], w[TILE_EDGE][BLOCK_EDGE];
} copied_step;

/* to[c] = from[c] for c < n, 0 up to `width`. */
INLINE void copy_padded(REAL *to, const REAL *from, ptrdiff_t n, ptrdiff_t width) {
    for (ptrdiff_t c = 0; c < width; c += LANES) store(to + c, c < n ? NAMED(load_next)(from + c, n - c) : (vector){0});
}

/* What all blocks of a panel share. */
typedef struct {
    const REAL *w;
    ptrdiff_t n_cols, n_k, x_row, x_k, w_k;
    copied_step *copied;
} tiled_panel;

static NOT_INLINE void copy_x(const tiled_panel *p, const REAL *x, ptrdiff_t n_rows, ptrdiff_t n) {
    for (ptrdiff_t r = 0; r < n_rows; r++)
        for (ptrdiff_t k = 0; k < TILE_EDGE; k++) p->copied->x[r][k] = k < n ? x[r * p->x_row + k * p->x_k] : 0;
    WRITTEN_FOR_TILES();
}

/* The sums of a block of n_rows rows; the tiles are configured for it. */
INLINE void multiply_block(block_of_sums *sums, const REAL *x, ptrdiff_t n_rows, const tiled_panel *p) {
    const int two_rows = n_rows > TILE_EDGE, two_cols = p->n_cols > TILE_EDGE;
    CLEAR_TILE(SUM_0_0);
    if (two_cols) CLEAR_TILE(SUM_0_1);
    if (two_rows) CLEAR_TILE(SUM_1_0);
    if (two_rows && two_cols) CLEAR_TILE(SUM_1_1);
    for (ptrdiff_t k = 0; k < p->n_k; k += TILE_EDGE) {
        const ptrdiff_t n = p->n_k - k < TILE_EDGE ? p->n_k - k : TILE_EDGE;
        const REAL *w = n == TILE_EDGE ? p->w + k * p->w_k : p->copied->w[0];
        const ptrdiff_t w_k = n == TILE_EDGE ? p->w_k : BLOCK_EDGE;
        if (n == TILE_EDGE && p->x_k == 1) {
            add_products(x + k, w, p->x_row, w_k, two_rows, two_cols);
        } else {
            copy_x(p, x + k * p->x_k, n_rows, n);
            add_products(p->copied->x[0], w, TILE_EDGE, w_k, two_rows, two_cols);
        }
    }
    store_sums(sums, two_rows, two_cols);
}

/* y = max(sums + (y or bias), floor) where gate > 0, else 0, for one row. */
INLINE void finish_row(REAL *y, const REAL *sums, const REAL *bias, const REAL *gate, ptrdiff_t n_cols, int accumulate,
                       REAL floor) {
    const REAL *added = accumulate ? y : bias;
    const vector zero = {0}, lowest = broadcast(floor);
    for (ptrdiff_t c = 0; c < n_cols; c += LANES) {
        const ptrdiff_t left = n_cols - c;
        vector s = load(sums + c) + (added ? NAMED(load_next)(added + c, left) : zero);
        s = at_least(s, lowest);
        if (gate) s = select(greater(NAMED(load_next)(gate + c, left), zero), s, zero);
        NAMED(store_next)(y + c, s, left);
    }
}

static void NAMED(panel_product)(REAL *y, const REAL *x, const REAL *w, REAL *packed, const REAL *bias,
                                 const REAL *gate, const panel_settings *s) {
    const ptrdiff_t n_rows = s->n_rows, n_cols = s->n_cols, n_k = s->n_k;
    ptrdiff_t w_k = s->w_k;
    if (n_rows <= 0 || n_cols <= 0) return;
    if (packed) {
        for (ptrdiff_t k = 0; k < n_k; k++) copy_padded(packed + k * BLOCK_EDGE, w + k * w_k, n_cols, BLOCK_EDGE);
        w = packed, w_k = BLOCK_EDGE;
    }
    copied_step copied;
    block_of_sums sums;
    const tiled_panel p = {
        .w = w, .n_cols = n_cols, .n_k = n_k, .x_row = s->x_row, .x_k = s->x_k, .w_k = w_k, .copied = &copied};
    const ptrdiff_t whole = n_k / TILE_EDGE * TILE_EDGE;
    for (ptrdiff_t k = 0; k < TILE_EDGE; k++)
        copy_padded(copied.w[k], w + (whole + k) * w_k, whole + k < n_k ? n_cols : 0, BLOCK_EDGE);
    WRITTEN_FOR_TILES();
    ptrdiff_t configured_rows = 0;
    for (ptrdiff_t row = 0; row < n_rows; row += BLOCK_EDGE) {
        const ptrdiff_t n = n_rows - row < BLOCK_EDGE ? n_rows - row : BLOCK_EDGE;
        if (n != configured_rows) {
            const tile_configuration c = configuration_of(n, n_cols);
            CONFIGURE(&c);
            configured_rows = n;
        }
        multiply_block(&sums, x + row * s->x_row, n, &p);
        for (ptrdiff_t r = 0; r < n; r++)
            finish_row(y + (row + r) * s->y_row, sums.of[r], bias, gate ? gate + (row + r) * s->gate_row : gate, n_cols,
                       s->accumulate, s->clamp ? 0 : LOWEST);
    }
    RELEASE();
}

static void NAMED(row_product)(REAL *y, const REAL *x, const REAL *w, const REAL *bias, ptrdiff_t n_cols, ptrdiff_t n_k,
                               ptrdiff_t w_k, int accumulate, REAL floor) {
    panel_settings s = {
        .n_rows = 1, .n_k = n_k, .x_k = 1, .w_k = w_k, .accumulate = accumulate, .clamp = floor > LOWEST};
    for (ptrdiff_t c = 0; c < n_cols; c += BLOCK_EDGE) {
        s.n_cols = n_cols - c < BLOCK_EDGE ? n_cols - c : BLOCK_EDGE;
        NAMED(panel_product)(y + c, x, w + c, NULL, bias ? bias + c : bias, NULL, &s);
    }
}
