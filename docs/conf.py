"""How Sphinx builds these pages: ``make docs``."""

import unrolled

project = "Unrolled"
version = release = unrolled.__version__
copyright = "2026, the Unrolled developers"  # noqa: A001 - Sphinx wants this name

extensions = [
    "myst_parser",
    "sphinx.ext.apidoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "Unrolled"
# A name in single backquotes is a name of ours, as in the docstrings.
default_role = "code"

# One page for each file of the source, so that a new cell is documented by being there.
apidoc_modules = [{"path": "../src/unrolled", "destination": "api", "separate_modules": True, "module_first": True}]
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True  # an attribute is described once, where the class lists it
napoleon_custom_sections = [("Shape", "params_style"), "Cost", "Equations", "Metrics"]
myst_enable_extensions = ["dollarmath", "deflist"]
