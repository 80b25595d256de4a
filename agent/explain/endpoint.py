"""A language model behind an OpenAI-compatible endpoint as a writer: vLLM, llama.cpp, or a provider's own.

It is told references, meanings and values, and answers with references that we fill in. Only the configured address is
ever called: no redirects, no proxies from the environment.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Final

import httpx
from pydantic import SecretStr

from agent.explain.facts import FactTable, Unit
from agent.explain.narration import reference_of
from agent.explain.questions import Language, QuestionKind
from agent.explain.wording import label, shown
from agent.explain.writers import Accepts, WriterError, whole_sentences
from prompts import Prompt

_REFERENCE: Final = re.compile(r"\[([^\]]*)\]")
_ODD: Final = re.compile(r"[\[\]<>{}|\\`*#]|://|\d")
_LANGUAGES: Final = {Language.EN: "English", Language.ZH: "Chinese"}
_NAMES: Final = frozenset((Unit.NAME, Unit.NAMES))
_MAX_TOKENS: Final = 400
_MAX_BYTES: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Address of a model: `url` ends before `/chat/completions`; `timeout_s` covers the whole answer."""

    url: str
    model: str
    key: SecretStr | None
    timeout_s: float


@dataclass(frozen=True, slots=True)
class EndpointWriter:
    """Asks the endpoint for one answer, and streams its sentences."""

    endpoint: Endpoint
    prompt: Prompt

    def write(self, table: FactTable, language: Language, accepts: Accepts) -> Iterator[str] | None:
        """Write an answer in any language, unless there is no fact to tell; failed requests are not repeated."""
        if table.kind is QuestionKind.NONE or table.get("missing") is not None:
            return None
        return self._sentences(table, language)

    def _sentences(self, table: FactTable, language: Language) -> Iterator[str]:
        known = [fact for fact in table.facts if fact.value != ()]
        values = {reference_of(fact.key): shown(fact, language, table.currency) for fact in known}
        lines = [
            f"[{reference_of(fact.key)}] {label(fact, language)}: "
            + ("(a name)" if fact.unit in _NAMES else values[reference_of(fact.key)])
            for fact in known
        ]
        asked = self.prompt.render(
            language=_LANGUAGES[language], question=table.kind.replace("_", " "), facts="\n".join(lines)
        )
        for sentence in whole_sentences(self._pieces(asked.text)):
            yield _filled(sentence, values)

    def _pieces(self, text: str) -> Iterator[str]:
        """Pieces of the answer as the endpoint streams them."""
        where = self.endpoint
        headers = {} if where.key is None else {"Authorization": f"Bearer {where.key.get_secret_value()}"}
        body = {
            "model": where.model,
            "messages": [{"role": "user", "content": text}],
            "stream": True,
            "temperature": 0,
            "max_tokens": _MAX_TOKENS,
        }
        until = monotonic() + where.timeout_s
        try:
            with (
                httpx.Client(timeout=where.timeout_s, follow_redirects=False, trust_env=False) as client,
                client.stream("POST", f"{where.url}/chat/completions", json=body, headers=headers) as answer,
            ):
                if answer.status_code != httpx.codes.OK:
                    raise WriterError(f"the endpoint answered {answer.status_code}; expected 200")
                yield from _deltas(answer, until)
        except httpx.HTTPError as error:
            raise WriterError(f"the endpoint could not be reached: {type(error).__name__}") from None


def _deltas(answer: httpx.Response, until: float) -> Iterator[str]:
    """Texts of a stream of completion chunks, up to `[DONE]`.

    Raises:
        WriterError: The stream is not one, is too long, or goes on past `until`.
    """
    left, taken = b"", 0
    for chunk in answer.iter_bytes():
        taken += len(chunk)
        if monotonic() > until or taken > _MAX_BYTES:
            raise WriterError("the endpoint's answer took too long or was too large")
        *lines, left = (left + chunk).split(b"\n")
        for line in lines:
            if line.startswith(b"data:"):
                data = line.removeprefix(b"data:").strip()
                if data == b"[DONE]":
                    return
                yield _delta(data)


def _delta(data: bytes) -> str:
    try:
        choices = json.loads(data)["choices"]
        content = choices[0]["delta"].get("content") if choices else ""
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        raise WriterError("the endpoint's answer is no stream of chat completion chunks") from None
    return content if isinstance(content, str) else ""


def _filled(sentence: str, values: Mapping[str, str]) -> str:
    """The sentence with values for references.

    Raises:
        WriterError: It holds a number of its own, markup, or a reference to no fact.
    """
    unknown = [name for name in _REFERENCE.findall(sentence) if name not in values]
    odd = _ODD.search(_REFERENCE.sub("", sentence))
    if unknown or odd is not None:
        what = f"[{unknown[0][:40]}]" if unknown else repr(odd.group()) if odd else ""
        raise WriterError(f"the endpoint wrote {what}, which is no fact; allowed: references to facts and plain words")
    return _REFERENCE.sub(lambda match: values[match.group(1)], sentence)
