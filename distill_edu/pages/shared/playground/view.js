// What the reader sees of a playground: curves, weights, answers, rows, and the sentences of the live region.

class View {
  find(selector) {
    return this.root.querySelector(selector);
  }

  colours() {
    this.ink = getComputedStyle(this.root).color.match(/[\d.]+/g).slice(0, 3).map(Number);
  }

  /** Draw the images of the lesson, if they are not there yet. */
  sheet() {
    const canvas = this.find(".sheet"), chosen = this.image?.from === "theirs" ? this.image.number : null;
    const known = JSON.stringify([this.lesson.which, chosen, this.ink]);
    if (known === this.sheetDrawn) return;
    this.sheetDrawn = known;
    this.columns = drawSheet(canvas, this.lesson.images, chosen, this.ink);
    canvas.setAttribute("aria-label", say("sheet", {images: this.settings.images}));
  }

  paint() {
    if (!this.image) return;
    const {lesson, queue, running, settings: {alpha}} = this, started = lesson.step > 0, ended = lesson.step === STEPS;
    this.find(".play").textContent = say(running ? (queue ? "stop" : "pause") : ended ? "again" : started ? "continue" : "train");
    this.find(".step").textContent = say("step", {number: lesson.number, step: lesson.step, steps: STEPS});
    for (const note of this.root.querySelectorAll(".idle")) note.hidden = alpha < 1;
    this.paintGuess();
    this.paintCurves();
    this.paintStudents();
    this.paintAnswers();
    this.paintRows();
    if (!running) this.find(".said").textContent = this.sentences().join(" ");
  }

  paintGuess() {
    const {of, guess, settings: {leftOut: digit}} = this, slider = this.find(".guess input");
    this.find(".guess").hidden = !of;
    this.find(".question").textContent = say("guess", {of, digit});
    slider.max = of;
    slider.value = guess ?? 0;
    this.find(".guess .value").textContent = guess ?? "–";
    slider.setAttribute("aria-valuetext", guess ?? "–");
  }

  paintCurves() {
    const last = this.lesson.counts.at(-1), {right} = this.data.teachers[this.settings.teacher];
    this.find(".now").innerHTML = last ? linesSvg(this.lesson.counts) + endsSvg(last) : "";
    const words = last ? say("curves", {labels: last.right[0], teacher: last.right[1], right}) : say("curves.start");
    this.find(".curves svg").setAttribute("aria-label", words);
  }

  paintStudents() {
    const {of, settings: {leftOut: digit, hidden}} = this, last = this.lesson.counts.at(-1);
    WHO.forEach((who, s) => {
      const part = this.find(`.student.${who}`), student = this.lesson.students[s], canvas = part.querySelector("canvas");
      drawWeights(canvas, student, hidden ? null : digit, this.ink);
      canvas.setAttribute("aria-label", say("weights", {count: student.units, step: this.lesson.step}));
      const values = last && {of, digit, right: last.right[s], unseen: last.unseen[s]};
      part.querySelector(".score").textContent = last ? say(of ? "right.unseen" : "right", values) : say("untrained");
    });
    const frame = of && !hidden ? ` ${say("weights.frame", {digit})}` : "";
    this.find(".note.weights").textContent = say(hidden ? "weights.hidden" : "weights.digits") + frame;
  }

  paintAnswers() {
    const {image, lesson, settings: {temperature, alpha, says, teacher}} = this, theirs = image.from === "theirs";
    const pixels = pixelsOf(image.x), blank = image.x.pixels.length === 0;
    const [paper, side] = image.from === "drawn" ? [this.drawing, PAD] : [pixels, SIDE];
    drawPixels(this.find(".pad canvas"), paper, side, this.ink);
    drawPixels(this.find(".seen canvas"), pixels, SIDE, this.ink);
    const logits = image.answers[teacher] ??= this.data.teachers[teacher].answer(this.data.teachers[teacher].layers, pixels);
    const targets = theirs && says !== "answers" && lesson.targets;
    const answer = (who, probabilities, note, words) => {
      drawAnswer(this.find(`.answer.${who}`), blank ? null : probabilities, words);
      this.find(`.answer.${who} small`).textContent = note;
    };
    this.find(".answer.label").hidden = image.label === null;
    answer("label", softmax(Float64Array.from({length: CLASSES}, (_, c) => c === image.label ? 1e3 : 0)), "", image.label);
    answer("teacher", targets ? targets[image.number] : softmax(logits, temperature), `T = ${temperature}`);
    this.find(".answer.teacher .who span").textContent = say(targets ? "given" : "teachersAnswer");
    WHO.forEach((who, s) => {
      const at = s === 1 && alpha < 1 ? temperature : 1;
      answer(who, lesson.step ? softmax(lesson.students[s].forward(image.x).logits, at) : null, `T = ${at}`);
    });
    this.find(".seen span").textContent = say(`seen.${image.from}`);
    this.find(".newUnseen").hidden = !this.of;
    this.find(".newUnseen").textContent = say("newUnseen", {digit: this.settings.leftOut});
  }

  paintRows() {
    const known = JSON.stringify([this.settings, [...this.rows.values()].map(({pairs}) => [...pairs.keys()])]);
    if (known === this.painted) return;
    this.painted = known;
    this.shown = [...this.rows.values()].reverse();
    const rows = this.shown.map(row => ({...row, pairs: [...row.pairs.values()], now: row === this.row()}));
    this.find(".rows").innerHTML = rowsHtml(rows);
    this.keepKeys();
  }

  /** What the live region says, when no lesson runs. */
  sentences() {
    const {settings, of, lesson, data} = this, {leftOut: digit, images, says, alpha} = settings, last = lesson.counts.at(-1);
    const before = [say("start", {images}), say(of ? "start.unseen" : "start.all", {of, digit})];
    const first = last ? this.sentencesAfter(last) : before;
    if (says === "equal" || says === "shuffled") first.push(say("nine"));
    if (says === "another") {
      const alone = anotherImage(lesson.labels).filter((other, i) => other === i).length;
      first.push(say("another"), ...alone ? [say("keepsOwn", {count: alone})] : []);
    }
    if (alpha === 1) first.push(say("labelsAlone"));
    const pool = data.labels.slice(0, data.pool).filter(label => label !== digit).length;
    if (images >= 200) first.push(say("overlap", {images, pool}));
    return first;
  }

  sentencesAfter({step, right, unseen}) {
    const {of, guess, settings: {leftOut: digit}} = this;
    const words = [say("after", {step, labels: right[0], teacher: right[1], gain: signed(right[1] - right[0])})];
    if (of) words.push(say("after.unseen", {of, digit, labels: unseen[0], teacher: unseen[1]}));
    if (of && guess !== undefined) words.push(say("after.guess", {guess}));
    if (step < STEPS || !this.row()) return words;
    const {n, mean, reach, wins} = summary([...this.row().pairs.values()]);
    if (reach === null) return [...words, say("luck")];
    const values = {n, wins, mean: signed(mean), low: signed(mean - reach), high: signed(mean + reach)};
    const verdict = mean - reach > 0 ? "helps" : mean + reach < 0 ? "hurts" : "open";
    return [...words, say("soFar", values), say(`soFar.${verdict}`)];
  }
}
