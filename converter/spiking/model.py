"""A spiking model in a file, read back."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import onnx
import onnx_ir as ir

from converter.errors import RefusedError, concerning
from converter.graph.run import brief
from converter.io.onnx_files import read_proto
from converter.io.samples import InputSpec
from snn_ops.format import DOMAIN, Metadata
from snn_ops.session import Session


class SpikingModel:
    """A `.snn.onnx` file that was read and checked.

    Args:
        path: the file.
        proto: what is in it, if that is known already.

    Raises:
        RefusedError: not readable, not a spiking model, or one of a newer format.
    """

    def __init__(self, path: str | Path, proto: onnx.ModelProto | None = None) -> None:
        self.path = Path(path)
        self.proto = read_proto(self.path) if proto is None else proto
        if all(opset.domain != DOMAIN for opset in self.proto.opset_import):
            raise RefusedError("this is not a spiking model; make one with `onnx-snn convert`", file=self.path)
        with concerning(self.path):
            self.metadata = Metadata.read({entry.key: entry.value for entry in self.proto.metadata_props})

    @property
    def n_steps(self) -> int:
        """The number of steps it was made for."""
        with concerning(self.path):
            return self.metadata.n_steps

    @property
    def schedule(self) -> str:
        """ "stepped" or "two-phase"."""
        with concerning(self.path):
            return self.metadata.schedule

    @property
    def inputs(self) -> list[InputSpec]:
        """Its inputs, without `n_steps`."""
        defaults = {tensor.name for tensor in self.proto.graph.initializer}
        model = ir.from_proto(self.proto)
        return [InputSpec.of(value) for value in model.graph.inputs if value.name not in defaults]

    def session(self, **options: Any) -> Session:
        """Runs it; see `snn_ops.Session`.

        Raises:
            RefusedError: ONNX Runtime cannot load it.
        """
        try:
            return Session(self.proto, **options)
        except (RuntimeError, ValueError) as error:
            raise RefusedError(brief(error), file=self.path) from error

    def source(self) -> Path | None:
        """The trained model's file, if it lies beside this one or in the current folder and is still the same."""
        name, digest = self.metadata.source, self.metadata.source_sha256
        for folder in (self.path.parent, Path()):
            candidate = folder / name if name else None
            if candidate is not None and candidate.is_file() and _sha256(candidate) == digest:
                return candidate
        return None


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
