// Images of digits, two trained teachers, and a reader's drawing made like an image of MNIST.

const GREY_LEVELS = 15;
const pause = () => new Promise(resolve => { setTimeout(resolve); });

/** Read the text that playground/__init__.py writes: base64 of deflated bytes. The page stays alive meanwhile. */
async function unpack(text) {
  const letters = atob(text), packed = new Uint8Array(letters.length);
  for (let i = 0; i < letters.length; i++) packed[i] = letters.charCodeAt(i);
  await pause();
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  const take = reader(await new Response(stream).arrayBuffer());
  const [pool, fresh, hidden, narrow, wide, ...right] = take(Uint16Array, 7), clearest = [...take(Uint16Array, CLASSES)];
  const dense = [takeLayer(take, PIXELS, hidden), takeLayer(take, hidden, CLASSES)];
  const convolutional = [takeLayer(take, 9, narrow), takeLayer(take, 9 * narrow, wide), takeLayer(take, 49 * wide, CLASSES)];
  await pause();
  const labels = [...take(Uint8Array, pool + fresh)], images = [];
  while (images.length < labels.length) {
    images.push(imageOf(take(Uint8Array, PIXELS), GREY_LEVELS));
    if (images.length % 200 === 0) await pause();
  }
  const teachers = {
    dense: {right: right[0], layers: dense, answer: denseAnswer, asked: []},
    convolutional: {right: right[1], layers: convolutional, answer: convolutionalAnswer, asked: []},
  };
  return {pool, clearest, labels, images, teachers};
}

/** A function that takes the next numbers from a buffer. */
function reader(buffer) {
  let at = 0;
  return (Kind, count) => {
    const start = at;
    at += count * Kind.BYTES_PER_ELEMENT;
    return new Kind(buffer.slice(start, at));
  };
}

/** A layer: weights of 8 bits, with one scale for each unit. */
function takeLayer(take, inputs, units) {
  const scales = take(Float32Array, units), biases = Float64Array.from(take(Float32Array, units));
  const whole = take(Int8Array, inputs * units), weights = new Float64Array(inputs * units);
  for (let k = 0; k < weights.length; k++) weights[k] = whole[k] * scales[k % units];
  return {units, weights, biases};
}

/** An image as the list of its pixels that are not 0. */
function imageOf(levels, white = 1) {
  const pixels = [...levels.keys()].filter(p => levels[p] > 0);
  return {pixels: Uint16Array.from(pixels), values: Float64Array.from(pixels, p => levels[p] / white)};
}

/** All 784 numbers of an image. */
function pixelsOf({pixels, values}) {
  const all = new Float64Array(PIXELS);
  pixels.forEach((pixel, k) => { all[pixel] = values[k]; });
  return all;
}

// ---- teachers: trained in Python, on 3,000 labelled images ----

/** The teacher's logits of image i. A teacher answers each image once. */
function askTeacher(data, name, i) {
  const teacher = data.teachers[name];
  return teacher.asked[i] ??= teacher.answer(teacher.layers, pixelsOf(data.images[i]));
}

function multiply({units, weights, biases}, inputs) {
  const sums = biases.slice();
  inputs.forEach((value, i) => {
    if (value) for (let u = 0, k = i * units; u < units; u++, k++) sums[u] += value * weights[k];
  });
  return sums;
}

const relu = sums => sums.map(sum => Math.max(sum, 0));
const denseAnswer = ([first, last], pixels) => multiply(last, relu(multiply(first, pixels)));
const convolutionalAnswer = ([first, second, last], pixels) =>
  multiply(last, convolve(second, convolve(first, pixels, SIDE, 1), SIDE / 2, first.units));

/** Convolution of 3 x 3 with a border of zeros, ReLU, and the largest of each 2 x 2: [side, side, depth] -> half the side. */
function convolve({units, weights, biases}, inputs, side, depth) {
  const half = side / 2, largest = new Float64Array(half * half * units), sums = new Float64Array(units);
  for (let row = 0; row < side; row++) {
    for (let column = 0; column < side; column++) {
      sums.set(biases);
      for (let tap = 0; tap < 9; tap++) {
        const r = row + Math.floor(tap / 3) - 1, c = column + tap % 3 - 1;
        if (r < 0 || c < 0 || r >= side || c >= side) continue;
        for (let d = 0; d < depth; d++) {
          const value = inputs[(r * side + c) * depth + d];
          if (value) for (let u = 0, k = (tap * depth + d) * units; u < units; u++, k++) sums[u] += value * weights[k];
        }
      }
      const to = (Math.floor(row / 2) * half + Math.floor(column / 2)) * units;
      for (let u = 0; u < units; u++) largest[to + u] = Math.max(largest[to + u], sums[u]);  // begins at 0: ReLU
    }
  }
  return largest;
}

// ---- a drawing as MNIST has it: 20 pixels high or wide, its centre of mass in the middle of 28 x 28 ----

function asDigit(ink, size) {
  const drawn = [...ink.keys()].filter(i => ink[i] > 0);
  if (!drawn.some(i => ink[i] > 0.1)) return imageOf(new Float64Array(PIXELS));
  const scale = 20 / extent(drawn.filter(i => ink[i] > 0.1), size);
  let mass = 0, x = 0, y = 0;
  for (const i of drawn) {
    mass += ink[i];
    x += ink[i] * (i % size + 0.5) * scale;
    y += ink[i] * (Math.floor(i / size) + 0.5) * scale;
  }
  // MNIST's middle is pixel 14, counted from 0. Moves by whole pixels keep an enlarged image of MNIST as it was.
  const [left, top] = corner(drawn.filter(i => ink[i] > 0.1), size).map(place => place * scale);
  const right = Math.round(SIDE / 2 + 0.5 - (x / mass - left)), down = Math.round(SIDE / 2 + 0.5 - (y / mass - top));
  const digit = new Float64Array(PIXELS);
  for (const i of drawn) {
    share(digit, ink[i], (i % size) * scale - left + right, Math.floor(i / size) * scale - top + down, scale);
  }
  return imageOf(digit.map(value => Math.min(value, 1)));
}

const corner = (drawn, size) => [least(drawn.map(i => i % size)), least(drawn.map(i => Math.floor(i / size)))];
const least = numbers => numbers.reduce((a, b) => Math.min(a, b));

/** The longer side of what is drawn. */
function extent(drawn, size) {
  const span = numbers => numbers.reduce((a, b) => Math.max(a, b)) - least(numbers) + 1;
  return Math.max(span(drawn.map(i => i % size)), span(drawn.map(i => Math.floor(i / size))));
}

/** Share a small square of ink among the pixels on which it comes to lie. */
function share(digit, value, left, top, width) {
  for (let row = Math.floor(top); row < top + width; row++) {
    for (let column = Math.floor(left); column < left + width; column++) {
      const wide = Math.min(left + width, column + 1) - Math.max(left, column);
      const high = Math.min(top + width, row + 1) - Math.max(top, row);
      const inside = row >= 0 && column >= 0 && row < SIDE && column < SIDE;
      if (inside && wide > 0 && high > 0) digit[row * SIDE + column] += value * wide * high;
    }
  }
}
