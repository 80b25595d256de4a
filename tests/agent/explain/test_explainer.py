from collections.abc import Iterator

import pytest

from agent.domain.decision import Decision
from agent.domain.request import QuoteRequest
from agent.explain.answers import Explanation
from agent.explain.questions import Audience, Language, QuestionInput, QuestionKind
from agent.service.service import Service
from agent.store.decision_log import Span
from tests.prepared import World

QUESTIONS = {
    QuestionKind.WHY_PRICE: ("Why this price?", "为什么是这个价格？"),
    QuestionKind.WHY_NOT: ("Why not 2.50?", "为什么不是2.50？"),
    QuestionKind.DRIVER: ("What moved the price most?", "什么对价格影响最大？"),
    QuestionKind.RULE: ("Which rule bound the price?", "哪条规则起了作用？"),
    QuestionKind.WHAT_IF_PRICE: ("What if the price were 1.00?", "如果价格是0.90会怎样？"),
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


def test_an_own_price_is_answered_with_its_scores_and_limits(service: Service, quoted: Decision) -> None:
    found = ask(service, quoted, "10 % lower?")
    asked = round(0.9 * quoted.price_minor)
    request = service._parts.store.request_of(quoted.id)
    assert request is not None
    then = service._counterfactuals().offer(QuoteRequest.model_validate(dict(request)), asked, quoted.at)
    assert then is not None
    assert found.kind is QuestionKind.WHAT_IF_PRICE
    assert found.understood.asked_minor == asked
    assert found.understood.slots.change_pct == -10
    assert found.answer.startswith(
        f"At a price of {asked / 100:.2f} {quoted.currency} instead of the {quoted.price_minor / 100:.2f} "
    )
    chance, told = then.scores.purchase_probability.value, value(found, "asked_probability")
    assert told is not None
    assert float(told.rstrip("%")) == pytest.approx(100 * chance, rel=0.06)
    assert {"asked_profit", "asked_satisfaction", "purchase_probability", "profit", "satisfaction"} <= {
        one.fact for one in found.evidence
    }
    allowed = value(found, "allowed_price")
    assert (allowed is None) == (then.price_minor == asked)
    assert found.report.passed, found.report.problems


def test_a_price_that_the_limits_bar_says_which_of_them_and_where_it_would_end(
    service: Service, quoted: Decision
) -> None:
    found = ask(service, quoted, "What if the price were 0.01?")
    assert value(found, "allowed_price") is not None
    assert "The limits would step in" in found.answer
    assert str(value(found, "rule")) in found.answer


@pytest.mark.parametrize("kind", [kind for kind in QUESTIONS if kind is not QuestionKind.NONE])
@pytest.mark.parametrize("language", list(Language))
def test_an_answer_begins_with_what_was_understood(
    service: Service, quoted: Decision, kind: QuestionKind, language: Language
) -> None:
    found = ask(service, quoted, QUESTIONS[kind][language is Language.ZH])
    assert found.understood.lead
    assert found.answer.startswith(found.understood.lead)


@pytest.mark.parametrize("question", ["What if a competitor sold it at half the price?", "竞争对手半价卖呢？"])
def test_a_competitors_half_price_is_half_and_not_a_tenth_less(
    service: Service, quoted: Decision, question: str
) -> None:
    found = ask(service, quoted, question)
    assert found.understood.asked_minor == round(quoted.price_minor / 2)


def test_a_shopper_is_told_no_price_that_hidden_facts_enter(service: Service, quoted: Decision) -> None:
    for question in ("What if the cost rose by 10 %?", "What if a competitor were 10 % cheaper?"):
        assert ask(service, quoted, question, Audience.SHOPPER).understood.asked_minor is None


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
        ("which products are most price sensitive?", QuestionKind.NONE),
        ("哪些商品对价格最敏感？", QuestionKind.NONE),
        ("how did unobtainium do yesterday?", QuestionKind.NONE),
    ],
)
def test_questions_about_many_quotes_are_answered_from_the_log(
    service: Service, quoted: Decision, question: str, kind: QuestionKind
) -> None:
    found = service.question(QuestionInput(question))
    assert found.kind is kind
    assert found.report.passed, found.report.problems


@pytest.mark.parametrize("question", ["How did product {} do today?", "商品{}今天卖得怎么样？"])
def test_a_product_over_the_log_is_told_alone(service: Service, quoted: Decision, world: World, question: str) -> None:
    found = service.question(QuestionInput(question.format(world.bought)))
    assert found.kind is QuestionKind.PRODUCT_SALES
    assert found.understood.slots.products == (world.bought,)
    assert found.answer.startswith(found.understood.lead)
    assert world.bought in found.understood.lead
    store, period = service._parts.store, found.understood.slots.period
    assert period is not None
    sums = store.discounts(Span(period.since, period.until), product_ids=[world.bought])
    assert value(found, "quotes") == f"{sums.quotes:,}"
    assert sums.quotes > 0
    assert value(found, "mean_price") is not None
    assert found.report.passed, found.report.problems


def test_a_name_that_several_products_have_is_said_to_be_unclear(
    service: Service, quoted: Decision, world: World
) -> None:
    title = quoted.product_title
    same = [one for one in service._parts.store.iter_products() if one.title == title]
    found = service.question(QuestionInput(f"How did {title} do today?"))
    assert found.kind is QuestionKind.PRODUCT_SALES
    assert len(found.understood.slots.products) >= len(same)
    assert (value(found, "matched") is None) == (len(found.understood.slots.products) == 1)
    assert found.report.passed, found.report.problems
