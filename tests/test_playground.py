"""The playground's data, texts and arithmetic: what the browser computes is what NumPy computes."""

import base64
import gzip
import json
import re
import zlib

import nbformat
import numpy as np
import pytest
from IPython.core.formatters import DisplayFormatter
from lesson_in_numpy import DEFAULT, lesson

from distill_edu.pages import unseen_digit
from distill_edu.pages.shared import playground
from tools import playground as training
from tools.pages import normalise
from tools.website import write_playground

# --- files and texts ------------------------------------------------------------------------------------------------


def test_every_language_has_every_sentence_with_the_same_values():
    tables = playground.sentences()
    assert set(tables) == {"en", "zh_CN"}
    for table in tables.values():
        assert list(table) == list(tables["en"])
        for name, sentence in table.items():
            assert sorted(re.findall(r"{\w+}", sentence)) == sorted(re.findall(r"{\w+}", tables["en"][name])), name


def test_every_sentence_is_said_somewhere():
    source = "".join((playground.HERE / name).read_text() for name in (*playground.SCRIPTS, "__init__.py"))
    made = (*re.findall(r"`(\w+\.)\$\{", source), "says.", "leftOut.", "hidden.")  # say(`row.${...}`)
    for name in playground.sentences()["en"]:
        assert name.startswith(made) or re.search(rf"\b{re.escape(name)}\b", source), name


def test_it_is_small_as_servers_send_it(tmp_path):
    write_playground(tmp_path, tmp_path)
    kilobytes = {path.name: len(gzip.compress(path.read_bytes(), 6)) / 1000 for path in tmp_path.glob("static/*")}
    assert kilobytes.pop("digits.js") <= 330
    assert set(kilobytes) == {"playground.js", "playground.css"} and sum(kilobytes.values()) <= 20
    assert not re.search(r"https?://(?!www.w3.org)", playground.script() + playground.style())


def test_no_script_is_long():
    for name in playground.SCRIPTS:
        text = (playground.HERE / name).read_text()
        assert text.count("\n") <= 320 and text.startswith("// "), name


def test_the_teachers_are_rounded_to_a_127th_of_the_largest_weight_and_their_right_answers_are_counted():
    weights = np.random.default_rng(0).normal(size=(5, 3))
    scales, whole = training.rounded(weights)
    assert abs(whole).max(axis=0).tolist() == [127] * 3
    assert abs(whole * scales - weights).max() <= scales.max() * 0.501
    levels, labels = (part[playground.POOL :] for part in playground.images())
    for name, (layers, right) in playground.teachers().items():
        answers = training.LOGITS[name](layers, levels / playground.LEVELS).argmax(axis=1)
        assert (answers == labels).sum() == right > 930


@pytest.mark.nightly
def test_the_teachers_can_be_trained_again(tmp_path, monkeypatch, folder):
    training.write(tmp_path / "teachers.npz")
    monkeypatch.setattr(playground, "HERE", tmp_path)
    again = playground.teachers()
    monkeypatch.undo()
    for name, (_, right) in playground.teachers().items():
        assert abs(again[name][1] - right) < 15


def test_a_notebook_shows_html_and_keeps_a_picture_and_a_line_of_text():
    shown = unseen_digit.playground()
    data, _ = DisplayFormatter().format(shown)
    assert data["text/plain"] == repr(shown) == "<playground: two students learn in the browser>"
    assert playground.digits() in data["text/html"] and "{address: false}" in data["text/html"]
    assert data["text/html"].count("<script>") == data["text/html"].count("</script>") == 1
    assert data["image/png"].startswith(b"\x89PNG")
    output = nbformat.v4.new_output("execute_result", data={**data, "image/png": "picture"}, execution_count=1)
    page = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("page.playground()", outputs=[output])])
    assert normalise(page).cells[0].outputs[0].data == {"text/plain": repr(shown), "image/png": "picture"}


