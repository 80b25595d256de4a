"""Training of the evaluator on a store's own outcomes: check, train, compare, install, activate."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from agent.pricing.situation_reader import SituationReader
from agent.state.catalogue import Catalogue
from agent.store import Store
from agent.training.left_out import LeftOut
from agent.training.own_outcomes import OwnOutcomes, read_outcomes
from agent.training.own_rows import OwnRowReader, situations_of
from agent.training.promotion import Promotions
from models.errors import TrainingDataError
from models.evaluator.evaluator_file import save_evaluator
from models.progress import Progress
from models.registry.registry import ModelKind, ModelMeta, Registry
from models.registry.versions import CARD, install_deltas
from models.training.cards import card
from models.training.identification import Identification, identification, with_evidence
from models.training.identified_by import IDENTIFIED_BY, PRIORS, SATISFACTION
from models.training.own_assembly import own_projection
from models.training.own_checks import check_offers
from models.training.own_evaluator import Trained, train_own, with_newest
from models.training.own_report import OwnReport, report
from models.training.own_rows import OwnRows, Split
from models.training.own_satisfaction import learn_satisfaction


@dataclass(frozen=True, slots=True)
class OwnTraining:
    """The trained version and its comparison with other models."""

    meta: ModelMeta
    report: OwnReport


@dataclass(frozen=True, slots=True)
class OwnStore:
    """A store with outcomes of its own.

    Attributes:
        reader: Reads the situations of its offers.
        models: Folder of model versions, into which the trained one is installed.
    """

    store: Store
    catalogue: Catalogue
    reader: SituationReader
    models: Path


def train_on_store(source: OwnStore, version: str, progress: Progress, *, activate: bool = True) -> OwnTraining:
    """Train the evaluator on the outcomes of the store, install it, and activate it if wanted.

    The report is of a model fitted before the latest outcomes; what is installed was fitted on those too.

    Outcomes that cannot be true, or are probably in another unit, are left out; the report names them.

    Raises:
        TrainingDataError: The outcomes do not identify a price response; nothing is changed.
    """
    now = datetime.now(UTC)
    left_out = LeftOut(source.catalogue.product, now)
    own = read_outcomes(source.store, progress, left_out)
    try:
        check_offers(own.offers, now.timestamp())
    except TrainingDataError as error:
        raise TrainingDataError("; ".join([str(error), *left_out.notes()])) from None
    satisfied = learn_satisfaction(own.sales(partial(_category, source.catalogue)))
    own = own.sample()
    with TemporaryDirectory() as folder:
        work = Path(folder)
        identified = identification(own.offers, own.propensity)
        rows = replace(_rows(source, own, work, progress), doubt=identified.doubt, origins=own.origins)
        split = Split.by_time(own.at_s)
        trained = train_own(rows, split, version, progress)
        identified = with_evidence(identified, trained.evidence)
        found = report(rows, split, trained, situations_of)
        progress("train: refit on all rows", 0.95)
        trained = with_newest(trained, version).with_satisfaction(satisfied.known)
        found = found.with_satisfaction(satisfied.report, trained.evaluator.priors(out_of_domain=False))
        registry = Registry(source.models)
        meta = _meta(source, own, trained, version, _metrics(found))
        known = {
            IDENTIFIED_BY: identified.by.value,
            SATISFACTION: trained.evaluator.satisfaction_source(out_of_domain=False).value,
            PRIORS: ", ".join(found.priors) or "none",
        }
        meta = meta.model_copy(update={"config": {**meta.config, **known}})
        files = work / "version"
        files.mkdir()
        save_evaluator(trained.evaluator.weights, trained.covariances, files / "evaluator.safetensors")
        (files / CARD).write_text(card(meta), "utf-8")
        install_deltas(registry, meta, files)
        if activate:
            Promotions(source.models).begin(ModelKind.EVALUATOR, version, f"trained on {meta.trained_on}")
    return OwnTraining(meta, _noted(found, own, left_out, identified))


def _category(catalogue: Catalogue, product_id: str) -> str:
    known = catalogue.product(product_id)
    return "" if known is None else known.category


def _rows(source: OwnStore, own: OwnOutcomes, work: Path, progress: Progress) -> OwnRows:
    products = source.catalogue.known_states(own.products)
    return OwnRowReader(
        store=source.store,
        reader=source.reader.for_training(),
        items_of=source.catalogue.known_states,
        projection=own_projection(products),
    ).rows(own, work, progress)


def _noted(found: OwnReport, own: OwnOutcomes, left_out: LeftOut, identified: Identification) -> OwnReport:
    for left in left_out.notes():
        found = found.with_note(left)
    if own.of > len(own):
        found = found.with_note(
            f"trained on a sample of {len(own):,} of {own.of:,} outcomes, purchases first, weighted to represent all"
        )
    found = replace(found, identified_by=identified.by)
    return found if identified.note is None else found.with_note(identified.note)


def _metrics(found: OwnReport) -> dict[str, float]:
    own = found.lines[0]
    metrics = {
        "log_loss": own.log_loss,
        "rig": own.rig,
        "auc": own.auc,
        "mean_prediction_over_rate": own.mean_over_rate,
        "elasticity": found.elasticity[0],
        "elasticity_low": found.elasticity[1],
        "elasticity_high": found.elasticity[2],
    }
    metrics |= {
        f"satisfaction, {one.evidence.value}: {name}": value
        for one in found.satisfaction.measures
        for name, value in (("log_loss", one.log_loss), ("log_loss of their mean", one.constant))
        if value is not None
    }
    for line in found.lines[1:]:
        metrics |= {
            f"{line.name}: log_loss": line.log_loss,
            f"{line.name}: log loss less ours, low": line.low,
            f"{line.name}: log loss less ours, high": line.high,
        }
    return metrics


def _meta(
    source: OwnStore, own: OwnOutcomes, trained: Trained, version: str, metrics: Mapping[str, float]
) -> ModelMeta:
    kind, registry = source.store.kind(), Registry(source.models)
    digest = hashlib.sha256()
    for column in (own.shopper, own.product, own.at_s, own.price_minor, own.reference_minor, own.bought, own.weight):
        digest.update(np.ascontiguousarray(column).tobytes())
    first, last = (datetime.fromtimestamp(end, UTC).date() for end in (own.at_s.min(), own.at_s.max()))
    return ModelMeta(
        kind=ModelKind.EVALUATOR,
        version=version,
        created_at=datetime.now(UTC),
        trained_on=f"{own.of} outcomes of the {kind.label}, {first} to {last}",
        data_sha256=digest.hexdigest(),
        base={},
        config={
            **{k: v if isinstance(v, int | float) else str(v) for k, v in trained.config.items()},
            "kinks": trained.choice.kinks,
            "trees": trained.choice.trees,
            "response_below_tried": trained.choice.response,
            **{f"validation log loss, {name}": loss for name, loss in trained.choice.losses.items()},
        },
        metrics=metrics,
        requires={ModelKind.ENCODER: registry.active(ModelKind.ENCODER)},
        git_revision="unknown",
        files={},
    )
