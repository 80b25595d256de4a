from collections.abc import Iterator

import pytest

from agent.domain.decision import Decision
from agent.domain.request import QuoteRequest
from agent.explain.answers import Explanation
from agent.explain.questions import Audience, Language, QuestionInput, QuestionKind
from agent.service.service import Service
from tests.prepared import World

QUESTIONS = {
    QuestionKind.WHY_PRICE: ("Why this price?", "为什么是这个价格？"),
    QuestionKind.WHY_NOT: ("Why not 2.50?", "为什么不是2.50？"),
    QuestionKind.DRIVER: ("What moved the price most?", "什么对价格影响最大？"),
    QuestionKind.RULE: ("Which rule bound the price?", "哪条规则起了作用？"),
    QuestionKind.WHAT_IF_STOCK: ("What if we had only 5 left in stock?", "如果只剩5件库存会怎样？"),
    QuestionKind.WHAT_IF_COMPETITOR: ("What if a competitor charged 0.49?", "如果竞争对手卖0.49呢？"),
    QuestionKind.WHAT_IF_COST: ("What if the cost were 0.20?", "如果成本是0.20呢？"),
    QuestionKind.WHAT_IF_HISTORY: ("What would a new customer pay?", "新顾客要付多少？"),
    QuestionKind.COMPARE: ("Why do these two shoppers pay different prices?", "为什么这两位顾客价格不同？"),
    QuestionKind.CONFIDENCE: ("How sure are you?", "你有多大把握？"),
    QuestionKind.SIMILAR_SHOPPERS: ("What did similar shoppers do?", "相似的顾客怎么做的？"),
    QuestionKind.PRICE_HISTORY: ("How has this product's price moved?", "这个商品的价格怎么变化的？"),
    QuestionKind.PERSONALISED: ("Is this price personalised?", "这个价格是个性化的吗？"),
    QuestionKind.NONE: ("Tell me a joke.", "讲个笑话。"),
}
HIDDEN = ("cost", "margin", "profit", "floor", "成本", "毛利", "利润", "底价")


@pytest.fixture(scope="module")
def service(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service of this module's own: a shopper's earlier prices would limit the next one, and be its reason."""
    running = world.copy(tmp_path_factory.mktemp("explained") / "data").service()
    yield running
    running.close()


@pytest.fixture(scope="module")
def quoted(service: Service, world: World) -> Decision:
    request = {
        "shopper": {"id": world.shopper, "profile": {"income": 50_000, "gender": "male"}},
        "product": {"id": world.bought},
    }
    decision = service.quote([QuoteRequest.model_validate(request)])[0]
    assert isinstance(decision, Decision)
    return decision


def ask(service: Service, decision: Decision, question: str, audience: Audience = Audience.MERCHANT) -> Explanation:
    found = service.explain(decision.id, QuestionInput(question, audience=audience))
    assert found is not None
    return found


def value(found: Explanation, fact: str) -> str | None:
    return next((one.value for one in found.evidence if one.fact == fact), None)


@pytest.mark.parametrize("kind", QUESTIONS)
@pytest.mark.parametrize("language", [0, 1], ids=["en", "zh"])
def test_every_kind_is_answered_in_its_language_and_passes_the_check(
    service: Service, quoted: Decision, kind: QuestionKind, language: int
) -> None:
    found = ask(service, quoted, QUESTIONS[kind][language])
    assert found.kind is kind
    assert found.language is (Language.EN, Language.ZH)[language]
    assert found.report.passed, found.report.problems
    assert found.answer


@pytest.mark.parametrize("kind", QUESTIONS)
@pytest.mark.parametrize("language", [0, 1], ids=["en", "zh"])
def test_shoppers_never_see_cost_profit_or_limits(
    service: Service, quoted: Decision, kind: QuestionKind, language: int
) -> None:
    found = ask(service, quoted, QUESTIONS[kind][language], Audience.SHOPPER)
    said = " ".join((found.answer, *(f"{e.fact} {e.label} {e.value}" for e in found.evidence))).lower()
    said = said.replace(quoted.product_title.lower(), "")
    assert not [word for word in HIDDEN if word in said]
    assert found.report.passed, found.report.problems


def test_a_shopper_is_told_the_data_used_and_how_to_opt_out(service: Service, quoted: Decision) -> None:
    answer = ask(service, quoted, "What data did you use about me?", Audience.SHOPPER).answer
    assert "purchase history" in answer
    assert "opt out" in answer


def test_a_what_if_is_the_pipelines_own_price_and_records_nothing(service: Service, world: World) -> None:
    request = {"shopper": {"id": world.shopper}, "product": {"id": world.bought}}
    base = service.quote([QuoteRequest.model_validate(request)])[0]
    assert isinstance(base, Decision)
    rival = max(1, round(0.8 * base.reference_minor))
    found = ask(service, base, f"What if a competitor charged {rival / 100:.2f}?")

    context = {"competitor_prices": [{"amount_minor": rival, "currency": base.currency}], "at": base.at}
    really = service._parts.pipeline.counterfactual().quote(
        [QuoteRequest.model_validate({**request, "context": context, "deadline_ms": 30_000})], base.at
    )[0]
    assert isinstance(really, Decision)
    assert service.decision(really.id) is None
    assert value(found, "whatif_price") == f"{really.price_minor / 100:.2f} {base.currency}"


@pytest.mark.parametrize("question", ["Why not 10 % cheaper?", "为什么不便宜百分之十？"])
def test_a_price_named_as_a_share_is_the_one_compared(service: Service, quoted: Decision, question: str) -> None:
    found = ask(service, quoted, question)
    assert found.kind is QuestionKind.WHY_NOT
    assert value(found, "asked_price") == f"{round(0.9 * quoted.price_minor) / 100:.2f} {quoted.currency}"


def test_another_shopper_of_the_store_is_compared_by_id(service: Service, quoted: Decision) -> None:
    others = [one for one in service._parts.store.shopper_ids() if one != quoted.shopper_id and one.isdigit()]
    found = ask(service, quoted, f"Why does shopper {others[0]} get another price?")
    assert value(found, "other_shopper") == others[0]
    assert value(found, "other_price") is not None


def test_the_named_language_overrides_the_questions(service: Service, quoted: Decision) -> None:
    found = service.explain(quoted.id, QuestionInput("Why this price?", Language.ZH))
    assert found is not None
    assert "参考价" in found.answer


def test_an_unknown_quote_has_no_explanation(service: Service) -> None:
    assert service.explain("no-such", QuestionInput()) is None


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("How did discounts do last week?", QuestionKind.CATEGORY_DISCOUNTS),
        ("哪些商品触及底价？", QuestionKind.FLOOR_PRODUCTS),
        ("Who pays above reference?", QuestionKind.ABOVE_REFERENCE),
        ("Why this price?", QuestionKind.NONE),
    ],
)
def test_questions_about_many_quotes_are_answered_from_the_log(
    service: Service, quoted: Decision, question: str, kind: QuestionKind
) -> None:
    found = service.question(QuestionInput(question))
    assert found.kind is kind
    assert found.report.passed, found.report.problems
