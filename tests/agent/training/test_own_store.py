import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from agent.cli.main import app as commands
from agent.domain.decision import Decision
from agent.domain.records import OutcomeRecord, OutcomeType, ProductRecord
from agent.domain.request import QuoteRequest
from agent.service.assembly import open_service
from agent.service.opening import open_store
from agent.service.service import Service
from agent.service.settings import Settings
from agent.training.own_outcomes import read_outcomes
from agent.training.own_rows import OwnRowReader
from agent.training.own_store import OwnStore, train_on_store
from agent.training.promotion import NotProven, Promotions
from models.errors import TrainingDataError
from models.registry.registry import ModelKind, Registry
from models.shopper.features import FEATURES
from models.training.own_assembly import own_projection
from models.training.own_checks import LEAST_OUTCOMES
from retrieval import OutcomeMemory
from tests.prepared import LOADED, World, linked

START = datetime(2026, 1, 5, tzinfo=UTC)
N = 1_500


def silent(_what: str, _share: float) -> None:
    pass


def shop(world: World, folder: Path) -> Settings:
    """A data folder with models and nothing else."""
    folder.mkdir()
    shutil.copytree(world.folder / "models", folder / "models", copy_function=linked)
    return Settings.model_validate(
        {"data_dir": folder, "default_deadline_ms": 30_000, "min_margin_frac": 0.0, "never_above_reference": False}
    )


def products(count: int = 12) -> list[ProductRecord]:
    return [
        ProductRecord(
            f"p{i}", f"Thing number {i}", "EUR", list_minor=2_000 + 500 * i, cost_minor=900, category="things"
        )
        for i in range(count)
    ]


def outcomes(elasticity: float, n: int = N) -> list[OutcomeRecord]:
    """Offers in a shop where demand has this elasticity and shoppers differ."""
    rng = np.random.default_rng(8)
    keen = rng.normal(0, 1.0, 80)
    found = []
    for k in range(n):
        product, shopper = int(rng.integers(12)), int(rng.integers(80))
        ratio = float(rng.choice([0.75, 0.85, 0.95, 1.0, 1.1]))
        logit = -1.0 + keen[shopper] - elasticity * np.log(ratio)
        bought = rng.random() < 1 / (1 + np.exp(-logit))
        reference = 2_000 + 500 * product
        found.append(
            OutcomeRecord(
                outcome_id=f"o{k}",
                shopper_id=f"s{shopper}",
                product_id=f"p{product}",
                currency="EUR",
                price_minor=round(reference * ratio),
                reference_minor=reference,
                type=OutcomeType.PURCHASED if bought else OutcomeType.DECLINED,
                quantity=1,
                at=START + timedelta(minutes=60 * k),
                propensity=0.2,
            )
        )
    return found


def filled(settings: Settings, rows: list[OutcomeRecord]) -> Service:
    service = open_service(settings, open_store(settings), shared=LOADED)
    service.upsert_products(products())
    service.import_outcomes(rows)
    return service


