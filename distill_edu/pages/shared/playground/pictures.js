// What is drawn: curves, weights and images as pixels, bars of probabilities, and the rows of all pairs.

const ORANGE = [213, 94, 0];

// ---- pixels ----

/** Numbers from -1 to 1 as pixels: the page's ink for what is above 0, orange for what is below. */
function drawPixels(canvas, numbers, width, ink) {
  const image = new ImageData(width, numbers.length / width), {data} = image;
  for (let k = 0, at = 0; k < numbers.length; k++, at += 4) {
    const [number, colour] = [numbers[k], numbers[k] < 0 ? ORANGE : ink];
    if (!number) continue;  // no pixel is seen there
    for (let c = 0; c < 3; c++) data[at + c] = colour[c];
    data[at + 3] = Math.abs(number) * 255;
  }
  if (canvas.width !== width || canvas.height !== image.height) [canvas.width, canvas.height] = [width, image.height];
  canvas.getContext("2d").putImageData(image, 0, 0);
}

/** Pictures side by side as one, a frame around number `framed`: [numbers, width]. `fill(i, set)` sets the pixels of one. */
function tiles(count, columns, fill, framed = null) {
  const step = SIDE + 2, width = columns * step, numbers = new Float64Array(width * Math.ceil(count / columns) * step);
  for (let i = 0; i < count; i++) {
    const corner = Math.floor(i / columns) * step * width + i % columns * step;
    fill(i, (p, value) => { numbers[corner + (Math.floor(p / SIDE) + 1) * width + p % SIDE + 1] = value; });
    if (i !== framed) continue;
    for (let k = 0; k < step; k++) {
      for (const place of [k, (step - 1) * width + k, k * width, k * width + step - 1]) numbers[corner + place] = 0.6;
    }
  }
  return [numbers, width];
}

function drawWeights(canvas, student, framed, ink) {
  const {first, units} = student;
  let most = 1e-9;
  for (let k = 0; k < first.length; k++) most = Math.max(most, Math.abs(first[k]));
  const columns = units > CLASSES ? 8 : Math.ceil(units / 2);
  drawPixels(canvas, ...tiles(units, columns, (u, set) => {
    for (let p = 0; p < PIXELS; p++) set(p, first[p * units + u] / most);
  }, framed), ink);
}

/** The images of a lesson; where one is `chosen`, the others are pale. Returns the number of columns. */
function drawSheet(canvas, images, chosen, ink) {
  const columns = Math.min(images.length, Math.ceil(Math.sqrt(images.length * 3.6)));
  const strength = i => chosen === null || chosen === i ? 1 : 0.35;
  drawPixels(canvas, ...tiles(images.length, columns, (i, set) => {
    const {pixels, values} = images[i];
    for (let k = 0; k < pixels.length; k++) set(pixels[k], values[k] * strength(i));
  }), ink);
  return columns;
}

// ---- curves: right answers over the steps ----

const curveX = step => 40 + 380 * Math.log(step) / Math.log(STEPS);
const curveY = right => 190 - 180 * (Math.max(right, 200) - 200) / 800;

function axesSvg(right) {
  const heights = [200, 400, 600, 800, 1000].map(count =>
    `<path class="grid" d="M40 ${curveY(count)}H420"/><text class="y" x="34" y="${curveY(count) + 4}">${count}</text>`);
  const steps = [1, 10, 100, 500].map(step =>
    `<path class="grid" d="M${curveX(step)} 190v5"/><text x="${curveX(step)}" y="208">${step}</text>`);
  return `${heights.join("")}${steps.join("")}<text x="230" y="226">${say("curves.steps")}</text>
    <path class="best" d="M40 ${curveY(right)}H420"/>
    <text class="best" x="44" y="${curveY(right) - 5}">${say("curves.teacher", {right})}</text>`;
}

function linesSvg(counts, kind = "") {
  return WHO.map((who, s) => {
    const points = counts.map(({step, right}) => `${curveX(step).toFixed(1)},${curveY(right[s]).toFixed(1)}`);
    return `<polyline class="${who} ${kind}" points="${points.join(" ")}"/>`;
  }).join("");
}

/** The points at which the curves end, each with its number; two numbers keep apart. */
function endsSvg({step, right}) {
  const middle = (curveY(right[0]) + curveY(right[1])) / 2;
  const apart = Math.max(Math.abs(curveY(right[0]) - curveY(right[1])), 16) / 2;
  return WHO.map((who, s) => {
    const below = right[s] < right[1 - s] || (right[0] === right[1] && s === 0);
    return `<circle class="${who}" r="4" cx="${curveX(step)}" cy="${curveY(right[s])}"/>
      <text class="${who} end" x="${curveX(step) + 8}" y="${middle + (below ? apart : -apart) + 5}">${right[s]}</text>`;
  }).join("");
}

