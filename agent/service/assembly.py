"""Assembly: one running service out of settings and a store.

Parts are built in this order, each from those before it:

1. models: the active versions in the data folder, and what the language model wrote
2. memory: catalogue, histories, outcomes and learned effects, read from the store or from snapshots and what came after
3. control: the merchant's rules, the kill switch, the key that signs quotes
4. pipeline: the seven steps of a quote
5. answers beside quotes: recommendations, scores at given prices, explanations

When other model versions are activated, all of it is built again beside the running service, which goes on meanwhile;
parts that do not depend on the changed versions are taken over from it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from agent.domain.clock import Clock, StoreClock, SystemClock
from agent.domain.decision import Versions
from agent.explain.endpoint import Endpoint, EndpointWriter
from agent.explain.explainer import Explainer
from agent.explain.interpretation import Interpreter
from agent.explain.understanding import Classifier
from agent.explain.writers import NarratorWriter, Writer
from agent.pricing.evaluator_inputs import EvaluatorReader
from agent.pricing.grid_search import GridSearch
from agent.pricing.guard import Guard
from agent.pricing.model_proposer import ModelProposer
from agent.pricing.observe import Defaults, Observer
from agent.pricing.past_quotes import PastQuotes
from agent.pricing.pipeline import Pipeline
from agent.pricing.propose import Proposer
from agent.pricing.recommend import Ranker
from agent.pricing.record import DecisionStore, QuoteIssuer, Recorder
from agent.pricing.retrieve import Retriever
from agent.pricing.score import Scorer
from agent.pricing.score_at_prices import RowScorer
from agent.pricing.select import Selector
from agent.pricing.shopper_reader import ShopperReader
from agent.pricing.situation_reader import Readers, SituationReader, TrainingProvenance
from agent.pricing.standing_quotes import Sources, StandingQuotes
from agent.rules.book import RuleBook
from agent.rules.kill_switch import KillSwitch
from agent.rules.packs import Pack, load_pack
from agent.service.auth.quote_tokens import TokenSigner
from agent.service.components import Components
from agent.service.service import Service
from agent.service.serving_models import ServingModels, identified_by, load_models
from agent.service.settings import Settings
from agent.service.settings_rules import settings_rules
from agent.service.strategies import DirectWriters, StrategyStore, WriterSource, open_proposer
from agent.state.arrival_rates import Arrivals
from agent.state.catalogue import Catalogue
from agent.state.known_pasts import KnownPasts, PastMaker
from agent.state.loading import open_histories, open_outcome_memory, open_product_index
from agent.state.online_learner import Learner
from agent.state.outcome_index import OutcomeIndex
from agent.state.preloaded import Preloaded
from agent.state.shared_models import SharedModels
from agent.state.shopper_histories import CAPACITY, ShopperHistories
from agent.state.similar_products import SimilarProducts
from agent.state.store_follower import StoreFollower
from agent.store import Store, StoreKind
from agent.store.data_folder import DataFolder
from agent.store.folder_lock import FolderLock
from models.datasets.complete_journey import DEMO
from models.questions.classifier import load_question_head
from models.registry.registry import ModelKind, Registry, read_meta
from prompts import load_prompt

if TYPE_CHECKING:
    from models.language.narrator import Narrator


def open_service(
    settings: Settings,
    store: Store,
    clock: Clock | None = None,
    shared: SharedModels | None = None,
    writers: WriterSource | None = None,
) -> Service:
    """Build a service over a store, which it owns and closes from here on.

    `writers` write strategies beside quotes; without it they are written while a quote waits, in this process.

    Raises:
        RegistryError: Models are not prepared, or a file is damaged; the message names the remedy.
    """
    clock = clock or SystemClock()
    components = build_components(settings, store, clock, None, shared, writers)
    return Service(components, lambda running: build_components(settings, store, clock, running, shared, writers))


def build_components(
    settings: Settings,
    store: Store,
    clock: Clock,
    running: Components | None,
    shared: SharedModels | None = None,
    writers: WriterSource | None = None,
) -> Components:
    """Build everything that a service consists of, with the model versions that are active now.

    Args:
        settings: Of the merchant.
        store: Of the merchant, its schema up to date.
        clock: Dates quotes.
        running: Components of the service that these will replace; None at its start.
        shared: Large models that other merchants in this process have loaded.
        writers: Write strategies beside quotes; without it they are written while a quote waits, in this process.

    Raises:
        RegistryError: A model version is missing or damaged, or versions do not fit together.
    """
    folder = DataFolder(settings.data_dir)
    registry = Registry(folder.models)
    models = load_models(settings, registry, shared)
    strategies = open_proposer(
        settings,
        registry,
        StrategyStore(store, clock),
        writers or DirectWriters(shared),
        None if running is None else running.strategies,
    )
    preloaded = None if shared is None or running is not None else shared.products(folder.root)
    memory = _memory(_Opened(settings, store, registry, models, preloaded), running)
    control = _control(settings, store, folder, running)
    pipeline = _pipeline(settings, store, models, memory, control, strategies)
    return Components(
        folder=folder,
        lead=FolderLock(folder.workers / "lead.lock") if running is None else running.lead,
        in_use=models.in_use,
        store=store,
        store_kind=store.kind(),
        signer=control.signer,
        clock=clock,
        store_clock=memory.clock,
        catalogue=memory.catalogue,
        shoppers=memory.shoppers,
        outcomes=memory.outcomes,
        learner=memory.learner,
        arrivals=memory.arrivals,
        follower=memory.follower,
        strategies=strategies,
        rules=control.rules,
        kill_switch=control.kill_switch,
        pipeline=pipeline,
        standing=StandingQuotes(
            store,
            Sources(memory.catalogue, control.rules, control.kill_switch, memory.clock),
            stable=settings.stable_prices,
        ),
        ranker=Ranker(pipeline.observer.reader, models.ranking, memory.catalogue),
        row_scorer=RowScorer(pipeline.observer.reader, pipeline.retriever),
        explainer=_explainer(settings, registry, models, memory.catalogue),
    )


@dataclass(frozen=True, slots=True)
class _Opened:
    """Sources of the state in memory; `preloaded` are products that were read before this process was forked."""

    settings: Settings
    store: Store
    registry: Registry
    models: ServingModels
    preloaded: Preloaded | None

    @property
    def folder(self) -> DataFolder:
        """The data folder."""
        return DataFolder(self.settings.data_dir)


@dataclass(frozen=True, slots=True)
class _Memory:
    """State that is rebuilt from the store.

    Attributes:
        clock: Maps the present to the calendar of a demo store, whose history ended years ago.
        catalogue: Products with encoder states, weekly facts and the similarity index.
        shoppers: Purchase and browsing histories.
        outcomes: Past offers and what followed, to be retrieved by similarity.
        learner: Online updates of the evaluator.
        arrivals: Request rates by product.
        follower: Brings catalogue and shoppers up to the store.
    """

    clock: StoreClock
    catalogue: Catalogue
    shoppers: ShopperHistories
    outcomes: OutcomeIndex
    learner: Learner
    arrivals: Arrivals
    follower: StoreFollower


def _memory(opened: _Opened, running: Components | None) -> _Memory:
    """Open the state in memory and bring it up to the store's latest outcome."""
    store, folder, models = opened.store, opened.folder, opened.models
    clock = StoreClock.from_meta(store.meta)
    before = running.follower.marks if running is not None else opened.preloaded and opened.preloaded.marks
    marks = before or store.marks()
    catalogue = _catalogue(opened, running)
    shoppers = (
        running.shoppers if running is not None else open_histories(store, catalogue, _remembered(opened.settings))
    )
    follower = StoreFollower(store, catalogue, shoppers, marks)
    if opened.preloaded is not None:
        follower.follow()  # before outcomes, some of which are of products that came since
    index = open_outcome_memory(folder, models.evaluator.version, store)
    outcomes = OutcomeIndex(index, models.evaluator, catalogue, shoppers, clock)
    outcomes.catch_up(store)
    learner = _learner(folder, opened.registry, models, clock, running)
    learner.catch_up(store)
    arrivals = running.arrivals if running is not None else Arrivals()
    return _Memory(clock, catalogue, shoppers, outcomes, learner, arrivals, follower)


