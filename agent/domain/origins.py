"""Origins of web pages (RFC 6454): scheme, host and port, as browsers send them."""

from urllib.parse import urlsplit


def web_origin(text: str) -> str:
    """An origin in the form that browsers send: lower case, without the scheme's own port.

    Raises:
        ValueError: It is not an origin.
    """
    given = text.strip()
    allowed = "allowed: a scheme and a host, such as https://shop.example or http://localhost:5173, without a path"
    try:
        parts = urlsplit(given.removesuffix("/"))
        port = parts.port
    except ValueError as error:
        raise ValueError(f"{given[:80]!r} is not the origin of a page: {error}; {allowed}") from None
    extra = parts.path or parts.query or parts.fragment or "@" in parts.netloc
    if parts.scheme not in ("http", "https") or not parts.hostname or extra or not given.isascii() or " " in given:
        raise ValueError(f"{given[:80]!r} is not the origin of a page; {allowed}")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    shown = "" if port is None or port == {"http": 80, "https": 443}[parts.scheme] else f":{port}"
    return f"{parts.scheme}://{host}{shown}"
