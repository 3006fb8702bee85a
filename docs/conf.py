"""How Sphinx builds the pages."""

import json
import shutil
import sys
from pathlib import Path

import xseg

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from make_gallery import write_gallery  # noqa: E402 - it lies beside this file

# Notebooks live outside the documentation, as plain scripts; they are copied in and executed at every build.
shutil.rmtree(HERE / "notebooks", ignore_errors=True)
(HERE / "notebooks").mkdir()
for notebook in sorted((HERE.parent / "notebooks").glob("*.py")):
    shutil.copy(notebook, HERE / "notebooks" / notebook.name)

# The schema of a card is published with the pages.
(HERE / "_extra" / "api").mkdir(parents=True, exist_ok=True)
(HERE / "_extra" / "api" / "card.schema.json").write_text(json.dumps(xseg.cards.Card.json_schema(), indent=2))
html_extra_path = ["_extra"]

# So are the cards of the gallery; its page shows them in frames.
(HERE / "gallery.md").write_text(write_gallery(HERE / "_extra" / "gallery"), encoding="utf-8")

project = "xseg"
author = "The xseg developers"
project_copyright = "2026, The xseg developers"
version = release = xseg.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "numpydoc",
    "myst_nb",
]
exclude_patterns = ["_build", "_extra", "conf.py", "make_gallery.py"]
root_doc = "index"
nitpicky = True
# Aliases of types are shown with what they stand for, and these have no page.
nitpick_ignore = [
    ("py:class", name)
    for name in (
        "collections.abc.Mapping",
        "pydantic.functional_validators.AfterValidator",
        "pydantic.types.StringConstraints",
        "xseg.policy._policy_parts._check_unit",
    )
]
templates_path: list[str] = []

autosummary_generate = False
autodoc_member_order = "bysource"
# Docstrings say types in words, with shapes and units.
autodoc_typehints = "none"
autodoc_preserve_defaults = True
# Pages name the methods they show: scikit-learn's own are documented by scikit-learn.
numpydoc_show_class_members = False

myst_enable_extensions = ["dollarmath", "deflist", "colon_fence"]
myst_heading_anchors = 3
nb_custom_formats = {".py": ["jupytext.reads", {"fmt": "py:percent"}]}
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 300
nb_merge_streams = True
# Progress bars of shap complain about missing widgets.
nb_output_stderr = "remove"

html_theme = "pydata_sphinx_theme"
html_title = "xseg"
html_show_sourcelink = False
html_theme_options = {
    "navigation_with_keys": False,
    "show_prev_next": False,
    "secondary_sidebar_items": ["page-toc"],
}
