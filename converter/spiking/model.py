"""A spiking model in a file, read back."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
import onnx_ir as ir

from converter.errors import RefusedError
from converter.graph.run import RUNTIME_ERRORS, brief
from converter.io.onnx_files import holds_operators, read_proto, write_model
from converter.io.samples import InputSpec
from snn_ops.explicit_inputs import has_explicit_inputs, with_defaults, with_explicit_inputs
from snn_ops.format import DOMAIN, Metadata
from snn_ops.library import LibraryNotFoundError, existing
from snn_ops.ops import OPERATORS
from snn_ops.session import Session


@dataclass(frozen=True)
class StreamAnswer:
    """What a stream of a file answers (docs/format.md, "Readouts").

    Attributes:
        for_present_input: it follows an input that changes; else it is the mean over everything since the stream began.
        readout: of the rate code, one of `snn_ops.format.READOUTS`; None with the delta code, whose answer is no mean.
        readout_steps: how many steps the readout looks back; None where it does not forget.
    """

    for_present_input: bool
    readout: str | None
    readout_steps: int | None

    @classmethod
    def of(cls, metadata: Metadata) -> StreamAnswer | None:
        """That of a file; None where it was not made for streams.

        Raises:
            FormatError: a key that tells it is damaged.
        """
        if not metadata.states:
            return None
        if metadata.code == "delta":
            return cls(True, None, None)
        forgets = metadata.readout != "mean"
        return cls(forgets, metadata.readout, metadata.readout_steps if forgets else None)

    def __str__(self) -> str:
        if self.readout is None:
            return "for the present input: its values at the last step"
        if not self.for_present_input:
            return "for everything since it began: the mean over all steps"
        means = {"window": "the mean of the last {} steps", "leaky": "a leaky mean, time constant {} steps"}
        return f"for the present input: {means[self.readout].format(self.readout_steps)}"


class SpikingModel:
    """A `.snn.onnx` file that was read and checked.

    Args:
        path: the file.
        proto: what is in it, if that is known already.
        libraries: files with operators of others that it has beside ours; see `snn_ops.Session`.

    Attributes:
        metadata: what the file says about itself.
        proto: the model, with the defaults of its inputs in the graph, wherever the file has them.

    Raises:
        RefusedError: not readable, not a spiking model, or of a newer format than this release reads; or there is no such
            library.
    """

    def __init__(
        self, path: str | Path, proto: onnx.ModelProto | None = None, *, libraries: Sequence[str | Path] = ()
    ) -> None:
        self.path = Path(path)
        try:
            self.libraries = existing(libraries)
        except LibraryNotFoundError as error:
            raise RefusedError(str(error)) from error
        self.proto = read_proto(self.path) if proto is None else proto
        if not holds_operators(self.proto):
            raise RefusedError("this is not a spiking model; make one with `onnx-snn convert`", file=self.path)
        for node in self.proto.graph.node:
            if node.domain == DOMAIN and node.op_type not in OPERATORS:
                raise RefusedError(
                    f"this release has no operator {node.op_type}; where a newer one made the file: pip install -U onnx-snn",
                    file=self.path,
                    node=node.name,
                )
        with self._refused():
            self.metadata = Metadata.read({entry.key: entry.value for entry in self.proto.metadata_props})
            self._moved = has_explicit_inputs(self.proto) and "defaults" not in self.metadata.damaged()
            if self._moved:
                self.proto = with_defaults(self.proto)

    @property
    def n_steps(self) -> int:
        """The number of steps it was made for.

        Raises:
            RefusedError: the file's metadata say no such number.
        """
        with self._refused():
            return self.metadata.n_steps

    @property
    def schedule(self) -> str:
        """One of `snn_ops.format.SCHEDULES`.

        Raises:
            RefusedError: the file's metadata say another word.
        """
        with self._refused():
            return self.metadata.schedule

    @property
    def code(self) -> str:
        """One of `snn_ops.format.CODES`.

        Raises:
            RefusedError: the file's metadata say another word.
        """
        with self._refused():
            return self.metadata.code

    @property
    def inputs(self) -> list[InputSpec]:
        """Its inputs, without `n_steps`.

        Raises:
            RefusedError: the file's metadata are damaged where they say which inputs have a default.
        """
        with self._refused():
            _ = self.metadata.defaults
        defaults = {tensor.name for tensor in self.proto.graph.initializer}
        model = ir.from_proto(self.proto)
        return [InputSpec.of(value) for value in model.graph.inputs if value.name not in defaults]

    def session(self, **options: Any) -> Session:
        """Runs it; see `snn_ops.Session`.

        Raises:
            RefusedError: ONNX Runtime cannot load it, or its metadata are damaged where running needs them.
        """
        if options.get("backend") == "functions":
            self._check_functions()
        with self._refused():
            return Session(self.proto, libraries=self.libraries, **options)

    def save(self, proto: onnx.ModelProto, path: str | Path) -> None:
        """Writes this model with other weights, its inputs with or without defaults as in its own file, whole or not at all.

        Raises:
            RefusedError: the folder does not exist or cannot be written to.
        """
        write_model(with_explicit_inputs(proto) if self._moved else proto, path)

    def source(self) -> Path | None:
        """The trained model's file, if it lies beside this one or in the current folder and is still the same."""
        name, digest = self.metadata.source, self.metadata.source_sha256
        if Path(name).name != name or "\0" in name:  # a path: the file names none but files here
            return None
        for folder in (self.path.parent, Path()):
            candidate = folder / name if name else None
            if candidate is not None and candidate.is_file() and _sha256(candidate) == digest:
                return candidate
        return None

    def _check_functions(self) -> None:
        """Whether the file holds a function for each of its operators."""
        functions = {function.name for function in self.proto.functions if function.domain == DOMAIN}
        for node in self.proto.graph.node:
            if node.domain == DOMAIN and node.op_type not in functions:
                raise RefusedError(
                    f"the file holds no function for {node.op_type}; use the backend native",
                    file=self.path,
                    node=node.name,
                )

    def refusal(self, error: Exception) -> RefusedError:
        """What a user reads where a session of it does not start."""
        text = brief(error)
        if "is not a registered function/op" in text:
            text += "; name the library that has it: --library PATH of run and evaluate, in Python libraries=[path]"
        return RefusedError(text, file=self.path)

    @contextmanager
    def _refused(self) -> Iterator[None]:
        """What goes wrong inside is refused, with the name of this file."""
        try:
            yield
        except RUNTIME_ERRORS as error:
            raise self.refusal(error) from error


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
