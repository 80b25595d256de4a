from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.domain.records import ProductRecord
from agent.explain.interpretation import Interpreter
from agent.explain.questions import NotUnderstood, Question, QuestionInput, QuestionKind
from agent.explain.understanding import Guess

NOW = datetime(2026, 12, 1, 10, tzinfo=UTC)
PRODUCTS = (
    ProductRecord("1082185", "Bananas", "USD", category="TROPICAL FRUIT"),
    ProductRecord("coffee-1", "Ground coffee, medium roast", "USD", category="COFFEE"),
    ProductRecord("coffee-2", "Coffee pods, espresso", "USD", category="COFFEE"),
    ProductRecord("oat-1", "Oat drink, 64 oz", "USD", category="FLUID MILK PRODUCTS"),
    ProductRecord("tea-1", "绿茶，西湖龙井，100 克", "USD", category="茶叶"),
)
UNSURE = Guess(QuestionKind.NONE, 0.4)


@dataclass(frozen=True)
class Quote:
    product_id: str = "1082185"
    currency: str = "USD"
    price_minor: int = 130
    reference_minor: int = 139
    at: datetime = NOW


class Catalogue:
    def product(self, product_id: str) -> ProductRecord | None:
        return next((one for one in PRODUCTS if one.product_id == product_id), None)

    def products(self) -> Sequence[ProductRecord]:
        return PRODUCTS


@dataclass(frozen=True)
class Guesses:
    """Guesses the same of every question, as a classifier that is wrong may."""

    guess: Guess

    def read(self, text: str) -> Guess:
        return self.guess


def reader(guess: Guess) -> Interpreter:
    return Interpreter(Guesses(guess), Catalogue(), lambda: [one.category for one in PRODUCTS])


def of_quote(text: str, guess: Guess = UNSURE, quote: Quote | None = None) -> Question:
    return reader(guess).about_quote(QuestionInput(text), quote or Quote(), NOW)


def of_log(text: str, kind: QuestionKind = QuestionKind.PRODUCT_SALES, probability: float = 0.9) -> Question:
    return reader(Guess(kind, probability)).about_log(QuestionInput(text), NOW)


def asked(found: Question) -> int | None:
    return found.slots.value_from(Quote.price_minor)


WRONG = (
    Guess(QuestionKind.WHAT_IF_COMPETITOR, 0.5),
    Guess(QuestionKind.WHAT_IF_COST, 0.5),
    Guess(QuestionKind.WHAT_IF_STOCK, 0.5),
    Guess(QuestionKind.WHAT_IF_PRICE, 0.9),
    UNSURE,
)


@pytest.mark.parametrize("guess", WRONG, ids=lambda guess: str(guess.kind))
@pytest.mark.parametrize(
    ("text", "price"),
    [
        ("what if the price were 1.00?", 100),
        ("10 % lower?", 117),
        ("如果价格是0.90会怎样？", 90),
        ("and at $1.49?", 149),
        ("99 cents?", 99),
        ("What if we charged one dollar and five cents?", 105),
        ("a dollar fifteen?", 115),
        ("what if it were a dime cheaper?", 120),
        ("5 cents more?", 135),
        ("a 20-cent discount?", 110),
        ("raise the price by 0.20 USD, what then?", 150),
        ("half the price?", 65),
        ("double the price?", 260),
        ("a fifth lower?", 104),
        ("what if the price rose by eight percent", 140),
        ("1.00 instead of 1.30?", 100),
        ("the price goes from 1.30 to 1.10, what then?", 110),
        ("how much less profit at a price 5% higher?", 136),
        ("打八折呢？", 104),
        ("降价百分之十会怎样", 117),
        ("便宜5美分呢", 125),
        ("卖一块二呢？", 120),
        ("价格定为八毛会怎样", 80),
        ("半价呢？", 65),
        ("价格翻倍的话呢？", 260),
        ("从1.30降到1.10呢", 110),
        ("涨价两成呢", 156),
    ],
)
def test_a_question_that_names_an_own_price_is_about_that_price_whatever_the_classifier_says(
    text: str, price: int, guess: Guess
) -> None:
    found = of_quote(text, guess)
    assert (found.kind, asked(found)) == (QuestionKind.WHAT_IF_PRICE, price)


