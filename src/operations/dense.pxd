# The dense layer: forward pass, delta recursion and gradients. Floor 1.

from activation cimport activate, activation_needs, derive, keeps_z, leaves_activation
from bfloat16 cimport round_factors, rounded_size
from blocks cimport Product, begin_plain, is_worth_panels, pack_panels
from int8 cimport QuantizedMatrix, multiply_quantized, quantized_size
from matmul cimport multiply
from plan cimport DENSE, Buffer, Operation, Sizes, SparseRows, Step, is_plain_relu
from quads cimport MOST_QUANTIZED
from scale cimport scale_kernel, scaled_kernel_gradients
from simd cimport column_sums, panel_width, real
from sparse cimport SparseProduct, sparse_gradient, sparse_product
from step cimport (adds_gradient, gradient_is_written, has_shape, has_tensor, may_have_size, reads_sparse_rows,
                   tensor_of)

# Tensors.
cdef enum:
    KERNEL
    BIAS
    SCALE  # a factor for every input

cdef enum:
    ROUNDING = 0  # integers: how products round their factors, by one of the next

cdef enum:
    NOT_ROUNDED
    TO_BFLOAT16
    TO_INT8       # of a kernel that is quantized already; without one they are not rounded


cdef inline bint dense_fits(const Sizes *s) noexcept nogil:
    return (s.input.rows == s.output.rows and has_shape(s, KERNEL, s.input.width, s.output.width)
            and may_have_size(s, BIAS, s.output.width) and may_have_size(s, SCALE, s.input.width)
            and (s.operation.integers[ROUNDING] == NOT_ROUNDED or s.element_size == sizeof(float))
            and (s.operation.integers[ROUNDING] != TO_INT8 or s.input.width <= MOST_QUANTIZED))


cdef inline Py_ssize_t rounded_room(const Buffer *buffer) noexcept nogil:
    """Of a sample."""
    return buffer.rows * rounded_size(1, buffer.width)


cdef inline void dense_needs(const Sizes *s, Operation *operation) noexcept nogil:
    """z; where inputs have factors the kernel with the factors in it and its gradient; what is rounded, or quantized"""
    activation_needs(s, operation)
    if has_tensor(operation, SCALE):
        operation.fixed_scratch = 2 * s.tensor_sizes[operation.tensors[KERNEL]]
    if operation.integers[ROUNDING] == TO_INT8:
        operation.scratch += s.input.rows * quantized_size(s.input.width)
    if operation.integers[ROUNDING] == TO_BFLOAT16:
        operation.scratch += rounded_room(s.input) + rounded_room(s.output)
        operation.fixed_scratch += rounded_size(s.input.width, s.output.width)


cdef inline real *scaled_kernel(const Step *s, real **typed) noexcept nogil:
    """Where the kernel stands with the factors of its inputs in it, and behind it its gradient."""
    return <real *> s.scratch + s.workspace.capacity * s.operation.scratch


cdef inline const real *kernel_in_use(const Step *s, real **tensors) noexcept nogil:
    return scaled_kernel(s, tensors) if has_tensor(s.operation, SCALE) else tensor_of(s, tensors, KERNEL)


# Where the rounded x, delta and w stand.

cdef inline real *room_of_delta(const Step *s, real **typed) noexcept nogil:
    return <real *> s.scratch + s.workspace.capacity * (s.operation.scratch - rounded_room(s.output))


cdef inline real *room_of_x(const Step *s, real **typed) noexcept nogil:
    return room_of_delta(s, typed) - s.workspace.capacity * rounded_room(s.input)


cdef inline real *room_of_w(const Step *s, real **typed) noexcept nogil:
    return (<real *> s.scratch + s.workspace.capacity * s.operation.scratch + s.operation.fixed_scratch
            - rounded_size(s.input.width, s.output.width))


cdef inline void multiply_factors(const Step *s, Product *p, real *y, real *x_room, real *w_room,
                                  const void *kept_w, bint x_is_rounded, bint w_is_rounded) noexcept nogil:
    """The product, of factors rounded where the operation says so, each once a step if it can be."""
    if real is float and s.operation.integers[ROUNDING] == TO_BFLOAT16:
        round_factors(p, x_room, w_room, kept_w, x_is_rounded, w_is_rounded)
    multiply(p, y)


