"""How long training takes beside other ways of training: `make bench`. Ratios, medians, one process."""

import dataclasses
import os
import resource
import statistics
import tempfile
import time

import keras
import keras.distillation
import numpy as np

from distill_edu import Classroom, Distiller, compare, load_dataset, models, teacher_logits

ROUNDS = 15
# What we aim at: a step of at most so many times student.fit, and forty students so many times as fast as these loops.
STEP = {"Distiller, cached teacher logits": 1.10}
FORTY = {1: {"loop of student.fit": 15}, 10: {"loop of student.fit": 15, "loop of keras.distillation": 30}}
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


def experiment(build, temperatures, seeds, steps, trained_on=data, batch_size=32, **settings):
    """An arm for each temperature; nothing is recalled, for the cache is a folder that is gone."""
    arms = {str(t): {"temperature": t} for t in temperatures}
    how = {"seeds": seeds, "steps": steps, "batch_size": batch_size, "progress": False, **settings}
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


def of_images(steps=400, students=10):
    """Convolutional students of ninety images, against a loop of which one is trained."""
    few = dataclasses.replace(data, train=(x[:90], y[:90]))
    rows = np.tile(np.arange(90), steps * 30 // 90 + 1)[: steps * 30]

    def alone():
        distiller = Distiller(student=models.cnn(data, width=4, dropout=0.0))
        distiller.compile("adam")
        targets = {name: values[rows] for name, values in cached.items()}
        distiller.fit(x[rows], targets, batch_size=30, verbose=0)

    together = seconds(lambda: experiment(models.cnn, [4], students, steps, few, 30, width=4, dropout=0.0))
    loop = students * seconds(alone)
    print(f"\n{students} convolutional students, {steps} updates: compare {together:.1f} s, a loop {loop:.1f} s")


one_student()
for epochs in (1, 10):
    many_students(epochs)
of_images()
print(f"\npeak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB, TensorFlow included")
