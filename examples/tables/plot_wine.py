"""
Wine: a table in three lines
============================

Which of three growers made a wine? A classifier that takes the table as it is, and tells which columns it goes by.
"""

# %%
# 178 wines from one region of Italy, and what a chemist measured in each. Nothing is scaled, chosen or tuned here:
# the estimator looks after that.

import matplotlib.pyplot as plt
from sklearn.datasets import load_wine
from sklearn.metrics import ConfusionMatrixDisplay
from sklearn.model_selection import train_test_split

from cnn_core.sklearn import TabularClassifier

X, y = load_wine(return_X_y=True, as_frame=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, test_size=0.4, random_state=0)
classifier = TabularClassifier(random_state=0).fit(X_train, y_train)
print(f"{classifier.score(X_test, y_test):.1%} of the {len(X_test)} wines are assigned to the right grower")

# %%
# A column matters as much as the score falls when its values are shuffled. The figures are the mean of several
# shuffles; those of columns that say the same share what there is to lose.

figure, (left, right) = plt.subplots(1, 2, figsize=(8.4, 3.8), width_ratios=(2, 3))
ConfusionMatrixDisplay.from_estimator(classifier, X_test, y_test, ax=left, colorbar=False, cmap="Blues")
left.set(title="Which for which", xlabel="predicted grower", ylabel="grower")
importances = classifier.feature_importances(X_test, y_test, scoring="neg_log_loss", random_state=0)
importances.plot(top=8, ax=right)
right.set(title="What it goes by", xlabel="loss of log-likelihood when shuffled")
