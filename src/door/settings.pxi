# The instruction set and the number of threads. Floor 2.

from pairs cimport (simd_available_pairs, simd_multiplies_pairs, simd_pairs, simd_prepare_pairs,
                    simd_select_pairs)
from quads cimport simd_available_quads, simd_prepare_quads, simd_quads, simd_select_quads
from simd cimport simd_available, simd_select
from threads cimport POOL_MAX_WIDTH, pool_set_width, pool_started, pool_width


def select_instruction_set(str name=None):
    """Chooses the instruction set by name (None: the best); returns the one in use."""
    cdef const char *chosen = simd_select(NULL) if name is None else simd_select(name.encode())
    if chosen == NULL:
        raise ValueError(f"CNN_CORE_ISA must be one of {instruction_sets()}. Received: {name!r}")
    global _instruction_set
    _instruction_set = chosen.decode()
    return _instruction_set


def instruction_set():
    return _instruction_set


def instruction_sets():
    """Those that can run here, best first."""
    cdef const char *names[8]
    return [names[i].decode() for i in range(simd_available(names, 8))]


def select_bfloat16(str name not None):
    """Chooses by name what multiplies numbers in bfloat16."""
    cdef const char *chosen = simd_select_pairs(NULL) if name == "floats" else simd_select_pairs(name.encode())
    if chosen == NULL:
        raise ValueError(f"CNN_CORE_BFLOAT16 must be one of {bfloat16_ways()}. Received: {name!r}")


def bfloat16():
    """What multiplies numbers in bfloat16: an instruction for pairs of them, or "floats", the kernels of floats."""
    simd_prepare_pairs()
    return simd_pairs.instruction_set.decode() if simd_multiplies_pairs else "floats"


def bfloat16_ways():
    """Those that can run beside the instruction set in use."""
    cdef const char *tables[8]
    cdef int n = simd_available_pairs(tables, 8)
    return [tables[i].decode() for i in range(n)] + ["floats"]


def select_int8(str name not None):
    """Chooses by name what multiplies numbers of 8 bits."""
    if simd_select_quads(name.encode()) == NULL:
        raise ValueError(f"CNN_CORE_INT8 must be one of {int8_ways()}. Received: {name!r}")


def int8():
    """What multiplies numbers of 8 bits."""
    simd_prepare_quads()
    return simd_quads.instruction_set.decode()


def int8_ways():
    """Those that can run beside the instruction set in use, best first."""
    cdef const char *tables[8]
    return [tables[i].decode() for i in range(simd_available_quads(tables, 8))]


def set_num_threads(int n):
    pool_set_width(n)


def get_num_threads():
    return pool_width()


def threads_started():
    return pool_started()


def max_threads():
    return POOL_MAX_WIDTH
