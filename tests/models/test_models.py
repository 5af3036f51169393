"""Models as structures: built, called, nested; how they order and name what they hold."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cnn_core
from cnn_core import layers, optimizers
from cnn_core.foundation.structures import flatten
from cnn_core.models import Model, Sequential, clone_model
from cnn_core.network.graph import CallGraph, Symbol
from model_cases import X, Y, expected_of_branches, sequential, trained, with_branches


def test_a_sequential_is_built_by_whatever_tells_its_input() -> None:
    built = [
        Sequential([cnn_core.Input((4,)), layers.Dense(2)]),
        Sequential([layers.InputLayer((4,)), layers.Dense(2)]),
        Sequential([layers.Dense(2, input_shape=(4,))]),
        Sequential([layers.Dense(2, input_dim=4)]),
    ]
    later = [Sequential([layers.Dense(2)]) for _ in range(5)]
    assert not any(model.built for model in later)
    later[0].build((None, 4))
    later[1](X)
    later[2].predict(X)
    later[3].compile("sgd", "mse")
    later[3].fit(X, Y, verbose=0)
    later[4](cnn_core.Input((4,)))
    for model in (*built, *later):
        assert model.built
        assert model.input_shape == (None, 4)
        assert model.output_shape == (None, 2)
        assert [w.shape for w in model.get_weights()] == [(4, 2), (2,)]


def test_a_vector_is_a_column_of_samples() -> None:
    model = Sequential([layers.Dense(2)])
    assert model.predict([1.0, 2.0, 3.0]).shape == (3, 2)
    assert model.input_shape == (None, 1)


def test_adding_and_popping() -> None:
    model = Sequential()
    model.add(cnn_core.Input((4,)))
    assert not model.built
    first, second = layers.Dense(3), layers.Dense(2)
    model.add(first)
    assert model.output_shape == (None, 3)
    kernel = first.kernel.numpy()
    model.add(second)
    assert model.layers == [first, second]
    assert np.array_equal(first.kernel.numpy(), kernel), "what is there keeps its weights"
    assert model.pop() is second
    assert model.output_shape == (None, 3)
    assert model.pop() is first
    assert not model.built
    with pytest.raises(ValueError, match="`pop` needs a layer"):
        model.pop()


def test_calls_below_stay_as_they_are_when_layers_are_added_and_popped() -> None:
    shared = layers.Dense(4)
    model = Sequential([cnn_core.Input((4,)), shared, layers.Dropout(0.5), shared])
    calls = list(model.graph.nodes)
    top = layers.Dense(2)
    model.add(top)
    assert list(map(id, model.graph.nodes[:3])) == list(map(id, calls))
    assert model.pop() is top
    assert list(map(id, model.graph.nodes)) == list(map(id, calls))
    assert [call() for call in top.calls] == []
    assert model.pop() is shared
    assert [call() for call in shared.calls] == [calls[0]]
    assert model.predict(X).shape == (12, 4)


def test_masks_reach_a_layer_that_is_added_above_them() -> None:
    x = np.array([[1, 2, 0], [3, 0, 0]])
    built = [layers.Embedding(5, 2, mask_zero=True), layers.Dense(3), layers.GlobalAveragePooling1D()]
    at_once = Sequential([cnn_core.Input((3,)), *built])
    one_by_one = Sequential([cnn_core.Input((3,))])
    for layer in cnn_core.models.clone_model(at_once).layers:
        one_by_one.add(layer)
    one_by_one.set_weights(at_once.get_weights())
    np.testing.assert_array_equal(one_by_one.predict(x), at_once.predict(x))


def test_what_does_not_fit_is_not_added() -> None:
    model = sequential()
    before = list(model.layers)
    wide = layers.Dense(3)
    wide.build((None, 9))
    for wrong, error, message in (
        (wide, ValueError, "has a kernel of shape"),
        (cnn_core.Input((2,)), ValueError, "An Input must be the first layer"),
        (layers.Dense(1, name=before[0].name), ValueError, "Layers of one model must have different names"),
        ("dense", TypeError, "`layers` must hold layers"),
        (layers.Dense, TypeError, "`layers` must hold layers"),
        (layers.Reshape((5,)), ValueError, "must keep the number of elements"),
    ):
        with pytest.raises(error, match=message):
            model.add(wrong)
        assert model.layers == before
        assert model.predict(X).shape == (12, 2)


def test_what_is_not_built_says_so() -> None:
    model = Sequential([layers.Dense(2)])
    for attribute in ("inputs", "outputs", "input_shape", "output_shape", "array_dtype", "output_names"):
        with pytest.raises(ValueError, match=r"has no input yet: begin it with Input\(shape\), or call build or fit"):
            getattr(model, attribute)
    with pytest.raises(ValueError, match="`input_shape` must be given"):
        model.build()
    with pytest.raises(ValueError, match="A model needs layers"):
        Sequential().predict(X)
    assert model.get_weights() == []
    with pytest.raises(ValueError, match="must be known but for the batch"):
        Sequential([cnn_core.Input((None, 4)), layers.Dense(2)]).predict(np.zeros((2, 3, 4)))


def test_a_failed_build_leaves_it_unbuilt() -> None:
    model = Sequential([layers.Dense(2), layers.Reshape((3,))])
    with pytest.raises(ValueError, match="must keep the number of elements"):
        model.predict(X)
    assert not model.built
    model.pop()
    assert model.predict(X).shape == (12, 2)


# Functional


def test_a_network_with_branches_computes_them() -> None:
    model = with_branches()
    left, right = X, X[::-1].copy()
    expected = expected_of_branches(model, left, right)
    forms = [
        model.predict([left, right]),
        model.predict({"right": right, "left": left}),
        model.predict((left, right)),
        model([left, right]),
        model({"left": left, "right": right}),
        model.predict_on_batch([left, right]),
    ]
    for outputs in forms:
        assert isinstance(outputs, list)
        for ours, desired in zip(outputs, expected, strict=True):
            np.testing.assert_allclose(ours, desired, rtol=1e-5, atol=1e-6)


def test_names_shapes_and_variables_of_a_network() -> None:
    model = with_branches()
    assert model.input_names == ["left", "right"]
    assert model.output_names == ["first", "second"]
    assert model.input_shape == [(None, 4), (None, 4)]
    assert model.output_shape == [(None, 2), (None, 1)]
    assert [symbol.name for symbol in model.inputs] == ["left", "right"]
    names = [layer.name for layer in model.layers]
    assert sorted(names[:2]) == ["left", "right"]
    assert names[2:] == ["shared", "joined", "first", "second"]
    assert len(model.variables) == 6, "a shared layer's variables count once"
    assert model.count_params() == 20 + 10 + 5
    assert model.get_layer("shared") is model.get_layer(index=2)
    assert model.get_layer(index=-1).name == "second"


def test_outputs_of_one_layer_have_names_of_their_own() -> None:
    inputs = cnn_core.Input((4,))
    first, second = layers.Dense(2, name="a")(inputs), layers.Dense(2, name="a_1")(inputs)
    assert Model(inputs, [first, first, first]).output_names == ["a", "a_1", "a_2"]
    assert Model(inputs, [first, first, second]).output_names == ["a", "a_2", "a_1"]


def test_layers_are_looked_up() -> None:
    model = with_branches()
    with pytest.raises(ValueError, match=r"`name` must be .* Received: name='shard'. Did you mean 'shared'"):
        model.get_layer("shard")
    with pytest.raises(ValueError, match="either a name or an index"):
        model.get_layer()
    with pytest.raises(ValueError, match="`index` must be smaller than 6"):
        model.get_layer(index=6)


def test_layers_are_the_same_objects_every_time() -> None:
    model = with_branches()
    assert all(a is b for a, b in zip(model.layers, model.layers, strict=True))


def test_dicts_count_by_sorted_keys_as_in_keras() -> None:
    first, second = cnn_core.Input((4,), name="first"), cnn_core.Input((3,), name="second")
    joined = layers.Concatenate()([first, second])
    outputs = {key: layers.Dense(units, name=f"dense_{key}")(joined) for key, units in (("z", 3), ("a", 1), ("m", 2))}
    model = Model({"late": first, "early": second}, outputs)
    assert model.input_names == ["early", "late"]
    assert model.output_names == ["a", "m", "z"]
    assert [layer.name for layer in model.layers][-3:] == ["dense_a", "dense_m", "dense_z"]
    assert [weight.shape for weight in model.get_weights()] == [(7, 1), (1,), (7, 2), (2,), (7, 3), (3,)]
    by_name = model.predict({"late": X, "early": X[:, :3]})
    assert list(by_name) == ["a", "m", "z"]
    again = Model.from_config(model.get_config())
    again.set_weights(model.get_weights())
    for either in (model, again):
        with pytest.raises(ValueError, match=r"x must have the form \{'late': 'late', 'early': 'early'\}"):
            either.predict([X[:, :3], X])
        with pytest.raises(ValueError, match="x must have the form"):
            either([first, second])
    np.testing.assert_array_equal(again.predict({"early": X[:, :3], "late": X})["z"], by_name["z"])


def test_a_list_stands_for_a_dict_whose_keys_are_in_order() -> None:
    a, b = cnn_core.Input((4,), name="a"), cnn_core.Input((4,), name="b")
    model = Model({"a": a, "b": b}, layers.Subtract()([a, b]))
    np.testing.assert_array_equal(model.predict([X, 2 * X]), model.predict({"b": 2 * X, "a": X}))


def test_nested_inputs_and_targets_are_fed_in_their_form() -> None:
    a, b, c = (cnn_core.Input((2,), name=name) for name in "abc")
    total = layers.Add(name="total")([a, c])
    model = Model({"pair": {"z": b, "y": a}, "one": [c]}, {"deep": {"v": [total, b]}, "flat": layers.Dense(1)(c)})
    x = {"pair": {"z": X[:, 2:], "y": X[:, :2]}, "one": [X[:, 1:3]]}
    by_name = {"a": X[:, :2], "b": X[:, 2:], "c": X[:, 1:3]}
    np.testing.assert_array_equal(model.predict(x)["deep"]["v"][0], X[:, :2] + X[:, 1:3])
    np.testing.assert_array_equal(model.predict(by_name)["deep"]["v"][1], X[:, 2:])
    np.testing.assert_array_equal(model(x)["deep"]["v"][0], X[:, :2] + X[:, 1:3])
    again = Model({"p": {"z": b, "y": a}, "q": c}, model({"pair": {"y": a, "z": b}, "one": [c]})["deep"]["v"][0])
    np.testing.assert_array_equal(
        again.predict({"p": {"y": X[:, :2], "z": X[:, 2:]}, "q": X[:, 1:3]}), X[:, :2] + X[:, 1:3]
    )
    model.compile("sgd", {"deep": {"v": ["mse", "mae"]}, "flat": "mse"}, metrics={"deep": {"v": [["mae"], []]}})
    y = {"flat": np.zeros((12, 1)), "deep": {"v": [np.zeros((12, 2)), np.zeros((12, 2))]}}
    logs = model.evaluate(x, y, return_dict=True, verbose=0)
    assert logs["b_loss"] == pytest.approx(np.abs(X[:, 2:]).mean(), rel=1e-5)
    assert logs["total_mae"] == pytest.approx(np.abs(X[:, :2] + X[:, 1:3]).mean(), rel=1e-5)
    for wrong, where in (({"pair": x["pair"]}, "x must have the keys"), ({**x, "one": X}, r"x\['one'\] must have")):
        with pytest.raises(ValueError, match=where):
            model.predict(wrong)
    with pytest.raises(ValueError, match="x must have the form"):
        model.predict([X[:, :2], X[:, 2:], X[:, 1:3]])


@pytest.mark.parametrize("arguments", [{"loss": ["mse", "mae"]}, {"loss": "mse", "loss_weights": [1.0, 2.0]}])
def test_lists_by_output_need_dicts_whose_keys_are_in_order(arguments: dict[str, Any]) -> None:
    x = cnn_core.Input((4,))
    y = [np.zeros((12, 1)), np.zeros((12, 1))]
    for keys, fits in (("ab", True), ("ba", False)):
        model = Model(x, {key: layers.Dense(1, name=f"dense_{keys}_{key}")(x) for key in keys})
        model.compile("sgd", **arguments)
        if fits:
            assert np.isfinite(model.evaluate(X, y, verbose=0)).all()
            continue
        with pytest.raises(ValueError, match=f"`{list(arguments)[-1]}` must have the form"):
            model.evaluate(X, dict(zip(keys, y, strict=True)), verbose=0)
        model.compile("sgd", "mse")
        with pytest.raises(ValueError, match="y must have the form"):
            model.evaluate(X, y, verbose=0)


def test_structures_are_kept() -> None:
    a, b = cnn_core.Input((2,), name="a"), cnn_core.Input((2,), name="b")
    model = Model({"p": a, "q": b}, {"sum": layers.Add()([a, b]), "both": [layers.Concatenate()([a, b]), a]})
    x = {"q": X[:, 2:], "p": X[:, :2]}
    outputs = model.predict(x)
    np.testing.assert_array_equal(outputs["sum"], X[:, :2] + X[:, 2:])
    np.testing.assert_array_equal(outputs["both"][0], X)
    np.testing.assert_array_equal(outputs["both"][1], X[:, :2])
    again = Model({"r": a, "s": b}, model({"q": b, "p": a}))
    np.testing.assert_array_equal(again.predict({"r": X[:, :2], "s": X[:, 2:]})["both"][0], X)


def test_an_input_may_be_an_output_and_a_symbol_two_outputs() -> None:
    x = cnn_core.Input((4,))
    hidden = layers.Dense(3, "tanh", name="hidden")(x)
    model = Model(x, [x, hidden, hidden])
    model.compile("sgd", ["mse", "mse", None])
    through, first, second = model.predict(X)
    np.testing.assert_array_equal(through, X)
    np.testing.assert_array_equal(first, second)
    y = [np.zeros((12, 4)), np.ones((12, 3)), None]
    logs = model.evaluate(X, y, return_dict=True, verbose=0)
    assert logs["loss"] == pytest.approx((X**2).mean() + ((first - 1) ** 2).mean(), rel=1e-5)
    before = model.get_weights()
    model.fit(X, y, verbose=0)
    assert not np.array_equal(before[0], model.get_weights()[0])


def test_an_inner_symbol_may_be_an_input() -> None:
    x = cnn_core.Input((4,))
    hidden = layers.Dense(3, "tanh", name="hidden")(x)
    out = layers.Dense(2, name="out")(hidden)
    whole, head = Model(x, out), Model(hidden, out)
    assert [layer.name for layer in head.layers[1:]] == ["out"]
    middle = Model(x, whole.get_layer("hidden").output).predict(X)
    np.testing.assert_array_equal(head.predict(middle), whole.predict(X))


def test_a_graph_that_is_not_connected_is_named() -> None:
    a, b = cnn_core.Input((2,), name="a"), cnn_core.Input((2,), name="b")
    both = layers.Add()([a, b])
    with pytest.raises(ValueError, match=r"`inputs` must list every input that the outputs depend on. Missing: 'b'"):
        Model(a, both)
    with pytest.raises(TypeError, match="`outputs` must be symbols"):
        Model(a, np.zeros((2, 2)))
    with pytest.raises(TypeError, match="`inputs` must be symbols"):
        Model(layers.Dense(2), both)
    with pytest.raises(ValueError, match=r"Layers of one model must have different names. Received: 'twin' twice"):
        Model(a, layers.Dense(2, name="twin")(layers.Dense(2, name="twin")(a)))


def test_an_input_that_nothing_reads() -> None:
    a, b = cnn_core.Input((2,), name="a"), cnn_core.Input((3,), name="b")
    model = Model([a, b], layers.Dense(1)(a))
    model.compile("sgd", "mse")
    model.fit([X[:, :2], X[:, :3]], Y[:, :1], verbose=0)
    assert model.predict([X[:, :2], X[:, :3]]).shape == (12, 1)


def test_symbols_refuse_to_be_numbers() -> None:
    x = cnn_core.Input((2,))
    for wrong in (lambda: np.asarray(x), lambda: bool(x), lambda: np.exp(x)):
        with pytest.raises(TypeError):
            wrong()


def test_layers_know_their_symbols() -> None:
    model = sequential()
    first, last = model.layers
    assert model.input is first.input
    assert model.output is last.output
    assert first.output is last.input
    features = Model(model.input, first.output)
    np.testing.assert_array_equal(features.predict(X), first(X))
    model.add(layers.Dense(1))
    assert last.output is model.layers[-1].input, "calls that are no longer part of a model are forgotten"
    shared = with_branches().get_layer("shared")
    with pytest.raises(ValueError, match=r"the layer must have been called on symbols once. Received: 2 calls"):
        _ = shared.output
    with pytest.raises(ValueError, match="Received: 0 calls"):
        _ = layers.Dense(2).input


# Keras's order, in which get_weights lists the weights: worked out with Keras 3.15.


def test_layers_come_in_keras_s_order() -> None:
    x, z = cnn_core.Input((4,), name="x"), cnn_core.Input((3,), name="z")
    a = layers.Dense(4, name="a")(x)
    b = layers.Dense(3, name="b")(z)
    c = layers.Concatenate(name="c")([a, b])
    d = layers.Dense(2, name="d")(c)
    e = layers.Dense(2, name="e")(a)
    model = Model([x, z], [e, layers.Add(name="f")([d, e])])
    assert [layer.name for layer in model.layers] == ["x", "z", "a", "b", "c", "e", "d", "f"]


# Nested models


def test_models_are_layers() -> None:
    cnn_core.utils.set_random_seed(3)
    inner = Sequential([layers.Dense(3, "tanh", name="i1"), layers.Dense(2, name="i2")], name="inner")
    x = cnn_core.Input((4,))
    outer = Model(x, layers.Add()([inner(x), inner(layers.Dense(4, name="turn")(x))]))
    turned = outer.get_layer("turn")(X)
    np.testing.assert_allclose(outer.predict(X), inner.predict(X) + inner.predict(turned), rtol=1e-5, atol=1e-6)
    assert outer.get_layer("inner") is inner
    assert len(outer.variables) == 6
    outer.compile("sgd", "mse")
    inner.trainable = False
    kept = inner.get_weights()
    outer.fit(X, Y, verbose=0)
    assert all(map(np.array_equal, inner.get_weights(), kept))
    assert [variable.path for variable in outer.trainable_variables] == ["turn/kernel", "turn/bias"]
    inner.trainable = True
    outer.fit(X, Y, verbose=0)
    assert not np.array_equal(inner.get_weights()[0], kept[0])


def test_a_sequential_of_models() -> None:
    first, second = sequential(), Sequential([layers.Dense(3), layers.Dense(1)])
    model = Sequential([first, second])
    assert model.output_shape == (None, 1)
    np.testing.assert_array_equal(model.predict(X), second.predict(first.predict(X)))


def test_calling_a_model_on_what_does_not_fit() -> None:
    model = with_branches()
    x = cnn_core.Input((4,))
    with pytest.raises(ValueError, match=r"takes 2 inputs. Received: 1"):
        model(x)
    with pytest.raises(ValueError, match=r"expects an input of shape \(None, 4\). Received: shape=\(None, 3\)"):
        model([x, cnn_core.Input((3,))])
    with pytest.raises(TypeError, match="must be called on symbols or on arrays, not on both"):
        model([x, X])
    with pytest.raises(ValueError, match="x must be a list of 2 arrays or a dict with the keys 'left', 'right'"):
        model(X)


def test_calling_in_training_mode() -> None:
    model = Sequential([cnn_core.Input((4,)), layers.Dropout(0.5)])
    np.testing.assert_array_equal(model(X), X)
    dropped = model(X, training=True)
    assert dropped.shape == X.shape
    assert 0 < (dropped == 0).mean() < 1
    assert set(np.unique((dropped / X).round(5))) == {0.0, 2.0}
    both = with_branches()([X, X], training=True)
    assert [output.shape for output in both] == [(12, 2), (12, 1)]


def test_a_model_as_a_block() -> None:
    model = sequential()
    a, cache = model.forward(X)
    np.testing.assert_array_equal(a, model.predict(X))
    dx, *gradients = model.backward(a - Y, cache)
    model.compile("sgd", "half_squared_error")
    expected, expected_dx = model.gradients(X, Y, with_inputs=True)
    np.testing.assert_allclose(dx / 12, expected_dx, rtol=1e-4, atol=1e-6)
    for ours, theirs in zip(gradients, expected, strict=True):
        np.testing.assert_allclose(ours / 12, theirs, rtol=1e-4, atol=1e-6)


# Weights


def test_weights_are_set_all_or_none() -> None:
    model = sequential()
    before = model.get_weights()
    new = [w + 1 for w in before]
    for wrong, message in (
        (new[:3], "`weights` must have 4 arrays for .*: dense.*/kernel, .* Received: 3"),
        ([*new[:3], np.zeros(5)], r"dense.*/bias must have the shape \(2,\). Received: shape=\(5,\)"),
        ([*new[:3], ["a", "b"]], "must hold numbers"),
    ):
        with pytest.raises((ValueError, TypeError), match=message):
            model.set_weights(wrong)
        assert all(map(np.array_equal, model.get_weights(), before))
    model.set_weights(new)
    assert all(map(np.array_equal, model.get_weights(), new))
    given = model.get_weights()
    given[0][...] = 0
    assert not np.array_equal(model.get_weights()[0], given[0]), "get_weights returns copies"


def test_weights_set_between_fits_count() -> None:
    model = sequential()
    model.compile(optimizers.SGD(0.0), "mse")
    model.fit(X, Y, verbose=0)
    model.set_weights([np.zeros_like(w) for w in model.get_weights()])
    assert model.fit(X, Y, batch_size=12, verbose=0).history["loss"][0] == pytest.approx((Y**2).mean(), rel=1e-6)
    np.testing.assert_array_equal(model.predict(X), np.zeros((12, 2)))


# Configurations


@pytest.mark.parametrize("make", [sequential, with_branches, lambda: Sequential([layers.Dense(2)], name="later")])
def test_configurations_rebuild_the_structure(make: Any) -> None:
    model = make()
    for twin in (
        type(model).from_config(model.get_config()) if not model.built else clone_model(model),
        cnn_core.model_from_json(model.to_json()),
        cnn_core.model_from_json(model.to_json(indent=2)),
    ):
        assert type(twin) is type(model)
        assert twin.name == model.name
        assert [layer.name for layer in twin.layers] == [layer.name for layer in model.layers]
        assert twin.built == model.built
        assert [v.shape for v in twin.variables] == [v.shape for v in model.variables]
        if model.built:
            twin.set_weights(model.get_weights())
            x = [X, X] if len(model.inputs) == 2 else [X]
            for a, b in zip(flatten(model.predict(x)), flatten(twin.predict(x)), strict=True):
                np.testing.assert_array_equal(a, b)


def test_a_clone_has_new_weights_and_new_layers() -> None:
    model = trained()
    clone = clone_model(model)
    assert clone.layers[0] is not model.layers[0]
    assert clone.compiled
    assert not np.array_equal(clone.get_weights()[0], model.get_weights()[0])

    def wider(layer: Any) -> Any:
        return type(layer).from_config({**layer.get_config(), "activation": "relu"})

    assert clone_model(model, clone_function=wider).layers[0].activation.name == "relu"


def test_a_clone_of_what_people_write() -> None:
    class Cubic:
        def forward(self, z: Any) -> Any:
            return z**3

        def derivative(self, z: Any, a: Any) -> Any:
            return 3 * z**2

    class Doubled(layers.Dense):
        pass

    model = Sequential([cnn_core.Input((4,)), Doubled(2, activation=Cubic())])
    clone = clone_model(model)
    clone.set_weights(model.get_weights())
    assert type(clone.layers[0]) is Doubled
    np.testing.assert_array_equal(clone.predict(X), model.predict(X))


def test_trainable_is_part_of_a_configuration() -> None:
    model = sequential()
    model.layers[0].trainable = False
    assert len(clone_model(model).trainable_variables) == 2
    model.trainable = False
    assert clone_model(model).trainable_variables == []


# The graph underneath


def test_call_graph_in_numbers() -> None:
    model = with_branches()
    graph = model.graph
    assert isinstance(graph, CallGraph)
    assert [symbol.name for symbol in graph.symbols[:2]] == ["left", "right"]
    calls = graph.calls()
    assert [graph.layers[call["layer"]].name for call in calls] == ["shared", "shared", "joined", "first", "second"]
    assert calls[0]["inputs"] == [0]
    assert calls[1]["inputs"] == [1]
    assert calls[2]["inputs"] == [2, 3, 0]
    assert graph.numbered(graph.output_structure) == [5, 6]
    assert all(isinstance(symbol, Symbol) for symbol in graph.symbols)


def test_a_model_is_freed(tmp_path: Path) -> None:
    import weakref

    model = trained()
    model.save(tmp_path / "model")
    dead = weakref.ref(model), weakref.ref(model.layers[0].kernel), weakref.ref(model.optimizer)
    del model
    gc.collect()
    assert [each() for each in dead] == [None, None, None]


def test_building_models_leaves_nothing_behind() -> None:
    import cnn_core.foundation.numbering as numbering

    sequential()
    with_branches()
    before = len(numbering._counters)
    for _ in range(20):
        sequential()
        with_branches()
    assert len(numbering._counters) == before
