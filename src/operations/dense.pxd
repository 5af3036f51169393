# The dense layer: forward pass, delta recursion and gradients. Floor 1.

from activations cimport activate, derive, is_plain_relu, keeps_z
from matmul cimport Product, begin_plain, multiply
from plan cimport Buffer, INFERENCE, Operation, Plan, SparseRows, Workspace
from scale cimport scale_kernel, scaled_kernel_gradients
from simd cimport column_sums, real
from sparse cimport SparseProduct, sparse_gradient, sparse_product

cdef enum:
    KERNEL
    BIAS
    SCALE  # a factor for every input


cdef inline real *scaled_kernel(const Operation *operation, const Workspace *workspace, int index,
                                real **typed) noexcept nogil:
    """Where the kernel stands with the factors of its inputs in it, and behind it its gradient."""
    return <real *> workspace.scratch[index] + workspace.capacity * operation.scratch


cdef inline const real *kernel_in_use(const Operation *operation, const Workspace *workspace, int index,
                                      real **tensors) noexcept nogil:
    cdef const real *w = tensors[operation.tensors[KERNEL]]
    if operation.tensors[SCALE] >= 0:
        w = scaled_kernel(operation, workspace, index, tensors)
    return w


cdef inline void dense_forward(const Plan *plan, int index, Workspace *workspace, real **tensors) noexcept nogil:
    """z (n, n_out) = x (n, n_in) . w (n_in, n_out) + b, or (x * s) . w + b;  a = g(z)"""
    cdef const Operation *operation = &plan.operations[index]
    cdef int source = operation.inputs[0]
    cdef const Buffer *input = &plan.buffers[source]
    cdef const Buffer *output = &plan.buffers[operation.output]
    cdef real *a = <real *> workspace.values[operation.output]
    cdef real *z = <real *> workspace.scratch[index] if keeps_z(operation, workspace.mode) else a
    cdef bint leaves_activation = operation.left_to_loss and workspace.mode != INFERENCE
    cdef const real *w = kernel_in_use(operation, workspace, index, tensors)
    cdef Product product
    cdef SparseProduct rare
    if operation.tensors[SCALE] >= 0:
        scale_kernel(scaled_kernel(operation, workspace, index, tensors), tensors[operation.tensors[KERNEL]],
                     tensors[operation.tensors[SCALE]], input.width, output.width)
    if workspace.sparse[source]:
        rare.x, rare.w = <const SparseRows *> workspace.values[source], w
        rare.bias = tensors[operation.tensors[BIAS]] if operation.tensors[BIAS] >= 0 else NULL
        rare.n, rare.n_in, rare.n_out = workspace.n, input.width, output.width
        rare.row = workspace.strides[operation.output]
        sparse_product(&rare, z)
        if not leaves_activation:
            activate(plan, index, workspace, a, z)
        return
    begin_plain(&product)
    product.x, product.w = workspace.values[source], w
    product.bias = tensors[operation.tensors[BIAS]] if operation.tensors[BIAS] >= 0 else NULL
    product.n_rows, product.n_cols, product.n_k = workspace.n * input.rows, output.width, input.width
    product.y_row, product.x_row, product.x_k = workspace.strides[operation.output], workspace.strides[source], 1
    product.w_k, product.w_c = output.width, 1
    product.spare_cols = product.y_row - product.n_cols
    product.clamp = is_plain_relu(operation) and a == z
    multiply(&product, z)
    if not (product.clamp or leaves_activation):
        activate(plan, index, workspace, a, z)


cdef inline void dense_backward(const Plan *plan, int index, Workspace *workspace, real **tensors,
                                real **gradients) noexcept nogil:
    """delta = da * g'(z);  dx (n, n_in) = delta (n, n_out) . w^T;  dw = x^T . delta;  db = sum of delta over rows

    dx is multiplied by the derivative of the ReLU below where this operation `gates_input`. With factors s of the
    inputs, w is s * w here, and its gradient becomes those of w and s.
    """
    cdef const Operation *operation = &plan.operations[index]
    cdef int source = operation.inputs[0]
    cdef int kernel = operation.tensors[KERNEL], bias = operation.tensors[BIAS], scale = operation.tensors[SCALE]
    cdef real *delta = <real *> workspace.deltas[operation.output]
    cdef Py_ssize_t n = workspace.n * plan.buffers[source].rows
    cdef Py_ssize_t n_in = plan.buffers[source].width, n_out = plan.buffers[operation.output].width
    cdef Py_ssize_t delta_row = workspace.strides[operation.output], x_row = workspace.strides[source]
    cdef real *dw = gradients[kernel]
    cdef bint adds = workspace.tensor_written[kernel]
    cdef Product product
    cdef SparseProduct rare
    if scale >= 0 and (dw != NULL or gradients[scale] != NULL):
        dw, adds = scaled_kernel(operation, workspace, index, tensors) + n_in * n_out, False
    if not (operation.left_to_loss or operation.gated):
        derive(plan, index, workspace, delta)
    if workspace.deltas[source] != NULL:
        begin_plain(&product)
        product.x, product.x_row, product.x_k = delta, delta_row, 1
        product.w, product.w_k, product.w_c = kernel_in_use(operation, workspace, index, tensors), 1, n_out
        product.gate = workspace.values[source] if operation.gates_input else NULL
        product.y_row = product.gate_row = x_row
        product.n_rows, product.n_cols, product.n_k, product.spare_cols = n, n_in, n_out, x_row - n_in
        product.accumulate = workspace.delta_written[source]
        multiply(&product, <real *> workspace.deltas[source])
        workspace.delta_written[source] = True
    if dw != NULL and workspace.sparse[source]:
        rare.x, rare.delta = <const SparseRows *> workspace.values[source], delta
        rare.n, rare.n_in, rare.n_out, rare.row = n, n_in, n_out, delta_row
        sparse_gradient(&rare, dw, adds)
    elif dw != NULL:
        begin_plain(&product)
        product.x, product.x_row, product.x_k = workspace.values[source], 1, x_row
        product.w, product.w_k, product.w_c = delta, delta_row, 1
        product.n_rows, product.n_cols, product.n_k, product.y_row = n_in, n_out, n, n_out
        product.accumulate = adds
        multiply(&product, dw)
    if scale >= 0 and dw != NULL:
        scaled_kernel_gradients(gradients[kernel], gradients[scale], dw, tensors[kernel], tensors[scale], n_in, n_out,
                                workspace.tensor_written[kernel], workspace.tensor_written[scale])
        workspace.tensor_written[scale] = True
    if dw != NULL:
        workspace.tensor_written[kernel] = True
    if bias >= 0 and gradients[bias] != NULL:
        column_sums(gradients[bias], delta, n, n_out, delta_row, workspace.tensor_written[bias])
        workspace.tensor_written[bias] = True
