"""Line charts as SVG, without a library."""

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

WIDTH, HEIGHT, LEFT, GAP, TOP = 720, 220, 60, 60, 40
COLOURS = ("#767676", "#c05600", "#0057a8", "#2e7d32")
N_TICKS = 4


class Line(NamedTuple):
    """One line of a chart. x, y: (n,)."""

    name: str
    x: NDArray[np.generic]
    y: NDArray[np.generic]


def line_chart(title: str, panels: Sequence[tuple[str, Sequence[Line]]], x_name: str) -> str:
    """Draw panels below each other. panels: the name of each one's vertical axis, and its lines."""
    height = TOP + len(panels) * (HEIGHT + GAP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-size="12">',
        f"<style>text {{ font-family: sans-serif }}</style><title>{escape(title)}</title>",
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="{LEFT}" y="20" font-size="14">{escape(title)}</text>',
    ]
    for place, (name, lines) in enumerate(panels):
        parts += _panel(TOP + place * (HEIGHT + GAP), name, lines, x_name)
    return "\n".join([*parts, "</svg>", ""])


def _panel(top: int, name: str, lines: Sequence[Line], x_name: str) -> list[str]:
    low, high = (float(bound(np.concatenate([line.y for line in lines]))) for bound in (np.min, np.max))
    first, last = float(lines[0].x[0]), float(lines[0].x[-1])
    right = WIDTH - 150

    def across(x: float) -> float:
        return LEFT + (x - first) / (last - first) * (right - LEFT)

    def down(y: float) -> float:
        return top + HEIGHT - (y - low) / ((high - low) or 1) * (HEIGHT - 20)

    parts = [f'<text x="{LEFT}" y="{top + 8}">{escape(name)}</text>']
    for value in np.linspace(low, high, N_TICKS).tolist():
        parts.append(f'<line x1="{LEFT}" x2="{right}" y1="{down(value):.1f}" y2="{down(value):.1f}" stroke="#dddddd"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{down(value) + 4:.1f}" text-anchor="end">{value:.2f}</text>')
    parts += [
        f'<text x="{across(value):.1f}" y="{top + HEIGHT + 16}" text-anchor="middle">{value:.0f}</text>'
        for value in np.linspace(first, last, N_TICKS).tolist()
    ]
    parts.append(f'<text x="{right}" y="{top + HEIGHT + 32}" text-anchor="end">{escape(x_name)}</text>')
    for place, (line, colour) in enumerate(zip(lines, COLOURS, strict=False)):
        points = " ".join(
            f"{across(x):.1f},{down(y):.1f}" for x, y in zip(line.x.tolist(), line.y.tolist(), strict=True)
        )
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        y = top + 30 + 20 * place
        parts.append(
            f'<line x1="{right + 10}" x2="{right + 30}" y1="{y}" y2="{y}" stroke="{colour}" stroke-width="2"/>'
        )
        parts.append(f'<text x="{right + 35}" y="{y + 4}">{escape(line.name)}</text>')
    return parts
