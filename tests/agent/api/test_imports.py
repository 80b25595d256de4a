"""Imports and trainings over HTTP, on the real app with real processes."""

import asyncio
import gzip
import time
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import typer
from litestar import Litestar
from litestar.testing import TestClient

from agent.cli.imports import app as import_commands
from agent.service.ingest.import_request import ImportRequest, option_names
from agent.service.ingest.report import ImportKind
from agent.service.jobs import Spool
from agent.store import Store
from agent.store.job_records import JobKind, NewJob
from agent.store.jobs import Claimant
from agent.store.kind import LOADED_KEY
from models.registry.registry import META
from tests.agent.api.scripted import ADMIN, ScriptedService, scripted_app

HEADERS = {"Authorization": f"Bearer {ADMIN}"}
CSV = {"Content-Type": "text/csv"}
PRODUCTS = b"product_id,list_price,stock\na,9.99,1\nb,x,2\nc,12.00,3\n"
EVENTS = b"shopper_id,type,product_id,at\ns1,view,a,2026-11-01T10:00:00Z\n"
LIMIT_S = 60.0
Client = TestClient[Litestar]


@pytest.fixture
def folder(empty_store: Path) -> Path:
    return empty_store


@pytest.fixture
def client(folder: Path) -> Iterator[Client]:
    changes = {"database_url": f"sqlite:///{folder}/store.db", "upload_limit_bytes": 4_096, "body_limit_bytes": 2_048}
    with TestClient(scripted_app(ScriptedService(), folder, **changes), raise_server_exceptions=False) as running:
        running.headers.update(HEADERS)
        yield running


@pytest.fixture
def store(folder: Path) -> Iterator[Store]:
    with Store.open(f"sqlite:///{folder}/store.db") as opened:
        yield opened


@pytest.fixture
def busy(store: Store, client: Client) -> None:
    """Another server runs a job of this store, so that all others wait."""
    now = datetime.now(UTC)
    while store.unfinished_jobs() == []:
        store.add_job(NewJob("0", JobKind.TRAINING, "key", "{}", now), 9)
        store.claim_job(Claimant("other", timedelta(hours=1), lambda _: True, lambda _: False), now)


def send(client: Client, query: str = "kind=products&currency=USD", body: bytes = PRODUCTS, **more: str) -> Any:
    headers = {"Content-Type": "text/csv", **{name.replace("_", "-"): value for name, value in more.items()}}
    return client.post(f"/v1/imports?{query}", content=body, headers=headers)


def ended(client: Client, answer: httpx.Response) -> Any:
    assert answer.status_code == 202, answer.text
    until = time.monotonic() + LIMIT_S
    while (job := client.get(answer.headers["location"])).json()["state"] in ("waiting", "running"):
        assert job.headers["retry-after"] == "1"
        assert time.monotonic() < until, job.text
        time.sleep(0.1)
    assert "retry-after" not in job.headers
    return job.json()


def refused(answer: httpx.Response, status: int) -> Any:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("application/problem+json")
    return answer.json()


def spooled(folder: Path) -> list[str]:
    spool = folder / "spool"
    return [str(path.relative_to(spool)) for path in spool.rglob("*")] if spool.exists() else []


def test_a_form_is_imported_and_its_report_names_the_rows_that_were_refused(
    client: Client, store: Store, folder: Path
) -> None:
    fields = {"kind": "products", "currency": "USD", "column": "stock=inventory", "timezone": "", "dry_run": ""}
    answer = client.post("/v1/imports", data=fields, files={"file": ("My shop.csv", PRODUCTS, "text/csv")})
    assert answer.headers["location"] == f"/v1/imports/{answer.json()['id']}"
    job = ended(client, answer)
    assert (job["state"], job["attempts"], job["progress"]) == (
        "done",
        1,
        {"fraction": 1.0, "step": "done", "rows": 3},
    )
    assert job["file"] == {"name": "My shop.csv", "size_bytes": len(PRODUCTS)}
    result = job["result"]
    assert (result["read"], result["new"], result["bad"]) == (3, 2, 1)
    assert result["problems"] == [
        {"line": 3, "column": "list_price", "value": "x", "reason": "is not a number; allowed: such as 12.99"}
    ]
    assert store.products(["a"])["a"].inventory == 1
    assert spooled(folder) == []
    [listed] = client.get("/v1/imports").json()["items"]
    assert (listed["result"]["problems"], listed["result"]["problems_left_out"]) == ([], 1)


