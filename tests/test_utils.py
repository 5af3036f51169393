"""Utilities: encoded labels, scaled rows, seeds, the geometry of pictures."""

from __future__ import annotations

import gc
import itertools
import math
import pickle
import random
import sys
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import cnn_core.foundation.random_state as random_state
import tolerances
from cnn_core import utils
from cnn_core.data.batches import PyDataset
from cnn_core.network.graph import Node, Symbol
from cnn_core.network.model_plot import Box, boxes_of, lay_out, levels_of, plot_model
from cnn_core.utils import normalize, set_random_seed, to_categorical


class TestToCategorical:
    def test_by_hand(self):
        result = to_categorical([0, 2, 1, 2], 4)
        assert result.dtype == np.float64
        assert result.tolist() == [[1, 0, 0, 0], [0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 1, 0]]

    @given(
        labels=arrays.arrays(
            np.int64, arrays.array_shapes(min_dims=1, max_dims=3, max_side=5), elements=st.integers(0, 6)
        )
    )
    def test_argmax_gives_the_labels_back(self, labels: np.ndarray):
        result = to_categorical(labels)
        shape = labels.shape[:-1] if labels.ndim > 1 and labels.shape[-1] == 1 else labels.shape
        assert result.shape == (*shape, labels.max() + 1)
        np.testing.assert_array_equal(result.argmax(-1), labels.reshape(shape))
        np.testing.assert_array_equal(result.sum(-1), 1)

    def test_column_becomes_a_vector(self):
        assert to_categorical([[0], [1]]).shape == (2, 2)
        assert to_categorical([[0]]).shape == (1, 1)
        assert to_categorical([0]).shape == (1, 1)

    def test_one_label(self):
        assert to_categorical(2).tolist() == [0, 0, 1]

    def test_no_labels(self):
        assert to_categorical(np.zeros(0, int), 3).shape == (0, 3)
        with pytest.raises(ValueError, match="`num_classes` must be given"):
            to_categorical(np.zeros(0, int))

    @pytest.mark.parametrize(
        "labels", [np.array([0.0, 1.0]), np.array([False, True]), np.array([0, 1], np.uint8), [0, 1]]
    )
    def test_other_types(self, labels: Any):
        assert to_categorical(labels).tolist() == [[1, 0], [0, 1]]

    @pytest.mark.parametrize(
        ("labels", "num_classes", "message"),
        [
            ([0, 3], 3, r"labels of 0\.\.2\. Received: 3"),
            ([0, -1], 3, r"labels of 0\.\.2\. Received: -1"),
            ([0, -1], None, "labels of 0 or more. Received: -1"),
            ([0.5], None, "whole numbers. Received: 0.5"),
            ([math.nan], None, "whole numbers. Received: nan"),
            ([math.inf], None, "whole numbers. Received: inf"),
            ([0], 0, "`num_classes` must be a positive integer"),
        ],
    )
    def test_errors(self, labels: Any, num_classes: int | None, message: str):
        with pytest.raises(ValueError, match=message):
            to_categorical(labels, num_classes)

    def test_text(self):
        with pytest.raises(TypeError, match="x must hold numbers"):
            to_categorical(["cat"])


class TestNormalize:
    def test_by_hand(self):
        x = np.array([[3.0, 4.0], [0.0, 0.0], [-6.0, 8.0]])
        assert normalize(x).tolist() == [[0.6, 0.8], [0, 0], [-0.6, 0.8]]
        assert normalize(x, order=1).tolist() == [[3 / 7, 4 / 7], [0, 0], [-6 / 14, 8 / 14]]
        assert normalize(x, order=math.inf).tolist() == [[0.75, 1], [0, 0], [-0.75, 1]]
        assert normalize(np.array([3.0, 4.0]), axis=0).tolist() == [0.6, 0.8]

    @given(
        x=arrays.arrays(np.float64, (3, 4, 2), elements=st.floats(-100, 100).map(lambda value: round(value, 3))),
        axis=st.integers(-3, 2),
        order=st.sampled_from([1, 2, 3, math.inf]),
    )
    def test_norms_are_one_or_nothing(self, x: np.ndarray, axis: int, order: float):
        norms = np.linalg.norm(normalize(x, axis, order), order, axis)
        tolerances.close(norms, np.any(x != 0, axis), tolerances.REFERENCE_FLOAT64)

    def test_types(self):
        assert normalize(np.ones((2, 2), np.float32)).dtype == np.float32
        assert normalize([[3, 4]]).tolist() == [[0.6, 0.8]]

    def test_argument_is_left_alone(self):
        x = np.array([[3.0, 4.0]])
        normalize(x)
        assert x.tolist() == [[3, 4]]

    def test_errors(self):
        with pytest.raises(ValueError, match=r"`axis` must be an axis of x\. Received: axis=2, x.shape=\(2, 2\)"):
            normalize(np.ones((2, 2)), axis=2)
        with pytest.raises(TypeError, match="`axis` must be an integer"):
            normalize(np.ones((2, 2)), axis=None)
        with pytest.raises(TypeError, match="x must hold numbers"):
            normalize(["a"])


