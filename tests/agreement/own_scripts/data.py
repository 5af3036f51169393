"""Small tables that every script makes again."""

import numpy as np


def features():
    generator = np.random.default_rng(11)
    x = generator.normal(size=(48, 8))
    y = np.sin(x[:, :1]) + x[:, 1:2] * x[:, 2:3] + 0.1 * generator.normal(size=(48, 1))
    return x.astype("float32"), y.astype("float32")


def categories():
    generator = np.random.default_rng(12)
    x = generator.integers(0, 20, size=(48, 3))
    y = (x[:, :1] % 3 == x[:, 1:2] % 3).astype("float32")
    return x.astype("int32"), y
