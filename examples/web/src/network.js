/** A spiking network that runs one time step at a time, and what its layers send in each. */

import * as ort from "./ort/ort.wasm.bundle.min.mjs";
import { Stream, tensor } from "./stream.js";

const here = (path) => new URL(path, import.meta.url);

ort.env.wasm.numThreads = 1; // so that the page needs no cross-origin isolation
ort.env.wasm.wasmPaths = { wasm: here("ort/ort-wasm-simd-threaded.wasm").href };

async function read(path) {
  const answer = await fetch(here(path));
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${answer.statusText}`);
  return answer;
}

export const readJson = async (path) => (await read(path)).json();

/** A field of a protobuf message that is itself a message or a text. */
function field(number, bytes) {
  const length = [];
  for (let rest = bytes.length; ; rest >>>= 7) {
    length.push(rest > 127 ? (rest & 127) | 128 : rest);
    if (rest <= 127) break;
  }
  return [(number << 3) | 2, ...length, ...bytes];
}

/**
 * The model with further outputs. In protobuf, messages written one after the other are merged: what stands behind the file
 * is a ModelProto whose graph (7) has just these outputs (12), of which each has a name (1).
 */
export function withOutputs(model, names) {
  const outputs = names.flatMap((name) => field(12, field(1, [...new TextEncoder().encode(name)])));
  const more = names.length ? field(7, outputs) : [];
  const whole = new Uint8Array(model.length + more.length);
  whole.set(model);
  whole.set(more, model.length);
  return whole;
}

export class Network {
  /**
   * about: an entry of network.json, written by build.py. Its layers have a state whose changes are the spikes (delta code),
   * or an output that is 0 where there is none (rate code).
   */
  static async load(about) {
    const [file, info] = await Promise.all([read(about.model), readJson(about.info)]);
    const model = new Uint8Array(await file.arrayBuffer());
    const recorded = about.layers.filter((layer) => layer.output).map((layer) => layer.output);
    const session = await ort.InferenceSession.create(withOutputs(model, recorded), { executionProviders: ["wasm"] });
    return new Network(about, new Stream(session, info));
  }

  constructor(about, stream) {
    this.about = about;
    this.stream = stream;
    this.steps = 0;
  }

  /** Back to rest. */
  reset() {
    this.stream.reset();
    this.steps = 0;
  }

  /** A time step with this image, 784 numbers from 0 to 1: the scores, and by layer the neurons that spike and their spikes. */
  async step(pixels) {
    const before = this.stream.feed;
    this.stream.feed = { ...before };
    const outputs = await this.stream.run({ [this.about.input]: tensor("float32", pixels, [1, 1, 28, 28]) }, 1);
    this.steps += 1;
    const spikes = this.about.layers.map((layer) => {
      if (layer.output) return sent(outputs[layer.output].data, [0]);
      const { input, output } = this.stream.states.find((state) => state.input === layer.state);
      return sent(outputs[output].data, before[input].data);
    });
    return { scores: Array.from(outputs[this.about.scores].data), spikes };
  }

  /** What the layer has sent so far, for layers of the delta code; null for others. */
  sum(index) {
    const { state } = this.about.layers[index];
    return state ? this.stream.feed[state].data : null;
  }
}

/** Where two arrays differ, and by how much; the earlier one may have a single number for all. */
function sent(now, earlier) {
  const neurons = [];
  const sizes = [];
  const constant = earlier.length === 1;
  for (let i = 0; i < now.length; i++) {
    const change = now[i] - earlier[constant ? 0 : i];
    if (change !== 0) {
      neurons.push(i);
      sizes.push(change);
    }
  }
  return { neurons, sizes };
}
