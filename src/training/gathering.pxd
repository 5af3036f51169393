# The way in and out of a run: samples into the workspace in the order of training, and outputs back. Floor 1.

from libc.stdint cimport int64_t

from plan cimport Buffer, Plan, SparseRows, Workspace
from shares cimport parts_of
from simd cimport gather, real
from sparse cimport read_sparse
from threads cimport pool_run

cdef enum:
    GATHERED_ROWS = 32         # rows that a thread copies at a time,
    SMALL_BLOCK = 1 << 16      # unless the whole block has fewer elements

cdef struct Source:
    const void *data       # (n_samples, width) of the network's type, C order
    Py_ssize_t width       # elements a sample
    bint is_sparse
    SparseRows rows        # instead of data


cdef inline void gather_samples(real *y, const real *x, const int64_t *order, Py_ssize_t first, Py_ssize_t n,
                                Py_ssize_t n_coming, const Buffer *buffer, Py_ssize_t y_row) noexcept nogil:
    """y (n * rows, width) = x[order[first + i]], row by row into the padded buffer.

    The next n_coming entries of the order tell what is likely to be wanted soon.
    """
    cdef const int64_t *in_place = NULL
    cdef Py_ssize_t i, rows = buffer.rows, width = buffer.width
    if order == NULL:
        gather(y, x + first * rows * width, in_place, n * rows, 0, width, y_row, width)
    elif rows == 1:
        gather(y, x, order + first, n, n_coming, width, y_row, width)
    else:
        for i in range(n):
            gather(y + i * rows * y_row, x + order[first + i] * rows * width, in_place, rows, 0, width, y_row, width)


ctypedef struct Gathering:
    # One input's rows of a block, shared among threads.
    void *y
    const void *x
    const int64_t *order
    Py_ssize_t first
    Py_ssize_t n
    Py_ssize_t n_coming
    const Buffer *buffer
    Py_ssize_t y_row


cdef inline void gather_part(const Gathering *g, real *y, Py_ssize_t index) noexcept nogil:
    cdef Py_ssize_t done = index * GATHERED_ROWS, n = min(<Py_ssize_t> GATHERED_ROWS, g.n - done)
    gather_samples(y + done * g.buffer.rows * g.y_row, <const real *> g.x, g.order, g.first + done, n,
                   g.n + g.n_coming - done - n, g.buffer, g.y_row)


cdef inline void gather_task_f32(void *context, Py_ssize_t index) noexcept nogil:
    cdef Gathering *g = <Gathering *> context
    gather_part(g, <float *> g.y, index)


cdef inline void gather_task_f64(void *context, Py_ssize_t index) noexcept nogil:
    cdef Gathering *g = <Gathering *> context
    gather_part(g, <double *> g.y, index)


cdef inline void load_inputs(const Plan *plan, Workspace *workspace, real **typed, const Source *inputs,
                             const int64_t *order, Py_ssize_t first, Py_ssize_t n, Py_ssize_t n_coming) noexcept nogil:
    """Copies samples [first, first + n) of the order into the workspace; sparse rows are read where they stand.

    The next n_coming samples are likely to be wanted soon.
    """
    cdef Gathering g
    cdef int i, buffer
    workspace.n = n
    g.order, g.first, g.n, g.n_coming = order, first, n, n_coming
    for i in range(plan.n_inputs):
        buffer = plan.inputs[i]
        if inputs[i].is_sparse:
            read_sparse(plan, workspace, i, &inputs[i].rows, order, first)
            continue
        g.y, g.x = workspace.values[buffer], inputs[i].data
        g.buffer, g.y_row = &plan.buffers[buffer], workspace.strides[buffer]
        if n * g.buffer.rows * g.buffer.width < SMALL_BLOCK:
            gather_samples(<real *> g.y, <const real *> g.x, g.order, first, n, g.n_coming, g.buffer, g.y_row)
        else:
            pool_run(gather_task_f32 if real is float else gather_task_f64, &g,
                     parts_of(n, GATHERED_ROWS))


cdef inline void copy_output(const Plan *plan, Workspace *workspace, real **typed, int i, void *target,
                             Py_ssize_t first) noexcept nogil:
    """Output i of the samples in the workspace, to its place from sample `first` on."""
    cdef int buffer = plan.outputs[i]
    cdef Py_ssize_t rows = plan.buffers[buffer].rows, width = plan.buffers[buffer].width
    cdef const int64_t *in_place = NULL
    gather(<real *> target + first * rows * width, <const real *> workspace.values[buffer], in_place,
           workspace.n * rows, 0, width, width, workspace.strides[buffer])
