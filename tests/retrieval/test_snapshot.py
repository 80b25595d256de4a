"""Snapshots are atomic, and damaged ones are refused."""

import json
from pathlib import Path

import pytest

from retrieval import Manifest, SnapshotError
from retrieval.snapshot import CURRENT, MANIFEST, open_snapshot, save_snapshot


def save(folder: Path, text: str = "content", made_with: str = "encoder-1") -> Manifest:
    def fill(target: Path) -> Manifest:
        (target / "data").write_text(text)
        return Manifest(version="1", made_with=made_with, dim=8, count=3, watermark=7)

    return save_snapshot(folder, fill)


def current(folder: Path) -> Path:
    return folder / (folder / CURRENT).read_text().strip()


def test_a_saved_snapshot_is_opened(tmp_path: Path) -> None:
    saved = save(tmp_path / "index")
    snapshot = open_snapshot(tmp_path / "index", "encoder-1")
    assert snapshot.manifest == saved
    assert (snapshot.manifest.count, snapshot.manifest.dim, snapshot.manifest.watermark) == (3, 8, 7)
    assert (snapshot.path / "data").read_text() == "content"


def test_a_new_snapshot_replaces_the_old_one_and_leaves_no_other_files(tmp_path: Path) -> None:
    save(tmp_path, "old")
    save(tmp_path, "new")
    assert (open_snapshot(tmp_path, "encoder-1").path / "data").read_text() == "new"
    assert {path.name for path in tmp_path.iterdir()} == {CURRENT, current(tmp_path).name}


@pytest.mark.parametrize("moment", ["while writing", "before the switch"])
def test_a_crash_leaves_the_old_snapshot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
    save(tmp_path, "old")

    def crash(*_: object) -> Manifest:
        raise OSError("no space left")

    if moment == "before the switch":
        monkeypatch.setattr(Path, "replace", crash)
    with pytest.raises(OSError, match="no space left"):
        save(tmp_path, "new") if moment == "before the switch" else save_snapshot(tmp_path, crash)
    assert (open_snapshot(tmp_path, "encoder-1").path / "data").read_text() == "old"


@pytest.mark.parametrize("damage", ["truncated", "tampered", "missing"])
def test_a_damaged_file_is_refused_with_its_name(tmp_path: Path, damage: str) -> None:
    save(tmp_path)
    data = current(tmp_path) / "data"
    if damage == "missing":
        data.unlink()
    else:
        data.write_text("conten" if damage == "truncated" else "c0ntent")
    with pytest.raises(SnapshotError, match=r"data.*remedy"):
        open_snapshot(tmp_path, "encoder-1")


@pytest.mark.parametrize(
    "change",
    [{"count": -1}, {"format": 2}, {"surprise": 1}, {"files": {"../data": "0"}}, {"dim": "eight"}],
    ids=lambda change: next(iter(change)),
)
def test_a_manifest_that_does_not_fit_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    save(tmp_path)
    path = current(tmp_path) / MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(SnapshotError, match="remedy"):
        open_snapshot(tmp_path, "encoder-1")


def test_a_snapshot_of_another_encoder_is_refused_with_both_names(tmp_path: Path) -> None:
    save(tmp_path, made_with="encoder-0")
    with pytest.raises(SnapshotError, match="made with encoder-0; active: encoder-1"):
        open_snapshot(tmp_path, "encoder-1")


def test_a_folder_without_a_snapshot_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SnapshotError, match="no snapshot"):
        open_snapshot(tmp_path / "nowhere", "encoder-1")


@pytest.mark.parametrize("name", ["../elsewhere", "/etc", "", "snapshot-gone"])
def test_a_pointer_to_anything_but_a_snapshot_is_refused(tmp_path: Path, name: str) -> None:
    save(tmp_path)
    (tmp_path / CURRENT).write_text(name)
    with pytest.raises(SnapshotError, match="remedy"):
        open_snapshot(tmp_path, "encoder-1")
