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

pytestmark = pytest.mark.slow  # it waits for trainings that run


def distiller(teacher=True, **settings):
    one = Distiller(student=model(1), teacher=model(2, units=16) if teacher else None)
    one.compile("adam", **{"temperature": 4.0, "alpha": 0.5, **settings})
    return one


def not_built():
    one = Distiller(student=keras.Sequential([keras.layers.Dense(4)]), teacher=model(2))
    one.compile("adam")
    return one


def live(one, y=Y, **settings):
    return live_distillation(one, X, y, (X, Y), **{"batch_size": 8, "every": 2, **settings})


async def until(true):
    for _ in range(2000):
        if true():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not happen")


def set_training(widget, value):
    widget.controls["training"].value = value


def test_it_trains_pauses_goes_on_and_stops():
    one, updates = distiller(), lambda widget: (widget.runs[-1][0] or [0])[-1]
    start = weights(one.student)

    async def use():
        widget = live(one)
        assert "Stopped: no update yet" in widget.words.value
        set_training(widget, "Start")
        await until(lambda: updates(widget) >= 4)
        assert widget.words.value.startswith(f"Running after {updates(widget)} updates")
        set_training(widget, "Pause")
        held, at_pause = updates(widget), weights(one.student)
        await asyncio.sleep(0.1)
        assert updates(widget) == held and widget.words.value.startswith("Paused")
        set_training(widget, "Start")
        await until(lambda: updates(widget) > held)
        set_training(widget, "Stop")
        stopped = updates(widget)
        await asyncio.sleep(0.1)
        assert updates(widget) == stopped and len(widget.runs) == 1
        assert not all(np.array_equal(a, b) for a, b in zip(at_pause, weights(one.student), strict=True))
        return widget

    widget = asyncio.run(use())
    (steps, losses, accuracies) = widget.runs[0]
    assert steps == list(range(2, 2 * len(steps) + 1, 2)) and np.isfinite(losses).all()
    assert accuracies[-1] == pytest.approx((logits(one.student).argmax(axis=1) == Y).mean())
    assert any((a != b).any() for a, b in zip(start, weights(one.student), strict=True))


def test_buttons_that_are_heard_in_another_thread_move_the_training_in_its_own(monkeypatch):
    threads = []
    monkeypatch.setattr(Distiller, "reset_metrics", lambda one: threads.append(threading.current_thread()))

    async def use():
        widget = live(distiller())
        await asyncio.to_thread(set_training, widget, "Start")
        await until(lambda: len(widget.runs[-1][0]) >= 2)
        await asyncio.to_thread(set_training, widget, "Pause")
        words, held = widget.words.value, list(widget.runs[-1][0])
        await asyncio.sleep(0.1)
        assert widget.words.value == words and widget.runs[-1][0] == held and words.startswith("Paused")
        await asyncio.to_thread(set_training, widget, "Stop")
        await asyncio.sleep(0.1)
        assert widget.runs[-1][0] == held and widget.task is None

    asyncio.run(use())
    assert set(threads) == {threading.current_thread()}


def test_start_after_stop_gives_the_same_training_again_and_keeps_the_curve():
    async def use():
        widget = live(distiller(), every=5)
        for _ in range(2):
            set_training(widget, "Start")
            await until(lambda: len(widget.runs[-1][0]) >= 2)
            set_training(widget, "Stop")
        return widget

    first, second = asyncio.run(use()).runs
    assert second[0][:2] == first[0][:2] == [5, 10]
    assert second[1][:2] == pytest.approx(first[1][:2], rel=1e-5)


def test_train_now_is_the_same_training_without_the_buttons():
    widget = live(distiller(), every=5)
    for _ in range(2):
        widget.train_now(10)
    first, second = widget.runs
    assert first[0] == second[0] == [5, 10] and second[1] == pytest.approx(first[1], rel=1e-5)
    assert widget.words.value.startswith("Stopped after 10 updates") and widget.still().svg() == widget.view.value


def test_the_sliders_act_on_the_running_training():
    async def use():
        one = distiller(alpha=0.0)
        widget = live(one, every=1)
        set_training(widget, "Start")
        await until(lambda: widget.runs[-1][0])
        widget.controls["temperature"].value = 20
        widget.controls["alpha"].value = 1.0
        assert (one.temperature, one.alpha) == (20, 1)
        before = len(widget.runs[-1][0])
        await until(lambda: len(widget.runs[-1][0]) > before)
        set_training(widget, "Stop")

    asyncio.run(use())


