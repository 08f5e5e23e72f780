"""The recipes of docs/cookbook.md: each block runs as it stands there, and its result has its closed form, in NumPy.

`run_functions_eagerly` saves the tracing: a recipe takes half a second. `test_a_reader_can_run_the_whole_page` traces.
"""

import contextlib
import functools
import http.server
import json
import re
import sys
import threading
from pathlib import Path
from types import ModuleType, SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf
from small import hard_values, logits, reported, same, soft_values, weights

from distill_edu import Distiller, hints, losses, soft_targets, teacher_logits
from distill_edu.metrics import accuracy, nll

pytestmark = pytest.mark.slow

PAGE = Path(__file__).parent.parent / "docs" / "cookbook.md"
TEXT = PAGE.read_text()
SECTIONS = {part.split("\n")[0]: part for part in re.split(r"^#{2,3} ", TEXT, flags=re.MULTILINE)[1:]}
BLOCKS = {title: re.findall(r"```python\n(.*?)```", part, re.DOTALL) for title, part in SECTIONS.items()}
FIRST = "First, run this"
RECIPES = [title for title, blocks in BLOCKS.items() if blocks and title != FIRST]
WEIGHTS = np.random.RandomState(1).randn(6, 4).astype("float32")  # the teachers that are no Keras models: x @ WEIGHTS
CHECKS = {}


def of(title):
    """Register the check of a recipe. It gets all names that the recipe has defined."""
    return lambda check: CHECKS.setdefault(title, check)


@pytest.fixture(autouse=True)
def at_home(monkeypatch, tmp_path):
    """In a folder of its own, and no soft loss stays registered."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(losses, "SOFT_LOSSES", losses.SOFT_LOSSES)
    known = dict(losses.SOFT_LOSSES)
    yield
    losses.SOFT_LOSSES.clear()
    losses.SOFT_LOSSES.update(known)


@pytest.fixture
def eagerly():
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def run(title, names, change=str):
    (code,) = BLOCKS[title]
    exec(compile(change(code), title, "exec"), names)
    return names


@pytest.mark.filterwarnings("ignore:Even though the:UserWarning")  # TensorFlow: pipelines are traced nevertheless
@pytest.mark.filterwarnings("ignore:Layer InputLayer does not have:UserWarning")  # Keras, of quantize
@pytest.mark.parametrize("title", RECIPES)
def test_a_recipe_gives_its_closed_form(title, eagerly, libraries, server):
    keras.utils.set_random_seed(0)
    names = run(FIRST, {})
    names = run(title, names, lambda code: code.replace("http://localhost:8000", server))
    CHECKS[title](SimpleNamespace(**names))


@pytest.mark.nightly
def test_a_reader_can_run_the_whole_page(libraries, server):
    names = {}
    for title in [FIRST, *RECIPES]:
        run(title, names, lambda code: code.replace("http://localhost:8000", server))


# --- the page -------------------------------------------------------------------------------------------------------


def anchor(title):
    """As GitHub and MyST make it."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def test_the_table_names_every_recipe_once_and_every_link_leads_somewhere():
    cases = re.findall(r"^\| \[[^]]+\]\(#([\w-]+)\)", TEXT, re.MULTILINE)
    assert sorted(cases) == sorted(anchor(title) for title in RECIPES)
    assert set(re.findall(r"\]\(#([\w-]+)\)", TEXT)) <= {anchor(title) for title in SECTIONS}
    pages = re.findall(r"\]\((\.\./[^)]+)\)", TEXT)
    assert pages and all((PAGE.parent / page).is_file() for page in pages)
    assert all(number == named for number, named in re.findall(r"(\d\d)\]\(\.\./notebooks/(\d\d)_", TEXT))
    assert set(CHECKS) == set(RECIPES)


@pytest.mark.parametrize("title", RECIPES)
def test_a_recipe_has_a_question_is_short_and_says_when_not(title):
    before, code, after = re.split(r"```(?:python)?\n", SECTIONS[title])
    assert re.search(r"^\*[^*]+[.?]\*$", before, re.MULTILINE | re.DOTALL)
    assert 4 <= len([line for line in code.splitlines() if line.strip()]) <= 15
    assert after.strip().startswith("**Not** ")


