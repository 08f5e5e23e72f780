"""Page "Can a small model learn to write?": the data as letters, who wrote which letter, and the two judges."""

import keras
import numpy as np
import pytest
from drawn import at, lines, numbers, ticks
from gallery import GALLERY, WRITTEN
from matplotlib.colors import to_hex

from distill_edu import as_next_letter, load_dataset
from distill_edu import language as writing
from distill_edu.pages import write as page
from distill_edu.pages.shared import picture, showing

HARD, SOFT, TEACHER, INK = (
    colour.lower() for colour in (picture.HARD, picture.DISTILLED, picture.TEACHER, picture.INK)
)


@pytest.mark.parametrize("language", ["Finnish", "Italian"])
@pytest.mark.parametrize("letters", [1, 4, 20])
def test_each_letter_has_the_colour_of_its_writer(language, letters):
    figure, words = at(GALLERY["names"](), language=language, letters=letters)
    (axes,) = figure.axes
    assert axes.get_title() == f"{language}: the first {letters} letters of each name"
    shown = iter(axes.texts)
    random = np.random.RandomState(0)
    real = {one: random.choice(page.real_names()[one], 8, replace=False) for one in WRITTEN["soft"]}
    columns = {"real names": [(name, "") for name in real[language]]} | {by: WRITTEN[by][language] for by in WRITTEN}
    for column, (writer, colour) in enumerate(zip(columns, (INK, HARD, SOFT, TEACHER), strict=True)):
        assert next(shown).get_text() == writer
        for row, pair in enumerate(columns[writer], 1):
            for text, by in zip(pair, (colour, SOFT), strict=True):
                drawn = next(shown)
                assert drawn.get_text().replace("\N{NO-BREAK SPACE}", " ") == picture.plain(text[:letters])
                assert drawn.get_position() == (column / 4, row) and to_hex(drawn.get_color()) == by
    alone, drafted = (
        sum(len(pair[by][:letters].replace(" ", "")) for pair in WRITTEN["teacher"][language]) for by in (0, 1)
    )
    assert words.startswith(f"{language}, teacher: ") and numbers(words) == [drafted, drafted + alone]


def test_a_name_becomes_its_tag_its_letters_and_its_end():
    names, vocabulary = page.names_as_letters(tested=7)
    assert [len(x) for x, _ in (names.train, names.valid, names.test)] == [11614, 1989, 7]
    words = load_dataset("languages")
    first, label = next(pair for pair in zip(*words.train, strict=True) if len(pair[0]) < 20)
    x, labels = names.train
    assert vocabulary.decode(x[:1, :1]) == [words.class_names[label]]
    assert vocabulary.decode(labels[:1]) == [first.lower()]
    counts = labels != -1
    ends = counts & ~np.pad(counts[:, 1:], [(0, 0), (0, 1)])
    wrong = ((labels == 1) != ends).any(axis=1)  # the end of a name counts, and nothing after it
    assert wrong.sum() == 1 and len(vocabulary.decode(labels[wrong])[0]) == 20  # a small İ has two letters
    assert len(names.class_names) == len(vocabulary) and names.class_names[x[0, 0]] == words.class_names[label]


def test_real_names_are_those_of_their_language_in_every_part():
    real, words = page.real_names(), load_dataset("languages")
    for x, labels in (words.train, words.valid, words.test):
        some = list(zip(x[:50], labels[:50], strict=True))
        assert all((word.lower() in real[words.class_names[k]]) == (len(word) < 20) for word, k in some)
    assert "saksa" in real["Finnish"] and "saksa" not in real["German"]


def logits(function):
    """A model whose logits are a function of the letter that it reads."""
    return keras.Sequential([keras.Input((None,), dtype="int32"), keras.layers.Lambda(function)])


def fixed(vocabulary, **p):
    """A model that gives these letters their probabilities everywhere."""
    weights = np.full(len(vocabulary), 1e-30)
    for letter, share in p.items():
        weights[vocabulary.numbers[letter]] = share
    log_p = np.log(weights).astype("float32")
    return logits(lambda x: log_p + 0.0 * keras.ops.one_hot(x, len(log_p)))


def test_each_language_writes_after_its_own_tag():
    _, vocabulary = page.names_as_letters()
    letter, size = vocabulary.numbers["a"], len(vocabulary)

    def after_the_tag(x):  # Finnish writes "a", all others end at once
        finnish = keras.ops.cast(x == vocabulary.numbers["Finnish"], "int32")
        return 99.0 * keras.ops.one_hot(finnish * letter + (1 - finnish), size)

    written = page.write_names(logits(after_the_tag), vocabulary)
    assert len(written) == 20 and written["German"] == [("", "")] * 8
    assert written["Finnish"] == [("a", " ")] * 8  # after the "a" it reads no tag


