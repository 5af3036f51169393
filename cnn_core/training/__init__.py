"""The training loop around the native loop over batches: `fit`, `evaluate`, `predict`."""
