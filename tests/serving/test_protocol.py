from __future__ import annotations

import json

import numpy as np
import pytest

from converter.serving.protocol import (
    DATATYPES,
    JSON_BYTES,
    RequestError,
    TensorSpec,
    Wanted,
    read_message,
    read_outputs,
    read_tensors,
    write_message,
)

X = TensorSpec("x", "FP32", (-1, 2))


def read(entries: dict[str, object], binary: bytes = b"", specs=(X,)) -> dict[str, np.ndarray]:
    header = json.dumps(entries).encode()
    return read_tensors(read_message(header + binary, len(header)), "inputs", specs, 4)


def one(**entries: object) -> dict[str, object]:
    return {"inputs": [{"name": "x", "datatype": "FP32", "shape": [2, 2], **entries}]}


def test_json_flat_and_nested() -> None:
    expected = np.asarray([[1, 2.5], [-3, 4]], np.float32)
    for data in ([1, 2.5, -3, 4], [[1, 2.5], [-3, 4]]):
        array = read(one(data=data))["x"]
        assert array.dtype == np.float32
        np.testing.assert_array_equal(array, expected)


@pytest.mark.parametrize("word", DATATYPES)
def test_binary_of_each_type_wherever_it_lies(word) -> None:
    """Data that begin at any byte."""
    array = np.arange(4).reshape(2, 2).astype(DATATYPES[word])
    spec, data = TensorSpec("x", word, (-1, 2)), array.tobytes()
    for space in range(4):
        entries = {**one(datatype=word, parameters={"binary_data_size": len(data)}), "id": " " * space}
        found = read(entries, data, [spec])["x"]
        assert found.dtype == array.dtype
        assert found.flags.aligned
        np.testing.assert_array_equal(found, array)


def test_a_client_of_others_writes_it_so() -> None:
    client = pytest.importorskip("tritonclient.http")
    arrays = {"a": np.float32([[1, 2]]), "b": np.asarray([[True, False]])}
    given = []
    for (name, array), word, binary in zip(arrays.items(), ("FP32", "BOOL"), (True, False), strict=True):
        tensor = client.InferInput(name, [1, 2], word)
        tensor.set_data_from_numpy(array, binary_data=binary)
        given.append(tensor)
    body, size = client.InferenceServerClient.generate_request_body(given, request_id="7")
    message = read_message(body, size)
    found = read_tensors(message, "inputs", [TensorSpec("b", "BOOL", (-1, 2)), TensorSpec("a", "FP32", (-1, 2))], 4)
    assert message.id == "7"
    assert read_outputs(message, ["y"]) == [Wanted("y", True)]
    assert list(found) == ["b", "a"]
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)


def test_a_client_of_others_reads_it_so() -> None:
    client = pytest.importorskip("tritonclient.http")
    numbers, text = np.float16([[1.5, 2]]), np.asarray([["a", "bc"]], object)
    for binary in (False, True):
        tensors = [(Wanted("n", binary), numbers), (Wanted("t", binary), text)]
        body, size = write_message({"model_name": "m", "id": None}, "outputs", tensors)
        result = client.InferenceServerClient.parse_response_body(body, header_length=size)
        np.testing.assert_array_equal(result.as_numpy("n"), numbers)
        assert [t.decode() if isinstance(t, bytes) else t for t in result.as_numpy("t").reshape(-1)] == ["a", "bc"]
        assert "id" not in result.get_response()


