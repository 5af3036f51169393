"""What a checker must refuse: each line that ends with "# wrong" has an error, and no other line has."""

from __future__ import annotations

import numpy as np

import cnn_core as keras
from cnn_core import callbacks, layers, losses, metrics, optimizers

x = np.zeros((8, 3), np.float32)
y = np.zeros((8, 1), np.float32)
model = keras.Sequential([keras.Input((3,)), layers.Dense(1)])

layers.Dense("8")  # wrong
layers.Dense(8, activation="rleu")  # wrong
layers.Dense(8, activation=3)  # wrong
layers.Dense(8, activatoin="relu")  # wrong
layers.BatchNormalization(trainable="no")  # wrong
layers.Dense(8, use_bias=None)  # wrong
layers.Dense(8, kernel_initializer="he_normall")  # wrong
layers.Dense(8, kernel_regularizer="l3")  # wrong
layers.Dense(8, kernel_constraint="max_nrom")  # wrong
layers.Dropout()  # wrong
layers.Desne(8)  # wrong
layers.add(3)  # wrong
losses.Huber(dleta=2.0)  # wrong
losses.huber(y, y, dleta=2.0)  # wrong
optimizers.Adam(lr=0.1)  # wrong
optimizers.Adam("fast")  # wrong
callbacks.EarlyStopping(patience="long")  # wrong
metrics.AUC(num_tresholds=3)  # wrong
model.compile("adamm", "mse")  # wrong
model.compile("adam", "mean_square_error")  # wrong
model.compile("adam", "mse", metrics=["acuracy"])  # wrong
model.compile("adam", "mse", jit_compile="yes")  # wrong
model.fit(x, y, epochs="3")  # wrong
model.fit(x, y, epoch=3)  # wrong
model.fit(x, y, verbose="loud")  # wrong
model.fit(x, y, callbacks=["stop"])  # wrong
model.predict(x, batch_size="all")  # wrong
model.predict(x).argmaxx()  # wrong
model.predictor().summary()  # wrong
name: str = model.evaluate(x, y, return_dict=True)["loss"]  # wrong
count: int = keras.load_model("model.keras")  # wrong
keras.load_model(3)  # wrong
keras.load_modle("model.keras")  # wrong
keras.models.clone_modle(model)  # wrong
keras.Input((3,)).summary()  # wrong
