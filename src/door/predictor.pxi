# Predictions for a few rows, with the interpreter's share kept to a fraction of a microsecond. Floor 2.

from network cimport Source, forward
from plan cimport Plan, Workspace, is_input
from prediction cimport read_in_place
from simd cimport real

cdef class Predictor:
    """Predictions for few rows with the least delay, from a network that nobody else uses.

    Parameters
    ----------
    network : Network
        With one input and one output; bound to arrays that stay as they are.
    """
    cdef Network network
    cdef Scratch scratch
    cdef bint busy, passes_on
    cdef int typenum
    cdef Py_ssize_t n_in, n_out, most_rows
    cdef tuple out_shape

    def __cinit__(self, Network network not None, tuple out_shape not None):
        if network.plan.n_inputs != 1 or network.plan.n_outputs != 1:
            raise ValueError("a predictor needs a network of one input and one output")
        if not network.bound:
            raise ValueError("the network has no parameters: bind them first")
        self.network, self.out_shape = network, out_shape
        self.typenum = cnp.NPY_FLOAT32 if network.element_size == 4 else cnp.NPY_FLOAT64
        self.n_in = network.sample_size(network.plan.inputs[0])
        self.n_out = network.sample_size(network.plan.outputs[0])
        # A network that passes its input on computes nothing into `out`: the general way copies.
        self.passes_on = is_input(&network.plan, network.plan.outputs[0])
        # Up to here the call keeps the interpreter's lock: giving it up costs more than the others would gain.
        self.most_rows = max(<Py_ssize_t> 1, min(<Py_ssize_t> 64, WORK_WORTH_A_THREAD // network.work_per_sample()))
        self.scratch = network.take_scratch(self.most_rows)

    def __call__(self, x, out=None):
        """The outputs for x of shape (n, ...), or (...) for one sample."""
        cdef cnp.ndarray array, result
        cdef cnp.npy_intp shape[2]
        cdef Py_ssize_t n
        cdef bint single
        if not (isinstance(x, np.ndarray) and cnp.PyArray_TYPE(x) == self.typenum
                and cnp.PyArray_ISCARRAY_RO(x) and cnp.PyArray_NDIM(x) <= 2 and len(self.out_shape) == 1):
            return self.general(x, out)
        array = x
        single = cnp.PyArray_NDIM(array) < 2
        n = 1 if single else cnp.PyArray_DIM(array, 0)
        if cnp.PyArray_SIZE(array) != n * self.n_in or n > self.most_rows or n == 0 or (
                self.busy or self.passes_on):
            return self.general(x, out)
        if out is None:
            shape[0], shape[1] = n, self.n_out
            result = cnp.PyArray_EMPTY(1 if single else 2, &shape[1] if single else shape, self.typenum, 0)
        else:
            result = self.checked_out(out, n)
        self.busy = True
        try:
            if self.typenum == cnp.NPY_FLOAT32:
                self.run(<float *> cnp.PyArray_DATA(array), <float *> cnp.PyArray_DATA(result), n)
            else:
                self.run(<double *> cnp.PyArray_DATA(array), <double *> cnp.PyArray_DATA(result), n)
        finally:
            self.busy = False
        if self.scratch.workspace.failed:
            culprit = self.scratch.workspace.out_of_range
            self.scratch.workspace.failed, self.scratch.workspace.out_of_range = False, 0
            self.network.raise_error(culprit)
        return result

    cdef void run(self, real *x, real *out, Py_ssize_t n):
        cdef Plan *plan = &self.network.plan
        cdef Workspace *workspace = &self.scratch.workspace
        cdef int output = plan.outputs[0]
        cdef void *kept = workspace.values[output]
        cdef Source source
        source.data, source.width, source.is_sparse = x, self.n_in, False
        workspace.n = n
        read_in_place(plan, workspace, <real **> self.network.tensors, &source, 0)
        workspace.values[output] = out
        workspace.strides[output] = plan.buffers[output].width
        forward(plan, workspace, <real **> self.network.tensors)
        workspace.values[output] = kept

    cdef cnp.ndarray checked_out(self, object out, Py_ssize_t n):
        if not isinstance(out, np.ndarray) or cnp.PyArray_TYPE(out) != self.typenum or not cnp.PyArray_ISCARRAY(out):
            raise TypeError(f"`out` must be a writable, C-contiguous array of {self.network.dtype}. "
                            f"Received: {type(out)}")
        if cnp.PyArray_SIZE(out) != n * self.n_out:
            raise ValueError(f"`out` must have {n * self.n_out} elements. Received: out.shape={out.shape}")
        return out

    cdef object general(self, object x, object out):
        """Any array-like, any number of rows."""
        array = np.require(x, self.network.dtype, ("C", "A"))
        if array.size == self.n_in and (array.ndim < 2 or array.shape[0] != 1):
            rows, shape = 1, self.out_shape
        else:
            rows = array.shape[0] if array.ndim else 0
            shape = (rows, *self.out_shape)
        if array.size != rows * self.n_in:
            raise ValueError(f"x must have {self.n_in} features a row. Received: x.shape={array.shape}")
        result = np.empty(shape, self.network.dtype) if out is None else self.checked_out(out, rows)
        if rows == 0 or self.n_in > 0:
            self.network.predict([array.reshape(rows, self.n_in)], [result])
        return result
