// A thumbnail of a picture: draw it, soften it, scale it down, pack it, and put it away.
"use strict";

const { createHash } = require("node:crypto");
const { setTimeout: sleep } = require("node:timers/promises");
const { deflateSync } = require("node:zlib");

// How long the store that takes the picture makes its callers wait.
const STORE_MS = 80;

// Softening looks at the pixels this far to each side.
const RADIUS = 3;

// The thumbnail, `to` pixels a side, of the picture that `size` and `seed` determine.
exports.handler = async (event) => {
  const { size = 1024, to = 128, seed = 7 } = event;
  const picture = soften(soften(draw(size, seed), size, 1, size), size, size, 1);
  const packed = deflateSync(scale(picture, size, to), { level: 6 });
  await put(packed);
  return {
    pixels: to * to,
    bytes: packed.length,
    digest: createHash("sha256").update(packed).digest("hex"),
  };
};

// Rings of brightness with noise upon them, one byte a pixel.
function draw(size, seed) {
  const picture = new Uint8Array(size * size);
  let noise = seed;
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      noise = (Math.imul(noise, 1664525) + 1013904223) >>> 0;
      const distance = Math.hypot(x - size / 2, y - size / 2);
      picture[y * size + x] = 96 + 80 * Math.sin(distance / 9) + (noise >>> 26);
    }
  }
  return picture;
}

// The mean of each pixel's neighbours along one axis; `step` leads to the next pixel of a line,
// `stride` to the next line.
function soften(picture, size, step, stride) {
  const softened = new Uint8Array(picture.length);
  for (let line = 0; line < size; line++) {
    for (let place = 0; place < size; place++) {
      const from = Math.max(0, place - RADIUS);
      const to = Math.min(size - 1, place + RADIUS);
      let sum = 0;
      for (let near = from; near <= to; near++) {
        sum += picture[line * stride + near * step];
      }
      softened[line * stride + place * step] = sum / (to - from + 1);
    }
  }
  return softened;
}

// Each pixel of the smaller picture is the mean of the pixels that it stands for.
function scale(picture, size, to) {
  const scaled = new Uint8Array(to * to);
  const side = Math.floor(size / to);
  for (let y = 0; y < to; y++) {
    for (let x = 0; x < to; x++) {
      let sum = 0;
      for (let dy = 0; dy < side; dy++) {
        for (let dx = 0; dx < side; dx++) {
          sum += picture[(y * side + dy) * size + x * side + dx];
        }
      }
      scaled[y * to + x] = sum / (side * side);
    }
  }
  return scaled;
}

// Stands for the call to a store elsewhere: waiting costs memory and time, but no CPU.
async function put(_packed) {
  await sleep(STORE_MS);
}
