"""Train the playground's two teachers and write them with weights of 8 bits: `python -m tools.playground`.

The file stays in the repository, so that the playground shows the same numbers on every machine. It takes a minute.
`python -m tools.playground table` prints what each setting gains over 20 draws, in minutes.
"""

import shutil
import sys

import numpy as np

from distill_edu.metrics import mean_and_reach
from distill_edu.pages.shared.playground import FRESH, HERE, LEVELS, digits, images, script


def rounded(weights):
    """Weights [..., units] as (float32 scales, int8 [inputs, units]); the largest weight of each unit is 127."""
    weights = np.reshape(weights, (-1, np.shape(weights)[-1]))
    scales = (np.abs(weights).max(axis=0) / 127).astype("float32")
    return scales, np.rint(weights / scales).astype("int8")


def dense(data):
    """Page 01's teacher as [(weights, biases)]."""
    from sklearn.neural_network import MLPClassifier

    x = data.train[0].reshape(len(data.train[0]), -1).astype("float64")
    teacher = MLPClassifier((128,), early_stopping=True, max_iter=50, random_state=0).fit(x, data.train[1])
    first, last = teacher.coefs_
    used = x.any(axis=0)  # the weights of other pixels have learned nothing: a drawing must not meet them
    return list(zip([first * used[:, np.newaxis], last], teacher.intercepts_, strict=True))


def convolutional(data):
    """Page 05's teacher as [(weights, biases)]."""
    import keras

    from distill_edu import cache, models

    keras.utils.set_random_seed(0)
    teacher = models.cnn(data)
    teacher.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    cache.fit(teacher, *data.train, epochs=15, verbose=0)
    weights = teacher.get_weights()
    return list(zip(weights[::2], weights[1::2], strict=True))


def dense_logits(layers, x):
    """Logits of images [n, 784] from layers of (scales, biases, int8 weights)."""
    (first, bias), (last, last_bias) = map(floats, layers)
    return np.maximum(x @ first + bias, 0) @ last + last_bias


def convolutional_logits(layers, x):
    x = x.reshape(-1, 28, 28, 1)
    *blocks, (last, bias) = map(floats, layers)
    for weights, biases in blocks:
        side = x.shape[1]
        padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
        taps = [padded[:, r : r + side, c : c + side] for r in range(3) for c in range(3)]
        x = np.maximum(np.concatenate(taps, axis=-1) @ weights + biases, 0)  # (images, side, side, filters)
        x = x.reshape(len(x), side // 2, 2, side // 2, 2, -1).max(axis=(2, 4))
    return x.reshape(len(x), -1) @ last + bias


def floats(layer):
    """(scales, biases, int8 weights) -> (weights, biases) in float64."""
    scales, biases, weights = layer
    return weights * scales.astype("float64"), biases.astype("float64")


LOGITS = {"dense": dense_logits, "convolutional": convolutional_logits}


def write(path=HERE / "teachers.npz"):
    """Train both teachers, round their weights, count their right answers on the new images, and write the file."""
    from distill_edu import load_dataset

    data, file = load_dataset("mnist5k"), {}
    levels, labels = (part[-FRESH:] for part in images())
    for name, train in (("dense", dense), ("convolutional", convolutional)):
        layers = []
        for i, (weights, biases) in enumerate(train(data)):
            scales, rounded_weights = rounded(weights)
            layers.append((scales, biases.astype("float32"), rounded_weights))
            for part, values in zip(("scales", "biases", "weights"), layers[-1], strict=True):
                file[f"{name} {i} {part}"] = values
        logits = LOGITS[name](layers, levels / LEVELS)
        file[f"{name} right"] = (logits.argmax(axis=1) == labels).sum()
        print(name, file[f"{name} right"])
    np.savez_compressed(path, **file)


# Settings as in the page's address.
ADDRESSES = [f"says={says}" for says in ("answers", "another", "shuffled", "equal", "first")]
ADDRESSES += ["teacher=convolutional", "T=1", "T=2", "T=20", "out=none&images=10", "out=none", "out=none&images=300"]
LEARN = """async ([address, draws]) => {
    globalThis.data ??= await distillPlayground.unpack(DISTILL_DIGITS);
    return Array.from({length: draws}, (_, draw) => {
        const lesson = new distillPlayground.Lesson(data, distillPlayground.settingsOf(address), draw + 1);
        [...lesson.learn([500])];
        return [lesson.counts.at(-1).right, lesson.counts.at(-1).unseen];
    });
}"""


def table(tab, addresses=ADDRESSES, draws=20):
    """Yield for each setting its mean gain, the 95% interval, and how many left-out digits the students recognise."""
    for address in addresses:
        right, unseen = np.array(tab.evaluate(LEARN, [address, draws])).transpose(1, 2, 0)  # (student, draw)
        gain, _, reach = mean_and_reach(right[1] - right[0])
        labels, teacher = unseen.mean(axis=1)
        yield f"{address:20} {gain:+6.1f} ± {reach:.1f} of 1,000; left-out digit: {labels:.1f} -> {teacher:.1f}"


def print_table():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        tab = browser.new_page()
        tab.add_script_tag(content=f'globalThis.DISTILL_DIGITS = "{digits()}"; {script()}')
        print(*table(tab), sep="\n")


if __name__ == "__main__":
    print_table() if sys.argv[1:] == ["table"] else write()
