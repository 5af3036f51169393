"""The documentation site: `pip install -e ".[docs]" && sphinx-build -W docs docs/_build/html`.

Pages are Markdown beside this file, whose examples pytest runs. The API reference is written from the packages' faces
(`_extensions/api_pages.py`), the gallery from the scripts in `examples/`, which run in the build. Nothing on the pages
asks another host for anything: no fonts, no scripts, and formulas are MathML.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "docs" / "_extensions"))

import gallery  # noqa: E402

import cnn_core  # noqa: E402

project = "cnn_core"
copyright = "cnn_core developers"
version = release = cnn_core.__version__
language = "en"

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
    "sphinx_design",
    "sphinx_copybutton",
    "api_pages",
    "gallery",
    "mathml",
    "documents",
    "shown_pages",
]
exclude_patterns = ["_build", "gallery/**/*.ipynb", "gallery/**/*.py", "gallery/**/*.md5"]
highlight_language = "default"
pygments_style = "tango"

myst_enable_extensions = ["colon_fence", "dollarmath", "attrs_inline"]
myst_heading_anchors = 4
myst_links_external_new_tab = False

default_role = "py:obj"
nitpicky = True
nitpick_ignore_regex = [("py:obj", ".*")]  # backticks of docstrings hold any code
autosummary_generate = False  # api_pages writes them
autodoc_typehints = "none"  # the docstrings tell them
autodoc_member_order = "groupwise"
numpydoc_show_class_members = False
add_module_names = False
python_display_short_literal_types = True
toc_object_entries_show_parents = "hide"

sphinx_gallery_conf = gallery.settings()

html_theme = "pydata_sphinx_theme"
html_title = "cnn_core"
html_static_path = ["_static", "images/step.png"]
html_css_files = ["site.css"]
html_favicon = "_static/icon.svg"
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "logo": {"text": "cnn_core", "image_light": "_static/icon.svg", "image_dark": "_static/icon.svg"},
    "show_toc_level": 2,
    "collapse_navigation": True,  # hundreds of pages would each list all others
    "navbar_align": "left",
    "header_links_before_dropdown": 8,
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": {"**": ["page-toc"], "index": []},
    "pygments_light_style": "tango",
    "pygments_dark_style": "github-dark",
}
html_context = {"default_mode": "auto"}
html_sidebars = {"index": [], "getting_started": [], "citing": []}

linkcheck_ignore = [r".*(step|film)\.html", r"https://doi\.org/.*"]  # written when all else is; turns robots away

copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
