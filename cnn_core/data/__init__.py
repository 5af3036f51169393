"""From what users pass as x, y and weights to the rows that native code reads: rows, data sets, batches."""
