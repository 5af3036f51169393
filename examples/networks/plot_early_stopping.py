"""
Early stopping
==============

A network first learns what is true of all data, then what is true of its training data only. When to stop?
"""

# %%
# Thirty noisy measurements of a smooth curve, and a network with far more weights than that. Thirty other measurements
# are held out: the network does not learn from them, they only say how it is doing.

import matplotlib.pyplot as plt
import numpy as np

import cnn_core as cnn

random = np.random.default_rng(1)


def measured(n):
    x = random.uniform(-1, 1, size=(n, 1))
    return x, np.sin(4 * x) + random.normal(scale=0.35, size=(n, 1))


(x, y), held_out = measured(30), measured(30)


def trained(*callbacks):
    cnn.utils.set_random_seed(2)
    hidden = [cnn.layers.Dense(256, "relu") for _ in range(3)]
    model = cnn.Sequential([cnn.Input((1,)), *hidden, cnn.layers.Dense(1)])
    model.compile(cnn.optimizers.Adam(1e-3), loss="mse")
    history = model.fit(
        x, y, validation_data=held_out, batch_size=30, epochs=1500, callbacks=list(callbacks), verbose=0
    )
    return model, history


# %%
# ``EarlyStopping`` ends the training when the held-out loss has not improved for two hundred epochs, and takes the
# weights of the best epoch.

stopping = cnn.callbacks.EarlyStopping(patience=200, restore_best_weights=True)
stopped, _ = trained(stopping)
to_the_end, history = trained()

figure, (left, right) = plt.subplots(1, 2, figsize=(8.4, 3.8))
left.loglog(history.history["loss"], label="training")
left.loglog(history.history["val_loss"], label="held out")
best = int(np.argmin(history.history["val_loss"]))
left.axvline(best + 1, color="black", linestyle=":", label=f"best epoch, {best + 1}")
left.set(xlabel="epoch", ylabel="mean squared error", title="Two losses")
left.legend()

grid = np.linspace(-1, 1, 400)[:, None]
right.plot(grid, np.sin(4 * grid), color="black", linewidth=1, label="the truth")
right.plot(grid, to_the_end.predict(grid), color="C3", label="after all epochs")
right.plot(grid, stopped.predict(grid), color="C2", label="stopped")
right.scatter(x, y, s=14, color="black", zorder=3)
right.set(title="Two curves", ylim=(-2.1, 2.1))
right.legend(fontsize=9, loc="lower left")

# %%
# On a thousand new measurements:

new = measured(1000)
for name, model in (("after all epochs", to_the_end), ("stopped", stopped)):
    print(f"{name:17} mean squared error {model.evaluate(*new, verbose=0):.3f}; the noise alone makes {0.35**2:.3f}")
