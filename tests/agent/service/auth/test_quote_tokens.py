import base64
import hmac
import json
import stat
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from agent.domain.decision import CheckoutClaim, QuoteClaims
from agent.service.auth.quote_tokens import TokenKeyError, TokenSigner, TokenStatus, Verification
from agent.service.auth.signing_keys import LONGEST_QUOTE, rotate

_NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
_CLAIMS = QuoteClaims("q1", "p1", "s1", 2, 279, "USD", 2, _NOW, _NOW + timedelta(minutes=15))
_SIGNER = TokenSigner(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
_TOKEN = _SIGNER.sign(_CLAIMS)
_TAMPERED = Verification(TokenStatus.TAMPERED, None)

_times = st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))
_seconds = _times.map(lambda at: at.replace(microsecond=0))
_claims = st.builds(
    QuoteClaims,
    quote_id=st.text(max_size=40),
    product_id=st.none() | st.text(max_size=40),
    shopper_id=st.none() | st.text(max_size=40),
    quantity=st.integers(1, 10**6),
    price_minor=st.integers(0, 10**15),
    currency=st.sampled_from(["USD", "JPY", "KWD"]),
    fraction_digits=st.integers(0, 4),
    issued_at=_seconds,
    valid_until=_seconds,
)


@given(_claims, _times)
def test_a_token_keeps_its_claims_until_it_expires(claims: QuoteClaims, now: datetime) -> None:
    expected = TokenStatus.VALID if now < claims.valid_until else TokenStatus.EXPIRED

    assert _SIGNER.verify(_SIGNER.sign(claims), now) == Verification(expected, claims)


@given(_claims)
def test_a_token_is_the_json_web_token_that_another_implementation_makes(claims: QuoteClaims) -> None:
    found = _SIGNER.sign(claims)
    header, payload = jwt.get_unverified_header(found), jwt.decode(found, options={"verify_signature": False})
    key = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    assert jwt.encode(payload, key, "EdDSA", {"kid": header["kid"], "typ": header["typ"]}) == found


def test_the_end_itself_is_expired_and_still_shows_the_price() -> None:
    end = _CLAIMS.valid_until

    assert _SIGNER.verify(_TOKEN, end - timedelta(microseconds=1)) == Verification(TokenStatus.VALID, _CLAIMS)
    assert _SIGNER.verify(_TOKEN, end) == Verification(TokenStatus.EXPIRED, _CLAIMS)


def test_parts_of_a_second_are_rounded_down() -> None:
    claims = replace(_CLAIMS, valid_until=_CLAIMS.valid_until + timedelta(milliseconds=999))

    assert _SIGNER.sign(claims) == _TOKEN


@given(st.integers(0, len(_TOKEN) - 1), st.characters(max_codepoint=0x2FF))
def test_any_changed_character_is_tampering(position: int, character: str) -> None:
    changed = _TOKEN[:position] + character + _TOKEN[position + 1 :]

    assert changed == _TOKEN or _SIGNER.verify(changed, _NOW) == _TAMPERED


@given(st.text(max_size=200) | st.text("abc.=_-", max_size=50))
def test_any_other_text_is_tampering(text: str) -> None:
    assert _SIGNER.verify(text, _NOW) == _TAMPERED


def test_a_token_of_another_key_is_tampering() -> None:
    assert TokenSigner(Ed25519PrivateKey.generate()).verify(_TOKEN, _NOW) == _TAMPERED


def _payload() -> dict[str, object]:
    decoded: dict[str, object] = jwt.decode(_TOKEN, options={"verify_signature": False})
    return decoded


def _part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "HS256", "ES256", "Ed25519"])
@pytest.mark.parametrize("signature", ["", _TOKEN.rsplit(".", 1)[1]], ids=["unsigned", "old signature"])
def test_other_algorithms_are_refused(algorithm: str, signature: str) -> None:
    header = jwt.get_unverified_header(_TOKEN) | {"alg": algorithm}

    assert _SIGNER.verify(f"{_part(header)}.{_part(_payload())}.{signature}", _NOW) == _TAMPERED


