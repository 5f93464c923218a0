"""From pictures and sound as they are stored to what a model takes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from fractions import Fraction
from typing import Any

import numpy as np

from converter.errors import RefusedError

LAYOUTS = ("NCHW", "NHWC", "NHW", "N")
"""Axes of a batch of pictures: channels first, channels last, grey without an axis for channels, all pixels in one row."""
_CHANNELS = (1, 3, 4)
"""Channels that a picture has: grey, red green blue, and these with transparency."""
_MOST_PIXELS = 2**28
"""Of one picture."""


@dataclass(frozen=True)
class Preprocessing:
    """How a picture of bytes becomes a sample: ``(scale * pixel - mean) / std``, per channel.

    Attributes:
        size: height and width that pictures are brought to, bilinear; None: they keep theirs.
        scale: factor of the pixels 0..255; default 1/255.
        mean, std: one number, or one for each channel, after the factor.
        layout: one of `LAYOUTS`; None: that of the model's input.
        rate: samples a second that sound files have to have; None: any.
    """

    size: tuple[int, int] | None = None
    scale: float = 1 / 255
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    layout: str | None = None
    rate: int | None = None

    @classmethod
    def parse(cls, texts: Sequence[str]) -> Preprocessing | None:
        """["size=224x224 mean=0.485,0.456,0.406", "scale=1/255"] -> the same as an object; None where nothing is said.

        Raises:
            RefusedError: an unknown key, or no value for it.
        """
        words = [word for text in texts for word in re.split(r"[\s;]+", text) if word]
        if not words:
            return None
        values: dict[str, Any] = {}
        for word in words:
            key, _, value = word.partition("=")
            values[key] = _parsed(key, value)
        return cls._checked(values, "--preprocess")

    @classmethod
    def read(cls, stored: Mapping[str, Any]) -> Preprocessing | None:
        """From the field `preprocess` of a file's metadata; None where it is empty.

        Raises:
            RefusedError: it is damaged.
        """
        known = {field.name for field in fields(cls)}
        given = {key: tuple(value) if isinstance(value, list) else value for key, value in stored.items()}
        return (
            cls._checked({key: value for key, value in given.items() if key in known}, "metadata") if stored else None
        )

    def stored(self) -> dict[str, Any]:
        """For the field `preprocess` of a file's metadata."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: list(v) if isinstance(v, tuple) else v for name, v in values.items() if v is not None}

    @classmethod
    def _checked(cls, values: Mapping[str, Any], where: str) -> Preprocessing:
        try:
            made = cls(**values)
            sizes = made.size is None or (
                len(made.size) == 2 and all(type(n) is int and 0 < n < 2**15 for n in made.size)
            )
            numbers = np.asarray([made.scale, *made.mean, *made.std], np.float64)
            fits = sizes and made.layout in (None, *LAYOUTS) and np.isfinite(numbers).all() and all(made.std)
            if not fits or not (made.rate is None or (type(made.rate) is int and made.rate > 0)):
                raise ValueError
        except (TypeError, ValueError):
            raise RefusedError(
                f"{where}: {dict(values)} is no preprocessing; size=HEIGHTxWIDTH, mean and std of finite numbers, std not 0, "
                f"scale, rate, layout one of {', '.join(LAYOUTS)}"
            ) from None
        return made

    def apply(self, images: np.ndarray, shape: Sequence[int | str | None]) -> np.ndarray:
        """Pictures of bytes as a model takes them.

        Args:
            images: ``[samples, height, width, channels]``, uint8.
            shape: of the model's input.

        Returns:
            float32, in the layout.

        Raises:
            ValueError: they have another number of channels than `mean` or `std`.
        """
        channels = images.shape[3]
        for name, numbers in (("mean", self.mean), ("std", self.std)):
            if len(numbers) not in (1, channels):
                raise ValueError(f"{name} has {len(numbers)} numbers, the pictures have {channels} channels")
        mean, std = (np.asarray(numbers, np.float32) for numbers in (self.mean, self.std))
        result = (images.astype(np.float32) * np.float32(self.scale) - mean) / std
        layout = self.layout or layout_of(shape)
        if layout == "NCHW":
            return np.ascontiguousarray(result.transpose(0, 3, 1, 2))
        if layout == "NHW" and channels == 1:
            return result[..., 0]
        return result.reshape(len(result), -1) if layout == "N" else result


