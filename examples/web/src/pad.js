/** Drawing with a pointer, and the drawing as the network knows digits: 20 of 28 pixels high or wide, their mass in the middle. */

const SIZE = 28;
const INK = "#111827";
const WIDTH = 22;
const BOX = 20;
const LARGEST = 0.25; // pixels of the image for one of the pad: a dot stays a dot
const FINE = 4; // samples along each side of a pixel

export class Pad {
  /** changed: called with 784 numbers from 0 to 1 at every change, and whether they are the beginning of another picture. */
  constructor(canvas, changed) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d", { willReadFrequently: true });
    this.changed = changed;
    this.last = null;
    this.isClear = true;
    canvas.addEventListener("pointerdown", (event) => this.begin(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => (this.last = null));
  }

  clear() {
    this.context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    this.isClear = true;
    this.changed(new Float32Array(SIZE * SIZE), true);
  }

  /** A picture of 784 numbers from 0 to 1, which goes to the network as it is. */
  show(pixels) {
    const small = new OffscreenCanvas(SIZE, SIZE);
    small.getContext("2d").putImageData(ink(pixels), 0, 0);
    this.context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    this.context.drawImage(small, 0, 0, this.canvas.width, this.canvas.height);
    this.isClear = false;
    this.changed(pixels, true);
  }

  begin(event) {
    event.preventDefault();
    this.canvas.setPointerCapture(event.pointerId);
    this.last = this.at(event);
    this.line(this.last);
  }

  move(event) {
    if (!this.last) return;
    const events = event.getCoalescedEvents?.() ?? [];
    for (const each of events.length ? events : [event]) this.line(this.at(each));
  }

  at(event) {
    const box = this.canvas.getBoundingClientRect();
    const scale = this.canvas.width / box.width;
    return { x: (event.clientX - box.left) * scale, y: (event.clientY - box.top) * scale };
  }

  line(to) {
    const { context } = this;
    context.strokeStyle = INK;
    context.lineWidth = WIDTH;
    context.lineCap = "round";
    context.lineJoin = "round";
    context.beginPath();
    context.moveTo(this.last.x, this.last.y);
    context.lineTo(to.x, to.y);
    context.stroke();
    this.last = to;
    const { data } = context.getImageData(0, 0, this.canvas.width, this.canvas.height);
    this.changed(normalised(data, this.canvas.width, this.canvas.height), this.isClear);
    this.isClear = false;
  }
}

/** Numbers from 0 to 1 as ink on a clear ground. */
export function ink(pixels) {
  const image = new ImageData(SIZE, SIZE);
  pixels.forEach((value, i) => {
    image.data.set([17, 24, 39, Math.round(255 * Math.min(1, Math.max(0, value)))], 4 * i);
  });
  return image;
}

/** The ink of RGBA data, scaled so that it fits a box of 20 pixels and moved so that its centre of mass is in the middle. */
export function normalised(data, width, height) {
  let [left, right, top, bottom, mass, sumX, sumY] = [width, 0, height, 0, 0, 0, 0];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const alpha = data[4 * (y * width + x) + 3];
      if (!alpha) continue;
      [left, right, top, bottom] = [Math.min(left, x), Math.max(right, x), Math.min(top, y), Math.max(bottom, y)];
      mass += alpha;
      sumX += alpha * (x + 0.5);
      sumY += alpha * (y + 0.5);
    }
  }
  const pixels = new Float32Array(SIZE * SIZE);
  if (!mass) return pixels;
  const scale = Math.min(LARGEST, BOX / Math.max(right - left + 1, bottom - top + 1));
  const source = (at, centre) => Math.floor((at - SIZE / 2) / scale + centre);
  for (let i = 0; i < SIZE * FINE; i++) {
    const y = source((i + 0.5) / FINE, sumY / mass);
    if (y < 0 || y >= height) continue;
    for (let j = 0; j < SIZE * FINE; j++) {
      const x = source((j + 0.5) / FINE, sumX / mass);
      if (x < 0 || x >= width) continue;
      pixels[Math.floor(i / FINE) * SIZE + Math.floor(j / FINE)] += data[4 * (y * width + x) + 3] / 255 / FINE ** 2;
    }
  }
  return pixels;
}