class TestSetRandomSeed:
    def test_seeds_all_sources(self):
        drawn = []
        for seed in (3, 3, 4):
            set_random_seed(seed)
            drawn.append((random.random(), np.random.rand(), random_state.next_seed()))  # noqa: NPY002
        assert drawn[0] == drawn[1]
        assert all(first != other for first, other in zip(drawn[0], drawn[2], strict=True))

    def test_types_of_integers(self):
        set_random_seed(np.int64(3))
        first = random_state.next_seed()
        set_random_seed(3)
        assert random_state.next_seed() == first

    @pytest.mark.parametrize("seed", [-1, 2**32, 1.0, "1", None, True])
    def test_errors(self, seed: Any):
        with pytest.raises((ValueError, TypeError), match="`seed` must be"):
            set_random_seed(seed)


class Layer:
    def __init__(self, name: str, **details: Any):
        self.name = name
        self.__dict__.update(details)

    def __call__(self, *symbols: Symbol) -> Symbol:
        node = Node(self, symbols)
        symbol = Symbol((None, 4), f"{self.name}_output", "float32", node)
        node.outputs = (symbol,)
        return symbol


class Dense(Layer):
    pass


class Model:
    def __init__(self, inputs: list[Symbol], outputs: list[Symbol], layers: tuple[Layer, ...] = ()):
        self.built = bool(inputs)
        self.inputs, self.outputs, self.layers = inputs, outputs, layers


def diamond() -> Model:
    x = Symbol((None, 3), "x", "float32")
    first = Dense("first")(x)
    return Model([x], [Layer("last")(Dense("left")(first), Dense("right")(first), first)])


