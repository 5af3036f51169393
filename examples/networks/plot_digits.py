"""
Handwritten digits
==================

A network with one hidden layer reads handwritten digits. Which ones does it get wrong?
"""

# %%
# The digits come with the package: 1,797 images of 8 by 8 pixels. They are scaled to numbers from 0 to 1.

import matplotlib.pyplot as plt

import cnn_core as cnn

(x_train, y_train), (x_test, y_test) = cnn.datasets.load_digits()
x_train, x_test = x_train.reshape(-1, 64) / 16, x_test.reshape(-1, 64) / 16

# %%
# Sixty-four pixels go in, ten probabilities come out. Training takes a fraction of a second.

cnn.utils.set_random_seed(1)
model = cnn.Sequential(
    [
        cnn.Input((64,)),
        cnn.layers.Dense(64, activation="relu"),
        cnn.layers.Dropout(0.2),
        cnn.layers.Dense(10, activation="softmax"),
    ]
)
model.compile("adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(x_train, y_train, epochs=60, verbose=0)
loss, accuracy = model.evaluate(x_test, y_test, verbose=0)
print(f"{accuracy:.1%} of {len(x_test)} digits that the model has not seen are read right")

# %%
# The mistakes are understandable: most would make a person hesitate, too.

probabilities = model.predict(x_test)
read = probabilities.argmax(axis=-1)
wrong = (read != y_test).nonzero()[0][:8]

figure, axes = plt.subplots(2, 4, figsize=(7.2, 4.2))
for axis in axes.flat:
    axis.axis("off")
for axis, i in zip(axes.flat, wrong, strict=False):
    axis.imshow(x_test[i].reshape(8, 8), cmap="gray_r")
    axis.set_title(f"{y_test[i]}, read as {read[i]} ({probabilities[i].max():.0%})", fontsize=9)
