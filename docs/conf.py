"""Sphinx configuration."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

project = "skel"
copyright = "The skel developers"
html_title = "skel"
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton", "reference_groups"]
html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["tables.css"]
exclude_patterns = ["_build"]
myst_heading_anchors = 3
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
nb_execution_mode = "force"
nb_execution_in_temp = True
nb_execution_raise_on_error = True
nb_execution_timeout = 900  # of a cell; slow where other work has the cores
nb_output_stderr = "remove-warn"
python_maximum_signature_line_length = 88
toc_object_entries_show_parents = "hide"
autodoc_member_order = "bysource"
napoleon_attr_annotations = True


def setup(app):
    """Leave out the fields of named tuples, which their classes describe, and what scikit-learn adds."""

    def skips(_app, _what, name, member, skip, _options):
        return skip or type(member).__name__ == "_tuplegetter" or name.endswith("_request")

    app.connect("autodoc-skip-member", skips)
