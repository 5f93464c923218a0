"""Made-up samples that look like what a model without a data set was trained on: photographs, spoken words, lines of text.

Photographs are scikit-image's, speech is eSpeak NG's: ``pip install scikit-image espeakng-loader``; neither is needed before a
model asks for it. Everything is drawn from a seed. Calibration and test samples are other draws: other crops, voices and
words.
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import matplotlib.font_manager
import matplotlib.image
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy import fft, signal

from benchmarks import datasets

RATE = 16_000
"""Of speech, samples a second."""
PHOTOGRAPHS = (
    "astronaut.png",
    "camera.png",
    "chelsea.png",
    "coffee.png",
    "coins.png",
    "hubble_deep_field.jpg",
    "moon.png",
    "motorcycle_left.png",
    "retina.jpg",
    "rocket.jpg",
)
"""One has a face."""
WORDS = ("down", "go", "left", "no", "off", "on", "right", "stop", "up", "yes", "marvin", "happy")
SENTENCES = (
    "The quick brown fox jumps over the lazy dog while the rain keeps falling on the quiet town.",
    "She sells sea shells by the shore, and nobody in the village knows where she finds them.",
    "Please call me back tomorrow morning, because the meeting was moved to another building.",
    "A large ship sailed slowly past the harbour as the sun went down behind the hills.",
)
VOICES = ("en-us", "en-gb", "en-us+f2", "en-gb+f3", "en-us+m2", "en-gb+m3", "en-us+m5", "en-gb+f4", "de", "fr", "es")
"""The last three are for test samples only."""
TEXT = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

Draw = Callable[[np.random.Generator, int, bool], np.ndarray]
"""So many samples, for calibration or (True) for the test."""
Labelled = tuple[dict[str, np.ndarray], np.ndarray | None]


@dataclass(frozen=True)
class Picture:
    """What a model of photographs takes: pixels, of which `middle` becomes 0 and `middle + unit` 1."""

    height: int
    width: int
    middle: float
    unit: float

    def model_input(self, images: np.ndarray) -> np.ndarray:
        """Of uint8 images ``[N, 3, H, W]``."""
        return ((images.astype(np.float32) - self.middle) / self.unit).astype(np.float32)

    def __call__(self, rng: np.random.Generator, count: int, _: bool) -> np.ndarray:
        """Samples."""
        return self.model_input(photographs(rng, count, self.height, self.width))


def photographs(rng: np.random.Generator, count: int, height: int, width: int) -> np.ndarray:
    """uint8 ``[count, 3, height, width]``: parts of photographs, from a quarter of the largest that fits to all of it."""
    pictures = [_photograph(name) for name in PHOTOGRAPHS]
    result = np.empty((count, 3, height, width), np.uint8)
    for sample in result:
        picture = pictures[rng.integers(len(pictures))]
        most = min(picture.height / height, picture.width / width) * rng.uniform(0.25, 1)
        size = int(width * most), int(height * most)
        left, top = (
            int(rng.integers(whole - part + 1))
            for whole, part in zip((picture.width, picture.height), size, strict=True)
        )
        crop = picture.crop((left, top, left + size[0], top + size[1])).resize((width, height))
        sample[:] = np.asarray(crop).transpose(2, 0, 1)
    return result


def _photograph(name: str) -> Image.Image:
    found = importlib.util.find_spec("skimage")
    if found is None or found.origin is None:
        raise ModuleNotFoundError("photographs are scikit-image's: pip install scikit-image")
    pixels = matplotlib.image.imread(Path(found.origin).parent / "data" / name)
    bytes_ = pixels if pixels.dtype == np.uint8 else (255 * pixels).astype(np.uint8)
    return Image.fromarray(bytes_[..., :3] if bytes_.ndim == 3 else bytes_).convert("RGB")


def text_lines(rng: np.random.Generator, count: int, _: bool) -> tuple[np.ndarray, np.ndarray]:
    """Words and numbers, 48 x 192, noisy; every second one upside down."""
    font = ImageFont.truetype(matplotlib.font_manager.findfont("DejaVu Sans"), 30)
    images, labels = np.empty((count, 3, 48, 192), np.float32), rng.integers(0, 2, count)
    for image, upside_down in zip(images, labels, strict=True):
        dark, light = rng.integers(0, 90), rng.integers(170, 256)
        canvas = Image.new("L", (192, 48), int(light))
        text = "".join(rng.choice(list(TEXT), rng.integers(5, 11)))
        ImageDraw.Draw(canvas).text((rng.integers(2, 10), rng.integers(2, 8)), text, fill=int(dark), font=font)
        pixels = np.asarray(canvas, np.float32)[None] + rng.normal(0, rng.uniform(2, 15), (3, 48, 192))
        image[:] = ((pixels[:, ::-1, ::-1] if upside_down else pixels).clip(0, 255) / 255 - 0.5) / 0.5
    return images, labels


def _speaker() -> Callable[[str, str], np.ndarray]:
    """Text and voice to sound, in [-1, 1]."""
    try:
        loader = importlib.import_module("espeakng_loader")
    except ModuleNotFoundError:
        raise ModuleNotFoundError("speech is eSpeak NG's: pip install espeakng-loader") from None
    library = ctypes.CDLL(loader.get_library_path())
    rate = library.espeak_Initialize(2, 0, str(loader.get_data_path()).encode(), 0)
    parts: list[np.ndarray] = []

    @ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)
    def take(sound: ctypes._Pointer[ctypes.c_short], length: int, _: object) -> int:
        if sound and length > 0:
            parts.append(np.ctypeslib.as_array(sound, (length,)).copy())
        return 0

    library.espeak_SetSynthCallback(take)

    def say(text: str, voice: str, keep: object = take) -> np.ndarray:
        parts.clear()
        library.espeak_SetVoiceByName(voice.encode())
        said = text.encode()
        library.espeak_Synth(said, len(said) + 1, 0, 1, 0, 1, None, None)
        library.espeak_Synchronize()
        common = np.gcd(rate, RATE)
        sound = np.concatenate(parts).astype(np.float64)
        return np.asarray(signal.resample_poly(sound, RATE // common, rate // common) / 32768)

    return say


def _spoken(texts: tuple[str, ...], length: int) -> Draw:
    """``[count, length]``: speech that begins somewhere, with noise."""

    def draw(rng: np.random.Generator, count: int, test: bool) -> np.ndarray:
        say = _speaker()
        voices = VOICES if test else VOICES[:-3]
        known = {(t, v): say(t, v) for t, v in itertools.product(texts, voices)}
        result = np.empty((count, length))
        for sample in result:
            sound = known[texts[rng.integers(len(texts))], voices[rng.integers(len(voices))]]
            sound = np.resize(sound, length) if len(sound) > length else sound
            start = rng.integers(0, length - len(sound) + 1)
            sample[:] = rng.normal(0, 10 ** rng.uniform(-4, -2), length)
            sample[start : start + len(sound)] += sound * rng.uniform(0.3, 1)
        return result.clip(-1, 1)

    return draw


def _power(sound: np.ndarray, window: int, hop: int, size: int) -> np.ndarray:
    """``[count, frames, size / 2 + 1]``."""
    frames = np.lib.stride_tricks.sliding_window_view(sound, window, axis=1)[:, ::hop]
    return np.abs(np.fft.rfft(frames * np.hanning(window), size)) ** 2


def _mel_filters(bands: int, size: int, low: float, high: float) -> np.ndarray:
    """``[size / 2 + 1, bands]``, triangles at equal distances of mel."""
    edges = 700 * (10 ** (np.linspace(*(2595 * np.log10(1 + f / 700) for f in (low, high)), bands + 2) / 2595) - 1)
    frequency = np.arange(size // 2 + 1)[:, None] * RATE / size
    before, middle, after = edges[:-2], edges[1:-1], edges[2:]
    return np.clip(
        np.minimum((frequency - before) / (middle - before), (after - frequency) / (after - middle)), 0, None
    )


def _keywords(rng: np.random.Generator, count: int, test: bool) -> np.ndarray:
    """10 cepstral coefficients of 49 frames of 30 ms."""
    sound = _spoken(WORDS, RATE)(rng, count, test)
    mel = np.sqrt(_power(sound, 480, 320, 512)) @ _mel_filters(40, 512, 20, 4000)
    cepstrum = fft.dct(np.log(mel + 1e-6), axis=-1, norm="ortho")[..., :10]
    return np.asarray(cepstrum[:, :49, :, None] * 2)


def _speech_quality(rng: np.random.Generator, count: int, test: bool) -> np.ndarray:
    """9 s of speech, 120 mel bands in dB below the loudest, from -1 to 1."""
    sound = _spoken(SENTENCES, 900 * 160 + 320)(rng, count, test)
    filters = _mel_filters(120, 512, 0, 8000)
    mel = np.concatenate([_power(row[None], 320, 160, 512)[:, :900] @ filters for row in sound])
    level = 10 * np.log10(np.maximum(mel, 1e-10))
    return np.asarray((np.maximum(level - level.max((1, 2), keepdims=True), -80) + 40) / 40)


def _machines(rng: np.random.Generator, count: int, _: bool) -> np.ndarray:
    """A humming machine: 5 frames of 128 mel bands, log power."""
    time = np.arange(RATE // 4) / RATE
    sound = rng.normal(0, 1e-2, (count, len(time)))
    for row in sound:
        base = rng.uniform(60, 300)
        for harmonic in range(1, 20):
            row += rng.uniform(0, 0.1) / harmonic * np.sin(2 * np.pi * (base * harmonic * time + rng.uniform()))
    mel = _power(sound, 1024, 512, 1024)[:, :5] @ _mel_filters(128, 1024, 0, 8000)
    return np.asarray(10 * np.log10(mel + 1e-12).reshape(count, -1))


def _movement(rng: np.random.Generator, count: int, _: bool) -> np.ndarray:
    """Nine channels of a sensor that is carried: steps of walking on gravity, with noise; or standing still."""
    time = np.arange(128) / 50
    result = rng.normal(0, 0.05, (count, 9, 128))
    for sample in result:
        walking, pace = rng.integers(0, 2), rng.uniform(1.2, 2.5)
        direction = rng.normal(size=3)
        sample[6:] += (direction / np.linalg.norm(direction))[:, None]
        for channel in sample:
            for harmonic in (1, 2, 3):
                size = walking * rng.uniform(0, 0.5) / harmonic
                channel += size * np.sin(2 * np.pi * (pace * harmonic * time + rng.uniform()))
    return result


def _embedding(rng: np.random.Generator, count: int, _: bool) -> np.ndarray:
    """16 vectors of 96 that change slowly."""
    return np.asarray(signal.lfilter([1], [1, -0.9], rng.normal(0, 3, (count, 16, 96)), axis=1))


def _noise(rng: np.random.Generator, count: int, _: bool) -> np.ndarray:
    """A position from 0 to 1 and four numbers from -0.8 to 0.8."""
    return np.concatenate([rng.uniform(0, 1, (count, 1)), rng.uniform(-0.8, 0.8, (count, 4))], axis=1)


PICTURES = {
    "mtcnn_pnet": Picture(48, 48, 127.5, 128),
    "mtcnn_rnet": Picture(24, 24, 127.5, 128),
    "qonnx_espcn_subpixel_float": Picture(4, 4, 0, 255),
    "ultraface_rfb320": Picture(240, 320, 127, 128),
    "vnn23_tinyyolo": Picture(52, 52, 0, 255),
}
"""By model."""
MAKERS: Mapping[str, Callable[..., np.ndarray | tuple[np.ndarray, np.ndarray]]] = {
    **PICTURES,
    "dnsmos_model_v8": _speech_quality,
    "emclab_HAR-CNN": _movement,
    "oww_alexa": _embedding,
    "ppocr_mobile_v2_cls": text_lines,
    "tiny_ad01_fp32": _machines,
    "tiny_kws_ref_model_float32": _keywords,
    "vnn23_cgan_32_1": _noise,
}
"""By model: how samples are drawn."""
MOST_TEST = {"dnsmos_model_v8": 24, "ppocr_mobile_v2_cls": 250, "ultraface_rfb320": 16, "vnn23_tinyyolo": 100}
"""Test samples of large models, and of the one that has labels."""
USUAL_TEST = 200
GENERATOR = "vnn23_dist_shift_mnist_generator"
"""It takes digits, and noise."""
NAMES = frozenset({*MAKERS, GENERATOR})
"""Models that samples can be made up for."""


def made_up(name: str, inputs: list[str], calibration: int, test: int) -> tuple[Labelled, Labelled]:
    """Samples for calibration and for the test: arrays by input, and labels where the maker knows them.

    Raises:
        KeyError: no maker for this model.
        ModuleNotFoundError: a package that a maker needs is not installed.
    """
    if name == GENERATOR:
        return _digits_with_noise(inputs, calibration, test)
    result = []
    for seed, count in enumerate((calibration, min(test, MOST_TEST.get(name, USUAL_TEST)))):
        drawn = MAKERS[name](np.random.default_rng(seed), count, bool(seed))
        x, y = drawn if isinstance(drawn, tuple) else (drawn, None)
        result.append(({inputs[0]: x.astype(np.float32)}, y))
    return result[0], result[1]


def _digits_with_noise(inputs: list[str], calibration: int, test: int) -> tuple[Labelled, Labelled]:
    data, rng = datasets.load("mnist"), np.random.default_rng(0)
    images = data.x_train[:calibration], data.x_test[: min(test, USUAL_TEST)]
    feeds = [
        {
            inputs[0]: (x / 255).astype(np.float32),
            inputs[1]: rng.uniform(-1, 1, (len(x), 8)).astype(np.float32),
        }
        for x in images
    ]
    return (feeds[0], None), (feeds[1], None)