ASKED = {  # in the words of those who asked
    "The teacher wants larger images": "teacher student different image size 1280 640 imgsz",
    "The teacher has one input more": "multimodal teacher unimodal student different inputs fit",
    "Augmentation and cached answers": "cache teacher logits data augmentation",
    "Validation from cached answers": "validation_split cached answers",
    "Endless generators": "generator steps_per_epoch cached logits",
    "The student knows only some of the classes": "student fewer classes than teacher",
    "The student knows more classes than the teacher": "new classes incremental learning without forgetting",
    "Teachers of different classes": "two teachers different classes",
    "Several teachers, weighted": "multiple teachers ensemble distillation weights",
    "Two heads, one of them distilled": "multi-output model several heads outputs distil one",
    "A random forest, or anything of scikit-learn": "random forest decision tree gradient boosting scikit-learn",
    "An ONNX model": "onnx teacher",
    "A PyTorch model": "pytorch teacher keras student",
    "A model behind HTTP": "http service teacher TF Serving Triton",
    "An API that names its top three": "API top_logprobs top three logprob",
    "Same tokenizer, padded vocabulary": "vocab size mismatch vocabulary teacher student 152064 151936",
    "Another tokenizer": "different tokenizer vocabulary cross-tokenizer ULD",
    "Translation, sequence to sequence": "translation seq2seq encoder-decoder padding",
    "Segmentation with another stride": "segmentation mask stride resolution upsampling",
    "Boxes and classes of anchors": "object detector YOLO detection anchors box regression",
    "Hints between feature maps of different sizes": "feature map height width hint stride resolution",
    "Which layers": "which intermediate layers distil features",
    "A projector at equal width": "projector needed same feature dimension",
    "Embeddings of another width": "sentence embeddings another dimension PCA 384",
    "Ranking by margins": "ranking MarginMSE cross-encoder bi-encoder",
    "Lists with padding": "listwise ranking documents query padding",
    "Regression with a teacher that may be wrong": "regression teacher wrong bounded",
    "A temperature that falls": "temperature annealing schedule callback",
    "Which temperature after training": "temperature inference after training teacher trained with T",
    "Two students that teach each other": "deep mutual learning online distillation",
    "Self-distillation": "self-distillation born-again networks",
    "A checkpoint of the student alone": "ModelCheckpoint save best student saved bigger",
    "Mixed precision at a low temperature": "mixed precision float16 NaN loss",
    "Several GPUs": "multi-GPU MirroredStrategy",
    "Several machines": "multi-node MultiWorkerMirroredStrategy several machines",
    "Quantise afterwards": "quantization-aware training int8 quantize Keras 3",
}


@pytest.mark.parametrize("title", RECIPES)
def test_search_finds_a_recipe_by_the_words_of_the_question(title):
    search = pytest.importorskip("sphinx.search.en", reason="the site's search needs the extra `site`").SearchEnglish(
        {}
    )
    found, asked = (
        {search.stem(word.lower()) for word in search.split(text)} for text in (SECTIONS[title], ASKED[title])
    )
    assert asked <= found


# --- teachers from elsewhere: stand-ins with the same calls, because these packages are no dependencies -------------


@pytest.fixture
def libraries(monkeypatch):
    """`onnxruntime` 1.32 and `torch` 2, as far as the recipes call them; a strategy for two devices that are CPUs."""

    class Session:
        def __init__(self, path, providers):
            assert (path, providers) == ("teacher.onnx", ["CPUExecutionProvider"])

        def get_inputs(self):
            return [SimpleNamespace(name="input")]

        def run(self, outputs, given):
            assert outputs is None and list(given) == ["input"]
            return [given["input"] @ WEIGHTS]

    class Linear:
        def __init__(self, features, outputs):
            self.training = True

        def eval(self):
            self.training = False
            return self

        def __call__(self, x):
            assert not self.training and isinstance(x, Tensor)
            return Tensor(x.values @ WEIGHTS)

    class Tensor(SimpleNamespace):
        def __init__(self, values):
            super().__init__(values=values)

        def numpy(self):
            return self.values

    onnxruntime, torch = ModuleType("onnxruntime"), ModuleType("torch")
    onnxruntime.InferenceSession = Session
    torch.nn, torch.from_numpy, torch.no_grad = SimpleNamespace(Linear=Linear), Tensor, contextlib.nullcontext
    # TensorFlow's collectives on CPUs keep the sizes of the first strategy of a process: these sums need none.
    strategy = functools.partial(tf.distribute.MirroredStrategy, cross_device_ops=tf.distribute.ReductionToOneDevice())
    monkeypatch.setattr(tf.distribute, "MirroredStrategy", strategy)
    monkeypatch.setitem(sys.modules, "onnxruntime", onnxruntime)
    monkeypatch.setitem(sys.modules, "torch", torch)


