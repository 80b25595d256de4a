from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from agent.service.ingest import expected_rows
from agent.service.ingest.readers import open_file


@pytest.mark.parametrize("suffix", [".csv", ".ndjson", ".parquet"])
def test_the_number_of_rows_is_estimated_before_they_are_read(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"log{suffix}"
    names = [f"product-{number:05}" for number in range(5000)]
    if suffix == ".parquet":
        pyarrow.parquet.write_table(pyarrow.table({"product_id": names}), path)
    elif suffix == ".csv":
        path.write_text("product_id\n" + "".join(f"{name}\n" for name in names))
    else:
        path.write_text("".join(f'{{"product_id": "{name}"}}\n' for name in names))
    assert len(list(open_file(path).rows)) == 5000
    assert expected_rows(path) == pytest.approx(5000, rel=0.02)


def test_an_unreadable_file_is_expected_to_have_one_row(tmp_path: Path) -> None:
    assert expected_rows(tmp_path / "missing.csv") == 1
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(b"PAR1")
    assert expected_rows(broken) == 1
