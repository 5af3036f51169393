"""TabularClassifier and TabularRegressor: networks that take a table as it is."""