@pytest.fixture(scope="module")
def server():
    """The address of a teacher behind HTTP."""

    class Teacher(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            given = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            body = json.dumps({"outputs": (np.array(given["inputs"]) @ WEIGHTS).tolist()}).encode()
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("localhost", 0), Teacher) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://localhost:{running.server_port}"
        running.shutdown()


@of("An ONNX model")
@of("A PyTorch model")
def _(r):
    assert r.answers == pytest.approx(r.x @ WEIGHTS, abs=1e-5)


@of("A model behind HTTP")
def _(r):
    assert r.answers == pytest.approx(r.x @ WEIGHTS, abs=1e-5) and r.answers.dtype == "float32"
    again = teacher_logits(len, r.x, kept="answers/my-service-1.0")  # nobody is asked
    assert (again == r.answers).all() and len(list(Path("answers/my-service-1.0").iterdir())) == 4  # batches


def test_the_onnx_recipe_runs_where_onnx_is_there(tmp_path):
    pytest.importorskip("onnxruntime")
    onnx = pytest.importorskip("onnx", exc_type=ImportError)
    ends = [onnx.helper.make_tensor_value_info(name, 1, ["n", width]) for name, width in (("input", 6), ("output", 4))]
    weights = onnx.numpy_helper.from_array(WEIGHTS, "weights")
    node = onnx.helper.make_node("MatMul", ["input", "weights"], ["output"])
    graph = onnx.helper.make_graph([node], "teacher", ends[:1], ends[1:], [weights])
    opset = [onnx.helper.make_opsetid("", 13)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opset, ir_version=8), tmp_path / "teacher.onnx")
    CHECKS["An ONNX model"](SimpleNamespace(**run("An ONNX model", run(FIRST, {}))))


def test_the_pytorch_recipe_runs_where_pytorch_is_there():
    pytest.importorskip("torch")
    r = SimpleNamespace(**run("A PyTorch model", run(FIRST, {})))
    weights, bias = (parameter.detach().numpy() for parameter in r.module.parameters())
    assert r.answers == pytest.approx(r.x @ weights.T + bias, abs=1e-5)


# --- closed forms ---------------------------------------------------------------------------------------------------


def near(expected):
    return pytest.approx(float(np.mean(expected)), rel=3e-4, abs=2e-6)


def sharpen(*models, factor=4):
    """Larger weights: fresh models say almost the same about everything, and a wrong loss would be as near to 0."""
    for model in models:
        model.set_weights([factor * weight for weight in model.get_weights()])


def require_losses(distiller, x, y, soft, hard=None):
    """What `evaluate` reports: the means of these values."""
    got = reported(distiller, x, y, batch_size=64)
    assert got["distillation_loss"] == near(soft)
    assert hard is None or got["student_loss"] == near(hard)
    return got


def features(model, name, x):
    return logits(keras.Model(model.inputs[0], model.get_layer(name).output), x)


def cached(labels, answers):
    return {"labels": labels, "teacher_logits": answers}


@of("The teacher wants larger images")
def _(r):
    sharpen(r.distiller.student)
    means = r.large.reshape(16, 8, 2, 8, 2, 1).mean(axis=(2, 4))  # of two by two pixels
    assert np.array(r.small) == pytest.approx(means, abs=1e-6)
    assert r.answers == pytest.approx(logits(r.large_teacher, r.large), abs=1e-5)
    z = logits(r.distiller.student, r.small)
    require_losses(
        r.distiller, r.small, cached(r.labels, r.answers), soft_values(r.answers, z, 4.0), hard_values(r.labels, z)
    )
    resized = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Resizing(16, 16), r.large_teacher])
    distiller = Distiller(student=r.distiller.student, teacher=resized)
    distiller.compile("adam")
    upwards = logits(r.large_teacher, doubled(r.images).astype("float32"))
    require_losses(distiller, r.images, r.labels, soft_values(upwards, logits(distiller.student, r.images), 4.0))


