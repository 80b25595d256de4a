"""A backup is one consistent state of the store, on each database and from one to the other."""

import io
import json
import tarfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Thread

import pytest

from agent.domain.clock import SystemClock
from agent.service.auth.quote_tokens import TokenSigner
from agent.service.backup import BackupError, read_manifest, restore, save_backup
from agent.store import Store, StoredResponse
from agent.store.data_folder import DataFolder
from agent.store.engine import open_database
from agent.store.migrate import downgrade
from tests.agent.store.builders import decision, event, outcome, product

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def silent(_what: str, _share: float) -> None:
    return None


@pytest.fixture(autouse=True)
def _no_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """These tests are about tables and keys; test_backup_of_a_service brings models."""
    monkeypatch.setattr("agent.service.backup.restoration._activate", lambda *_: ())


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    return DataFolder(tmp_path / "data")


def fill(store: Store, folder: DataFolder) -> TokenSigner:
    signer = TokenSigner.load_or_create(folder.signing_key)
    store.seal_with(signer.seal)
    store.upsert_products([product(), product(product_id="p2", rating=None, cost_minor=None), product(product_id="p3")])
    store.remove_product("p3")
    store.append_events([event(text=f"{n} 汉字 \U0001f34a") for n in range(5)])
    store.record_decisions([decision(id=f"d{n}", personalised=n % 2 == 0) for n in range(5)])
    store.record_outcomes([outcome(outcome_id=f"o{n}", quote_id=f"d{n}", propensity=0.1 * n) for n in range(3)])
    store.idempotency_begin("k", "i", "0" * 64)
    store.idempotency_finish("k", "i", StoredResponse(200, b"\x00\xff", "application/json"))
    store.erase_shopper("s9")
    return signer


def contents(store: Store) -> list[object]:
    return [
        list(store.iter_products()),
        list(store.removed_products()),
        list(store.events_since(0)),
        list(store.logged()),
        list(store.outcomes_since(0)),
        list(store.audit_links()),
        store.audit_head(),
        store.idempotency_begin("k", "i", "0" * 64),
    ]


