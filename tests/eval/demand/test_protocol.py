from dataclasses import fields
from pathlib import Path

import numpy as np

from eval.demand.protocol import load_data, save_data
from models.training.evaluator import EvaluatorData


def test_saved_rows_are_loaded_unchanged_and_missing_arrays_stay_missing(tmp_path: Path) -> None:
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
    save_data(data, tmp_path / "rows")
    again = load_data(tmp_path / "rows")
    for field in fields(EvaluatorData):
        before, after = getattr(data, field.name), getattr(again, field.name)
        if before is None:
            assert after is None
        else:
            np.testing.assert_array_equal(before, after)
