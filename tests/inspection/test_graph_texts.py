"""The graph as dot and Mermaid: every weight an edge, names in quotes, and Graphviz reads it where it is installed."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import Any

import numpy as np
import pytest

import picture_cases


def weights(kernels: Any) -> list[str]:
    return sorted(f"{weight:.4g}".replace("-", "−") for kernel in kernels for weight in np.ravel(kernel + 0.0))


def test_dot_has_an_edge_for_every_weight() -> None:
    dot = picture_cases.worked().to_dot(sample=0)
    edges = re.findall(r"n(\d)_\d -> n(\d)_\d \[label=\"([^\"]*)\"", dot)
    assert sorted(label for _, _, label in edges) == weights(picture_cases.KERNELS)
    assert 'n2_0 [label="a 0.5\\nδ −0.0625"' in dot
    assert 'J [shape=box, label="J = 0.234375"]' in dot


def test_mermaid_has_an_edge_for_every_weight() -> None:
    lines = picture_cases.worked().to_mermaid(sample=0).splitlines()
    assert lines[0] == "flowchart LR"
    edges = [match[1] for line in lines if (match := re.fullmatch(r'  n\d_\d -->\|"([^"]*)"\| n\d_\d', line))]
    assert sorted(edges) == weights(picture_cases.KERNELS)
    assert '    n2_0(("a 0.5<br>δ −0.0625"))' in lines
    assert '  n2_1 -->|"half_squared_error"| J' in lines


def test_operations_and_large_layers_have_one_edge() -> None:
    dot, mermaid = picture_cases.branches().to_dot(), picture_cases.branches().to_mermaid()
    assert 'label="add", ltail=cluster_2, lhead=cluster_4' in dot
    assert mermaid.count('-->|"concatenate"|') == 3
    assert 'label="W 64 × 40"' in picture_cases.large().to_dot()


@pytest.mark.parametrize("name", ['"', "\\", "a\\", '"]; evil [label="', "<b>&#quot;", "line"])
def test_names_stay_names(name: str) -> None:
    seen = picture_cases.worked(("x", name, "output"))
    label = re.search(r'subgraph cluster_1 \{\n    label="((?:[^"\\]|\\.)*)";\n', seen.to_dot())
    assert label is not None
    assert label[1].replace('\\"', '"').replace("\\\\", "\\").startswith(f"{name}: dense")
    mermaid = re.search(r'subgraph s1\["([^"<>]*)"\]\n', seen.to_mermaid())
    assert mermaid is not None
    decoded = mermaid[1]
    for entity, character in (("quot", '"'), ("lt", "<"), ("gt", ">"), ("amp", "&"), ("35", "#")):
        decoded = decoded.replace(f"#{entity};", character)
    assert decoded.startswith(f"{name}: dense")


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
@pytest.mark.parametrize("build", [picture_cases.worked, picture_cases.branches, picture_cases.large])
def test_graphviz_reads_it(build: Any) -> None:
    drawn = subprocess.run(["dot", "-Tsvg"], input=build().to_dot(), capture_output=True, text=True, check=True)
    assert "<svg" in drawn.stdout
    assert not drawn.stderr
