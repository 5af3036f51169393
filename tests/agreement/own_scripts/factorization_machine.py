"""A factorisation machine: products of all pairs of embeddings, by the square of the sum less the sum of squares."""

import keras
from data import categories
from keras import layers, ops


class FactorizationMachine(keras.Model):
    def __init__(self, vocabulary, factors, **kwargs):
        super().__init__(**kwargs)
        self.vocabulary, self.factors = vocabulary, factors
        self.linear = layers.Embedding(vocabulary, 1)
        self.embedding = layers.Embedding(vocabulary, factors)

    def build(self, input_shape):
        self.bias = self.add_weight(shape=(1,), initializer="zeros", name="bias")
        super().build(input_shape)

    def call(self, inputs):
        embedded = self.embedding(inputs)
        square_of_sum = ops.square(ops.sum(embedded, axis=1))
        sum_of_squares = ops.sum(ops.square(embedded), axis=1)
        pairs = 0.5 * ops.sum(square_of_sum - sum_of_squares, axis=1, keepdims=True)
        return ops.sigmoid(self.bias + ops.sum(self.linear(inputs), axis=1) + pairs)


def build_model():
    model = FactorizationMachine(20, 4)
    x, _ = categories()
    model.build((None, x.shape[1]))
    model(x)
    return model


def train(model):
    x, y = categories()
    model.compile(optimizer=keras.optimizers.Adam(0.05), loss="binary_crossentropy")
    history = model.fit(x, y, batch_size=len(x), epochs=50, shuffle=False, verbose=0).history["loss"]
    return {"first": history[0], "tenth": history[9], "last": history[-1]}