@of("The teacher has one input more")
def _(r):
    sharpen(r.distiller.student)
    w1, b1, w2, b2 = weights(r.multimodal)
    answers = np.maximum(np.hstack([r.x, r.age]) @ w1 + b1, 0) @ w2 + b2
    assert r.answers == pytest.approx(answers, abs=1e-5)
    z = logits(r.student, r.x)
    require_losses(r.distiller, r.x, cached(r.y, r.answers), soft_values(answers, z, 4.0), hard_values(r.y, z))


@of("Augmentation and cached answers")
def _(r):
    sharpen(r.distiller.student)
    assert len(r.views) == 64 and np.abs(r.views[:16] - r.views[16:32]).max() > 0.1
    answers, z = logits(r.image_teacher, r.views), logits(r.distiller.student, r.views)
    assert r.answers == pytest.approx(answers, abs=1e-5)
    labels = np.concatenate([r.labels] * 4)
    require_losses(r.distiller, r.views, cached(labels, answers), soft_values(answers, z, 4.0), hard_values(labels, z))


@of("Validation from cached answers")
def _(r):
    answers, z, y = logits(r.teacher, r.x)[48:], logits(r.student, r.x)[48:], r.y[48:]
    assert r.history["val_distillation_loss"] == [near(soft_values(answers, z, 4.0))]
    assert r.history["val_student_loss"] == [near(hard_values(y, z))]
    assert r.history["val_accuracy"] == [near(accuracy(y, z))]


@of("Endless generators")
def _(r):
    assert len(r.history["loss"]) == 2 and int(r.distiller.optimizer.iterations) == 6
    rows, y = next(r.stream(5))
    places = [np.flatnonzero((r.x == row).all(axis=1))[0] for row in rows]
    assert (y["labels"] == r.y[places]).all()
    assert y["teacher_logits"] == pytest.approx(logits(r.teacher, rows), abs=1e-5)
    sharpen(r.student)
    require_losses(r.distiller, r.x, cached(r.y, r.answers), soft_values(r.answers, logits(r.student, r.x), 4.0))


@of("The student knows only some of the classes")
def _(r):
    sharpen(r.distiller.student)
    x, y = r.x[r.y != 1], np.array([0, None, 1, 2])[r.y[r.y != 1]].astype(int)
    p, z = soft_targets(logits(r.teacher, x))[:, [0, 2, 3]], logits(r.distiller.student, x)
    soft = soft_values(np.log(p / p.sum(axis=1, keepdims=True)), z, 4.0)
    require_losses(r.distiller, r.x[r.rows], cached(r.kept_labels, r.answers), soft, hard_values(y, z))


@of("The student knows more classes than the teacher")
def _(r):
    sharpen(r.distiller.student)
    z, y = logits(r.distiller.student, r.x), np.arange(64) % 6
    require_losses(r.distiller, r.x, y, soft_values(logits(r.teacher, r.x), z[:, :4], 2.0), hard_values(y, z))


@of("Teachers of different classes")
def _(r):
    sharpen(r.distiller.student)
    z, (first, second) = logits(r.student, r.x), (logits(each, r.x) for each in r.teachers)
    soft = soft_values(first, z[:, [0, 1, 2]], 2.0) * (r.y != 3) + soft_values(second, z[:, [2, 3]], 2.0) * (r.y > 1)
    require_losses(r.distiller, r.x, cached(r.y, r.answers), soft, hard_values(r.y, z))


@of("Several teachers, weighted")
def _(r):
    sharpen(r.distiller.student, r.distiller.teacher)
    p, q = (soft_targets(logits(each, r.x)) for each in (r.trusted, r.other))
    z = logits(r.student, r.x)
    require_losses(r.distiller, r.x, r.y, soft_values(np.log(0.8 * p + 0.2 * q), z, 4.0), hard_values(r.y, z))


@of("Two heads, one of them distilled")
def _(r):
    sharpen(r.two_heads, r.teacher)
    answers, z = logits(r.teacher, r.x), r.two_heads.predict(r.x, verbose=0)
    y = {"kind": np.column_stack([r.y, answers]), "age": r.age}
    got = r.two_heads.evaluate(r.x, y, batch_size=64, verbose=0, return_dict=True)
    kind = 0.1 * hard_values(r.y, z["kind"]) + 0.9 * soft_values(answers, z["kind"], 4.0)
    assert got["kind_loss"] == near(kind) and got["age_loss"] == near((r.age - z["age"]) ** 2)
    single = keras.Model(r.two_heads.input, r.two_heads.output["kind"])
    distiller = Distiller(student=single, teacher=r.teacher)
    distiller.compile("adam")
    assert reported(distiller, r.x, r.y)["loss"] == near(kind)


