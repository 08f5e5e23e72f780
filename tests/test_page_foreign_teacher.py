"""Page "Can you distil a model that you did not train?": the teacher's bars and accuracies; lists, units, parts."""

import numpy as np
import pytest
from drawn import at, bars, lines, ticks
from gallery import GALLERY, LIST_ACCURACY, LISTS, NAMES, by_commas
from py3langid.langid import MODEL_FILE, LanguageIdentifier

from distill_edu import as_classes, load_dataset
from distill_edu.data import LANGUAGES
from distill_edu.evidence import Experiment
from distill_edu.metrics import accuracy
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


def test_measures_are_texts_of_twenty_languages_that_no_student_has_read():
    names = load_dataset("languages").train[0]
    texts, labels = page.measures(names)
    assert len(texts) == len(labels) > 3000 and set(labels) == set(range(20)) and labels.dtype == "int32"
    assert not {text.casefold() for text in texts} & {name.casefold() for name in names}
    pairs = list(zip(texts, labels.tolist(), strict=True))
    assert len(set(pairs)) == len(pairs) and ("Lichtjahre", 1) in pairs and ("light years", 0) in pairs


RIGHT = {"a": np.array([[1, 0, 1], [0, 0, 1]]), "b": np.array([[1, 1, 1], [0, 1, 0]])}
FOUND = Experiment("accuracy", right=RIGHT, classes={name: 2 * table for name, table in RIGHT.items()}, kept="now")


def test_an_experiment_is_cut_into_its_names_and_its_measures():
    names, measured = page.on_names_and_measures(FOUND, 1)
    assert measured.right["a"].tolist() == [[0, 1], [0, 1]] and measured.classes["b"].tolist() == [[2, 2], [2, 0]]
    assert names.right["b"].tolist() == [[1], [0]] and names.classes["a"].tolist() == [[2], [0]]
    assert measured.gains(over="a")["b"].mean == pytest.approx(0.25) and measured.kept == "now" and FOUND.right is RIGHT


def test_a_mistake_is_avoided_by_every_other_answer():
    avoided = page.mistakes_avoided(FOUND, np.array([2, 1, 0]), np.array([True, False, True]))
    assert avoided.right["a"].tolist() == [[False, True], [True, True]]
    assert avoided.right["b"].tolist() == [[False, True], [True, False]]


def test_the_lists_of_mixed_labels_hold_each_name_once_and_a_share_of_strangers():
    x, y = (part[:2000] for part in load_dataset("languages").train)
    labels = page.mixed(y, 0.25)
    assert sorted(labels) == sorted(y) and 0.2 < (labels != y).mean() < 0.27
    lists = page.in_lists(x, labels, 16)
    assert all(name in text for name, text in zip(x, lists, strict=True))
    assert max(text.count(", ") for text in set(lists)) < 20  # some names have commas of their own


def test_evened_classes_are_equally_frequent():
    p = np.random.RandomState(0).dirichlet([3, 1, 1, 0.5], 50)
    even = page.evened(p, p)
    assert (even / even.sum(axis=1, keepdims=True)).mean(axis=0) == pytest.approx([0.25] * 4, abs=1e-4)
    assert page.evened(p[:3], p) == pytest.approx(even[:3])


def test_each_student_is_a_point_over_the_answers_that_it_learned_from():
    figure = page.students_over_answers({"a": 0.4}, FOUND, teacher=0.5)
    points = {tuple(line.x): sorted(line.y) for line in lines(figure.axes[0], "o")}
    assert points == {(0.4, 0.4): pytest.approx([1 / 3, 2 / 3]), (1, 1): pytest.approx([1 / 3, 1])}
    (line,) = [line for line in lines(figure.axes[0]) if line.style == "--"]
    assert set(line.y) == {0.5}


def test_eight_names_are_the_first_list_that_the_teacher_reads_right_in_four_of_five():
    """As the answer of exercise 3 says."""
    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)

    def ask_py3langid(texts):
        answers = [dict(identifier.rank(text)) for text in texts]
        p = [[answer[code] for code in identifier.labels] for answer in answers]
        return as_classes(p, identifier.labels, list(LANGUAGES), rename={"no": "nb"})

    words = load_dataset("languages")
    answers = page.answers_about_lists(ask_py3langid, words.test, range(6, 9))
    accuracies = {count: accuracy(words.test[1], logits) for count, logits in answers.items()}
    assert max(accuracies[6], accuracies[7]) < 0.8 <= accuracies[8]
