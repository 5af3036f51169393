# How work is cut into tasks that threads share. Floor 1.
#
# Every thread has tasks that follow one another (src/threads/pool.c), and all wait for the largest of these shares. A
# vector is cut into equal chunks. A product is cut into a grid, chunks of rows by chunks of columns, column chunk by
# column chunk: heights and widths near the coarsest grid are tried until the largest share is small enough.

from simd cimport panel_width, real

cdef enum:
    ROW_MULTIPLE = 12            # of the heights of blocks and tasks, so that only the last has a ragged tile
    WORK_PER_TASK = 1 << 20      # multiply-adds, some 25 us: waking a thread for less costs more than it saves
    FEWEST_TASKS_PER_THREAD = 2  # where there is work for them: others can take over from a thread that is late
    MOST_TASKS_PER_THREAD = 4    # each copies its rows or its columns
    TRIED = 4                    # heights, and widths for each
    LEAST_GAIN = 32              # a grid is better if the largest share is smaller by more than one part of so many
    LINE_BYTES = 64              # of the cache: no two threads write to the same

ctypedef struct Grid:
    Py_ssize_t rows_per_task
    Py_ssize_t cols_per_task
    Py_ssize_t row_tasks
    Py_ssize_t n_tasks


cdef inline Py_ssize_t parts_of(Py_ssize_t n, Py_ssize_t size) noexcept nogil:
    """How many parts of that size n are, the last perhaps smaller."""
    return (n + size - 1) // size


cdef inline Py_ssize_t even_chunk(Py_ssize_t n, Py_ssize_t least, int n_threads) noexcept nogil:
    """Elements of a chunk of n: whole lines of the cache, some `least` of them, as many chunks for every thread."""
    cdef Py_ssize_t chunks = max(<Py_ssize_t> 1, n // least)
    if chunks > n_threads:
        chunks -= chunks % n_threads
    return max(<Py_ssize_t> 1, parts_of(parts_of(n, chunks), LINE_BYTES)) * LINE_BYTES


cdef inline Py_ssize_t whole_multiple(Py_ssize_t n_rows) noexcept nogil:
    return parts_of(n_rows, ROW_MULTIPLE) * ROW_MULTIPLE


cdef inline Grid grid_of(Py_ssize_t n_rows, Py_ssize_t n_cols, Py_ssize_t row_tasks,
                         Py_ssize_t cols_per_task) noexcept nogil:
    cdef Grid g
    g.rows_per_task, g.cols_per_task = whole_multiple(parts_of(n_rows, row_tasks)), cols_per_task
    g.row_tasks = parts_of(n_rows, g.rows_per_task)
    g.n_tasks = g.row_tasks * parts_of(n_cols, cols_per_task)
    return g


cdef inline Py_ssize_t largest_share(const Grid *g, Py_ssize_t n_rows, Py_ssize_t n_threads) noexcept nogil:
    """Elements of the result, at most: as many tasks as a column chunk has are all rows of it, wherever they begin."""
    cdef Py_ssize_t n = parts_of(g.n_tasks, n_threads)
    return g.cols_per_task * (n // g.row_tasks * n_rows + min(n_rows, n % g.row_tasks * g.rows_per_task))


cdef inline bint is_better(Py_ssize_t share, Py_ssize_t than) noexcept nogil:
    return share * LEAST_GAIN < than * (LEAST_GAIN - 1)


cdef inline bint is_worth_threads(Py_ssize_t n_rows, Py_ssize_t n_cols, Py_ssize_t n_k) noexcept nogil:
    return n_rows * n_cols * n_k >= 2 * WORK_PER_TASK


cdef inline Grid share_out(Py_ssize_t n_rows, Py_ssize_t n_cols, Py_ssize_t n_k, real *typed,
                           Py_ssize_t n_threads) noexcept nogil:
    """Cuts a product that is worth threads: by columns where it has enough panels, else by rows too."""
    cdef Py_ssize_t panel = max(panel_width(typed), LINE_BYTES // <Py_ssize_t> sizeof(real))
    cdef Py_ssize_t tasks = n_rows * n_cols * n_k // WORK_PER_TASK, panels = parts_of(n_cols, panel)
    cdef Py_ssize_t fewest = min(tasks, FEWEST_TASKS_PER_THREAD * n_threads)
    cdef Py_ssize_t most = min(tasks, MOST_TASKS_PER_THREAD * n_threads)
    cdef Py_ssize_t even = parts_of(n_rows * n_cols, n_threads), share, best_share
    cdef Py_ssize_t first, row_tasks, widest, width
    cdef Grid best, tried
    first = max(<Py_ssize_t> 1, min(fewest // panels, n_rows // ROW_MULTIPLE))
    best = grid_of(n_rows, n_cols, first, parts_of(panels, min(panels, fewest // first)) * panel)
    best_share = largest_share(&best, n_rows, n_threads)
    for row_tasks in range(first, max(first, min(first + TRIED - 1, fewest, n_rows // ROW_MULTIPLE)) + 1):
        widest = parts_of(panels, min(panels, fewest // row_tasks))
        for width in range(widest, max(<Py_ssize_t> 0, widest - TRIED), -1):
            if not is_better(even, best_share):
                return best
            tried = grid_of(n_rows, n_cols, row_tasks, width * panel)
            share = largest_share(&tried, n_rows, n_threads)
            if tried.n_tasks <= most and is_better(share, best_share):
                best, best_share = tried, share
    return best