def test_a_dry_run_reports_on_every_row_and_stores_nothing(client: Client, store: Store) -> None:
    job = ended(client, send(client, "kind=products&currency=USD&dry_run=true"))
    assert (job["result"]["dry_run"], job["result"]["new"], job["result"]["bad"]) == (True, 2, 1)
    assert job["result"]["columns_to_check"][0]["column"] == "stock"
    assert store.product_count() == 0


def test_packed_text_and_events_are_taken(client: Client, store: Store) -> None:
    body = gzip.compress(EVENTS)
    job = ended(client, send(client, "kind=events", body, Content_Encoding="gzip"))
    assert (job["file"]["name"], job["result"]["new"], store.event_count()) == ("upload.csv.gz", 1, 1)


def test_a_file_that_is_not_of_its_kind_fails_with_the_remedy(client: Client) -> None:
    job = ended(client, send(client, "kind=outcomes", b"product_id,price\na,1\n"))
    assert (job["state"], job["problem"]["code"], job["result"]) == ("failed", "file-unreadable", None)
    assert "bought" in job["problem"]["detail"]


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ("", ["kind"]),
        ("kind=prices", ["kind"]),
        ("kind=products&currency=EURO&decimal=dot", ["currency", "decimal"]),
        ("kind=products&dry_run=maybe&column=sku&const=x&column=a=b", ["column", "const", "dry_run"]),
        ("kind=products&timezone=UTC", ["timezone"]),
        ("kind=events&replace=true&from=shopify&timezone=Moon&date_format=x", ["date_format", "from", "replace"]),
        ("kind=products&from=ebay&currency=USD&currency=EUR", ["currency", "from"]),
    ],
)
def test_every_option_that_is_not_of_its_form_is_named_and_nothing_is_kept(
    client: Client, folder: Path, query: str, fields: list[str]
) -> None:
    problem = refused(send(client, query), 422)
    assert set(fields) <= {one["field"] for one in problem["errors"]}
    assert all(one["message"] for one in problem["errors"])
    assert (spooled(folder), client.get("/v1/imports").json()["items"]) == ([], [])


def test_a_field_of_a_form_that_is_no_option_is_named_beside_the_others(client: Client, folder: Path) -> None:
    fields = {"kind": "products", "colour": "red", "currency": "EURO"}
    answer = client.post("/v1/imports", data=fields, files={"file": ("a.csv", PRODUCTS, "text/csv")})
    assert {one["field"] for one in refused(answer, 422)["errors"]} == {"colour", "currency"}
    assert spooled(folder) == []
    assert refused(send(client, "kind=products&colour=red"), 422)["errors"][0]["field"] == "colour"


def test_options_of_the_command_are_those_of_http() -> None:
    group = typer.main.get_group(import_commands)
    for kind in ImportKind:
        named = {one.opts[0].removeprefix("--").replace("-", "_") for one in group.commands[kind.value].params}
        assert named - {"file", "data_dir", "json", "help"} == set(option_names(kind))
    assert {"kind", *(name for kind in ImportKind for name in option_names(kind))} == {
        field.alias or name for name, field in ImportRequest.model_fields.items()
    }


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"Content-Type": "application/json"}, b"[]", 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, PRODUCTS, 415),
        ({"Content-Type": "application/vnd.apache.parquet", "Content-Encoding": "gzip"}, b"x", 415),
        ({**CSV, "Content-Encoding": "zstd"}, b"x", 415),
        (CSV, b"", 422),
        (CSV, b"x" * 4_097, 413),
        ({"Content-Type": "multipart/form-data; boundary=b"}, b"--b\r\nnonsense", 400),
        ({"Content-Type": "multipart/form-data"}, b"--b\r\n", 400),
        ({**CSV, "Idempotency-Key": "x" * 256}, PRODUCTS, 422),
    ],
)
def test_a_body_that_is_no_file_is_refused_and_not_kept(
    client: Client, folder: Path, headers: dict[str, str], body: bytes, status: int
) -> None:
    answer = client.post("/v1/imports?kind=products", content=body, headers=headers)
    refused(answer, status)
    assert spooled(folder) == []


