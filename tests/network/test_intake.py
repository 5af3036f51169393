"""Models that look at data while it is read: chains, graphs, models in models, custom layers; files, copies, clones."""

from __future__ import annotations

import copy
import io
import pickle
from typing import Any

import numpy as np
import pytest

import cnn_core
import cnn_core.interop
from cnn_core import layers, ops
from cnn_core.network.graph import CallGraph
from cnn_core.network.intake import Intake

COLOURS = ["red", "green", "blue"]
RNG = np.random.default_rng(4)
SEEN = np.array(COLOURS, object)[RNG.integers(0, 3, 60)]
SIZES = RNG.normal(size=(60, 2)).astype("float32")
TARGETS = (SEEN == "red").astype("float32")


def chain(shape: tuple[int, ...] = (1,)) -> Any:
    inner = [layers.StringLookup(vocabulary=COLOURS), layers.Embedding(4, 3), layers.Flatten(), layers.Dense(1)]
    return cnn_core.Sequential([cnn_core.Input(shape, dtype="string"), *inner])


def graph() -> Any:
    colour, size = cnn_core.Input((1,), dtype="string", name="colour"), cnn_core.Input((2,), name="size")
    one_hot = layers.StringLookup(vocabulary=COLOURS, output_mode="one_hot")(colour)
    crossed = layers.HashedCrossing(7, output_mode="one_hot")([colour, layers.Hashing(4)(colour)])
    joined = layers.Concatenate()([one_hot, size, crossed])
    return cnn_core.Model({"colour": colour, "size": size}, layers.Dense(1)(joined))


class Quotient(layers.Layer):
    """An embedding of quotient and remainder of what a lookup finds."""

    def __init__(self, **common: Any) -> None:
        super().__init__(**common)
        self.lookup = layers.StringLookup(vocabulary=COLOURS)
        self.quotients, self.remainders = layers.Embedding(2, 3), layers.Embedding(2, 3)

    def call(self, x: Any) -> Any:
        found = self.lookup(x)
        return self.quotients(found // 2) * self.remainders(found % 2)


def custom() -> Any:
    colour = cnn_core.Input((), dtype="string")
    return cnn_core.Model(colour, layers.Dense(1)(Quotient()(colour)))


def nested() -> Any:
    colour = cnn_core.Input((1,), dtype="string")
    return cnn_core.Model(colour, layers.Dense(1)(layers.Activation("tanh")(chain()(colour))))


class Own(cnn_core.Model):
    def __init__(self, **common: Any) -> None:
        super().__init__(**common)
        self.lookup = layers.StringLookup(vocabulary=COLOURS, output_mode="count")
        self.out = layers.Dense(1)

    def call(self, x: Any) -> Any:
        return self.out(self.lookup(x))


def own() -> Any:
    model = Own()
    model(SEEN)
    return model


MAKERS = [chain, graph, custom, nested, own]


def data_for(model: Any, seen: Any = SEEN) -> Any:
    return {"colour": seen, "size": SIZES[: len(seen)]} if len(model.inputs) == 2 else seen


@pytest.mark.parametrize("make", MAKERS)
def test_training_learns_from_texts(make: Any) -> None:
    cnn_core.utils.set_random_seed(1)
    model = make()
    x = data_for(model)
    model.compile(cnn_core.optimizers.Adam(0.05), cnn_core.losses.BinaryCrossentropy(from_logits=True))
    history = model.fit(x, TARGETS, epochs=40, batch_size=20, verbose=0, validation_split=0.25).history
    assert history["loss"][-1] < 0.3 * history["loss"][0]
    assert model.evaluate(x, TARGETS, verbose=0) < 0.3 * history["loss"][0]


@pytest.mark.parametrize("make", MAKERS)
def test_copies_clones_and_files_predict_the_same(make: Any) -> None:
    model = make()
    x = data_for(model)
    expected = model.predict(x)
    clone = cnn_core.models.clone_model(model)
    clone.set_weights(model.get_weights())
    file = io.BytesIO()
    model.save(file)
    file.seek(0)
    loaded = cnn_core.load_model(file, custom_objects={"Quotient": Quotient, "Own": Own})
    for other in (clone, loaded, copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(other.predict(x), expected)
    np.testing.assert_array_equal(model(x), expected)
    np.testing.assert_allclose(model(x, training=True), expected, rtol=1e-6)


@pytest.mark.parametrize("make", MAKERS)
def test_batches_are_looked_at_one_by_one(make: Any) -> None:
    model = make()
    x = data_for(model)
    parts = [slice(start, start + 20) for start in (0, 20, 40)]
    batches = [({key: part[s] for key, part in x.items()} if isinstance(x, dict) else x[s]) for s in parts]
    np.testing.assert_allclose(model.predict(iter(batches)), model.predict(x), rtol=1e-6)
    model.compile("sgd", "mse")
    model.fit(((batch, TARGETS[s]) for batch, s in zip(batches, parts, strict=True)), verbose=0)
    assert np.isfinite(model.train_on_batch(batches[0], TARGETS[:20]))


def test_a_pandas_frame_is_a_dict_of_columns() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"colour": SEEN, "weight": SIZES[:, 0]})
    colour, weight = cnn_core.Input((1,), dtype="string", name="colour"), cnn_core.Input((1,), name="weight")
    found = layers.StringLookup(vocabulary=COLOURS, output_mode="multi_hot")(colour)
    model = cnn_core.Model([colour, weight], layers.Concatenate()([found, weight]))
    predicted = model.predict(dict(frame))
    np.testing.assert_array_equal(model.predict(frame), predicted)
    with pytest.raises(ValueError, match=r"x must have the keys 'colour', 'weight'\. Received: keys 'colour'"):
        model.predict(frame[["colour"]])
    np.testing.assert_array_equal(predicted[:, 4], SIZES[:, 0])
    np.testing.assert_array_equal(predicted[:, 1:4], SEEN[:, None] == COLOURS)


