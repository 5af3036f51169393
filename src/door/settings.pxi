# The instruction set and the number of threads. Floor 2.

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


def set_num_threads(int n):
    pool_set_width(n)


def get_num_threads():
    return pool_width()


def threads_started():
    return pool_started()


def max_threads():
    return POOL_MAX_WIDTH