def test_the_still_picture_shows_students_that_never_saw_a_2():
    axes, *weights = playground.still().axes
    of_labels, of_teacher = (line.get_ydata() for line in axes.lines)
    assert max(of_labels) == 0 and min(of_teacher) > 40 and len(of_teacher) == 10
    assert "of 80" in axes.get_title() and len(weights) == 2
    assert playground.still()._repr_png_().startswith(b"\x89PNG")
    counts, pictures = playground.stills()  # the same for a phone
    assert [list(line.get_ydata()) for line in counts.axes[0].lines] == [list(of_labels), list(of_teacher)]
    assert len(pictures.axes) == 2
    for caption in playground.captions().values():
        assert f"{min(of_teacher)}–{max(of_teacher)}" in caption and re.search(r"recognises 0,|认出 0 张", caption)


def test_the_image_that_is_shown_first_is_the_one_of_which_the_dense_teacher_is_surest():
    """The 8th to 17th number of the file: the new image of each digit."""
    data = zlib.decompress(base64.b64decode(playground.digits()))
    levels, labels = playground.images()
    logits = training.LOGITS["dense"](playground.teachers()["dense"][0], levels / playground.LEVELS)
    new = np.arange(len(labels)) >= playground.POOL
    for digit, image in enumerate(np.frombuffer(data, "uint16", 17)[7:]):
        ours = new & (labels == digit)
        share = np.exp(logits[:, digit]) / np.exp(logits).sum(axis=1)
        assert ours[image] and share[image] == pytest.approx(share[ours].max())


# --- arithmetic -----------------------------------------------------------------------------------------------------

LEARN = """async ({settings, number, steps}) => {
    window.data ??= await distillPlayground.unpack(DISTILL_DIGITS);
    const lesson = new distillPlayground.Lesson(window.data, settings, number);
    [...lesson.learn([steps])];
    const weights = ({first, last}) => [[...first], [...last]];
    return {which: lesson.which, targets: lesson.targets.map(row => [...row]), count: lesson.counts.at(-1),
        weights: lesson.students.map(weights)};
}"""
SETTINGS = [  # every kind of answer, with both students and both teachers
    {"says": "answers"},
    {"says": "answers", "hidden": 32, "teacher": "convolutional", "images": 30},
    {"says": "another", "teacher": "convolutional", "temperature": 20, "alpha": 0.1},
    {"says": "another", "hidden": 8, "leftOut": "none"},
    {"says": "shuffled", "alpha": 0.3},
    {"says": "shuffled", "hidden": 8, "teacher": "convolutional", "images": 30, "leftOut": 7},
    {"says": "equal", "teacher": "convolutional", "temperature": 1, "alpha": 0.5, "images": 200},
    {"says": "equal", "hidden": 16, "images": 60, "temperature": 12},
    {"says": "first", "images": 10, "temperature": 2},
    {"says": "first", "hidden": 8, "teacher": "convolutional", "images": 20, "leftOut": 4},
]

QUICK = [SETTINGS[i] for i in (0, 3, 4, 6, 9)]  # each kind of answer, each student and each teacher once


@pytest.fixture(scope="module")
def open_scripts(browser, tmp_path_factory):
    """A function that opens a page with the digits and this script, or with the shipped one."""
    root = tmp_path_factory.mktemp("playground")
    write_playground(root, root)

    def open_scripts(script=None):
        folder = root / "static"
        (folder / "script.js").write_text(script or playground.script())
        (folder / "index.html").write_text('<script src="digits.js"></script><script src="script.js"></script>')
        tab = browser.new_page()
        tab.goto((folder / "index.html").as_uri())
        return tab

    return open_scripts


