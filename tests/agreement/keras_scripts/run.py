"""Run one of the scripts under Keras or under cnn_core; record what Keras arrives at.

    python run.py autoencoder keras       # trains from weights of its own and prints the results
    python run.py autoencoder cnn_core    # the same text with only the import changed
    python run.py record                  # all of them under Keras, into recorded.npz
    python run.py record ../own_scripts   # those with custom layers and models, into its recorded.npz
    KERAS_BACKEND=tensorflow python run.py record ../table_scripts    # those with texts, which need TensorFlow

A script has `build_model()` and `train(model)`, which returns named numbers. Recorded are the initial weights, the
names of the model's layers, and these numbers from a run in float32 and one in float64.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).parent
OWN_FOLDER, TABLE_FOLDER = FOLDER.parent / "own_scripts", FOLDER.parent / "table_scripts"
RECORD = "recorded.npz"
DTYPES = ("float32", "float64")


def scripts_in(folder: Path) -> list[str]:
    """Return the names of a folder's scripts."""
    return sorted(
        path.stem
        for path in folder.glob("*.py")
        if path.stem not in ("run", "digits", "data", "stepping", "drawn_tables")
    )


SCRIPTS, OWN_SCRIPTS, TABLE_SCRIPTS = map(scripts_in, (FOLDER, OWN_FOLDER, TABLE_FOLDER))


def home_of(name: str) -> Path:
    """Return the folder of a script."""
    return next(folder for folder in (FOLDER, OWN_FOLDER, TABLE_FOLDER) if name in scripts_in(folder))


def load_script(name: str, package: str) -> tuple[Callable[[], Any], Callable[[Any], dict[str, float]]]:
    """Execute a script with `package` in the place of keras; return its build_model and train."""
    folder = home_of(name)
    text = (folder / f"{name}.py").read_text(encoding="utf-8")
    if package != "keras":
        text = re.sub(r"^import keras$", f"import {package} as keras", text, flags=re.MULTILINE)
        text = re.sub(r"^from keras\b", f"from {package}", text, flags=re.MULTILINE)
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    space: dict[str, Any] = {"__name__": name}
    exec(compile(text, f"{name}.py", "exec"), space)
    return space["build_model"], space["train"]


def run(
    name: str, package: str, weights: list[np.ndarray] | None = None, dtype: str = "float32"
) -> tuple[Any, dict[str, float]]:
    """Build a script's model, give it initial weights if there are any, train it and return both."""
    keras = importlib.import_module(package)
    keras.utils.clear_session()
    before = keras.config.floatx()
    keras.config.set_floatx(dtype)
    try:
        build_model, train = load_script(name, package)
        model = build_model()
        if weights is not None:
            model.set_weights([array.astype(dtype) for array in weights])
        return model, {key: float(value) for key, value in train(model).items()}
    finally:
        keras.config.set_floatx(before)


def recorded(name: str) -> tuple[list[np.ndarray], list[str], dict[str, dict[str, float]]]:
    """Return a script's initial weights, the names of its layers, and Keras's results by dtype."""
    with np.load(home_of(name) / RECORD) as archive:
        manifest = json.loads(str(archive["manifest"]))["scripts"][name]
        weights = [archive[f"{name}/{i}"] for i in range(manifest["weights"])]
    return weights, manifest["layers"], manifest["results"]


def record(folder: Path) -> None:
    """Run all scripts under Keras from weights that float16 can hold, which halves the file; store the outcome.

    What `adapt` has learned is among the weights of tables, and Keras goes on with its own copy: it stays as it is.
    """
    import keras

    kept = np.float32 if folder.samefile(TABLE_FOLDER) else np.float16
    arrays: dict[str, np.ndarray] = {}
    scripts: dict[str, dict[str, Any]] = {}
    for name in scripts_in(folder):
        keras.utils.clear_session()
        keras.utils.set_random_seed(1)
        initial = [w.astype(kept) for w in load_script(name, "keras")[0]().get_weights()]
        results = {}
        for dtype in DTYPES:
            model, results[dtype] = run(name, "keras", initial, dtype)
        arrays |= {f"{name}/{i}": w for i, w in enumerate(initial)}
        layers = [layer.name for layer in model.layers]
        scripts[name] = {"weights": len(initial), "layers": layers, "results": results}
        print(name, results)
    source = {"package": "keras", "version": keras.__version__, "backend": keras.config.backend()}
    manifest = json.dumps({"source": source, "scripts": scripts})
    np.savez_compressed(folder / RECORD, manifest=np.array(manifest), **arrays)


if __name__ == "__main__":
    os.environ.setdefault("KERAS_BACKEND", "torch")
    if sys.argv[1:2] == ["record"]:
        record(FOLDER / (sys.argv[2] if len(sys.argv) > 2 else "."))
    else:
        print(run(*sys.argv[1:3])[1])
