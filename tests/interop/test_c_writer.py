"""Models as C: compiled with every warning an error, and compared with the model."""

import ctypes
import os
import re
import shutil
import subprocess

import numpy as np
import pytest

from c_compiler import call_rows, compile_library, pointer
from cnn_core import Input, Model, Sequential, interop, layers, ops
from cnn_core.interop.c_texts import identifier
from random_expressions import random_expressions, rows_for
from random_models import random_model

RANDOM = np.random.default_rng(5)


def compiled(model, folder, *flags, name="net", **options):
    files = interop.to_c(model, folder / f"{name}.c", **options)
    return compile_library([file for file in files if file.suffix == ".c"], folder, *flags)


def ulps(found, wanted):
    """The largest difference in units in the last place of the sample's largest number."""
    scale = np.abs(wanted).reshape(len(wanted), -1).max(axis=1).clip(np.finfo(wanted.dtype).tiny)
    differences = np.abs(found.astype(np.float64) - wanted).reshape(len(wanted), -1).max(axis=1)
    return (differences / (scale * np.finfo(wanted.dtype).eps)).max()


def trained_statistics(model):
    """Give every variable numbers that matter, moving variances positive ones."""
    for variable in model.variables:
        values = RANDOM.normal(size=variable.shape)
        variable.assign(np.abs(values) + 0.5 if "variance" in variable.name else values)
    return model


