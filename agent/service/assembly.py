"""Puts a service together from settings: store, models, indexes, pipeline."""

from datetime import timedelta
from functools import cache
from threading import Lock

import numpy as np

from agent.domain.clock import Clock, StoreClock, SystemClock
from agent.domain.decision import Versions
from agent.explain.endpoint import Endpoint, EndpointWriter
from agent.explain.explainer import Explainer
from agent.explain.understanding import Classifier
from agent.explain.writers import NarratorWriter, Writer
from agent.pricing.grid_search import Search
from agent.pricing.guard import Guard
from agent.pricing.model_proposer import ModelProposer
from agent.pricing.observe import Defaults, Observer
from agent.pricing.past_quotes import PastQuotes
from agent.pricing.pipeline import Pipeline
from agent.pricing.propose import Proposer
from agent.pricing.recommend import Ranker
from agent.pricing.record import Books, Recorder
from agent.pricing.retrieve import Retriever
from agent.pricing.score import Scorer
from agent.pricing.score_at_prices import RowScorer
from agent.pricing.select import Selector
from agent.pricing.shopper_reader import ShopperReader
from agent.pricing.situation_reader import Readers, SituationReader, TrainingProvenance
from agent.rules.book import RuleBook
from agent.rules.kill_switch import KillSwitch
from agent.rules.packs import load_pack
from agent.service.auth.quote_tokens import TokenSigner
from agent.service.parts import Parts
from agent.service.service import Service
from agent.service.settings import Settings
from agent.service.settings_rules import settings_rules
from agent.state.arrival_rates import Arrivals
from agent.state.cached_encoder import CachedEncoder
from agent.state.catalogue import Catalogue
from agent.state.loading import (
    load_active_evaluator,
    load_active_strategist,
    load_encoder,
    open_outcome_memory,
    open_product_index,
)
from agent.state.online_learner import Learner
from agent.state.outcome_index import OutcomeIndex
from agent.state.shared_models import SharedModels
from agent.state.shopper_histories import ShopperHistories
from agent.store import Store
from agent.store.data_folder import DataFolder
from models.datasets.complete_journey import DEMO
from models.encoder.encoder import Encoder
from models.errors import RegistryError
from models.evaluator.evaluator import Evaluator
from models.language.narrator import Narrator, load_narrator
from models.questions.classifier import load_question_head
from models.registry.registry import ModelKind, Registry, read_meta
from models.registry.versions import check_fit
from models.shopper.interest import load_interest
from models.shopper.item_affinity import load_taste
from models.shopper.ranking import load_ranking
from models.strategist.strategist import Strategist
from prompts import Prompt, load_prompt


def open_service(
    settings: Settings, store: Store, clock: Clock | None = None, shared: SharedModels | None = None
) -> Service:
    """Load models and indexes and join them; the service owns the store from here on.

    Raises:
        RegistryError: Models are not prepared, or a file is damaged; the message names the remedy.
    """
    clock = clock or SystemClock()
    parts = build_parts(settings, store, clock, None, shared)
    return Service(parts, lambda running: build_parts(settings, store, clock, running, shared))


def build_parts(
    settings: Settings, store: Store, clock: Clock, running: Parts | None, shared: SharedModels | None = None
) -> Parts:
    """Everything a service is made of, with the versions that are active now.

    What `running` parts hold and the change of versions does not touch is shared with them; large models are shared
    with other merchants through `shared`.
    """
    folder = DataFolder(settings.data_dir)
    registry = Registry(folder.models)
    in_use = registry.in_use()
    check_fit(registry)
    store_clock = StoreClock.from_meta(store.meta)
    evaluator = load_active_evaluator(registry)
    encoder = CachedEncoder(_encoder(registry, settings.threads, shared))
    if running is not None and running.in_use.get(ModelKind.ENCODER) == encoder.version:
        catalogue = running.catalogue
    else:
        catalogue = _catalogue(store, encoder, folder, running)
    shoppers = running.shoppers if running is not None else ShopperHistories(store, catalogue.labels)
    memory = open_outcome_memory(folder, evaluator.version)
    outcomes = OutcomeIndex(memory, evaluator, catalogue, shoppers, store_clock)
    outcomes.catch_up(store)
    learner = _learner(registry, folder, (store_clock, evaluator), running)
    learner.catch_up(store)
    kill_switch = running.kill_switch if running is not None else KillSwitch(store)
    pack = load_pack(settings.pack)
    guard = Guard()
    rules = running.rules if running is not None else RuleBook(store, settings_rules(settings, pack))
    heads = registry.folder(ModelKind.ENCODER, encoder.version)
    taste = load_taste(heads / "taste.safetensors")
    personalises = pack.personalises if settings.personalises is None else settings.personalises
    shopper_reader = ShopperReader(store, shoppers, store_clock, pack, taste, catalogue.title, personalises)
    defaults = Defaults(
        deadline_ms=settings.default_deadline_ms,
        guard=guard,
        rules=rules.current,
        kill_switch=kill_switch,
        past=PastQuotes(store, settings.stable_prices),
    )
    readers = Readers(encoder, load_interest(heads / "interest.safetensors"))
    arrivals = running.arrivals if running is not None else Arrivals()
    provenance = TrainingProvenance(learner.in_domain, learner.start.sd if learner.start is not None else None)
    observer = Observer(SituationReader(catalogue, shopper_reader, arrivals, readers, provenance), defaults)
    retriever = Retriever(catalogue, outcomes)
    scorer = Scorer(evaluator, learner, guard.prices)
    signer = TokenSigner.load_or_create(folder.signing_key)
    store.seal_with(signer.seal)
    prompt = load_prompt("strategist", settings.prompt_version)
    model = _language_model(settings, registry, prompt, shared, starting=running is None)
    pipeline = _pipeline(
        settings,
        (observer, retriever, scorer, guard),
        evaluator,
        model,
        (store, signer, catalogue, arrivals),
    )
    return Parts(
        folder=folder,
        in_use=in_use,
        store=store,
        signer=signer,
        clock=clock,
        store_clock=store_clock,
        catalogue=catalogue,
        shoppers=shoppers,
        outcomes=outcomes,
        learner=learner,
        arrivals=arrivals,
        rules=rules,
        kill_switch=kill_switch,
        pipeline=pipeline,
        ranker=Ranker(observer.reader, load_ranking(heads / "ranking.safetensors"), catalogue),
        row_scorer=RowScorer(pipeline, evaluator),
        explainer=_explainer(registry, encoder, catalogue, _writer(registry, settings)),
    )