cdef inline bint rounds_factors(const Operation *operation) noexcept nogil:
    return operation.traits.kind == DENSE and operation.integers[ROUNDING] == TO_BFLOAT16


cdef inline bint can_keep_rounded(const Operation *operation) noexcept nogil:
    return rounds_factors(operation) and not has_tensor(operation, SCALE)


cdef inline bint can_keep_panels(const Operation *operation, Py_ssize_t n_in, Py_ssize_t n_out, Py_ssize_t width,
                                 Py_ssize_t element_size) noexcept nogil:
    return (operation.traits.kind == DENSE and operation.integers[ROUNDING] == NOT_ROUNDED
            and not has_tensor(operation, SCALE) and is_worth_panels(n_in, n_out, width, element_size))


cdef inline void keep_panels(Operation *operation, Py_ssize_t n_in, Py_ssize_t n_out, const real *w,
                             real *room) noexcept nogil:
    """Packs the kernel for all runs to come, into a room of `panels_size` elements."""
    pack_panels(room, w, n_in, n_out)
    operation.panels, operation.panel_width = room, panel_width(room)


cdef inline const void *kept_panels(const Step *s, const real *w) noexcept nogil:
    """The kernel w in panels as wide as they are now, or NULL."""
    return s.operation.panels if s.operation.panel_width == panel_width(w) else NULL


cdef inline bint can_be_quantized(const Operation *operation) noexcept nogil:
    return (operation.traits.kind == DENSE and operation.integers[ROUNDING] == TO_INT8
            and not has_tensor(operation, SCALE))


cdef inline float *room_of_quads(const Step *s) noexcept nogil:
    return (<float *> s.scratch
            + s.workspace.capacity * (s.operation.scratch - s.input.rows * quantized_size(s.input.width)))


cdef inline void multiply_sparse(const Step *s, real *z, const real *w, const real *bias) noexcept nogil:
    """z = x . w + b over what x stores"""
    cdef SparseProduct product
    product.x, product.w, product.bias = <const SparseRows *> s.x, w, bias
    product.n, product.n_in, product.n_out, product.row = s.workspace.n, s.input.width, s.output.width, s.y_row
    sparse_product(&product, z)


cdef inline bint multiply_dense(const Step *s, real **tensors, real *z, const real *w, const real *bias,
                                bint in_place) noexcept nogil:
    """z = x . w + b; returns whether it is max(z, 0) already, which a product in place can be"""
    cdef Product product
    begin_plain(&product)
    product.x, product.w, product.panels, product.bias = s.x, w, kept_panels(s, w), bias
    product.n_rows, product.n_cols, product.n_k = s.n_rows, s.output.width, s.input.width
    product.y_row, product.x_row, product.x_k = s.y_row, s.x_row, 1
    product.w_k, product.w_c = s.output.width, 1
    product.spare_cols = s.y_row - s.output.width
    product.clamp = in_place and is_plain_relu(s.operation)
    if real is float and s.operation.quantized != NULL:
        multiply_quantized(&product, <const QuantizedMatrix *> s.operation.quantized, z, room_of_quads(s))
    else:
        multiply_factors(s, &product, z, room_of_x(s, tensors), room_of_w(s, tensors), s.operation.rounded, False,
                         False)
    return product.clamp


cdef inline void dense_forward(const Step *s, real **tensors) noexcept nogil:
    """z (n, n_out) = x (n, n_in) . w (n_in, n_out) + b, or (x * s) . w + b;  a = g(z)"""
    cdef real *a = <real *> s.y
    cdef real *z = <real *> s.scratch if keeps_z(s.operation, s.workspace.mode) else a
    cdef const real *w = kernel_in_use(s, tensors)
    cdef const real *bias = tensor_of(s, tensors, BIAS)
    cdef bint activated = False
    if has_tensor(s.operation, SCALE):
        scale_kernel(scaled_kernel(s, tensors), <const real *> tensor_of(s, tensors, KERNEL),
                     <const real *> tensor_of(s, tensors, SCALE), s.input.width, s.output.width)
    if reads_sparse_rows(s):
        multiply_sparse(s, z, w, bias)
    else:
        activated = multiply_dense(s, tensors, z, w, bias, a == z)
    if not (activated or leaves_activation(s)):
        activate(s, a, z)