def _catalogue(opened: _Opened, running: Components | None) -> Catalogue:
    """The catalogue; a new encoder gets an index of its own over the same products."""
    encoder, preloaded = opened.models.encoder, opened.preloaded
    if running is not None and running.in_use.get(ModelKind.ENCODER) == encoder.version:
        return running.catalogue
    beside = running.catalogue if running is not None else preloaded.catalogue if preloaded is not None else None
    if preloaded is None or preloaded.encoder != encoder.version:
        index = open_product_index(opened.folder, encoder.version, encoder.dim)
        catalogue = Catalogue(opened.store, encoder, index, beside)
        catalogue.index_missing()
        return catalogue
    catalogue = Catalogue(opened.store, encoder, preloaded.catalogue.index, beside)
    if not preloaded.indexed:
        catalogue.index_missing()
    return catalogue


def _learner(
    folder: DataFolder, registry: Registry, models: ServingModels, clock: StoreClock, running: Components | None
) -> Learner:
    """The online updates of the active evaluator; another evaluator starts with none."""
    version = models.evaluator.version
    if running is not None and running.in_use.get(ModelKind.EVALUATOR) == version:
        return running.learner
    trained_on = read_meta(registry.folder(ModelKind.EVALUATOR, version)).trained_on
    trained_on_demo = trained_on.startswith(DEMO) or StoreKind.DEMO.label in trained_on
    in_domain = trained_on_demo == (clock.history_end is not None)
    return Learner(folder.learning, version, in_domain=in_domain, start=models.evaluator.weights.effects)


