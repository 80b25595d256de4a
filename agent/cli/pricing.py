"""`quote` and `score`: prices and scores from the command line, through the same service as HTTP."""

import csv
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any, Final

import typer

from agent.api.responses.quotes import quote_answer
from agent.cli.options import DataDir, Json, settings_for
from agent.cli.output import print_facts, print_json, print_table, progress_bar
from agent.domain.decision import Decision, Interval, Scores
from agent.domain.money import show, to_minor
from agent.domain.refusal import Refusal
from agent.domain.request import QuoteRequest
from agent.pricing.score_at_prices import PricedRow
from agent.service.assembly import open_service
from agent.service.gc_tuning import tune_for_batches
from agent.service.ingest import RawRow, read_rows
from agent.service.opening import open_store
from agent.service.service import Service
from agent.store.rows import chunks

_BATCH: Final = 4_096
SCORES: Final = ("purchase_probability", "profit", "satisfaction")


def quote(
    product: Annotated[str | None, typer.Option(help="Product id.")] = None,
    shopper: Annotated[str | None, typer.Option(help="Shopper id.")] = None,
    request: Annotated[Path | None, typer.Option(help="A whole request as JSON, '-' for standard input.")] = None,
    quantity: Annotated[int, typer.Option(min=1)] = 1,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Price one product for one shopper. Example: pricesmith quote --shopper 1 --product 1082185."""
    asked = _request(product, shopper, request, quantity)
    settings = settings_for(data_dir)
    service = open_service(settings, open_store(settings))
    try:
        answer = service.quote([asked])[0]
    finally:
        service.close()
    if isinstance(answer, Refusal):
        sys.stderr.write(f"pricesmith: {answer.detail}\n")
        for problem in answer.errors:
            sys.stderr.write(f"  {problem.field}: {problem.message}; allowed: {problem.allowed}\n")
        raise typer.Exit(1)
    if json:
        print_json(quote_answer(answer, candidates=True).model_dump(mode="json"))
        return
    _show(answer)


def score(
    file: Path,
    out: Annotated[Path, typer.Option(help="Where to write the rows with their scores (CSV).")],
    currency: Annotated[str, typer.Option(help="Currency of the prices.")] = "USD",
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Score rows of shopper_id, product_id, price, at, profile.X, context.X: three scores each, point in time.

    Example: pricesmith score offers.csv --out scored.csv
    """
    settings = settings_for(data_dir)
    service = open_service(settings, open_store(settings))
    tune_for_batches()
    started = perf_counter()
    total = sum(1 for _ in read_rows(file))
    rows = bad = 0
    try:
        with out.open("w", newline="", encoding="utf-8") as handle, progress_bar(quiet=json) as progress:
            writer: csv.DictWriter[str] | None = None
            for batch in chunks(read_rows(file), _BATCH):
                scored = list(_scored(service, batch, currency))
                if writer is None:
                    columns = [
                        *batch[0].cells,
                        *(f"{name}{end}" for name in SCORES for end in ("", "_low", "_high")),
                        "problem",
                    ]
                    writer = csv.DictWriter(handle, columns)
                    writer.writeheader()
                writer.writerows(scored)
                rows += len(batch)
                bad += sum(1 for row in scored if row["problem"])
                progress(f"score: {rows} of {total} rows", rows / total)
    finally:
        service.close()
    seconds = max(1e-9, perf_counter() - started)
    facts = {"rows": rows, "without scores": bad, "rows a second": round(rows / seconds), "written to": str(out)}
    print_json(facts) if json else print_facts(facts)
    if bad:
        raise typer.Exit(1)


def _request(product: str | None, shopper: str | None, file: Path | None, quantity: int) -> QuoteRequest:
    if file is not None:
        text = sys.stdin.read() if str(file) == "-" else file.read_text("utf-8")
        return QuoteRequest.model_validate_json(text)
    if product is None:
        raise typer.BadParameter("give --product ID, or --request FILE")
    return QuoteRequest.model_validate({"shopper": {"id": shopper}, "product": {"id": product}, "quantity": quantity})


def _show(decision: Decision) -> None:
    currency = decision.currency
    facts: dict[str, object] = {
        "price": show(decision.price_minor, currency),
        "reference price": show(decision.reference_minor, currency),
        "product": decision.product_title,
        "strategy": f"{decision.strategy.name} (from {decision.source})",
        "why": decision.rationale,
        "confidence": f"{decision.confidence:.2f}",
        "rung": decision.rung.value,
        "disclosure": decision.disclosure.text,
    }
    for step in decision.trail:
        facts[f"rule {step.rule}"] = (
            f"{show(step.from_minor, currency)} -> {show(step.to_minor, currency)} ({step.detail})"
        )
    print_facts(facts)
    rows = [
        (
            "*" if candidate.chosen else "",
            candidate.strategy.name,
            candidate.source.value,
            show(candidate.price_minor, currency),
            _range(candidate.scores.purchase_probability, 4),
            _range(candidate.scores.profit, 2),
            _range(candidate.scores.satisfaction, 3),
        )
        for candidate in decision.candidates
    ]
    print_table("candidates", ("", "strategy", "source", "price", "purchase", "profit (minor)", "satisfaction"), rows)


def _range(interval: Interval, digits: int) -> str:
    return f"{interval.value:.{digits}f} ({interval.low:.{digits}f}-{interval.high:.{digits}f})"


def _scored(service: Service, batch: Sequence[RawRow], currency: str) -> Iterator[dict[str, Any]]:
    parsed: list[PricedRow | str] = []
    for row in batch:
        if row.problem:
            parsed.append(row.problem)
            continue
        try:
            parsed.append(_priced(row.cells, currency))
        except ValueError as error:
            parsed.append(" ".join(str(error).split())[:300])
    answers = iter(service.score([row for row in parsed if isinstance(row, PricedRow)]))
    for raw, one in zip(batch, parsed, strict=True):
        answer = next(answers) if isinstance(one, PricedRow) else one
        yield {**raw.cells, **_cells(answer)}


def _priced(cells: Mapping[str, Any], currency: str) -> PricedRow:
    given = {name: value for name, value in cells.items() if value not in (None, "")}
    missing = [name for name in ("product_id", "price") if name not in given]
    if missing:
        raise ValueError(f"missing {', '.join(missing)}")
    context: dict[str, Any] = {
        n.removeprefix("context."): _number(v) for n, v in given.items() if n.startswith("context.")
    }
    if "at" in given:
        context["at"] = given["at"]
    shopper: dict[str, Any] = {"id": str(given["shopper_id"])} if "shopper_id" in given else {}
    profile = {n.removeprefix("profile."): _number(v) for n, v in given.items() if n.startswith("profile.")}
    if profile:
        shopper["profile"] = profile
    request = {"shopper": shopper, "product": {"id": str(given["product_id"])}, "context": context}
    return PricedRow(QuoteRequest.model_validate(request), to_minor(str(given["price"]), currency))


def _number(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        number = float(value)
    except ValueError:
        return value
    return int(number) if number.is_integer() else number


def _cells(answer: Scores | Refusal | str) -> dict[str, Any]:
    if isinstance(answer, Scores):
        found: dict[str, Any] = {"problem": ""}
        for name in SCORES:
            interval: Interval = getattr(answer, name)
            found |= {name: interval.value, f"{name}_low": interval.low, f"{name}_high": interval.high}
        return found
    return {"problem": answer if isinstance(answer, str) else answer.detail}
