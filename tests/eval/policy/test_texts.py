from collections.abc import Sequence
from pathlib import Path

from eval.policy.cold_start import LAUNCHES, TITLES, first_visits, policies
from eval.policy.policies import HoldReference, StaticPolicy
from eval.policy.texts import ToldTexts, without_texts
from eval.simulators import Visit
from eval.simulators.titled import Titled
from models.evaluator.evaluator_file import load_evaluator
from models.registry.registry import ModelKind, Registry
from tests.prepared import World


class _Noted(StaticPolicy):
    def __init__(self) -> None:
        self.seen: list[Visit] = []

    def prices(self, visits: Sequence[Visit]) -> list[float]:
        self.seen += visits
        return [1.0] * len(visits)


def test_a_shop_of_titles_has_the_same_demand_in_both_languages_and_five_new_products_a_kind() -> None:
    english, chinese = Titled(7, "English"), Titled(7, "Chinese")
    assert english.new == chinese.new
    assert len(english.new) == 60
    pairs = zip(english.visits(50), chinese.visits(50), strict=True)
    assert all((a.level, a.slope, a.product) == (b.level, b.slope, b.product) for a, b in pairs)
    assert english.catalogue()[0].title != chinese.catalogue()[0].title


def test_models_without_texts_keep_everything_else(world: World, tmp_path: Path) -> None:
    models = world.folder / "models"
    unread = Registry(without_texts(models, tmp_path / "models"))
    read = Registry(models)
    version = unread.active(ModelKind.EVALUATOR)
    folders = (one.active_folder(ModelKind.EVALUATOR) for one in (read, unread))
    with_texts, without = (load_evaluator(folder / "evaluator.safetensors", version) for folder in folders)
    assert with_texts.weights.text is not None
    assert without.weights.text is None
    assert without.base_rate == with_texts.base_rate
    assert unread.active(ModelKind.ENCODER) == read.active(ModelKind.ENCODER)


def test_a_peer_told_the_texts_sees_the_same_numbers_for_one_title_and_others_for_another(world: World) -> None:
    peer, shop = _Noted(), Titled(3, "English")
    told = ToldTexts(peer, shop, world.folder / "models")
    visits = shop.visits(40)
    told.prices(visits)
    told.learn(visits, [1.0] * 40, [False] * 40)
    numbers = {one.product: tuple(v for k, v in one.traits.items() if k.startswith("text:")) for one in peer.seen}
    assert len(set(numbers.values())) == len(numbers) > 20
    assert all(len(one) == 32 for one in numbers.values())


def test_launches_of_titles_compare_with_texts_unread(world: World) -> None:
    models = world.folder / "models"
    titled = policies(next(iter(TITLES)), models, models)
    assert {"Pricesmith, texts unread", "Thompson on a logit, told the texts"} <= titled.keys()
    assert "Pricesmith, texts unread" not in policies(next(iter(LAUNCHES)), models, models)
    held = first_visits(LAUNCHES[next(iter(TITLES))], lambda *_: HoldReference(), 90, taught=False)
    assert 0.3 < held < 1.0
