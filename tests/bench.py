"""How long a distillation step takes beside other ways of training: `make bench`. Ratios, medians, one process."""

import statistics
import time

import keras
import keras.distillation

from distill_edu import Distiller, load_dataset, models, teacher_logits

ROUNDS = 15
data = load_dataset("mnist5k")
x, y = data.train
teacher = models.mlp(data, hidden=(1200, 1200), name="teacher")
cached = {"labels": y, "teacher_logits": teacher_logits(teacher, x)}
cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def plain():
    student = models.mlp(data)
    student.compile("adam", cross_entropy, metrics=["accuracy"])
    return lambda: student.fit(x, y, verbose=0)


def ours(targets, teacher=None):
    distiller = Distiller(student=models.mlp(data), teacher=teacher)
    distiller.compile("adam", metrics=["accuracy"])
    return lambda: distiller.fit(x, targets, verbose=0)


def keras_own():
    soft = keras.distillation.LogitsDistillation(temperature=4.0, loss=keras.losses.KLDivergence())
    student = models.mlp(data)
    distiller = keras.distillation.Distiller(
        teacher=teacher,
        student=student,
        distillation_losses=soft,
        distillation_loss_weights=0.9,
        student_loss_weight=0.1,
    )
    distiller.compile(optimizer="adam", loss=cross_entropy, metrics=["accuracy"])
    return lambda: distiller.fit(x, y, verbose=0)


def seconds(call):
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


ways = {
    "student.fit": plain(),
    "Distiller, cached teacher logits": ours(cached),
    "Distiller, teacher in the step": ours(y, teacher),
    "keras.distillation.Distiller": keras_own(),
}
for fit in ways.values():
    fit()  # traces
rounds = [{name: seconds(fit) for name, fit in ways.items()} for _ in range(ROUNDS)]
print(f"one epoch of {len(x)} images, batch 32, student 784-32-10, teacher 784-1200-1200-10; median of {ROUNDS} rounds")
for name in ways:
    ratio = statistics.median(each[name] / each["student.fit"] for each in rounds)
    print(f"{name:34} {statistics.median(each[name] for each in rounds):7.3f} s   {ratio:5.2f} x student.fit")
