"""Page "Can knowledge pass through noise?": networks with two faces, what students of noise answer, the exercises."""

import functools

import numpy as np

from distill_edu._inside.backend import keras, tf
from distill_edu.metrics import mean_and_reach
from distill_edu.pages.shared.exercise import Exercise
from distill_edu.pages.shared.explorer import Explorer, stop_slider
from distill_edu.pages.shared.picture import DISTILLED, INK, NEUTRAL, STUDENT, TEACHER, Picture, empty_axes, plain
from distill_edu.probabilities import soft_targets

DIGITS, OTHERS, HIDDEN = (0, 10), (10, 20), -100.0  # HIDDEN: a logit whose probability is 0


class TwoFaces(keras.layers.Layer):
    """Show some logits in training and some in use; the others are -100, so that their probability is 0.

    `trained`, `used`: the number of the first logit that is shown, and of the first one after them.

    >>> TwoFaces(trained=(0, 1), used=(1, 2))(np.array([[5.0, 7.0]])).numpy()
    array([[-100.,    7.]], dtype=float32)
    """

    def __init__(self, trained, used, **keras_arguments):
        super().__init__(**keras_arguments)
        self.trained, self.used = tuple(trained), tuple(used)

    def call(self, logits, training=False):
        first, end = self.trained if training else self.used
        number = keras.ops.arange(logits.shape[-1])
        return keras.ops.where((number >= first) & (number < end), logits, HIDDEN)

    def get_config(self):
        return {**super().get_config(), "trained": self.trained, "used": self.used}


def network(data, trained=OTHERS, used=DIGITS, outputs=20, share=0, head=None):
    """Build a network for the images of `data`: by default a student, which trains the others and uses the digits.

    It starts from the random weights of the present seed, turned towards those of another network by `share`: at 0
    unchanged, at 1 all of the other network. `head`: (first, end) of the outputs whose weights are not turned.
    """
    net, other = _plain(data.test[0].shape[1:], trained, used, outputs), _plain(data.test[0].shape[1:], (), (), outputs)
    own = net.get_weights()
    turned = [_turned(*pair, share) for pair in zip(own, other.get_weights(), strict=True)]
    for mine, first in zip(turned[-2:], own[-2:], strict=True):
        columns = slice(*(head or (0, 0)))
        mine[..., columns] = first[..., columns]
    net.set_weights(turned)
    return net


def _plain(shape, trained, used, outputs):
    layers = [keras.Input(shape), keras.layers.Flatten()]
    layers += [keras.layers.Dense(128, "relu"), keras.layers.Dense(128, "relu"), keras.layers.Dense(outputs)]
    return keras.Sequential([*layers, TwoFaces(trained or DIGITS, used or DIGITS)])


def _turned(one, other, share):
    """Cosine and sine keep the spread of random weights; a mean would shrink it."""
    return np.cos(share * np.pi / 2) * one + np.sin(share * np.pi / 2) * other


def teacher_of(data, outputs=20, epochs=5):
    """Return a teacher for `compare`: a network that starts like the student of its seed, and learns the digits.

    `data`: images from -1 to 1. Asked, it answers with the others. It looks at neither argument: compare gives noise.
    """
    pixels, labels = np.round(127.5 * (data.train[0] + 1)).astype("uint8"), data.train[1]  # small: many keys read them

    @functools.cache
    def of_seed(number):
        model = _plain(pixels.shape[1:], DIGITS, (10, outputs), outputs)
        model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        model.fit(pixels / np.float32(127.5) - 1, labels, epochs=epochs, verbose=0)
        return model

    def teacher(x=None, labels_of_x=None):
        return of_seed(np.random.randint(2**31))  # the same number whenever the seed is the same

    return teacher


def read_digits(teacher, data, seeds):
    """Return the accuracy on test digits of the teacher of each seed, an array [seeds]."""
    x, labels = data.test
    found = []
    for seed in range(seeds):
        keras.utils.set_random_seed(seed)
        found.append(np.mean(np.argmax(teacher()(x, training=True), axis=-1) == labels))  # the face with the digits
    return np.round(found, 4)


def with_columns(data, columns, **settings):
    """Build a student as `network` does, whose digit outputs have the weights of its trained teacher.

    `columns`: what `teacher_of` returns. Students do not train these weights, so they keep them.
    """
    student = network(data, **settings)
    weights = student.get_weights()
    for own, trained in zip(weights[-2:], columns().get_weights()[-2:], strict=True):
        own[..., slice(*DIGITS)] = trained[..., slice(*DIGITS)]
    student.set_weights(weights)
    return student


