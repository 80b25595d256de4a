from dataclasses import fields
from pathlib import Path

import numpy as np

from eval.demand.protocol import keep, kept
from models.training.evaluator import EvaluatorData


def test_rows_that_were_kept_are_read_again_with_what_they_lack_still_lacking(tmp_path: Path) -> None:
    one = np.ones(3, np.float32)
    rows = np.arange(3)
    data = EvaluatorData(
        numeric=np.ones((3, 2), np.float32),
        shopper_row=rows,
        product_row=rows,
        shopper_states=np.ones((3, 4), np.float32),
        product_states=np.ones((3, 4), np.float32),
        stranger=np.ones(4, np.float32),
        log_ratio=one,
        rate=one,
        bought=one,
        weight=one,
        returned=one * np.nan,
        cluster=rows,
    )
    keep(data, tmp_path / "rows")
    again = kept(tmp_path / "rows")
    for field in fields(EvaluatorData):
        before, after = getattr(data, field.name), getattr(again, field.name)
        if before is None:
            assert after is None
        else:
            np.testing.assert_array_equal(before, after)
