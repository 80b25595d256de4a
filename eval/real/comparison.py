"""Pricesmith beside its peers on real data: log loss, calibration, elasticity, and what quoted prices would earn."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np
from numpy.typing import NDArray

from agent.cli.output import print_facts, print_table
from eval.real.data import RealSet
from eval.real.peers import Demand, peers_of
from eval.real.sets import SETS
from eval.real.shop import STEP, RealShop, Trained, stepped_price, template_shop
from models.arrays import Floats
from models.progress import Progress
from models.training.own_report import losses, paired_interval

PRICESMITH: Final = "Pricesmith"
_BOOTSTRAPS: Final = 2_000
_SEED: Final = 17


@dataclass(frozen=True, slots=True)
class Line:
    """Figures of one model on the held-out rows of one set.

    Attributes:
        elasticity: Of demand: weighted by expected sales.
        less_ours: Its log loss minus Pricesmith's with a 95 % interval over shoppers; None for Pricesmith.
        earned: Expected profit a visit at Pricesmith's prices less that at the reference price, under this demand, over
            the latter, with a 95 % interval; None for Pricesmith.
    """

    model: str
    log_loss: float
    mean_over_rate: float
    elasticity: float
    less_ours: tuple[float, float, float] | None
    earned: tuple[float, float, float] | None


@dataclass(frozen=True, slots=True)
class SetReport:
    """Results on one set; `outside` is the share of quoted prices outside those ever offered, over the reference."""

    name: str
    known: int
    held_out: int
    train_s: float
    rows_per_s: float
    outside: float
    notes: tuple[str, ...]
    lines: tuple[Line, ...]

    @property
    def lost_to(self) -> list[str]:
        """Peers with a surely lower log loss."""
        return [one.model for one in self.lines if one.less_ours is not None and one.less_ours[2] < 0]

    @property
    def loses_money_under(self) -> list[str]:
        """Peers under whose demand quoted prices surely earn less than holding."""
        return [one.model for one in self.lines if one.earned is not None and one.earned[2] < 0]


def run_real(names: Sequence[str], progress: Progress, folder: Path | None = None) -> list[SetReport]:
    """Run the sets, each in a data folder of its own; in `folder`, if given, these are kept."""
    with TemporaryDirectory(prefix="pricesmith-real-") as made:
        root = folder or Path(made)
        found = []
        for number, name in enumerate(names):
            share = number / len(names)
            progress(f"real data: {name}", share)
            data = SETS[name]()
            template = template_shop(root / f"template-{data.currency}", data.currency, progress)
            trained = RealShop(data, template, root / name).run(progress)
            progress(f"{data.name}: peers", share)
            found.append(set_report(data, trained, peers_of(data)))
        progress("real data: done", 1.0)
    return found


def set_report(data: RealSet, trained: Trained, peers: dict[str, Demand]) -> SetReport:
    """Compare Pricesmith with fitted peers on the held-out rows."""
    offers, test = data.offers, data.test
    label, weight = offers["bought"].to_numpy(np.float64)[test], offers["weight"].to_numpy(np.float64)[test]
    shopper = np.unique(offers["shopper_id"].to_numpy(str)[test], return_inverse=True)[1]
    price = offers["price"].to_numpy(np.float64)
    ratio = price / offers["reference_price"].to_numpy(np.float64)
    rate = float(np.average(label, weights=weight))
    lower, higher = (stepped_price(data, factor) for factor in (1 - STEP, 1 + STEP))
    gap_of_prices = np.log(higher / lower)[test]

    def line(model: str, p: Floats, stepped: Floats, demand: Demand | None) -> Line:
        loss = losses(label, p)
        gap = None
        if demand is not None:
            low, high = paired_interval((loss - losses(label, trained.p)) * weight, weight, shopper)
            gap = (float(np.average(loss - losses(label, trained.p), weights=weight)), low, high)
        return Line(
            model=model,
            log_loss=float(np.average(loss, weights=weight)),
            mean_over_rate=float(np.average(p, weights=weight)) / rate,
            elasticity=_elasticity(p, stepped, gap_of_prices, weight),
            less_ours=gap,
            earned=None if demand is None else _earned(data, trained, demand),
        )

    lines = [line(PRICESMITH, trained.p, trained.stepped, None)]
    for name, demand in peers.items():
        stepped = np.stack([demand(at)[test] for at in (lower, higher)])
        lines.append(line(name, demand(price)[test], stepped, demand))
    quoted = trained.quoted / offers["reference_price"].to_numpy(np.float64)[trained.rows]
    low, high = ratio[~test].min(), ratio[~test].max()
    return SetReport(
        name=data.name,
        known=int((~test).sum()),
        held_out=int(test.sum()),
        train_s=round(trained.train_s, 1),
        rows_per_s=round(trained.rows_per_s),
        outside=float(((quoted < low - 1e-6) | (quoted > high + 1e-6)).mean()),
        notes=tuple(trained.report["notes"]),
        lines=tuple(lines),
    )


def _elasticity(p: Floats, stepped: Floats, gap_of_prices: Floats, weight: Floats) -> float:
    """Elasticity of total demand: each row's, weighted by its expected sales."""
    return float(np.average(np.log(stepped[0] / stepped[1]) / gap_of_prices, weights=weight * p))