@pytest.mark.parametrize(
    ("files", "status"),
    [
        ([("other", ("a.csv", PRODUCTS, "text/csv"))], 422),
        ([("file", ("a.csv", b"", "text/csv"))], 422),
        ([("file", ("a.xlsx", PRODUCTS, "application/x-excel"))], 415),
        ([("file", ("a.csv", PRODUCTS, "text/csv")), ("file", ("b.csv", PRODUCTS, "text/csv"))], 422),
        ([("file", ("a.csv", b"x" * 5_000, "text/csv"))], 413),
    ],
    ids=["no file", "empty", "other format", "two files", "too large"],
)
def test_a_form_without_one_fitting_file_is_refused_and_not_kept(
    client: Client, folder: Path, files: Any, status: int
) -> None:
    refused(client.post("/v1/imports?kind=products", files=files), status)
    assert spooled(folder) == []


def test_a_stream_without_length_is_cut_at_the_limit(client: Client, folder: Path) -> None:
    with client.portal() as portal:
        assert portal.call(lambda: _asgi(client.app, [b"x" * 1_000] * 10, cut=False)) == 413
    assert spooled(folder) == []


def test_other_bodies_keep_their_own_limit(client: Client) -> None:
    refused(client.post("/v1/quotes", content=b" " * 3_000, headers={"Content-Type": "application/json"}), 413)


def test_a_full_disk_is_told_before_the_file_is_read(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Spool, "free_bytes", lambda _self: 10)
    assert "disk" in refused(send(client), 507)["detail"]


def test_one_key_makes_one_job_whatever_the_form_s_boundary_and_another_file_is_refused(
    client: Client, folder: Path
) -> None:
    def upload(body: bytes) -> httpx.Response:
        found: httpx.Response = client.post(
            "/v1/imports",
            data={"kind": "products", "currency": "USD"},
            files={"file": ("a.csv", body, "text/csv")},
            headers={"Idempotency-Key": "k1"},
        )
        return found

    first, again = upload(PRODUCTS), upload(PRODUCTS)
    assert first.content == again.content
    assert (again.status_code, again.headers["location"]) == (202, first.headers["location"])
    assert again.headers["idempotency-replayed"] == "true"
    refused(upload(PRODUCTS + b"d,1,1\n"), 422)
    ended(client, first)
    assert len(client.get("/v1/imports").json()["items"]) == 1
    assert spooled(folder) == []


@pytest.mark.usefixtures("busy")
def test_a_waiting_job_is_cancelled_at_once_with_its_file_and_cancelling_again_changes_nothing(
    client: Client, folder: Path
) -> None:
    answer = send(client)
    assert spooled(folder) != []
    for _ in range(2):
        cancelled = client.post(f"{answer.headers['location']}/cancel")
        assert (cancelled.status_code, cancelled.json()["state"]) == (200, "cancelled")
    assert spooled(folder) == []
    refused(client.post(f"{answer.headers['location']}/cancel", json={"why": "x"}), 422)


def test_a_job_that_is_done_cannot_be_cancelled_and_others_are_unknown(client: Client) -> None:
    job = ended(client, send(client))
    refused(client.post(f"/v1/imports/{job['id']}/cancel"), 409)
    for path in ("/v1/imports/none", f"/v1/trainings/{job['id']}", "/v1/imports/none/cancel"):
        refused(client.post(path) if path.endswith("cancel") else client.get(path), 404)


@pytest.mark.usefixtures("busy")
def test_pages_lead_from_the_newest_to_the_oldest_and_states_select(client: Client) -> None:
    made = [send(client).json()["id"] for _ in range(5)]
    client.post(f"/v1/imports/{made[0]}/cancel")
    seen: list[str] = []
    page = client.get("/v1/imports?limit=2").json()
    while True:
        seen += [job["id"] for job in page["items"]]
        assert page["has_more"] == (page["next"] is not None)
        if not page["has_more"]:
            break
        page = client.get(f"/v1/imports?limit=2&after={page['next']}").json()
    assert seen == made[::-1]
    assert [job["id"] for job in client.get("/v1/imports?state=cancelled").json()["items"]] == made[:1]
    for query in ("after=x", "limit=0", "limit=201", "state=lost"):
        refused(client.get(f"/v1/imports?{query}"), 422)


