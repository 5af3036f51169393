"""Vectors recorded from Keras and PyTorch, and how a test and a recording script read the same case.

Each family is one `<family>.npz`. Its array "manifest" holds JSON: where it was recorded, and a list of cases, each
with a name and what is needed to repeat it. The other arrays are called "<case>/<dtype>/<what>", or "<case>/<what>"
for inputs, which are exact in float32 and float64 alike. An object is described as
`{"object": "optimizers.SGD", "arguments": {...}}`, so that `build(keras, ...)` and `build(cnn_core, ...)` make the
same thing on both sides.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).parent
DTYPES = ("float32", "float64")
# Weights are recorded after these numbers of training steps.
SNAPSHOTS = (1, 10, 50)


class Vectors:
    """The recorded cases and arrays of one family.

    Attributes
    ----------
    source
        What recorded them: package, version, backend.
    cases
        The cases by name.
    """

    def __init__(self, family: str) -> None:
        with np.load(FOLDER / f"{family}.npz", allow_pickle=False) as archive:
            self._arrays = {key: archive[key] for key in archive.files}
        manifest = json.loads(str(self._arrays.pop("manifest")))
        self.source: dict[str, str] = manifest["source"]
        self.cases: dict[str, dict[str, Any]] = {case["name"]: case for case in manifest["cases"]}

    def __call__(self, *key: str) -> np.ndarray:
        """Give the array called by the parts of its key."""
        return self._arrays["/".join(key)]

    def has(self, *key: str) -> bool:
        """Tell whether there is such an array."""
        return "/".join(key) in self._arrays

    def numbered(self, *key: str) -> list[np.ndarray]:
        """List the arrays <key>/0, <key>/1, ..."""
        arrays = []
        while self.has(*key, str(len(arrays))):
            arrays.append(self(*key, str(len(arrays))))
        return arrays


@cache
def load(family: str) -> Vectors:
    """Load a family once."""
    return Vectors(family)


def save(family: str, source: dict[str, str], cases: list[dict[str, Any]], arrays: dict[str, np.ndarray]) -> None:
    """Write a family."""
    manifest = json.dumps({"source": source, "cases": cases}, separators=(",", ":"))
    np.savez_compressed(FOLDER / f"{family}.npz", manifest=np.array(manifest), **arrays)


def build(package: Any, description: Any) -> Any:
    """Make what `description` describes out of `package`: objects, and lists and dicts of them; the rest as it is."""
    if isinstance(description, list):
        return [build(package, item) for item in description]
    if not isinstance(description, dict):
        return description
    if "object" not in description:
        return {key: build(package, value) for key, value in description.items()}
    target = package
    for part in description["object"].split("."):
        target = getattr(target, part)
    return target(**build(package, description.get("arguments", {})))


def network(package: Any, layers: list[dict[str, Any]], inputs: int = 5) -> Any:
    """Make the Sequential of these layers."""
    return package.Sequential([package.layers.Input((inputs,)), *build(package, layers)])


def compiled(package: Any, case: dict[str, Any], weights: list[np.ndarray]) -> Any:
    """Make the network of a trajectory, ready to be trained from `weights`."""
    model = network(package, case["layers"])
    model.set_weights(weights)
    optimizer = build(package, case["optimizer"])
    if "exclude_from_weight_decay" in case:
        optimizer.exclude_from_weight_decay(var_names=case["exclude_from_weight_decay"])
    model.compile(optimizer=optimizer, loss=build(package, case.get("loss", "categorical_crossentropy")))
    return model


def train(
    model: Any, x: np.ndarray, y: np.ndarray, sample_weight: np.ndarray | None, batch_size: int
) -> tuple[list[float], list[np.ndarray]]:
    """Train batch by batch, over and over; return the loss of each step and the weights at the snapshots."""
    slices = batches(len(x), batch_size)
    losses, snapshots = [], []
    for step in range(max(SNAPSHOTS)):
        rows = slices[step % len(slices)]
        chosen = None if sample_weight is None else sample_weight[rows]
        losses.append(model.train_on_batch(x[rows], y[rows], sample_weight=chosen))
        if step + 1 in SNAPSHOTS:
            snapshots.append(flat(model.get_weights()))
    return losses, snapshots


def describe(path: str, /, **arguments: Any) -> dict[str, Any]:
    """Describe an object for `build`."""
    return {"object": path, "arguments": arguments}


def flat(weights: list[np.ndarray]) -> np.ndarray:
    """Join arrays into one vector, as snapshots of weights are stored."""
    return np.concatenate([np.ravel(w) for w in weights]) if weights else np.empty(0)


def split(vector: np.ndarray, like: list[np.ndarray]) -> list[np.ndarray]:
    """Undo `flat`."""
    ends = np.cumsum([w.size for w in like])[:-1]
    return [part.reshape(w.shape) for part, w in zip(np.split(vector, ends), like, strict=True)]


def batches(rows: int, batch_size: int) -> list[slice]:
    """Cut rows into batches, the last one shorter, as `fit(shuffle=False)` does."""
    return [slice(start, min(start + batch_size, rows)) for start in range(0, rows, batch_size)]
