"""How long training takes beside other ways of training: `make bench`. Ratios, medians, one process."""

import dataclasses
import functools
import os
import resource
import statistics
import string
import tempfile
import time
from pathlib import Path

import keras
import keras.distillation
import nbformat
import numpy as np
from nbclient import NotebookClient

from distill_edu import Classroom, Distiller, Vocabulary, as_next_letter, compare, load_dataset, models, teacher_logits
from distill_edu._inside.cache_key import portable_key  # noqa: TID251 - it measures what an experiment waits for
from distill_edu.losses import named_soft_loss

ROUNDS = 15
# What we aim at: a step of at most so many times student.fit, forty students so many times as fast as these loops, ten
# students of other kinds so many times as fast as a loop, and a page in at most so many seconds.
STEP = {"Distiller, cached teacher logits": 1.10}
FORTY = {1: {"loop of student.fit": 15}, 10: {"loop of student.fit": 15, "loop of keras.distillation": 30}}
LOOP, WARM = {"convolutional": 2.3, "GRU": 2.6}, 20
data = load_dataset("mnist5k")
x, y = data.train
teacher = models.mlp(data, hidden=(1200, 1200), name="teacher")
cached = {"labels": y, "teacher_logits": teacher_logits(teacher, x)}
cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def plain():
    student = models.mlp(data)
    student.compile("adam", cross_entropy, metrics=["accuracy"])
    return lambda epochs=1: student.fit(x, y, epochs=epochs, verbose=0)


def ours(targets, teacher=None):
    distiller = Distiller(student=models.mlp(data), teacher=teacher)
    distiller.compile("adam", metrics=["accuracy"])
    return lambda: distiller.fit(x, targets, verbose=0)


def keras_own(temperature=4.0):
    soft = keras.distillation.LogitsDistillation(temperature=temperature, loss=keras.losses.KLDivergence())
    student = models.mlp(data)
    distiller = keras.distillation.Distiller(
        teacher=teacher,
        student=student,
        distillation_losses=soft,
        distillation_loss_weights=0.9,
        student_loss_weight=0.1,
    )
    distiller.compile(optimizer="adam", loss=cross_entropy, metrics=["accuracy"])
    return lambda epochs=1: distiller.fit(x, y, epochs=epochs, verbose=0)


def seconds(call):
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def aim(wanted, ratio, at_most=False):
    if wanted is None:
        return ""
    reached = ratio <= wanted if at_most else ratio >= wanted
    return f"   aim: {wanted:g}, {'reached' if reached else 'short of it'}"


def one_student():
    ways = {
        "student.fit": plain(),
        "Distiller, cached teacher logits": ours(cached),
        "Distiller, teacher in the step": ours(y, teacher),
        "keras.distillation.Distiller": keras_own(),
    }
    for fit in ways.values():
        fit()  # traces
    rounds = [{name: seconds(fit) for name, fit in ways.items()} for _ in range(ROUNDS)]
    print(f"one epoch of {len(x)} images, batch 32, student 784-32-10, teacher 784-1200-1200-10; median of {ROUNDS}")
    for name in ways:
        ratio = statistics.median(each[name] / each["student.fit"] for each in rounds)
        median = statistics.median(each[name] for each in rounds)
        print(f"{name:34} {median:7.3f} s   {ratio:5.2f} x student.fit{aim(STEP.get(name), ratio, at_most=True)}")


def classroom(temperatures, epochs):
    students = [models.mlp(data) for _ in temperatures]
    together = Classroom(students=students, teacher=teacher, temperatures=temperatures)
    together.compile("adam", metrics=["accuracy"])
    together.fit(x, y, epochs=epochs, verbose=0)


def experiment(build, temperatures, seeds, steps, trained_on=data, batch_size=32, teacher=teacher):
    """An arm for each temperature; nothing is recalled, for the cache is a folder that is gone."""
    arms = {str(t): {"temperature": t} for t in temperatures}
    how = {"seeds": seeds, "steps": steps, "batch_size": batch_size, "progress": False}
    with tempfile.TemporaryDirectory() as folder:
        os.environ["DISTILL_EDU_CACHE"] = folder
        return compare(trained_on, teacher, build, arms, **how)


