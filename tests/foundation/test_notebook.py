"""Tables for notebooks: valid HTML, texts as text."""

from __future__ import annotations

from xml.etree import ElementTree

import cnn_core.foundation.notebook as notebook


def test_tables_have_their_texts_and_sides() -> None:
    root = ElementTree.fromstring(notebook.table(["name", "n"], [["<b>", 1], ['"&', 2]], "lr"))
    assert [cell.text for cell in root.iter("th")] == ["name", "n"]
    assert [cell.text for cell in root.iter("td")] == ["<b>", "1", '"&', "2"]
    assert [cell.get("style") for cell in root.iter("td")] == ["text-align:left", "text-align:right"] * 2


def test_everything_is_escaped() -> None:
    shown = notebook.heading("<a>", "<b>") + notebook.paragraph("<c>") + notebook.folded("<d>", "<p/>")
    root = ElementTree.fromstring(f"<div>{shown}{notebook.definitions({'<e>': '<f>'})}</div>")
    assert [text for text in root.itertext() if text.strip()] == ["<a>", "<b>", "<c>", "<d>", "<e>", "<f>"]
    assert root.find("details") is not None
