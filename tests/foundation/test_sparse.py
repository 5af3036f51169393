"""A damaged sparse matrix is refused before SciPy converts it, which would read outside its arrays."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import cnn_core
from cnn_core import layers
from cnn_core.foundation.sparse import check_sparse

sparse = pytest.importorskip("scipy.sparse")

X = np.array([[1.0, 0, 2, 0], [0, 3, 0, 0], [0, 0, 4, 5], [0, 6, 0, 0], [7, 0, 0, 0], [0, 0, 8, 9]], np.float32)
FORMATS = ("bsr", "coo", "csc", "csr", "dia", "dok", "lil")
KINDS = ("matrix", "array")
BEYOND = 2**31 - 1


def matrix(layout: str, kind: str = "matrix") -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sparse.SparseEfficiencyWarning)
        return getattr(sparse, f"{layout}_{kind}")(X)


def changed(part: str, change: Callable[[Any], Any]) -> Callable[[Any], None]:
    """Return what sets a matrix's part to what `change` makes of it, in place where that returns None."""

    def damage(x: Any) -> None:
        values = getattr(x, part).copy()
        result = change(values)
        setattr(x, part, values if result is None else result)

    return damage


def put(part: str, where: int, value: Any) -> Callable[[Any], None]:
    return changed(part, lambda values: values.__setitem__(where, value))


def append_to_a_list(part: str, value: Any) -> Callable[[Any], None]:
    return changed(part, lambda lists: lists.__setitem__(1, [*lists[1], value]))


def shape(*sizes: int) -> Callable[[Any], None]:
    return lambda x: setattr(x, "_shape", sizes)


def key(value: Any) -> Callable[[Any], None]:
    return lambda x: x._dict.__setitem__(value, 1.0)


DAMAGE = {
    "coo": [
        *(put(part, 0, value) for part in ("row", "col") for value in (BEYOND, -1, 6)),
        *(changed(part, lambda values: values[:-1]) for part in ("row", "col", "data")),
        changed("data", lambda values: values[None]),
        shape(6, 3),
        shape(5, 4),
        shape(6, 4, 1),
    ],
    **{
        layout: [
            *(put("indices", 0, value) for value in (BEYOND, -1, 6)),
            *(put("indptr", where, value) for where, value in ((0, 1), (0, -1), (1, BEYOND), (-1, 100))),
            changed("indptr", lambda values: values[:-1]),
            changed("indptr", lambda values: values[:0]),
            changed("indices", lambda values: values[:-1]),
            changed("indices", lambda values: values.astype(float)),
            changed("data", lambda values: values[:-1]),
            shape(7, 5),
            shape(
                6,
            )
            if layout != "csr"
            else shape(3),
            shape(-1, 4),
        ]
        for layout in ("bsr", "csc", "csr")
    },
    "dia": [
        changed("offsets", lambda values: values[:-1]),
        changed("offsets", lambda values: np.zeros_like(values)),
        changed("offsets", lambda values: values.astype(float)),
        changed("data", lambda values: values[:-1]),
        changed("data", lambda values: values[0]),
        shape(2**40, 4),
    ],
    "lil": [
        *(append_to_a_list("rows", value) for value in (BEYOND, -1, 4, 0, 1.5, "a", None, 2**70)),
        append_to_a_list("data", 1.0),
        *(changed(part, lambda lists: lists[:-1]) for part in ("rows", "data")),
        put("rows", 0, None),
        shape(7, 4),
        shape(6, 2),
    ],
    "dok": [
        *(key(value) for value in ((BEYOND, 0), (0, BEYOND), (-1, 0), (6, 0), (0, 4), (0,), 5, (0, 1.5), (0, 2**70))),
        shape(6, 2),
    ],
}
CASES = [(layout, number) for layout, damages in DAMAGE.items() for number in range(len(damages))]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("layout", "number"), CASES)
def test_damage_is_found_and_named(layout: str, number: int, kind: str) -> None:
    x = matrix(layout, kind)
    DAMAGE[layout][number](x)
    with pytest.raises(ValueError, match=rf"^x is an inconsistent sparse matrix: `\w+` must be .*format '{layout}'"):
        check_sparse(x, "x")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("layout", FORMATS)
def test_sound_matrices_pass_and_are_read_right(layout: str, kind: str) -> None:
    x = matrix(layout, kind)
    check_sparse(x, "x")
    model = network()
    np.testing.assert_allclose(model.predict(x), model.predict(X), rtol=1e-6)


@pytest.mark.parametrize("layout", FORMATS)
def test_empty_matrices_are_sound(layout: str) -> None:
    for sizes in ((6, 4), (0, 4), (6, 0)):
        check_sparse(getattr(sparse, f"{layout}_array")(sizes), "x")


def test_vectors_and_other_numbers_of_dimensions_are_sound() -> None:
    for layout in ("coo", "csr", "dok"):
        check_sparse(getattr(sparse, f"{layout}_array")(X[0]), "x")
    check_sparse(sparse.coo_array(np.ones((2, 2, 2))), "x")


