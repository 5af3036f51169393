"""Small tables of texts and numbers that every script makes again."""

import os

import numpy as np


def texts(values):
    """Return an array of texts as Keras takes it: as a tensor, where it computes with TensorFlow."""
    if os.environ.get("KERAS_BACKEND") != "tensorflow":
        return values
    import tensorflow

    return tensorflow.constant(values)


def patients():
    generator = np.random.default_rng(21)
    n = 120
    defect = np.array(["fixed", "normal", "reversible"])[generator.integers(0, 3, n)]
    columns = {
        "age": generator.integers(25, 80, n).astype("float32"),
        "pressure": generator.normal(130, 15, n).astype("float32"),
        "slope": generator.integers(0, 3, n).astype("float32"),
        "sex": generator.integers(0, 2, n),
        "vessels": generator.integers(0, 4, n),
        "defect": texts(defect),
    }
    ill = (columns["age"] > 50) & (defect != "normal") | (columns["vessels"] == 3)
    return columns, ill.astype("float32")[:, None]


def forest():
    generator = np.random.default_rng(22)
    n = 160
    soils, areas = [f"soil_{i}" for i in range(8)], [f"area_{i}" for i in range(4)]
    soil, area = generator.integers(0, 8, n), generator.integers(0, 4, n)
    columns = {
        "elevation": generator.normal(size=n).astype("float32"),
        "slope": generator.normal(size=n).astype("float32"),
        "shade": generator.normal(size=n).astype("float32"),
        "soil": texts(np.array(soils)[soil]),
        "area": texts(np.array(areas)[area]),
    }
    cover = (soil + area + (columns["elevation"] > 0)) % 3
    return columns, cover.astype("int32"), {"soil": soils, "area": areas}


def ratings():
    generator = np.random.default_rng(23)
    n, n_users, n_films = 240, 24, 30
    user, film = generator.integers(0, n_users, n), np.minimum(generator.geometric(0.08, n) - 1, n_films - 1)
    liking, quality = generator.normal(size=(n_users, 3)), generator.normal(size=(n_films, 3))
    rating = 5 / (1 + np.exp(-(liking[user] * quality[film]).sum(axis=1)))
    return user, film, rating.astype("float32")[:, None], n_users, n_films
