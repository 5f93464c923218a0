/** The page: drawing, time, answer and raster around a network. */

import { Network, readJson } from "./network.js";
import { Pad, ink } from "./pad.js";
import { Raster } from "./raster.js";

const $ = (id) => document.getElementById(id);
const whole = (number) => Math.round(number).toLocaleString("en");

const page = {
  network: null,
  loaded: new Map(),
  pixels: new Float32Array(784),
  isChanged: false, // the image, after the last step
  isOther: false, // it is the beginning of another one: spikes are counted from here on
  isBusy: false,
  isPlaying: true,
  spikes: 0,
  additions: 0,
  changes: 0,
};

const raster = new Raster($("layers"), $("oldest"));
const pad = new Pad($("pad"), (pixels, isOther) => {
  page.pixels = pixels;
  page.isChanged = true;
  page.isOther ||= isOther;
  paint($("seen"), pixels);
});

function paint(canvas, values) {
  canvas.getContext("2d").putImageData(ink(values), 0, 0);
}

function choice(name, about, isFirst) {
  const label = document.createElement("label");
  const input = Object.assign(document.createElement("input"), { type: "radio", name: "network", value: name, checked: isFirst });
  input.addEventListener("change", () => take(name, about).catch(fail));
  label.append(input, about.title);
  return label;
}

/** The network with this name takes over, at rest. */
async function take(name, about) {
  if (!page.loaded.has(name)) page.loaded.set(name, Network.load(about));
  const network = await page.loaded.get(name);
  if (document.querySelector("[name=network]:checked").value !== name) return; // another was chosen in the meantime
  page.network = network;
  $("note").textContent = about.note;
  $("arrived-figure").hidden = $("down").hidden = network.sum(0) === null;
  rest();
}

function rest() {
  page.network.reset();
  page.isChanged = page.isOther = true;
  raster.begin(page.network.about.layers);
  paint($("arrived"), new Float32Array(784));
  showAnswer(null);
  page.spikes = page.additions = page.changes = 0;
  count(0);
}

function count(now) {
  $("steps").textContent = whole(page.network.steps);
  $("now").textContent = whole(now);
  $("spikes").textContent = whole(page.spikes);
  $("additions").textContent = whole(page.additions);
  $("multiply-adds").textContent = whole(page.changes * page.network.about.multiplyAdds);
}

async function step() {
  if (page.isBusy || !page.network) return;
  page.isBusy = true;
  const { network, pixels, isChanged, isOther } = page;
  page.isChanged = page.isOther = false;
  try {
    const { scores, spikes } = await network.step(pixels);
    if (network !== page.network) return;
    if (isOther) page.spikes = page.additions = page.changes = 0;
    if (isChanged) page.changes += 1;
    let now = 0;
    spikes.forEach(({ neurons }, i) => {
      const { fanOut } = network.about.layers[i];
      for (const neuron of neurons) page.additions += fanOut[fanOut.length === 1 ? 0 : neuron];
      now += neurons.length;
    });
    page.spikes += now;
    raster.add(spikes, isChanged);
    count(now);
    const sum = network.sum(0);
    if (sum) paint($("arrived"), sum);
    showAnswer(pixels.some((value) => value > 0) ? scores : null);
  } finally {
    page.isBusy = false;
  }
}

/** The class with the highest score, and the scores as shares (Softmax); null: there is nothing to read. */
function showAnswer(scores) {
  const highest = scores ? Math.max(...scores) : 0;
  const shares = scores ? scores.map((score) => Math.exp(score - highest)) : Array(10).fill(0);
  const sum = shares.reduce((a, b) => a + b, 0) || 1;
  const answer = scores ? String(scores.indexOf(highest)) : "–";
  if ($("answer").textContent !== answer) $("answer").textContent = answer;
  [...$("scores").children].forEach((row, digit) => {
    row.classList.toggle("best", String(digit) === answer);
    const bar = row.querySelector(".bar");
    bar.firstChild.style.width = `${(100 * shares[digit]) / sum}%`;
    bar.setAttribute("aria-valuenow", (shares[digit] / sum).toFixed(2));
    row.querySelector(".share").textContent = scores ? `${Math.round((100 * shares[digit]) / sum)} %` : "";
  });
}

function play(isPlaying) {
  page.isPlaying = isPlaying;
  $("play").textContent = isPlaying ? "Pause" : "Play";
}

async function run() {
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, 1000 / Number($("speed").value)));
    if (page.isPlaying && !document.hidden) await step();
  }
}

function fail(error) {
  $("message").hidden = false;
  $("message").className = "error";
  $("message").textContent = `The page cannot go on: ${error.message ?? error}`;
  console.error(error);
}

function digitButtons({ labels, pixels }) {
  const bytes = Uint8Array.from(atob(pixels), (letter) => letter.charCodeAt(0));
  return labels.map((label, i) => {
    const values = Float32Array.from(bytes.subarray(784 * i, 784 * (i + 1)), (byte) => byte / 255);
    const button = Object.assign(document.createElement("button"), { type: "button" });
    const canvas = Object.assign(document.createElement("canvas"), { width: 28, height: 28 });
    button.setAttribute("aria-label", `test image of a ${label}`);
    paint(canvas, values);
    button.append(canvas);
    button.addEventListener("click", () => pad.show(values));
    return button;
  });
}

async function main() {
  const [{ networks }, digits] = await Promise.all([readJson("network.json"), readJson("digits.json")]);
  $("digits").append(...digitButtons(digits));
  for (let digit = 0; digit < 10; digit++) {
    const row = document.createElement("li");
    const name = Object.assign(document.createElement("span"), { textContent: digit });
    const bar = Object.assign(document.createElement("span"), { className: "bar" });
    for (const [key, value] of Object.entries({ role: "meter", "aria-label": `share of ${digit}`, "aria-valuemax": 1 })) {
      bar.setAttribute(key, value);
    }
    bar.append(document.createElement("span"));
    const share = Object.assign(document.createElement("span"), { className: "share" });
    row.append(name, bar, share);
    $("scores").append(row);
  }
  const entries = Object.entries(networks);
  $("networks").append(...entries.map(([name, about], i) => choice(name, about, i === 0)));
  $("clear").addEventListener("click", () => pad.clear());
  $("step").addEventListener("click", () => {
    play(false);
    step().catch(fail);
  });
  $("reset").addEventListener("click", rest);
  $("play").addEventListener("click", () => play(!page.isPlaying));
  const showSpeed = () => ($("speed-value").textContent = $("speed").value);
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) $("speed").value = 1;
  showSpeed();
  $("speed").addEventListener("input", showSpeed);
  play(page.isPlaying);
  $("main").hidden = false;
  await take(...entries[0]);
  $("message").hidden = true;
  await run();
}

main().catch(fail);
