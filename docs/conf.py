"""Settings of the documentation: Markdown pages as HTML with Sphinx and MyST."""

project = "piriform"
copyright = "the piriform authors"
extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
myst_heading_anchors = 3
html_theme = "alabaster"
html_theme_options = {"page_width": "1100px", "sidebar_width": "220px"}
html_show_sourcelink = False
