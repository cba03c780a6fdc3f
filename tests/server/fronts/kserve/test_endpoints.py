"""The Open Inference Protocol over HTTP: JSON, tensors in binary, descriptions, probes and errors."""

import gzip
import json
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from bothends.client.sync import Client
from bothends.model.bundle import Bundle
from bothends.server.keys import new
from bothends.server.server import Server
from tests.support.doors import put, serving
from tests.support.fronts import http_of
from tests.support.infer import DTYPES, packed
from tests.support.measured import sample
from tests.support.until import until

SENTENCES = ["there will be dragons", "über 龍", "no"]
LONG = "word " * 300
PATH = "/v2/models/english/infer"
HEADER = "inference-header-content-length"
EVERY = ["embedding", "token_count", "truncated"]


def asked(*texts: str, **others: Any) -> dict[str, Any]:
    """Make a request in JSON."""
    tensor = {"name": "text", "datatype": "BYTES", "shape": [len(texts)], "data": list(texts)}
    return {"inputs": [tensor], **others}


def binary(*texts: str, **others: Any) -> tuple[bytes, dict[str, str]]:
    """Make a request whose texts follow its JSON: the body, and its headers."""
    content = packed(text.encode() for text in texts)
    size = {"binary_data_size": len(content)}
    tensor = {"name": "text", "datatype": "BYTES", "shape": [len(texts), 1], "parameters": size}
    head = json.dumps({"inputs": [tensor], **others}).encode()
    return head + content, {HEADER: str(len(head))}


def tensors(answer: httpx.Response) -> dict[str, np.ndarray]:
    """Read the tensors of an answer that must be right, whether they are in JSON or behind it."""
    assert answer.status_code == 200, answer.text
    size = int(answer.headers.get(HEADER, len(answer.content)))
    found, rest = {}, answer.content[size:]
    for tensor in json.loads(answer.content[:size])["outputs"]:
        dtype = DTYPES[tensor["datatype"]]
        if "data" in tensor:
            values = np.array(tensor["data"], dtype)
        else:
            taken = tensor["parameters"]["binary_data_size"]
            values, rest = np.frombuffer(rest[:taken], dtype), rest[taken:]
        found[tensor["name"]] = values.reshape(tensor["shape"])
    assert rest == b""
    return found


def told(answer: httpx.Response) -> tuple[int, str]:
    """The error that it holds, which is one line and in the protocol's shape."""
    assert answer.json().keys() == {"error"}
    assert answer.json()["error"].isprintable()
    return answer.status_code, answer.json()["error"]


@pytest.mark.filterwarnings("ignore::bothends.TruncationWarning")
def test_rows_are_our_clients_bit_for_bit(http: httpx.Client, client: Client) -> None:
    """Texts and tensors in JSON or in binary; whether a text was cut comes along, and the request's id."""
    sentences = [*SENTENCES, LONG]
    expected, rows = client.embed(sentences), [[text] for text in sentences]
    nested = asked(*sentences)
    nested["inputs"][0] |= {"shape": [4, 1], "data": rows}
    content, header = binary(*sentences, parameters={"binary_data_output": True})
    answers = [
        http.post(PATH, json=asked(*sentences, id="mine")),
        http.post(PATH, json=nested),
        http.post(PATH, json=asked(*sentences, parameters={"binary_data_output": True})),
        http.post(PATH, content=content, headers=header),
        http.post(PATH, content=gzip.compress(content), headers={**header, "content-encoding": "gzip"}),
    ]
    for answer in answers:
        found = tensors(answer)
        assert list(found) == EVERY
        assert found["embedding"].tobytes() == expected.rows.tobytes()
        assert found["token_count"].tolist() == expected.token_counts
        assert found["truncated"].tolist() == [False, False, False, True]
    kinds = [answer.headers["content-type"] for answer in answers]
    assert kinds == ["application/json"] * 2 + ["application/octet-stream"] * 3
    first = answers[0].json()
    assert (first["model_name"], first["model_version"], first["id"]) == ("english", expected.model_version, "mine")
    assert "id" not in answers[1].json()


