// The playground: it holds the settings, runs lessons a few milliseconds a frame, and shows what is there.

const WATCHED = [];  // the steps at which a lesson that is watched counts: ever wider apart
for (let step = 1; step < STEPS; step = Math.max(step + 1, Math.round(step * 1.1))) WATCHED.push(step);
WATCHED.push(STEPS);
const UNWATCHED = [1, 3, 10, 30, 100, STEPS];
const FRAME = 12, LASTS = 2500;  // milliseconds of learning in a frame; of a lesson that is watched, at least
const PAD = 140, BRUSH = 5.5;  // pixels: the side of the paper, half the width of a stroke
const KEPT = "distill-playground";  // where a visit keeps its rows

class Playground extends View {
  constructor(root, data, {address = true, finished = () => {}} = {}) {
    super();
    Object.assign(this, {root, data, address, finished, rows: new Map(), earlier: [], queue: 0, frame: 0, ink: [0, 0, 0]});
    this.drawing = new Float64Array(PAD * PAD);
    root.innerHTML = pageHtml(data);
    this.form = this.find("form");
    this.listen();
    this.colours();
    this.recall();
    this.use((address && settingsOf(location.hash)) || startSettings());
    this.keepKeys();
  }

  /** JupyterLab takes the keys of each control that does not say that it needs them. */
  keepKeys() {
    for (const control of this.root.querySelectorAll("button, input, select")) control.dataset.lmSuppressShortcuts = "true";
  }

  listen() {
    this.find(".play").onclick = () => this.play();
    this.find(".other").onclick = () => this.otherImages();
    this.find(".ten").onclick = () => this.tenMore();
    this.form.oninput = () => this.use(this.read(), true);
    this.form.onsubmit = event => event.preventDefault();
    this.find(".guess input").oninput = () => { this.guess = Number(this.find(".guess input").value); this.paint(); };
    this.find(".clear").onclick = () => { this.drawing.fill(0); this.choose("drawn"); };
    this.find(".new").onclick = () => this.choose("new", this.nextNew(() => true));
    this.find(".newUnseen").onclick = () => this.choose("new", this.nextNew(label => label === this.settings.leftOut));
    this.find(".theirs").oninput = () => this.choose("theirs", Number(this.find(".theirs").value));
    this.find(".sheet").onclick = event => this.chooseFromSheet(event);
    this.find(".rows").onclick = ({target}) => { if (target.dataset.row) this.use(this.shown[target.dataset.row].settings, true); };
    this.listenToPen(this.find(".pad canvas"));
    this.listenToPage();
  }

  /** The page's colours may change, and its address. */
  listenToPage() {
    const again = () => { this.colours(); this.sheet(); this.paint(); };
    const themes = new MutationObserver(again), attributeFilter = ["data-theme", "class", "data-jp-theme-light"];
    for (const element of [document.documentElement, document.body]) themes.observe(element, {attributes: true, attributeFilter});
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
    if (!this.address) return;
    addEventListener("hashchange", () => {
      const settings = settingsOf(location.hash);
      if (!settings) return;
      this.use(settings);
      this.root.scrollIntoView();
    });
  }

  // ---- settings ----

  read() {
    return Object.fromEntries(Object.entries(CONTROLS).map(([name, {values, slider}]) => {
      const element = this.form.elements[name];
      return [name, values[slider ? Number(element.value) : element.selectedIndex]];
    }));
  }

  /** Take these settings and begin a lesson. `byReader`: the reader changed a control, so the lesson runs. */
  use(settings, byReader = false) {
    this.settings = settings;
    for (const [name, {values, slider}] of Object.entries(CONTROLS)) {
      const element = this.form.elements[name];
      element[slider ? "value" : "selectedIndex"] = values.indexOf(settings[name]);
      if (!slider) continue;
      element.setAttribute("aria-valuetext", settings[name]);
      element.previousElementSibling.querySelector(".value").textContent = settings[name];
    }
    if (byReader && this.address) history.replaceState(null, "", addressOf(settings));
    this.rest();
    this.earlier = [];
    this.guess = byReader ? this.guess : undefined;
    this.of = this.data.labels.filter((label, i) => i >= this.data.pool && label === settings.leftOut).length;
    this.begin(1, WATCHED);
    if (this.image?.from !== "drawn") this.choose("new", this.data.clearest[settings.leftOut] ?? this.data.pool);
    this.paint();
    if (byReader) this.wait = setTimeout(() => this.run(), 120);  // a slider that moves on begins no lesson
  }