def test_the_public_key_is_no_secret_for_a_symmetric_signature() -> None:
    headers = {"kid": _SIGNER.key_id, "typ": "pricesmith-quote+jwt"}
    signed = f"{_part(headers | {'alg': 'HS256'})}.{_part(_payload())}"
    digest = hmac.digest(_SIGNER.public_pem().encode(), signed.encode(), "sha256")
    signature = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

    assert _SIGNER.verify(f"{signed}.{signature}", _NOW) == _TAMPERED


@pytest.mark.parametrize(
    ("headers", "change"),
    [
        ({"typ": "JWT"}, {}),
        ({"kid": "other"}, {}),
        ({"kid": None}, {}),
        ({}, {"iss": "other"}),
        ({}, {"price_minor": "1"}),
        ({}, {"price_minor": None}),
        ({}, {"surprise": 1}),
    ],
    ids=["type", "key id", "no key id", "issuer", "price as text", "no price", "unknown claim"],
)
def test_a_signature_does_not_make_another_token_a_quote(headers: dict[str, str], change: dict[str, object]) -> None:
    private = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    standard = {"kid": _SIGNER.key_id, "typ": "pricesmith-quote+jwt"}
    chosen = {name: value for name, value in (standard | headers).items() if value is not None}
    token = jwt.encode(_payload() | change, private, "EdDSA", chosen)

    assert _SIGNER.verify(token, _NOW) == _TAMPERED


@pytest.mark.parametrize("depth", [900, 2_500])
def test_a_deeply_nested_header_is_tampering(depth: int) -> None:
    header = base64.urlsafe_b64encode(b'{"a":' + b"[" * depth + b"]" * depth + b"}").rstrip(b"=").decode()

    assert _SIGNER.verify(f"{header}.{_TOKEN.split('.', 1)[1]}", _NOW) == _TAMPERED


def test_a_token_can_be_verified_with_the_public_key_alone() -> None:
    key_id = jwt.get_unverified_header(_TOKEN)["kid"]
    payload = jwt.decode(_TOKEN, _SIGNER.public_pem(), ["EdDSA"], options={"verify_exp": False, "verify_iat": False})

    assert key_id == _SIGNER.key_id
    assert payload == {
        "iss": "pricesmith",
        "sub": "q1",
        "product": "p1",
        "shopper": "s1",
        "quantity": 2,
        "price_minor": 279,
        "currency": "USD",
        "fraction_digits": 2,
        "iat": int(_NOW.timestamp()),
        "exp": int(_NOW.timestamp()) + 900,
    }


def test_an_absent_shopper_is_left_out() -> None:
    token = _SIGNER.sign(replace(_CLAIMS, shopper_id=None))

    assert "shopper" not in jwt.decode(token, options={"verify_signature": False})


def test_signing_costs_well_under_a_millisecond() -> None:
    start = time.process_time()  # the processor's share, which a busy machine does not stretch
    for _ in range(300):
        _SIGNER.sign(_CLAIMS)

    assert (time.process_time() - start) / 300 < 0.0005


def test_a_key_is_made_once_with_nobody_else_able_to_read_it(tmp_path: Path) -> None:
    path = tmp_path / "data" / "signing.pem"
    first = TokenSigner.load_or_create(path)
    second = TokenSigner.load_or_create(path)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]
    assert second.verify(first.sign(_CLAIMS), _NOW).status is TokenStatus.VALID