def test_a_teacher_with_a_draft_writes_its_own_text_and_keeps_what_the_models_share():
    _, vocabulary = page.names_as_letters()
    teacher, draft = fixed(vocabulary, a=0.6, b=0.3, c=0.1), fixed(vocabulary, a=0.2, b=0.5, c=0.3)
    written = page.write_names(teacher, vocabulary, draft)
    pairs = [pair for names in written.values() for pair in names]
    alone, drafted = ("".join(pair[by] for pair in pairs) for by in (0, 1))
    assert all((one == " ") != (other == " ") for one, other in zip(alone, drafted, strict=True))
    for letter, p in (("a", 0.6), ("b", 0.3), ("c", 0.1)):
        assert (alone.count(letter) + drafted.count(letter)) / len(alone) == pytest.approx(p, abs=0.03)
    counts = writing.speculative(draft, teacher, np.full((160, 1), 3), page.LENGTH)
    share = counts.kept.sum() / (counts.rows[:, 1:] > 0).sum()
    assert 1 - drafted.count(" ") / len(drafted) == pytest.approx(share, abs=0.03)
    together = page.write_together(draft, draft, teacher, vocabulary)
    assert list(together) == ["labels", "soft", "teacher, soft drafts"]
    assert together["teacher, soft drafts"] == written


def test_surprise_is_the_mean_over_the_letters_that_count():
    _, vocabulary = page.names_as_letters()
    a, b = vocabulary.numbers["a"], vocabulary.numbers["b"]
    model = fixed(vocabulary, a=0.75, b=0.25)
    found = page.surprise(model, np.zeros((2, 3), int), np.array([[a, b, -1], [b, -1, -1]]))
    assert found == pytest.approx([-np.log([0.75, 0.25]).mean(), np.log(4)], rel=1e-5)


def test_triples_are_those_of_the_language_of_the_tag():
    _, vocabulary = page.names_as_letters()
    rows = vocabulary.encode([["Finnish", *"suomi"], ["German", *"suomi"]], page.LENGTH)
    known = page.triples_of_the_data()
    assert page.share_known(rows[:1], vocabulary, known) == 1
    expected = np.mean([three in known["German"] for three in ("suo", "uom", "omi")])
    assert page.share_known(rows[1:], vocabulary, known) == expected < 1


def test_the_figures_show_their_numbers():
    texts = {"labels": [(3.0, 0.5), (3.1, 0.4)], "labels, colder": [(2.9, 0.6)], "soft": [(2.8, 0.7)]}
    texts = {
        writer: [dict(zip(("surprise", "known triples"), pair, strict=True)) for pair in pairs]
        for writer, pairs in texts.items()
    }
    for axes, measure in zip(showing.draw_judges(texts).axes, ("surprise", "known triples"), strict=True):
        points, means = lines(axes)[::2], lines(axes)[1::2]
        assert [line.x.tolist() for line in points] == [[text[measure] for text in of] for of in texts.values()]
        assert [line.colour for line in points] == [HARD, HARD, SOFT]
        assert [line.x[0] for line in means] == [np.mean(line.x) for line in points]
    assert ticks(showing.draw_judges(texts).axes[0], "y") == list(texts)
    (axes,) = showing.draw_rule([0.6, 0.4], [0.2, 0.8], [0.2, 0.4], [0.4, 0.0]).axes
    boxes = [(bar.get_y(), bar.get_height()) for group in axes.containers for bar in group]
    assert np.allclose(boxes, [(0, 0.2), (0, 0.4), (0.2, 0.4), (0.4, 0), (0, 0.2), (0, 0.8)])


def test_both_judges_read_the_same_text():
    _, vocabulary = page.names_as_letters()
    rows = vocabulary.encode([["Finnish", *"ab"], ["Finnish", *"ab"], ["Finnish", *"abba"]], page.LENGTH)
    model = fixed(vocabulary, a=0.5, b=0.5)
    found = page.judge(rows, model, vocabulary, {"Finnish": ["abb"]}, {"Finnish": ["suomi"]})
    assert found["known triples"] == 0.5 and found["new names"] == pytest.approx(2 / 3)
    x, labels, _ = as_next_letter(rows)
    assert found["surprise"] == pytest.approx(page.surprise(model, x, labels).mean())
    real = vocabulary.encode([["Finnish", *"suomi"]], page.LENGTH)
    assert page.judge(real, model, vocabulary, {"Finnish": []}, {"Finnish": ["suomi"]})["new names"] == 0


def test_entropy_is_that_of_the_letters_as_they_are_drawn():
    _, vocabulary = page.names_as_letters()
    rows = vocabulary.encode([["Finnish", *"ab"], ["Finnish", *"abba"]], page.LENGTH)
    model, q = fixed(vocabulary, a=0.8, b=0.2), np.array([0.8, 0.2])
    assert page.entropy(model, rows) == pytest.approx(-(q * np.log(q)).sum(), rel=1e-5)
    q = q**2 / (q**2).sum()
    assert page.entropy(model, rows, 0.5) == pytest.approx(-(q * np.log(q)).sum(), rel=1e-5)
