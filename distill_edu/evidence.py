"""What an experiment found: `Experiment`, its table of arms, and `Gains`, its verdicts."""

from dataclasses import dataclass, field
from numbers import Real

import numpy as np

from distill_edu.metrics import holm, paired_gain

STARTS = "the students' starts and batches"
TEACHERS = "each seed's own teacher"
SOME = " (in some questions)"
UNITS = {"accuracy": "accuracy", "nll": "nats saved"}


@dataclass
class Experiment:
    """What `compare` returns. Printed, it is a table: arm, what was chosen for it, and its mean on the test set.

    `chosen`: arm -> the options that validation chose; `tried`: arm -> [(options, validation score)]. `right`: arm ->
    [seeds, examples], whether a student is right on a test example (of a sequence the share of its places), without
    the examples that have no label; `nll`: arm -> the same in nats, or, where the judge is "accuracy", each student's
    mean, [seeds]; `classes`: arm -> the predicted classes of all test examples [seeds, examples, ...]. `judge`:
    "accuracy" or "nll". `students`: arm -> the trained models, for the arms that `compare(..., show=[...])` names.
    `covers`: what the intervals cover besides the test examples. `kept`: when and with what the last of the recalled
    students was trained; `new`: with what the others were trained, by this call. The table's last line says both.

    >>> right = {"labels": np.array([[0, 1], [0, 1]]), "soft": np.array([[1, 1], [0, 1]])}
    >>> found = Experiment("accuracy", right=right, chosen={"soft": {"temperature": 4}})
    >>> print(found)
    2 students an arm, 2 test examples, mean accuracy
    labels  0.500
    soft    0.750  temperature 4
    """

    judge: str
    right: dict
    nll: dict = field(default_factory=dict)
    chosen: dict = field(default_factory=dict)
    tried: dict = field(default_factory=dict)
    classes: dict = field(default_factory=dict)
    students: dict = field(default_factory=dict)
    covers: str = STARTS
    kept: str = ""
    new: str = ""

    def at_an_end(self, arm):
        """Return the options whose lowest or highest value validation chose; an alpha of 0 or 1 is no end."""
        ends, tried = set(), [options for options, _ in self.tried.get(arm, ())]
        for key, value in self.chosen.get(arm, {}).items():
            values = [options.get(key) for options in tried]
            numbers = all(isinstance(each, Real) and not isinstance(each, bool) for each in values)
            numbers = numbers and len(set(values)) > 1
            if numbers and value in (min(values), max(values)) and (key, value) not in {("alpha", 0), ("alpha", 1)}:
                ends.add(key)
        return ends

    def scores(self, arm):
        """Return what is judged, the higher the better, [seeds, examples]: right or not, or minus the NLL in nats."""
        table = self.right if self.judge == "accuracy" else self.nll
        if arm not in table:
            raise ValueError(f"There is no arm {arm!r}. There are: {', '.join(table)}.")
        return np.asarray(table[arm], dtype=float) * (1 if self.judge == "accuracy" else -1)

    def gains(self, over, only=None, title=""):
        """Compare every arm, or those in `only`, with the arm `over`, seed by seed and example by example: `Gains`.

        `title`: stands before each name, for `gains | other_gains`.
        """
        names = [name for name in (only or self.right) if name != over]
        label = f"{title}: " if title else ""
        pairs = {f"{label}{name}": paired_gain(self.scores(name), self.scores(over)) for name in names}
        return Gains(pairs, UNITS[self.judge], self.covers)

    def __or__(self, other):
        """Join the arms of two experiments on the same test examples."""
        shapes = {table.shape for table in [*self.right.values(), *other.right.values()]}
        if self.judge != other.judge or len(shapes) > 1:
            raise ValueError("Only experiments with the same judge, seeds and test examples can be joined.")
        names = ("right", "nll", "chosen", "tried", "classes", "students")
        tables = {name: {**getattr(self, name), **getattr(other, name)} for name in names}
        covers = _joined(self.covers, other.covers)
        when = {"kept": max(self.kept, other.kept), "new": max(self.new, other.new)}
        return Experiment(self.judge, covers=covers, **when, **tables)

    def __str__(self):
        seeds, examples = np.shape(next(iter(self.right.values())))[:2]
        measure = "accuracy" if self.judge == "accuracy" else "NLL in nats"
        lines = [f"{seeds} students an arm, {examples} test examples, mean {measure}"]
        width = max(map(len, self.right))
        for name in self.right:
            ends = self.at_an_end(name)
            options = [f"{key} {value}{'*' * (key in ends)}" for key, value in self.chosen.get(name, {}).items()]
            lines.append(f"{name:{width}}  {abs(self.scores(name).mean()):.3f}  {', '.join(options)}".rstrip())
        if any(map(self.at_an_end, self.right)):
            lines.append("* the lowest or the highest value tried: a longer list might find a better one")
        return "\n".join(lines + self._when())

    __repr__ = __str__

    def _when(self):
        """Say whether students were recalled or trained: a line, or none where nobody knows."""
        kept = [f"Kept results, trained on {self.kept}"] if self.kept else []
        new = [f"{'the others trained' if kept else 'Trained'} now, with {self.new}"] if self.new else []
        return ["; ".join(kept + new) + "."] if kept or new else []


