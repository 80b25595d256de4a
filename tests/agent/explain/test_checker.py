import pytest

from agent.explain.check import check
from agent.explain.practice import random_table
from agent.explain.questions import LOG_KINDS, Audience, Kind, Language
from agent.explain.wording import join, sentences
from tests.agent.explain.plants import planted

SEEDS = range(30)


def written(kind: Kind, seed: int, language: Language, audience: Audience = Audience.MERCHANT) -> str:
    table = random_table(kind, seed).seen_by(audience)
    return join([one.text for one in sentences(table, language, audience)], language)


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("kind", Kind)
def test_every_number_and_claim_of_a_thousand_texts_is_in_its_fact_table(kind: Kind, language: Language) -> None:
    for seed in SEEDS:
        for audience in Audience if kind not in LOG_KINDS else (Audience.MERCHANT,):
            table = random_table(kind, seed).seen_by(audience)
            report = check(written(kind, seed, language, audience), table, language, audience)
            assert report.passed, (seed, audience, report.problems)


def test_planted_lies_are_caught() -> None:
    lies = caught = 0
    missed = []
    for kind in Kind:
        for language in Language:
            for seed in SEEDS:
                table = random_table(kind, seed)
                text = written(kind, seed, language)
                for name, lie in planted(text, table, language, seed):
                    lies += 1
                    if check(lie, table, language, Audience.MERCHANT).passed:
                        missed.append((name, kind, language, seed))
                    else:
                        caught += 1
    assert lies > 1_000
    assert caught / lies >= 0.99, missed[:10]


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("kind", Kind)
def test_shoppers_see_neither_cost_nor_profit_nor_limits(kind: Kind, language: Language) -> None:
    hidden = ("cost", "margin", "profit", "floor", "成本", "利润", "毛利", "最低限价")
    for seed in SEEDS:
        text = written(kind, seed, language, Audience.SHOPPER).lower()
        for title in ("oat drink, 1 l",):
            text = text.replace(title, "")
        assert not any(word in text for word in hidden), text
