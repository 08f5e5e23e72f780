"""Page "Can you distil a model that you did not train?": the teacher's bars and accuracies; lists, units, parts."""

import numpy as np
import pytest
from drawn import at, bars, lines, ticks
from gallery import GALLERY, LIST_ACCURACY, LISTS, NAMES, by_commas

from distill_edu import load_dataset
from distill_edu.data import LANGUAGES
from distill_edu.evidence import Experiment
from distill_edu.pages import foreign_teacher as page
from distill_edu.pages.shared.picture import TEACHER


@pytest.mark.parametrize("language", LISTS)
@pytest.mark.parametrize("count", LIST_ACCURACY)
def test_the_bars_are_the_answer_to_the_list_and_the_line_is_the_accuracy_of_each_length(language, count):
    figure, words = at(GALLERY["lists"](), language=language, count=count)
    left, right = figure.axes
    text = ", ".join(LISTS[language][:count])
    (expected,) = by_commas([text])
    ((_, heights, colour),) = bars(left)
    assert heights == pytest.approx(expected) and colour == TEACHER.lower() and ticks(left) == list(NAMES)
    own, chosen = (next(line.x[0] for line in lines(axes, "None") if len(set(line.x)) == 1) for axes in (left, right))
    assert own == NAMES.index(language) and chosen == list(LIST_ACCURACY).index(count)
    (line,) = lines(right, "s")
    assert line.y.tolist() == list(LIST_ACCURACY.values()) and ticks(right) == ["1", "4"]
    shown = text if len(text) <= 60 else text[:57] + "..."
    best, p = NAMES[int(np.argmax(expected))], 100 * np.array(expected)
    own = "is right" if best == language else f"gives {language}, the right answer, {p[NAMES.index(language)]:.1f}%"
    assert words == (
        f"{shown}: the teacher says {best} with {max(p):.1f}% and {own}. It is right about {LIST_ACCURACY[count]:.3f} "
        f"of all test lists of {count} name{'s' * (count > 1)}."
    )


def test_ten_lists_hold_different_names_of_their_language():
    words = load_dataset("languages")
    lists = page.ten_lists(*words.test)
    codes = {name: place for place, (name, _) in enumerate(LANGUAGES.values())}
    assert len(lists) == 10 and all(len(set(names)) == 32 for names in lists.values())
    for language, names in lists.items():
        assert set(names) <= set(words.test[0][words.test[1] == codes[language]])


def test_units_are_texts_of_twenty_languages_that_no_student_has_read():
    names = load_dataset("languages").train[0]
    texts, labels = page.units(names)
    assert len(texts) == len(labels) > 3000 and set(labels) == set(range(20)) and labels.dtype == "int32"
    assert not {text.casefold() for text in texts} & {name.casefold() for name in names}
    pairs = list(zip(texts, labels.tolist(), strict=True))
    assert len(set(pairs)) == len(pairs) and ("Lichtjahre", 1) in pairs and ("light years", 0) in pairs


def test_an_experiment_on_some_examples_has_these_alone():
    right = {"a": np.array([[1, 0, 1], [0, 0, 1]]), "b": np.array([[1, 1, 1], [0, 1, 0]])}
    found = Experiment("accuracy", right=right, classes={name: 2 * table for name, table in right.items()}, when="now")
    some = page.on_examples(found, slice(1, None))
    assert some.right["a"].tolist() == [[0, 1], [0, 1]] and some.classes["b"].tolist() == [[2, 2], [2, 0]]
    assert some.gains(over="a")["b"].mean == pytest.approx(0.25) and some.when == "now" and found.right is right
