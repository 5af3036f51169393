"""Record models as Keras writes them in JSON, with weights, inputs and predictions.

Run by hand, in an environment of its own; the tests only read what it writes:

    pip install torch==2.13.0 keras==3.15.1
    KERAS_BACKEND=torch python tests/agreement/golden/record_keras_models.py
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
import numpy as np
from keras import layers

FILE = Path(__file__).parent / "keras_models.json"


def stack_of_dense() -> Any:
    model = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(6, "relu", kernel_regularizer="l2", kernel_constraint=keras.constraints.MaxNorm(3.0)),
            layers.Dropout(0.5, seed=1),
            layers.BatchNormalization(),
            layers.Dense(5, keras.activations.gelu, kernel_initializer=keras.initializers.HeNormal(seed=3)),
            layers.Dense(3, "softmax", use_bias=False, activity_regularizer=keras.regularizers.L1L2(0.1, 0.2)),
        ],
        name="stack",
    )
    model.compile(keras.optimizers.Adam(0.01, clipnorm=1.0), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def many_layers() -> Any:
    return keras.Sequential(
        [
            keras.Input((6,)),
            layers.Rescaling(0.5, offset=0.1),
            layers.Dense(8, dtype="float32"),
            layers.LeakyReLU(negative_slope=0.2),
            layers.Reshape((2, -1)),
            layers.LayerNormalization(),
            layers.Flatten(),
            layers.GaussianNoise(0.1),
            layers.PReLU(alpha_initializer="ones"),
            layers.RMSNormalization(),
            layers.AlphaDropout(0.2),
            layers.ELU(alpha=0.7),
            layers.GaussianDropout(0.2),
            layers.UnitNormalization(),
            layers.ActivityRegularization(l2=0.1),
            layers.ReLU(max_value=0.5),
            layers.Activation("tanh"),
            layers.Identity(),
            layers.Softmax(),
        ]
    )


def branches() -> Any:
    a, b = keras.Input((2,), name="a"), keras.Input((3,), name="b")
    shared = layers.Dense(3, name="shared")
    h = layers.Concatenate()([shared(layers.Dense(3, "tanh")(b)), shared(b), a])
    h = layers.Dropout(0.5)(h, training=False)
    outputs = [layers.Dense(1, name="value")(h), layers.Multiply()([shared(b), layers.Dense(3)(h)])]
    model = keras.Model({"a": a, "b": b}, outputs, name="branches")
    model.compile("sgd", {"value": "mse"}, loss_weights={"value": 0.5}, metrics={"value": ["mae"]})
    return model


def models_inside_models() -> Any:
    inner_input = keras.Input((3,))
    inner = keras.Model(
        inner_input, {"left": layers.Dense(2)(inner_input), "right": layers.Dense(2, "relu")(inner_input)}, name="inner"
    )
    x = keras.Input((3,))
    parts = inner(x)
    tower = keras.Sequential([layers.Dense(4, "relu"), layers.Dense(2)], name="tower")
    joined = layers.Add()([parts["left"], parts["right"], tower(x)])
    return keras.Model(x, layers.Dot(axes=1)([joined, inner(x)["right"]]))


def categories() -> Any:
    x = keras.Input((3,), dtype="int32", name="codes")
    return keras.Model(x, layers.Dense(1)(layers.Flatten()(layers.Embedding(7, 2, input_length=3)(x))))


def masked_categories() -> Any:
    x, rows = keras.Input((5,), dtype="int32", name="codes"), keras.Input((5, 2), name="rows")
    joined = layers.Concatenate()([layers.Embedding(7, 3, mask_zero=True)(x), layers.Masking(0.5)(rows)])
    hidden = layers.LayerNormalization()(layers.Dense(4, "tanh")(joined))
    return keras.Model([x, rows], layers.Dense(1)(layers.GlobalAveragePooling1D()(hidden)))


def masked_chain() -> Any:
    return keras.Sequential(
        [
            keras.Input((5,), dtype="int32"),
            layers.Embedding(7, 3, mask_zero=True),
            layers.Dropout(0.5),
            layers.GlobalAveragePooling1D(),
            layers.Dense(1),
        ]
    )


def computed_with_masks() -> Any:
    x, z = keras.Input((5,), dtype="int32"), keras.Input((5,), dtype="int32")
    first, second = layers.Embedding(7, 3, mask_zero=True)(x), layers.Embedding(7, 3, mask_zero=True)(z)
    product = layers.Multiply()([first, layers.BatchNormalization()(second)])
    extremes = layers.Subtract()([layers.Maximum()([first, second]), layers.Minimum()([first, second])])
    return keras.Model([x, z], layers.GlobalAveragePooling1D()(layers.Concatenate()([product, extremes])))


def grids() -> Any:
    x = keras.Input((4, 6))
    heads = layers.EinsumDense("abc,cde->abde", (4, 2, 3), "tanh", "de")(x)
    rows = layers.GroupNormalization(3)(layers.Reshape((4, 6))(layers.Permute((1, 3, 2))(heads)))
    highest = layers.RepeatVector(2)(layers.GlobalMaxPooling1D()(rows))
    return keras.Model(x, [highest, layers.GlobalAveragePooling1D("channels_last", keepdims=True)(rows)])


def single_numbers() -> Any:
    code, row = keras.Input((), dtype="int32"), keras.Input((2,))
    return keras.Model([code, row], layers.Dense(1)(layers.Concatenate()([layers.Embedding(7, 3)(code), row])))


def preprocessing() -> Any:
    normalization = layers.Normalization(mean=[1.0, 2.0, 3.0], variance=[1.0, 4.0, 9.0])
    return keras.Sequential([keras.Input((3,)), normalization, layers.Dense(2)])


MAKERS = (
    *(stack_of_dense, many_layers, branches, models_inside_models, categories, preprocessing),
    *(masked_categories, masked_chain, grids, single_numbers, computed_with_masks),
)


def draw(generator: np.random.Generator, shape: tuple[int, ...], dtype: str) -> list[Any]:
    if dtype.startswith("int"):
        return generator.integers(0, 7, shape).tolist()
    return (np.round(generator.normal(size=shape) * 16) / 16).tolist()


def recorded() -> Iterator[tuple[str, dict[str, Any]]]:
    for maker in MAKERS:
        keras.utils.clear_session()
        generator, model = np.random.default_rng(1), maker()
        weights = [np.abs(draw(generator, w.shape, "float32")).tolist() for w in model.get_weights()]
        model.set_weights([np.asarray(w) for w in weights])
        inputs = [draw(generator, (4, *symbol.shape[1:]), symbol.dtype) for symbol in model.inputs]
        outputs = model.predict([np.asarray(x) for x in inputs], verbose=0)
        yield (
            maker.__name__,
            {
                "json": json.loads(model.to_json()),
                "weights": weights,
                "inputs": inputs,
                "outputs": [each.tolist() for each in (outputs if isinstance(outputs, list) else [outputs])],
            },
        )


if __name__ == "__main__":
    data = {"source": {"package": "keras", "version": keras.__version__}, "models": dict(recorded())}
    FILE.write_text(json.dumps(data, separators=(",", ":")) + "\n", encoding="utf-8")
    print(FILE, FILE.stat().st_size)
