"""`explain` and `ask`: questions about one recorded quote, and about many."""

from typing import Annotated

import typer

from agent.cli.opening import running_service
from agent.cli.options import DataDir, Json, as_id, settings_for
from agent.cli.output import print_facts, print_json, store_fact
from agent.explain.answers import Explanation
from agent.explain.questions import Audience, Language, QuestionInput
from agent.store import StoreKind

Lang = Annotated[
    Language | None, typer.Option(help="Language of the answer. Default: that of the question.", show_default=False)
]


def explain(
    quote_id: Annotated[
        str, typer.Argument(help="Id of a recorded quote; `pricesmith quote --json` prints it.", callback=as_id)
    ],
    question: Annotated[
        str | None,
        typer.Argument(help="In English or Chinese. Default: why the price is what it is.", show_default=False),
    ] = None,
    language: Lang = None,
    audience: Annotated[
        Audience, typer.Option(help="Reader of the answer; a shopper's names neither cost nor profit nor limits.")
    ] = Audience.MERCHANT,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Answer a question about one quote.

    Every number in the answer is checked against the recorded decision. Loads the models first, which takes several
    seconds.

    Example: pricesmith explain QUOTE_ID "what if stock were 5?"
    """
    with running_service(settings_for(data_dir), quiet=json) as service:
        found, kind = service.explain(quote_id, QuestionInput(question, language, audience)), service.store_kind
    if found is None:
        raise typer.BadParameter(
            f"no quote has the id {quote_id[:80]!r}; remedy: `pricesmith quote --json` prints the id of each new quote",
            param_hint="QUOTE_ID",
        )
    _print(found, kind, json)


def ask(
    question: Annotated[str, typer.Argument(help="In English or Chinese.")],
    language: Lang = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Answer a question about many quotes.

    Loads the models first, which takes several seconds.

    Example: pricesmith ask "which products hit the floor last week?"
    """
    with running_service(settings_for(data_dir), quiet=json) as service:
        found, kind = service.question(QuestionInput(question, language)), service.store_kind
    _print(found, kind, json)


def _print(found: Explanation, kind: StoreKind, json: bool) -> None:
    if json:
        from agent.api.explanations import explanation_answer  # loads the web framework

        print_json({**store_fact(kind, json=True), **explanation_answer(found).model_dump(mode="json")})
        return
    checked = f"{found.report.numbers} numbers and {found.report.claims} claims checked"
    print_facts({**store_fact(kind, json=False), "answer": found.answer, "source": f"{found.source}, {checked}"})