@of("A random forest, or anything of scikit-learn")
def _(r):
    sharpen(r.distiller.student)
    votes, y = r.forest.predict_proba(r.new), r.y[32:]
    assert np.exp(r.answers) == pytest.approx(0.96 * votes + 0.01) and list(r.forest.classes_) == [0, 1, 2, 3]
    assert np.exp(r.answers).sum(axis=1) == pytest.approx(1) and (votes == 0).any()
    assert r.forest.predict_proba(r.x[:32]).max(axis=1).mean() > votes.max(axis=1).mean() + 0.1  # too sure
    z = logits(r.student, r.new)
    require_losses(r.distiller, r.new, cached(y, r.answers), soft_values(r.answers, z, 1.0), hard_values(y, z))


@of("An API that names its top three")
def _(r):
    sharpen(r.distiller.student)
    p = np.array([[0.7, 0.05, 0.2, 0.05], [0.06, 0.02, 0.9, 0.02]])  # cat, cow, dog, fox
    assert soft_targets(r.answers) == pytest.approx(p)
    soft = soft_values(np.log(p), logits(r.student, r.x[:2]), 1.0)
    require_losses(r.distiller, r.x[:2], {"teacher_logits": r.answers}, soft)


@of("Same tokenizer, padded vocabulary")
def _(r):
    sharpen(r.distiller.student, r.distiller.teacher, factor=10)
    now, following = r.texts[:, :-1], r.texts[:, 1:]
    assert (r.inputs == now).all() and (r.next_tokens == following).all()
    answers, z = logits(r.padded_teacher, now)[..., :5], logits(r.distiller.student, now)
    hard = hard_values(following.ravel(), z.reshape(-1, 5))
    require_losses(r.distiller, now, following, soft_values(answers, z, 1.0), hard)


@of("Another tokenizer")
def _(r):
    sharpen(r.distiller.student)
    p, q = np.sort(soft_targets(r.answers)), np.sort(soft_targets(logits(r.distiller.student, r.student_tokens)))
    q = np.concatenate([np.zeros((16, 6, 4)), q], axis=-1)
    require_losses(r.distiller, r.student_tokens, {"teacher_logits": r.answers}, np.abs(p - q).sum(axis=-1))


@of("Translation, sequence to sequence")
def _(r):
    sharpen(r.distiller.student, r.distiller.teacher)
    x = {"source": r.source, "so_far": r.target[:, :-1]}
    answers, z = logits(r.distiller.teacher, x), logits(r.distiller.student, x)
    real, labelled = r.target[:, :-1] > 0, r.target[:, 1:] > 0
    assert real.sum() > labelled.sum() > 0
    hard = hard_values(r.target[:, 1:][labelled], z[labelled])
    require_losses(r.distiller, x, r.next_tokens, soft_values(answers, z, 1.0)[real], hard)


def doubled(maps):
    """[n, rows, columns, channels] -> twice as many rows and columns, bilinear between the pixels' centres."""
    for axis in (1, 2):
        size = maps.shape[axis]
        centres = np.clip((np.arange(2 * size) + 0.5) / 2 - 0.5, 0, size - 1)
        below = np.minimum(centres.astype(int), size - 2)
        share = (centres - below).reshape([-1 if a == axis else 1 for a in range(4)])
        maps = np.take(maps, below, axis) * (1 - share) + np.take(maps, below + 1, axis) * share
    return maps


@of("Segmentation with another stride")
def _(r):
    sharpen(r.distiller.student, r.distiller.teacher)
    answers, z = logits(r.distiller.teacher, r.images), doubled(logits(r.coarse_student, r.images))
    y = np.random.RandomState(5).randint(-1, 3, (16, 8, 8))
    hard = hard_values(y[y >= 0], z[y >= 0])
    require_losses(r.distiller, r.images, y, soft_values(answers, z, 1.0), hard)


@of("Boxes and classes of anchors")
def _(r):
    sharpen(r.distiller.student, r.distiller.teacher)
    answers, z = logits(r.distiller.teacher, r.images), logits(r.distiller.student, r.images)
    both = soft_values(answers[..., :3], z[..., :3], 2.0) + ((answers - z)[..., 3:] ** 2).mean(axis=-1)
    foreground = soft_targets(answers[..., :3])[..., 1:].sum(axis=-1)
    assert z.shape == (16, 16, 7)
    require_losses(r.distiller, r.images, None, foreground * both)


