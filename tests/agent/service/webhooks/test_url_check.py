"""No webhook reaches a private network, however its address is written."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.service.webhooks.url_check import RefusedAddressError, check_url, is_public

PUBLIC = "93.184.215.14"


def resolving(*addresses: str) -> object:
    def resolve(_host: str, _port: int) -> Sequence[str]:
        return addresses

    return resolve


PRIVATE = [
    "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "224.0.0.1",
    "0.0.0.0",  # noqa: S104 - an address to refuse
    "255.255.255.255", "198.18.0.1", "192.0.2.1", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "ff02::1",
    "::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:db8::1", "not-an-ip",
]  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_that_is_not_public_is_refused(address: str) -> None:
    with pytest.raises(RefusedAddressError, match="public"):
        check_url("https://shop.example/hooks", private=False, resolve=resolving(address))  # type: ignore[arg-type]


def test_one_private_address_among_public_ones_is_enough_to_refuse() -> None:
    with pytest.raises(RefusedAddressError, match=r"10\.0\.0\.1"):
        check_url("https://shop.example/", private=False, resolve=resolving(PUBLIC, "10.0.0.1"))  # type: ignore[arg-type]


@given(st.integers(0, 2**32 - 1))
def test_an_ipv4_address_is_judged_alike_in_its_ipv6_form(number: int) -> None:
    plain = IPv4Address(number)
    assert is_public(f"::ffff:{plain}") == is_public(str(plain))
    assert not is_public(str(IPv6Address((0x64FF9B << 96) | number))), "a translator may lead anywhere"


@pytest.mark.parametrize(
    "url",
    [
        "http://shop.example/",
        "ftp://shop.example/",
        "file:///etc/passwd",
        "gopher://shop.example/",
        "https://user@shop.example/",
        "https://user:secret@shop.example/",
        "https:///hooks",
        "https://shop.example/#part",
        "https://shop.example\\@evil.example/",
        "https://shop.example/a b",
        "https://sh\u00f6p.example/",
        "https://shop.example:99999/",
        "https://[::1/",
        "https://shop.example/" + "x" * 3_000,
        "",
    ],
)
def test_urls_of_other_forms_are_refused(url: str) -> None:
    with pytest.raises(RefusedAddressError):
        check_url(url, private=False, resolve=resolving(PUBLIC))  # type: ignore[arg-type]


@pytest.mark.parametrize("url", ["https://127.0.0.1/", "https://localhost/", "https://[::1]/", "https://2130706433/"])
def test_loopback_is_refused_through_the_systems_own_resolver(url: str) -> None:
    with pytest.raises(RefusedAddressError):
        check_url(url, private=False)


def test_an_allowed_url_gives_the_checked_address_and_the_name_for_the_certificate() -> None:
    target = check_url("https://shop.example:8443/hooks?a=1", private=False, resolve=resolving(PUBLIC))  # type: ignore[arg-type]
    assert (target.address, target.host, target.port, target.https) == (PUBLIC, "shop.example", 8443, True)
