"""Keeps a shop's own data and the demo data in stores of their own, for commands and HTTP jobs alike."""

from agent.domain.clock import Clock
from agent.store import Store
from agent.store.kind import BEGUN_KEY, OWN_KEY, StoreKind


class WrongStoreError(RuntimeError):
    """Own data was about to land among demo data, or demo data among a shop's own."""


def check_takes_own_data(store: Store, *, into_demo: bool = False) -> None:
    """Check that own data may be imported into a store; `into_demo` says that mixing is meant.

    Raises:
        WrongStoreError: The store is the demo's.
    """
    if into_demo or store.kind() is StoreKind.OWN:
        return
    raise WrongStoreError(
        f"this is the {StoreKind.DEMO.label}; own data would lie among the demo's and be priced with it; allowed: an "
        "own store; remedy: pricesmith init shop, then import with --data-dir shop; --into-demo mixes them on purpose"
    )


def check_takes_demo(store: Store) -> None:
    """Check that demo data may be loaded into a store.

    Raises:
        WrongStoreError: The store is a shop's own.
    """
    if store.in_own_use():
        raise WrongStoreError(
            "this is a shop's own store; demo data would lie among its own; allowed: an empty folder or the demo's; "
            "remedy: pricesmith prepare --data-dir demo"
        )


def mark_as_demo(store: Store, clock: Clock) -> None:
    """Mark a store as the demo's before its first row is written.

    Raises:
        WrongStoreError: The store is a shop's own.
    """
    check_takes_demo(store)
    if store.kind() is StoreKind.OWN:
        store.set_meta(BEGUN_KEY, clock.now().isoformat())


def mark_as_own(store: Store, clock: Clock) -> bool:
    """Mark a store as a shop's own, so that no demo data is loaded into it; returns whether it was marked now.

    Raises:
        WrongStoreError: The store is the demo's.
    """
    if store.kind() is StoreKind.DEMO:
        raise WrongStoreError(
            f"this folder holds the {StoreKind.DEMO.label}; allowed: a new or empty folder, or one that "
            "`pricesmith init` made; remedy: pricesmith init shop"
        )
    if store.meta(OWN_KEY) is not None:
        return False
    store.set_meta(OWN_KEY, clock.now().isoformat())
    return True