@dataclass(frozen=True, slots=True)
class _Control:
    """Controls of the merchant over prices.

    Attributes:
        pack: Defaults of the trade: objective, levers, protected attributes, limits.
        rules: Versioned limits, weights and exploration.
        kill_switch: Holds the reference price for every quote while it is on.
        signer: Signs quote tokens and the head of the audit log.
    """

    pack: Pack
    rules: RuleBook
    kill_switch: KillSwitch
    signer: TokenSigner


def _control(settings: Settings, store: Store, folder: DataFolder, running: Components | None) -> _Control:
    pack = load_pack(settings.pack)
    signer = TokenSigner.load_or_create(folder.signing_key)
    store.seal_with(signer.seal)
    if running is not None:
        return _Control(pack, running.rules, running.kill_switch, signer)
    return _Control(pack, RuleBook(store, settings_rules(settings, pack)), KillSwitch(store), signer)


def _pipeline(
    settings: Settings,
    store: Store,
    models: ServingModels,
    memory: _Memory,
    control: _Control,
    strategies: ModelProposer,
) -> Pipeline:
    """The seven steps, in their order."""
    scorer = Scorer(models.evaluator)
    known_from = identified_by(Registry(DataFolder(settings.data_dir).models), models.evaluator.version, store.kind())
    defaults = Defaults(
        deadline_ms=settings.default_deadline_ms,
        rules=control.rules.current,
        kill_switch=control.kill_switch,
        past=PastQuotes(store, settings.stable_prices),
    )
    return Pipeline(
        observer=Observer(_situation_reader(settings, store, models, memory, control.pack), defaults),
        retriever=Retriever(
            memory.catalogue,
            SimilarProducts(memory.catalogue),
            memory.outcomes,
            EvaluatorReader(models.evaluator, memory.learner),
        ),
        proposer=Proposer(models.evaluator, strategies, GridSearch(), memory.arrivals),
        scorer=scorer,
        selector=Selector(np.random.default_rng),
        guard=Guard(),
        recorder=Recorder(
            DecisionStore(store.record_decisions, store.applied_prices),
            QuoteIssuer(control.signer.sign, timedelta(seconds=settings.quote_ttl_s), settings.stable_prices),
            _versions(models, memory.catalogue, (strategies.prompt.label, known_from)),
            scorer.lessons,
        ),
    )


def _situation_reader(
    settings: Settings, store: Store, models: ServingModels, memory: _Memory, pack: Pack
) -> SituationReader:
    """Reads requests for step 1: joins each with shopper, product and market as the models take them."""
    maker = PastMaker(models.item_affinity, memory.catalogue.title)
    shoppers = ShopperReader(
        store=store,
        shoppers=memory.shoppers,
        clock=memory.clock,
        pack=pack,
        maker=maker,
        pasts=KnownPasts(maker, lambda: memory.catalogue.revision, _remembered(settings)),
        encoder=models.encoder,
        checksum_of=memory.catalogue.checksum,
        personalises=pack.personalises if settings.personalises is None else settings.personalises,
    )
    learner = memory.learner
    sds = learner.start.sd if learner.start is not None else None
    weights = models.evaluator.weights
    provenance = TrainingProvenance(learner.in_domain, sds, tried=weights.tried, behaviour=weights.behaviour)
    readers = Readers(models.encoder, models.interest)
    return SituationReader(memory.catalogue, shoppers, memory.arrivals, readers, provenance)


def _remembered(settings: Settings) -> int:
    """Shoppers whose histories this process keeps in memory: its share, so that more workers take no more memory."""
    return max(1, CAPACITY // settings.workers)


def _versions(models: ServingModels, catalogue: Catalogue, fixed: tuple[str, str]) -> Callable[[], Versions]:
    """Versions for the record of a decision, read at each: the index changes with every product.

    `fixed` are the prompt, and where the price response is known from.
    """
    prompt, known_from = fixed

    def versions() -> Versions:
        return Versions(
            encoder=f"encoder/{catalogue.index.made_with}",
            strategist=f"strategist/{models.strategist}",
            evaluator=f"evaluator/{models.evaluator.version}",
            prompt=prompt,
            index=catalogue.index.version,
            identified_by=known_from,
        )

    return versions


def _explainer(settings: Settings, registry: Registry, models: ServingModels, catalogue: Catalogue) -> Explainer:
    """Answers questions; fixed texts where no writer is set."""
    head = registry.active_folder(ModelKind.UNDERSTANDING)
    read_meta(head)
    classifier = Classifier(models.encoder, load_question_head(head / "understanding.safetensors"))
    return Explainer(Interpreter(classifier, catalogue, catalogue.categories), _writer(settings, registry))


def _writer(settings: Settings, registry: Registry) -> Writer | None:
    """The language model that words explanations: an endpoint, or the narrator, loaded by the first answer."""
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
    def narrator() -> "Narrator":
        from models.language.narrator import load_narrator  # loads torch, which nothing else here needs

        read_meta(folder)
        return load_narrator(folder, version)

    return NarratorWriter(narrator, load_prompt("explanation", 1), Lock())
