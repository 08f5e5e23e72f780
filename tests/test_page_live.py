"""A training that runs under its own sliders, without a browser."""

import asyncio
import gc
import threading
import weakref
from itertools import islice

import keras
import numpy as np
import pytest
from drawn import lines
from small import X, Y, logits, model, weights

from distill_edu import Distiller, teacher_logits
from distill_edu.pages.shared.live import live_distillation, shuffled
from distill_edu.pages.shared.picture import DISTILLED, NEUTRAL

pytestmark = pytest.mark.nightly  # it waits for trainings that run


def distiller(student=None, **settings):
    made = Distiller(student=student or model(1), teacher=model(2, units=16))
    made.compile("adam", **{"temperature": 4.0, "alpha": 0.5, **settings})
    return made


def live(made, y=Y, **settings):
    return live_distillation(made, X, y, (X, Y), **{"batch_size": 8, "every": 2, **settings})


async def until(true):
    for _ in range(2000):
        if true():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not happen")


def press(widget, button):
    widget.controls["training"].value = button


async def press_in_another_thread(widget, button):
    await asyncio.to_thread(press, widget, button)


async def press_here(widget, button):
    press(widget, button)


def updates(widget):
    return (widget.runs[-1][0] or [0])[-1]


@pytest.mark.parametrize("pressed", [press_here, press_in_another_thread])
def test_it_trains_pauses_goes_on_and_stops_in_the_thread_of_the_cells(pressed, monkeypatch):
    made, threads, reset = distiller(), set(), Distiller.reset_metrics
    start = weights(made.student)
    monkeypatch.setattr(Distiller, "reset_metrics", lambda self: threads.add(threading.current_thread()) or reset(self))

    async def use():
        widget = live(made)
        assert "Stopped: no update yet" in widget.words.value
        await pressed(widget, "Start")
        await until(lambda: updates(widget) >= 4 and widget.words.value.startswith("Running after"))
        await pressed(widget, "Pause")
        held, at_pause = updates(widget), weights(made.student)
        await asyncio.sleep(0.1)
        assert updates(widget) == held and widget.words.value.startswith(f"Paused after {held} updates")
        await pressed(widget, "Start")
        await until(lambda: updates(widget) > held)
        await pressed(widget, "Stop")
        stopped = updates(widget)
        await asyncio.sleep(0.1)
        assert updates(widget) == stopped and len(widget.runs) == 1 and widget.task is None
        assert not all(map(np.array_equal, at_pause, weights(made.student)))
        return widget

    ((steps, losses, accuracies),) = asyncio.run(use()).runs
    assert steps == list(range(2, 2 * len(steps) + 1, 2)) and np.isfinite(losses).all()
    assert accuracies[-1] == pytest.approx((logits(made.student).argmax(axis=1) == Y).mean())
    assert not all(map(np.array_equal, start, weights(made.student)))
    assert threads == {threading.current_thread()}


def test_every_start_after_a_stop_is_the_same_training_and_its_curve_stays():
    async def use():
        widget = live(distiller(), every=5)
        for _ in range(2):
            press(widget, "Start")
            await until(lambda: len(widget.runs[-1][0]) >= 2)
            press(widget, "Stop")
        return widget

    widget = asyncio.run(use())
    widget.train_now(10)  # and without the buttons
    for steps, losses, _ in widget.runs:
        assert steps[:2] == [5, 10] and losses[:2] == pytest.approx(widget.runs[0][1][:2], rel=1e-5)
    assert len(widget.runs) == 3 and widget.runs[-1][0] == [5, 10]
    assert widget.words.value.startswith("Stopped after 10 updates") and widget.still().svg() == widget.view.value
    widget.train_now(5, anew=False)
    assert len(widget.runs) == 3 and widget.runs[-1][0] == [5, 10, 15]


def test_the_sliders_act_on_the_running_training():
    async def use():
        made = distiller(alpha=0.0)
        widget = live(made, every=1)
        press(widget, "Start")
        await until(lambda: updates(widget))
        widget.controls["temperature"].value, widget.controls["alpha"].value = 20, 1.0
        assert (made.temperature, made.alpha) == (20, 1)
        before = updates(widget)
        await until(lambda: updates(widget) > before)
        press(widget, "Stop")

    asyncio.run(use())