def require_hint(r, x, y, value):
    """The hint's mean, and its place in the loss."""
    answers, z = logits(r.distiller.teacher, x), logits(r.distiller.student, x)
    got = require_losses(r.distiller, x, y, soft_values(answers, z, 4.0), hard_values(y, z))
    assert got[r.hint.name] == near(value)
    assert got["loss"] == near((got["student_loss"] + got["distillation_loss"] + np.mean(value)) / 2)


@of("Hints between feature maps of different sizes")
def _(r):
    sharpen(r.distiller.student, r.distiller.teacher)
    w, b = weights(r.hint)
    late, early = (
        features(*pair, r.images) for pair in ((r.distiller.student, "late"), (r.distiller.teacher, "early"))
    )
    pooled = early.reshape(16, 4, 2, 4, 2, 8).mean(axis=(2, 4))
    require_hint(r, r.images, r.labels, (late @ w + b - pooled) ** 2)


@of("Which layers")
def _(r):
    assert list(r.scores) == [None, "early", "late"] and r.scores[r.best] == min(r.scores.values())
    assert len(set(r.scores.values())) == 3  # each hint changed the training
    hard = hard_values(r.labels[8:], logits(r.distiller.student, r.images[8:]))
    assert r.fitted.history["val_student_loss"][-1] == near(hard)
    assert r.scores["late"] == min(r.fitted.history["val_student_loss"])


@of("A projector at equal width")
def _(r):
    sharpen(r.distiller.student, r.distiller.teacher)
    w, b = weights(r.hint)
    assert w.shape == (16, 16)
    ours, theirs = (features(each, "hidden", r.x) for each in (r.distiller.student, r.teacher))
    require_hint(r, r.x, r.y, (ours @ w + b - theirs) ** 2)


@of("Embeddings of another width")
def _(r):
    variances = np.linalg.eigvalsh(np.cov(r.teacher_embeddings.T))[::-1][:8]
    assert np.abs(r.reduced.mean(axis=0)).max() < 1e-5
    assert np.cov(r.reduced.T) == pytest.approx(np.diag(variances), rel=1e-3, abs=1e-4)
    z = logits(r.distiller.student, r.x)
    require_losses(r.distiller, r.x, {"teacher_logits": r.reduced}, (r.reduced - z) ** 2)
    hint = hints.RelationalDistance("out", "out")
    distances = Distiller(student=r.dense(8, outputs=8), teacher=r.dense(16, outputs=12), hints=[hint])
    distances.compile("adam", alpha=0.0, soft_loss="mean_square")
    with pytest.warns(UserWarning, match="the hints alone train the student"):
        history = distances.fit(r.x, epochs=2, verbose=0).history
    assert 0 < history[hint.name][1] < history[hint.name][0]


@of("Ranking by margins")
def _(r):
    sharpen(r.distiller.student, r.distiller.teacher)
    answers, z = (logits(each, r.x.reshape(32, 2, 6)) for each in (r.distiller.teacher, r.distiller.student))
    soft = ((answers[:, 0] - answers[:, 1]) - (z[:, 0] - z[:, 1])) ** 2
    require_losses(r.distiller, r.x.reshape(32, 2, 6), None, soft)


@of("Lists with padding")
def _(r):
    sharpen(r.distiller.student, r.distiller.teacher)
    answers, z = (logits(each, r.lists) for each in (r.distiller.teacher, r.distiller.student))
    rows = zip(answers, z, r.lists["real"], strict=True)
    assert 2 <= r.lists["real"].sum(axis=1).min() < 5
    require_losses(r.distiller, r.lists, None, [soft_values(a[real], b[real], 1.0) for a, b, real in rows])


@of("Regression with a teacher that may be wrong")
def _(r):
    answers, z = (logits(each, r.x) for each in (r.distiller.teacher, r.distiller.student))
    own, allowed = (r.heights - z) ** 2, (r.heights - answers) ** 2
    binding = own > allowed - 0.1
    assert 0 < binding.mean() < 1
    require_losses(r.distiller, r.x, r.heights, own * binding, own)