def halves(harmless, teacher, images):
    """Return two arms for `compare`: the half of the images that `harmless` keeps, and as many random ones.

    `harmless(logits of the digits, most)`: which images stay; `most` is the median of the largest probabilities.
    """
    keras.utils.set_random_seed(0)
    logits = np.array(teacher()(images, training=True))[:, slice(*DIGITS)]
    keep = np.asarray(harmless(logits, np.median(soft_targets(logits).max(axis=1))), bool)
    chosen = {"filtered": keep, "any half": np.random.default_rng(2).permutation(keep)}
    return {
        name: {"teacher": teacher, "train": (images[half], np.full(half.sum(), -1))} for name, half in chosen.items()
    }


def pair(data, seed, share):
    """Return a network that shall be a teacher, and a student with its start, or with a share of another one."""
    keras.utils.set_random_seed(seed)
    teacher = network(data)
    keras.utils.set_random_seed(seed)
    return teacher, network(data, share=share)


def step(model, x, targets, training):
    """Return minus the gradient of the cross-entropy of the outputs in use, one vector [weights].

    `training`: False uses the digits, True the others, as `network` has them; `targets`: probabilities of all outputs.
    """
    with tf.GradientTape() as tape:
        logits = model(x, training=training)
        loss = keras.losses.categorical_crossentropy(targets, logits, from_logits=True)
    gradients = tape.gradient(loss, model.trainable_variables)  # of the images' sum, so: / len(x)
    return -np.concatenate([np.ravel(part) for part in gradients]) / len(x)


def move(model, step):
    """Add a step, one vector [weights], to the weights of a model."""
    weights = model.get_weights()
    cuts = np.cumsum([weight.size for weight in weights])[:-1]
    parts = zip(weights, np.split(step, cuts), strict=True)
    model.set_weights([weight + part.reshape(weight.shape) for weight, part in parts])


def noise_explorer(classes, images, labels, noise, teacher):
    """Slide the number of updates on noise, and how far the students start from their teacher's start.

    `classes`: updates -> share of another start -> what students answer, [seeds, images]. `images` [images, rows,
    columns, 1], `labels` [images]: the questions, with every class among them; a class is called by its number.
    `noise`: an image that the students learned from; `teacher`: the mean accuracy of the teachers.
    """
    labels, stops = np.asarray(labels), tuple(classes)
    shares = tuple(classes[stops[0]])
    answers = np.array([[classes[updates][share] for share in shares] for updates in stops])
    right = np.mean(answers == labels, axis=-1)  # [stops, shares, seeds]
    digits = range(int(labels.max()) + 1)
    examples = [int(np.argmax(labels == digit)) for digit in digits]  # the first image of each class
    controls = {
        "updates": stop_slider("Updates on noise (number)", "updates", stops, stops[0]),
        "share": stop_slider("Another start (share)", "share", shares, shares[0]),
    }

    def draw(figure, updates, share):
        sentence = draw_accuracies(figure, right, stops, shares, teacher, 1 / len(digits), updates, share)
        figure.axes[1].imshow(noise, cmap="gray_r")
        figure.axes[1].set(xticks=[], yticks=[])
        figure.axes[1].set_title("a noise image", fontsize=8)
        first_student = answers[stops.index(updates), shares.index(share), 0]
        draw_answers(figure.axes[2], images[examples], first_student[examples])
        return sentence

    return Explorer(draw, controls)