def test_texts_may_be_put_elsewhere_before_they_are_read() -> None:
    words = cnn_core.Input((3,), dtype="string")
    lookup = layers.StringLookup(vocabulary=COLOURS)
    last = lookup(ops.expand_dims(words[:, 2], -1))
    both = ops.concatenate([ops.flip(words, 1), ops.reshape(words, (-1, 3))], axis=1)
    model = cnn_core.Model(words, layers.Concatenate()([last, lookup(both)]))
    np.testing.assert_array_equal(
        model.predict([["red", "blue", "green"], ["red", "?", "red"]]),
        [[2, 2, 3, 1, 1, 3, 2], [1, 1, 0, 1, 1, 0, 1]],
    )


def test_numbers_may_be_computed_before_they_are_crossed() -> None:
    age, colour = cnn_core.Input((1,)), cnn_core.Input((1,), dtype="string")
    bins = layers.Discretization([20.0, 40.0])(age)
    tens = ops.floor(age / 10)
    crossing = layers.HashedCrossing(100)
    model = cnn_core.Model([age, colour], [crossing([bins, colour]), crossing([tens, colour])])
    ages = np.array([[3.0], [20.0], [71.0]])
    seen = np.array([["red"], ["blue"], ["red"]], object)
    by_bins, by_tens = model.predict([ages, seen])
    np.testing.assert_array_equal(by_bins, layers.HashedCrossing(100)([np.array([[0], [1], [2]]), seen]))
    np.testing.assert_array_equal(by_tens, layers.HashedCrossing(100)([np.array([[0], [2], [7]]), seen]))


def test_large_numbers_keep_all_their_digits() -> None:
    lookup = layers.IntegerLookup(vocabulary=[2**40, 2**40 + 1], num_oov_indices=0)
    for model in (
        cnn_core.Sequential([cnn_core.Input((1,), dtype="int64"), lookup]),
        cnn_core.Sequential([cnn_core.Input((1,)), lookup]),
        cnn_core.Sequential([lookup]),
    ):
        np.testing.assert_array_equal(model.predict(np.array([[2**40 + 1], [2**40]])), [[1], [0]])


