"""The examples of the documentation run where the packages that they show are installed."""

from __future__ import annotations

import importlib.util

collect_ignore = []
if not all(importlib.util.find_spec(name) for name in ("sklearn", "pandas")):
    collect_ignore += ["tables.md", "serving.md"]
if not importlib.util.find_spec("sklearn"):
    collect_ignore.append("perceptrons.md")
if not all(importlib.util.find_spec(name) for name in ("sklearn", "dask", "distributed")):
    collect_ignore.append("scaling.md")
# What only a build of the site runs, or has written.
collect_ignore += ["conf.py", "_extensions", "_build", "api", "gallery"]
