"""Record what Keras's functions give, the gradients that PyTorch's autograd finds behind them, and a model of them.

Run by hand, in an environment of its own; the tests only read what it writes:

    pip install keras==3.15.1 torch==2.13.0 numpy
    KERAS_BACKEND=torch python tests/agreement/golden/record_ops.py
"""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "support"))

import keras
import numpy as np
import torch
from keras import ops

from ops_cases import CASES, Case


def recorded(case: Case) -> dict[str, np.ndarray]:
    """Return the value, and the gradient of its sum weighted by 1, 2, 3, ... for each operand."""
    operands = [torch.tensor(operand, requires_grad=True) for operand in case.operands()]
    value = case.function(ops, *operands)
    found = {"value": ops.convert_to_numpy(value)}
    if value.requires_grad:
        weights = torch.arange(1.0, value.numel() + 1, dtype=torch.float64).reshape(value.shape)
        with contextlib.suppress(RuntimeError):  # PyTorch knows no derivative of a floor_divide
            (weights * value).sum().backward()
    for place, operand in enumerate(operands):
        gradient = np.zeros(operand.shape) if operand.grad is None else operand.grad.numpy()
        found[f"gradient {place}"] = gradient
    return found


def model_of_functions() -> keras.Model:
    """Return a functional model in which most functions stand, as Keras writes them."""
    i = keras.Input((4,))
    h = keras.layers.Dense(4)(i)
    parts = [
        h + i,
        2 * h,
        1 - h,
        h / 2,
        3 / (h**2 + 1),
        -h,
        abs(h),
        h[:, :2],
        h[:, 1:3, None][:, :, 0],
        ops.mean(h, axis=1, keepdims=True),
        h @ ops.ones((4, 2)),
        ops.relu(h),
        ops.clip(h, -1, 1),
        ops.split(h, 2, axis=1)[1],
        ops.cast(h > 0, "float32"),
        ops.where(h > 0, h, i),
        ops.softmax(h),
        ops.reshape(ops.reshape(h, (-1, 2, 2)), (-1, 4)),
        h**2,
        ops.take(h, [0, 1], axis=1),
        ops.gelu(h),
        ops.leaky_relu(h, negative_slope=0.3),
        ops.std(h, axis=1, keepdims=True),
        ops.norm(h, axis=1, keepdims=True),
        ops.var(h, axis=-1, keepdims=True),
        ops.expand_dims(ops.max(h, axis=1), 1),
        ops.stack([h, i], axis=1)[:, 0],
        ops.transpose(ops.reshape(h, (-1, 2, 2)), (0, 2, 1))[:, 0],
        ops.exp(h) * ops.log(ops.abs(h) + 1),
        ops.maximum(h, 0.5),
        ops.logsumexp(h, axis=1, keepdims=True),
        ops.square(h),
        ops.sqrt(ops.abs(h)),
        ops.concatenate([h, i], axis=-1),
        ops.repeat(h, 2, axis=1),
        ops.tile(h, (1, 2)),
        ops.flip(h, axis=1),
        ops.one_hot(ops.argmax(h, axis=1), 4),
        ops.sigmoid(h),
        ops.tanh(h),
        ops.power(h, 3),
        ops.minimum(i, h),
        ops.normalize(h, axis=1),
        ops.log_softmax(h),
        ops.silu(h),
        ops.cumsum(h, axis=1),
        ops.sum(h * i, axis=1, keepdims=True),
        ops.round(h * 3),
        ops.squeeze(h[:, :1, None], axis=2),
        ops.einsum("bi,bi->b", h, i)[:, None],
    ]
    return keras.Model(i, ops.concatenate(parts, axis=1))


def record_model() -> None:
    """Write the model as JSON, with weights, inputs and outputs."""
    keras.utils.set_random_seed(0)
    model, x = model_of_functions(), np.random.default_rng(0).normal(size=(5, 4)).astype("float32")
    outputs = model.predict(x, verbose=0)
    found = {
        "keras": keras.__version__,
        "json": model.to_json(),
        "weights": [w.tolist() for w in model.get_weights()],
        "x": x.tolist(),
        "y": outputs.tolist(),
    }
    Path(__file__).with_name("ops_model.json").write_text(json.dumps(found) + "\n", encoding="utf-8")


if __name__ == "__main__":
    record_model()
    keras.config.set_floatx("float64")
    arrays = {f"{name}/{key}": array for name, case in CASES.items() for key, array in recorded(case).items()}
    source = f"keras {keras.__version__}, torch {torch.__version__}, numpy {np.__version__}"
    np.savez_compressed(Path(__file__).with_name("ops.npz"), source=source, **arrays)
    print(len(CASES), "cases")
