# The thread pool of src/threads as seen from Cython. Floor 1.

cdef extern from "threads/pool.h" nogil:
    ctypedef void (*pool_task)(void *context, Py_ssize_t index) noexcept nogil
    void pool_run(pool_task task, void *context, Py_ssize_t n_tasks)
    Py_ssize_t pool_end_of_share(Py_ssize_t n_tasks, int n_shares, int owner)
    int pool_width()
    void pool_set_width(int width)
    int pool_started()
    int POOL_MAX_WIDTH

cdef extern from "threads/scratch.h" nogil:
    void *thread_scratch(size_t n_bytes)
