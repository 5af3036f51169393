"""Embeddings with few weights: of quotient and remainder for users, of mixed dimensions for films."""

import keras
import numpy as np
from drawn_tables import ratings, texts
from keras import layers, ops

WIDTH = 8
WIDE = keras.initializers.RandomNormal(stddev=0.5)


def names():
    user, film, rating, n_users, n_films = ratings()
    users, films = [f"user_{i}" for i in range(n_users)], [f"film_{i}" for i in range(n_films)]
    return users, films, [texts(np.array(users)[user]), texts(np.array(films)[film])], rating


def embedding_encoder(vocabulary, width, num_oov_indices=0, name=None):
    return keras.Sequential(
        [
            layers.StringLookup(vocabulary=vocabulary, mask_token=None, num_oov_indices=num_oov_indices),
            layers.Embedding(
                input_dim=len(vocabulary) + num_oov_indices, output_dim=width, embeddings_initializer=WIDE
            ),
        ],
        name=name,
    )


class QuotientRemainder(layers.Layer):
    def __init__(self, vocabulary, width, buckets, name=None):
        super().__init__(name=name)
        self.buckets = buckets
        self.lookup = layers.StringLookup(vocabulary=vocabulary, mask_token=None, num_oov_indices=0)
        self.quotients = layers.Embedding(-(-len(vocabulary) // buckets), width, embeddings_initializer=WIDE)
        self.remainders = layers.Embedding(buckets, width, embeddings_initializer=WIDE)

    def call(self, inputs):
        index = self.lookup(inputs)
        quotient = self.quotients(ops.floor_divide(index, self.buckets))
        return quotient * self.remainders(ops.mod(index, self.buckets))


class MixedDimensions(layers.Layer):
    def __init__(self, blocks, widths, name=None):
        super().__init__(name=name)
        self.sizes = [len(block) for block in blocks]
        self.lookup = layers.StringLookup(
            vocabulary=[name for block in blocks for name in block], mask_token=None, num_oov_indices=0
        )
        self.encoders = [
            embedding_encoder(block, width, num_oov_indices=1) for block, width in zip(blocks, widths, strict=True)
        ]
        self.projectors = [layers.Dense(WIDTH) for _ in widths]

    def call(self, inputs):
        index = self.lookup(inputs)
        total, start = 0.0, 0
        for size, encoder, projector in zip(self.sizes, self.encoders, self.projectors, strict=True):
            inside = ops.logical_and(index >= start, index < start + size)
            total = total + projector(encoder(inputs)) * ops.expand_dims(ops.cast(inside, keras.config.floatx()), -1)
            start += size
        return total


def build_model():
    users, films, _, _ = names()
    user = layers.Input(name="user", shape=(), dtype="string")
    film = layers.Input(name="film", shape=(), dtype="string")
    user_vector = QuotientRemainder(users, WIDTH, buckets=5)(user)
    film_vector = MixedDimensions([films[:6], films[6:14], films[14:]], [8, 4, 2])(film)
    base = layers.Dot(axes=1)([user_vector, embedding_encoder(films, WIDTH, name="base")(film)])
    logits = layers.Dot(axes=1, name="similarity")([user_vector, film_vector]) + base
    return keras.Model(inputs=[user, film], outputs=keras.activations.sigmoid(logits) * 5)


def train(model):
    _, _, x, rating = names()
    model.compile(optimizer=keras.optimizers.SGD(0.5), loss=keras.losses.MeanSquaredError())
    history = model.fit(x, rating, batch_size=60, epochs=30, shuffle=False, verbose=0).history["loss"]
    return {"first": history[0], "last": history[-1], "evaluated": model.evaluate(x, rating, verbose=0)}
