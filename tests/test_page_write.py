"""Page "Can a small model learn to write?": the names, which of them were read, and its exercises."""

import numpy as np
import pytest
from drawn import at, bars, numbers
from exercises import answers
from gallery import GALLERY, KNOWN, WRITTEN
from matplotlib.colors import to_hex

from distill_edu.pages import write as page
from distill_edu.pages.shared import picture

COLOURS = [colour.lower() for colour in (picture.TEACHER, picture.HARD, picture.DISTILLED)]


@pytest.mark.parametrize("language", ["Finnish", "Italian"])
@pytest.mark.parametrize("temperature", [0.5, 1])
def test_names_that_were_read_are_grey_and_counted(language, temperature):
    figure, words = at(GALLERY["names"](), language=language, temperature=temperature)
    left, axes = figure.axes
    assert left.get_title() == f"{language}, at temperature {temperature:g}"
    shown, shares = list(left.texts), []
    for column, (model, of_model) in enumerate(WRITTEN.items()):
        names = of_model[temperature][language]
        head, *texts = shown[9 * column : 9 * column + 9]
        assert (head.get_text(), to_hex(head.get_color())) == (model, COLOURS[column])
        assert [text.get_text() for text in texts] == [picture.plain(name) for name in names[:8]]
        grey = [to_hex(text.get_color()) == picture.NEUTRAL.lower() for text in texts]
        assert grey == [name in KNOWN for name in names[:8]]
        assert all(to_hex(text.get_color()) in (COLOURS[column], picture.NEUTRAL.lower()) for text in texts)
        assert {text.get_position()[0] for text in (head, *texts)} == {column / 3}
        assert [text.get_position()[1] for text in (head, *texts)] == list(range(9))
        shares.append(sum(name in KNOWN for name in names) / len(names))
    assert [(label, heights[0], colour) for label, heights, colour in bars(axes)] == [
        (model, pytest.approx(share), colour) for model, share, colour in zip(WRITTEN, shares, COLOURS, strict=True)
    ]
    counts = [len(of_model[temperature][language]) for of_model in WRITTEN.values()]
    listed = sum(
        ([pytest.approx(100 * share, abs=0.06), count] for share, count in zip(shares, counts, strict=True)), []
    )
    assert numbers(words) == [temperature, *listed] and words.startswith(language) and 0 < max(shares) < 1


def test_none_or_four_models_are_refused():
    for models in ({}, dict.fromkeys("abcd", WRITTEN["teacher"])):
        with pytest.raises(ValueError, match=f"one, two or three models, not {len(models)}"):
            page.names_explorer(models, KNOWN, "Finnish")


def left(p, q):
    rest = np.where(p > q, p - q, 0.0)
    return rest / rest.sum()


test_exercises = answers(
    page,
    share_by_hand=(
        0.7,
        [
            (0.31, "multiplied"),
            (0.3, "total variation"),
            (0.4, "count twice"),
            (1.3, "the smaller ones"),
            (1.0, "one model's"),
            (0.9, "add the smaller one"),
        ],
    ),
    what_is_left=(
        left,
        [
            (lambda p, q: np.where(p > q, p - q, 0.0), "divide by their sum"),
            (lambda p, q: p, "take q away"),
            (lambda p, q: abs(p - q) / abs(p - q).sum(), "nothing is left"),
            (lambda p, q: left(q, p), "p minus q"),
            (lambda p, q: p - q, "below 0"),
            (lambda p, q: p * q, "np.maximum"),
        ],
    ),
    letters_per_call=(
        lambda share, drafted: (1 - share ** (drafted + 1)) / (1 - share),
        [
            (lambda share, drafted: 1 + share * drafted, "powers of the share"),
            (lambda share, drafted: share * drafted, "one of its own"),
            (lambda share, drafted: (1 - share**drafted) / (1 - share), "one power is missing"),
            (lambda share, drafted: (1 - share ** (drafted + 1)) / (1 - share) - 1, "whatever was kept"),
            (lambda share, drafted: drafted + 1, "if everything is kept"),
            (lambda share, drafted: share**drafted, "the chance that everything"),
            (lambda share, drafted: 7, "share**i"),
        ],
    ),
)