@of("A temperature that falls")
def _(r):
    assert len(r.history["loss"]) == 3 and r.distiller.temperature == 2.0
    r.distiller.optimizer.learning_rate = 0.0
    history = r.distiller.fit(r.x, r.y, epochs=3, callbacks=[r.callback], verbose=0).history
    answers, z = logits(r.teacher, r.x), logits(r.student, r.x)
    assert history["distillation_loss"] == [near(soft_values(answers, z, t)) for t in (8.0, 4.0, 2.0)]


@of("Which temperature after training")
def _(r):
    z, y = logits(r.student, r.x[48:]), r.y[48:]
    assert 0.06 < r.calibrated_t < 19  # no bound of the search
    require_losses(r.distiller, r.x[48:], y, soft_values(logits(r.teacher, r.x[48:]), z, 4.0))
    best = nll(y, z / r.calibrated_t)
    assert best <= min(nll(y, z / t) for t in np.geomspace(0.05, 20, 200)) + 1e-6
    assert np.array(r.probabilities) == pytest.approx(soft_targets(z, r.calibrated_t), abs=1e-5)


@of("Two students that teach each other")
def _(r):
    sharpen(r.distiller.student, r.distiller.teacher)
    z = {student: logits(student, r.x) for student in (r.first, r.second)}
    for distiller, taught, teaching in zip(r.distillers, (r.first, r.second), (r.second, r.first), strict=True):
        assert int(distiller.optimizer.iterations) == 4
        require_losses(distiller, r.x, r.y, soft_values(z[teaching], z[taught], 1.0), hard_values(r.y, z[taught]))


@of("Self-distillation")
def _(r):
    sharpen(r.distiller.student, r.distiller.teacher)
    teacher, second, third = r.generations
    assert [each.count_params() for each in r.generations] == [teacher.count_params()] * 3
    assert not same(weights(teacher), weights(second)) and not same(weights(second), weights(third))
    require_losses(r.distiller, r.x, r.y, soft_values(logits(second, r.x), logits(third, r.x), 1.0))


@of("A checkpoint of the student alone")
def _(r):
    assert near(hard_values(r.y[48:], logits(r.best_student, r.x[48:]))) == min(r.history["val_student_loss"])
    kept = Path("best.keras").read_bytes()
    sharpen(r.student)
    r.best.on_epoch_end(4, {"val_student_loss": 99.0})
    assert Path("best.keras").read_bytes() == kept
    r.student.save("alone.keras")
    r.distiller.save("whole.keras")
    best, alone, whole = (Path(f"{name}.keras").stat().st_size for name in ("best", "alone", "whole"))
    assert abs(best - alone) < 0.1 * alone < 0.1 * whole
    without = Distiller(student=r.student)
    without.compile(keras.optimizers.SGD())
    without.save("without.keras")
    assert Path("without.keras").stat().st_size < 1.5 * alone < whole


@of("Mixed precision at a low temperature")
def _(r):
    assert r.mixed_student.layers[0].compute_dtype == "float16" and r.mixed_student(r.x).dtype == "float32"
    soft = soft_values(logits(r.teacher, r.x), logits(r.mixed_student, r.x), 0.05)
    require_losses(r.distiller, r.x, None, soft)
    assert np.spacing(np.float16(16)) == np.spacing(np.float16(31)) == 1 / 64 and round(1 / 64 / 0.05, 1) == 0.3


@of("Several GPUs")
def _(r):
    sharpen(r.distiller.student, r.distiller.teacher)
    assert r.distiller.optimizer.iterations.numpy() == 1  # one step of the whole batch
    answers, z = logits(r.distiller.teacher, r.x), logits(r.distiller.student, r.x)
    require_losses(r.distiller, r.x, r.y, soft_values(answers, z, 4.0), hard_values(r.y, z))


@of("Several machines")
def _(r):
    assert r.answers == pytest.approx(logits(r.teacher, r.x), abs=1e-5) and np.load("answers_1.npy").shape == (32, 4)


@of("Quantise afterwards")
def _(r):
    student = r.distiller.student
    assert student.layers[0].kernel.dtype == "int8"
    soft, hard = soft_values(logits(r.teacher, r.x), logits(student, r.x), 2.0), hard_values(r.y, logits(student, r.x))
    assert r.after["distillation_loss"] == near(soft) and r.after["student_loss"] == near(hard)
    assert r.before["distillation_loss"] != r.after["distillation_loss"]
