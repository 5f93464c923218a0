"""The engine that a user names."""

from __future__ import annotations

import sys

import pytest

from converter.commands.engines import chosen_engine
from converter.engine.local import LocalEngine
from converter.errors import RefusedError


def test_local_is_there_without_ray(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "converter.engine.ray", raising=False)
    assert isinstance(chosen_engine("local", None), LocalEngine)
    with pytest.raises(RefusedError, match=r"ray is not installed; install onnx-snn\[scale\]"):
        chosen_engine("ray", None)


@pytest.mark.parametrize(
    ("name", "address", "reason"),
    [("spark", None, "no engine 'spark'; choose one of local, ray"), ("local", "auto", "--ray-address is for")],
)
def test_what_is_refused(name, address, reason) -> None:
    with pytest.raises(RefusedError, match=reason):
        chosen_engine(name, address)
