# SPDX-License-Identifier: BSD-2-Clause
"""The little of SVG that drawings of measurements need; a browser shows it."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

COLOURS = ("#b00020", "#e07b00", "#8a6d3b", "#777777", "#0057b8", "#008a4e", "#7b2fbf", "#000000")


def document(width: int, height: int, parts: Sequence[str]) -> str:
    """Put the parts on a white ground."""
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'font-family="sans-serif" font-size="13">\n'
        f'<rect width="{width}" height="{height}" fill="white"/>\n{body}\n</svg>\n'
    )


def text(x: float, y: float, words: str, anchor: str, colour: str = "black") -> str:
    """``anchor``: which part of it is at ``x``: start, middle or end."""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">'
        f"{escape(words)}</text>"
    )


def line(points: Sequence[tuple[float, float]], colour: str) -> str:
    """Draw from point to point."""
    joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{joined}" fill="none" stroke="{colour}" stroke-width="2"/>'