def draw_accuracies(figure, right, stops, shares, teacher, chance, updates, share):
    """Draw the mean accuracy over the updates for every start, 95% intervals for `share`; return a sentence."""
    axes, *_ = empty_axes(figure, (0.1, 0.22, 0.39, 0.63), (0.59, 0.34, 0.12, 0.42), (0.73, 0.16, 0.26, 0.72))
    free = 0.0  # the lowest place for the next name
    for place in np.argsort(right[-1].mean(axis=-1)):
        start = shares[place]
        means, _, reaches = zip(*map(mean_and_reach, right[:, place]), strict=True)
        if start == share:
            axes.errorbar(stops, means, reaches, fmt="D-", color=DISTILLED, capsize=2, markersize=3)
        else:
            axes.plot(stops, means, color=NEUTRAL, alpha=0.4)
        free = max(means[-1], free) + 0.06
        colour = DISTILLED if start == share else NEUTRAL
        axes.text(1.05 * stops[-1], free - 0.06, f"share {start:g}", va="center", fontsize=7, color=colour)
    for height, name, colour, side in ((teacher, "teachers", TEACHER, "bottom"), (chance, "a guess", "black", "top")):
        axes.axhline(height, color=colour, linewidth=0.8, linestyle="--")
        axes.text(stops[0], height + (0.015 if side == "bottom" else -0.03), name, fontsize=8, color=colour, va=side)
    axes.axvline(updates, color=NEUTRAL, linewidth=4, alpha=0.25)
    axes.set(ylim=(0, 1.02), xlabel="updates on noise", ylabel="accuracy on digits")
    axes.set_title("share 0: the teacher's start, 1: another\nbars: 95% interval; thick: chosen updates", fontsize=8)
    mean, _, reach = mean_and_reach(right[stops.index(updates), shares.index(share)])
    start = {0: "the teacher's start", 1: "another start"}.get(share, f"a mixed start ({share:g} of another one)")
    return (
        f"From {start}, after {updates} updates on noise, students read {mean:.3f} of the digits (95%: ± {reach:.3f} "
        f"over {right.shape[-1]} starts). Their teachers read {teacher:.3f}, a guess {chance:.3f}."
    )