def layout_of(shape: Sequence[int | str | None]) -> str:
    """The layout that a model's input has, by its shape."""
    if len(shape) == 4:
        return "NHWC" if shape[3] in _CHANNELS and shape[1] not in _CHANNELS else "NCHW"
    return {3: "NHW", 2: "N"}.get(len(shape), "NCHW")


def channels_of(shape: Sequence[int | str | None]) -> int:
    """How many channels a picture for this input has: 1 or 3."""
    axis = {"NCHW": 1, "NHWC": 3}.get(layout_of(shape))
    if axis is None or axis >= len(shape):
        return 1 if axis is None and not (len(shape) == 2 and _is_thrice_a_square(shape[1])) else 3
    return 1 if shape[axis] == 1 else 3


def pictures(array: np.ndarray) -> np.ndarray | None:
    """An array of bytes as pictures ``[samples, height, width, channels]``; None where it holds none."""
    if array.dtype != np.uint8 or array.ndim not in (3, 4):
        return None
    if array.ndim == 3:
        return array[..., None]
    if array.shape[3] in _CHANNELS:
        return array
    return array.transpose(0, 2, 3, 1) if array.shape[1] in _CHANNELS else None


def decoded(file: Any, channels: int, size: tuple[int, int] | None) -> np.ndarray:
    """A picture's pixels, ``[height, width, channels]``, uint8.

    Args:
        file: its path, or what it is read from.
        channels: 1, grey, or 3.
        size: height and width that it is brought to.

    Raises:
        ValueError: it is no picture, or too large.
        OSError: it cannot be read.
    """
    try:
        from PIL import Image  # noqa: PLC0415 # a run on arrays does without
    except ModuleNotFoundError:
        raise RefusedError("pictures need Pillow: pip install pillow") from None
    try:
        with Image.open(file) as image:
            if image.width * image.height > _MOST_PIXELS:
                raise ValueError(f"a picture of {image.width} x {image.height} pixels is too large")
            plain = image.convert("L" if channels == 1 else "RGB")
    except (ValueError, FileNotFoundError, PermissionError):
        raise
    except Exception as error:  # whatever Pillow's readers raise on a damaged file
        raise ValueError("it is no picture that can be read, or it is damaged") from error
    return resized(np.asarray(plain).reshape(plain.height, plain.width, channels), size)


def resized(image: np.ndarray, size: tuple[int, int] | None) -> np.ndarray:
    """A picture ``[height, width, channels]`` of another size, bilinear; the same where it has that."""
    if size is None or image.shape[:2] == size:
        return image
    from PIL import Image  # noqa: PLC0415

    layers = [Image.fromarray(image[..., c]) for c in range(image.shape[2])]
    scaled = [np.asarray(layer.resize((size[1], size[0]), Image.Resampling.BILINEAR)) for layer in layers]
    return np.stack(scaled, axis=-1)


def _parsed(key: str, value: str) -> Any:
    try:
        if key == "size":
            height, cross, width = value.partition("x")
            return (int(height), int(width if cross else height))
        if key in ("mean", "std"):
            return tuple(_number(text) for text in value.split(","))
        if key == "scale":
            return _number(value)
        if key == "rate":
            return int(value)
        if key == "layout":
            return value.upper()
    except (ValueError, ZeroDivisionError):
        raise RefusedError(
            f"--preprocess: {key}={value} is no such value; e.g. size=224x224, mean=0.485,0.456,0.406, scale=1/255"
        ) from None
    raise RefusedError(f"--preprocess knows no {key!r}; there are size, scale, mean, std, layout, rate")


def _number(text: str) -> float:
    return float(Fraction(text))


def _is_thrice_a_square(length: int | str | None) -> bool:
    return isinstance(length, int) and length % 3 == 0 and round((length // 3) ** 0.5) ** 2 == length // 3
