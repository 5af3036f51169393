/* What a vector of REAL can do on every instruction set, in the vector extensions of GCC and Clang (both give
   + - * / and comparisons lane by lane). Included twice by vectors.h. Floor 0. */
#ifndef REAL
#error "to be included by vectors.h, for one REAL"
#endif

typedef REAL NAMED(vector) __attribute__((vector_size(VECTOR_BYTES)));
typedef BITS NAMED(integers) __attribute__((vector_size(VECTOR_BYTES)));
typedef REAL NAMED(unaligned) __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(REAL)), may_alias));

enum { NAMED(LANES) = VECTOR_BYTES / sizeof(REAL) };

INLINE NAMED(vector) NAMED(load)(const REAL *p) { return *(const NAMED(unaligned) *)p; }
INLINE void NAMED(store)(REAL *p, NAMED(vector) v) { *(NAMED(unaligned) *)p = v; }

/* x - 0 and not x + 0, which would lose the sign of -0. */
INLINE NAMED(vector) NAMED(broadcast)(REAL x) { return x - (NAMED(vector)){0}; }

#define SIGN_BIT ((BITS)1 << (8 * sizeof(REAL) - 1))
INLINE NAMED(vector) NAMED(magnitude)(NAMED(vector) v) { return (NAMED(vector))((NAMED(integers))v & ~SIGN_BIT); }
INLINE NAMED(vector) NAMED(with_sign_of)(NAMED(vector) v, NAMED(vector) sign) {
    return (NAMED(vector))(((NAMED(integers))v & ~SIGN_BIT) | ((NAMED(integers))sign & SIGN_BIT));
}
#undef SIGN_BIT

#ifndef MASK_REGISTERS
typedef NAMED(integers) NAMED(mask); /* all ones where true */
INLINE NAMED(mask) NAMED(greater)(NAMED(vector) a, NAMED(vector) b) { return (NAMED(mask))(a > b); }
INLINE NAMED(mask) NAMED(not_less)(NAMED(vector) a, NAMED(vector) b) { return (NAMED(mask))(a >= b); }
#endif

#ifdef NO_MASKED_ACCESS
/* Lane i is the sum of the lanes of s[i]. Here, because what has no masked access has no fast way either. */
INLINE NAMED(vector) NAMED(lane_sums)(const NAMED(vector) *s) {
    NAMED(vector) sums = {0};
    for (int i = 0; i < NAMED(LANES); i++) {
        sums[i] = s[i][0];
        for (int j = 1; j < NAMED(LANES); j++) sums[i] += s[i][j];
    }
    return sums;
}

typedef ptrdiff_t NAMED(lanes); /* how many lanes live: 1 to LANES */
INLINE NAMED(lanes) NAMED(first_lanes)(ptrdiff_t n) { return n; }

/* Dead lanes read the last live element, so that no branch is needed, and are then cleared. */
INLINE NAMED(vector) NAMED(load_lanes)(const REAL *p, NAMED(lanes) live) {
    NAMED(vector) v = {0};
    NAMED(integers) alive = {0};
    for (int i = 0; i < NAMED(LANES); i++) {
        v[i] = p[i < live ? i : live - 1];
        alive[i] = i < live ? ~(BITS)0 : 0;
    }
    return (NAMED(vector))((NAMED(integers))v & alive);
}
INLINE void NAMED(store_lanes)(REAL *p, NAMED(vector) v, NAMED(lanes) live) {
    for (int i = 0; i < NAMED(LANES); i++)
        if (i < live) p[i] = v[i];
}
#endif
