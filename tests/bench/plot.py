"""A figure of several curves over one logarithmic axis, as SVG.

Rule of this file: numbers in, text out; no library, because one figure needs none.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import List, Sequence, Tuple
from xml.sax.saxutils import escape

WIDTH, HEIGHT, MARGIN = 320, 220, 48
"""Size of a panel and the space for its labels [px]."""


@dataclass(frozen=True)
class Panel:
    """One curve; both axes are logarithmic."""

    title: str
    points: Sequence[Tuple[float, float]]
    """x and y, above 0, x rising."""


def figure(panels: Sequence[Panel], across: str, columns: int = 2) -> str:
    """Given panels and what their x axis is, return them side by side as an SVG file."""
    rows = -(-len(panels) // columns)
    width, height = columns * WIDTH, rows * HEIGHT
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'font-family="sans-serif" font-size="10">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    for number, panel in enumerate(panels):
        left, top = number % columns * WIDTH, number // columns * HEIGHT
        parts.append(f'<g transform="translate({left} {top})">')
        parts += _panel(panel, across)
        parts.append("</g>")
    return "\n".join([*parts, "</svg>"]) + "\n"


def _panel(panel: Panel, across: str) -> List[str]:
    xs, ys = [x for x, _ in panel.points], [y for _, y in panel.points]
    x_decades, y_decades = _decades(xs), _decades(ys)

    def place(x: float, y: float) -> Tuple[float, float]:
        return (
            MARGIN + (WIDTH - MARGIN - 12) * _share(x, x_decades),
            HEIGHT - MARGIN - (HEIGHT - MARGIN - 28) * _share(y, y_decades),
        )

    low_x, high_x, low_y, high_y = *x_decades, *y_decades
    parts = [f'<text x="{WIDTH / 2}" y="16" text-anchor="middle" font-size="12">{escape(panel.title)}</text>']
    for power in range(low_x, high_x + 1):
        x, bottom = place(10**power, 10**low_y)
        parts.append(f'<line x1="{x:.1f}" y1="{bottom:.1f}" x2="{x:.1f}" y2="28" stroke="#ddd"/>')
        parts.append(f'<text x="{x:.1f}" y="{bottom + 14:.1f}" text-anchor="middle">{_power(power)}</text>')
    for power in range(low_y, high_y + 1):
        left, y = place(10**low_x, 10**power)
        parts.append(f'<line x1="{left:.1f}" y1="{y:.1f}" x2="{WIDTH - 12}" y2="{y:.1f}" stroke="#ddd"/>')
        parts.append(f'<text x="{left - 4:.1f}" y="{y + 3:.1f}" text-anchor="end">{_power(power)}</text>')
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in map(place, xs, ys))
    parts.append(f'<polyline points="{path}" fill="none" stroke="#06c" stroke-width="1.5"/>')
    parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="#06c"/>' for x, y in map(place, xs, ys)]
    parts.append(f'<text x="{WIDTH / 2}" y="{HEIGHT - 14}" text-anchor="middle">{escape(across)}</text>')
    return parts


def _decades(values: Sequence[float]) -> Tuple[int, int]:
    """Given numbers, return the powers of ten around them, two at least."""
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return low, max(high, low + 1)


def _share(value: float, decades: Tuple[int, int]) -> float:
    return (math.log10(value) - decades[0]) / (decades[1] - decades[0])


def _power(power: int) -> str:
    return f'10<tspan dy="-4" font-size="7">{power}</tspan>'