@pytest.mark.usefixtures("busy")
def test_so_many_jobs_wait_and_the_next_is_told_to_come_later(client: Client, folder: Path) -> None:
    for _ in range(20):
        assert send(client).status_code == 202
    before = spooled(folder)
    answer = send(client)
    refused(answer, 429)
    assert (answer.headers["retry-after"], spooled(folder)) == ("60", before)


def test_the_demo_store_takes_own_data_on_purpose_alone(client: Client, store: Store, folder: Path) -> None:
    store.set_meta(LOADED_KEY, "2026-01-01")
    assert "demo store" in refused(send(client), 409)["detail"]
    assert spooled(folder) == []
    assert ended(client, send(client, "kind=products&currency=USD&into_demo=true"))["result"]["new"] == 2


@pytest.mark.usefixtures("busy")
def test_a_training_waits_under_a_version_of_its_own(client: Client, folder: Path) -> None:
    answer = client.post("/v1/trainings", json={})
    assert answer.status_code == 202
    assert answer.headers["location"] == f"/v1/trainings/{answer.json()['id']}"
    options = answer.json()["options"]
    assert (options["part"], options["activate"]) == ("evaluator", True)
    assert options["version"]
    for body in ({"part": "encoder"}, {"version": "../x"}, {"layers": 3}):
        refused(client.post("/v1/trainings", json=body), 422)
    known = folder / "models" / "evaluator" / "mine"
    known.mkdir(parents=True)
    (known / META).touch()
    assert refused(client.post("/v1/trainings", json={"version": "mine"}), 422)["errors"][0]["field"] == "version"
    assert client.get("/v1/trainings").json()["items"][0]["id"] == answer.json()["id"]
    assert client.post(f"{answer.headers['location']}/cancel").json()["state"] == "cancelled"


async def _asgi(app: Litestar, chunks: list[bytes], *, cut: bool) -> int:
    """Send a body as an ASGI server does, cut off after the chunks or ended; returns the status."""
    query = b"kind=products&currency=USD"
    headers = [(b"authorization", f"Bearer {ADMIN}".encode()), (b"content-type", b"text/csv")]
    scope: Any = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/v1/imports",
        "raw_path": b"/v1/imports",
        "root_path": "",
        "query_string": query,
        "headers": headers,
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    messages: list[Any] = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    messages.append({"type": "http.disconnect"} if cut else {"type": "http.request", "body": b"", "more_body": False})
    waiting, statuses = iter(messages), []

    async def receive() -> Any:
        return next(waiting)

    async def send_(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    await app(scope, receive, send_)
    return int(statuses[0])


def test_a_sender_who_goes_in_the_middle_leaves_nothing(client: Client, folder: Path) -> None:
    with client.portal() as portal:
        status = portal.call(lambda: _asgi(client.app, [PRODUCTS] * 3, cut=True))
    assert status == 400
    assert spooled(folder) == []


def test_fifty_megabytes_are_written_as_they_come(folder: Path) -> None:
    block = b"a" * 65_535 + b"\n"
    app = scripted_app(ScriptedService(), folder, database_url=f"sqlite:///{folder}/store.db")

    async def measured() -> tuple[int, int]:
        async with app.lifespan():
            await _asgi(app, [b"product_id,list_price\n"], cut=True)  # what is loaded once is no part of an upload
            tracemalloc.start()
            try:
                status = await _asgi(app, [block] * 800, cut=False)
                return status, tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()

    status, peak = asyncio.run(measured())
    assert status == 202
    assert peak < 16 * 2**20, f"{peak / 2**20:.1f} MiB for 50 MiB"


def test_an_answer_has_the_fields_of_its_schema(client: Client) -> None:
    schemas = client.get("/schema/openapi.json").json()["components"]["schemas"]
    assert set(send(client).json()) == set(schemas["ImportJob"]["properties"])
