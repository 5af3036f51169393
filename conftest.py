"""The examples in docstrings run where the packages that they show are installed."""

from __future__ import annotations

import importlib.util

collect_ignore_glob = []
if not all(importlib.util.find_spec(name) for name in ("sklearn", "dask", "distributed")):
    collect_ignore_glob.append("cnn_core/sklearn/dask/*")
