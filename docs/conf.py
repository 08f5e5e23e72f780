"""Sphinx's settings: see `site` in the Makefile."""

import os
import sys
from pathlib import Path

from babel import Locale

sys.path.insert(0, str(Path(__file__).parent))
from frames import PALETTE  # noqa: E402

HERE = Path(__file__).parent
project = "distill_edu"
author = "the distill_edu maintainers"
project_copyright = author

extensions = ["myst_nb", "sphinx.ext.autodoc", "mathml"]
exclude_patterns = ["pages.md"]  # index.md includes it
nb_execution_mode = "off"  # tools/website.py has executed them
nb_merge_streams = True
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
html_math_renderer = "mathml"
default_role = "literal"  # `name` in a docstring is code
autodoc_inherit_docstrings = False
autodoc_member_order = "bysource"
locale_dirs = [str(HERE / "locale")]
gettext_compact = False

html_theme = "furo"
html_title = "distill_edu"
html_baseurl = os.environ.get("SITE_URL", "")  # where the site will stand: links from elsewhere need it
html_favicon = str(HERE / "static" / "icon.svg")
html_static_path = [str(HERE / "static"), str(HERE.parent / ".github" / "hook.png")]
playground = HERE.parent / "build" / "playground"  # tools/website.py writes it
if playground.is_dir():
    html_static_path.append(str(playground / "static"))
    html_extra_path = [str(playground / "alone")]
html_css_files = ["explorer.css"]
html_js_files = [("explorer.js", {"defer": "defer"})]
html_copy_source = html_show_sourcelink = False
# Language -> its own name, and the pages that have a translation: these link each other (templates/page.html).
html_context = {
    "site_url": html_baseurl,
    "translations": {
        folder.name: (Locale.parse(folder.name).get_language_name(), [path.stem for path in folder.rglob("*.po")])
        for folder in sorted(Path(locale_dirs[0]).glob("*"))
    },
}
templates_path = [str(HERE / "templates")]
html_theme_options = {
    "top_of_page_buttons": [],
    "light_css_variables": {name: colour for colour, name in PALETTE.items()} | {"paper": "transparent", "ink": "#111"},
    "dark_css_variables": {"ink": "#ddd", "teacher": "#4aa8e0", "neutral": "#9a9a9a", "olive": "#c9a227"},
}