def difference(tab, number, steps, settings):
    """The largest difference between the browser and NumPy, of weights, targets and counts."""
    found = tab.evaluate(LEARN, {"settings": DEFAULT | settings, "number": number, "steps": steps})
    expected = lesson(number, steps, **settings)
    if found["which"] != expected["which"]:
        return np.inf
    apart = [np.abs(np.array(found["targets"]) - expected["targets"]).max()]
    for s, student in enumerate(expected["students"]):
        for values, weights in zip(found["weights"][s], student["weights"], strict=False):
            apart.append(np.abs(np.reshape(values, weights.shape) - weights).max())
        apart += [abs(found["count"][name][s] - student[name]) for name in ("right", "unseen")]
    return max(apart)


@pytest.mark.browser
@pytest.mark.parametrize("rest", [False, pytest.param(True, marks=pytest.mark.nightly)], ids=["some", "all others"])
def test_a_lesson_in_the_browser_is_a_loop_in_numpy(rest, open_scripts):
    tab = open_scripts()
    for number, settings in enumerate(SETTINGS, start=1):
        if (settings in QUICK) != rest:
            assert difference(tab, number, 500, settings) < 1e-9, settings


@pytest.mark.browser
@pytest.mark.nightly
def test_the_table_of_settings_has_numpys_numbers(open_scripts):
    (text,) = training.table(open_scripts(), ["out=7&images=10"], draws=2)
    pairs = [lesson(number, leftOut=7, images=10)["students"] for number in (1, 2)]
    gain = np.mean([taught["right"] - labels["right"] for labels, taught in pairs])
    labels, teacher = (np.mean([pair[s]["unseen"] for pair in pairs]) for s in (0, 1))
    assert f" {gain:+.1f} ± " in text and f": {labels:.1f} -> {teacher:.1f}" in text


@pytest.mark.browser
def test_the_gradient_is_the_derivative_of_the_loss(open_scripts):
    """Against finite differences of the loss that the head of lesson.js states."""
    random = np.random.default_rng(0)
    z, t = random.normal(size=(2, 10)) * 3
    for T, alpha in ((1, 0), (4, 0.3), (20, 0), (2, 1)):
        p = np.exp(t / T) / np.exp(t / T).sum()

        def loss(z, T=T, alpha=alpha, p=p):
            q, q_T = np.exp(z) / np.exp(z).sum(), np.exp(z / T) / np.exp(z / T).sum()
            return -alpha * np.log(q[3]) + (1 - alpha) * T**2 * (p * np.log(p / q_T)).sum()

        numeric = [(loss(z + 1e-5 * e) - loss(z - 1e-5 * e)) / 2e-5 for e in np.eye(10)]
        call = f"[...distillPlayground.lossGradient({list(map(float, z))}, 3, {list(map(float, p))}, {T}, {alpha})]"
        assert open_scripts().evaluate(call) == pytest.approx(numeric, abs=1e-7)


@pytest.mark.browser
def test_without_the_teacher_both_students_are_one(open_scripts):
    tab = open_scripts()
    for hidden in (0, 8):
        settings = DEFAULT | {"alpha": 1, "hidden": hidden, "images": 20}
        of_labels, of_teacher = tab.evaluate(LEARN, {"settings": settings, "number": 3, "steps": 50})["weights"]
        assert of_labels == of_teacher


ENLARGED = """async images => {
    const data = await distillPlayground.unpack(DISTILL_DIGITS), {asDigit, pixelsOf} = distillPlayground;
    return images.map(([i, factor, right, down]) => {
        const ink = new Float64Array(320 * 320), x = pixelsOf(data.images[i]);
        for (let row = 0; row < 28 * factor; row++) {
            for (let column = 0; column < 28 * factor; column++) {
                const pixel = Math.floor(row / factor) * 28 + Math.floor(column / factor);
                ink[(row + down) * 320 + column + right] = x[pixel];
            }
        }
        return [...pixelsOf(asDigit(ink, 320))];
    });
}"""


