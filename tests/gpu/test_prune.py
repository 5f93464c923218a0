"""tools/gpu/prune.py on a library that was made for it."""

from __future__ import annotations

import struct

import pytest

zstandard = pytest.importorskip("zstandard")

from tools.gpu import prune  # noqa: E402

ORDINARY, ATTENTION = b".nv.info._Z4Relu..", b".nv.info._Z9flash_fwd.."


def entry(code: bytes, architecture: int, *, packed: bool = False, kind: int = prune.MACHINE_CODE) -> bytes:
    payload = zstandard.ZstdCompressor().compress(code) if packed else code
    payload_size = -(-len(payload) // 8) * 8
    head = bytearray(64)
    prune._ENTRY.pack_into(head, 0, kind, 0x101, 64, payload_size, len(payload) if packed else 0, 0, 0, 0, architecture)
    struct.pack_into("<Q", head, prune._UNPACKED, len(code))
    return bytes(head) + payload.ljust(payload_size, b"\0")


def container(*entries: bytes) -> bytes:
    body = b"".join(entries)
    return prune._CONTAINER.pack(prune.MAGIC, 1, 16, len(body)) + body


def test_what_is_for_other_gpus_or_not_used_goes() -> None:
    """And what stays keeps its place and bytes."""
    pieces = [
        container(entry(ORDINARY, 80), entry(ORDINARY, 90, packed=True)),
        bytes(8),
        container(entry(ATTENTION, 90, packed=True), entry(ATTENTION + ORDINARY, 90)),
        container(entry(b"ptx", 90, kind=1)),
    ]
    section = b"".join(pieces)
    data = bytearray(b"code" * 4 + section + b"more")
    before = list(prune.modules(data, 16, 16 + len(section)))
    kept, size = prune.prune(data, 16, 16 + len(section), 90)
    after = list(prune.modules(data, 16, 16 + len(section)))
    assert (kept, size) == (2, before[1].size + before[3].size)
    assert [module.architecture for module in after] == [80, 90, prune.NO_GPU, 90, prune.NO_GPU]
    for index, module in enumerate(before):
        code = data[module.begin : module.begin + module.size]
        assert (code == bytes(module.size)) == (index not in (1, 3))
    assert data[module.begin + module.size :] == b"more"
    assert data[:16] == b"code" * 4


def test_another_format_is_refused() -> None:
    with pytest.raises(ValueError, match="no container of GPU code at 0x0"):
        list(prune.modules(b"something else, and more of it", 0, 24))
