/* Blocks transposed in 32-byte registers, for AVX2 and AVX-512: out[i, j] = in[j, i]. Floor 0. */

enum { TRANSPOSE_WIDTH_f32 = 8, TRANSPOSE_WIDTH_f64 = 4 };

/* Lines `row` and `row + 4` of a block, columns 4 `half` to 4 `half` + 3 of each, in one register. */
INLINE __m256 halves_of_lines(const float *in, ptrdiff_t in_row, int row, int half) {
    __m256 low = _mm256_castps128_ps256(_mm_loadu_ps(in + row * in_row + 4 * half));
    return _mm256_insertf128_ps(low, _mm_loadu_ps(in + (row + 4) * in_row + 4 * half), 1);
}

INLINE void transpose_block_f32(float *out, ptrdiff_t out_row, const float *in, ptrdiff_t in_row) {
    for (int half = 0; half < 2; half++, out += 4 * out_row) {
        __m256 a = halves_of_lines(in, in_row, 0, half), b = halves_of_lines(in, in_row, 1, half);
        __m256 c = halves_of_lines(in, in_row, 2, half), d = halves_of_lines(in, in_row, 3, half);
        __m256 ab_low = _mm256_unpacklo_ps(a, b), ab_high = _mm256_unpackhi_ps(a, b);
        __m256 cd_low = _mm256_unpacklo_ps(c, d), cd_high = _mm256_unpackhi_ps(c, d);
        _mm256_storeu_ps(out, _mm256_shuffle_ps(ab_low, cd_low, _MM_SHUFFLE(1, 0, 1, 0)));
        _mm256_storeu_ps(out + out_row, _mm256_shuffle_ps(ab_low, cd_low, _MM_SHUFFLE(3, 2, 3, 2)));
        _mm256_storeu_ps(out + 2 * out_row, _mm256_shuffle_ps(ab_high, cd_high, _MM_SHUFFLE(1, 0, 1, 0)));
        _mm256_storeu_ps(out + 3 * out_row, _mm256_shuffle_ps(ab_high, cd_high, _MM_SHUFFLE(3, 2, 3, 2)));
    }
}

INLINE void transpose_block_f64(double *out, ptrdiff_t out_row, const double *in, ptrdiff_t in_row) {
    __m256d a = _mm256_loadu_pd(in), b = _mm256_loadu_pd(in + in_row);
    __m256d c = _mm256_loadu_pd(in + 2 * in_row), d = _mm256_loadu_pd(in + 3 * in_row);
    __m256d ab_even = _mm256_unpacklo_pd(a, b), ab_odd = _mm256_unpackhi_pd(a, b);
    __m256d cd_even = _mm256_unpacklo_pd(c, d), cd_odd = _mm256_unpackhi_pd(c, d);
    _mm256_storeu_pd(out, _mm256_permute2f128_pd(ab_even, cd_even, 0x20));
    _mm256_storeu_pd(out + out_row, _mm256_permute2f128_pd(ab_odd, cd_odd, 0x20));
    _mm256_storeu_pd(out + 2 * out_row, _mm256_permute2f128_pd(ab_even, cd_even, 0x31));
    _mm256_storeu_pd(out + 3 * out_row, _mm256_permute2f128_pd(ab_odd, cd_odd, 0x31));
}
