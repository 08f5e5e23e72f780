// A lesson: two equal students learn from the same images, one from their labels, one from a teacher's answers.
//
// z are a student's logits for an image, t the teacher's; y is 1 at the label and 0 elsewhere. For one image
//   loss      =  alpha * CE(y, softmax(z))  +  (1 - alpha) * T^2 * KL(softmax(t / T) || softmax(z / T))
//   d loss/dz =  alpha * (softmax(z) - y)   +  (1 - alpha) * T * (softmax(z / T) - softmax(t / T))
// A step moves all weights against the gradient of the mean loss of all images.

const SIDE = 28, PIXELS = SIDE * SIDE, CLASSES = 10, STEPS = 500, LEARNING_RATE = 0.1;

function softmax(logits, temperature = 1) {
  const largest = logits[firstChoice(logits)];  // taken away from all, so that no power is infinite
  const powers = new Float64Array(CLASSES);
  let sum = 0;
  for (let c = 0; c < CLASSES; c++) sum += powers[c] = Math.exp((logits[c] - largest) / temperature);
  for (let c = 0; c < CLASSES; c++) powers[c] /= sum;
  return powers;
}

/** The derivative of an image's loss by the student's logits. `targets`: softmax(t / T), or a control. */
function lossGradient(logits, label, targets, temperature, alpha) {
  const hard = softmax(logits), soft = alpha < 1 ? softmax(logits, temperature) : hard;
  const gradient = new Float64Array(CLASSES);
  for (let c = 0; c < CLASSES; c++) {
    const y = c === label ? 1 : 0;
    gradient[c] = alpha * (hard[c] - y) + (1 - alpha) * temperature * (soft[c] - targets[c]);
  }
  return gradient;
}

/** The number of the largest value: a model's answer. */
function firstChoice(values) {
  let best = 0;
  for (let c = 1; c < values.length; c++) if (values[c] > values[best]) best = c;
  return best;
}

// ---- students ----

/** Weights [784, 10], or [784, hidden] and [hidden, 10] with ReLU between; no biases. All are flat arrays. */
class Student {
  constructor(hidden, random) {
    this.hidden = hidden;
    this.units = hidden || CLASSES;  // of the layer that reads the pixels
    this.first = new Float64Array(PIXELS * this.units);
    this.last = new Float64Array(hidden * CLASSES);
    if (hidden) {  // equal weights would stay equal, so they begin at random (Glorot and Bengio 2010)
      const uniform = limit => () => limit * (2 * random() - 1);
      this.first = this.first.map(uniform(Math.sqrt(6 / (PIXELS + hidden))));
      this.last = this.last.map(uniform(Math.sqrt(6 / (hidden + CLASSES))));
    }
  }

  /** The logits of an image, and what its hidden units give. An image lists the pixels that are not 0. */
  forward({pixels, values}) {
    const {first, last, units} = this, sums = new Float64Array(units);
    for (let k = 0; k < pixels.length; k++) {
      const row = pixels[k] * units;
      for (let u = 0; u < units; u++) sums[u] += values[k] * first[row + u];
    }
    if (!this.hidden) return {logits: sums};
    const logits = new Float64Array(CLASSES);
    for (let u = 0; u < units; u++) {
      sums[u] = Math.max(sums[u], 0);  // ReLU
      for (let c = 0; c < CLASSES; c++) logits[c] += sums[u] * last[u * CLASSES + c];
    }
    return {logits, active: sums};
  }

  /** One step of gradient descent. `gradient(logits, i)`: that of image i. */
  step(images, gradient) {
    const passes = images.map(image => this.forward(image));
    const errors = passes.map(({logits}, i) => gradient(logits, i));
    const errorsOfUnits = errors.map((error, i) => this.backward(error, passes[i].active));
    const rate = LEARNING_RATE / images.length;
    images.forEach((image, i) => this.descend(image, passes[i].active, errors[i], errorsOfUnits[i], rate));
  }

  /** The derivative by the sums of the first layer: the chain rule through the last layer and ReLU. */
  backward(error, active) {
    if (!this.hidden) return error;
    const errorOfUnits = new Float64Array(this.units);
    for (let u = 0; u < this.units; u++) {
      if (active[u] === 0) continue;
      for (let c = 0; c < CLASSES; c++) errorOfUnits[u] += error[c] * this.last[u * CLASSES + c];
    }
    return errorOfUnits;
  }

