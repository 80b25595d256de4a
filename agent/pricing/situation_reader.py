"""Situations: requests as the models read them, joined with catalogue and history, protected attributes dropped.

The products' part of step 1; the shoppers' part is in `shopper_reader.py`, the context's in `visits.py`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray

from agent.domain.fields import minor_of
from agent.domain.records import ProductRecord
from agent.domain.refusal import FieldProblem, Refusal
from agent.domain.request import ID_ALONE, QuotedProduct, QuoteRequest, RecommendationRequest, Shopper, product_record
from agent.pricing.effect_terms import (
    EVERYWHERE,
    OFFERS,
    RIVAL,
    Trait,
    crossed_terms,
    crossings_of,
    forget_words,
    market_traits,
    offer_traits,
    product_traits,
    rival_traits,
    shopper_traits,
    terms_of,
    word_traits,
)
from agent.pricing.flow import Encoded
from agent.pricing.shopper_reader import Asking, PlannedMemory, ShopperReader
from agent.pricing.situation import Market, ReadRequest, ShopperView, Situation, Sold, Visit
from agent.pricing.visits import Visits
from agent.rules.packs import payable, payable_step
from agent.rules.price_limits import RequestLimits
from agent.state.arrival_rates import Arrivals, Remaining
from agent.state.cached_encoder import CachedEncoder
from agent.state.catalogue import Catalogue, merge_inline
from agent.store.shopper_memory import ShopperMemory
from models.evaluator.lesson import Term
from models.evaluator.tried_prices import TriedPrices, TriedRange
from models.evaluator.utility import Stock
from models.shopper.features import Subject, feature_matrix
from models.shopper.history import ShopperHistory
from models.shopper.interest import InterestHead
from models.shopper.item_affinity import Taste
from models.shopper.texts import STRANGER
from models.strategist.strategy import AnchorPrices

AHEAD: Final = 4
PLAIN: Final = {"shopper", "product", "quantity"}
"""Fields of a request whose product is as the catalogue has it, unless the product's own fields say more."""
_IDENTITY: Final = ("currency", "list_minor", "title", "description", "category", "brand", "attributes")
_UNLIMITED: Final = RequestLimits()


StepOf = Callable[[ProductRecord], int]
"""The smallest payable step of a product's price, in minor units."""


def _currency_step(product: ProductRecord) -> int:
    return payable_step(product.currency)


@dataclass(frozen=True, slots=True)
class Readers:
    """Models that turn texts into states and states into interest."""

    encoder: CachedEncoder
    interest: InterestHead


@dataclass(frozen=True, slots=True)
class TrainingProvenance:
    """Training data of the evaluator, as far as it sets the priors of effects learned online.

    Attributes:
        in_domain: Whether it was trained on this store's own data.
        learned: Prior sds of level and slope by effect, as fitted by the training; None where it fitted none.
        training: Whether a training is going on, which fits all effects.
        tried: Prices that were offered in it.
        behaviour: Whether it reads the texts of shoppers' behaviour; if not, all have the state of an unknown one.
    """

    in_domain: bool
    learned: Mapping[str, tuple[float, float]] | None = None
    training: bool = False
    tried: TriedPrices | None = None
    behaviour: bool = True

    def fits(self, prefix: str) -> bool:
        """Whether effects that begin so are fitted, or were: those that only a training on own outcomes brings."""
        return self.training or any(group.startswith(prefix) for group in self.learned or ())


