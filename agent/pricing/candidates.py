"""Step 3: candidate strategies from four sources, each under its own name.

`model` writes eight under the grammar; `retrieved` are the moves at which similar offers sold; `numeric` is a search
over every whole-percent move the limits allow; `reference` holds the price that everyone may pay. The evaluator scores
them all alike.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import median
from typing import Final

import numpy as np
from numpy.typing import NDArray

from agent.domain.candidates import Origin, Source
from agent.domain.decision import HeldReason, SimilarProduct
from agent.pricing.flow import Observation, Proposal
from models.arrays import Floats
from models.evaluator.evidence import Neighbours
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
class SoldMoves:
    """Moves at which similar offers sold, of each observation.

    Attributes:
        count: Number of offers that sold, `(n,)`.
        total: Number of offers found, `(n,)`.
        mean_ratio: Mean price ratio of those that sold, `(n,)`; 0 where none did.
        moves: Their mean weighted by similarity, and their lower quartile, in whole percent, `(n, 2)`.
    """

    count: Sequence[int]
    total: Sequence[int]
    mean_ratio: Sequence[float]
    moves: Sequence[Sequence[int]]


def sold_moves(found: Neighbours) -> SoldMoves:
    """The moves at which retrieved offers sold."""
    n, k = found.bought.shape
    sold = found.bought > 0
    count = sold.sum(axis=1)
    ratios = np.where(sold, found.price_ratio, 0.0)
    mass = np.where(sold, np.maximum(found.similarity, 0.0) ** 4, 0.0)
    weighted = (ratios * mass).sum(axis=1) / np.maximum(mass.sum(axis=1), 1e-9)
    moves = np.zeros((n, 2))
    if k:
        moves = np.rint(100 * (np.stack([weighted, _lower_quartile(found.price_ratio, sold, count)], axis=1) - 1))
    mean = ratios.sum(axis=1) / np.maximum(1, count)
    return SoldMoves(count.tolist(), found.count.tolist(), mean.tolist(), moves.astype(np.int64).tolist())


def _lower_quartile(ratios: Floats, sold: NDArray[np.bool_], count: NDArray[np.int64]) -> Floats:
    """The 25 % quantile of the ratios that sold of each row, interpolated as `np.quantile` does; 1 without any."""
    ordered = np.sort(np.where(sold, ratios, np.inf), axis=1)
    rows, place = np.arange(len(ordered)), np.maximum(0, count - 1) * 0.25
    low = place.astype(np.int64)
    high = np.minimum(low + 1, np.maximum(0, count - 1))
    one_end, other = (np.where(count > 0, ordered[rows, end], 1.0) for end in (low, high))
    gap, share = other - one_end, place - low
    return np.where(share < 0.5, one_end + gap * share, other - gap * (1 - share))


def facts_of(
    observation: Observation,
    similar: Sequence[SimilarProduct],
    sold: tuple[int, int, float],
    interest: float,
    lifts: tuple[float, float, float],
    cost_ratio: float,
) -> StrategistFacts:
    """The strategist's input for one request, in ratios to the reference price.

    Args:
        observation: The request.
        similar: Similar products.
        sold: How many of the retrieved offers sold, of how many, and at which mean ratio.
        interest: In the product's category.
        lifts: The evaluator's expected price response, see `StrategistFacts`.
        cost_ratio: Opportunity cost of a unit over the reference price.
    """
    reference = observation.reference_minor
    market = observation.market
    prices = [s.price_minor for s in similar if s.price_minor and s.currency == observation.currency]
    last_paid = observation.anchors.last_paid_minor
    bought, total, ratio = sold
    return StrategistFacts(
        category=observation.subject.category,
        interest=interest,
        lifts=lifts,
        may_rise=observation.may_rise,
        cost_ratio=cost_ratio,
        list_ratio=observation.anchors.list_minor / reference,
        last_paid_ratio=last_paid / reference if last_paid else None,
        rival_ratio=market.rival_minor / reference if market.rival_minor else None,
        similar_ratio=median(prices) / reference if prices else None,
        past_ratio=ratio if bought else None,
        past_bought=bought,
        past_total=total,
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


def retrieved_proposals(observation: Observation, sold: SoldMoves, row: int) -> list[Proposal]:
    """The moves at which similar offers sold: their weighted mean and their lower quartile."""
    count = sold.count[row]
    if count < _MIN_SOLD:
        return []
    found = {}
    for move in sold.moves[row]:
        strategy = move_strategy(move, None)
        price = _price(strategy, observation)
        if price is not None:
            average = sold.mean_ratio[row] - 1
            reason = f"{count} of {sold.total[row]} alike offers sold, on average at {average:+.0%}"
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
                reason = "among the best of a search over moves from the reference"
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


@lru_cache(maxsize=4096)
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
