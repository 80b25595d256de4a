"""Building blocks of HTML reports: self-contained pages, tables, and plots as inline SVG."""

import html
import io
from collections.abc import Sequence
from typing import Any, Final

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot as plt

_STYLE: Final = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#1c2430}"
    "table{border-collapse:collapse;margin:1rem 0;display:block;overflow-x:auto}"
    "th,td{padding:.3rem .7rem;border-bottom:1px solid #d8dee6;text-align:right;white-space:nowrap}"
    "th:first-child,td:first-child{text-align:left}tr.own{font-weight:600;background:#eef4fb}"
    "figure{display:inline-block;margin:1rem 1rem 1rem 0}svg{max-width:100%;height:auto}"
)


def page(title: str, body: str) -> str:
    """Wrap an HTML body in a complete page."""
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style>{body}</html>'
    )


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Render a table; rows of Pricesmith are highlighted."""
    head = "".join(f"<th>{html.escape(column)}</th>" for column in columns)
    body = "".join(
        f"<tr{' class=own' if row[0].startswith('Pricesmith') else ''}>"
        + "".join(f"<td>{html.escape(cell)}</td>" for cell in row)
        + "</tr>"
        for row in rows
    )
    return f"<table><tr>{head}</tr>{body}</table>"


def svg(figure: Any) -> str:
    """Render a matplotlib figure as inline SVG and close it."""
    target = io.StringIO()
    figure.tight_layout()
    figure.savefig(target, format="svg", metadata={"Date": None})
    plt.close(figure)
    text = target.getvalue()
    return text[text.index("<svg") :]