def test_whatever_is_not_sparse_passes() -> None:
    for x in (X, X.tolist(), None, "text", {"a": X}, type):
        check_sparse(x, "x")


def test_a_matrix_of_another_package_is_looked_at_as_scipy_makes_it() -> None:
    class Foreign:
        nnz, shape = 9, (6, 4)

        def __init__(self, made: Any) -> None:
            self.made = made

        def tocsr(self) -> Any:
            return self.made

    broken = matrix("csr")
    put("indices", 0, BEYOND)(broken)
    check_sparse(Foreign(matrix("csr")), "x")
    with pytest.raises(ValueError, match="x is an inconsistent sparse matrix: `indices`"):
        check_sparse(Foreign(broken), "x")
    with pytest.raises(TypeError, match=r"x must be a sparse matrix of SciPy\. Received: x of type ndarray"):
        check_sparse(Foreign(X), "x")


def network() -> cnn_core.Sequential:
    model = cnn_core.Sequential([cnn_core.Input((4,)), layers.Dense(3, "softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model


def damaged() -> list[Any]:
    """Return one matrix of each format with an index out of range."""
    damages = {
        **dict.fromkeys(("bsr", "csc", "csr"), put("indices", 0, BEYOND)),
        "coo": put("row", 0, BEYOND),
        "dia": changed("offsets", lambda values: values[:-1]),
        "lil": append_to_a_list("rows", BEYOND),
        "dok": key((BEYOND, 0)),
    }
    found = []
    for layout, damage in damages.items():
        found.append(matrix(layout))
        damage(found[-1])
    return found


Y = np.arange(6) % 3
WAYS = {
    "predict": lambda x: network().predict(x),
    "call": lambda x: network()(x),
    "call in training": lambda x: network()(x, training=True),
    "evaluate": lambda x: network().evaluate(x, Y, verbose=0),
    "fit": lambda x: network().fit(x, Y, verbose=0),
    "fit, to validate": lambda x: network().fit(X, Y, validation_data=(x, Y), verbose=0),
    "fit from a generator": lambda x: network().fit(((x, Y) for _ in range(1)), verbose=0),
    "train_on_batch": lambda x: network().train_on_batch(x, Y),
    "predict_on_batch": lambda x: network().predict_on_batch(x),
    "trace": lambda x: network().trace(x, Y),
    "build by fit": lambda x: cnn_core.Sequential([layers.Dense(3)]).predict(x),
}


@pytest.mark.parametrize("way", WAYS)
def test_models_refuse_damage_of_every_format(way: str) -> None:
    for x in damaged():
        with pytest.raises(ValueError, match="is an inconsistent sparse matrix"):
            WAYS[way](x)


ESTIMATOR_WAYS: dict[str, Callable[[Any, Any], Any]] = {
    "fit": lambda estimator, x: estimator.fit(x, Y),
    "fit, to validate": lambda estimator, x: estimator.fit(X, Y, X_val=x, y_val=Y),
    "partial_fit": lambda estimator, x: estimator.partial_fit(x, Y),
    "predict": lambda estimator, x: estimator.predict(x),
    "score": lambda estimator, x: estimator.score(x, Y),
}


@pytest.mark.parametrize("name", ["MLPClassifier", "MLPRegressor"])
@pytest.mark.parametrize("way", ESTIMATOR_WAYS)
def test_estimators_refuse_damage_of_every_format(name: str, way: str) -> None:
    pytest.importorskip("sklearn")
    import cnn_core.sklearn as estimators

    fitted = getattr(estimators, name)(solver="sgd", max_iter=1, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted.fit(X, Y)
    for x in damaged():
        with pytest.raises(ValueError, match="is an inconsistent sparse matrix"):
            ESTIMATOR_WAYS[way](fitted, x)


@pytest.mark.parametrize("way", ["fit", "partial_fit", "score"])
def test_damaged_labels_are_refused(way: str) -> None:
    pytest.importorskip("sklearn")
    from cnn_core.sklearn import MLPClassifier

    indicators = X > 0
    fitted = MLPClassifier(max_iter=1, solver="sgd", random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted.fit(X, sparse.csr_matrix(indicators))
    for y in damaged():
        with pytest.raises(ValueError, match="y is an inconsistent sparse matrix"):
            getattr(fitted, way)(X, y)


@pytest.mark.parametrize("name", ["TabularClassifier", "TabularRegressor"])
def test_tables_take_no_sparse_matrices_damaged_or_not(name: str) -> None:
    pytest.importorskip("sklearn")
    import cnn_core.sklearn as estimators

    estimator = getattr(estimators, name)(epochs=1)
    for x in [*damaged(), *map(matrix, FORMATS)]:
        with pytest.raises(TypeError, match="dense data is required"):
            estimator.fit(x, Y)