@pytest.fixture(scope="module")
def flat(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    service = filled(shop(world, tmp_path_factory.mktemp("flat") / "data"), outcomes(1.0))
    yield service
    service.close()


@pytest.fixture(scope="module")
def steep(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    service = filled(shop(world, tmp_path_factory.mktemp("steep") / "data"), outcomes(6.0))
    yield service
    service.close()


def price(service: Service) -> int:
    answer = service.quote([QuoteRequest.model_validate({"shopper": {"id": "s1"}, "product": {"id": "p6"}})])[0]
    assert isinstance(answer, Decision)
    return answer.price_minor


def test_a_more_elastic_shop_gets_lower_prices_without_a_restart(flat: Service, steep: Service) -> None:
    reports = {}
    for name, service in (("flat", flat), ("steep", steep)):
        made = train_on_store(own_store(service), name, silent)
        assert service.reload() is not None
        reports[name] = made.report
        assert made.meta.kind is ModelKind.EVALUATOR
        assert made.meta.trained_on.startswith(f"{N} outcomes of the own store")
        assert service._parts.learner.in_domain
        assert Promotions(service._parts.folder.models).history()[-1].version == name
    assert reports["flat"].elasticity[2] < reports["steep"].elasticity[1]
    assert price(steep) < price(flat)


def test_the_report_names_every_model_on_the_latest_outcomes_and_admits_a_loss(flat: Service) -> None:
    models = flat._parts.folder.models
    before = Registry(models).in_use()
    made = train_on_store(own_store(flat), "again", silent, activate=False)
    assert Registry(models).in_use() == before
    with pytest.raises(NotProven, match="has no proof on this shop's log"):
        Promotions(models).activate(ModelKind.EVALUATOR, "again")
    names = [line.name for line in made.report.lines]
    assert names == ["Pricesmith", "base rate", "logit in log price", "LightGBM, monotone in price"]
    assert sum(made.report.rows.values()) == N
    own, _, logit, _ = made.report.lines
    assert own.log_loss <= logit.log_loss + 0.005
    for line in made.report.lines[1:]:
        assert line.low <= line.high
        assert (line.log_loss < own.log_loss) == any(note.startswith(line.name) for note in made.report.notes)


def test_moving_the_future_changes_no_earlier_row(world: World, tmp_path: Path) -> None:
    rows = outcomes(2.0, 300)
    later = [
        replace(row, outcome_id=f"later{i}", at=rows[-1].at + timedelta(days=1 + i), type=OutcomeType.PURCHASED)
        for i, row in enumerate(rows[:60])
    ]
    found = []
    for name, content in (("a", rows), ("b", rows + later)):
        service = filled(shop(world, tmp_path / name), content)
        own = read_outcomes(service._parts.store, silent)
        catalogue = service._parts.catalogue
        projection = own_projection(catalogue.known_states(own.products))
        work = tmp_path / f"work{name}"
        work.mkdir()
        parts = service._parts
        walker = OwnRowReader(parts.store, parts.pipeline.observer.reader, catalogue.known_states, projection)
        found.append(np.asarray(walker.rows(own, work, silent).data.numeric[: len(rows), : len(FEATURES)]))
        service.close()
    assert found[0] == pytest.approx(found[1], abs=1e-6)
    assert found[0].any()


def test_outcomes_that_identify_no_price_response_end_the_command_with_the_reason(world: World, tmp_path: Path) -> None:
    settings = shop(world, tmp_path / "data")
    filled(settings, outcomes(2.0, LEAST_OUTCOMES - 1)).close()
    told = CliRunner().invoke(commands, ["train", "evaluator", "--data-dir", str(settings.data_dir)])
    assert told.exit_code != 0
    assert isinstance(told.exception, TrainingDataError)
    assert "too few" in str(told.exception)


def test_outcomes_that_cannot_be_true_are_left_out_and_named_and_training_goes_on(world: World, tmp_path: Path) -> None:
    rows = outcomes(2.0)
    wrong = [
        replace(rows[3], outcome_id="late", at=datetime(2099, 1, 1, tzinfo=UTC)),
        *(replace(row, outcome_id=f"c{n}", price_minor=row.price_minor * 100) for n, row in enumerate(rows[:300])),
        replace(rows[5], outcome_id="yen", currency="JPY"),
    ]
    service = filled(shop(world, tmp_path / "data"), [*rows, *wrong])
    made = train_on_store(own_store(service), "mended", silent, activate=False)
    service.close()
    assert made.meta.trained_on == f"{N} outcomes of the own store, {rows[0].at.date()} to {rows[-1].at.date()}"
    late, cents, yen = (note for note in made.report.notes if "left out" in note)
    assert late.startswith("1 outcomes dated in the future")
    assert "2099-01-01" in late
    assert cents.startswith("300 outcomes of an implausible price")
    assert "JPY" in yen
    assert all("pricesmith data" in note for note in (late, cents, yen))


def test_too_few_outcomes_for_training_says_what_was_left_out(world: World, tmp_path: Path) -> None:
    rows = [replace(row, at=row.at + timedelta(days=20_000)) for row in outcomes(2.0, 100)]
    service = filled(shop(world, tmp_path / "data"), rows)
    with pytest.raises(TrainingDataError, match="100 outcomes dated in the future were left out"):
        train_on_store(own_store(service), "never", silent)
    service.close()


def test_importing_outcomes_twice_counts_them_and_their_sales_once(world: World, tmp_path: Path) -> None:
    service = filled(shop(world, tmp_path / "data"), outcomes(2.0, 100))
    store = service._parts.store
    events = len(store.shopper_events("s1"))
    service.import_outcomes(outcomes(2.0, 100))
    assert len(store.shopper_events("s1")) == events
    assert json.dumps(sorted(number for number, _ in store.outcomes_since(0))) == json.dumps(list(range(1, 101)))
    service.close()


def test_a_profile_field_of_imported_outcomes_sets_prices_apart(world: World, tmp_path: Path) -> None:
    elasticity = {"thrifty": 6.0, "easy": 1.0}
    rows = [
        replace(row, outcome_id=f"{segment}{row.outcome_id}", shopper_id=None, profile={"segment": segment})
        for segment, steep in elasticity.items()
        for row in outcomes(steep, N // 2)
    ]
    service = filled(shop(world, tmp_path / "data"), rows)
    train_on_store(own_store(service), "segments", silent)
    assert service.reload() is not None
    asked = [
        QuoteRequest.model_validate({"shopper": {"profile": {"segment": segment}}, "product": {"id": "p6"}})
        for segment in elasticity
    ]
    thrifty, easy = service.quote(asked)
    assert isinstance(thrifty, Decision)
    assert isinstance(easy, Decision)
    assert thrifty.price_minor < easy.price_minor
    service.close()


def test_a_promotion_of_imported_outcomes_is_learned_apart_from_the_price(world: World, tmp_path: Path) -> None:
    cheap = 0.85
    rows = [
        replace(
            row,
            context={"promotion.display": row.price_minor < cheap * (row.reference_minor or 0)},
            type=OutcomeType.PURCHASED
            if rng.random() < (0.6 if row.price_minor < cheap * (row.reference_minor or 0) else 0.2)
            else OutcomeType.DECLINED,
        )
        for rng in [np.random.default_rng(3)]
        for row in outcomes(1.0)
    ]
    service = filled(shop(world, tmp_path / "data"), rows)
    train_on_store(own_store(service), "promoted", silent)
    assert service.reload() is not None
    asked = [
        QuoteRequest.model_validate(
            {"product": {"id": "p6"}, "context": {"promotion": {"display": display}}, "limits": {"max_discount": 0}}
        )
        for display in (True, False)
    ]
    shown, plain = service.quote(asked)
    assert isinstance(shown, Decision)
    assert isinstance(plain, Decision)
    assert shown.scores is not None
    assert plain.scores is not None
    assert shown.scores.purchase_probability.value > 1.2 * plain.scores.purchase_probability.value
    service.close()


def own_store(service: Service) -> OwnStore:
    parts = service._parts
    return OwnStore(parts.store, parts.catalogue, parts.pipeline.observer.reader, parts.folder.models)


def test_outcome_memory_made_again_after_a_training_is_kept_by_the_next_command(world: World, tmp_path: Path) -> None:
    settings = shop(world, tmp_path / "data")
    service = filled(settings, outcomes(2.0, 400))
    train_on_store(own_store(service), "fresh", silent)
    service.close()
    command = open_service(settings, open_store(settings), shared=LOADED)
    made = command._parts.outcomes.memory
    assert made.unsaved
    command.close()
    kept = OutcomeMemory.load(command._parts.folder.outcome_memory, made.made_with)
    assert (len(kept), kept.watermark, kept.unsaved) == (400, 400, False)
    again = open_service(settings, open_store(settings), shared=LOADED)
    assert not again._parts.outcomes.memory.unsaved
    again.close()


def test_a_few_hundred_outcomes_train_a_model_that_says_how_little_it_knows(world: World, tmp_path: Path) -> None:
    service = filled(shop(world, tmp_path / "data"), outcomes(3.0, 400))
    made = train_on_store(own_store(service), "few", silent)
    assert service.reload() is not None
    _, low, high = made.report.elasticity
    assert high - low > 1.0
    assert any(note.startswith("400 outcomes tell little") for note in made.report.notes)
    price(service)
    service.close()


def test_prices_that_were_never_offered_are_chosen_only_with_exploration(world: World, tmp_path: Path) -> None:
    service = filled(shop(world, tmp_path / "data"), outcomes(9.0))
    train_on_store(own_store(service), "steep", silent)
    assert service.reload() is not None
    lowest = min(row.price_minor / (row.reference_minor or 1) for row in outcomes(9.0))
    answers = service.quote([QuoteRequest.model_validate({"product": {"id": f"p{number}"}}) for number in range(12)])
    ratios = [one.price_minor / one.reference_minor for one in answers if isinstance(one, Decision)]
    assert len(ratios) == 12
    assert min(ratios) == pytest.approx(lowest, abs=0.01)
    service.close()


def reported(rows: list[OutcomeRecord]) -> list[OutcomeRecord]:
    """Sales of which the dear ones come back more often, and are rated worse."""
    rng = np.random.default_rng(12)
    found = []
    for row in rows:
        if row.type is OutcomeType.PURCHASED:
            assert row.reference_minor
            content = 1 / (1 + np.exp(-1.5 + 5.0 * np.log(row.price_minor / row.reference_minor)))
            rated = float(np.clip(np.round(1 + 4 * content + rng.normal(0, 0.5)), 1, 5))
            row = replace(row, returned=bool(rng.random() > content), rating=rated if rng.random() < 0.5 else None)
        found.append(row)
    return found


def test_reports_of_sales_teach_satisfaction_and_every_report_says_where_it_is_known_from(
    world: World, tmp_path: Path
) -> None:
    plain = filled(shop(world, tmp_path / "plain"), outcomes(2.0, 400))
    told = filled(shop(world, tmp_path / "told"), reported(outcomes(2.0, 2_400)))
    made = {name: train_on_store(own_store(one), name, silent) for name, one in (("plain", plain), ("told", told))}
    assert made["plain"].report.satisfaction.source == "prior"
    assert made["plain"].report.priors == ("intent", "rival", "trend", "satisfaction")
    learned = made["told"].report.satisfaction
    assert learned.source == "learned" and learned.reports > 500
    assert [one.used for one in learned.measures] == ["effects", "effects"]
    assert learned.at_more[0] < learned.at_reference[0] - 0.03
    assert made["told"].report.priors == ("intent", "rival", "trend")
    assert made["told"].meta.config["satisfaction_source"] == "own_outcomes"
    for name, service, source in (("plain", plain, "prior"), ("told", told, "own_outcomes")):
        assert service.reload() is not None
        assert service.score_origin.satisfaction == source
        request = {"shopper": {"id": "s1"}, "product": {"id": "p6"}, "context": {"market_trend": "rising"}}
        answer = service.quote([QuoteRequest.model_validate(request)])[0]
        assert isinstance(answer, Decision)
        assert answer.score_origin.satisfaction == source
        assert answer.score_origin.priors == ("trend", *(("satisfaction",) if source == "prior" else ()))
        assert service.decision(answer.id) == answer
        card = (service._parts.folder.models / "evaluator" / name / "CARD.md").read_text("utf-8")
        assert ("a prior, as the shop reported nothing" in card) == (source == "prior")
        service.close()
