"""List the libraries that are compared: which file holds each, and how it is told its number of threads.

Imported by the parent, so nothing heavy may be imported here.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

OURS = "cnn_core"


@dataclass(frozen=True)
class Entry:
    """Say where a rival lives and what must be set before its library is imported."""

    name: str
    label: str
    module: str
    class_name: str
    distributions: tuple[str, ...]
    import_line: str
    trains: bool = True
    predicts: bool = True
    mixes: bool = False  # whether it also works in mixed precision, bfloat16 with weights in float32
    only_when_mixed: bool = False  # a comparison for runs in mixed precision
    environment: dict[str, str] = field(default_factory=dict)

    def environment_for(self, threads: int) -> dict[str, str]:
        """Return the environment variables for `threads` threads, to be set before the process starts."""
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NPROC")
        settings = {name: str(threads) for name in names}
        if threads == 1:
            settings["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
        return {**settings, **self.environment}

    def create(self, threads: int, mixed: bool = False) -> Any:
        """Import the library and return the rival. Only a worker calls this."""
        module = importlib.import_module(f"rivals.{self.module}")
        rival = getattr(module, self.class_name)(threads)
        rival.mixed = mixed and self.mixes
        return rival

    def at(self, folder: Path) -> Entry:
        """Return the entry for a library that is imported from a folder."""
        return replace(self, environment={"PYTHONPATH": str(folder)})


ENTRIES = (
    Entry(OURS, "cnn_core", "ours", "CnnCore", ("cnn_core",), "import cnn_core", mixes=True),
    Entry(
        f"{OURS}_float32",
        "cnn_core in float32",
        "ours",
        "CnnCore",
        ("cnn_core",),
        "import cnn_core",
        only_when_mixed=True,
    ),
    Entry(
        "scikit_learn",
        "scikit-learn",
        "scikit_learn",
        "ScikitLearn",
        ("scikit-learn",),
        "import sklearn.neural_network",
    ),
    Entry("pytorch", "PyTorch", "pytorch", "PyTorch", ("torch",), "import torch", mixes=True),
    Entry(
        "pytorch_compiled",
        "PyTorch compiled",
        "pytorch_compiled",
        "PyTorchCompiled",
        ("torch",),
        "import torch",
        mixes=True,
    ),
    Entry("jax", "JAX", "jax_scan", "Jax", ("jax",), "import jax"),
    Entry(
        "keras_jax",
        "Keras (JAX)",
        "keras_fit",
        "Keras",
        ("keras", "jax"),
        "import keras",
        environment={"KERAS_BACKEND": "jax"},
    ),
    Entry(
        "keras_torch",
        "Keras (torch)",
        "keras_fit",
        "Keras",
        ("keras", "torch"),
        "import keras",
        environment={"KERAS_BACKEND": "torch"},
    ),
    Entry("numpy", "NumPy by hand", "numpy_by_hand", "NumPyByHand", ("numpy",), "import numpy"),
    Entry(
        "onnx_runtime",
        "ONNX Runtime",
        "onnx_runtime",
        "OnnxRuntime",
        ("onnxruntime",),
        "import onnxruntime",
        trains=False,
    ),
    Entry("torchscript", "TorchScript", "torchscript", "TorchScript", ("torch",), "import torch", trains=False),
)

# An earlier revision of ours; `at` says where.
BEFORE = Entry(f"{OURS}_before", "cnn_core before", "ours", "CnnCore", ("cnn_core",), "import cnn_core", mixes=True)


def entry_named(name: str) -> Entry:
    """Return the entry of that name; raise ValueError that lists the known ones."""
    for entry in (*ENTRIES, BEFORE):
        if entry.name == name:
            return entry
    known = ", ".join(entry.name for entry in ENTRIES)
    raise ValueError(f"`rivals` must be out of {known}. Received: {name!r}")