def mixed_model(dtype):
    x = Input((6,), name="x", dtype=dtype)
    h = layers.Dense(9, "gelu", dtype=dtype)(layers.Rescaling(0.5, 0.1, dtype=dtype)(x))
    h = layers.BatchNormalization(dtype=dtype)(h)
    h = layers.Dropout(0.5, dtype=dtype)(layers.PReLU(dtype=dtype)(h))
    left = layers.Dense(4, "tanh", use_bias=False, dtype=dtype)(h)
    right = layers.RMSNormalization(dtype=dtype)(layers.Dense(4, dtype=dtype)(h))
    merged = [
        layers.Add(dtype=dtype)([left, right]),
        layers.Subtract(dtype=dtype)([left, right]),
        layers.Multiply(dtype=dtype)([left, right]),
        layers.Average(dtype=dtype)([left, right, left]),
        layers.Maximum(dtype=dtype)([left, right]),
        layers.Minimum(dtype=dtype)([left, right]),
        layers.UnitNormalization(dtype=dtype)(left),
        layers.Dot(1, dtype=dtype)([left, right]),
    ]
    joined = layers.Concatenate(dtype=dtype)(merged)
    cube = layers.BatchNormalization(axis=1, dtype=dtype)(layers.Reshape((29, 1, 1), dtype=dtype)(joined))
    flat = layers.Flatten(dtype=dtype)(layers.GaussianNoise(0.1, dtype=dtype)(cube))
    normal = layers.LayerNormalization(dtype=dtype)(flat)
    return Model(
        x, [layers.Dense(3, "softmax", dtype=dtype, name="classes")(normal), layers.Dense(2, dtype=dtype)(flat)]
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_graph_of_many_layers(dtype, tmp_path):
    model = trained_statistics(mixed_model(dtype))
    x = RANDOM.normal(size=(50, 6)).astype(dtype)
    result, outputs = call_rows(compiled(model, tmp_path), "net", model, [x])
    assert result == 0
    for found, wanted in zip(outputs, model.predict(x, verbose=0), strict=True):
        assert ulps(found, wanted) < 40  # sums of a few dozen numbers that cancel, in two orders


def test_products_are_the_cores_to_the_last_bit(tmp_path):
    if os.environ.get("CNN_CORE_ISA") == "portable":
        pytest.skip("the portable kernels do not fuse multiplications and additions")
    model = Sequential([Input((64,)), layers.Dense(35, "relu"), layers.Dense(10)])
    x = RANDOM.normal(size=(200, 64)).astype("float32")
    _, (found,) = call_rows(compiled(model, tmp_path), "net", model, [x])
    np.testing.assert_array_equal(found, model.predict(x, verbose=0))


ACTIVATIONS = [
    "relu", "relu6", "leaky_relu", "sigmoid", "tanh", "elu", "selu", "celu", "softplus", "softsign", "silu", "gelu",
    "mish", "exponential", "log_sigmoid", "hard_sigmoid", "hard_silu", "hard_tanh", "squareplus", "soft_shrink",
    "hard_shrink", "tanh_shrink", "threshold", "sparse_plus", "sparse_sigmoid", "softmax", "log_softmax", "sparsemax",
    "glu",
]  # fmt: skip


def test_every_activation_for_small_and_large_numbers(tmp_path):
    x = Input((8,), name="x", dtype="float64")
    model = Model(x, [layers.Activation(name, dtype="float64")(x) for name in ACTIVATIONS])
    rows = np.concatenate([RANDOM.normal(size=(40, 8)), 30 * RANDOM.normal(size=(40, 8)), np.zeros((1, 8))])
    _, outputs = call_rows(compiled(model, tmp_path), "net", model, [rows])
    for name, found, wanted in zip(ACTIVATIONS, outputs, model.predict(rows, verbose=0), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-13, atol=1e-15, err_msg=name)


def test_embeddings_and_encodings_report_numbers_outside(tmp_path):
    x = Input((2,), name="x")
    embedded = layers.Flatten()(layers.Embedding(5, 3)(x))
    model = Model(x, layers.Dense(2)(layers.Concatenate()([embedded, layers.CategoryEncoding(5)(x)])))
    library = compiled(model, tmp_path)
    result, (found,) = call_rows(library, "net", model, [[[0, 4], [3, 3]]])
    assert result == 0
    np.testing.assert_allclose(found, model.predict(np.array([[0, 4], [3, 3]]), verbose=0), rtol=1e-5, atol=1e-6)
    for outside in ([0, 5], [-1, 0], [np.nan, 0]):
        assert call_rows(library, "net", model, [[outside]])[0] == 1


def test_bins_waves_and_blended_activations(tmp_path):
    x = Input((3,), name="x")
    waves = layers.PeriodicEmbedding(n_waves=4, n_outputs=3)(x)
    blended = layers.ParametricActivation("mish")(waves)
    bins = layers.Discretization(bin_boundaries=[-1.0, 0.0, 1.0])(x)
    model = trained_statistics(Model(x, layers.Dense(2)(layers.Concatenate()([layers.Flatten()(blended), bins]))))
    rows = RANDOM.normal(size=(30, 3)).astype("float32")
    _, (found,) = call_rows(compiled(model, tmp_path), "net", model, [rows])
    np.testing.assert_allclose(found, model.predict(rows, verbose=0), rtol=1e-4, atol=1e-5)


def test_members_of_an_ensemble(tmp_path):
    x = Input((3,), name="x")
    hidden = layers.EnsembleDense(5, 4, "tanh", output_factor_initializer="normal")(x)
    hidden = layers.EnsembleDense(4, 4, "silu", use_bias=False, input_factor_initializer="normal")(hidden)
    model = trained_statistics(Model(x, layers.EnsembleDense(2, 4, "softmax", shared_kernel=False)(hidden)))
    rows = RANDOM.normal(size=(30, 3)).astype("float32")
    _, (found,) = call_rows(compiled(model, tmp_path), "net", model, [rows])
    np.testing.assert_allclose(found, model.predict(rows, verbose=0), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("weights", ["extern", "float16"])
def test_weights_stand_elsewhere_or_in_half_precision(weights, tmp_path):
    model = Sequential([Input((4,)), layers.Dense(40, "tanh"), layers.BatchNormalization(), layers.Dense(2)])
    if weights == "float16":
        for variable in model.variables:
            variable.assign(variable.numpy().astype(np.float16))
    x = RANDOM.normal(size=(30, 4)).astype("float32")
    _, (found,) = call_rows(compiled(model, tmp_path, weights=weights), "net", model, [x])
    np.testing.assert_allclose(found, model.predict(x, verbose=0), rtol=1e-5, atol=1e-6)


def test_half_precision_reads_every_number_of_16_bits(tmp_path):
    every = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    finite = every[np.isfinite(every)].astype(np.float32)
    model = Sequential([Input((1,)), layers.Dense(len(finite), use_bias=False)])
    model.set_weights([finite[None]])
    _, (found,) = call_rows(compiled(model, tmp_path, weights="float16"), "net", model, [[[1.0]]])
    np.testing.assert_array_equal(found[0], finite)


def test_one_sample_at_a_time_and_from_cpp(tmp_path):
    model = Sequential([Input((4,)), layers.Dense(5, "silu"), layers.Dense(2, "softmax")])
    (source, _) = interop.to_c(model, tmp_path / "one.c")
    if shutil.which("g++") is None:
        pytest.skip("no C++ compiler")
    library = compile_library([source], tmp_path, "-x", "c++", compiler="g++", standard="-std=c++98")
    x, y = np.ones(4, np.float32), np.empty(2, np.float32)
    assert library.one_predict(pointer(x), pointer(y)) == 0
    np.testing.assert_allclose(y, model.predict(x[None], verbose=0)[0], rtol=1e-6)


def test_clang_and_32_bits_compile_without_a_warning(tmp_path):
    sources = interop.to_c(mixed_model("float32"), tmp_path / "net.c")[:1]
    tried = []
    for compiler, flags in (("clang", ()), ("gcc", ("-m32",))):
        if shutil.which(compiler) and _can_compile(compiler, flags, tmp_path):
            command = [compiler, "-std=c99", "-Wall", "-Wextra", "-Werror", "-O2", *flags, "-c", str(sources[0])]
            subprocess.run([*command, "-o", str(tmp_path / "net.o")], check=True)
            tried.append(compiler)
    if not tried:
        pytest.skip("neither clang nor 32-bit headers")


def _can_compile(compiler, flags, folder):
    (folder / "empty.c").write_text("#include <math.h>\n#include <stddef.h>\nint f(void) { return 0; }\n")
    command = [compiler, *flags, "-c", str(folder / "empty.c"), "-o", str(folder / "empty.o")]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_buffers_that_are_read_no_more_lend_their_memory(tmp_path):
    model = Sequential([Input((8,)), *(layers.Dense(16, "relu") for _ in range(10)), layers.Dense(1)])
    interop.to_c(model, tmp_path / "deep.c")
    assert "Buffers on the stack: 128 bytes" in (tmp_path / "deep.c").read_text()


@pytest.mark.parametrize("weights", ["const", "extern"])
def test_weights_that_are_no_numbers(weights, tmp_path):
    model = Sequential([Input((2,)), layers.Dense(3, use_bias=False)])
    model.layers[0].kernel.array[...] = [[np.nan, np.inf, -np.inf], [1, 2, 3]]
    _, (found,) = call_rows(compiled(model, tmp_path, weights=weights), "net", model, [[[1.0, 1.0]]])
    np.testing.assert_array_equal(found, [[np.nan, np.inf, -np.inf]])


def test_functions_of_ops_and_an_input_that_nothing_reads(tmp_path):
    x, unread = Input((3,)), Input((2,))
    made = ops.where(x > 0, ops.sqrt(ops.absolute(x)), x[:, ::-1]) + ops.top_k(x, 1)[0]
    model = Model([x, unread], made)
    rows = [RANDOM.normal(size=(20, 3)).astype("float32"), np.zeros((20, 2))]
    _, (found,) = call_rows(compiled(model, tmp_path), "net", model, rows)
    np.testing.assert_allclose(found, model.predict(rows, verbose=0), rtol=1e-6)


def test_names_and_metadata(tmp_path):
    model = Sequential([Input((2,), name="a b"), layers.Dense(1)])
    model.metadata["note"] = "ends */ here, ü"
    interop.to_c(model, tmp_path / "my-net.c", name="mine")
    header = (tmp_path / "my-net.h").read_text()
    assert "int mine_predict(const float *a_b, float *dense" in header
    assert "note: ends * / here, \\xfc" in header
    compile_library([tmp_path / "my-net.c"], tmp_path)


def test_what_is_refused(tmp_path):
    model = Sequential([Input((2,)), layers.Lambda(np.sin, name="waves"), layers.Dense(1)])
    with pytest.raises(ValueError, match="layer 'waves' cannot be carried to C: it calls a function of Python"):
        interop.to_c(model, tmp_path / "net.c")
    plain = Sequential([Input((2,)), layers.Dense(1)])
    with pytest.raises(ValueError, match=r"`path` must end in \.c"):
        interop.to_c(plain, tmp_path / "net.txt")
    with pytest.raises(ValueError, match="`name` must be an identifier of C"):
        interop.to_c(plain, tmp_path / "net.c", name="2nd")
    with pytest.raises(ValueError, match="`weights` must be"):
        interop.to_c(plain, tmp_path / "net.c", weights="int8")
    with pytest.raises(TypeError, match="`model` must be a model"):
        interop.to_c(object(), tmp_path / "net.c")
    plain.set_weights([np.full((2, 1), 1e6), np.zeros(1)])
    with pytest.raises(ValueError, match="too large for float16"):
        interop.to_c(plain, tmp_path / "net.c", weights="float16")
    assert list(tmp_path.iterdir()) == []


def test_identifiers():
    assert [identifier(text) for text in ("", "int", "été", "1-x")] == ["_", "int_", "_t_", "_1_x"]


def test_a_library_needs_no_memory_of_its_own(tmp_path):
    source = interop.to_c(mixed_model("float32"), tmp_path / "net.c")[0].read_text()
    assert not any(word in source for word in ("malloc", "free(", "stdlib"))
    assert not re.search(r"static (?!const)\w+ \w+( =|\[|;)", source)
    assert isinstance(compile_library([tmp_path / "net.c"], tmp_path), ctypes.CDLL)


@pytest.mark.doors
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_random_architectures(compiler, tmp_path, n_architectures):
    if shutil.which(compiler) is None:
        pytest.skip(f"no {compiler}")
    models = [
        (random_expressions if seed % 2 else random_model)(seed, ("float32", "float64")[seed // 2 % 2])
        for seed in range(n_architectures)
    ]
    sources = [interop.to_c(model, tmp_path / f"net_{at}.c")[0] for at, model in enumerate(models)]
    library = compile_library(sources, tmp_path, compiler=compiler)
    for at, model in enumerate(models):
        rows = rows_for(model)
        result, found = call_rows(library, f"net_{at}", model, rows)
        wanted = model.predict(rows if len(rows) > 1 else rows[0], verbose=0)
        tolerance = 1e-4 if model.dtype == "float32" else 1e-11  # networks that normalize amplify rounding
        assert result == 0
        for one, other in zip(found, wanted if isinstance(wanted, list) else [wanted], strict=True):
            np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance, err_msg=f"seed {at}")


@pytest.mark.doors
def test_what_32_bits_compute(tmp_path):
    if not (shutil.which("gcc") and _can_compile("gcc", ("-m32",), tmp_path)):
        pytest.skip("no 32-bit headers")
    for seed in range(6):
        model = (random_expressions if seed % 2 else random_model)(seed)
        rows = rows_for(model, 1)
        sources = interop.to_c(model, tmp_path / f"net_{seed}.c")[:1]
        wanted = model.predict(rows if len(rows) > 1 else rows[0], verbose=0)
        outputs = [np.zeros_like(each) for each in (wanted if isinstance(wanted, list) else [wanted])]
        found = _run_in_32_bits(sources[0], f"net_{seed}", rows, outputs, tmp_path)
        for one, other in zip(found, wanted if isinstance(wanted, list) else [wanted], strict=True):
            np.testing.assert_allclose(one.reshape(other.shape), other, rtol=1e-4, atol=1e-4)


def _run_in_32_bits(source, name, rows, outputs, folder):
    """Compile a program that prints what a network makes of one row, and read that."""
    arrays = [f"float x{at}[] = {{{', '.join(map(str, each.ravel()))}}};" for at, each in enumerate(rows)]
    arrays += [f"float y{at}[{each.size}];" for at, each in enumerate(outputs)]
    names = [*(f"x{at}" for at in range(len(rows))), *(f"y{at}" for at in range(len(outputs)))]
    printed = [f'for (i = 0; i < {each.size}; i++) printf("%.9g\\n", y{at}[i]);' for at, each in enumerate(outputs)]
    program = folder / f"{name}_main.c"
    program.write_text(
        f'#include <stdio.h>\n#include "{name}.h"\nint main(void) {{ int i; {" ".join(arrays)}\n'
        f"if ({name}_predict({', '.join(names)})) return 1;\n{' '.join(printed)} return 0; }}\n"
    )
    executable = folder / f"{name}.out"
    subprocess.run(
        ["gcc", "-std=c99", "-O2", "-m32", str(source), str(program), "-o", str(executable), "-lm"], check=True
    )
    lines = subprocess.run([str(executable)], check=True, capture_output=True, text=True).stdout.split()
    return np.split(np.array(lines, np.float32), np.cumsum([each.size for each in outputs])[:-1])
