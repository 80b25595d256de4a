"""Reads the settings: the environment, then `pricesmith.env` in the data folder; bad values are named with what may be.

`Settings()` itself answers a bad value with a pydantic error; commands and the app factory read the settings here.
"""

import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from difflib import get_close_matches
from enum import EnumType
from pathlib import Path
from typing import Any, Final, get_args

from pydantic import HttpUrl, SecretStr, ValidationError

from agent.service.auth.api_keys import BOOTSTRAP_MIN_CHARS
from agent.service.merchants import MerchantError, checked_id
from agent.service.settings import DEFAULT_MERCHANT, Settings

SETTINGS_FILE: Final = "pricesmith.env"
PREFIX: Final = "PRICESMITH_"
OTHER_VARIABLES: Final = frozenset(("PRICESMITH_KEY",))  # read by commands, no settings of the service

_LINE: Final = re.compile(r"\s*(?:#.*)?|\s*(?:export\s+)?(?P<name>[A-Za-z_]\w*)\s*=.*")
_ADDRESS: Final = re.compile(r"https?://[^\s/]+\S*")


class SettingsError(ValueError):
    """Settings hold values that are not allowed; `problems` has one line for each."""

    def __init__(self, problems: Collection[str]) -> None:
        """Tell every problem."""
        self.problems = tuple(problems)
        if len(self.problems) == 1:
            super().__init__(f"{self.problems[0]}; remedy: change it, or take it away")
            return
        lines = "\n  ".join(self.problems)
        super().__init__(f"settings are not valid:\n  {lines}\nremedy: change these, or take them away")


def read_settings(data_dir: Path | None = None) -> Settings:
    """The default merchant's settings; `data_dir` goes before `PRICESMITH_DATA_DIR`, variables before the file.

    Raises:
        SettingsError: A value is not allowed, or a line of the file is no setting.
    """
    file = settings_file(data_dir)
    problems = list(_bad_lines(file))
    named: dict[str, Any] = {} if data_dir is None else {"data_dir": data_dir}
    try:
        settings = Settings(_env_file=file, **named)
    except ValidationError as error:
        raise SettingsError([*problems, *map(_problem, error.errors(include_url=False))]) from None
    if problems:
        raise SettingsError(problems)
    check_values(settings)
    return settings


def check_values(settings: Settings) -> None:
    """Check values that are well formed and may still mean nothing.

    Raises:
        SettingsError: One is not allowed.
    """
    problems = list(_not_allowed(settings))
    if problems:
        raise SettingsError(problems)


def settings_file(data_dir: Path | None = None) -> Path:
    """The settings file of a data folder, of the one that the environment names where none is given."""
    given = {name.upper(): value for name, value in os.environ.items()}
    folder = data_dir or given.get(f"{PREFIX}DATA_DIR") or Settings.model_fields["data_dir"].default
    return Path(folder) / SETTINGS_FILE


def known_variables() -> Collection[str]:
    """Every environment variable that is read."""
    return {f"{PREFIX}{name.upper()}" for name in Settings.model_fields} | OTHER_VARIABLES


def unknown_variables(environment: Mapping[str, str]) -> Mapping[str, str | None]:
    """Variables of our prefix that nothing reads, each with the setting that was probably meant."""
    known = known_variables()
    ours = (name for name in sorted(environment) if name.startswith(PREFIX))
    return {name: near_miss(name, known) for name in ours if name not in known}


def near_miss(name: str, known: Collection[str]) -> str | None:
    """The known variable that a name is most like; None when it is like none."""
    short = {one.removeprefix(PREFIX) for one in known}
    close = get_close_matches(name.removeprefix(PREFIX), short, n=1, cutoff=0.7)
    return f"{PREFIX}{close[0]}" if close else None


def allowed_values(name: str) -> str:
    """Values that a setting may have, in words."""
    if name in _WORDS:
        return _WORDS[name]()
    field = Settings.model_fields[name]
    kinds = [one for one in get_args(field.annotation) or (field.annotation,) if one is not type(None)]
    kind: Any = kinds[0]
    if isinstance(kind, EnumType):
        return ", ".join(str(member.value) for member in kind)  # type: ignore[var-annotated]
    if kind is bool:
        return "true or false"
    if kind in (int, float):
        return " ".join(["a whole number" if kind is int else "a number", *_bounds(field.metadata)])
    if kind is HttpUrl:
        return "an address that begins with http:// or https://"
    return "secret text" if kind is SecretStr else "a folder" if kind is Path else "text"


