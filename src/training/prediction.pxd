# Prediction: blocks of samples through all layers while their activations are in cache, shared among threads. Floor 1.
# It only reads the parameters; every task has a workspace of its own.

from gathering cimport Source, copy_output
from operations cimport forward
from plan cimport Plan, Workspace
from shares cimport parts_of
from simd cimport real
from sparse cimport read_sparse
from threads cimport pool_run

ctypedef struct Prediction:
    const Plan *plan
    Workspace **workspaces     # one a task
    void **tensors
    const Source *sources      # one an input
    void **targets             # one an output
    Py_ssize_t first
    Py_ssize_t last
    Py_ssize_t rows_per_task
    Py_ssize_t block


cdef inline void read_in_place(const Plan *plan, Workspace *workspace, real **tensors, const Source *sources,
                               Py_ssize_t first) noexcept nogil:
    """Points the inputs at the caller's rows: a product takes rows of any stride."""
    cdef int i, buffer
    for i in range(plan.n_inputs):
        buffer = plan.inputs[i]
        workspace.sparse[buffer] = sources[i].is_sparse
        if sources[i].is_sparse:
            read_sparse(plan, workspace, i, &sources[i].rows, NULL, first)
            continue
        workspace.strides[buffer] = plan.buffers[buffer].width
        workspace.values[buffer] = <real *> sources[i].data + first * sources[i].width


cdef inline void predict_rows(const Prediction *p, real **tensors, Py_ssize_t index) noexcept nogil:
    """The rows of one task, block by block."""
    cdef Workspace *workspace = p.workspaces[index]
    cdef Py_ssize_t first = p.first + index * p.rows_per_task
    cdef Py_ssize_t last = min(first + p.rows_per_task, p.last)
    cdef int i
    while first < last and not workspace.failed:
        workspace.n, workspace.first = min(p.block, last - first), first
        read_in_place(p.plan, workspace, tensors, p.sources, first)
        forward(p.plan, workspace, tensors)
        for i in range(p.plan.n_outputs):
            copy_output(p.plan, workspace, tensors, i, p.targets[i], first)
        first += p.block


cdef inline void predict_task_f32(void *context, Py_ssize_t index) noexcept nogil:
    cdef Prediction *p = <Prediction *> context
    predict_rows(p, <float **> p.tensors, index)


cdef inline void predict_task_f64(void *context, Py_ssize_t index) noexcept nogil:
    cdef Prediction *p = <Prediction *> context
    predict_rows(p, <double **> p.tensors, index)


cdef inline void predict_range(Prediction *p, bint is_float, Py_ssize_t n_tasks) noexcept nogil:
    """Rows [first, last), cut into n_tasks runs of whole blocks."""
    cdef Py_ssize_t blocks = parts_of(p.last - p.first, p.block)
    p.rows_per_task = parts_of(blocks, n_tasks) * p.block
    n_tasks = parts_of(p.last - p.first, p.rows_per_task)
    pool_run(predict_task_f32 if is_float else predict_task_f64, p, n_tasks)