AMOUNTS = {
    "{:.2f}": Decimal(1),
    "${:.2f}": Decimal(1),
    "{:.2f} USD": Decimal(1),
    "{:.2f} dollars": Decimal(1),
    "{:.2f}美元": Decimal(1),
    "{:.2f}元": Decimal(1),
}
FRAMES = {
    "What if the price were {}?": QuestionKind.WHAT_IF_PRICE,
    "would it sell at {}?": QuestionKind.WHAT_IF_PRICE,
    "如果价格是{}会怎样？": QuestionKind.WHAT_IF_PRICE,
    "卖{}行不行？": QuestionKind.WHAT_IF_PRICE,
    "Why not {}?": QuestionKind.WHY_NOT,
    "为什么不是{}？": QuestionKind.WHY_NOT,
    "What if a competitor asked {}?": QuestionKind.WHAT_IF_COMPETITOR,
    "如果竞争对手卖{}呢？": QuestionKind.WHAT_IF_COMPETITOR,
    "What if the unit cost were {}?": QuestionKind.WHAT_IF_COST,
    "成本是{}会怎样？": QuestionKind.WHAT_IF_COST,
}


@given(
    minor=st.integers(20, 2_500).filter(lambda minor: minor not in (Quote.price_minor, Quote.reference_minor)),
    form=st.sampled_from(sorted(AMOUNTS)),
    frame=st.sampled_from(sorted(FRAMES)),
)
@settings(max_examples=150)
def test_an_amount_is_read_in_every_form_by_every_kind_that_can_use_one(minor: int, form: str, frame: str) -> None:
    kind = FRAMES[frame]
    found = of_quote(frame.format(form.format(minor / 100)), Guess(kind, 0.5))
    assert (found.kind, found.slots.amount_minor) == (kind, minor)


@given(share=st.integers(1, 60), down=st.booleans(), chinese=st.booleans())
@settings(max_examples=80)
def test_a_share_is_taken_from_the_quoted_price(share: int, down: bool, chinese: bool) -> None:
    if chinese:
        text = f"{'降价' if down else '涨价'}{share}%会怎样？"
    else:
        text = f"what if it were {share} % {'cheaper' if down else 'dearer'}?"
    found = of_quote(text)
    assert found.kind is QuestionKind.WHAT_IF_PRICE
    assert asked(found) == max(1, round(Quote.price_minor * (1 + (-share if down else share) / 100)))


@pytest.mark.parametrize("probability", [0.4, 0.55])
@pytest.mark.parametrize(
    "text",
    [
        "What if the sales tax went to 9%?",
        "what if shipping cost the customer 4.99?",
        "What if gas prices rose 10%?",
        "What if our website was 20% faster?",
        "what if we hired 5 more people",
        "What if the floor was 0.90?",
        "What is 10% of 1.30?",
        "How much is 1.30 times 12?",
        "如果油价涨10%呢？",
        "如果增值税提高到9%呢？",
        "如果最低毛利是30%呢？",
        "1.30的10%是多少",
    ],
)
def test_a_value_of_something_else_is_not_taken_for_the_price(text: str, probability: float) -> None:
    assert of_quote(text, Guess(QuestionKind.WHAT_IF_PRICE, probability)).kind is QuestionKind.NONE


SURE = {
    "What will the price be tomorrow?": (QuestionKind.PRICE_HISTORY, NotUnderstood.FUTURE),
    "明天价格会是多少？": (QuestionKind.PRICE_HISTORY, NotUnderstood.FUTURE),
    "Set the price to 1.00 please": (QuestionKind.WHAT_IF_PRICE, NotUnderstood.COMMAND),
    "请把价格改成1.00": (QuestionKind.WHAT_IF_PRICE, NotUnderstood.COMMAND),
    "what would we make at €1.35?": (QuestionKind.WHAT_IF_PRICE, NotUnderstood.OTHER_CURRENCY),
    "what if it were 1.10 or 1.20?": (QuestionKind.WHAT_IF_PRICE, NotUnderstood.SEVERAL_AMOUNTS),
    "How sure are you at 0.40 or so?": (QuestionKind.CONFIDENCE, NotUnderstood.UNUSED_AMOUNT),
    "what if the oat drink were 1.00?": (QuestionKind.WHAT_IF_PRICE, NotUnderstood.OTHER_PRODUCT),
    "Why this price in July?": (QuestionKind.WHY_PRICE, NotUnderstood.OTHER_DAYS),
    "Is the product gluten free?": (QuestionKind.PERSONALISED, NotUnderstood.UNKNOWN),
    "Why is the sky blue?": (QuestionKind.WHY_PRICE, NotUnderstood.UNKNOWN),
    "what is the cost of this product": (QuestionKind.WHAT_IF_COST, NotUnderstood.UNKNOWN),
    "Which products hit the floor?": (QuestionKind.FLOOR_PRODUCTS, NotUnderstood.ELSEWHERE_LOG),
}


@pytest.mark.parametrize("text", SURE)
def test_what_cannot_be_answered_is_said_with_its_reason_however_sure_the_classifier_is(text: str) -> None:
    kind, reason = SURE[text]
    found = of_quote(text, Guess(kind, 0.95))
    assert (found.kind, found.reason) == (QuestionKind.NONE, reason)