class SituationReader:
    """Joins requests with shoppers and catalogue."""

    def __init__(
        self,
        catalogue: Catalogue,
        shoppers: ShopperReader,
        arrivals: Arrivals,
        readers: Readers,
        provenance: TrainingProvenance,
    ) -> None:
        """`readers` turn text into states."""
        self._catalogue = catalogue
        self._shoppers = shoppers
        self._arrivals = arrivals
        self._encoder = readers.encoder
        self._interest = readers.interest
        self._readers, self._provenance = readers, provenance
        self._crossings = crossings_of(provenance.learned)
        self._fits_offers, self._fits_rival = provenance.fits(OFFERS), provenance.fits(RIVAL)
        self._sold: dict[str, Sold] = {}

    def for_training(self) -> "SituationReader":
        """A reader of effects as they are before any training."""
        plain = TrainingProvenance(in_domain=False, training=True)
        return SituationReader(self._catalogue, self._shoppers, self._arrivals, self._readers, plain)

    @property
    def crosses(self) -> bool:
        """Whether effects beside the product's depend on the product: those of earlier offers, products of effects."""
        return bool(self._crossings) or self._fits_offers

    def tried(self, subject: Subject) -> TriedRange | None:
        """The range of log price ratios that was ever offered of a product; None where that is not known."""
        known = self._provenance.tried
        return None if known is None else known.of(subject.product, subject.category)

    @property
    def catalogue(self) -> Catalogue:
        """Products."""
        return self._catalogue

    @property
    def interest(self) -> InterestHead:
        """Interest of shoppers in categories, from their states."""
        return self._interest

    @property
    def taste(self) -> Taste:
        """Item factors."""
        return self._shoppers.taste

    @property
    def personalises(self) -> bool:
        """Whether personalised prices are allowed at all."""
        return self._shoppers.personalises

    @property
    def encoder_version(self) -> str:
        """Version of the encoder that texts are read by."""
        return self._encoder.version

    def read(
        self, requests: Sequence[QuoteRequest], now: datetime, step_of: StepOf = _currency_step
    ) -> list[ReadRequest | Refusal]:
        """One situation a request, or why it cannot be priced; reference prices are multiples of the product's step."""
        at_s = self.behaviour_s(now)
        moments = [at_s if r.context.at is None else self.behaviour_s(r.context.at) for r in requests]
        visits = self.visits(requests, now)
        found: list[ReadRequest | Refusal | None] = [None] * len(requests)
        for row in sorted(range(len(requests)), key=lambda row: (requests[row].shopper.id or "", moments[row])):
            found[row] = self._one(requests[row], moments[row], visits, step_of)
        return [one for one in found if one is not None]

    def visits(self, requests: Sequence[QuoteRequest], now: datetime) -> Visits:
        """Start reading the visits of one batch."""
        return Visits(self._shoppers.begin(requests, now), self._catalogue.weeks, self._shoppers.pack, now)

    def read_shopper(self, asked: Asking, now: datetime) -> ShopperView:
        """The shopper of one request, whatever the product."""
        at = asked.context.at or now
        return self._shoppers.begin([asked], now).read(asked, self.behaviour_s(at), at)

    def read_ahead(self, shopper_ids: Sequence[str], now: datetime) -> None:
        """Read and encode the latest `AHEAD` of these shoppers before their next quote, and have all remembered."""
        latest = list(dict.fromkeys(reversed(shopper_ids)))
        for shopper_id in latest:
            self._shoppers.shoppers.want(shopper_id)
        asked = [RecommendationRequest(shopper=Shopper(id=shopper_id)) for shopper_id in latest[:AHEAD]]
        if asked:
            shoppers = self._shoppers.begin(asked, now)
            self.shopper_states([shoppers.read(one, self.behaviour_s(now), now).past.text for one in asked])

    def plan_memories(self, shopper_ids: Sequence[str], now: datetime) -> list[PlannedMemory]:
        """Shoppers of whom the store should keep something else; see `ShopperReader.plan_memories`."""
        return self._shoppers.plan_memories(shopper_ids, now)

    def memories(self, planned: Sequence[PlannedMemory], late_sales: int) -> list[ShopperMemory]:
        """Memories that the store should keep of shoppers; see `ShopperReader.memories`."""
        return self._shoppers.memories(planned, late_sales)

    def behaviour_s(self, at: datetime) -> float:
        """A moment on the behaviour clock, Unix seconds."""
        return self._shoppers.clock.behaviour_time(at).timestamp()

    def forget_texts(self) -> None:
        """Drop cached words and encoder states of texts, for an erasure."""
        self._encoder.forget()
        self._shoppers.pasts.forget()
        forget_words()

    def shopper_states(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Encoder states `(n, dim)` of shoppers by their behaviour texts, as far as the evaluator reads these."""
        return self.encode_texts(texts if self._provenance.behaviour else [STRANGER] * len(texts))

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Encoder states `(n, dim)`, cached by text."""
        return self._encoder.encode(texts)

    def encode(self, situations: Sequence[Situation]) -> Encoded:
        """Encoder states, interest and features of a batch."""
        shopper = self.shopper_states([o.past.text for o in situations])
        product = self._catalogue.states([o.product for o in situations])
        category = self._catalogue.category_states([o.subject.category for o in situations])
        features = feature_matrix([o.features for o in situations])
        interest = self._interest.of_features(shopper, category, features)
        products = [o.subject.product for o in situations]
        affinity = self._shoppers.taste.affinity([o.past.buyer for o in situations], products, product)
        return Encoded(shopper, product, interest, affinity, features)

    def _one(self, request: QuoteRequest, behaviour_s: float, visits: Visits, step_of: StepOf) -> ReadRequest | Refusal:
        sold = self.sold(request, behaviour_s, step_of)
        if isinstance(sold, Refusal):
            return sold
        product, reference, subject = sold.product, sold.reference_minor, sold.subject
        visit = visits.read(request, behaviour_s)
        who, history = visit.shopper, visit.shopper.history
        market = self._market(request, product, reference, visit)
        loyalty = history.loyalty(subject.category, behaviour_s)
        situation = Situation(
            behaviour_s=behaviour_s,
            product=product,
            product_id=sold.product_id,
            quantity=request.quantity,
            reference_minor=reference,
            anchors=AnchorPrices(
                reference_minor=reference,
                list_minor=product.list_minor or reference,
                competitor_minor=market.rival_minor,
                last_paid_minor=_last_paid(history, product),
            ),
            request_limits=_limits(request),
            market=market,
            past=who.past,
            features=visit.features.row(subject),
            intent=history.intent(subject.product, subject.category, behaviour_s),
            loyalty=loyalty,
            terms=(*sold.terms, *self.terms_beside(request, sold, visit, loyalty)),
            subject=subject,
            as_listed=_is_as_listed(self._catalogue.product(request.product.id or ""), product, reference),
        )
        return ReadRequest(situation, visit)

    def sold(self, request: QuoteRequest, behaviour_s: float, step_of: StepOf = _currency_step) -> Sold | Refusal:
        """The product of a request at a moment of the behaviour clock, or why it cannot be priced."""
        product = self._product(request)
        if isinstance(product, Refusal):
            return product
        reference = self._reference(request.product, product, behaviour_s)
        if reference is None:
            return _refused("product.list_price", "the product has no known price", "a list_price")
        return self._sold_at(request.product, product, payable(reference, step_of(product)))

    def terms_beside(self, request: QuoteRequest, sold: Sold, visit: Visit, loyalty: str) -> tuple[Term, ...]:
        """Effects of a visit and its market beside those of the product, on a shopper of some loyalty.

        Where the training fitted products of these with the product's, they come last.
        """
        product, reference = sold.product, sold.reference_minor
        lowest = visit.rivals.lowest_minor
        units = request.context.inventory if request.context.inventory is not None else product.inventory
        own = sold.terms if self.crosses else None
        key = (loyalty, request.quantity, units, lowest / reference if lowest else None, own)
        others = visit.terms.get(key)
        if others is None:
            market = self._market(request, product, reference, visit)
            traits = (
                *shopper_traits(visit.shopper, loyalty),
                *(offer_traits(visit.shopper, sold.subject, visit.behaviour_s) if self._fits_offers else ()),
                *market_traits(market, request.quantity, reference),
                *(rival_traits(market, reference) if self._fits_rival else ()),
                *word_traits("context", visit.words.attributes),
            )
            others = self._terms(traits)
            if own is not None:
                others += crossed_terms(own, others, self._crossings)
            visit.terms[key] = others
        return others

    def _sold_at(self, quoted: QuotedProduct, product: ProductRecord, reference: int) -> Sold:
        """A product at its reference price, cached where the request says nothing more, until the catalogue changes."""
        kept = self._sold.get(product.product_id)
        if kept is not None and kept.product is product and kept.reference_minor == reference:
            return kept
        subject = Subject(quoted.id or "", product.category, product.brand, float(reference))
        terms = self._terms([EVERYWHERE, *product_traits(quoted, product, reference)])
        sold = Sold(product, quoted.id, reference, subject, terms)
        if self._catalogue.product(product.product_id) is product:
            self._sold[product.product_id] = sold
        return sold

    def _terms(self, traits: Sequence[Trait]) -> tuple[Term, ...]:
        return terms_of(traits, in_domain=self._provenance.in_domain, learned=self._provenance.learned)

    def _product(self, request: QuoteRequest) -> ProductRecord | Refusal:
        quoted = request.product
        known = self._catalogue.product(quoted.id) if quoted.id is not None else None
        if known is not None and request.model_fields_set <= PLAIN and quoted.model_fields_set <= ID_ALONE:
            return known
        if known is None and quoted.list_price is None:
            return _refused(
                "product.id",
                f"no product has the id {quoted.id!r:.80}",
                "a known id, or a list_price and a description",
            )
        currencies = dict(request.money())
        if known is not None:
            other = next((field for field, code in currencies.items() if code != known.currency), None)
            if other is not None:
                return _refused(other, f"the product is priced in {known.currency}", known.currency)
            if quoted.model_fields_set <= ID_ALONE:
                return known
        currency = known.currency if known is not None else next(iter(currencies.values()))
        return merge_inline(known, _inline(quoted, currency))

    def _reference(self, quoted: QuotedProduct, product: ProductRecord, behaviour_s: float) -> int | None:
        """The list price in the request, else the catalogue's reference price."""
        if quoted.list_price is not None:
            return quoted.list_price.amount_minor
        reference = self._catalogue.reference_minor(product, behaviour_s)
        return round(reference) if reference >= 1 else None

    def _market(self, request: QuoteRequest, product: ProductRecord, reference: int, visit: Visit) -> Market:
        return Market(
            rival_minor=visit.rivals.lowest_minor,
            promotion=visit.promotion,
            trend=visit.trend,
            season=visit.season,
            jurisdiction=request.context.jurisdiction or None,
            hours_left=visit.hours_left,
            stock=self._stock(request, product, reference, visit),
        )

    def _stock(self, request: QuoteRequest, product: ProductRecord, reference: int, visit: Visit) -> Stock:
        hours = visit.hours_left
        units = request.context.inventory if request.context.inventory is not None else product.inventory
        weekly = self._catalogue.weekly_units(product.product_id, visit.behaviour_s)
        stock = Stock(units, weekly, hours / 168 if hours is not None else None, self._shoppers.pack.sunk_cost)
        if units is None or hours is None or request.product.id is None:
            return stock
        cost = stock.kept_cost((product.cost_minor or 0) / reference)
        bid = self._arrivals.bid(request.product.id, Remaining(units, hours, cost), weekly)
        return replace(stock, bid=bid)


def _last_paid(history: ShopperHistory, product: ProductRecord) -> int | None:
    """The price that the shopper last paid for the product; None when unknown or in another currency."""
    paid = history.products.get(product.product_id)
    return paid.last_price_minor or None if paid is not None and paid.last_currency == product.currency else None


def _inline(quoted: QuotedProduct, currency: str) -> ProductRecord:
    """The product as the request describes it; without a title, brand and category stand for one."""
    record = product_record(quoted, quoted.id or "", currency)
    return record if record.title else replace(record, title=" ".join(filter(None, (quoted.brand, quoted.category))))


def _is_as_listed(known: ProductRecord | None, sold: ProductRecord, reference_minor: int) -> bool:
    """Whether the catalogue's product at its list price is sold, not another one that a request describes under its id.

    A fare, or a configured product, has a price of its own in each request: no price history is known of it.
    """
    if known is None or known.list_minor != reference_minor:
        return False
    return known is sold or all(getattr(known, name) == getattr(sold, name) for name in _IDENTITY)


def _limits(request: QuoteRequest) -> RequestLimits:
    limits = request.limits
    if not limits.model_fields_set:
        return _UNLIMITED
    return RequestLimits(
        min_minor=minor_of(limits.min_price),
        max_minor=minor_of(limits.max_price),
        min_margin_frac=limits.min_margin,
        max_discount_frac=limits.max_discount,
    )


def _refused(field: str, message: str, allowed: str) -> Refusal:
    return Refusal(422, "not-priceable", message, (FieldProblem(field, message, "", allowed),))
