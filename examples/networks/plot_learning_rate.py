"""
The learning rate
=================

Too small, and nothing happens; too large, and every step leaps over the valley. A schedule has both ends.
"""

# %%
# The same network, the same initial weights, the same batches: only the length of the
# steps differs.

import matplotlib.pyplot as plt

import cnn_core as cnn

(x, y), _ = cnn.datasets.load_digits()
x = x.reshape(-1, 64) / 16
epochs = 15


def trained(optimizer):
    cnn.utils.set_random_seed(0)
    layers = [cnn.Input((64,)), cnn.layers.Dense(64, "relu"), cnn.layers.Dense(64, "relu"), cnn.layers.Dense(10)]
    model = cnn.Sequential(layers)
    model.compile(optimizer, cnn.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model.fit(x, y, epochs=epochs, verbose=0)


rates = [0.001, 0.01, 0.1, 1.0]
histories = {rate: trained(cnn.optimizers.SGD(rate)) for rate in rates}

# %%
# A schedule takes large steps while there is far to go, and small ones at the end.

steps = epochs * -(-len(x) // 32)
schedule = cnn.optimizers.schedules.CosineDecay(0.3, decay_steps=steps)
histories["from 0.3 to 0, as a cosine"] = trained(cnn.optimizers.SGD(schedule))

figure, (left, right) = plt.subplots(1, 2, figsize=(8.4, 4.2))
for rate, history in histories.items():
    left.semilogy(range(1, epochs + 1), history.history["loss"], marker="o", markersize=4, label=rate)
left.set(title="How it learns", xlabel="epoch", ylabel="training loss", ylim=(0.006, 4))
left.legend(title="learning rate", fontsize=8, title_fontsize=8, loc="lower left")
right.plot(range(steps), [float(schedule(step)) for step in range(steps)], color="C4")
right.set(title="The schedule", xlabel="step", ylabel="learning rate", ylim=(0, None))
for rate, history in histories.items():
    print(f"{rate!s:28} {history.history['loss'][-1]:.4f}")