def test_a_number_beyond_the_embedding_is_refused_before_native_code_sees_it() -> None:
    colour = cnn_core.Input((1,), dtype="string")
    found = layers.StringLookup(vocabulary=COLOURS, name="lookup")(colour)
    model = cnn_core.Model(colour, layers.Embedding(3, 2)(found))
    with pytest.raises(ValueError, match=r"^what 'lookup' finds has index 3 at row 0, column 0; .* 0\.\.2"):
        model.predict(["blue"])


def test_sequential_takes_texts_from_its_first_data() -> None:
    model = cnn_core.Sequential([layers.StringLookup(vocabulary=COLOURS, output_mode="one_hot"), layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(SEEN, TARGETS, verbose=0)
    assert model.inputs[0].dtype == "string"
    assert model.get_config()["build_input_dtype"] == "string"


def test_a_custom_layer_reads_arrays_of_texts() -> None:
    layer = Quotient()
    found = layer(np.array(["red", "blue"]))
    assert found.shape == (2, 3)
    np.testing.assert_allclose(found[1], layer.quotients.get_weights()[0][1] * layer.remainders.get_weights()[0][1])


@pytest.mark.parametrize(
    ("compute", "message"),
    [
        (lambda x: layers.Dense(1)(x), "cannot compute with texts"),
        (lambda x: x + 1, "computes with numbers"),
        (lambda x: layers.StringLookup(vocabulary=COLOURS)(ops.equal(x, x)), "reads texts"),
    ],
)
def test_nothing_else_computes_with_texts(compute: Any, message: str) -> None:
    x = cnn_core.Input((1,), dtype="string")
    with pytest.raises(TypeError, match=message):
        cnn_core.Model(x, compute(x))


def test_arithmetic_on_texts_before_a_hash_is_refused() -> None:
    x = cnn_core.Input((1,), dtype="string")
    model = cnn_core.Model(x, layers.Hashing(3)(ops.maximum(x, x)))
    with pytest.raises(TypeError, match="`maximum` computes with numbers, not with texts"):
        model.predict(["a"])


def test_models_expect_the_kind_of_their_inputs() -> None:
    with pytest.raises(TypeError, match="expects an input of dtype string"):
        chain()(cnn_core.Input((1,)))
    with pytest.raises(TypeError, match="must hold texts, but has 1"):
        chain().predict([1.0])


def test_a_graph_without_readers_has_no_intake() -> None:
    x = cnn_core.Input((2,))
    assert Intake.of(CallGraph(x, layers.Dense(1)(x))) is None


def test_other_packages_get_what_is_behind_the_lookup() -> None:
    model = chain()
    for export, path in ((cnn_core.interop.to_c, "never.c"), (cnn_core.interop.to_onnx, "never.onnx")):
        with pytest.raises(ValueError, match="looks at data while it is read, in Python: take the model"):
            export(model, path)
    with pytest.raises(ValueError, match="use `predict`"):
        model.predictor()
    lookup = model.layers[0]
    behind = cnn_core.Model(lookup.output, model.output)
    np.testing.assert_array_equal(behind.predict(lookup(SEEN)), model.predict(SEEN))
    assert behind.predictor()(np.array([[1.0]], "float32")).shape == (1, 1)


def test_texts_have_no_derivative_and_what_is_beside_them_has() -> None:
    model = graph()
    model.compile("sgd", "mse")
    _, inputs = model.gradients(data_for(model), TARGETS[:, None], with_inputs=True)
    kernel = model.layers[-1].get_weights()[0]
    residual = 2 * (model.predict(data_for(model)) - TARGETS[:, None]) / len(TARGETS)
    assert inputs["colour"] is None
    np.testing.assert_allclose(inputs["size"], residual @ kernel[4:6].T, rtol=1e-4, atol=1e-7)


def test_inputs_of_different_lengths_are_told_by_their_names() -> None:
    with pytest.raises(ValueError, match=r"^x\['colour'\] and x\['size'\] must have the same number of rows"):
        graph().predict({"colour": SEEN[:3], "size": SIZES[:2]})
