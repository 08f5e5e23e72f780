"""Kept results may travel: the package trains as the code did that computed them, and they are found and small."""

import json
import zipfile

import numpy as np
import pytest

from distill_edu import cache
from distill_edu._inside.cache_key import GOLDEN, code_hash  # noqa: TID251 - what kept results are kept under
from tools import golden

KEPT = GOLDEN.parent


def test_the_code_is_the_one_whose_numbers_were_checked():
    assert json.loads(GOLDEN.read_text())["code"] == code_hash(), "run: make golden"


@pytest.mark.slow
def test_the_golden_numbers(folder, monkeypatch):
    monkeypatch.setenv("DISTILL_EDU_KEPT", "none")
    expected = json.loads(GOLDEN.read_text())["numbers"]
    found = golden.numbers()
    assert found == {name: pytest.approx(value, rel=golden.TOLERANCE) for name, value in expected.items()}
    distinct = np.array(sorted(found.values()))
    assert (np.diff(distinct) > 2 * golden.TOLERANCE * distinct[1:]).all(), "two trainings give the same number"


def test_the_kept_results_are_small_and_can_be_read():
    packages = sorted(KEPT.glob("*.zip"))
    assert sum(path.stat().st_size for path in packages) < 8e6
    for path in packages:
        with zipfile.ZipFile(path) as package:
            for key in package.namelist():
                assert cache.recall(key) is not None


def test_what_came_with_the_package_is_recalled_unless_that_is_switched_off(folder, tmp_path, monkeypatch):
    name = cache.key("a result of a page")
    cache.keep(name, {"numbers": np.arange(3)})
    with zipfile.ZipFile(tmp_path / "page.zip", "w") as package:
        package.write(folder / name, name)
    (folder / name).unlink()
    monkeypatch.setattr(cache, "_packages", lambda: {name: tmp_path / "page.zip"})
    assert cache.recall(name)["numbers"].tolist() == [0, 1, 2]
    monkeypatch.setenv("DISTILL_EDU_KEPT", "none")
    assert cache.recall(name) is None
