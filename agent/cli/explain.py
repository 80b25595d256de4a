"""`explain` and `ask`: questions about one recorded quote, and about many."""

from typing import Annotated

import typer

from agent.api.explanations import explanation_answer
from agent.cli.options import DataDir, Json, settings_for
from agent.cli.output import print_facts, print_json
from agent.explain.answers import Ask, Explanation
from agent.explain.questions import Audience, Language
from agent.service.assembly import open_service
from agent.service.opening import open_store

Lang = Annotated[Language | None, typer.Option(help="Language of the answer; the question's when left out.")]


def explain(
    quote_id: Annotated[str, typer.Argument(help="Id of a recorded quote.")],
    question: Annotated[str | None, typer.Argument(help="In English or Chinese; why this price when left out.")] = None,
    language: Lang = None,
    audience: Annotated[Audience, typer.Option(help="Who reads it.")] = Audience.MERCHANT,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Answer a question about a quote. Example: pricesmith explain QUOTE_ID "what if stock were 5?"."""
    settings = settings_for(data_dir)
    service = open_service(settings, open_store(settings))
    try:
        found = service.explain(quote_id, Ask(question, language, audience))
    finally:
        service.close()
    if found is None:
        raise typer.BadParameter(f"there is no quote {quote_id[:80]!r}; `pricesmith quote --json` prints ids")
    _tell(found, json)


def ask(
    question: Annotated[str, typer.Argument(help="In English or Chinese.")],
    language: Lang = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Answer a question about many quotes. Example: pricesmith ask "which products hit the floor last week?"."""
    settings = settings_for(data_dir)
    service = open_service(settings, open_store(settings))
    try:
        found = service.question(Ask(question, language))
    finally:
        service.close()
    _tell(found, json)


def _tell(found: Explanation, json: bool) -> None:
    if json:
        print_json(explanation_answer(found).model_dump(mode="json"))
        return
    checked = f"{found.report.numbers} numbers, {found.report.claims} claims checked"
    print_facts({"answer": found.answer, "source": f"{found.source}, {checked}"})
