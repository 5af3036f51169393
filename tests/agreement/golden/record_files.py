"""Record the files that this version writes, and what they answer, so that every later version is held to read them.

    python tests/agreement/golden/record_files.py

A folder of a version is written once and never again.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

import cnn_core
from cnn_core import Input, Model, Sequential, layers
from cnn_core.sklearn import MLPClassifier, TabularClassifier, TabularRegressor

ROWS = np.random.default_rng(0).normal(size=(40, 3))
CLASSES = np.array(["no", "yes", "maybe"])[np.arange(40) % 3]


def main() -> None:
    cnn_core.utils.set_random_seed(0)
    folder = Path(__file__).parent / "files" / cnn_core.__version__
    folder.mkdir(parents=True)
    x = Input((3,), name="x")
    hidden = layers.BatchNormalization()(layers.Dense(4, "gelu", kernel_regularizer="l2")(x))
    classes = layers.Dense(3, "softmax", name="classes")(layers.Concatenate()([hidden, x]))
    models = {
        "functional": Model(x, {"classes": classes, "size": layers.Dense(1, name="size")(hidden)}),
        "sequential": Sequential([Input((3,)), layers.Dense(5, "tanh"), layers.Dropout(0.2), layers.Dense(1)]),
    }
    answers = {}
    for name, model in models.items():
        losses = {"classes": "categorical_crossentropy", "size": "mse"} if name == "functional" else "huber"
        y = {"classes": np.eye(3)[np.arange(40) % 3], "size": ROWS[:, :1]} if name == "functional" else ROWS[:, :1]
        model.compile(cnn_core.optimizers.AdamW(0.01), losses)
        model.fit(ROWS, y, epochs=2, verbose=0)
        model.save(folder / f"{name}.safetensors")
        model.save_weights(folder / f"{name}.weights.safetensors")
        found = model.predict(ROWS[:5], verbose=0)
        answers.update({f"{name}/{key}": value for key, value in _parts(found).items()})
    estimators = {
        "perceptron": MLPClassifier((4,), max_iter=300, tol=0.1, random_state=0).fit(ROWS, CLASSES),
        "classifier": TabularClassifier(hidden_layer_sizes=(8,), epochs=2, random_state=0).fit(ROWS, CLASSES),
        "regressor": TabularRegressor("periodic", hidden_layer_sizes=(8,), epochs=2, random_state=0).fit(
            ROWS, ROWS[:, 0]
        ),
    }
    for name, estimator in estimators.items():
        estimator.save(folder / f"{name}.safetensors")
        answer = estimator.predict_proba if hasattr(estimator, "predict_proba") else estimator.predict
        answers[name] = answer(ROWS[:5])
    np.savez_compressed(folder / "answers.npz", **answers)


def _parts(found: object) -> dict[str, np.ndarray]:
    return found if isinstance(found, dict) else {"": found}


if __name__ == "__main__":
    main()