  row() {
    return this.rows.get(JSON.stringify(this.settings));
  }

  // ---- lessons ----

  get running() {
    return this.frame !== 0;
  }

  begin(number, steps) {
    const before = this.lesson;
    if (before?.step === STEPS && before.settings === this.settings) this.earlier = [...this.earlier, before.counts].slice(-9);
    this.lesson = new Lesson(this.data, this.settings, number);
    this.watched = steps === WATCHED;
    this.work = this.lesson.learn(steps);
    this.find(".before").innerHTML = this.earlier.map(counts => linesSvg(counts, "old")).join("");
    this.find(".axes").innerHTML = axesSvg(this.data.teachers[this.settings.teacher].right);
    this.find(".theirs").max = this.settings.images - 1;
    if (this.image?.from === "theirs") this.choose("theirs", Math.min(this.image.number, this.settings.images - 1));
    this.sheet();
  }

  play() {
    if (this.running) return this.halt();
    if (this.lesson.step === STEPS) this.begin(this.lesson.number, WATCHED);
    this.run();
  }

  otherImages() {
    this.queue = 0;
    this.begin(this.running ? this.lesson.number + 1 : this.untried(), WATCHED);
    this.run();
  }

  tenMore() {
    this.queue += this.running ? 10 : 9;  // with the one that begins now
    if (!this.running) this.begin(this.untried(), UNWATCHED);
    this.run();
  }

  /** The number of the first draw that has no pair yet at these settings. */
  untried() {
    for (let number = 1; ; number++) if (!this.row()?.pairs.has(number)) return number;
  }

  rest() {
    cancelAnimationFrame(this.frame);
    clearTimeout(this.wait);
    this.frame = this.queue = 0;
  }

  halt() {
    this.rest();
    this.paint();
  }

  run() {
    clearTimeout(this.wait);
    this.started = performance.now() - LASTS * Math.log(Math.max(1, this.lesson.step)) / Math.log(STEPS);
    if (!this.running) this.frame = requestAnimationFrame(() => this.learn());
    this.paint();
  }

  /** What one frame learns: to the step that the clock shows, but no longer than its milliseconds. */
  learn() {
    const now = performance.now(), calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const goal = this.watched && !calm ? STEPS ** ((now - this.started) / LASTS) : Infinity;
    let done = false, counted = false;
    while (!done && this.lesson.step < goal && performance.now() < now + FRAME) {
      const next = this.work.next();
      counted ||= next.value === true;
      done = next.done;
    }
    if (done) this.keep();
    const more = !done || this.queue > 0;
    if (done && more) {
      this.queue -= 1;
      this.begin(this.untried(), UNWATCHED);
    }
    this.frame = more ? requestAnimationFrame(() => this.learn()) : 0;
    if (done || (counted && !calm)) this.paint();
  }

  /** A lesson has ended: its pair gets a dot. */
  keep() {
    const key = JSON.stringify(this.settings);
    const row = this.rows.get(key) ?? {settings: this.settings, pairs: new Map(), of: this.of};
    row.pairs.set(this.lesson.number, this.lesson.counts.at(-1));
    this.rows.delete(key);  // the newest stands last
    this.rows.set(key, row);
    this.remember();
    this.finished(this.lesson);
  }

  /** Rows outlive their page, so that a lesson's links lead to one list. A notebook's page is not ours to write to. */
  remember() {
    const rows = [...this.rows].map(([key, row]) => [key, {...row, pairs: [...row.pairs]}]);
    try {
      if (this.address) sessionStorage.setItem(KEPT, JSON.stringify(rows));
    } catch {}  // a reader may forbid it: the rows last as long as the page
  }

  recall() {
    try {
      const rows = this.address && JSON.parse(sessionStorage.getItem(KEPT)) || [];
      this.rows = new Map(rows.map(([key, row]) => [key, {...row, pairs: new Map(row.pairs)}]));
    } catch {}
  }

  // ---- the image that is asked about ----

