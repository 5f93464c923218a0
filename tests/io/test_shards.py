"""Samples as people have them: each kind gives the same numbers, in pieces; what is damaged costs itself only."""

from __future__ import annotations

import wave

import numpy as np
import pytest
from PIL import Image

from converter.errors import RefusedError
from converter.io.preprocess import Preprocessing
from converter.io.samples import InputSpec, load_samples
from converter.io.shards import PIECE, Data, UnreadableError, find, read

SHAPES = {"x": ["N", 3]}
INPUTS = [InputSpec("x", np.dtype(np.float32), [None, 3])]
X = np.arange(30, dtype=np.float32).reshape(10, 3)
Y = np.arange(10) % 4


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def everything(data: Data, size: int = 4, shapes=SHAPES, **options):
    """All keys, samples, labels and odd samples, read in pieces."""
    keys, xs, ys, odd = [], [], [], []
    for shard in data.shards:
        for block in read(shard, shapes, size=size, **options):
            assert len(block.keys) <= size
            keys += block.keys
            odd += block.odd
            if block.keys:
                xs.append(block.arrays["x"])
                ys += block.arrays.get("y", np.zeros(0)).tolist()
    return keys, np.concatenate(xs), ys, odd


def write(kind: str, first: int, count: int, name: str) -> None:
    x, y = X[first : first + count], Y[first : first + count]
    if kind == "npz":
        np.savez(name, x=x, y=y, note=np.asarray("text"))
    elif kind == "packed":
        np.savez_compressed(name, x=np.asfortranarray(x), y=y)
    elif kind == "npy":
        np.save(name, x)
    else:
        pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
        pq.write_table(pa.table({"x": x.tolist(), "label": y}), name, row_group_size=3)


@pytest.mark.parametrize(
    ("kind", "suffix"), [("npz", "npz"), ("packed", "npz"), ("npy", "npy"), ("parquet", "parquet")]
)
def test_files_and_folders_of_arrays(here, kind, suffix) -> None:
    (here / "d" / "sub").mkdir(parents=True)
    write(kind, 0, 6, f"d/a.{suffix}")
    write(kind, 6, 4, f"d/sub/b.{suffix}")
    (here / "d" / "README").write_text("no samples")
    expected = [f"a.{suffix}#{i}" for i in range(6)] + [f"sub/b.{suffix}#{i}" for i in range(4)]
    for data in (find("d"), find(f"d/**/*.{suffix}"), find(here / "d")):
        keys, x, y, odd = everything(data)
        assert (keys, odd, data.count) == (expected, [], 10)
        np.testing.assert_array_equal(x, X)
        assert y == ([] if kind == "npy" else Y.tolist())
    assert everything(find(f"d/a.{suffix}").first(5))[0] == [f"a.{suffix}#{i}" for i in range(5)]
    np.testing.assert_array_equal(load_samples("d", INPUTS, first=8).feed["x"], X[:8])


def test_a_large_file_is_several_shards(here, monkeypatch) -> None:
    monkeypatch.setattr("converter.io.shards.PIECE", 4)
    assert PIECE > 1000
    for kind, suffix in (("npz", "npz"), ("packed", "npz"), ("npy", "npy"), ("parquet", "parquet")):
        write(kind, 0, 10, f"a.{suffix}")
        data = find(f"a.{suffix}")
        assert [(shard.start, shard.count) for shard in data.shards] == [(0, 4), (4, 4), (8, 2)]
        assert len({shard.digest for shard in data.shards}) == 3
        keys, x, _, _ = everything(data, size=3)
        assert keys == [f"a.{suffix}#{i}" for i in range(10)]
        np.testing.assert_array_equal(x, X)


def test_pictures_with_labels_by_folder(here) -> None:
    for folder, colour in (("cat", 255), ("dog", 51)):
        (here / "p" / folder).mkdir(parents=True)
        for i in range(3):
            Image.fromarray(np.full((4, 4, 3), colour, np.uint8)).save(f"p/{folder}/{i}.png")
    (here / "p/cat/1.png").write_bytes(b"no picture")
    Image.fromarray(np.zeros((5, 4, 3), np.uint8)).save("p/dog/0.png")
    data = find("p")
    assert data.classes == ("cat", "dog")
    keys, x, y, odd = everything(data, shapes={"x": ["N", 3, 4, 4]})
    assert keys == ["cat/0.png", "cat/2.png", "dog/1.png", "dog/2.png"]
    assert y == [0, 0, 1, 1]
    np.testing.assert_allclose(x[:, 0, 0, 0], [1, 1, 0.2, 0.2])
    assert [key for key, _ in odd] == ["cat/1.png", "dog/0.png"]
    assert "damaged" in odd[0][1]
    assert "[3, 5, 4]" in odd[1][1]
    _, x, _, odd = everything(data, shapes={"x": ["N", 3, 4, 4]}, preprocess=Preprocessing(size=(4, 4), scale=1.0))
    assert (len(x), x[0, 0, 0, 0], len(odd)) == (5, 255, 1)
    with pytest.raises(RefusedError, match=r"cat/1\.png: it is no picture"):
        load_samples("p", [InputSpec("x", np.dtype(np.float32), [None, 3, 4, 4])])


