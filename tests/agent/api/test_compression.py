"""gzip where it is accepted and pays; never for streams."""

import asyncio
import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from litestar import Litestar
from litestar.testing import TestClient

from agent.api.compression import LEAST, accepts_gzip, compressed_send
from tests.agent.api.scripted import ADMIN, ScriptedService, scripted_app

HEADERS = {"Authorization": f"Bearer {ADMIN}", "Accept-Encoding": "identity"}
GZIP = {**HEADERS, "Accept-Encoding": "gzip"}
BATCH = {"items": [{"product": {"id": "p1"}}] * 3}


@pytest.fixture
def client(empty_store: Path) -> Iterator[TestClient[Litestar]]:
    with TestClient(scripted_app(ScriptedService(), empty_store)) as running:
        yield running


@pytest.mark.parametrize(
    ("given", "accepted"),
    [
        (None, False),
        ("", False),
        ("gzip", True),
        ("GZIP", True),
        ("br, gzip;q=0.5", True),
        ("gzip;q=0", False),
        ("gzip; q = 0.000", False),
        ("*", True),
        ("*;q=0", False),
        ("gzip;q=0, *", False),
        ("br", False),
        ("identity", False),
    ],
)
def test_gzip_is_sent_where_it_is_accepted(given: str | None, accepted: bool) -> None:
    headers = [] if given is None else [(b"accept-encoding", given.encode())]
    scope: Any = {"headers": headers}
    assert accepts_gzip(scope) is accepted


def test_a_long_answer_is_compressed_and_reads_the_same(client: TestClient[Litestar]) -> None:
    plain = client.get("/problems", headers=HEADERS)
    packed = client.get("/problems", headers=GZIP)
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.content == plain.content
    assert int(packed.headers["content-length"]) < int(plain.headers["content-length"]) / 3
    assert plain.headers["vary"] == packed.headers["vary"] == "Accept-Encoding"


def test_a_short_answer_is_sent_as_it_is(client: TestClient[Litestar]) -> None:
    answer = client.get("/livez", headers=GZIP)
    assert "content-encoding" not in answer.headers
    assert answer.headers["vary"] == "Accept-Encoding"


def test_head_has_the_headers_of_the_compressed_answer(client: TestClient[Litestar]) -> None:
    get, head = client.get("/problems", headers=GZIP), client.head("/problems", headers=GZIP)
    assert head.content == b""
    for name in ("content-length", "content-encoding", "content-type", "vary"):
        assert head.headers[name] == get.headers[name]


def test_a_replayed_answer_is_the_same_compressed_or_not(client: TestClient[Litestar]) -> None:
    once = {"Idempotency-Key": "k1"}
    first = client.post("/v1/quotes/batch", json=BATCH, headers={**GZIP, **once})
    again = [client.post("/v1/quotes/batch", json=BATCH, headers={**kind, **once}) for kind in (GZIP, HEADERS)]
    assert first.headers["content-encoding"] == "gzip"
    assert [one.headers.get("content-encoding") for one in again] == ["gzip", None]
    assert first.content == again[0].content == again[1].content
    assert all(one.headers["idempotency-replayed"] == "true" for one in again)


def sent(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What reaches a client that accepts gzip."""
    found: list[dict[str, Any]] = []

    async def run() -> None:
        async def send(message: Any) -> None:
            found.append(dict(message))

        scope: Any = {"headers": [(b"accept-encoding", b"gzip")]}
        sending = compressed_send(scope, send)
        for message in messages:
            await sending(message)  # type: ignore[arg-type]

    asyncio.run(run())
    return found


def start(media: bytes) -> dict[str, Any]:
    return {"type": "http.response.start", "status": 200, "headers": [(b"content-type", media)]}


def part(body: bytes, *, more: bool) -> dict[str, Any]:
    return {"type": "http.response.body", "body": body, "more_body": more}


@pytest.mark.parametrize("media", [b"text/event-stream", b"image/png", b"application/octet-stream"])
def test_streams_and_pictures_are_sent_as_they_are(media: bytes) -> None:
    messages = [start(media), part(b"x" * 5_000, more=False)]
    assert sent(messages) == messages


@given(pieces=st.lists(st.binary(max_size=3 * LEAST), min_size=1, max_size=4))
def test_every_byte_arrives_in_order_whatever_the_pieces(pieces: list[bytes]) -> None:
    last = len(pieces) - 1
    messages = [start(b"application/json"), *(part(one, more=n < last) for n, one in enumerate(pieces))]
    head, *bodies = sent(messages)
    body = b"".join(one["body"] for one in bodies)
    packed = (b"content-encoding", b"gzip") in head["headers"]
    assert (gzip.decompress(body) if packed else body) == b"".join(pieces)
    assert packed == (len(pieces) == 1 and len(pieces[0]) >= LEAST)
