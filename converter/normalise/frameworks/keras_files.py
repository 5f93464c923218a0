"""What a Keras file says, read without Keras: whether loading it can run code of its author, and which Keras wrote it."""

from __future__ import annotations

import builtins
import importlib
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PROGRAMS = frozenset(
    "lambda __lambda__ tfoplambda slicingoplambda tfsmlayer torchmodulewrapper jaxlayer flaxlayer __method__ __class_method__ "
    "classmethod instancemethod".split()
)
"""Classes that hold code, or call what a file names; in small letters."""
_ROOMS = "activations|constraints|dtype_policies|engine|initializers|layers|losses|metrics|mixed_precision|models|"
_ROOMS += "ops|optimizers|regularizers"
_KERAS_MODULE = re.compile(rf"(tf_)?keras(\.api)?(\._v2)?(\.keras)?(\.src)?(\.({_ROOMS})(\.\w+)*)?")
"""Modules of Keras whose classes only compute."""
_MOST_BYTES = 1 << 28
"""Of a description of a model."""


def code_in_keras_file(path: Path) -> str:
    """Why loading the file can run code of its author, in words; empty: it holds none.

    A file may be an archive and HDF5 at once: all that Keras could read from it is read.
    """
    try:
        descriptions: list[str | bytes] = [*_in_archive(path), *_in_hdf5(path)]
        for description in descriptions:
            for held in _objects(json.loads(description)):
                reason = _code_in(held)
                if reason:
                    return reason
    except Exception as error:  # whatever the libraries say of a damaged file, or a hostile one
        return f"its description cannot be read ({type(error).__name__}), so it may hold code"
    return ""


def keras_that_wrote(path: Path) -> str:
    """The version of the Keras that wrote a file, such as "3.5.0"; empty where it says none."""
    try:
        said = ""
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                if archive.getinfo("metadata.json").file_size <= _MOST_BYTES:
                    said = json.loads(archive.read("metadata.json"))["keras_version"]
        else:
            with importlib.import_module("h5py").File(path, "r") as file:
                said = file.attrs["keras_version"]
        text = said if isinstance(said, str) else bytes(said).decode()
    except Exception:  # whatever the libraries say of a damaged file, or a hostile one, and where there is no h5py
        return ""
    return text if re.fullmatch(r"\d+(\.\w{1,9}){1,4}", text) else ""


def _code_in(held: dict[str, Any]) -> str:
    """The same for one object of a description."""
    for key in ("class_name", "registered_name"):
        name = held.get(key)
        if isinstance(name, str) and name.rpartition(">")[2].lower() in PROGRAMS:
            return f"it has a layer of the class {name!r:.80}, which is code of its author"
    module = held.get("module")
    if module == "builtins" and held.get("class_name") == "function" and held.get("config") not in vars(builtins):
        return ""  # how Keras writes the name of a function of its own
    if isinstance(module, str) and module and not _KERAS_MODULE.fullmatch(module):
        return f"it names the module {module!r:.80}, which Keras would import"
    return ""


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    """All objects in JSON, at any depth."""
    waiting = [value]
    while waiting:
        held = waiting.pop()
        if isinstance(held, dict):
            yield held
            waiting.extend(held.values())
        elif isinstance(held, list):
            waiting.extend(held)


def _in_archive(path: Path) -> list[bytes]:
    if not zipfile.is_zipfile(path):
        return []
    with zipfile.ZipFile(path) as archive:
        members = [member for member in archive.infolist() if member.filename.endswith(".json")]
        if any(member.file_size > _MOST_BYTES for member in members):
            raise ValueError("too large")
        return [archive.read(member) for member in members]


def _in_hdf5(path: Path) -> list[str]:
    h5py = importlib.import_module("h5py")
    if not h5py.is_hdf5(path):
        return []
    with h5py.File(path, "r") as file:
        _refuse_other_files(file, h5py)
        texts = [file.attrs[name] for name in ("model_config", "training_config") if name in file.attrs]
        return [text if isinstance(text, str) else bytes(text).decode() for text in texts]


def _refuse_other_files(file: Any, h5py: Any) -> None:
    """HDF5 can take weights from other files."""
    waiting = [file]
    while waiting:
        group = waiting.pop()
        for name in group:
            if isinstance(group.get(name, getlink=True), h5py.ExternalLink | h5py.SoftLink):
                raise ValueError("a link")
            held = group[name]
            if isinstance(held, h5py.Group):
                waiting.append(held)
            elif held.external or held.is_virtual:
                raise ValueError("data in another file")
