import os
import time
from pathlib import Path

import pytest

from agent.service.jobs import Spool, safe_name


@pytest.mark.parametrize(
    ("given", "suffix", "safe"),
    [
        ("catalogue.csv", ".csv", "catalogue.csv"),
        ("../../etc/passwd.CSV", ".csv", "passwd.csv"),
        (r"C:\shop\Preise März.csv.gz", ".csv.gz", "Preise März.csv.gz"),
        ("", ".ndjson", "upload.ndjson"),
        ("...", ".csv", "upload.csv"),
        ("a\n<b>.parquet", ".parquet", "a__b_.parquet"),
        ("x" * 300 + ".csv", ".csv", "x" * 100 + ".csv"),
        ("data", ".csv", "data.csv"),
    ],
)
def test_a_name_stays_in_its_folder_and_keeps_the_suffix_that_says_the_format(
    given: str, suffix: str, safe: str
) -> None:
    assert safe_name(given, suffix) == safe


def test_crashes_leave_nothing_for_long_and_files_of_unfinished_jobs_stay(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    assert spool.sweep(()) == 0
    for job_id in ("waiting", "ended", "young"):
        upload = spool.begin()
        (upload / "a.csv").touch()
        spool.keep(upload, job_id)
    abandoned, slow = spool.begin(), spool.begin()
    (slow / "a.csv").touch()
    old = time.time() - 4_000
    for path in (abandoned, slow, spool.folder("waiting"), spool.folder("ended")):
        os.utime(path, (old, old))
    for job_id in ("waiting", "ended"):
        os.utime(spool.folder(job_id) / "a.csv", (old, old))
    assert spool.sweep({"waiting"}) == 2
    assert {path.name for path in (tmp_path / "spool").iterdir()} == {"waiting", "young", slow.name}
