# How work would be shared among any number of threads: for tests, and for what is known of machines with many. Floor 2.

from gathering cimport GATHERED_ROWS
from normalization cimport COLUMNS_OF_A_TASK
from optimizers cimport sweep_chunk
from shares cimport Grid, is_worth_threads, share_out
from sparse cimport SPARSE_COLUMNS, SPARSE_ROWS
from threads cimport pool_end_of_share


def chunk_of(str kind, Py_ssize_t n, int n_threads):
    """How many elements a task has of n parameters, of n rows to be gathered, and so on."""
    return {"parameters": sweep_chunk(n, n_threads), "gathered rows": GATHERED_ROWS, "sparse rows": SPARSE_ROWS,
            "sparse columns": SPARSE_COLUMNS, "normalized columns": COLUMNS_OF_A_TASK}[kind]


def block_of(Py_ssize_t n_rows, Py_ssize_t n_cols, Py_ssize_t n_k, int n_threads, bint in_float64=False):
    """How many rows and columns a task has of a product (n_rows, n_k) . (n_k, n_cols)."""
    cdef Grid g
    if n_threads == 1 or not is_worth_threads(n_rows, n_cols, n_k):
        return n_rows, n_cols
    if in_float64:
        g = share_out(n_rows, n_cols, n_k, <double *> NULL, n_threads)
    else:
        g = share_out(n_rows, n_cols, n_k, <float *> NULL, n_threads)
    return g.rows_per_task, g.cols_per_task


def end_of_share(Py_ssize_t n_tasks, int n_threads, int thread):
    """Behind the last task of a thread."""
    return pool_end_of_share(n_tasks, n_threads, thread)
