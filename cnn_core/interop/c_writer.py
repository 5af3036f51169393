"""Models as plain C: one header and one source file that need nothing but <math.h>."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cnn_core.foundation.validation as validation
import cnn_core.foundation.version as version
from cnn_core.foundation.keywords import knows_its_arguments
from cnn_core.interop.c_network import Network
from cnn_core.interop.c_texts import (
    Constants,
    checked_name,
    comment_safe,
    declarations,
    identifier,
    prologue,
    unique_identifiers,
)
from cnn_core.interop.calls import calls_of
from cnn_core.interop.sklearn_perceptrons import from_sklearn

if TYPE_CHECKING:
    from cnn_core.foundation.replacement import PathLike

WEIGHTS = ("const", "extern", "float16")


@knows_its_arguments
def to_c(model: Any, path: PathLike, *, name: str | None = None, weights: str = "const") -> list[Path]:
    """Write a model as C99 that also compiles as C++: no allocation, no state, no library but libm.

    Parameters
    ----------
    model : Model, perceptron, tabular estimator, or what `load_predictor` returned
        A model may have several inputs. What acts in training only is left out.
    path : str or path-like
        Of the source, such as "iris.c"; the header goes beside it, as "iris.h".
    name : str, default None
        What the functions' names begin with. None: the file's name.
    weights : {"const", "extern", "float16"}, default "const"
        "const": constants in the source. "extern": the source only declares one array, and a third file,
        "iris_weights.c", defines it, so that the weights can be linked or placed by themselves. "float16": constants of
        16 bits, rounded to 11 significant bits, of which numbers are made as they are read: half the memory, slower.

    Returns
    -------
    list of pathlib.Path
        The files that were written, the source first.

    Raises
    ------
    ValueError
        If a layer calls Python or draws random numbers in prediction, by its name; if a weight is too large for
        float16, or `name` is no identifier of C.

    Notes
    -----
    ``int iris_predict(const float *x, float *y)`` answers for one sample, ``iris_predict_rows(x, y, n_rows)`` for
    several that lie one behind the other; `double` stands for `float` in a model of float64. Inputs and outputs must
    not overlap. Both return 0, or 1 if a number that a layer looks up is none of its entries. The source says how many
    bytes of the stack its buffers take. Functions may be called from several threads at a time.

    Products are the core's to the last bit on machines that fuse multiplications and additions: sums go in its order
    and round as it does. What comes of exponentials may differ in the last places. With ``-march=native`` or ``-mfma``
    compilers use the machine's own instruction; without, double precision stands in for it.

    Examples
    --------
    >>> import tempfile
    >>> from cnn_core import Input, Sequential, layers
    >>> model = Sequential([Input((2,)), layers.Dense(3, "relu"), layers.Dense(1)])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     [file.name for file in to_c(model, folder + "/net.c")]
    ['net.c', 'net.h']
    """
    source = Path(os.fspath(path))
    if source.suffix != ".c":
        raise ValueError(f"`path` must end in .c. Received: path={str(source)!r}")
    name = identifier(source.stem) if name is None else checked_name(name)
    weights = validation.choice(weights, "weights", WEIGHTS)
    table = getattr(model, "predictor_", model)
    if hasattr(table, "c_files"):
        constants = Constants("float32", name, weights)
        texts = table.c_files(source, constants)
    else:
        model = from_sklearn(model) if hasattr(model, "get_params") else model
        calls_of(model)  # refuses what is no model, or is called as in training
        constants = Constants(model.dtype, name, weights)
        texts = _model_files(model, source, constants)
    if weights == "extern":
        texts[source.with_name(f"{source.stem}_weights.c")] = constants.outside(source.stem)
    for file, text in texts.items():
        file.write_text(text, "ascii")
    return list(texts)


def _model_files(model: Any, source: Path, constants: Constants) -> dict[Path, str]:
    network = Network(model.plan(), constants)
    return {source: _source(network, source.stem), source.with_suffix(".h"): _header(network, model)}


def _source(network: Network, stem: str) -> str:
    name = network.constants.name
    start = prologue(network.constants, network.body)
    advance = [f"x{number} += {size}" for number, size in enumerate(network.input_sizes)]
    advance += [f"y{number} += {size}" for number, size in enumerate(network.output_sizes)]
    handed = ", ".join(each.partition(" ")[0] for each in advance)
    return f"""\
/* Written by cnn_core {version.__version__}. Buffers on the stack: {network.n_bytes} bytes. */
#include "{stem}.h"

{start}
int {name}_predict({network.arguments()})
{{
{network.body}}}

int {name}_predict_rows({network.arguments(", size_t n_rows")})
{{
    int failed = 0;
    for (; n_rows > 0; n_rows--, {", ".join(advance)})
        failed |= {name}_predict({handed});
    return failed;
}}
"""


def _header(network: Network, model: Any) -> str:
    name = network.constants.name
    names = unique_identifiers([*model.input_names, *model.output_names], ["n_rows"])
    shapes = [*(symbol.shape for symbol in model.inputs), *model.output_shapes]
    sizes = [*network.input_sizes, *network.output_sizes]
    listed = "".join(
        f"\n   {each}: {size} numbers" + (f", shape {tuple(shape[1:])}" if len(shape) > 2 else "")
        for each, size, shape in zip(names, sizes, shapes, strict=True)
    )
    metadata = "".join(f"\n   {comment_safe(f'{key}: {text}')}" for key, text in model.metadata.items())
    arguments = network.arguments()
    for number, given in enumerate(names):
        own = f"x{number}" if number < len(model.inputs) else f"y{number - len(model.inputs)}"
        arguments = re.sub(rf"\*{own}\b", f"*{given}", arguments)
    return declarations(
        name,
        f"""\
/* One sample:{listed}
   Inputs and outputs must not overlap. Returns 0, or 1 if a number that is looked up is no entry.{metadata} */
int {name}_predict({arguments});

/* The same for n_rows samples, one behind the other. */
int {name}_predict_rows({arguments}, size_t n_rows);
""",
    )
