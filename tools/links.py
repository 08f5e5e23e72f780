"""Where the repository is, and every link that follows from it: one line of pyproject.toml, `[project.urls]`.

After a change of that line run `make links`. A workflow on GitHub builds the site with its own address.
"""

import os
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
BRANCH = "main"
INSTALL = """\
# Where distill_edu is missing, as on Colab: install it. TensorFlow and Keras stay as they are.
from importlib.util import find_spec

if find_spec("distill_edu") is None:
    %pip install --quiet https://github.com/{repository}/archive/{branch}.zip"""
# In these texts every address on GitHub is ours (other repositories are named in docs/cookbook.md and in the pages).
TEXTS = ["README.md", "CITATION.cff", "docs/index.md", "docs/teaching.md"]
OWNER, NAME = r"[\w-]+", r"[\w.-]*\w"
ADDRESSES = {  # what an address of ours looks like: its form with {owner} and {name}
    rf"github\.com/{OWNER}/{NAME}": "github.com/{owner}/{name}",
    rf"colab\.research\.google\.com/github/{OWNER}/{NAME}": "colab.research.google.com/github/{owner}/{name}",
    rf"mybinder\.org/v2/gh/{OWNER}/{NAME}": "mybinder.org/v2/gh/{owner}/{name}",
    rf"codespaces\.new/{OWNER}/{NAME}": "codespaces.new/{owner}/{name}",
    rf"github\.com%2F{OWNER}%2F[\w.-]+": "github.com%2F{owner}%2F{name}",
    rf"https://{OWNER}\.github\.io/{NAME}": "https://{owner}.github.io/{name}",
}


def repository(workflow=None):
    """The repository as "owner/name": that of a workflow's settings (`os.environ`), or that of pyproject.toml."""
    if workflow and workflow.get("GITHUB_REPOSITORY"):
        return workflow["GITHUB_REPOSITORY"]
    urls = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]
    return re.fullmatch(rf"https://github\.com/({OWNER}/[\w.-]+?)(\.git)?/?", urls["Repository"])[1]


def of_the_site():
    """The repository that the site links to."""
    return repository(os.environ)


def launch(stem, repository):
    """Label -> address of all that opens the page `stem` elsewhere."""
    page = f"{BRANCH}/notebooks/{stem}.ipynb"
    return {
        "Open in Colab": f"https://colab.research.google.com/github/{repository}/blob/{page}",
        "Binder": f"https://mybinder.org/v2/gh/{repository}/{BRANCH}?labpath=notebooks/{stem}.ipynb",
        "Download": f"https://github.com/{repository}/raw/{page}",
        "View on GitHub": f"https://github.com/{repository}/blob/{page}",
    }


def edit(path, repository):
    """The address at which a text is edited in a browser: of a notebook GitHub's own editor shows only the JSON."""
    if path.endswith(".ipynb"):
        return f"https://github.dev/{repository}/blob/{BRANCH}/{path}"
    return f"https://github.com/{repository}/edit/{BRANCH}/{path}"


def launch_line(stem, repository):
    """The line below the title of a page."""
    return " · ".join(f"[{label}]({address})" for label, address in launch(stem, repository).items())


def install_cell(repository):
    """The source of the first code cell of a page."""
    return INSTALL.format(repository=repository, branch=BRANCH)


def readdressed(text, repository):
    """The text with all its addresses on GitHub, Colab, Binder and GitHub Pages moved to this repository."""
    owner, name = repository.split("/")
    for address, form in ADDRESSES.items():
        text = re.sub(address, form.format(owner=owner, name=name), text)
    return text


def write_texts():
    for name in TEXTS:
        path = ROOT / name
        path.write_text(readdressed(path.read_text(), repository()))
