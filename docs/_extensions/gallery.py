"""How sphinx-gallery runs the scripts in `examples/`, and how their pictures look."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def settle(_: dict[str, Any], __: str) -> None:
    """Start every script from the same state: pictures, seed and dtype."""
    import matplotlib.pyplot as plt

    import cnn_core

    plt.rcdefaults()
    plt.style.use(STYLE)
    cnn_core.config.set_floatx("float32")
    cnn_core.utils.set_random_seed(0)


def figures(block: Any, found: dict[str, Any], settings: dict[str, Any]) -> str:
    """Show the figures of pyplot, and those that a call of cnn_core has returned."""
    import matplotlib.pyplot as plt
    from matplotlib.figure import Figure
    from sphinx_gallery.scrapers import figure_rst, matplotlib_scraper

    known = found.setdefault("shown figures", [])
    known += [plt.figure(number) for number in plt.get_fignums()]
    shown = matplotlib_scraper(block, found, settings)
    returned = [each for each in found["example_globals"].values() if isinstance(each, Figure) and each not in known]
    paths = []
    for figure in returned:
        paths.append(next(found["image_path_iterator"]))
        figure.savefig(paths[-1], dpi=150)
        known.append(figure)
    return shown + figure_rst(paths, settings["src_dir"])


def sweep(app: Any, _: Any) -> None:
    """Take away what an earlier build has written of scripts that are gone."""
    docs = Path(app.srcdir)
    for written in docs.glob("gallery/*/plot_*"):
        script = docs.parent / "examples" / written.parent.name / f"{written.name.partition('.')[0]}.py"
        if not script.exists():
            written.unlink()


def setup(app: Any) -> dict[str, bool]:
    """Sweep before sphinx-gallery writes."""
    app.connect("config-inited", sweep)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


# Colours of Okabe and Ito, which colour-blind readers tell apart.
COLOURS = ("0072B2", "E69F00", "009E73", "D55E00", "CC79A7", "56B4E9", "000000")
STYLE = {
    "axes.prop_cycle": "cycler('color', [" + ", ".join(f"'{colour}'" for colour in COLOURS) + "])",
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "figure.constrained_layout.use": True,
    "figure.dpi": 110,
    "figure.figsize": (7.2, 4.0),
    "font.size": 10.5,
    "legend.frameon": False,
    "lines.linewidth": 2,
}


SECTIONS = ("understanding", "networks", "tables", "serving")


def settings() -> dict[str, Any]:
    """Return the settings of sphinx-gallery."""
    return {
        "examples_dirs": "../examples",
        "gallery_dirs": "gallery",
        "filename_pattern": r"/plot_",
        "image_scrapers": ("gallery.figures",),
        "reset_modules": ("gallery.settle",),
        "subsection_order": [f"../examples/{name}" for name in SECTIONS],
        "within_subsection_order": "FileNameSortKey",
        "remove_config_comments": True,
        "download_all_examples": False,
        "show_memory": False,
        "show_signature": False,
        "min_reported_time": 1000,
        "thumbnail_size": (400, 280),
        "doc_module": ("cnn_core",),
        "reference_url": {"cnn_core": None},
        "backreferences_dir": None,
        "only_warn_on_example_error": False,
        "image_srcset": ["2x"],
        "write_computation_times": False,
    }
