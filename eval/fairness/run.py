"""Fairness evaluation: simulated shop, demo store, mentions, probes."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from agent.domain.clock import SystemClock
from agent.rules.packs import load_pack
from agent.service.assembly import build_parts, open_store
from agent.service.settings import Settings
from agent.store.data_folder import DataFolder
from eval.fairness.demo import DEMO, DemoShop, group_labels, open_demo
from eval.fairness.groups import by_group
from eval.fairness.mentions import labelled_texts, measure
from eval.fairness.pairs import compare
from eval.fairness.probe import DEMO_LABELS, ProbeLine, probe, probe_mentions
from eval.fairness.report import FairnessReport, MentionLine
from eval.fairness.simulated import SIMULATED, learn
from models.progress import Progress


@dataclass(frozen=True, slots=True)
class Size:
    """Sample sizes.

    Attributes:
        paired: Shoppers in pairs.
        shoppers: Shoppers in groups and probes.
        products: Products per shopper.
        visits: Simulated visits to learn from.
        later: Simulated visits to evaluate.
    """

    paired: int
    shoppers: int
    products: int
    visits: int
    later: int


FULL: Final = Size(40, 300, 10, 1_500, 600)
QUICK: Final = Size(6, 120, 5, 300, 150)


def evaluate(settings: Settings, size: Size, progress: Progress) -> FairnessReport:
    """Run the whole evaluation on the store and models of `settings`."""
    learned = learn(DataFolder(settings.data_dir).models, size.visits, size.later, progress)
    try:
        pairs = compare(SIMULATED, list(learned.pairs()), learned.policy.drafts)
        groups = by_group(SIMULATED, learned.quotes())
    finally:
        learned.policy.close()
    pack = load_pack(settings.pack)
    with open_store(settings) as store:
        parts = build_parts(settings, store, SystemClock(), None)
        few = open_demo(parts, pack, size.paired, size.products)
        progress("pairs", 0.0)
        pairs = compare(DEMO, list(few.pairs()), few.price) + pairs
        progress("pairs", 1.0)
        shop = open_demo(parts, pack, size.shoppers, size.products)
        groups = by_group(DEMO, shop.quotes(progress)) + groups
        probes = probes_of(shop, progress)
    return FairnessReport(pairs, groups, mention_lines(), probes)


def mention_lines() -> list[MentionLine]:
    """Measure recall and precision by part and language."""
    texts = labelled_texts()
    lines: list[MentionLine] = []
    for held_out in (False, True):
        for chinese in (False, True):
            result = measure([one for one in texts if (one.held_out, one.chinese) == (held_out, chinese)])
            part, language = "held out" if held_out else "tuned", "Chinese" if chinese else "English"
            lines.append(MentionLine(part, language, result.mentions, result.recall, result.plain, result.precision))
    return lines


def probes_of(shop: DemoShop, progress: Progress) -> list[ProbeLine]:
    """Probe for added mentions, then for the labels of the demo data."""
    behaviour = shop.behaviour()
    encode = shop.parts.pipeline.observer.reader.encode_texts
    lines = probe_mentions(behaviour, shop.pack, encode)
    progress("probes", 0.6)
    labels = [group_labels(shopper.profile) for shopper in shop.shoppers]
    for name in labels[0]:
        known = [row for row, groups in enumerate(labels) if groups[name]]
        sides = sorted({labels[row][name] for row in known})
        y = np.asarray([sides.index(labels[row][name]) for row in known], np.int64)
        if len(sides) == 2 and min(y.sum(), len(y) - y.sum()) >= 10:
            lines.append(probe(name, DEMO_LABELS, [behaviour[row] for row in known], y, encode))
    progress("probes", 1.0)
    return lines
