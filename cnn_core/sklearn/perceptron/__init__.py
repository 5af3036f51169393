"""MLPClassifier and MLPRegressor: scikit-learn's multi-layer perceptrons, trained here."""