def test_two_questions_in_one_are_not_answered_by_half() -> None:
    class ByWord:
        def read(self, text: str) -> Guess:
            return Guess(
                QuestionKind.CONFIDENCE if "sure" in text and "Why" not in text else QuestionKind.WHY_PRICE, 0.9
            )

    interpreter = Interpreter(ByWord(), Catalogue(), lambda: ())
    found = interpreter.about_quote(QuestionInput("Why this price? And how sure are you?"), Quote(), NOW)
    assert found.reason is NotUnderstood.SEVERAL_QUESTIONS


@pytest.mark.parametrize("number", ["5512", "33 and 7", "2026"])
def test_a_bare_number_far_from_the_price_is_no_price(number: str) -> None:
    assert of_quote(f"and {number}?").kind is QuestionKind.NONE


@pytest.mark.parametrize(
    ("text", "products", "days"),
    [
        ("how did bananas do yesterday?", ("1082185",), ("2026-11-30", "2026-11-30")),
        ("banana sales since Monday", ("1082185",), ("2026-11-30", "2026-12-01")),
        ("How many oat drinks were sold in November?", ("oat-1",), ("2026-11-01", "2026-11-30")),
        ("product 1082185 today", ("1082185",), ("2026-12-01", "2026-12-01")),
        ("coffe pods on 2026-11-28", ("coffee-2",), ("2026-11-28", "2026-11-28")),
        ("西湖龙井昨天卖得怎么样？", ("tea-1",), ("2026-11-30", "2026-11-30")),
        ("绿茶11月28日打折了吗", ("tea-1",), ("2026-11-28", "2026-11-28")),
        ("昨天茶卖得怎么样？", ("tea-1",), ("2026-11-30", "2026-11-30")),
    ],
)
def test_a_question_over_the_log_is_about_the_product_and_the_days_that_it_names(
    text: str, products: tuple[str, ...], days: tuple[str, str]
) -> None:
    found = of_log(text)
    assert (found.kind, found.slots.products) == (QuestionKind.PRODUCT_SALES, products)
    assert found.slots.period is not None
    assert (found.slots.period.first_day, found.slots.period.last_day) == tuple(map(date.fromisoformat, days))


def test_a_category_and_a_product_are_told_apart() -> None:
    assert of_log("how did coffee do yesterday?").slots.category == "COFFEE"
    assert of_log("how did coffee do yesterday?").kind is QuestionKind.CATEGORY_DISCOUNTS
    assert of_log("how did coffee pods do yesterday?").slots.products == ("coffee-2",)
    assert of_log("茶叶的折扣怎么样").slots.category == "茶叶"


@pytest.mark.parametrize("kind", [QuestionKind.PRODUCT_SALES, QuestionKind.CATEGORY_DISCOUNTS])
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("How did avocados do yesterday?", "avocados"),
        ("electric toothbrush sales", "electric toothbrush"),
        ("榴莲昨天卖得怎么样？", "榴莲"),
        ("昨天锅卖得怎么样？", "锅"),
        ("上周鱼卖了多少？", "鱼"),
        ("discounts on lamb last week", "lamb"),
    ],
)
def test_a_product_that_is_not_known_is_named_and_never_answered_with_all_of_them(
    text: str, words: str, kind: QuestionKind
) -> None:
    found = of_log(text, kind)
    assert (found.kind, found.reason, found.slots.subject) == (QuestionKind.NONE, NotUnderstood.UNKNOWN_PRODUCT, words)


@pytest.mark.parametrize("kind", [QuestionKind.FLOOR_PRODUCTS, QuestionKind.CATEGORY_DISCOUNTS, UNSURE.kind])
@pytest.mark.parametrize("text", ["which products are most price sensitive?", "哪些商品对价格最敏感？"])
def test_price_sensitivity_is_not_answered_with_floors(text: str, kind: QuestionKind) -> None:
    assert of_log(text, kind).kind is QuestionKind.NONE


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Why are bananas so cheap?", QuestionKind.PRODUCT_SALES),
        ("what if bananas cost 1.00?", QuestionKind.PRODUCT_SALES),
        ("how many bananas are in stock", QuestionKind.PRODUCT_SALES),
        ("Which product sold best yesterday?", QuestionKind.PRODUCT_SALES),
        ("What will bananas do next week?", QuestionKind.PRODUCT_SALES),
        ("did the bananas hit the floor?", QuestionKind.FLOOR_PRODUCTS),
        ("哪个商品昨天卖得最好？", QuestionKind.PRODUCT_SALES),
    ],
)
def test_the_log_is_not_asked_for_what_it_does_not_hold(text: str, kind: QuestionKind) -> None:
    assert of_log(text, kind).kind is QuestionKind.NONE
