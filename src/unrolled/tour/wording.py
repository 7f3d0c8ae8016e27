"""The parts of a chapter: paragraphs, what was measured, and a picture."""

from __future__ import annotations

from unrolled.page.document import escaped
from unrolled.tour.claims import Claim

__all__ = ["measured", "paragraphs", "table"]


def paragraphs(*texts: str) -> str:
    """Plain text as paragraphs."""
    return "".join(f"<p>{escaped(text)}</p>" for text in texts)


def measured(claim: Claim) -> str:
    """The claim's numbers, and a sentence where it did not come true."""
    return f"<p><strong>Measured here:</strong> {escaped(claim)}</p>"


def table(head: list[str], rows: list[list[str]]) -> str:
    """A table; the first cell of a row is its name."""
    cells = "".join(f'<th scope="col">{escaped(one)}</th>' for one in head)
    lines = "".join(
        f'<tr><th scope="row">{escaped(name)}</th>{"".join(f"<td>{escaped(one)}</td>" for one in rest)}</tr>'
        for name, *rest in rows
    )
    whole = f"<table><thead><tr>{cells}</tr></thead><tbody>{lines}</tbody></table>"
    return f'<div class="scroll" tabindex="0" role="region" aria-label="{escaped(head[0])}: table">{whole}</div>'
