"""`score` predicts what the evaluator predicts for the rows it was trained on: histories and inputs are the same.

Evidence alone may differ a little: in training it is of earlier blocks of time, in `score` of everything before.
"""

import csv
from pathlib import Path

import numpy as np

from agent.cli.score_rows import score_file
from agent.service.ingest import ReadingOptions
from agent.training.own_outcomes import read_outcomes
from agent.training.own_rows import OwnRowReader, situations_of
from agent.training.own_store import train_on_store
from models.evaluator.evaluator import Evaluator
from models.evaluator.evaluator_file import load_evaluator
from models.registry.registry import ModelKind
from models.training.own_assembly import own_projection
from models.training.own_rows import OwnRows
from models.training.own_texts import unread
from tests.agent.training.test_own_store import filled, outcomes, own_store, shop, silent
from tests.prepared import World

SIZE, EVERY = 1_600, 23
COLUMNS = ("shopper_id", "product_id", "price", "reference_price", "at")


def predicted(rows: OwnRows, some: np.ndarray, evaluator: Evaluator) -> np.ndarray:
    inputs = evaluator.represent(situations_of(rows, some, evaluator))
    log_ratio = np.asarray(rows.data.log_ratio[some], np.float64)[:, None]
    return np.asarray(evaluator.expect(inputs, log_ratio).purchase[:, 0])


def test_rows_of_training_and_rows_to_score_have_the_same_inputs(world: World, tmp_path: Path) -> None:
    logged = outcomes(2.0, SIZE)
    service = filled(shop(world, tmp_path / "data"), logged)
    train_on_store(own_store(service), "own", silent)
    assert service.reload() is not None
    parts = service._parts
    folder = parts.folder.models / ModelKind.EVALUATOR.value / "own"
    evaluator = load_evaluator(folder / "evaluator.safetensors", "own")
    own, catalogue = read_outcomes(parts.store, silent), parts.catalogue
    reader = parts.pipeline.observer.reader.for_training()
    projection = own_projection(catalogue.known_states(own.products))
    (tmp_path / "work").mkdir()
    rows = OwnRowReader(parts.store, reader, catalogue.known_states, projection).rows(own, tmp_path / "work", silent)
    rows = rows if evaluator.weights.behaviour else unread(rows)
    some = np.arange(5, SIZE, EVERY)

    file = tmp_path / "offers.csv"
    with file.open("w", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(COLUMNS)
        for place in some.tolist():
            row = logged[place]
            assert row.reference_minor
            amounts = f"{row.price_minor / 100:.2f}", f"{row.reference_minor / 100:.2f}"
            writer.writerow([row.shopper_id, row.product_id, *amounts, row.at.isoformat()])
    score_file(service, file, tmp_path / "scored.csv", ReadingOptions(), silent)
    with (tmp_path / "scored.csv").open(newline="") as handle:
        scored = np.asarray([float(row["purchase_probability"]) for row in csv.DictReader(handle)])
    service.close()

    assert scored.std() > 0.1
    apart = np.abs(scored - predicted(rows, some, evaluator))
    assert np.median(apart) < 0.002
    assert apart.max() < 0.012
