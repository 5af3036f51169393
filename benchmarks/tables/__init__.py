"""The tabular estimators against others on real tables: where from, who against whom, runs, report and pictures."""
