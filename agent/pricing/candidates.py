"""Step 3: candidate strategies from four sources, each under its own name.

`model` writes eight under the grammar; `retrieved` are the moves at which similar offers sold; `numeric` is a search
over every whole-percent move the limits allow; `reference` holds the price that everyone may pay. The evaluator scores
them all alike.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from agent.domain.decision import HeldReason, Origin, PastOutcome, SimilarProduct, Source
from agent.pricing.flow import Observation, Proposal
from models.strategist.facts import StrategistFacts, fitting_lever
from models.strategist.proposals import Written
from models.strategist.strategy import (
    ALLOWED_ANCHORS,
    ALLOWED_MOVES,
    DEEPEST_PCT,
    HIGHEST_PCT,
    Anchor,
    Lever,
    Rounding,
    Strategy,
    realise,
)

HOLD: Final = Strategy(Lever.HOLD, Anchor.REFERENCE, 0)
HELD_RATIONALE: Final = {
    HeldReason.OPTED_OUT: "personalisation is off",
    HeldReason.HELD_BY_MERCHANT: "the merchant holds all prices",
    HeldReason.NOT_IN_THIS_TRADE: "personalisation is off in this trade unless the merchant turns it on",
    HeldReason.UNKNOWN_COST: "cost and floor are unknown",
    HeldReason.BARRED_BY_LAW: "the law of the place allows no personal prices of such goods",
    HeldReason.COST_NOT_COVERED: "the reference price does not cover the cost, and the limits allow no other price",
    HeldReason.NO_TIME: "no time was left for more",
    HeldReason.NOTHING_BETTER: "no other candidate is expected to be worth more",
}
_STANDING: Final = "the price that this shopper was quoted before; it stands while that quote lives"
_MIN_SOLD: Final = 3
_REASONS: Final = {
    Lever.HOLD: "no move is expected to pay",
    Lever.DISCOUNT: "a lower price is expected to win more purchases",
    Lever.PREMIUM: "demand is expected to bear more than the reference price",
    Lever.MATCH_COMPETITOR: "meets the cheapest competitor",
    Lever.UNDERCUT_COMPETITOR: "goes below the cheapest competitor",
    Lever.CLEAR_STOCK: "stock is deep against expected sales",
    Lever.LOYALTY_REWARD: "rewards a shopper who buys here regularly",
    Lever.WIN_BACK: "invites back a shopper who has not bought for a while",
    Lever.VOLUME: "several units are asked for",
    Lever.LAST_MINUTE: "the deadline is near",
}


@dataclass(frozen=True, slots=True)
class PriceResponse:
    """The evaluator's expected price response of a request: see `StrategistFacts`."""

    lifts: tuple[float, float, float]
    may_rise: bool


def facts_of(
    observation: Observation,
    similar: Sequence[SimilarProduct],
    past: Sequence[PastOutcome],
    interest: float,
    response: PriceResponse,
) -> StrategistFacts:
    """The strategist's input for one request, in ratios to the reference price."""
    reference = observation.reference_minor
    market = observation.market
    opportunity = market.stock.opportunity_cost(observation.unit_cost / reference, 1.0)
    prices = [s.price_minor for s in similar if s.price_minor and s.currency == observation.currency]
    sold = [outcome.price_ratio for outcome in past if outcome.bought]
    last_paid = observation.anchors.last_paid_minor
    return StrategistFacts(
        category=observation.subject.category,
        interest=interest,
        lifts=response.lifts,
        may_rise=response.may_rise,
        cost_ratio=opportunity,
        list_ratio=observation.anchors.list_minor / reference,
        last_paid_ratio=last_paid / reference if last_paid else None,
        rival_ratio=market.rival_minor / reference if market.rival_minor else None,
        similar_ratio=float(np.median(prices)) / reference if prices else None,
        past_ratio=float(np.mean(sold)) if sold else None,
        past_bought=len(sold),
        past_total=len(past),
        loyalty=observation.loyalty,
        stock=market.stock.word,
        trend=market.trend,
        season=market.season,
        hours_left=market.hours_left,
        quantity=observation.quantity,
    )


