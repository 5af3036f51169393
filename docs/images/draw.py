"""Draw the pictures of the mathematics pages from what the library computes: `python docs/images/draw.py`."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import cnn_core
from cnn_core import activations, inspection, layers, losses, ops, optimizers
from cnn_core.foundation.charts import Curve, Panel, panels

FOLDER = Path(__file__).parent
LN3 = float(np.log(3.0))
X, Y = np.array([[1.0, 2.0, -1.0], [0.0, -1.0, 1.0]]), np.array([[1.0, 0.0], [0.0, 1.0]])


def example() -> Any:
    """Return the network that all pages share: its activations are short decimals."""
    model = cnn_core.Sequential(
        [
            cnn_core.Input((3,), name="x"),
            layers.Dense(4, activation="sigmoid", name="hidden"),
            layers.Dense(2, activation="sigmoid", name="output"),
        ]
    )
    kernels = [[1, 0, 1, 0], [0, 1, -1, 1], [0, 0, 1, 2]], [[2.08, 0.92], [1.2, -1.2], [1, -1], [-2, 1]]
    biases = [0, -1, 0, 0], [-1.56, -1.19]
    model.set_weights([LN3 * np.array(each) for each in (kernels[0], biases[0], kernels[1], biases[1])])
    model.compile("sgd", losses.HalfSquaredError())
    return model


def expression() -> str:
    """Draw the smallest graph."""
    return inspection.expression(lambda a, b, c: (a + b) * c, 5, 3, 2).to_svg()


def neuron() -> str:
    """Draw a neuron with its weights."""
    model = cnn_core.Sequential([cnn_core.Input((2,), name="x"), layers.Dense(1, "sigmoid", name="neuron")])
    model.set_weights([[[2.0], [-1.0]], [0.5]])
    return str(model.trace([[1.0, 2.0]]).to_svg(numbers=True))


def neuron_graph() -> str:
    """Draw a neuron and its loss, step by step."""
    return inspection.expression(lambda w, x, b, y: ops.square(ops.sigmoid(w * x + b) - y), 0.5, 2, -1, 1).to_svg()


def matrix() -> str:
    """Draw a batch through a layer as a product of matrices."""
    model = cnn_core.Sequential([cnn_core.Input((3,), name="x"), layers.Dense(4, activation="sigmoid", name="hidden")])
    model.set_weights(example().get_weights()[:2])
    return str(model.trace(X).to_svg("blocks"))


def network() -> str:
    """Draw the example going forward."""
    return str(example().trace(X).to_svg(sample=0, numbers=True))


def network_back() -> str:
    """Draw the example with what comes back."""
    return str(example().trace(X, Y).to_svg(sample=0))


def blocks() -> str:
    """Draw the layers of the example as blocks."""
    return str(example().trace(X, Y).to_svg("blocks"))


def softmax() -> str:
    """Draw the softmax of three sums and its cross-entropy."""
    z, y = np.log([[1.0, 2.0, 5.0]]), [[0.0, 1.0, 0.0]]
    return inspection.expression(lambda z, y: -ops.sum(y * ops.log(ops.softmax(z))), z=z, y=y).to_svg()


def normalization() -> str:
    """Draw a batch normalization as a block."""
    x, dy = np.array([1.0, 1.0, 5.0, 5.0]), np.array([0.5, 0.0, 0.0, 0.25])
    model = cnn_core.Sequential([cnn_core.Input((1,), name="x"), layers.BatchNormalization(epsilon=2.25, name="norm")])
    model.compile("sgd", losses.HalfSquaredError())
    return str(model.trace(x[:, None], ((x - 3) / 2.5 - 4 * dy)[:, None]).to_svg("blocks"))


def deviation() -> str:
    """Draw how the deviation of a normalization depends on each element."""
    return inspection.expression(
        lambda x: ops.sqrt(ops.mean(ops.square(x - ops.mean(x))) + 2.25), x=[1.0, 1.0, 5.0, 5.0]
    ).to_svg()


def activations_chart() -> str:
    """Draw four activations with their derivatives."""
    z = np.linspace(-4, 4, 161)
    shown: list[tuple[str, Any]] = [
        ("sigmoid", activations.sigmoid),
        ("tanh", activations.tanh),
        ("relu", activations.relu),
        ("leaky_relu, slope 0.2", activations.leaky_relu),
    ]
    drawn = [Panel(name, [_curve("g(z)", z, g(z)), _curve("g'(z)", z, g.derivative(z))], "z") for name, g in shown]
    return panels(drawn, "Activations and their derivatives").to_svg()


def losses_chart() -> str:
    """Draw both losses of a sigmoid neuron for the label 1, and their deltas."""
    z = np.linspace(-6, 6, 161)
    a = activations.sigmoid(z)
    values = Panel(
        "J, label 1", [_curve("cross-entropy", z, np.log1p(np.exp(-z))), _curve("(a - y)²/2", z, (a - 1) ** 2 / 2)], "z"
    )
    deltas = Panel(
        "delta, label 1", [_curve("cross-entropy", z, a - 1), _curve("(a - y)²/2", z, (a - 1) * a * (1 - a))], "z"
    )
    return panels([values, deltas], "Two losses and their deltas").to_svg()


def weight_decay() -> str:
    """Draw a loss of one weight, with and without a penalty on its square."""
    w = np.linspace(-1, 4, 161)
    loss = np.square(w - 2) / 2
    curves = [_curve("J", w, loss), _curve("J + w²/2", w, loss + np.square(w) / 2)]
    return panels([Panel("J, and with decay 1", curves, "w")], "Weight decay").to_svg()


def descent() -> str:
    """Draw steps against the gradient, with two learning rates."""
    w = np.linspace(-1, 5, 161)
    shown = []
    for rate in (0.3, 1.7):
        steps = [-0.8]
        for _ in range(12):
            steps.append(steps[-1] - rate * (steps[-1] - 2))
        curves = [_curve("J", w, np.square(w - 2) / 2), _curve("steps", steps, np.square(np.array(steps) - 2) / 2)]
        shown.append(Panel(f"learning rate {rate}", curves, "w"))
    return panels(shown, "Steps against the gradient").to_svg()


def vanishing() -> str:
    """Draw how large delta is in each layer of a deep network."""
    curves = []
    for activation, initializer in (("sigmoid", "glorot_uniform"), ("relu", "he_normal")):
        cnn_core.utils.set_random_seed(5)
        hidden = [layers.Dense(20, activation, kernel_initializer=initializer) for _ in range(12)]
        model = cnn_core.Sequential([cnn_core.Input((20,)), *hidden, layers.Dense(1)])
        model.compile("sgd", "mse")
        data = np.random.default_rng(0).normal(size=(50, 20))
        sizes = [np.sqrt(np.square(layer.delta).mean()) for layer in model.trace(data, data[:, :1])][:-1]
        curves.append(_curve(activation, np.arange(1, 13), np.log10(sizes)))
    panel = Panel("log10 of the root mean square of delta", curves, "layer")
    return panels([panel], "Gradients that vanish").to_svg()


def differences() -> str:
    """Draw how exact a central difference is."""
    model = example()
    kernel, gradient = model.get_layer("hidden").kernel, model.trace(X, Y)["hidden"].dW[0, 2]
    before = kernel.numpy().copy()

    def loss(change: float) -> float:
        moved = before.copy()
        moved[0, 2] += change
        kernel.assign(moved)
        return float(model.trace(X, Y).loss)

    exponents = np.arange(-11, 0.5, 0.5)
    errors = [abs((loss(10.0**e) - loss(-(10.0**e))) / (2 * 10.0**e) - gradient) for e in exponents]
    shown = _curve("measured", exponents, np.log10(errors))
    return panels([Panel("log10 of the error", [shown], "log10 of epsilon")], "Central differences").to_svg()


def exclusive_or() -> str:
    """Draw how the exclusive or is learned."""
    cnn_core.utils.set_random_seed(1)
    corners, answers = [[0, 0], [0, 1], [1, 0], [1, 1]], [[0], [1], [1], [0]]
    model = cnn_core.Sequential([cnn_core.Input((2,)), layers.Dense(8, "tanh"), layers.Dense(1, "sigmoid")])
    model.compile(optimizers.SGD(1.0), "binary_crossentropy", metrics=["accuracy"])
    history = model.fit(corners, answers, batch_size=4, epochs=200, verbose=0)
    drawn = [Panel(name, [Curve("training", history.epoch, history.history[name])]) for name in ("loss", "accuracy")]
    return panels(drawn, "Learning the exclusive or").to_svg()


def _curve(label: str, x: Any, y: Any) -> Curve:
    points: Sequence[float] = np.asarray(x).round(9).tolist()
    return Curve(label, points, np.asarray(y).round(9).tolist())


PICTURES: dict[str, Callable[[], str]] = {
    "expression": expression,
    "neuron": neuron,
    "neuron_graph": neuron_graph,
    "matrix": matrix,
    "network": network,
    "network_back": network_back,
    "blocks": blocks,
    "softmax": softmax,
    "normalization": normalization,
    "deviation": deviation,
    "activations": activations_chart,
    "losses": losses_chart,
    "weight_decay": weight_decay,
    "descent": descent,
    "vanishing": vanishing,
    "differences": differences,
    "exclusive_or": exclusive_or,
}


def draw(name: str) -> str:
    """Return a picture as SVG."""
    before = cnn_core.config.floatx()
    cnn_core.config.set_floatx("float64")
    try:
        # A sum that is 0 on paper is some 1e-16 by rounding, which differs from machine to machine.
        return re.sub(r"−?[\d.]+e−1[5-9]\b", "0", PICTURES[name]()) + "\n"
    finally:
        cnn_core.config.set_floatx(before)


if __name__ == "__main__":
    for each in PICTURES:
        (FOLDER / f"{each}.svg").write_text(draw(each), encoding="utf-8")
