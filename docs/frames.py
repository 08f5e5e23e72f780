"""Sliders without a kernel: one piece of HTML carries the pictures of an Explorer at all its stops.

`register(get_ipython())` makes a kernel show every Explorer that way. Only `make site` calls it.
"""

import html
import itertools
import json
import math
import re

import ipywidgets
import numpy as np

from distill_edu.pages.shared import playground
from distill_edu.pages.shared.explorer import Explorer
from distill_edu.pages.shared.picture import CLASSES, INK, NEUTRAL, TEACHER, Picture

LIMIT = 1000
PICTURE = '<div class="distill-picture">', "</div>"
# matplotlib's colour -> its name on the site; conf.py gives each name a colour for light and for dark pages.
PALETTE = {"#ffffff": "paper", "#000000": "ink", INK: "pencil", TEACHER: "teacher", NEUTRAL: "neutral"}
PALETTE[CLASSES[4]] = "olive"


def stops(control):
    """The stops of a control as [(label, value)], in order; of a text field its value and suggestions."""
    if isinstance(control, ipywidgets.Combobox):
        return [(text, text) for text in dict.fromkeys([control.value, *control.options])]
    if hasattr(control, "options"):
        return [option if isinstance(option, tuple) else (str(option), option) for option in control.options]
    values = np.arange(control.min, control.max + control.step / 2, control.step)
    return [(f"{value:.4g}", type(control.value)(round(float(value), 9))) for value in values]


def frames(explorer):
    """Yield (picture as SVG, caption) for every combination of stops; the last control varies fastest."""
    choices = [[value for _, value in stops(control)] for control in explorer.controls.values()]
    if (count := math.prod(map(len, choices))) > LIMIT:
        raise ValueError(f"These sliders have {count} combinations, and a page carries at most {LIMIT}: fewer stops.")
    figure = Picture(*explorer.figure.get_size_inches())
    for values in itertools.product(*choices):
        caption = explorer.draw(figure, **dict(zip(explorer.controls, values, strict=True)))
        yield slim(figure.svg()), caption


def slim(svg):
    """Shorten an SVG: round coordinates to 0.01 pixel, drop what is invisible, name the colours for dark pages."""
    svg = re.sub(r' width="([\d.]+)pt" height="[\d.]+pt"', f' style="min-width: {_least_width(svg)}px"', svg, count=1)
    svg = re.sub(r"<metadata>.*?</metadata>\s*|<!--.*?-->\s*", "", svg, flags=re.DOTALL)
    return re.sub(r"<[^>]+>", lambda tag: _slim_tag(tag[0]), svg)  # what stands between tags is the reader's


def _slim_tag(tag):
    tag = re.sub(r"-?\d+\.\d{3,}(?=[\s\",)])", lambda number: f"{float(number[0]):.2f}".rstrip("0").rstrip("."), tag)
    tag = re.sub(r' id="\w+_\d+"', "", tag)  # of groups; what is referred to has a hash
    tag = re.sub(r'(?<= d=")[^"]*', lambda path: re.sub(r"\s*\n\s*|(?<=[MLQCz]) | (?=[MLQCz])", "", path[0]), tag)
    # Letters in a colour need more contrast than areas: darker on a light page, lighter on a dark one.
    tag = re.sub(r"(<text [^>]*fill: )(#\w{6})", r"\1color-mix(in oklab, \2 55%, var(--ink, #000))", tag)
    for colour, name in PALETTE.items():
        tag = tag.replace(colour.lower(), f"var(--{name}, {colour.lower()})")
    return tag


def _least_width(svg):
    """The width in pixels that makes the smallest letters 9 pixels high; on a narrower page the picture scrolls."""
    sizes = map(float, re.findall(r"font-size: ([\d.]+)px", svg))
    return math.ceil(float(re.search(r'width="([\d.]+)pt"', svg)[1]) * 9 / min(sizes, default=9))


def pack(texts):
    """Store each distinct line once: (lines, [line numbers of each text])."""
    numbers = {}
    rows = [[numbers.setdefault(line, len(numbers)) for line in text.splitlines(keepends=True)] for text in texts]
    return list(numbers), rows


