# Predictions for a few rows, with the interpreter's share kept to a fraction of a microsecond. Floor 2.

from libc.math cimport floor
from cython cimport critical_section

from gathering cimport Source
from operations cimport forward
from plan cimport Plan, Workspace, is_input
from prediction cimport read_in_place
from simd cimport real

_memmap = np.memmap

cdef class Predictor:
    """Predictions for a few rows with the least delay, from a network of its own.

    Parameters
    ----------
    network : Network
        With one input and one output; bound to arrays that stay as they are.
    in_shape, out_shape : tuple of int
        Of one sample.
    read : callable ``(x) -> (rows of shape (n, features), whether x is one sample)``
        Checks and converts whatever is no plain array of the network's dtype.
    index_limit : int
        The input is whole numbers below this; 0 for numbers of any kind.
    """
    cdef Network network
    cdef Scratch scratch
    cdef bint busy, is_plain
    cdef int typenum
    cdef Py_ssize_t n_in, n_out, most_rows, index_limit
    cdef tuple out_shape
    cdef object read

    def __cinit__(self, Network network not None, tuple in_shape not None, tuple out_shape not None, read,
                  Py_ssize_t index_limit=0):
        if network.plan.n_inputs != 1 or network.plan.n_outputs != 1:
            raise ValueError("a predictor needs a network of one input and one output")
        if not network.bound:
            raise ValueError("the network has no parameters: bind them first")
        self.network, self.out_shape, self.read, self.index_limit = network, out_shape, read, index_limit
        self.typenum = cnp.NPY_FLOAT32 if network.element_size == 4 else cnp.NPY_FLOAT64
        self.n_in = network.sample_size(network.plan.inputs[0])
        self.n_out = network.sample_size(network.plan.outputs[0])
        # A network that passes its input on computes nothing into `out`: the general way copies.
        # One that draws needs a seed for each call.
        self.is_plain = len(in_shape) == 1 and len(out_shape) == 1 and network.next_seed is None and not is_input(
            &network.plan, network.plan.outputs[0])
        # Up to here the call keeps the interpreter's lock: giving it up costs more than the others would gain.
        self.most_rows = max(<Py_ssize_t> 1, min(<Py_ssize_t> 64, WORK_WORTH_A_THREAD // network.work_per_sample()))
        self.scratch = network.take_scratch(self.most_rows)

    def __reduce__(self):
        raise TypeError("A predictor is memory of this process. "
                        "Copy or pickle the model, and call its predictor() again")

    def __call__(self, x, out=None):
        """The outputs for x of shape (n, ...), or (...) for one sample."""
        cdef cnp.ndarray array, result
        cdef cnp.npy_intp shape[2]
        cdef Py_ssize_t n
        cdef bint single
        # Subclasses mean more than their memory says, as a masked array has its mask, but for arrays mapped from files.
        if not (self.is_plain and (cnp.PyArray_CheckExact(x) or type(x) is _memmap)
                and cnp.PyArray_TYPE(x) == self.typenum and cnp.PyArray_ISCARRAY_RO(x)
                and 1 <= cnp.PyArray_NDIM(x) <= 2):
            return self.general(x, out)
        array = x
        single = cnp.PyArray_NDIM(array) == 1
        n = 1 if single else cnp.PyArray_DIM(array, 0)
        if cnp.PyArray_DIM(array, cnp.PyArray_NDIM(array) - 1) != self.n_in or n > self.most_rows or n == 0 or (
                self.index_limit and not self.holds_indices(array)):
            return self.general(x, out)
        if out is None:
            shape[0], shape[1] = n, self.n_out
            result = cnp.PyArray_EMPTY(1 if single else 2, &shape[1] if single else shape, self.typenum, 0)
        else:
            result = self.checked_out(out, n)
            if overlap(array, result):
                return self.general(x, out)
        if not self.begin():
            return self.general(x, out)
        try:
            if self.typenum == cnp.NPY_FLOAT32:
                self.run(<float *> cnp.PyArray_DATA(array), <float *> cnp.PyArray_DATA(result), n)
            else:
                self.run(<double *> cnp.PyArray_DATA(array), <double *> cnp.PyArray_DATA(result), n)
        finally:
            self.end()
        if self.scratch.workspace.failed:
            culprit = self.scratch.workspace.out_of_range
            self.scratch.workspace.failed, self.scratch.workspace.out_of_range = False, 0
            self.network.raise_error(culprit)
        return result

    cdef bint begin(self) noexcept:
        """Takes the memory for one call; False if another has it."""
        with critical_section(self):
            if self.busy:
                return False
            self.busy = True
        return True

    cdef void end(self) noexcept:
        with critical_section(self):
            self.busy = False

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

    cdef bint holds_indices(self, cnp.ndarray array):
        """Whether all elements are whole numbers in range."""
        cdef Py_ssize_t i
        cdef double value
        for i in range(cnp.PyArray_SIZE(array)):
            value = ((<float *> cnp.PyArray_DATA(array))[i] if self.typenum == cnp.NPY_FLOAT32
                     else (<double *> cnp.PyArray_DATA(array))[i])
            if not 0 <= value < self.index_limit or value != floor(value):
                return False
        return True

    cdef cnp.ndarray checked_out(self, object out, Py_ssize_t n):
        if not isinstance(out, np.ndarray) or cnp.PyArray_TYPE(out) != self.typenum or not cnp.PyArray_ISCARRAY(out):
            raise TypeError(f"`out` must be a writable, C-contiguous array of {self.network.dtype}. "
                            f"Received: {type(out)}")
        if cnp.PyArray_SIZE(out) != n * self.n_out:
            raise ValueError(f"`out` must have {n * self.n_out} elements. Received: out.shape={out.shape}")
        return out

    cdef object general(self, object x, object out):
        """Any array-like, any number of rows."""
        rows, single = self.read(x)
        n = len(rows)
        if out is None:
            out = np.empty(self.out_shape if single else (n, *self.out_shape), self.network.dtype)
        elif overlap(rows, self.checked_out(out, n)):
            rows = rows.copy()
        self.network.predict([rows], [out])
        return out


cdef bint overlap(cnp.ndarray a, cnp.ndarray b):
    """Whether two contiguous arrays share memory."""
    cdef char *first = <char *> cnp.PyArray_DATA(a)
    cdef char *second = <char *> cnp.PyArray_DATA(b)
    return first < second + cnp.PyArray_NBYTES(b) and second < first + cnp.PyArray_NBYTES(a)