  descend({pixels, values}, active, error, errorOfUnits, rate) {
    const {first, last, units} = this;
    for (let k = 0; k < pixels.length; k++) {
      const row = pixels[k] * units, scale = rate * values[k];
      for (let u = 0; u < units; u++) first[row + u] -= scale * errorOfUnits[u];
    }
    for (let u = 0; u < this.hidden; u++) {
      if (active[u] === 0) continue;
      for (let c = 0; c < CLASSES; c++) last[u * CLASSES + c] -= rate * active[u] * error[c];
    }
  }
}

// ---- what the teacher's student learns from ----

/** Probabilities for each image. `says`: the teacher's answers, or a control that takes something from them. */
function softTargets(says, logits, labels, temperature, random) {
  const answers = logits.map(t => softmax(t, temperature));
  if (says === "another") return anotherImage(labels).map(i => answers[i]);
  if (says === "answers") return answers;
  return answers.map(answer => changedAnswer(says, answer, random));
}

/** For each image the number of the next image with its label; for the last one the first one. */
function anotherImage(labels) {
  return labels.map((label, i) => {
    const next = labels.indexOf(label, i + 1);
    return next < 0 ? labels.indexOf(label) : next;
  });
}

function changedAnswer(says, answer, random) {
  const top = firstChoice(answer), changed = answer.slice();
  const others = [...answer.keys()].filter(c => c !== top);
  if (says === "first") changed.fill(0)[top] = 1;
  if (says === "equal") others.forEach(c => { changed[c] = (1 - answer[top]) / others.length; });
  if (says === "shuffled") {
    draw(others.length, others, random).forEach((from, place) => { changed[others[place]] = answer[from]; });
  }
  return changed;
}

// ---- a lesson ----

class Lesson {
  /** `number`: of the draw. A draw has its own images, and its own start of the students. */
  constructor(data, settings, number) {
    Object.assign(this, {data, settings, number, step: 0, counts: []});
    const pool = [...Array(data.pool).keys()].filter(i => data.labels[i] !== settings.leftOut);
    this.which = draw(settings.images, pool, randomNumbers(number));
    this.images = this.which.map(i => data.images[i]);
    this.labels = this.which.map(i => data.labels[i]);
    this.students = [0, 1].map(() => new Student(settings.hidden, randomNumbers(number + 2e6)));
  }

  /** Learn up to each of these steps and count there. It yields after each small piece of work: true after a count. */
  *learn(steps) {
    const {temperature, alpha, says, teacher} = this.settings, [ofLabels, ofTeacher] = this.students;
    const logits = [];
    for (const i of this.which) {
      logits.push(askTeacher(this.data, teacher, i));
      yield false;
    }
    this.targets = softTargets(says, logits, this.labels, temperature, randomNumbers(this.number + 1e6));
    for (const stop of steps) {
      for (; this.step < stop; this.step++) {
        ofLabels.step(this.images, (z, i) => lossGradient(z, this.labels[i], this.targets[i], 1, 1));
        yield false;
        ofTeacher.step(this.images, (z, i) => lossGradient(z, this.labels[i], this.targets[i], temperature, alpha));
        yield false;
      }
      yield* this.count();
      yield true;
    }
  }

  /** How many new images, and how many of the digit that was left out, each student recognises. */
  *count() {
    const {data, settings: {leftOut}} = this, right = [0, 0], unseen = [0, 0];
    for (let i = data.pool; i < data.labels.length; i++) {
      this.students.forEach((student, s) => {
        if (firstChoice(student.forward(data.images[i]).logits) !== data.labels[i]) return;
        right[s] += 1;
        if (data.labels[i] === leftOut) unseen[s] += 1;
      });
      if (i % 100 === 0) yield false;
    }
    this.counts.push({step: this.step, right, unseen});
  }
}

// ---- random numbers, the same in every browser (xorshift, Marsaglia 2003) ----

function randomNumbers(seed) {
  let state = Math.imul(seed + 1, 2654435761) || 1;
  const next = () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
  for (let i = 0; i < 16; i++) next();
  return next;
}

/** Draw `count` different elements of a list. */
function draw(count, list, random) {
  const all = [...list];
  for (let i = 0; i < count; i++) {
    const j = i + Math.floor(random() * (all.length - i));
    [all[i], all[j]] = [all[j], all[i]];
  }
  return all.slice(0, count);
}