def many_students(epochs, rounds=3, sample=5):
    """Building and tracing included. The loops train only `sample` students, and their time is scaled up."""
    temperatures = [1, 2, 3, 4, 6, 8, 10, 20]
    some = (temperatures * 5)[:: 40 // sample]
    ways = {
        "compare": lambda: experiment(models.mlp, temperatures, 5, epochs * len(x) // 32),
        "Classroom": lambda: classroom(temperatures * 5, epochs),
        "loop of student.fit": lambda: [plain()(epochs) for _ in some],
        "loop of keras.distillation": lambda: [keras_own(t)(epochs) for t in some],
    }
    share = {name: 40 / len(some) if "loop" in name else 1 for name in ways}
    times = [{name: share[name] * seconds(run) for name, run in ways.items()} for _ in range(rounds)]
    print(f"\n40 students (8 temperatures x 5 seeds), {epochs} epochs, from building to trained; median of {rounds}")
    for name in ways:
        ratio = statistics.median(each[name] / each["compare"] for each in times)
        median = statistics.median(each[name] for each in times)
        print(
            f"{name:34} {median / epochs:7.3f} s an epoch   {ratio:5.2f} x compare{aim(FORTY[epochs].get(name), ratio)}"
        )


def over_a_loop(kind, build, lesson, answers, steps, batch_size, students=10):
    """Students that are not mlps, against a loop of which one is trained. `answers`: logits for the training set."""
    x, labels = lesson.train
    rows = np.resize(np.arange(len(x)), steps * batch_size)
    given = {"labels": labels, "teacher_logits": answers, **({"mask": labels != -1} if labels.ndim > 1 else {})}

    def alone():
        distiller = Distiller(student=build(lesson))
        distiller.compile("adam")
        distiller.fit(x[rows], {name: part[rows] for name, part in given.items()}, batch_size=batch_size, verbose=0)

    together = seconds(lambda: experiment(build, [4], students, steps, lesson, batch_size, {"train": answers}))
    loop = students * seconds(alone)
    print(
        f"\n{students} {kind} students, {steps} updates: compare {together:.1f} s, a loop {loop:.1f} s, "
        f"{loop / together:.2f} x compare{aim(LOOP[kind], loop / together)}"
    )


def of_images(steps=400):
    few = dataclasses.replace(data, train=(x[:90], y[:90]))
    build = functools.partial(models.cnn, width=4, dropout=0.0)
    over_a_loop("convolutional", build, few, cached["teacher_logits"][:90], steps, 30)


def of_letters(steps=400):
    """Students that write words letter by letter, from the made-up answers of a teacher."""
    vocabulary, words = Vocabulary(string.ascii_lowercase), load_dataset("languages")
    rows = vocabulary.encode([word.lower() for word in words.train[0][:1000]], 9)
    part = as_next_letter(rows)[:2]
    lesson = dataclasses.replace(words, train=part, valid=part, test=part)
    answers = np.random.RandomState(0).randn(*part[1].shape, len(vocabulary)).astype("float32")
    over_a_loop("GRU", lambda data: models.letter_gru(vocabulary, 32, length=8), lesson, answers, steps, 32)


def warm_page(name="10_when_it_fails"):
    """An untouched page, from its first cell to its last, by its kept results alone; without the kernel's start."""
    folder = Path(__file__).parents[1] / "notebooks"
    page = nbformat.read(folder / f"{name}.ipynb", as_version=4)
    client = NotebookClient(page, timeout=900, startup_timeout=600, resources={"metadata": {"path": str(folder)}})
    kept = os.environ | {"DISTILL_EDU_KEPT": "only"}
    with tempfile.TemporaryDirectory() as empty, client.setup_kernel(env=kept | {"DISTILL_EDU_CACHE": empty}):
        taken = seconds(lambda: [client.execute_cell(cell, place) for place, cell in enumerate(page.cells)])
    print(f"\npage {name}, kept results alone: {taken:.1f} s{aim(WARM, taken, at_most=True)}")


def key_of_a_student():
    """What it costs to ask whether a student is kept: a key for the data and the teacher, and one for each student."""
    settings = sorted({"temperature": 4.0, "alpha": 0.1, "soft_loss": named_soft_loss("kl"), "hidden": 32}.items())
    ways = {"an experiment": (data, teacher, models.mlp), "a student": ("the experiment's key", settings, 7)}
    for name, parts in ways.items():
        median = statistics.median(seconds(lambda parts=parts: portable_key(*parts)) for _ in range(ROUNDS))
        print(f"key of {name:27} {1000 * median:7.2f} ms")


if __name__ == "__main__":
    one_student()
    for epochs in (1, 10):
        many_students(epochs)
    of_images()
    of_letters()
    warm_page()
    key_of_a_student()
    print(f"\npeak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB, TensorFlow included")