def test_processes_that_start_together_share_one_key(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib; from agent.service.auth.quote_tokens import TokenSigner; "
        "print('ready', flush=True); sys.stdin.readline(); "
        "print(TokenSigner.load_or_create(pathlib.Path(sys.argv[1])).key_id)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "signing.pem")]
    processes = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603 own code
        for _ in range(4)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    key_ids = {process.communicate(timeout=60)[0].strip() for process in processes}

    assert key_ids == {TokenSigner.load_or_create(tmp_path / "signing.pem").key_id}


def _elliptic_pem() -> bytes:
    return generate_private_key(SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "not a PEM"), (b"junk", "not a PEM"), (_elliptic_pem(), "Ed25519")],
    ids=["empty", "junk", "another kind"],
)
def test_a_file_that_is_no_signing_key_is_refused_and_kept(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "signing.pem"
    path.write_bytes(content)

    with pytest.raises(TokenKeyError, match=message):
        TokenSigner.load_or_create(path)

    assert path.read_bytes() == content


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(TokenKeyError, match=r"signing\.pem"):
        TokenSigner.load_or_create(tmp_path / "file" / "signing.pem")


def test_after_a_rotation_old_tokens_verify_and_new_ones_name_the_new_key(tmp_path: Path) -> None:
    path = tmp_path / "signing.pem"
    running = TokenSigner.load_or_create(path)
    old_id, old_token, seal = running.key_id, running.sign(_CLAIMS), running.seal(b"head")
    rotated = rotate(path, _NOW)

    assert TokenSigner.load_or_create(path).key_id == rotated.key_id != old_id
    fresh = TokenSigner.load_or_create(path)
    for signer in (running, fresh):  # the running one learns of the new key from the first token that names it
        assert signer.verify(fresh.sign(_CLAIMS), _NOW).status is TokenStatus.VALID
        assert signer.verify(old_token, _NOW).status is TokenStatus.VALID
        assert signer.is_sealed(b"head", seal)
    assert running.key_id == rotated.key_id
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_process_that_does_not_know_of_a_rotation_yet_signs_tokens_that_verify(tmp_path: Path) -> None:
    path = tmp_path / "signing.pem"
    running = TokenSigner.load_or_create(path)
    rotate(path, _NOW)
    rotate(path, _NOW)

    assert TokenSigner.load_or_create(path).verify(running.sign(_CLAIMS), _NOW).status is TokenStatus.VALID


def test_a_distrusted_key_voids_its_tokens_and_keeps_its_seals(tmp_path: Path) -> None:
    path = tmp_path / "signing.pem"
    running = TokenSigner.load_or_create(path)
    token, seal = running.sign(_CLAIMS), running.seal(b"head")
    rotate(path, _NOW, distrust=True)

    for signer in (TokenSigner.load_or_create(path),):
        assert signer.verify(token, _NOW) == _TAMPERED
        assert signer.is_sealed(b"head", seal)
        assert len(signer.published(_NOW)) == 1


def test_published_keys_check_tokens_offline_until_the_last_of_them_ended(tmp_path: Path) -> None:
    path = tmp_path / "signing.pem"
    token = TokenSigner.load_or_create(path).sign(_CLAIMS)
    rotate(path, _NOW)
    signer = TokenSigner.load_or_create(path)
    keys = jwt.PyJWKSet(signer.published(_NOW))
    named = jwt.get_unverified_header(token)["kid"]
    payload = jwt.decode(token, keys[named], ["EdDSA"], options={"verify_exp": False, "verify_iat": False})

    assert payload["price_minor"] == 279
    assert [key["kid"] for key in signer.published(_NOW)] == [signer.key_id, named]
    assert [key["kid"] for key in signer.published(_NOW + LONGEST_QUOTE)] == [signer.key_id]
    assert signer.verify(token, _NOW + timedelta(days=30)).status is TokenStatus.EXPIRED


def test_a_damaged_list_of_retired_keys_is_refused(tmp_path: Path) -> None:
    TokenSigner.load_or_create(tmp_path / "signing.pem")
    (tmp_path / "retired.json").write_text('[{"kid": "a"}]')

    with pytest.raises(TokenKeyError, match=r"retired\.json"):
        TokenSigner.load_or_create(tmp_path / "signing.pem")


@pytest.mark.parametrize(
    ("told", "mismatches"),
    [
        (CheckoutClaim(), ()),
        (CheckoutClaim(2, "p1", "s1"), ()),
        (CheckoutClaim(quantity=3), ("quantity",)),
        (CheckoutClaim(product_id="p2"), ("product_id",)),
        (CheckoutClaim(1, "p2", "s2"), ("quantity", "product_id", "shopper_id")),
    ],
)
def test_what_is_sold_must_be_what_was_quoted(told: CheckoutClaim, mismatches: tuple[str, ...]) -> None:
    assert told.mismatches(_CLAIMS) == mismatches


def test_a_token_without_shopper_is_anybodys_and_one_without_product_fits_none() -> None:
    anonymous = replace(_CLAIMS, shopper_id=None, product_id=None)

    assert CheckoutClaim(shopper_id="s2").mismatches(anonymous) == ()
    assert CheckoutClaim(product_id="p1").mismatches(anonymous) == ("product_id",)
