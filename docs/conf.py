"""How the site is built: ``sphinx-build -W docs site``. Needs no network."""

import importlib
import importlib.metadata
import pkgutil
import re

from sphinx.application import Sphinx

import adverify
from adverify.discovery import functions_in

project = "adverify"
copyright = "the adverify authors"
version = release = importlib.metadata.version("adverify")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
]
exclude_patterns = ["_build"]

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints = "none"
napoleon_google_docstring = False
napoleon_use_ivar = True

copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

html_theme = "furo"
html_title = "adverify"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#0b5d8a", "color-brand-content": "#0b5d8a"},
    "dark_css_variables": {"color-brand-primary": "#6fc3f2", "color-brand-content": "#6fc3f2"},
}
pygments_style = "friendly"
pygments_dark_style = "github-dark"


def with_families(app: Sphinx, docname: str, source: list[str]) -> None:
    """Write a section for every family of ops that there is."""
    if docname == "reference/op-library":
        source[0] = source[0].replace("(families)", "\n".join(map(_family, _families())))


def _families() -> list[str]:
    names = (f"adverify.ops.{module.name}" for module in pkgutil.iter_modules(adverify.ops.__path__))
    return [name for name in names if functions_in(importlib.import_module(name))]


def _family(module: str) -> str:
    lines = [f"## {module.rpartition('.')[2]}", "", "```{eval-rst}", f".. automodule:: {module}"]
    for op in functions_in(importlib.import_module(module)):
        lines += [f".. autoclass:: {module}.{op.__name__}"]
    return "\n".join([*lines, "```", ""])


def without_markup(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Show an op's docstring as it is: ``|x|`` and ``*`` are mathematics there."""
    if name.startswith("adverify.ops."):
        parts = ("\n".join(lines)).split("`")
        parts[::2] = [re.sub(r"([*|])", r"\\\1", part) for part in parts[::2]]
        lines[:] = "`".join(parts).split("\n")


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("source-read", with_families)
    app.connect("autodoc-process-docstring", without_markup, priority=400)  # before napoleon adds its own markup
