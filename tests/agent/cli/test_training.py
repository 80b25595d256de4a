"""The summary of a training, which commands print and jobs keep."""

import json
from datetime import UTC, datetime

from agent.api.responses.jobs import TrainingResult
from agent.cli.training import training_summary
from agent.service.jobs.messages import End, Told
from agent.training.own_store import OwnTraining
from models.registry.registry import ModelKind, ModelMeta
from models.training.own_report import BASE_RATE, PRICESMITH, Line, OwnReport

LINES = tuple(Line(name, 0.5, 0.1, 0.7, 1.0, low, low + 0.01) for name, low in ((PRICESMITH, 0.0), (BASE_RATE, 0.02)))
MADE = OwnTraining(
    ModelMeta(
        kind=ModelKind.EVALUATOR,
        version="mine",
        created_at=datetime(2026, 12, 1, tzinfo=UTC),
        trained_on="outcomes of this store",
        data_sha256="0" * 64,
        base={},
        config={"seed": 1},
        metrics={"log_loss": 0.5},
        requires={ModelKind.ENCODER: "v2"},
        git_revision="",
        files={},
    ),
    OwnReport({"train": 10, "test": 2}, LINES, (-2.0, -3.0, -1.0), ("a note",)),
)


def test_a_finished_training_reaches_its_job_and_its_reader_whole() -> None:
    told = Told(end=End.DONE, result=training_summary(MADE))
    kept = json.dumps(Told.model_validate_json(told.model_dump_json()).result)
    read = TrainingResult.model_validate_json(kept)
    assert (read.meta["version"], read.proven_better) == ("mine", True)
    assert [line.name for line in read.report.lines] == [PRICESMITH, BASE_RATE]
    assert (read.report.elasticity, read.report.notes) == ([-2.0, -3.0, -1.0], ["a note"])
    assert read.report.rows == {"train": 10, "test": 2}
