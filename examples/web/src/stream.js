import * as ort from "./ort/ort.wasm.bundle.min.mjs";

export function tensor(type, data, shape) {
  if (type === "int64") return new ort.Tensor(type, BigInt64Array.from(data, BigInt), shape);
  return new ort.Tensor(type, Float32Array.from(data), shape);
}

/** A run of a model that goes on from call to call. */
export class Stream {
  /** info: what `onnx-snn inspect MODEL --json FILE` wrote, parsed. */
  constructor(session, info) {
    this.session = session;
    this.states = JSON.parse(info.states ?? "[]");
    this.defaults = {};
    for (const [name, { type, shape, data }] of Object.entries(JSON.parse(info.defaults))) {
      this.defaults[name] = tensor(type, data, shape);
    }
    this.reset();
  }

  /** Back to rest. */
  reset() {
    this.feed = { ...this.defaults };
  }

  /** Advances by nSteps steps, with these inputs in all of them. A file without --streaming begins at rest in every call. */
  async run(inputs, nSteps) {
    const outputs = await this.session.run({ ...this.feed, ...inputs, n_steps: tensor("int64", [nSteps], []) });
    for (const { input, output } of this.states) this.feed[input] = outputs[output];
    return outputs;
  }
}