@pytest.mark.parametrize(
    ("entries", "binary", "words"),
    [
        ({}, b"", "`inputs` must be a list"),
        ({"inputs": []}, b"", "inputs has no 'x'"),
        ({"inputs": [1]}, b"", "None is none of inputs"),
        ({"inputs": [{"name": ["x"]}]}, b"", "is none of inputs"),
        ({"inputs": one(data=[1, 2, 3, 4])["inputs"] * 2}, b"", "twice"),
        (one(datatype="FP64", data=[1, 2, 3, 4]), b"", "'x' is FP32, not 'FP64'"),
        (one(shape=[2, 3], data=[0] * 6), b"", r"shape \[2, 3\], it needs \[-1, 2\]"),
        (one(shape=[0, 2], data=[]), b"", r"shape \[0, 2\]"),
        (one(shape=[True, 2], data=[1, 2]), b"", "list of lengths"),
        (one(shape=[10**18, 2], data=[1, 2]), b"", "samples are more than the 4"),
        (one(shape=[2, -1], data=[1, 2]), b"", "list of lengths"),
        (one(data=[1, 2, 3]), b"", r"is \[3\], its `shape` says \[2, 2\]"),
        (one(data=[[1, 2], [3]]), b"", "different lengths"),
        (one(data=["1", "2", "3", "4"]), b"", "must be numbers"),
        (one(data=[True, False, True, True]), b"", "must be numbers"),
        (one(data=[None] * 4), b"", "must be numbers"),
        (one(data=[10**30] * 4), b"", "must be numbers"),
        (one(data=[1e300, 2, 3, 4]), b"", "too large for float32"),
        (one(data=[float("nan"), 2, 3, 4]), b"", "'x' holds NaN or infinity, first in sample 0"),
        (one(), b"", "neither `data` nor"),
        (one(parameters=3), b"", "must be an object"),
        (one(parameters={"binary_data_size": 15}), bytes(16), "must be 16, it is 15"),
        (one(parameters={"binary_data_size": 16}), bytes(15), "cut off: 15 bytes of 16"),
        (one(parameters={"binary_data_size": 16}), bytes(17), "17 bytes of binary data, the tensors take 16"),
        (one(parameters={"binary_data_size": 16}), np.float32([1, 2, 3, np.inf]).tobytes(), "first in sample 1"),
    ],
)
def test_what_is_no_request(entries, binary, words) -> None:
    with pytest.raises(RequestError, match=words) as caught:
        read(entries, binary)
    assert caught.value.status == 400
    assert "\n" not in caught.value.text


def test_bytes_that_are_no_booleans() -> None:
    entries = one(datatype="BOOL", parameters={"binary_data_size": 4})
    with pytest.raises(RequestError, match="bytes 0 and 1"):
        read(entries, b"\0\1\2\0", [TensorSpec("x", "BOOL", (-1, 2))])


def test_fractions_for_integers() -> None:
    with pytest.raises(RequestError, match="fractions"):
        read(one(datatype="INT8", data=[0.5, 1, 2, 3]), specs=[TensorSpec("x", "INT8", (-1, 2))])


def test_inputs_of_different_numbers_of_samples() -> None:
    tensors = [
        {"name": name, "datatype": "FP32", "shape": [n, 1], "data": [0.0] * n} for name, n in (("a", 1), ("b", 2))
    ]
    with pytest.raises(RequestError, match="different numbers of samples"):
        read({"inputs": tensors}, specs=[TensorSpec(name, "FP32", (-1, 1)) for name in "ab"])


@pytest.mark.parametrize(
    ("body", "size", "status", "words"),
    [
        (b"", None, 400, "is no JSON"),
        (b"\xff{}", None, 400, "is no JSON"),
        (b"[1]", None, 400, "no JSON object"),
        (b"[" * 100_000, None, 400, "is no JSON"),
        (b"9" * 10_000, None, 400, "is no JSON"),
        (b'{"id": 7}', None, 400, "`id` must be text"),
        (b'{"parameters": []}', None, 400, "`parameters` must be an object"),
        (b"{}", 3, 400, "shall have 3 bytes"),
        (b" " * (JSON_BYTES + 1), None, 413, "send tensors as binary data"),
    ],
)
def test_what_is_no_message(body, size, status, words) -> None:
    with pytest.raises(RequestError, match=words) as caught:
        read_message(body, size)
    assert caught.value.status == status


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ({"outputs": {}}, "must be a list"),
        ({"outputs": [{"name": "z"}]}, "none of the outputs"),
        ({"outputs": [{"name": "y"}, {"name": "y"}]}, "there twice"),
        ({"outputs": [{"name": "y", "parameters": {"binary_data": 1}}]}, "true or false"),
        ({"outputs": [{"name": "y", "parameters": {"classification": 3}}]}, "classification"),
        ({"parameters": {"binary_data_output": "yes"}}, "true or false"),
    ],
)
def test_outputs_that_are_not_there(entries, words) -> None:
    with pytest.raises(RequestError, match=words):
        read_outputs(read_message(json.dumps(entries).encode()), ["y"])


def test_which_outputs() -> None:
    wanted = {"outputs": [{"name": "z", "parameters": {"binary_data": True}}, {"name": "y"}]}
    assert read_outputs(read_message(json.dumps(wanted).encode()), ["y", "z"]) == [
        Wanted("z", True),
        Wanted("y", False),
    ]
    assert read_outputs(read_message(b"{}"), ["y"], binary=True) == [Wanted("y", True)]


def test_json_has_no_infinity() -> None:
    array = np.float32([[np.inf]])
    with pytest.raises(RequestError, match="ask for binary data") as caught:
        write_message({}, "outputs", [(Wanted("y", False), array)])
    assert caught.value.status == 422
    body, size = write_message({}, "outputs", [(Wanted("y", True), array)])
    assert body[size:] == array.tobytes()