cdef inline void input_gradient(const Step *s, real **tensors) noexcept nogil:
    """dx (n, n_in) (+)= delta (n, n_out) . w^T, times the derivative of the ReLU below where that is left to it"""
    cdef Product product
    begin_plain(&product)
    product.x, product.x_row, product.x_k = s.dy, s.y_row, 1
    product.w, product.w_k, product.w_c = kernel_in_use(s, tensors), 1, s.output.width
    product.gate = s.x if s.operation.gates_input else NULL
    product.y_row = product.gate_row = s.x_row
    product.n_rows, product.n_cols, product.n_k = s.n_rows, s.input.width, s.output.width
    product.spare_cols = s.x_row - s.input.width
    product.accumulate = s.adds_dx
    multiply_factors(s, &product, <real *> s.dx, room_of_delta(s, tensors), room_of_w(s, tensors), NULL, False,
                     not reads_sparse_rows(s))


cdef inline void kernel_gradient(const Step *s, real **tensors, real *dw, bint accumulate) noexcept nogil:
    """dw (n_in, n_out) (+)= x^T . delta"""
    cdef Product product
    cdef SparseProduct sparse
    if reads_sparse_rows(s):
        sparse.x, sparse.delta = <const SparseRows *> s.x, s.dy
        sparse.n, sparse.n_in, sparse.n_out, sparse.row = s.n_rows, s.input.width, s.output.width, s.y_row
        sparse_gradient(&sparse, dw, accumulate)
        return
    begin_plain(&product)
    product.x, product.x_row, product.x_k = s.x, 1, s.x_row
    product.w, product.w_k, product.w_c = s.dy, s.y_row, 1
    product.n_rows, product.n_cols, product.n_k = s.input.width, s.output.width, s.n_rows
    product.y_row, product.accumulate = s.output.width, accumulate
    multiply_factors(s, &product, dw, room_of_x(s, tensors), room_of_delta(s, tensors), NULL, True, s.dx != NULL)


cdef inline void scaled_gradients(const Step *s, real **tensors, real **gradients) noexcept nogil:
    """Those of w and s, from that of s * w"""
    cdef real *dw = tensor_of(s, gradients, KERNEL)
    cdef real *ds = tensor_of(s, gradients, SCALE)
    cdef real *d_scaled = scaled_kernel(s, tensors) + s.input.width * s.output.width
    if dw == NULL and ds == NULL:
        return
    kernel_gradient(s, tensors, d_scaled, False)
    scaled_kernel_gradients(dw, ds, <const real *> d_scaled, <const real *> tensor_of(s, tensors, KERNEL),
                            <const real *> tensor_of(s, tensors, SCALE), s.input.width, s.output.width,
                            adds_gradient(s, KERNEL), adds_gradient(s, SCALE))
    gradient_is_written(s, KERNEL)
    gradient_is_written(s, SCALE)


cdef inline void dense_backward(const Step *s, real **tensors, real **gradients) noexcept nogil:
    """delta = da * g'(z);  dx = delta . w^T;  dw = x^T . delta;  db = sum of delta over rows"""
    cdef real *delta = <real *> s.dy
    cdef real *dw = tensor_of(s, gradients, KERNEL)
    cdef real *db = tensor_of(s, gradients, BIAS)
    derive(s, delta)
    if s.dx != NULL:
        input_gradient(s, tensors)
    if has_tensor(s.operation, SCALE):
        scaled_gradients(s, tensors, gradients)
    elif dw != NULL:
        kernel_gradient(s, tensors, dw, adds_gradient(s, KERNEL))
        gradient_is_written(s, KERNEL)
    if db != NULL:
        column_sums(db, <const real *> delta, s.n_rows, s.output.width, s.y_row, adds_gradient(s, BIAS))
        gradient_is_written(s, BIAS)