  /** `from`: "drawn", "new" (image `number` of the data) or "theirs" (image `number` of the lesson). */
  choose(from, number = null) {
    const i = from === "theirs" ? this.lesson.which[number] : number;
    this.image = {from, number, answers: {}, label: i === null ? null : this.data.labels[i]};
    this.image.x = i === null ? asDigit(this.drawing, PAD) : this.data.images[i];
    const {images} = this.settings, theirs = from === "theirs";
    this.find(".pad .value").textContent = theirs ? say("theirs.number", {number: number + 1, images}) : "–";
    const spoken = theirs ? say("theirs.spoken", {number: number + 1, label: this.image.label}) : say("none");
    this.find(".theirs").setAttribute("aria-valuetext", spoken);
    this.find(".hint").hidden = from !== "drawn" || this.drawing.some(value => value > 0);
    this.sheet();
    this.paintAnswers();
  }

  /** The next new image whose label fits. */
  nextNew(fits, after = this.image.from === "new" ? this.image.number : this.data.pool - 1) {
    const {pool, labels} = this.data, fresh = labels.length - pool;
    for (let k = 1; ; k++) {
      const i = pool + (after - pool + k + fresh) % fresh;
      if (fits(labels[i])) return i;
    }
  }

  chooseFromSheet(event) {
    const box = event.target.getBoundingClientRect(), size = box.width / this.columns;
    const number = Math.floor((event.clientY - box.top) / size) * this.columns + Math.floor((event.clientX - box.left) / size);
    if (number >= this.settings.images) return;
    this.find(".theirs").value = number;
    this.choose("theirs", number);
  }

  listenToPen(paper) {
    let pen = null;
    const place = event => {
      const box = paper.getBoundingClientRect();
      return [(event.clientX - box.left) / box.width * PAD, (event.clientY - box.top) / box.height * PAD];
    };
    const draw = event => {
      const to = place(event);
      this.stroke(pen ?? to, to);
      pen = to;
    };
    paper.onpointerdown = event => {
      paper.setPointerCapture(event.pointerId);
      if (this.image.from !== "drawn") this.drawing.fill(0);
      draw(event);
    };
    paper.onpointermove = event => { if (pen) draw(event); };
    paper.onpointerup = paper.onpointercancel = () => { pen = null; };
  }

  /** Ink all pixels near the line from one point to another. */
  stroke([x0, y0], [x1, y1]) {
    const squared = (x1 - x0) ** 2 + (y1 - y0) ** 2, reach = BRUSH + 1;
    const range = (a, b) => [Math.max(0, Math.floor(Math.min(a, b) - reach)), Math.min(PAD, Math.ceil(Math.max(a, b) + reach))];
    const [left, right] = range(x0, x1), [top, bottom] = range(y0, y1);
    for (let y = top; y < bottom; y++) {
      for (let x = left; x < right; x++) {
        const [dx, dy] = [x + 0.5 - x0, y + 0.5 - y0];
        const along = squared && Math.min(1, Math.max(0, (dx * (x1 - x0) + dy * (y1 - y0)) / squared));
        const away = Math.hypot(dx - along * (x1 - x0), dy - along * (y1 - y0));
        const ink = Math.min(1, Math.max(0, BRUSH + 0.5 - away));
        this.drawing[y * PAD + x] = Math.max(this.drawing[y * PAD + x], ink);
      }
    }
    this.choose("drawn");
  }
}

// ---- start ----

/** Put a playground in place of the still picture in `root`. `text`: the digits, or a promise of them. */
async function start(root, text, options) {
  try {
    return new Playground(root, await unpack(await text), options);
  } catch (error) {  // the still picture stays
    console.error(error);
    return null;
  }
}

/** The text of a script that sets DISTILL_DIGITS: also from a file, where fetch is refused. */
const load = address => new Promise((resolve, reject) => {
  const script = document.createElement("script");
  script.src = address;
  script.onload = () => resolve(globalThis.DISTILL_DIGITS);
  script.onerror = () => reject(new Error(`${address} is missing.`));
  document.head.append(script);
});

/** Start each playground of the page when it nears the screen. */
function startWhenNear() {
  for (const root of document.querySelectorAll(".distill-playground[data-digits]")) {
    const near = new IntersectionObserver(entries => {
      if (!entries.some(entry => entry.isIntersecting)) return;
      near.disconnect();
      start(root, load(root.dataset.digits));
    }, {rootMargin: "400px"});
    near.observe(root);
    if (settingsOf(location.hash)) root.scrollIntoView();
  }
}

globalThis.distillPlayground = {start, unpack, Lesson, Student, askTeacher, asDigit, pixelsOf, lossGradient, softmax, settingsOf};
if (document.readyState === "loading") addEventListener("DOMContentLoaded", startWhenNear);
else startWhenNear();