def _earned(data: RealSet, trained: Trained, demand: Demand) -> tuple[float, float, float]:
    offers, rows = data.offers, trained.rows
    reference, cost = (offers[name].to_numpy(np.float64) for name in ("reference_price", "cost"))
    price = reference.copy()
    price[rows] = trained.quoted
    held, quoted = ((at - cost) * demand(at) for at in (reference, price))
    weight = offers["weight"].to_numpy(np.float64)[rows]
    return _relative(quoted[rows], held[rows], weight)


def _relative(quoted: Floats, held: Floats, weight: Floats) -> tuple[float, float, float]:
    """Relative difference of two weighted sums, with a 95 % interval over rows."""
    draws = np.random.default_rng(_SEED).poisson(1.0, (_BOOTSTRAPS, len(weight))) * weight
    found: NDArray[np.float64] = (draws @ quoted) / (draws @ held) - 1
    low, high = np.percentile(found, [2.5, 97.5])
    return float(weight @ quoted / (weight @ held) - 1), float(low), float(high)


def regressions(reports: Iterable[SetReport]) -> list[str]:
    """Describe peers that are surely better, and demands under which quoted prices surely lose against holding."""
    found = []
    for one in reports:
        found += [f"{one.name}: {peer} predicts surely better" for peer in one.lost_to]
        found += [
            f"{one.name}: quoted prices earn surely less than holding by {peer}" for peer in one.loses_money_under
        ]
    return found


def print_report(reports: Sequence[SetReport]) -> None:
    """Print one table a set."""
    for one in reports:
        rows = [
            [
                line.model,
                f"{line.log_loss:.4f}",
                f"{line.mean_over_rate:.2f}",
                f"{line.elasticity:.2f}",
                "" if line.less_ours is None else "{:+.4f} ({:+.4f} to {:+.4f})".format(*line.less_ours),
                "" if line.earned is None else "{:+.1%} ({:+.1%} to {:+.1%})".format(*line.earned),
            ]
            for line in one.lines
        ]
        title = f"{one.name}: {one.known:,} known offers, {one.held_out:,} held out"
        columns = ("model", "log loss", "mean/rate", "elasticity", "less ours", "our prices earn, against holding")
        print_table(title, columns, rows)
        print_facts(
            {
                "trained in": f"{one.train_s:.0f} s",
                "scored": f"{one.rows_per_s:,.0f} rows a second",
                "quoted outside the prices ever offered": f"{one.outside:.0%}",
            }
        )
        for note in one.notes:
            print_facts({"note": note})