@pytest.mark.parametrize("target", ["sqlite", "postgresql"])
def test_what_is_restored_is_what_was_there_on_either_database(
    store_url: str, target: str, folder: DataFolder, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    with Store.open(store_url) as store:
        signer = fill(store, folder)
        before = contents(store)
        save_backup(store, folder, tmp_path / "b.tar", NOW, silent)
    elsewhere = DataFolder(tmp_path / "elsewhere")
    other = f"sqlite:///{tmp_path}/other.db" if target == "sqlite" else request.getfixturevalue("second_postgres_url")
    restore(tmp_path / "b.tar", other, elsewhere, silent)

    with Store.open(other) as store:
        assert contents(store) == before
        own = TokenSigner.load_or_create(elsewhere.signing_key)
        assert own.key_id == signer.key_id
        assert (store.audit_report(own.is_sealed).problems, store.audit_report(own.is_sealed).sealed) == ([], True)
        store.append_events([event(text="next")])
        assert [number for number, _ in store.events_since(0)] == [1, 2, 3, 4, 5, 6]


def test_numbers_of_deleted_rows_are_not_reused_after_a_restore(
    store_url: str, folder: DataFolder, tmp_path: Path
) -> None:
    with Store.open(store_url) as store:
        store.append_events([event(shopper_id="gone"), event(), event(shopper_id="gone")])
        store.erase_shopper("gone")
        save_backup(store, folder, tmp_path / "b.tar", NOW, silent)
    restore(tmp_path / "b.tar", f"sqlite:///{tmp_path}/other.db", DataFolder(tmp_path / "other"), silent)

    with Store.open(f"sqlite:///{tmp_path}/other.db") as store:
        store.append_events([event(text="next")])
        assert [number for number, _ in store.events_since(0)] == [2, 4]


def test_a_backup_during_writes_is_consistent_and_its_log_intact(
    store_url: str, folder: DataFolder, tmp_path: Path
) -> None:
    stop = Event()
    with Store.open(store_url) as store:
        signer = fill(store, folder)

        def write() -> None:
            number = 0
            while not stop.is_set():
                store.record_decisions([decision(id=f"w{number}")])
                store.record_outcomes([outcome(outcome_id=f"w{number}", quote_id=f"w{number}")])
                number += 1

        writer = Thread(target=write)
        writer.start()
        try:
            taken = [save_backup(store, folder, tmp_path / f"{n}.tar", NOW, silent) for n in range(3)]
        finally:
            stop.set()
            writer.join()
    assert taken[0].audit_seq < taken[2].audit_seq
    url = f"sqlite:///{tmp_path}/other.db"
    restore(tmp_path / "1.tar", url, DataFolder(tmp_path / "other"), silent)
    with Store.open(url) as store:
        report = store.audit_report(signer.is_sealed)
    assert (report.problems, report.head.seq) == ([], taken[1].audit_seq)


def test_a_backup_of_an_older_schema_is_migrated(store_url: str, folder: DataFolder, tmp_path: Path) -> None:
    with Store.open(store_url) as store:
        signer = fill(store, folder)
        kept = store.decision("d0")
    database = open_database(store_url)
    downgrade(database, "0002")
    database.close()
    with Store(open_database(store_url), SystemClock()) as store:  # not `open`, which upgrades
        manifest = save_backup(store, folder, tmp_path / "b.tar", NOW, silent)
    assert manifest.revision == "0002"
    url = f"sqlite:///{tmp_path}/other.db"
    restore(tmp_path / "b.tar", url, DataFolder(tmp_path / "other"), silent)
    with Store.open(url) as store:
        assert store.decision("d0") == kept
        assert store.audit_report(signer.is_sealed).problems == []


@pytest.fixture
def archive(folder: DataFolder, tmp_path: Path) -> Path:
    with Store.open(f"sqlite:///{tmp_path}/store.db") as store:
        fill(store, folder)
        save_backup(store, folder, tmp_path / "b.tar", NOW, silent)
    return tmp_path / "b.tar"


def test_a_backup_is_its_owners_alone_and_replaces_nothing(archive: Path, folder: DataFolder) -> None:
    assert archive.stat().st_mode & 0o077 == 0
    assert [path.name for path in archive.parent.glob(".b.tar.*")] == []
    with (
        Store.open(f"sqlite:///{archive.parent}/store.db") as store,
        pytest.raises(BackupError, match="exists; remedy"),
    ):
        save_backup(store, folder, archive, NOW, silent)


def rewritten(archive: Path, change: Callable[[dict[str, bytes]], None]) -> None:
    """The archive again with other members."""
    with tarfile.open(archive) as tar:
        held = {m.name: handle.read() for m in tar.getmembers() if (handle := tar.extractfile(m)) is not None}
    change(held)
    with tarfile.open(archive, "w") as tar:
        for name, content in held.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


def without(name: str) -> Callable[[dict[str, bytes]], None]:
    def change(held: dict[str, bytes]) -> None:
        del held[name]

    return change


def other_format(held: dict[str, bytes]) -> None:
    held["manifest.json"] = json.dumps({**json.loads(held["manifest.json"]), "format": 2}).encode()


def traversal(held: dict[str, bytes]) -> None:
    held["keys/../../evil"] = b"x"


def traversal_in_the_manifest(held: dict[str, bytes]) -> None:
    told = json.loads(held["manifest.json"])
    held["../evil"] = b"x"
    told["files"]["../evil"] = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
    held["manifest.json"] = json.dumps(told).encode()


def flipped(held: dict[str, bytes]) -> None:
    table = held["tables/decisions.parquet"]
    held["tables/decisions.parquet"] = table[:100] + bytes([table[100] ^ 1]) + table[101:]


DAMAGE: dict[str, tuple[Callable[[dict[str, bytes]], None], str]] = {
    "a table gone": (without("tables/decisions.parquet"), "decisions.parquet is missing"),
    "no manifest": (without("manifest.json"), "manifest"),
    "a newer format": (other_format, "format"),
    "a name that climbs out": (traversal, "which no backup does"),
    "a name that climbs out and is in the manifest": (traversal_in_the_manifest, "which no backup does"),
    "a bit flipped": (flipped, "sha256"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_archive_is_refused_with_the_reason_and_nothing_is_written(
    archive: Path, tmp_path: Path, damage: str
) -> None:
    change, reason = DAMAGE[damage]
    rewritten(archive, change)
    with pytest.raises(BackupError, match=reason):
        restore(archive, f"sqlite:///{tmp_path}/other/store.db", DataFolder(tmp_path / "other"), silent)
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_truncated_archive_is_refused(archive: Path, share: float) -> None:
    whole = archive.read_bytes().rstrip(b"\0")  # a tar ends in zeros that nothing needs
    archive.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(BackupError, match="damaged"):
        read_manifest(archive)


def test_a_store_with_data_and_a_folder_with_another_key_are_left_alone(archive: Path, tmp_path: Path) -> None:
    with Store.open(f"sqlite:///{tmp_path}/full.db") as store:
        store.upsert_products([product(product_id="mine")])
    with pytest.raises(BackupError, match="has data already"):
        restore(archive, f"sqlite:///{tmp_path}/full.db", DataFolder(tmp_path / "new"), silent)
    other = DataFolder(tmp_path / "other")
    TokenSigner.load_or_create(other.signing_key)
    with pytest.raises(BackupError, match="differs from the backup"):
        restore(archive, f"sqlite:///{tmp_path}/empty.db", other, silent)
