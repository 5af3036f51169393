/* Columns of rows side by side, for AVX-512: transposed in whole registers, for what is written in halves of a register
   has to reach the cache before a whole one can be read. Floor 0. */
#define COLUMNS_IN_REGISTERS

enum { COLUMNS_AT_ONCE_f32 = 4, COLUMNS_AT_ONCE_f64 = 2 };

/* Four elements of each of the rows 0, 4, 8 and 12, and back. */
INLINE vector_f32 pieces_of_rows_f32(const float *z, ptrdiff_t row) {
    const __m256 low = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(z)), _mm_loadu_ps(z + 4 * row), 1);
    const __m256 high =
        _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(z + 8 * row)), _mm_loadu_ps(z + 12 * row), 1);
    return _mm512_insertf32x8(_mm512_castps256_ps512(low), high, 1);
}
INLINE void pieces_to_rows_f32(float *a, ptrdiff_t row, vector_f32 v) {
    _mm_storeu_ps(a, _mm512_castps512_ps128(v));
    _mm_storeu_ps(a + 4 * row, _mm512_extractf32x4_ps(v, 1));
    _mm_storeu_ps(a + 8 * row, _mm512_extractf32x4_ps(v, 2));
    _mm_storeu_ps(a + 12 * row, _mm512_extractf32x4_ps(v, 3));
}

/* Two elements of each of the rows 0, 2, 4 and 6, and back. */
INLINE vector_f64 pieces_of_rows_f64(const double *z, ptrdiff_t row) {
    const __m256d low = _mm256_insertf128_pd(_mm256_castpd128_pd256(_mm_loadu_pd(z)), _mm_loadu_pd(z + 2 * row), 1);
    const __m256d high =
        _mm256_insertf128_pd(_mm256_castpd128_pd256(_mm_loadu_pd(z + 4 * row)), _mm_loadu_pd(z + 6 * row), 1);
    return _mm512_insertf64x4(_mm512_castpd256_pd512(low), high, 1);
}
INLINE void pieces_to_rows_f64(double *a, ptrdiff_t row, vector_f64 v) {
    _mm_storeu_pd(a, _mm512_castpd512_pd128(v));
    _mm_storeu_pd(a + 2 * row, _mm512_extractf64x2_pd(v, 1));
    _mm_storeu_pd(a + 4 * row, _mm512_extractf64x2_pd(v, 2));
    _mm_storeu_pd(a + 6 * row, _mm512_extractf64x2_pd(v, 3));
}

/* The elements of four vectors transposed in each piece of 16 bytes; its own inverse. */
INLINE void transpose_pieces_f32(vector_f32 *v) {
    const vector_f32 low_01 = _mm512_unpacklo_ps(v[0], v[1]), high_01 = _mm512_unpackhi_ps(v[0], v[1]);
    const vector_f32 low_23 = _mm512_unpacklo_ps(v[2], v[3]), high_23 = _mm512_unpackhi_ps(v[2], v[3]);
    v[0] = _mm512_shuffle_ps(low_01, low_23, _MM_SHUFFLE(1, 0, 1, 0));
    v[1] = _mm512_shuffle_ps(low_01, low_23, _MM_SHUFFLE(3, 2, 3, 2));
    v[2] = _mm512_shuffle_ps(high_01, high_23, _MM_SHUFFLE(1, 0, 1, 0));
    v[3] = _mm512_shuffle_ps(high_01, high_23, _MM_SHUFFLE(3, 2, 3, 2));
}
INLINE void transpose_pieces_f64(vector_f64 *v) {
    const vector_f64 low = _mm512_unpacklo_pd(v[0], v[1]);
    v[1] = _mm512_unpackhi_pd(v[0], v[1]);
    v[0] = low;
}
