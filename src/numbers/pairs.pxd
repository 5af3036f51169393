# Products of pairs of bfloat16 as seen from Cython: src/simd/pairs.h has the contracts. Floor 1.

from libc.stdint cimport uint32_t

from simd cimport panel_settings

cdef extern from "simd/pairs.h" nogil:
    ctypedef struct pair_kernels:
        const char *instruction_set
        void (*panel_product)(float *y, const float *x, const float *w, float *packed, const float *bias,
                              const float *gate, const panel_settings *p) noexcept nogil
        void (*row_product)(float *y, const float *x, const float *w, const float *bias, Py_ssize_t n_cols,
                            Py_ssize_t n_k, Py_ssize_t w_k, int accumulate, float floor) noexcept nogil
        void (*widen_panel)(float *panel, const uint32_t *pairs, Py_ssize_t n_k, Py_ssize_t n_cols,
                            Py_ssize_t pairs_row) noexcept nogil
        Py_ssize_t most_single_rows
        int reads_rows
        void (*interleave)(uint32_t *pairs, const float *even, const float *odd, Py_ssize_t n) noexcept nogil
        void (*pair_up)(uint32_t *pairs, const float *x, Py_ssize_t n) noexcept nogil
        void (*round_values)(float *y, const float *x, Py_ssize_t n) noexcept nogil

    const pair_kernels *simd_pairs
    int simd_multiplies_pairs
    const char *simd_select_pairs(const char *wanted)
    int simd_available_pairs(const char **names, int capacity)
    void simd_prepare_pairs()