def test_an_error_in_the_training_stops_it_and_is_shown_as_text(monkeypatch):
    def fail(*_, **__):
        raise ValueError("<img src=x onerror=alert(1)>")

    monkeypatch.setattr(Distiller, "train_on_batch", fail)

    async def use():
        widget = live(distiller())
        press(widget, "Start")
        await until(lambda: "Stopped by an error" in widget.words.value)
        assert "&lt;img" in widget.words.value and "<img" not in widget.words.value
        assert widget.values["training"] == "Stop"

    asyncio.run(use())


def test_closing_stops_the_training_and_lets_go():
    async def use():
        widget = live(distiller())
        press(widget, "Start")
        await until(lambda: updates(widget))
        widget.close()
        before = updates(widget)
        await asyncio.sleep(0.1)
        assert updates(widget) == before and widget.task is None
        return weakref.ref(widget)

    held = asyncio.run(use())
    gc.collect()
    assert held() is None


@pytest.mark.parametrize(
    "make, sentence",
    [
        (lambda: live(Distiller(student=model(), teacher=model())), "compile"),
        (lambda: live(distiller(keras.Sequential([keras.layers.Dense(4)]))), "no weights yet"),
        (lambda: live(distiller(), Y[:-1]), "x has 33 examples and y 32"),
        (lambda: live(distiller(), {"labels": Y, "teacher_logits": np.zeros((3, 4))}), "x has 33 examples and y 3"),
        (lambda: live(distiller(temperature=7.0)), "one of the slider's stops"),
    ],
)
def test_wrong_arguments_get_a_sentence(make, sentence):
    with pytest.raises(ValueError, match=sentence):
        make()


def test_the_picture_has_the_loss_on_the_left_the_accuracy_on_the_right_and_the_last_runs_in_grey():
    widget = live(distiller(), every=5)
    for _ in range(8):
        widget.train_now(10)
    assert len(widget.runs) == 6  # this training and the five before it
    for axes, part, label in zip(widget.figure.axes, (1, 2), ("loss of the last batches", "accuracy on"), strict=True):
        drawn = lines(axes)
        assert [line.colour for line in drawn] == [NEUTRAL.lower()] * 5 + [DISTILLED.lower()]
        assert [(list(line.x), list(line.y)) for line in drawn] == [(run[0], run[part]) for run in widget.runs]
        assert axes.get_ylabel().startswith(label) and axes.get_xlabel() == "updates"
    _, losses, accuracies = widget.runs[-1]
    assert widget.words.value == (
        f"Stopped after 10 updates: loss {losses[-1]:.3f}, accuracy on validation data {accuracies[-1]:.3f}."
    )


def test_the_loss_is_the_mean_over_the_last_batches():
    widget, made = live(distiller(), every=3), distiller()
    widget.train_now(3)
    values = [float(made.train_on_batch(*batch, return_dict=True)["loss"]) for batch in islice(shuffled(X, Y, 8, 0), 3)]
    assert widget.runs[-1][1][0] == pytest.approx(values[-1], rel=1e-4)  # Keras reports the mean since the reset


def test_every_example_comes_once_a_round_in_an_order_of_the_seed_with_its_teacher_logits():
    z = teacher_logits(model(2, units=16), X)
    for seed in (0, 1):
        batches = list(islice(shuffled(X, {"labels": Y, "teacher_logits": z}, 8, seed), 10))
        assert [len(x) for x, _ in batches] == [8, 8, 8, 8, 1] * 2
        first, second = (np.concatenate([x for x, _ in part]) for part in (batches[:5], batches[5:]))
        assert np.allclose(np.sort(first, axis=0), np.sort(X, axis=0)) and not np.allclose(first, second)
        for x, y in batches:
            rows = [int(np.where(np.all(row == X, axis=1))[0][0]) for row in x]
            assert (y["labels"] == Y[rows]).all() and (y["teacher_logits"] == z[rows]).all()
    other = next(shuffled(X, Y, 8, 0))[0]
    assert not np.allclose(batches[0][0], other)
    assert live(distiller(), {"labels": Y, "teacher_logits": z}).words.value
