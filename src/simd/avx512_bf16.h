/* Roundings to bfloat16 by the instructions of AVX512_BF16. Floor 0.
   The including file has set the target and included immintrin.h. */
#ifndef CNN_CORE_AVX512_BF16_H
#define CNN_CORE_AVX512_BF16_H

static void interleave(uint32_t *pairs, const float *even, const float *odd, ptrdiff_t n) {
    const __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6,
                                           21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    for (ptrdiff_t i = 0; i < n; i += 16) {
        const __mmask16 live = n - i < 16 ? (__mmask16)((1u << (n - i)) - 1) : (__mmask16)0xffff;
        const __m512 low = _mm512_maskz_loadu_ps(live, even + i);
        const __m512 high = odd ? _mm512_maskz_loadu_ps(live, odd + i) : _mm512_setzero_ps();
        const __m512i halves = (__m512i)_mm512_cvtne2ps_pbh(high, low);
        _mm512_mask_storeu_epi32(pairs + i, live, _mm512_permutexvar_epi16(order, halves));
    }
}

static void pair_up(uint32_t *pairs, const float *x, ptrdiff_t n) {
    for (ptrdiff_t i = 0; i < n; i += 32) {
        const uint64_t left = (uint64_t)(n - i), alive = left < 32 ? (1ull << left) - 1 : 0xffffffffull;
        const __m512 low = _mm512_maskz_loadu_ps((__mmask16)alive, x + i);
        const __m512 high = _mm512_maskz_loadu_ps((__mmask16)(alive >> 16), x + i + 16);
        const __mmask16 stored = left < 32 ? (__mmask16)((1u << (left + 1) / 2) - 1) : (__mmask16)0xffff;
        _mm512_mask_storeu_epi32(pairs + i / 2, stored, (__m512i)_mm512_cvtne2ps_pbh(high, low));
    }
}

static void round_values(float *y, const float *x, ptrdiff_t n) {
    for (ptrdiff_t i = 0; i < n; i += 16) {
        const __mmask16 live = n - i < 16 ? (__mmask16)((1u << (n - i)) - 1) : (__mmask16)0xffff;
        const __m256i halves = (__m256i)_mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(live, x + i));
        _mm512_mask_storeu_epi32(y + i, live, _mm512_slli_epi32(_mm512_cvtepu16_epi32(halves), 16));
    }
}

#endif
