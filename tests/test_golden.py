"""Kept results may travel: the package trains as the code did that computed them, and they are found and small."""

import json
import zipfile

import keras
import numpy as np
import pytest
from small import model

from distill_edu import Ensemble, cache
from distill_edu._inside import cache_key  # noqa: TID251 - what kept results are kept under
from tools import golden

KEPT = cache_key.GOLDEN.parent


def test_the_code_is_the_one_whose_numbers_were_checked():
    assert json.loads(cache_key.GOLDEN.read_text())["code"] == cache_key.code_hash(), "run: make golden"


@pytest.mark.nightly
def test_the_golden_numbers(folder, monkeypatch):
    monkeypatch.setenv("DISTILL_EDU_KEPT", "none")
    expected = json.loads(cache_key.GOLDEN.read_text())["numbers"]
    found = golden.numbers()
    assert found == {name: pytest.approx(value, rel=golden.TOLERANCE) for name, value in expected.items()}
    distinct = np.array(sorted(found.values()))
    assert (np.diff(distinct) > 2 * golden.TOLERANCE * distinct[1:]).all(), "two trainings give the same number"


@pytest.mark.slow
def test_the_kept_results_are_small_and_can_be_read(monkeypatch):
    monkeypatch.delenv("DISTILL_EDU_KEPT", raising=False)  # `make test_all` recalls nothing
    packages = sorted(KEPT.glob("*.zip"))
    assert sum(path.stat().st_size for path in packages) < 8e6
    for path in packages:
        with zipfile.ZipFile(path) as package:
            for key in package.namelist():
                assert cache.recall(key) is not None


def test_what_came_with_the_package_is_recalled_unless_that_is_switched_off(folder, tmp_path, monkeypatch):
    monkeypatch.delenv("DISTILL_EDU_KEPT", raising=False)
    name = cache.key("a result of a page")
    cache.keep(name, {"numbers": np.arange(3)})
    with zipfile.ZipFile(tmp_path / "page.zip", "w") as package:
        package.write(folder / name, name)
    (folder / name).unlink()
    monkeypatch.setattr(cache, "_packages", lambda: {name: tmp_path / "page.zip"})
    assert cache.recall(name)["numbers"].tolist() == [0, 1, 2]
    monkeypatch.setenv("DISTILL_EDU_KEPT", "none")
    assert cache.recall(name) is None


def test_what_was_made_counts_by_how_it_was_made_not_by_its_last_bits(monkeypatch):
    monkeypatch.setattr(cache_key, "MADE", {})
    here, there, other = (model(seed, units=3) for seed in range(3))
    parts = {"model": here, "weighted": Ensemble([here], weights=[1]), "array": np.arange(3.0)}
    moved = {"model": there, "weighted": Ensemble([there], weights=[1]), "array": np.arange(3.0) + 1e-9}
    for made in (here, there):
        cache_key.made_by(made, ["trained", 5])
    for made in (parts["array"], moved["array"]):
        cache_key.made_by(made, ["remembered", 7])
    for name, part in parts.items():
        assert cache_key.portable_key([part]) == cache_key.portable_key([moved[name]]), name
    assert cache_key.portable_key(here) != cache_key.portable_key(other)
    assert cache_key.portable_key(Ensemble([here, other])) != cache_key.portable_key(Ensemble([here, here]))
    there.set_weights([weight + 1 for weight in there.get_weights()])
    assert cache_key.portable_key(here) != cache_key.portable_key(there)


class Sharp(Ensemble):
    def __init__(self, members, factor):
        super().__init__(members)
        self.factor = factor


class Committee(keras.Model):
    def __init__(self, members, factor):
        super().__init__()
        self.members, self.factor = members, factor


@pytest.mark.parametrize("kind", [Sharp, Committee])
def test_an_ensemble_of_ones_own_counts_with_all_that_it_has(monkeypatch, kind):
    monkeypatch.setattr(cache_key, "MADE", {})
    cache_key.made_by(member := model(units=3), ["trained", 5])
    one, same, other = (cache_key.portable_key(kind([member], factor)) for factor in (1.0, 1.0, 2.0))
    assert one == same != other


def test_other_code_has_other_keys(monkeypatch):
    before = cache_key.portable_key("x")
    cache_key.code_version.cache_clear()
    monkeypatch.setattr(cache_key, "training_code", lambda: {"losses": "edited"})
    assert cache_key.portable_key("x") != before
    cache_key.code_version.cache_clear()