def _catalogue(store: Store, encoder: CachedEncoder, folder: DataFolder, running: Parts | None) -> Catalogue:
    """Products and weekly facts, read from the store or shared with running parts; the index is the encoder's own."""
    beside = running.catalogue if running is not None else None
    catalogue = Catalogue(store, encoder, open_product_index(folder, encoder.version), beside)
    catalogue.index_missing()
    return catalogue


def _learner(
    registry: Registry, folder: DataFolder, given: tuple[StoreClock, Evaluator], running: Parts | None
) -> Learner:
    """What outcomes taught the active evaluator; shared with running parts while that stays."""
    clock, evaluator = given
    version = registry.active(ModelKind.EVALUATOR)
    if running is not None and running.in_use.get(ModelKind.EVALUATOR) == version:
        return running.learner
    trained_on_demo = read_meta(registry.folder(ModelKind.EVALUATOR, version)).trained_on.startswith(DEMO)
    in_domain = trained_on_demo == (clock.history_end is not None)
    return Learner(folder.learning, version, in_domain=in_domain, start=evaluator.weights.effects)


def _explainer(registry: Registry, encoder: CachedEncoder, catalogue: Catalogue, writer: Writer | None) -> Explainer:
    head = registry.folder(ModelKind.UNDERSTANDING, registry.active(ModelKind.UNDERSTANDING))
    read_meta(head)
    classifier = Classifier(encoder, load_question_head(head / "understanding.safetensors"))
    return Explainer(classifier, catalogue.categories, writer)


def _writer(registry: Registry, settings: Settings) -> Writer | None:
    """The endpoint where one is set, else the narrator where it is wanted, loaded when the first answer needs it."""
    if settings.writer_url is not None:
        endpoint = Endpoint(
            str(settings.writer_url).rstrip("/"), settings.writer_model, settings.writer_key, settings.writer_timeout_s
        )
        return EndpointWriter(endpoint, load_prompt("explanation_endpoint", 1))
    if not settings.narrator:
        return None
    version = registry.active(ModelKind.NARRATOR)
    folder = registry.folder(ModelKind.NARRATOR, version)

    @cache
    def narrator() -> Narrator:
        read_meta(folder)
        return load_narrator(folder, version)

    return NarratorWriter(narrator, load_prompt("explanation", 1), Lock())


def _language_model(
    settings: Settings, registry: Registry, prompt: Prompt, shared: SharedModels | None, *, starting: bool
) -> ModelProposer:
    """The proposing language model, or one that proposes nothing: by setting, or when a start finds it damaged.

    Raises:
        RegistryError: It was trained on another prompt, or what is to replace a running one is damaged.
    """
    if not settings.language_model:
        return ModelProposer(None, prompt)
    try:
        read_meta(registry.folder(ModelKind.STRATEGIST, registry.active(ModelKind.STRATEGIST)))
    except RegistryError as error:
        if not starting:
            raise
        without = ModelProposer(None, prompt)
        without.trouble = str(error)
        return without
    return ModelProposer(_strategist(registry, prompt, shared), prompt)


def _encoder(registry: Registry, threads: int, shared: SharedModels | None) -> Encoder:
    if shared is None:
        return load_encoder(registry, threads)
    folder = registry.folder(ModelKind.ENCODER, registry.active(ModelKind.ENCODER))
    return shared.get(folder, lambda: load_encoder(registry, threads))


def _strategist(registry: Registry, prompt: Prompt, shared: SharedModels | None) -> Strategist:
    if shared is None:
        return load_active_strategist(registry, prompt)
    folder = registry.folder(ModelKind.STRATEGIST, registry.active(ModelKind.STRATEGIST))
    return shared.get(folder, lambda: load_active_strategist(registry, prompt))


def _pipeline(
    settings: Settings,
    steps: tuple[Observer, Retriever, Scorer, Guard],
    evaluator: Evaluator,
    model: ModelProposer,
    ends: tuple[Store, TokenSigner, Catalogue, Arrivals],
) -> Pipeline:
    observer, retriever, scorer, guard = steps
    store, signer, catalogue, arrivals = ends
    in_use = Registry(DataFolder(settings.data_dir).models).active(ModelKind.STRATEGIST)

    def versions() -> Versions:
        return Versions(
            encoder=f"encoder/{catalogue.index.made_with}",
            strategist=f"strategist/{in_use}",
            evaluator=f"evaluator/{evaluator.version}",
            prompt=model.prompt.label,
            index=catalogue.index.version,
        )

    return Pipeline(
        observer=observer,
        retriever=retriever,
        proposer=Proposer(evaluator, model, Search(guard), arrivals),
        scorer=scorer,
        selector=Selector(np.random.default_rng),
        guard=guard,
        recorder=Recorder(
            Books(store.record_decisions, store.applied_prices),
            signer.sign,
            versions,
            timedelta(seconds=settings.quote_ttl_s),
            holds=settings.stable_prices,
        ),
    )
