"""
Grid search
===========

How large a network, and how much weight decay? scikit-learn's search tries all pairs.
"""

# %%
# Six sizes and five penalties, each with three folds: ninety networks. Every one takes a few hundredths of a second.

import time

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, train_test_split

from cnn_core.sklearn import MLPClassifier

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X / 16, y, test_size=0.5, stratify=y, random_state=0)

sizes = [2, 4, 8, 16, 32, 64]
penalties = [1e-4, 1e-2, 1e-1, 1, 10]
search = GridSearchCV(
    MLPClassifier(learning_rate_init=0.01, early_stopping=True, random_state=0),
    {"hidden_layer_sizes": [(size,) for size in sizes], "alpha": penalties},
    cv=3,
)
start = time.perf_counter()
search.fit(X_train.astype("float32"), y_train)
print(f"{len(sizes) * len(penalties) * 3} networks in {time.perf_counter() - start:.1f} seconds")
print(f"best: {search.best_params_}, {search.score(X_test, y_test):.1%} right on unseen digits")

# %%
# Size matters more than the penalty here, as long as the penalty is not so large that it forbids to learn.

scores = search.cv_results_["mean_test_score"].reshape(len(penalties), len(sizes))
figure, axis = plt.subplots(figsize=(7.2, 4))
image = axis.imshow(scores, cmap="viridis", aspect="auto")
for (row, column), score in np.ndenumerate(scores):
    axis.text(column, row, f"{score:.2f}", ha="center", va="center", color="white" if score < 0.7 else "black")
axis.set(xlabel="hidden units", ylabel="alpha", title="Accuracy in cross-validation")
axis.set_xticks(range(len(sizes)), sizes)
axis.set_yticks(range(len(penalties)), penalties)
figure.colorbar(image)
