# Products of quads of 8-bit numbers as seen from Cython: src/simd/quads.h has the contracts. Floor 1.

from libc.stdint cimport int32_t

from simd cimport panel_settings

cdef extern from "simd/quads.h" nogil:
    enum:
        MOST_QUANTIZED

    ctypedef struct quad_kernels:
        const char *instruction_set
        Py_ssize_t panel_width
        int32_t x_offset
        void (*panel_product)(int32_t *y, const int32_t *x, const int32_t *w, int32_t *packed, const int32_t *bias,
                              const int32_t *gate, const panel_settings *p) noexcept nogil
        void (*row_product)(int32_t *y, const int32_t *x, const int32_t *w, const int32_t *bias, Py_ssize_t n_cols,
                            Py_ssize_t n_k, Py_ssize_t w_k, int accumulate, int32_t floor) noexcept nogil
        float (*quantize)(int32_t *quads, const float *x, const float *factors, Py_ssize_t n) noexcept nogil
        void (*restore)(float *y, const int32_t *w_sums, const float *w_units, const float *bias, float x_unit,
                        float floor, Py_ssize_t n) noexcept nogil

    const quad_kernels *simd_quads
    const char *simd_select_quads(const char *wanted)
    int simd_available_quads(const char **names, int capacity)
    void simd_prepare_quads()