def test_outputs_come_as_they_were_asked_for(http: httpx.Client, client: Client) -> None:
    """In their order, each in JSON or in binary; options are parameters, beside what Triton's clients add."""
    outputs = [{"name": "truncated"}, {"name": "embedding", "parameters": {"binary_data": True}}]
    options = {"normalize": True, "dimensions": 64, "truncation": "end"}
    others = {"sequence_id": 5, "sequence_start": True, "sequence_end": False, "priority": 2, "timeout": 60_000_000}
    answer = http.post(PATH, json=asked(*SENTENCES, outputs=outputs, parameters=options | others))
    found = tensors(answer)
    assert list(found) == ["truncated", "embedding"]
    assert found["embedding"].tobytes() == client.encode(SENTENCES, normalize=True, dimensions=64).tobytes()
    assert int(answer.headers[HEADER]) + 3 * 64 * 4 == len(answer.content)


def test_a_version_in_the_path_is_that_one(http: httpx.Client, english: Bundle) -> None:
    for rest, verb in (("/infer", "POST"), ("", "GET"), ("/config", "GET")):
        for version, status in ((english.config.version, 200), ("0.1", 404)):
            body = asked("a") if verb == "POST" else None
            answer = http.request(verb, f"/v2/models/english/versions/{version}{rest}", json=body)
            assert answer.status_code == status, answer.text
            if status == 404:
                assert "version '0.1' of model 'english' isn't served here" in told(answer)[1]


def test_what_clients_ask_first(http: httpx.Client, english: Bundle) -> None:
    """The server, the model's tensors, and how many texts may come at once."""
    server = http.get("/v2").json()
    assert (server["name"], "binary_tensor_data" in server["extensions"]) == ("bothends", True)
    model = http.get("/v2/models/english").json()
    assert (model["name"], model["versions"]) == ("english", [english.config.version])
    assert model["inputs"] == [{"name": "text", "datatype": "BYTES", "shape": [-1, 1]}]
    assert [(each["name"], each["datatype"], each["shape"]) for each in model["outputs"]] == [
        ("embedding", "FP32", [-1, 512]),
        ("token_count", "INT32", [-1]),
        ("truncated", "BOOL", [-1]),
    ]
    config = http.get("/v2/models/english/config").json()
    assert config["max_batch_size"] == 300
    assert config["input"] == [{"name": "text", "data_type": "TYPE_STRING", "dims": [1]}]
    assert [each["dims"] for each in config["output"]] == [[512], [], []]


def test_probes_need_no_key(english: Bundle, tmp_path: Path) -> None:
    """They tell of a model that isn't fit, and of one that isn't served."""
    key, entry = new("us")
    put(tmp_path / "keys.toml", entry.encode())
    with serving(english, api_keys=tmp_path / "keys.toml") as server, http_of(server) as http:
        assert told(http.get("/v2"))[0] == told(http.post(PATH, json=asked("a")))[0] == 401
        holder = {"authorization": f"Bearer {key}"}
        assert http.post(PATH, json=asked("a"), headers=holder).status_code == 200
        assert probed(http) == [200, 200, 200, 503]
        assert http.get("/v2/models/english/ready").json() == {"name": "english", "ready": True}
        server.service.embedder.model.withdraw("it was to be tried")
        server.service._readiness.set_fit("english", fit=False)  # noqa: SLF001  as the supervisor's thread has it
        assert probed(http) == [200, 503, 503, 503]
        assert told(http.post(PATH, json=asked("a"), headers=holder))[0] == 503


def probed(http: httpx.Client) -> list[int]:
    """Statuses of live, ready, the model ready, and another model ready."""
    paths = ("health/live", "health/ready", "models/english/ready", "models/another/ready")
    return [http.get(f"/v2/{path}").status_code for path in paths]


def with_input(**changes: Any) -> dict[str, Any]:
    """Make a request of two texts whose input has these changes."""
    body = asked("a", "b")
    body["inputs"][0] |= changes
    return body


