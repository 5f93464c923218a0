"""The JavaScript of docs/other-languages.md in onnxruntime-web, under Node: a stream with the values of Python."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import snn_ops
from converter.conversion.main import convert
from tests.models import mlp, samples, save
from tests.snn_ops.test_explicit_inputs import CASES, PAGE

MODULES = Path(__file__).parents[2] / "examples" / "web" / "node_modules"
HARNESS = """
const fs = require("fs"), path = require("path");
ort.env.wasm.numThreads = 1;
ort.env.wasm.wasmPaths = path.join(path.dirname(require.resolve("onnxruntime-web")), path.sep);
(async () => {
  const { model, info, chunks } = JSON.parse(fs.readFileSync(0));
  const session = await ort.InferenceSession.create(fs.readFileSync(model), { executionProviders: ["wasm"] });
  const stream = new Stream(session, JSON.parse(fs.readFileSync(info)));
  const answers = [];
  for (const { x, shape, steps } of chunks) {
    const { y } = await stream.run({ x: tensor("float32", x, shape) }, steps);
    answers.push(Array.from(y.data));
  }
  stream.reset();
  const { x, shape, steps } = chunks[0];
  answers.push(Array.from((await stream.run({ x: tensor("float32", x, shape) }, steps)).y.data));
  console.log(JSON.stringify(answers));
})().catch((error) => { console.error(String(error)); process.exit(1); });
"""


@pytest.mark.parametrize("name", ["delta stream", "lif stream", "window"])
def test_the_page_in_javascript(name, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    conversion = convert(save(mlp(), "m.onnx"), samples(mlp()), explicit_inputs=True, **CASES[name])
    conversion.save("m.snn.onnx")
    command = [sys.executable, "-m", "converter.cli", "inspect", "m.snn.onnx", "--json", "m.json"]
    subprocess.run(command, check=True, capture_output=True)
    chunks = [(samples(mlp(), 3, seed), steps) for seed, steps in ((1, 4), (2, 1), (3, 6))]
    (code,) = re.findall(r"```javascript\n(.*?)```", PAGE.read_text(), re.DOTALL)
    job = {
        "model": "m.snn.onnx",
        "info": "m.json",
        "chunks": [{"x": x.reshape(-1).tolist(), "shape": list(x.shape), "steps": steps} for x, steps in chunks],
    }
    done = subprocess.run(
        ["node", "-e", code + HARNESS],
        input=json.dumps(job),
        capture_output=True,
        text=True,
        env={**os.environ, "NODE_PATH": str(MODULES)},
    )
    assert done.returncode == 0, done.stderr
    session = snn_ops.Session("m.snn.onnx", backend="functions")
    stream = session.stream()
    expected = [stream.run(x, steps)[0] for x, steps in chunks]
    expected.append(session.stream().run(*chunks[0])[0])
    for found, wanted in zip(json.loads(done.stdout), expected, strict=True):
        np.testing.assert_allclose(np.reshape(found, wanted.shape), wanted, rtol=1e-5, atol=1e-5)
