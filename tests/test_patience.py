"""Warnings whose texts are new each time: each is given once, and they are not kept for ever."""

import warnings

from distill_edu._inside.time_limit import warn

HUNDRED = [f"It failed at {number}." for number in range(100)]


def given(texts):
    said = {}
    with warnings.catch_warnings(record=True) as given:
        warnings.simplefilter("default")
        for text in texts:
            warn(text, said, caller=1)
    assert {each.filename for each in given} == {__file__} and {each.category for each in given} == {UserWarning}
    return [str(each.message) for each in given]


def test_a_text_is_given_once_while_it_is_remembered():
    assert given([*HUNDRED[:99], HUNDRED[0]]) == HUNDRED[:99]


def test_after_a_hundred_texts_all_are_forgotten():
    assert given([*HUNDRED, HUNDRED[0], HUNDRED[0]]) == [*HUNDRED, HUNDRED[0]]