def draw_answers(axes, images, answers):
    """Draw an image of each class in rows of five, below each the student's answer: bold green where it is right."""
    for label, image in enumerate(images[..., 0]):
        row, column = divmod(label, 5)
        axes.imshow(image, cmap="gray_r", extent=(column, column + 0.9, -1.5 * row - 0.9, -1.5 * row))
        colour, weight = (DISTILLED, "bold") if answers[label] == label else (NEUTRAL, "normal")
        place = column + 0.45, -1.5 * row - 0.95
        axes.text(*place, str(answers[label]), ha="center", va="top", fontsize=9, color=colour, weight=weight)
    axes.set(xlim=(0, 5), ylim=(-1.5 * ((len(images) - 1) // 5) - 1.5, 0.1))
    axes.set_title("one student (bold green: right)", fontsize=8)
    axes.set_axis_off()


BOWL = np.array([[3.0, 0.6], [0.6, 0.5]])  # any F: symmetric, and no direction leads down from the bottom


def draw_bowl(towards=(1.0, 0.9)):
    """Draw one changed weight in a network, and a student's step in its bowl; `towards`: the teacher's step."""
    figure = Picture(7, 2.9)
    _draw_weight(figure.add_axes((0.01, 0.09, 0.44, 0.79)))
    axes = figure.add_axes((0.53, 0.09, 0.45, 0.79))
    teacher, down = np.array(towards), BOWL @ towards
    student = down / np.linalg.norm(down)
    x, y = np.meshgrid(np.linspace(-0.9, 2.7, 90), np.linspace(-0.9, 1.8, 90))
    away = np.stack([x - teacher[0], y - teacher[1]], axis=-1)
    height = np.einsum("...i,ij,...j", away, BOWL, away) / 2
    levels = teacher @ BOWL @ teacher / 2 * np.array([0.08, 0.35, 1, 1.8])  # 1: through the start
    axes.contour(x, y, height, levels, colors=NEUTRAL, linewidths=0.8)
    behind = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}
    teachers = r"teacher's step $\Delta_T$", teacher, TEACHER, 0.12
    students = r"student's step $\Delta_S$", student, STUDENT, -0.16
    for name, end, colour, side in (teachers, students):
        axes.annotate("", end, (0, 0), arrowprops={"arrowstyle": "->", "linewidth": 2, "color": colour, "shrinkA": 0})
        axes.text(end[0] + 0.06, end[1] + side, name, fontsize=9, color=colour, va="center", bbox=behind)
    axes.plot(0, 0, "o", color=INK)
    axes.text(-0.1, 0, "start", ha="right", va="center", fontsize=9)
    axes.set(xticks=[], yticks=[], aspect="equal", xlabel="a weight", ylabel="another weight")
    axes.set_title("the bowl of the student's loss, from above", fontsize=10)
    return figure


def _draw_weight(axes):
    """Draw a hidden unit, whose weight has changed, and the outputs that it reaches."""
    axes.set(xlim=(-0.08, 1.42), ylim=(0, 1))
    axes.set_title("one changed weight reaches all outputs", fontsize=10)
    axes.plot((0.05, 0.5), (0.5, 0.5), color=TEACHER, linewidth=5)
    axes.text(0.24, 0.56, "changed", ha="center", fontsize=8, color=TEACHER)
    for name, height in (("digit outputs", 0.78), ("other outputs", 0.22)):
        axes.plot((0.5, 0.95), (0.5, height), color=INK, linewidth=1)
        axes.text(1.0, height, name, va="center", fontsize=8, color=INK)
    axes.plot((0.05, 0.5, 0.95, 0.95), (0.5, 0.5, 0.78, 0.22), "o", color=INK, markersize=9)
    for place, name in ((0.05, "image"), (0.5, "hidden unit")):
        axes.text(place, 0.36, name, ha="center", fontsize=8)
    axes.set_axis_off()


def draw_cosines(cosines):
    """Draw cosines as dots, a row for each name, and a line at 0, a right angle. `cosines`: name -> numbers."""
    figure = Picture(7, 0.9 + 0.5 * len(cosines))
    axes = figure.add_axes((0.2, 0.42 / figure.get_figheight(), 0.77, 0.5 * len(cosines) / figure.get_figheight()))
    axes.axvline(0, color="black", linewidth=0.8)
    for row, values in enumerate(cosines.values()):
        axes.plot(values, np.full(len(values), row), "o", color=STUDENT, alpha=0.6)
    axes.set_yticks(range(len(cosines)), [plain(name) for name in cosines])
    axes.set(ylim=(len(cosines) - 0.5, -0.5), title="a dot: one pair; line: a right angle")
    axes.set_xlabel("cosine of the student's and the teacher's step")
    return figure


# The inner product of the teacher's step (1, -2) and the student's (2 * 1 + 1 * -2, 1 * 1 + 1 * -2).
check_inner_by_hand = Exercise(
    right=2,
    mistakes=[
        (-2, "minus times minus is plus."),
        (10, "keep the signs of the teacher's step."),
        (3, "that is the sum of F's diagonal: multiply F with the teacher's step first."),
        (6, "you used F's diagonal alone: its other numbers count, too."),
        (5, "that is the teacher's step times itself: use F."),
        (1, "that is the student's step times itself."),
        ([0, -1], "that is the student's step: multiply it with the teacher's, number by number, and add."),
    ],
    otherwise="multiply the two steps number by number, and add the products.",
)
ONE, OTHER = np.array([[1.0, -2.0], [0.5, 3.0]]), np.array([[0.3, 1.0], [-1.0, 2.0]])
# function(one, other, share) -> cos(a) * one + sin(a) * other with a = share * pi / 2
check_mixed = Exercise(
    right=_turned,
    mistakes=[
        (lambda a, b, s: (1 - s) * a + s * b, "this mix shrinks the weights: cosine and sine keep their spread."),
        (lambda a, b, s: _turned(b, a, s), "share 0 must give the first start."),
        (lambda a, b, s: _turned(a, b, s * 180 / np.pi), "NumPy's cosine takes radians: a right angle is pi / 2."),
        (lambda a, b, s: (1 - s) ** 0.5 * a + s**0.5 * b, "the spread is right, but the angle is share * pi / 2."),
        (lambda a, b, s: _turned(a, b, 2 * s), "the angle is a quarter of a turn at most: share * pi / 2."),
    ],
    otherwise="which weights do the shares 0 and 1 give? Between them, the squares of both factors sum to 1.",
    inputs=[(ONE, OTHER, 0.3), (OTHER, ONE, 0.0), (ONE, OTHER, 1.0)],
)
LOGITS = np.array([[3.0, 0, 0, 1], [0.2, 0.1, 0, 0], [0, 0, 5, 0], [0.4, 1.0, 0.9, 0], [-3, -9, -2.5, -8]])
# function(logits, most) -> for each row, True where no digit has a probability above `most`
check_harmless = Exercise(
    right=lambda z, most: soft_targets(z).max(axis=1) <= most,
    mistakes=[
        (lambda z, most: soft_targets(z).max(axis=1) > most, "those are the images to throw away: keep the others."),
        (lambda z, most: z.max(axis=1) <= most, "you compared the logits: a probability needs the softmax."),
        (lambda z, most: soft_targets(z) <= most, "one answer for each image: no digit of it may be above."),
        (lambda z, most: soft_targets(z).min(axis=1) <= most, "the likeliest digit decides, not the unlikeliest."),
        (lambda z, most: (soft_targets(z) <= most).mean(axis=1), "one True or False for each image."),
        (lambda z, most: soft_targets(z).max(axis=1) < most, "`at most` includes the probability `most` itself."),
    ],
    otherwise="one True or False for each image: what probability has its most probable digit?",
    inputs=[(LOGITS, 0.5), (LOGITS[::-1], 0.4), (-LOGITS, 0.8), (20 * LOGITS, 1.0)],
)
