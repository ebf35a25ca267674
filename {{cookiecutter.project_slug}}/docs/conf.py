"""The documents as a site: `tox -e docs`. Sphinx reads the same Markdown that a person reads; nothing is fetched."""

import tomllib
from pathlib import Path

HOME = Path(__file__).parents[1]

project = tomllib.loads((HOME / "pyproject.toml").read_text(encoding="utf-8"))["project"]["name"]
author = project_copyright = ""
root_doc = "docs/index"
include_patterns = ["README.md", "docs/*.md", "docs/index.rst", "server/README.md", "server/workshop/README.md"]
extensions = ["myst_parser"]
myst_heading_anchors = 3
myst_links_external_new_tab = True
language = "en"

html_theme = "furo"
html_title = project
html_show_copyright = html_show_sphinx = False
html_copy_source = False
html_additional_pages = {"index": "start.html"}
templates_path = ["site"]
html_theme_options = {"footer_icons": [], "top_of_page_buttons": []}
pygments_style = "default"
highlight_language = "text"
