"""How long training takes beside other ways of training: `make bench`. Ratios, medians, one process."""

import resource
import statistics
import time

import keras
import keras.distillation

from distill_edu import Classroom, Distiller, load_dataset, models, teacher_logits

ROUNDS = 15
# What we aim at: a step of at most so many times student.fit, and forty students so many times as fast as these loops.
STEP = {"Distiller, cached teacher logits": 1.10}
FORTY = {1: {"loop of keras.distillation": 12}, 10: {"loop of student.fit": 8, "loop of keras.distillation": 20}}
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


def forty_students(epochs, rounds=3, sample=5):
    """Building and tracing included. The loops train only `sample` students, and their time is scaled up."""
    temperatures = [1, 2, 3, 4, 6, 8, 10, 20] * 5
    some = temperatures[:: len(temperatures) // sample]
    ways = {
        "Classroom": lambda: classroom(temperatures, epochs),
        "loop of student.fit": lambda: [plain()(epochs) for _ in some],
        "loop of keras.distillation": lambda: [keras_own(t)(epochs) for t in some],
    }
    share = {name: 1 if name == "Classroom" else len(temperatures) / len(some) for name in ways}
    times = [{name: share[name] * seconds(run) for name, run in ways.items()} for _ in range(rounds)]
    print(f"\n40 students (8 temperatures x 5 seeds), {epochs} epochs, from building to trained; median of {rounds}")
    for name in ways:
        ratio = statistics.median(each[name] / each["Classroom"] for each in times)
        median = statistics.median(each[name] for each in times)
        said = aim(FORTY[epochs].get(name), ratio)
        print(f"{name:34} {median / epochs:7.3f} s an epoch   {ratio:5.2f} x Classroom{said}")


one_student()
for epochs in (1, 10):
    forty_students(epochs)
print(f"\npeak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB, TensorFlow included")
