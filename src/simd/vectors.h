/* Vectors of floats, doubles and whole numbers for one instruction set, and the short names by which the templates call
   them. Floor 0.
   The including file defines VECTOR_BYTES, and MASK_REGISTERS where comparisons give bit masks; then it adds what
   needs intrinsics: multiply_add, square_root, at_least, at_most, lane_sums, select, lanes and transpose_block. */
#include <float.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels.h"

#define INLINE static inline __attribute__((always_inline, unused))
#define NOT_INLINE __attribute__((noinline))
/* What `pointer` points at is read again from here on, not kept in registers. */
#define READ_AGAIN(pointer) __asm__("" : "+r"(pointer))

/* A table's name, and the text of a name, of what is itself a macro. */
#define JOINED_(table, set) table##_##set
#define JOINED(table, set) JOINED_(table, set)
#define TEXT_(set) #set
#define TEXT(set) TEXT_(set)

#define LOWEST -INFINITY /* no number is below it */

#define REAL float
#define BITS uint32_t
#define NAMED(name) name##_f32
#include "vectors.template.h"
#undef REAL
#undef BITS
#undef NAMED
#define REAL double
#define BITS uint64_t
#define NAMED(name) name##_f64
#include "vectors.template.h"
#undef REAL
#undef BITS
#undef NAMED
#define REAL int32_t
#define BITS uint32_t
#define NAMED(name) name##_i32
#include "vectors.template.h"
#undef REAL
#undef BITS
#undef NAMED

/* Inside a template these bare words mean the instruction set's version for its REAL; NAMED(...) is the template's own.
 */
#define vector NAMED(vector)
#define integers NAMED(integers)
#define mask NAMED(mask)
#define lanes NAMED(lanes)
#define LANES NAMED(LANES)
#define load NAMED(load)
#define store NAMED(store)
#define first_lanes NAMED(first_lanes)
#define load_lanes NAMED(load_lanes)
#define store_lanes NAMED(store_lanes)
#define broadcast NAMED(broadcast)
#define multiply_add NAMED(multiply_add)
#define square_root NAMED(square_root)
#define at_least NAMED(at_least)
#define at_most NAMED(at_most)
#define magnitude NAMED(magnitude)
#define with_sign_of NAMED(with_sign_of)
#define greater NAMED(greater)
#define not_less NAMED(not_less)
#define select NAMED(select)
#define lane_sums NAMED(lane_sums)
#define transpose_block NAMED(transpose_block)
#define TRANSPOSE_WIDTH NAMED(TRANSPOSE_WIDTH)
#define COLUMNS_AT_ONCE NAMED(COLUMNS_AT_ONCE)
#define pieces_of_rows NAMED(pieces_of_rows)
#define pieces_to_rows NAMED(pieces_to_rows)
#define transpose_pieces NAMED(transpose_pieces)