BAD: dict[str, tuple[Any, str]] = {
    "another input": (with_input(name="words"), "this model has one, 'text'"),
    "two inputs": ({"inputs": asked("a")["inputs"] * 2}, "2 inputs came"),
    "numbers": (with_input(datatype="FP32"), "input 'text' is 'FP32'; it must be 'BYTES'"),
    "another shape": (with_input(shape=[3]), "says 3 elements, and its data holds 2"),
    "a shape of no number": (with_input(shape=[1 << 63]), "inputs.0.shape.0: input should be less than"),
    "a row of two": (with_input(data=["a", ["b", "c"]]), "says 2 elements, and its data holds 3"),
    "a number among texts": (with_input(data=["a", 1]), "inputs[0].data[1] isn't a string"),
    "no data": (with_input(data=None), "input 'text' has no data"),
    "half a character": (with_input(data=["a", "\ud800"]), "sentences[1]"),
    "half a character in a name": (with_input(name="\ud800"), "the body holds text that is no valid Unicode"),
    "a blank text": (with_input(data=["a", " "]), "sentences[1] is empty"),
    "data that isn't there": (with_input(data=None, parameters={"binary_data_size": 5}), "must be 0, as many bytes"),
    "shared memory": (
        with_input(parameters={"shared_memory_region": "mine"}),
        "has parameters, and none are known; shared memory isn't offered",
    ),
    "another output": (asked("a", outputs=[{"name": "h_n"}]), "outputs[0] is none of this model's"),
    "classes": (
        asked("a", outputs=[{"name": "embedding", "parameters": {"classification": 3}}]),
        "classification and shared memory aren't offered",
    ),
    "another parameter": (asked("a", parameters={"pooling": "mean"}), "parameter 'pooling' isn't known"),
    "a parameter's type": (asked("a", parameters={"normalize": 1}), "came as int64_param; it must be bool_param"),
    "no flag": (asked("a", parameters={"binary_data_output": 1}), "'binary_data_output' must be true or false"),
    "another field": (asked("a", input="a"), "unknown parameter 'input'"),
    "too many": (asked(*["a"] * 301), "301 sentences are more than"),
    "far too many": (asked(*["a"] * 1000), "more than the 920 values"),
    "no object": ([], "the body isn't a JSON object"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_request_is_told_what_and_where(http: httpx.Client, name: str) -> None:
    body, message = BAD[name]
    code, error = told(http.post(PATH, content=json.dumps(body)))
    assert (code, message in error) == (400, True), error


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("1000", "must say how many of the body's"),
        ("-1", "must say how many of the body's"),
        ("9" * 5000, "must say how many of the body's"),
        ("10", "the body isn't valid JSON"),
        ("0", "the body isn't valid JSON"),
        (None, "the body isn't valid JSON: Extra data"),
    ],
)
def test_a_header_that_does_not_fit_is_told_of(http: httpx.Client, header: str | None, message: str) -> None:
    content, _ = binary(*SENTENCES)
    headers = {} if header is None else {HEADER: header}
    code, error = told(http.post(PATH, content=content, headers=headers))
    assert (code, message in error) == (400, True), error


def test_binary_data_that_does_not_fit_is_told_of(http: httpx.Client) -> None:
    """It is cut short, longer than is said, or said to be elsewhere; a text in it is no UTF-8."""
    content, header = binary(*SENTENCES)
    json_bytes = int(header[HEADER])
    changed = content[:-2] + b"\xff\xff"
    cut = content[:json_bytes] + content[json_bytes:].replace(b"\x02\0\0\0no", b"\x03\0\0\0no")
    for body, message in (
        (content[:-1], "as many bytes as follow the JSON"),
        (content + b"\0", "as many bytes as follow the JSON"),
        (changed, "sentences[2] is no UTF-8 text: byte 0"),
        (cut, "the binary data ends within element 2"),
    ):
        code, error = told(http.post(PATH, content=body, headers=header))
        assert (code, message in error) == (400, True), error
    plain = json.dumps(asked("a")).encode()
    code, error = told(http.post(PATH, content=plain + b"more", headers={HEADER: str(len(plain))}))
    assert (code, error) == (400, "4 bytes follow the JSON, and no input has binary_data_size")


@pytest.mark.parametrize("path", ["/v2/repository/index", "/v2/models/english/stats", "/v2/systemsharedmemory/status"])
def test_what_is_not_offered_is_told_in_a_line(http: httpx.Client, path: str) -> None:
    code, error = told(http.get(path))
    assert (code, "does nothing else of the Open Inference Protocol" in error) == (404, True)


def test_calls_are_counted_by_one_name(server: Server, http: httpx.Client, english: Bundle) -> None:
    """Whichever version they name."""

    def counted() -> float:
        return sample(server, "bothends_requests_total", method="POST /v2/models/{model}/infer", code="OK")

    before = counted()
    for path in (PATH, f"/v2/models/english/versions/{english.config.version}/infer"):
        assert http.post(path, json=asked("a")).status_code == 200
    until(lambda: counted() == before + 2)
