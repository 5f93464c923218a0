"""The kernels compiled for the host, for tests that need a device."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.gpu import library


def headers() -> Path:
    """Of the CUDA toolkit; without one, the test is skipped."""
    found = library.toolkit_headers()
    if found is None:
        pytest.skip("no CUDA toolkit, whose headers the kernels include")
    return found