@pytest.mark.browser
def test_a_drawing_becomes_an_image_like_mnists(open_scripts):
    """MNIST's own images, enlarged and moved, come back as they were: the teacher answers them as before."""
    where = [(i, *move) for i in range(20) for move in ((10, 40, 0), (11, 0, 10), (4, 60, 90))]
    tab = open_scripts()
    seen = np.array(tab.evaluate(ENLARGED, where))
    images = np.repeat(playground.images()[0][:20] / playground.LEVELS, 3, axis=0)
    assert np.median(np.abs(seen - images).mean(axis=1)) < 0.001
    layers = playground.teachers()["dense"][0]
    answers = [training.LOGITS["dense"](layers, x).argmax(axis=1) for x in (seen, images)]
    assert (answers[0] == answers[1]).mean() > 0.95
    blank = tab.evaluate("distillPlayground.asDigit(new Float64Array(400), 20).pixels.length")
    assert blank == 0


DESCEND = "this.descend(image, passes[i].active, errors[i], {}, rate)"
SILENT = "if (active[u] === 0) continue;\nfor (let c = 0; c < CLASSES; c++) errorOfUnits"
MUTANTS = {  # a change of the arithmetic that the comparison must notice: (what stands there, what would)
    "T instead of T^2 in the loss": ("(1 - alpha) * temperature * (soft", "(1 - alpha) * (soft"),
    "the hard loss at T": ("const hard = softmax(logits)", "const hard = softmax(logits, temperature)"),
    "1 - alpha for alpha": ("alpha * (hard[c] - y)", "(1 - alpha) * (hard[c] - y)"),
    "no label": ("const y = c === label ? 1 : 0", "const y = 0"),
    "the soft loss at T = 1": ("softmax(logits, temperature) : hard", "softmax(logits) : hard"),
    "no mean over the images": ("LEARNING_RATE / images.length", "LEARNING_RATE"),
    "a teacher for both students": ("this.targets[i], 1, 1)", "this.targets[i], temperature, alpha)"),
    "no ReLU": ("sums[u] = Math.max(sums[u], 0);", ""),
    "silent units learn": (SILENT, SILENT.split("\n")[1]),
    "the last layer moves first": (
        DESCEND.format("errorsOfUnits[i]"),
        DESCEND.format("this.backward(errors[i], passes[i].active)"),
    ),
    "another start of the weights": ("6 / (PIXELS + hidden)", "6 / PIXELS"),
    "the answer to the image itself": ("labels.indexOf(label, i + 1)", "labels.indexOf(label, i)"),
    "the last image keeps its answer": ("return next < 0 ? labels.indexOf(label) : next", "return next < 0 ? i : next"),
    "equal among ten": ("(1 - answer[top]) / others.length", "(1 - answer[top]) / CLASSES"),
    "a first choice with doubt": ("changed.fill(0)[top] = 1", "changed.fill(0)[top] = answer[top]"),
    "targets at T = 1": ("logits.map(t => softmax(t, temperature))", "logits.map(t => softmax(t))"),
    "nothing is left out": ("data.labels[i] !== settings.leftOut)", "true)"),
    "no ReLU in the teacher": ("half * half * units), sums", "half * half * units).fill(-9), sums"),
    "the scale of another unit": ("scales[k % units]", "scales[0]"),
}
TELLING = [SETTINGS[3], SETTINGS[4], SETTINGS[7], SETTINGS[9], SETTINGS[2]]


@pytest.mark.browser
@pytest.mark.nightly
@pytest.mark.parametrize("name", MUTANTS)
def test_a_change_of_the_arithmetic_is_noticed(name, open_scripts):
    before, after = MUTANTS[name]
    script = playground.script()
    assert script.count(before) == 1
    tab = open_scripts(script.replace(before, after))
    assert max(difference(tab, 1, 60, settings) for settings in TELLING) > 1e-9


def test_the_default_settings_are_the_pages():
    text = (playground.HERE / "page.js").read_text()
    starts = dict(re.findall(r"^  (\w+): \{.*start: ([\w\".]+)", text, re.MULTILINE))
    assert {name: json.loads(value) for name, value in starts.items()} == DEFAULT