class Gains(dict):
    """Question -> `metrics.Gain`. Printed: a line for each, with its verdict after Holm's correction for all of them.

    `gains | others` joins the questions, so that the correction counts them all.

    >>> one = Experiment("accuracy", right={"labels": np.zeros((5, 20)), "soft": np.eye(5, 20)}).gains(over="labels")
    >>> print(one)
    soft  +0.0500 (+0.0084 to +0.0916; 5/5)  p 0.0210  better
    95% intervals and p cover the students' starts and batches, and the test examples;
    they do not cover another teacher or another split of the data.
    """

    def __init__(self, gains, unit="accuracy", covers=STARTS):
        super().__init__(gains)
        self.unit, self.covers = unit, covers

    def __or__(self, other):
        if both := sorted(set(self) & set(other)):
            raise ValueError(f"Both have a question {both}: give them titles.")
        return Gains({**self, **other}, self.unit, _joined(self.covers, other.covers))

    __ior__ = __or__

    def verdicts(self):
        """Return question -> (p after Holm's correction, "better", "worse" or "no verdict")."""
        corrected = holm({name: gain.p for name, gain in self.items()})
        signs = {name: "better" if gain.mean > 0 else "worse" for name, gain in self.items()}
        return {name: (p, signs[name] if p < 0.05 else "no verdict") for name, p in corrected.items()}

    def __str__(self):
        width, lines = max(map(len, self)), []
        for name, (corrected, verdict) in self.verdicts().items():
            gain, p = self[name], f"p {corrected:.4f}" if corrected >= 1e-4 else "p < 0.0001"
            interval = f"({gain.low:+.4f} to {gain.high:+.4f}; {gain.wins}/{gain.n})"
            lines.append(f"{name:{width}}  {gain.mean:+.4f} {interval}  {p}  {verdict}")
        lines.append(f"95% intervals and p cover {self.covers}, and the test examples;")
        corrected = f"; p is corrected for {len(self)} questions (Holm)" if len(self) > 1 else ""
        in_some = " (in the others)" * (TEACHERS + SOME in self.covers)
        uncovered = ("" if TEACHERS in self.covers.split(", ") else f"another teacher{in_some} or ") + "another split"
        lines.append(f"they do not cover {uncovered} of the data{corrected}.")
        return "\n".join(lines)

    __repr__ = __str__


def _joined(here, there):
    """What two results cover together: a part that one of them lacks is covered in some questions."""
    parts, others = here.split(", "), there.split(", ")
    names = dict.fromkeys(part.removesuffix(SOME) for part in [*parts, *others])
    return ", ".join(name if name in parts and name in others else name + SOME for name in names)
