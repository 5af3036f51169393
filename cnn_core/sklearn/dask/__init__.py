"""The estimators over dask collections: their rows are read, trained on and scored where they lie."""
