"""`quote`: one price, made in this process or asked of a running server."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from agent.cli.errors import ServerRefused
from agent.cli.exit_codes import ExitCode
from agent.cli.opening import running_service
from agent.cli.options import DataDir, Json, as_id, settings_for
from agent.cli.output import print_json
from agent.cli.quote_view import print_quote
from agent.domain.refusal import Refusal
from agent.domain.request import QuoteRequest

KEY_VARIABLE = "PRICESMITH_KEY"


def quote(
    product: Annotated[str | None, typer.Option(help="Id of the product.", callback=as_id)] = None,
    shopper: Annotated[
        str | None, typer.Option(help="Id of the shopper; nobody known when left out.", callback=as_id)
    ] = None,
    request: Annotated[
        Path | None,
        typer.Option(help="File with a whole request as JSON, as POST /v1/quotes takes it; '-' reads standard input."),
    ] = None,
    quantity: Annotated[int, typer.Option(min=1, help="Units of the product.")] = 1,
    url: Annotated[
        str | None,
        typer.Option(help="Ask the server at this address, such as http://127.0.0.1:8000; no models are loaded here."),
    ] = None,
    key_file: Annotated[
        Path | None, typer.Option(help=f"With --url: file that holds the API key. Default: {KEY_VARIABLE}.")
    ] = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Price one product for one shopper.

    The price is recorded like any other. Without --url models are loaded first, which takes several seconds; with it a
    running server answers at once.

    Example: pricesmith quote --shopper 1 --product 1082185

    Example: pricesmith quote --product 1082185 --url http://127.0.0.1:8000 --key-file key.txt
    """
    asked = _request(product, shopper, request, quantity)
    if url is None:
        if key_file is not None:
            raise typer.BadParameter("goes with --url: without it no key is needed", param_hint="--key-file")
        answer = _in_process(asked, data_dir, json)
    else:
        if data_dir is not None:
            raise typer.BadParameter("does not go with --url: the server has its own", param_hint="--data-dir")
        answer = _from_server(asked, url, key_file)
    if json:
        print_json(answer)
        return
    try:
        print_quote(answer)
    except ValidationError as error:
        raise ServerRefused(f"{url} does not answer with a quote; remedy: check --url and its version") from error


def _request(product: str | None, shopper: str | None, file: Path | None, quantity: int) -> QuoteRequest:
    if file is not None:
        if product is not None or shopper is not None:
            raise typer.BadParameter("already names both: leave --product and --shopper out", param_hint="--request")
        return QuoteRequest.model_validate_json(sys.stdin.read() if str(file) == "-" else file.read_text("utf-8"))
    if product is None:
        raise typer.BadParameter("give --product ID or --request FILE", param_hint="--product")
    return QuoteRequest.model_validate({"shopper": {"id": shopper}, "product": {"id": product}, "quantity": quantity})


def _in_process(asked: QuoteRequest, data_dir: Path | None, json: bool) -> Mapping[str, Any]:
    from msgspec.json import decode

    from agent.api.responses.quote_json import encode, merchant_fields  # the whole answer, needed here only

    with running_service(settings_for(data_dir), quiet=json) as service:
        answer, kind = service.quote([asked])[0], service.store_kind
    if isinstance(answer, Refusal):
        sys.stderr.write(f"pricesmith: {answer.detail}\n")
        for problem in answer.errors:
            sys.stderr.write(f"  {problem.field}: {problem.message}; allowed: {problem.allowed}\n")
        raise typer.Exit(ExitCode.FAILED)
    return {"store": kind.value, **decode(encode(merchant_fields(answer, candidates=True)))}


def _from_server(asked: QuoteRequest, url: str, key_file: Path | None) -> Mapping[str, Any]:
    from agent.cli.server import Server  # the HTTP client, needed here only

    key = os.environ.get(KEY_VARIABLE, "") if key_file is None else key_file.read_text("utf-8")
    if not key.strip():
        where = f"{KEY_VARIABLE} is not set" if key_file is None else f"{key_file} is empty"
        raise typer.BadParameter(
            f"{where}, and the server needs an API key; remedy: `pricesmith keys create NAME` on the server's data "
            "folder, then keep the key in a file",
            param_hint="--key-file",
        )
    with Server(url, key.strip()) as server:
        answer = server.quote(asked.model_dump(mode="json", by_alias=True, exclude_unset=True))
        return {**server.store(), **answer}