// ---- an answer: ten probabilities ----

/** Draw probabilities, or nothing where they are null. `words`: instead of the first choice and its share. */
function drawAnswer(part, probabilities, words) {
  part.querySelectorAll("rect").forEach((bar, c) => {
    const height = 48 * (probabilities?.[c] ?? 0);
    bar.setAttribute("y", 50 - height);
    bar.setAttribute("height", height);
  });
  const percent = c => `${c}: ${Math.round(100 * probabilities[c])}%`;
  part.querySelector(".value").textContent = probabilities ? words ?? percent(firstChoice(probabilities)) : "";
  const spoken = probabilities ? [...probabilities.keys()].filter(c => probabilities[c] >= 0.01).map(percent) : [];
  part.querySelector("svg").setAttribute("aria-label", spoken.join(", ") || say("none"));
}

// ---- rows: the pairs of each setting ----

// Student's t at 97.5%, from one to ten degrees of freedom f; beyond that the formula is right to a hundredth.
const T975 = [12.71, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228];
const studentsT = f => T975[f - 1] ?? 1.96 + 2.37 / f + 2.9 / f ** 2;
const average = numbers => numbers.reduce((a, b) => a + b, 0) / numbers.length;

/** The mean gain of pairs, half of its 95% interval (null below three pairs), and the pairs that gained. */
function summary(pairs) {
  const gains = pairs.map(({right}) => right[1] - right[0]), n = gains.length, mean = average(gains);
  const variance = gains.reduce((sum, gain) => sum + (gain - mean) ** 2, 0) / (n - 1);
  const reach = n > 2 ? studentsT(n - 1) * Math.sqrt(variance / n) : null;
  return {n, mean, reach, wins: gains.filter(gain => gain > 0).length, gains};
}

const signed = number => `${Math.round(number) < 0 ? "−" : Math.round(number) > 0 ? "+" : ""}${Math.abs(Math.round(number))}`;

function rowTitle(settings) {
  const student = settings.hidden ? say("row.hidden", {units: settings.hidden}) : say("row.linear");
  const says = say(`row.${settings.says}`), teacher = say(`row.${settings.teacher}`), digit = settings.leftOut;
  return say(digit === "none" ? "row" : "row.unseen", {...settings, digit, says, student, teacher});
}

function rowSvg({gains, mean, reach}, place, words) {
  const line = (kind, from, to, top = 13, bottom = 13) =>
    `<line class="${kind}" x1="${place(from)}" x2="${place(to)}" y1="${top}" y2="${bottom}"/>`;
  const dots = gains.map(gain => `<circle r="4.5" cx="${place(gain)}" cy="13"/>`);
  return `<svg role="img" aria-label="${words}">${line("grid", -1e9, 1e9)}${line("zero", 0, 0, 1, 25)}${dots.join("")}
    ${reach === null ? "" : line("reach", mean - reach, mean + reach)}
    <text class="mean" x="${place(mean)}" y="18">◆</text></svg>`;
}

/** All settings that were tried, the newest first, on one scale. `rows`: [{settings, pairs, now, of}]. */
function rowsHtml(rows) {
  if (!rows.length) return `<p>${say("rows.none")}</p>`;
  const all = rows.flatMap(({pairs}) => summary(pairs).gains);
  const low = Math.floor(Math.min(-100, ...all) / 50) * 50, high = Math.ceil(Math.max(200, ...all) / 50) * 50;
  const place = gain => `${(3 + 94 * (Math.min(high, Math.max(low, gain)) - low) / (high - low)).toFixed(2)}%`;
  const parts = rows.map(({settings, pairs, now, of}, number) => {
    const result = summary(pairs), {mean, reach, wins, n} = result, digit = settings.leftOut;
    const words = say("row.gain", {mean: signed(mean) + (reach === null ? "" : ` ± ${Math.round(reach)}`), wins, n});
    const [labels, taught] = [0, 1].map(s => Math.round(average(pairs.map(({unseen}) => unseen[s]))));
    const count = digit === "none" ? "" : `<span class="count">${say("row.count", {digit, labels, taught, of})}</span>`;
    return `<div class="row ${now ? "now" : ""}"><button type="button" data-row="${number}">${rowTitle(settings)}</button>${count}
      <b>${words}</b>${rowSvg(result, place, words)}</div>`;
  });
  const scale = [low, 0, 100, high].map(gain => `<text x="${place(gain)}" y="14">${signed(gain)}</text>`);
  return `${parts.join("")}<svg class="scale" aria-hidden="true">${scale.join("")}</svg>`;
}
