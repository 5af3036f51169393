/* Vectors for any processor that GCC or Clang compiles for: 16 bytes, plain multiply and add. Floor 0. */
#ifndef CNN_CORE_PORTABLE_H
#define CNN_CORE_PORTABLE_H

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#define VECTOR_BYTES 16
#define NO_MASKED_ACCESS
#include "vectors.h"

#define REAL float
#define NAMED(name) name##_f32
#include "portable.template.h"
#undef REAL
#undef NAMED
#define REAL double
#define NAMED(name) name##_f64
#include "portable.template.h"
#undef REAL
#undef NAMED

#if defined(__SSE2__)
INLINE vector_f32 square_root_f32(vector_f32 v) { return _mm_sqrt_ps(v); }
INLINE vector_f64 square_root_f64(vector_f64 v) { return _mm_sqrt_pd(v); }
#else
INLINE vector_f32 square_root_f32(vector_f32 v) {
    return (vector_f32){sqrtf(v[0]), sqrtf(v[1]), sqrtf(v[2]), sqrtf(v[3])};
}
INLINE vector_f64 square_root_f64(vector_f64 v) { return (vector_f64){sqrt(v[0]), sqrt(v[1])}; }
#endif

#endif
