"""What the tests of data share: a few rows and what a model expects of them."""

from __future__ import annotations

import numpy as np

from cnn_core.data.dataset import InputSpec, TargetSpec

X = np.arange(20, dtype=np.float32).reshape(10, 2)
Y = np.arange(10) % 3
ONE = [InputSpec("x", (2,))]
VALUES = [TargetSpec("y", (1,))]
LABELS = [TargetSpec("y", (3,), "labels")]
ONE_HOT = [TargetSpec("y", (3,), "one_hot")]