def fragment(explorer, note=""):
    """A `<figure>`: the controls (hidden until the script runs), the current picture and caption, and all frames."""
    pictures, captions = zip(*frames(explorer), strict=True)
    lines, rows = pack(pictures)
    controls = [(name, control.description, _labels(control)) for name, control in explorer.controls.items()]
    places = [_place(control) for control in explorer.controls.values()]
    typed = [name for name, control in explorer.controls.items() if isinstance(control, ipywidgets.Combobox)]
    carried = {"lines": lines, "frames": rows, "words": captions, "controls": controls, "typed": typed, "note": note}
    return _figure(carried, places)


def opened(fragment, picture):
    """The fragment as it is when its controls stand where it shows `picture`; unchanged where they never do."""
    carried = json.loads(re.search(r'<script type="application/json">(.*?)</script>', fragment, re.DOTALL)[1])
    pictures = ["".join(carried["lines"][number] for number in row) for row in carried["frames"]]
    if picture not in pictures:
        return fragment
    counts = [len(labels) for _, _, labels in carried["controls"]]
    return _figure(carried, np.unravel_index(pictures.index(picture), counts))


def _figure(carried, places):
    counts = [len(labels) for _, _, labels in carried["controls"]]
    now = int(np.ravel_multi_index(places, counts))
    picture = "".join(carried["lines"][number] for number in carried["frames"][now])
    caption, note = html.escape(carried["words"][now]), carried["note"]
    controls = "".join(
        (_list_box if name in carried["typed"] else _slider)(name, html.escape(label), map(html.escape, labels), place)
        for (name, label, labels), place in zip(carried["controls"], map(int, places), strict=True)
    )
    data = json.dumps(carried, ensure_ascii=False, separators=(",", ":"))
    data = data.replace("</", "<\\/").replace("<!", "\\u003c!")  # a caption cannot end the script, nor comment
    return (
        f'<figure class="distill-explorer"><form hidden autocomplete="off">{controls}</form>'
        f"{f'<p>{note}</p>' if note else ''}"
        f'<div class="picture" role="img" aria-label="{caption}">{picture}</div>'
        f'<figcaption aria-live="polite">{caption}</figcaption>'
        f'<script type="application/json">{data}</script></figure>'
    )


def _labels(control):
    return [label for label, _ in stops(control)]


def _place(control):
    """The index of the current stop of a control."""
    return [value for _, value in stops(control)].index(control.value)


def _list_box(name, label, labels, place):
    options = "".join(f"<option{' selected' * (i == place)}>{text}</option>" for i, text in enumerate(labels))
    return f'<label><span>{label}</span><select name="{name}">{options}</select></label>'


def _slider(name, label, labels, place):
    labels = list(labels)
    return (
        f'<label><span>{label}</span><input type="range" name="{name}" max="{len(labels) - 1}" value="{place}" '
        f'data-stops="{"|".join(labels)}" aria-valuetext="{labels[place]}"><output>{labels[place]}</output></label>'
    )


def register(shell):
    """Make an IPython shell show Explorers as fragments, a live training as its recording, and Pictures as SVG."""
    shell.display_formatter.ipython_display_formatter.enabled = False  # by which ipywidgets 7 would show itself
    bundles = shell.display_formatter.mimebundle_formatter
    bundles.for_type(Picture, _of_picture)
    bundles.for_type(Explorer, _of_explorer)
    bundles.for_type(playground.Playground, _of_playground)
    bundles.for_type_by_name("distill_edu.pages.shared.live", "LiveDistillation", _of_training)


def _of_picture(figure, **_):
    return {"text/plain": repr(figure), "text/html": slim(figure.svg()).join(PICTURE)}


def _of_explorer(explorer, **_):
    return {"text/plain": repr(explorer), "text/html": fragment(explorer)}


def _of_playground(shown, **_):
    return {"text/plain": repr(shown), "text/html": playground_of_the_site()}


def playground_of_the_site():
    """The HTML of a playground whose script, style and digits the site serves: tools/website.py writes them."""
    served = '<link rel="stylesheet" href="_static/playground.css"><script defer src="_static/playground.js"></script>'
    return served + playground.box(still_of_the_site(), digits_at="_static/digits.js")


def still_of_the_site():
    return "".join(slim(figure.svg()) for figure in playground.stills())


def _of_training(live, **_):
    import recording  # imports TensorFlow

    return {"text/plain": repr(live), "text/html": fragment(recording.recorded(live), recording.NOTE)}