def model_proposals(observation: Observation, written: Sequence[Written]) -> list[Proposal]:
    """Strategies that the strategist wrote, priced; one whose anchor is unknown here is left out."""
    found = []
    for item in written:
        price = _price(item.strategy, observation)
        if price is not None:
            found.append(Proposal(item.strategy, Source.MODEL, _REASONS[item.strategy.lever], price))
    return found


def reference_proposal(observation: Observation, why: HeldReason) -> Proposal:
    """Hold the price that everyone may pay."""
    return Proposal(HOLD, Source.REFERENCE, HELD_RATIONALE[why], observation.reference_minor)


def standing_proposals(observation: Observation) -> list[Proposal]:
    """The price that this shopper was quoted before, where one may stand."""
    live, price = observation.live, observation.standing_minor
    if live is None or price is None:
        return []
    return [Proposal(live.strategy, live.source, _STANDING, price, Origin.STANDING)]


def retrieved_proposals(observation: Observation, past: Sequence[PastOutcome]) -> list[Proposal]:
    """The moves at which similar offers sold: their weighted mean and their lower quartile."""
    sold = [outcome for outcome in past if outcome.bought]
    if len(sold) < _MIN_SOLD:
        return []
    ratios = np.asarray([outcome.price_ratio for outcome in sold])
    mass = np.asarray([max(outcome.similarity, 0.0) ** 4 for outcome in sold])
    found = {}
    for ratio in (float(ratios @ mass / max(mass.sum(), 1e-9)), float(np.quantile(ratios, 0.25))):
        strategy = move_strategy(round(100 * (ratio - 1)), None)
        price = _price(strategy, observation)
        if price is not None:
            reason = f"{len(sold)} of {len(past)} alike offers sold, on average at {np.mean(ratios) - 1:+.0%}"
            found[price] = Proposal(strategy, Source.RETRIEVED, reason, price)
    return list(found.values())


def numeric_proposals(observation: Observation, moves: Sequence[int], facts: StrategistFacts) -> list[Proposal]:
    """The best moves of the search, exact and with a retail ending."""
    found = {}
    for move in moves:
        for rounding in (Rounding.EXACT, Rounding.CHARM):
            strategy = move_strategy(move, fitting_lever(facts, move), rounding if move else Rounding.EXACT)
            price = _price(strategy, observation)
            if price is not None and price not in found:
                reason = "among the best of a search over every whole-percent move"
                found[price] = Proposal(strategy, Source.NUMERIC, reason, price)
    return list(found.values())


def explored_proposals(
    observation: Observation, wins: Mapping[int, int], draws: int, facts: StrategistFacts
) -> list[Proposal]:
    """Moves that are best in some of the posterior's draws, the most frequent first; worth trying out."""
    found = {}
    for move, count in sorted(wins.items(), key=lambda item: (-item[1], abs(item[0]))):
        strategy = move_strategy(move, fitting_lever(facts, move))
        price = _price(strategy, observation)
        if price is not None and price not in found:
            reason = f"the best price in {count} of {draws} draws"
            found[price] = Proposal(strategy, Source.NUMERIC, reason, price, Origin.EXPLORED)
    return list(found.values())


def _price(strategy: Strategy, observation: Observation) -> int | None:
    step_minor = observation.price_limits.rules.step_minor
    return realise(strategy, observation.anchors, observation.fraction_digits, step_minor)


def move_strategy(move_pct: int, lever: Lever | None, rounding: Rounding = Rounding.EXACT) -> Strategy:
    """A strategy for a move from the reference; `lever` names the reason when the grammar allows it that move."""
    move = max(DEEPEST_PCT, min(HIGHEST_PCT, move_pct))
    if move == 0:
        return HOLD
    if lever is None or move not in ALLOWED_MOVES[lever] or Anchor.REFERENCE not in ALLOWED_ANCHORS[lever]:
        lever = Lever.DISCOUNT if move < 0 else Lever.PREMIUM
    return Strategy(lever, Anchor.REFERENCE, move, rounding)


def distinct(proposals: Sequence[Proposal]) -> list[Proposal]:
    """The first proposal of each price and lever, in the order given; a standing price stays beside its equal."""
    seen: dict[tuple[int, Lever, bool], Proposal] = {}
    for proposal in proposals:
        key = (proposal.raw_minor, proposal.strategy.lever, proposal.origin is Origin.STANDING)
        seen.setdefault(key, proposal)
    return list(seen.values())