class TestPlotModel:
    def test_layers_of_an_unbuilt_model_stand_in_a_row(self):
        boxes = boxes_of(Model([], [], (Dense("a"), Dense("b"), Layer("c"))), ["name", "output_shape"])
        assert boxes == [
            Box(("Dense", "name: a"), ()), Box(("Dense", "name: b"), (0,)), Box(("Layer", "name: c"), (1,)),
        ]  # fmt: skip

    def test_connections(self):
        boxes = boxes_of(diamond(), ["name"])
        assert [box.lines[1] for box in boxes] == ["name: x", "name: first", "name: left", "name: right", "name: last"]
        assert [box.inputs for box in boxes] == [(), (0,), (1,), (1,), (2, 3, 1)]

    def test_shared_layer_has_one_box(self):
        x, y, shared = Symbol((None, 3), "x", "float32"), Symbol((None, 3), "y", "float32"), Dense("shared")
        boxes = boxes_of(Model([x, y], [Layer("last")(shared(x), shared(y))]))
        assert [box.inputs for box in boxes] == [(), (), (0, 1), (2,)]

    def test_details(self):
        x = Symbol((None, 3), "x", "float32")
        model = Model([x], [Dense("a", activation=Layer("relu"), trainable=False, dtype="float64")(x)])
        boxes = boxes_of(model, ["name", "activation", "output_shape", "dtype", "trainable"])
        assert boxes[0].lines == ("Input", "name: x", "output shape: (None, 3)", "dtype: float32")
        assert boxes[1].lines == (
            "Dense", "name: a", "activation: relu", "output shape: (None, 4)", "dtype: float64", "trainable: False",
        )  # fmt: skip

    @given(st.data())
    def test_every_box_stands_behind_its_inputs(self, draw: st.DataObject):
        n = draw.draw(st.integers(1, 12))
        boxes = [
            Box(("x",), tuple(sorted(draw.draw(st.sets(st.integers(0, i - 1), max_size=3)) if i else ())))
            for i in range(n)
        ]
        levels = levels_of(boxes)
        for box, level in zip(boxes, levels, strict=True):
            assert level == max((levels[source] + 1 for source in box.inputs), default=0)

    def test_layer_that_feeds_itself_ends(self):
        assert len(levels_of([Box(("a",), (1,)), Box(("b",), (0,))])) == 2

    @given(st.data())
    def test_no_arrow_crosses_a_box(self, draw: st.DataObject):
        n = draw.draw(st.integers(1, 12))
        # Sources behind a box are those that a shared layer has; the box itself may be among them.
        feeding = st.sets(st.integers(0, n - 1), max_size=4).map(lambda sources: tuple(sorted(sources)))
        boxes = [Box(("x",), draw.draw(feeding)) for _ in range(n)]
        width, height = extent = draw.draw(st.sampled_from([(1.0, 0.5), (0.3, 2.0)]))
        layout = lay_out(boxes, extent)
        assert len(layout.arrows) == sum(len(box.inputs) for box in boxes)
        segments = [pair for way in layout.arrows for pair in itertools.pairwise(way)]
        share = np.linspace(0, 1, 101)[:, None]
        points = np.concatenate([(1 - share) * a + share * b for a, b in segments]) if segments else np.zeros((0, 2))
        for centre in layout.centres:
            distance = np.abs(points - centre) - np.array([width, height]) / 2
            assert (distance.max(axis=1, initial=-np.inf) > -1e-9).all()
        for one, other in itertools.combinations(layout.centres, 2):
            assert abs(one[0] - other[0]) > width or abs(one[1] - other[1]) > height
        low, high = layout.corners
        centres, half = np.array(layout.centres), np.array([width, height]) / 2
        for inside in (points, centres - half, centres + half):
            assert ((inside > low) & (inside < high)).all()

    @pytest.mark.parametrize("rankdir", ["TB", "LR"])
    def test_picture_in_axes_of_ones_own(self, rankdir: str):
        figures = pytest.importorskip("matplotlib.figure")
        figure = figures.Figure(figsize=(8, 3))
        left, right = figure.subplots(1, 2)
        assert plot_model(diamond(), None, rankdir=rankdir, ax=right) is figure
        assert (len(left.patches), len(right.texts)) == (0, 5)
        assert right.texts[0].get_fontsize() < 9  # there is less room than a figure of its own would have
        part = figure.subfigures(1, 2)[0]
        assert plot_model(diamond(), None, ax=part.subplots()) is figure
        with pytest.raises(TypeError, match=r"`ax` must be axes of matplotlib\. Received: ax=3"):
            plot_model(diamond(), None, ax=3)
        with pytest.raises(ValueError, match=r"`ax` must hold as many axes as plot_model has panels: 1\. Received: 2"):
            plot_model(diamond(), None, ax=[left, right])

    def test_a_notebook_shows_the_figure_without_pyplot(self):
        pytest.importorskip("matplotlib")
        figure = plot_model(diamond(), None, dpi=50)
        assert figure._repr_png_().startswith(b"\x89PNG")
        assert pickle.loads(pickle.dumps(figure))._repr_png_().startswith(b"\x89PNG")

    @pytest.mark.parametrize("rankdir", ["TB", "LR"])
    def test_picture(self, tmp_path: Path, rankdir: str):
        pytest.importorskip("matplotlib")
        path = tmp_path / "model.png"
        figure = plot_model(diamond(), path, show_shapes=True, show_layer_names=True, rankdir=rankdir, dpi=50)
        assert path.read_bytes().startswith(b"\x89PNG")
        texts = {text.get_text().split("\n")[0]: text for text in figure.axes[0].texts if text.get_text()}
        assert set(texts) == {"Input", "Dense", "Layer"}
        places = [text.get_position() for text in figure.axes[0].texts if text.get_text()]
        along = [x if rankdir == "LR" else -y for x, y in places]
        assert along[0] < along[1] < along[2] == along[3] < along[4]

    def test_nothing_is_saved_on_request(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        pytest.importorskip("matplotlib")
        monkeypatch.chdir(tmp_path)
        plot_model(diamond(), to_file=None)
        assert list(tmp_path.iterdir()) == []

    def test_errors(self, monkeypatch: pytest.MonkeyPatch):
        pytest.importorskip("matplotlib")
        with pytest.raises(ValueError, match="a model without layers"):
            plot_model(Model([], []), None)
        with pytest.raises(ValueError, match="`rankdir` must be 'LR' or 'TB'"):
            plot_model(diamond(), None, rankdir="BT")
        monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
        with pytest.raises(ImportError, match=r"pip install 'cnn_core\[plot\]'"):
            plot_model(diamond(), None)


def test_batches_by_number_have_their_names_here():
    assert utils.PyDataset is utils.Sequence is PyDataset


def test_a_new_session_lets_go_of_models_that_nothing_refers_to() -> None:
    class Ring:
        pass

    for free_memory in (False, True):
        ring = Ring()
        ring.itself, gone = ring, weakref.ref(ring)
        gc.disable()
        try:
            del ring
            utils.clear_session(free_memory)
            assert (gone() is None) == free_memory
        finally:
            gc.enable()


def test_sequences_are_padded_as_by_keras() -> None:
    given = [[1], [2, 3], [4, 5, 6]]
    assert utils.pad_sequences(given).tolist() == [[0, 0, 1], [0, 2, 3], [4, 5, 6]]
    assert utils.pad_sequences(given, maxlen=2).tolist() == [[0, 1], [2, 3], [5, 6]]
    assert utils.pad_sequences(given, 2, padding="post", truncating="post").tolist() == [[1, 0], [2, 3], [4, 5]]
    assert utils.pad_sequences([[1.5], [2, 3]], dtype="float32", value=-1).tolist() == [[-1.0, 1.5], [2.0, 3.0]]
    assert utils.pad_sequences([[[1, 2]], [[3, 4], [5, 6]]]).tolist() == [[[0, 0], [1, 2]], [[3, 4], [5, 6]]]
    assert utils.pad_sequences([["a"], ["b", "c"]], dtype=object, value="").tolist() == [["", "a"], ["b", "c"]]
    assert utils.pad_sequences([[], []]).shape == (2, 0)
    assert utils.pad_sequences([]).shape == (0, 0)
    with pytest.raises(ValueError, match="`sequences` must hold sequences"):
        utils.pad_sequences([1, 2])
    with pytest.raises(ValueError, match="steps of one shape"):
        utils.pad_sequences([[[1, 2]], [[1, 2, 3]]])
    with pytest.raises(ValueError, match="`padding` must be"):
        utils.pad_sequences(given, padding="middle")
