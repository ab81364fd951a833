"""A few SVG elements as text. Numbers are rounded to a tenth of a unit; all text is escaped."""

from __future__ import annotations

from html import escape


def number(value: float) -> str:
    """A coordinate, short."""
    text = f"{value:.1f}"
    return text.removesuffix(".0")


def text(x: float, y: float, content: str, css: str = "", anchor: str = "start") -> str:
    """Text with its baseline at y."""
    return (
        f'<text x="{number(x)}" y="{number(y)}" class="{css}" text-anchor="{anchor}">{escape(content)}</text>'
    )


def line(x1: float, y1: float, x2: float, y2: float, css: str) -> str:
    """A straight line."""
    return f'<line x1="{number(x1)}" y1="{number(y1)}" x2="{number(x2)}" y2="{number(y2)}" class="{css}"/>'


def rect(x: float, y: float, width: float, height: float, css: str, *, title: str = "") -> str:
    """A rectangle; its title shows when it is pointed at."""
    place = f'x="{number(x)}" y="{number(y)}" width="{number(width)}" height="{number(height)}"'
    start = f'<rect {place} class="{css}"'
    return f"{start}><title>{escape(title)}</title></rect>" if title else f"{start}/>"


def circle(x: float, y: float, radius: float, css: str, title: str = "") -> str:
    """A circle; its title shows when it is pointed at."""
    start = f'<circle cx="{number(x)}" cy="{number(y)}" r="{number(radius)}" class="{css}"'
    return f"{start}><title>{escape(title)}</title></circle>" if title else f"{start}/>"


def path(places: list[tuple[float, float]], css: str, *, closed: bool = False) -> str:
    """A path through places."""
    steps = "L".join(f"{number(x)} {number(y)}" for x, y in places)
    return f'<path d="M{steps}{"Z" if closed else ""}" class="{css}"/>'


def drawing(name: str, width: float, height: float, title: str, description: str, *, parts: list[str]) -> str:
    """A whole picture that scales with its column and says in words what it shows.

    Args:
        name: unique in the page; ids of the title and description are made from it.
        width: of the coordinate system.
        height: of the coordinate system.
        title: short.
        description: what the picture shows, for those who cannot see it.
        parts: the elements.
    """
    return (
        f'<svg viewBox="0 0 {number(width)} {number(height)}" role="img" '
        f'aria-labelledby="{name}-title {name}-desc" class="plot" style="min-width:{number(width * 0.62)}px">'
        f'<title id="{name}-title">{escape(title)}</title><desc id="{name}-desc">{escape(description)}</desc>'
        f"{''.join(parts)}</svg>"
    )
