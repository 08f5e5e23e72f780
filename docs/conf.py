"""Sphinx's settings: see `site` in the Makefile."""

import json
import os
import re
import sys
from pathlib import Path

from babel import Locale
from sphinx.search.en import SearchEnglish

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
from frames import PALETTE  # noqa: E402

from tools import links  # noqa: E402
from tools.pages import PAGES  # noqa: E402

project = "distill_edu"
author = "the distill_edu maintainers"
project_copyright = author

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx_copybutton", "mathml"]
exclude_patterns = ["pages.md"]  # index.md includes it
nb_execution_mode = "off"  # tools/website.py has executed them
nb_merge_streams = True
nb_code_prompt_show, nb_code_prompt_hide = "Show code", "Hide code"
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
repository = links.of_the_site()
html_context = {
    "site_url": html_baseurl,
    "launch": {path.stem: links.launch(path.stem, repository) for path in PAGES},
    "edit": {path.stem: links.edit(f"notebooks/{path.name}", repository) for path in PAGES}
    | {path.stem: links.edit(f"docs/{path.name}", repository) for path in HERE.glob("*.md")},
    "translations": {
        folder.name: (Locale.parse(folder.name).get_language_name(), [path.stem for path in folder.rglob("*.po")])
        for folder in sorted(Path(locale_dirs[0]).glob("*"))
    },
}
templates_path = [str(HERE / "templates")]
html_theme_options = {
    "top_of_page_buttons": [],
    "light_css_variables": {name: colour for colour, name in PALETTE.items()} | {"paper": "transparent", "ink": "#111"},
    "footer_icons": [{"name": "GitHub", "url": f"https://github.com/{repository}", "html": "GitHub"}],
    "dark_css_variables": {
        "ink": "#ddd",
        "pencil": "#ccc",
        "teacher": "#4aa8e0",
        "neutral": "#9a9a9a",
        "olive": "#c9a227",
    },
}


def text_of(page):
    """The prose of a built page: its sections with their anchors, and nothing else."""
    main = re.search(r'<article role="main".*?</article>', page, re.DOTALL)
    text = re.sub(r"<(script|svg|style|form|nav|pre|summary)\b.*?</\1>", " ", main[0] if main else "", flags=re.DOTALL)
    text = re.sub(r'<a class="headerlink".*?</a>|<(\w+) lang="[^"]*">.*?</\1>', "", text, flags=re.DOTALL)
    return " ".join(re.sub(r"<(?!/?(section|article)\b)[^>]*>", " ", text).split())


def write_texts(app, error):
    """Write the words of all pages, from which search.js takes its excerpts."""
    if not error and app.builder.name == "html":
        folder = Path(app.outdir)
        names = [name for name in sorted(app.env.found_docs) if (folder / f"{name}.html").is_file()]
        texts = {name: text_of((folder / f"{name}.html").read_text("utf-8")) for name in names}
        content = json.dumps(texts, ensure_ascii=False).replace("</", "<\\/")
        (folder / "_static" / "texts.js").write_text(f"globalThis.SITE_TEXTS = {content};\n", "utf-8")


class SearchChinese(SearchEnglish):
    """Chinese has no spaces: the index has each letter and each two neighbours, and a query is cut into such pairs.

    Sphinx's own class finds no Chinese word without jieba, and its script stops (`ChineseStemmer is not defined`).
    """

    lang = "zh"
    js_splitter_code = r"""
const word = /(?=([㐀-鿿]{2}))|(?<![㐀-鿿])[㐀-鿿](?![㐀-鿿])|(?:(?![㐀-鿿])[\p{L}\p{N}_])+/gu;
var splitQuery = query => [...query.matchAll(word)].map(found => found[1] ?? found[0]);
"""

    def split(self, input):
        return ["".join(found) for found in re.findall(r"(?=([㐀-鿿]{2}))|([㐀-鿿])|([^\W㐀-鿿]+)", input)]


def setup(app):
    app.add_search_language(SearchChinese)
    app.connect("build-finished", write_texts)
