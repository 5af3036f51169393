/* One vector of an array, whole or only its live lanes: never a byte beyond them is touched. Floor 0. */
#ifndef REAL
#error "to be included by kernels_of_real.template.c, for one REAL"
#endif

/* `ragged` is a constant of the caller: only the live lanes, or the whole vector. */
INLINE vector NAMED(load_part)(const REAL *p, const int ragged, lanes live) {
    return ragged ? load_lanes(p, live) : load(p);
}
INLINE void NAMED(store_part)(REAL *p, vector v, const int ragged, lanes live) {
    if (ragged)
        store_lanes(p, v, live);
    else
        store(p, v);
}

/* The next vector of an array of which `left` > 0 elements are left. */
INLINE vector NAMED(load_next)(const REAL *p, ptrdiff_t left) {
    return left >= LANES ? load(p) : load_lanes(p, first_lanes(left));
}
INLINE void NAMED(store_next)(REAL *p, vector v, ptrdiff_t left) {
    if (left >= LANES)
        store(p, v);
    else
        store_lanes(p, v, first_lanes(left));
}