def test_an_error_in_the_training_is_said_and_stops_it():
    async def use():
        widget = live(distiller(teacher=False), {"labels": Y, "teacher_logits": np.full((len(X), 4), np.nan)})
        set_training(widget, "Start")
        await until(lambda: "Stopped by an error" in widget.words.value)
        assert "NaN" in widget.words.value and widget.values["training"] == "Stop"

    asyncio.run(use())


def test_cached_teacher_logits_stay_with_their_examples():
    one, z = distiller(), teacher_logits(model(2, units=16), X)
    targets = {"labels": Y, "teacher_logits": z}
    for x, y in [next(shuffled(X, targets, 8, seed=0)) for _ in range(3)]:
        rows = [int(np.where(np.all(row == X, axis=1))[0][0]) for row in x]
        assert (y["labels"] == Y[rows]).all() and (y["teacher_logits"] == z[rows]).all()
    assert live(one, targets).words.value


def test_closing_stops_the_training_and_lets_go():
    async def use():
        one = distiller()
        widget = live(one)
        set_training(widget, "Start")
        await until(lambda: widget.runs[-1][0])
        widget.close()
        updates, task = widget.runs[-1][0][-1], widget.task
        await asyncio.sleep(0.1)
        assert widget.runs[-1][0][-1] == updates and task is None
        return weakref.ref(widget)

    held = asyncio.run(use())
    gc.collect()
    assert held() is None


@pytest.mark.parametrize(
    "make, sentence",
    [
        (lambda: live(Distiller(student=model(), teacher=model())), "compile"),
        (lambda: live(not_built()), "no weights yet"),
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
    assert len(widget.runs) == 6  # the training now, and the five before it
    for axes, part, label in zip(widget.figure.axes, (1, 2), ("loss of the last batches", "accuracy on"), strict=True):
        drawn = lines(axes)
        assert [line.colour for line in drawn] == [NEUTRAL.lower()] * 5 + [DISTILLED.lower()]
        assert all(
            list(line.x) == run[0] and list(line.y) == run[part] for line, run in zip(drawn, widget.runs, strict=True)
        )
        assert axes.get_ylabel().startswith(label) and axes.get_xlabel() == "updates"
    _, losses, accuracies = widget.runs[-1]
    assert widget.words.value == (
        f"Stopped after 10 updates: loss {losses[-1]:.3f}, accuracy on validation data {accuracies[-1]:.3f}."
    )


def test_the_loss_is_the_mean_over_the_last_batches():
    widget, one = live(distiller(), every=3), distiller()
    widget.train_now(3)
    values = [float(one.train_on_batch(*batch, return_dict=True)["loss"]) for batch in islice(shuffled(X, Y, 8, 0), 3)]
    one.reset_metrics()
    assert widget.runs[-1][1][0] == pytest.approx(values[-1], rel=1e-4)  # Keras reports the mean since the reset


def test_every_example_comes_once_a_round_in_an_order_of_the_seed():
    for seed in (0, 1):
        batches = list(islice(shuffled(X, Y, 8, seed), 10))
        assert [len(x) for x, _ in batches] == [8, 8, 8, 8, 1] * 2
        first, second = (np.concatenate([x for x, _ in part]) for part in (batches[:5], batches[5:]))
        assert np.allclose(np.sort(first, axis=0), np.sort(X, axis=0)) and not np.allclose(first, second)
    other = next(shuffled(X, Y, 8, 0))[0]
    assert not np.allclose(batches[0][0], other)


def test_the_text_of_an_error_is_shown_and_not_run(monkeypatch):
    def fail(*_, **__):
        raise ValueError("<img src=x onerror=alert(1)>")

    monkeypatch.setattr(Distiller, "train_on_batch", fail)

    async def use():
        widget = live(distiller())
        set_training(widget, "Start")
        await until(lambda: "Stopped by an error" in widget.words.value)
        assert "&lt;img" in widget.words.value and "<img" not in widget.words.value

    asyncio.run(use())
