"""Every check of an argument that comes from outside, and the words that reject it.

Knows NumPy and nothing else: neither layers nor the native core, and frames, tensors and sparse matrices
only by their methods. Each check returns the value in the form in which the rest of the package uses it.
"""

from cnn_core.foundation.validation.arrays import as_array, column_names, is_frame, is_sparse
from cnn_core.foundation.validation.contents import (
    as_indices,
    as_matrix,
    check_width,
    convert,
    finite,
    labels,
    same_length,
)
from cnn_core.foundation.validation.messages import show
from cnn_core.foundation.validation.scalars import (
    MOST_NUMBERS,
    boolean,
    choice,
    float_dtype,
    fraction,
    gives_batches,
    integer,
    integers,
    name_in_policy,
    non_negative_integer,
    number,
    one_of,
    path,
    patterns,
    positive_integer,
    positive_number,
    rows_at_once,
    seed,
    shape,
    text,
)
from cnn_core.foundation.validation.texts import as_texts, as_tokens, as_whole_numbers, holds_texts

__all__ = [
    "MOST_NUMBERS",
    "as_array",
    "as_indices",
    "as_matrix",
    "as_texts",
    "as_tokens",
    "as_whole_numbers",
    "boolean",
    "check_width",
    "choice",
    "column_names",
    "convert",
    "finite",
    "float_dtype",
    "fraction",
    "gives_batches",
    "holds_texts",
    "integer",
    "integers",
    "is_frame",
    "is_sparse",
    "labels",
    "name_in_policy",
    "non_negative_integer",
    "number",
    "one_of",
    "path",
    "patterns",
    "positive_integer",
    "positive_number",
    "rows_at_once",
    "same_length",
    "seed",
    "shape",
    "show",
    "text",
]