def test_folders_that_are_numbers_are_the_labels(here) -> None:
    for folder in ("2", "10"):
        (here / "p" / folder).mkdir(parents=True)
        Image.fromarray(np.zeros((2, 2), np.uint8)).save(f"p/{folder}/a.png")
    assert everything(find("p"), shapes={"x": ["N", 4]})[2] == [10, 2]


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_sound(here, width) -> None:
    wanted = np.asarray([0.5, -0.25, 0.0])
    numbers = (wanted * 2 ** (8 * width - 1)).astype(np.int64) + (128 if width == 1 else 0)
    data = b"".join(int(n).to_bytes(width, "little", signed=width > 1) for n in numbers)
    (here / "s").mkdir()
    for name, content in (("a", data), ("short", data[:-width])):
        with wave.open(f"s/{name}.wav", "wb") as file:
            file.setparams((1, width, 8000, 0, "NONE", ""))
            file.writeframes(content)
    (here / "s/z.wav").write_bytes(b"RIFF")
    keys, x, _, odd = everything(find("s"))
    assert keys == ["a.wav"]
    np.testing.assert_allclose(x, [wanted])
    assert [key for key, _ in odd] == ["short.wav", "z.wav"]
    assert len(everything(find("s"), shapes={"x": ["N", 1, 3]})[1][0]) == 1
    for shard in find("s/a.wav").shards:
        (block,) = read(shard, SHAPES, Preprocessing(rate=16000))
        assert block.odd == [("a.wav", "it has 8000 samples a second, not 16000")]


def test_a_python_function(here, monkeypatch) -> None:
    (here / "own_data.py").write_text(
        "import numpy as np\ndef batches():\n for i in range(3): yield np.full((2, 3), i, 'f4'), [i, i]\n"
        "def broken():\n raise KeyError('no')\n"
    )
    keys, x, y, _ = everything(find("own_data:batches"))
    assert keys == [f"own_data:batches#{i}#{j}" for i in range(3) for j in range(2)]
    assert y == [0, 0, 1, 1, 2, 2]
    np.testing.assert_array_equal(x[:, 0], y)
    assert len(load_samples("own_data:batches", INPUTS, first=3)) == 3
    for name, reason in (
        ("own_data:broken", "KeyError"),
        ("own_data:absent", "AttributeError"),
        ("absent:x", "Module"),
    ):
        with pytest.raises(RefusedError, match=reason):
            load_samples(name, INPUTS)


def test_damaged_files_are_shards_that_cannot_be_read(here) -> None:
    (here / "d").mkdir()
    np.savez("d/a.npz", x=X)
    whole = (here / "d/a.npz").read_bytes()
    (here / "d/b.npz").write_bytes(whole[:200])
    (here / "d/c.npz").write_bytes(whole.replace(X.tobytes()[:8], b"damaged!"))
    np.savez("d/d.npz", z=X)
    np.savez("d/e.npz", x=X, y=Y[:3])
    np.savez("d/f.npz", x=np.asarray([{}], object))
    data = find("d")
    assert data.count is None
    reasons = {}
    for shard in data.shards:
        try:
            for _ in read(shard, SHAPES):
                pass
        except UnreadableError as error:
            reasons[shard.name] = str(error)
    assert list(reasons) == ["b.npz", "c.npz", "d.npz", "e.npz", "f.npz"]
    assert "no `x`" in reasons["d.npz"]
    assert "different numbers of samples" in reasons["e.npz"]
    for name in ("npy", "parquet"):
        (here / f"g.{name}").write_bytes(b"\x93NUMPY\x01\x00v\x00")
        (shard,) = find(f"g.{name}").shards
        with pytest.raises(UnreadableError):
            list(read(shard, SHAPES))


def test_pictures_inside_a_table(here) -> None:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    Image.fromarray(np.full((2, 2), 51, np.uint8)).save("a.png")
    stored = (here / "a.png").read_bytes()
    pq.write_table(pa.table({"image": [{"bytes": stored}, {"bytes": b"?"}], "label": [3, 4]}), "t.parquet")
    keys, x, y, odd = everything(find("t.parquet"), shapes={"x": ["N", 1, 2, 2]})
    assert (keys, y, [key for key, _ in odd]) == (["t.parquet#0"], [3], ["t.parquet#1"])
    np.testing.assert_allclose(x, np.full((1, 1, 2, 2), 0.2))


def test_what_is_refused(here) -> None:
    (here / "empty").mkdir()
    (here / "both").mkdir()
    np.save("both/a.npy", X)
    np.savez("both/b.npz", x=X)
    for data, reason in (
        ("absent.npz", "there is no such file"),
        ("*.npz", "no file has such a name"),
        ("empty", "there are no samples here"),
        ("both", r"several kinds here: \.npy, \.npz; name one kind with a pattern, such as 'both/\*\.npy'"),
        ("/dev/null", "this is no file"),
        ("", "name a file"),
    ):
        with pytest.raises(RefusedError, match=reason):
            find(data)