def _bounds(metadata: Collection[Any]) -> Iterator[str]:
    words = {"ge": "from", "gt": "above", "le": "to", "lt": "below"}
    found = [(sign, getattr(one, sign)) for one in metadata for sign in words if getattr(one, sign, None) is not None]
    if [sign for sign, _ in found] == ["ge"]:
        yield f"of at least {found[0][1]}"
        return
    for sign, bound in found:
        yield f"{words[sign]} {bound}"


def _problem(error: Any) -> str:
    name = str(error["loc"][0]) if error["loc"] else ""
    return _line(name, error["input"])


def _line(name: str, value: object) -> str:
    """One problem: the variable, its value unless that may hold a secret, what is allowed."""
    text = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
    shown = f" ({len(text)} characters)" if "key" in name or "@" in text else f"={text[:80]!r}"
    hint = ""
    if name == "port" and str(value).startswith("tcp://"):
        hint = "; Kubernetes sets it for a service named pricesmith: set enableServiceLinks to false"
    return f"{PREFIX}{name.upper()}{shown}: allowed: {allowed_values(name)}{hint}"


def _bad_lines(file: Path) -> Iterator[str]:
    """Lines of the settings file that set nothing; a file that is not there has none."""
    try:
        lines = file.read_text("utf-8").splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return
    except (OSError, UnicodeDecodeError) as error:
        yield f"{file} cannot be read: {error}"
        return
    known = {name for name in known_variables() if name != f"{PREFIX}DATA_DIR"}
    for number, line in enumerate(lines, 1):
        found = _LINE.fullmatch(line)
        name = found["name"] if found else None
        if found is None:
            yield f"{file}, line {number}: {line[:40]!r}: allowed: NAME=value, one a line, and comments with #"
        elif name is not None and name.upper() not in known:
            close = near_miss(name.upper(), known)
            meant = f"; did you mean {close}?" if close else ""
            yield f"{file}, line {number}: {name}: allowed: settings, without {PREFIX}DATA_DIR{meant}"


def _not_allowed(settings: Settings) -> Iterator[str]:
    """Values that are well formed and still mean nothing."""
    if settings.pack != Settings.model_fields["pack"].default and settings.pack not in _packs():
        yield _line("pack", settings.pack)
    if settings.bootstrap_key is not None and len(settings.bootstrap_key.get_secret_value()) < BOOTSTRAP_MIN_CHARS:
        yield _line("bootstrap_key", settings.bootstrap_key)
    if settings.merchant != DEFAULT_MERCHANT and not _is_merchant(settings.merchant):
        yield _line("merchant", settings.merchant)
    if settings.otlp_endpoint is not None and not _ADDRESS.fullmatch(settings.otlp_endpoint):
        yield _line("otlp_endpoint", settings.otlp_endpoint)
    if not settings.host.strip():
        yield _line("host", settings.host)
    if settings.prompt_version not in _prompt_versions(settings.prompt_version):
        yield _line("prompt_version", settings.prompt_version)
    if settings.currency is not None and not _is_currency(settings.currency):
        yield _line("currency", settings.currency)


def _packs() -> Collection[str]:
    from agent.rules.packs import pack_names  # reads the packs' files: only where a setting names another pack

    return pack_names()


def _prompt_versions(wanted: int) -> Collection[int]:
    if wanted == Settings.model_fields["prompt_version"].default:
        return (wanted,)
    from prompts import prompt_versions  # reads the prompts' files: only where a setting names another version

    return [int(one.rpartition("v")[2]) for one in prompt_versions() if one.startswith("strategist/")]


def _is_merchant(name: str) -> bool:
    try:
        checked_id(name)
    except MerchantError:
        return False
    return True


def _is_currency(code: str) -> bool:
    from agent.domain.money import MoneyError, fraction_digits  # loads the table of currencies

    try:
        fraction_digits(code)
    except MoneyError:
        return False
    return True


_WORDS: Final[Mapping[str, Callable[[], str]]] = {
    "bootstrap_key": lambda: f"{BOOTSTRAP_MIN_CHARS} characters or more",
    "currency": lambda: "an ISO 4217 code such as EUR",
    "database_url": lambda: "sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME",
    "host": lambda: "an address of this machine, such as 127.0.0.1",
    "merchant": lambda: f"{DEFAULT_MERCHANT}, or the id of a merchant: a lower-case letter, then letters, digits and _",
    "otlp_endpoint": lambda: "an address such as http://collector:4318/v1/traces",
    "pack": lambda: ", ".join(_packs()),
    "prompt_version": lambda: ", ".join(map(str, sorted(_prompt_versions(-1)))),
}
"""Values in words where the field's type does not say them."""
