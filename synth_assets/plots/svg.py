"""The sheet that every plot is drawn on: rectangles, lines and escaped texts, as an SVG for a page of its own or for one that gives the colours.

A drawing library would take 0.4 s to import and write 30 KB per picture; ours are 1 to 10 KB. Shapes name a role (kept, rejected, quiet, ...), not a
colour. Alone, in a data: URI, a picture has a light ground of its own, since it cannot know the theme of Dagster's UI; within a page the page's
style sheet says what the roles look like, in light and in dark. Invariant: every text and attribute is escaped; nothing in it runs or is fetched.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from xml.sax.saxutils import escape

from synth_assets.quality.findings import one_line

__all__ = ["COLOURS", "Role", "Sheet", "shortened"]

Role = Literal["ink", "quiet", "line", "kept", "rejected", "surplus", "mark"]

COLOURS: Mapping[str, str] = {
    "ground": "#ffffff",
    "ink": "#1b1f24",
    "quiet": "#57606a",
    "line": "#d5d9de",
    "kept": "#1a7f5a",
    "rejected": "#c2410c",
    "surplus": "#8b98a8",
    "mark": "#1d4ed8",
}
"""What the roles look like in a picture that stands alone; all texts have a contrast of 5 or more to the ground."""

TEXT_SIZE = 12.0
LONGEST = 200
"""Characters of a text at most."""

CHARACTER = 0.58 * TEXT_SIZE
"""Width of a character, about: system fonts differ, so that every text has room to spare."""


@dataclass
class Sheet:
    """One picture under way. Lengths are in pixels at its own size, from the upper left corner."""

    title: str
    """What it shows, for those who cannot see it."""
    width: float
    height: float
    shapes: list[str] = field(default_factory=list)

    def rectangle(self, x: float, y: float, width: float, height: float, role: Role, *, opacity: float = 1.0) -> None:
        """A filled rectangle."""
        faint = f' opacity="{opacity:.3g}"' if opacity < 1 else ""
        size = f'width="{max(width, 0):.4g}" height="{max(height, 0):.4g}"'
        self.shapes.append(f'<rect x="{x:.4g}" y="{y:.4g}" {size} rx="1.5" class="{role}"{faint}/>')

    def line(self, x1: float, y1: float, x2: float, y2: float, role: Role = "line", *, dashed: bool = False) -> None:
        """A straight line."""
        dashes = ' stroke-dasharray="4 3"' if dashed else ""
        self.shapes.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="stroke {role}"{dashes}/>')

    def curve(self, points: list[tuple[float, float]], role: Role) -> None:
        """A line through all points."""
        self.shapes.append(f'<polyline points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}" fill="none" class="stroke {role}" stroke-width="2"/>')

    def text(self, x: float, y: float, words: str, role: Role = "ink", *, anchor: Literal["start", "middle", "end"] = "start") -> None:
        """A line of text whose baseline is at `y`."""
        self.shapes.append(f'<text x="{x:.1f}" y="{y:.1f}" class="{role}" text-anchor="{anchor}">{_safe(words)}</text>')

    def inline(self) -> str:
        """The picture for a page whose style sheet colours the roles."""
        return self._whole("")

    def alone(self) -> str:
        """The picture with its own colours and ground."""
        roles = "".join(f".{role}{{fill:{colour}}}.stroke.{role}{{stroke:{colour};fill:none}}" for role, colour in COLOURS.items())
        return self._whole(f'<style>{roles}</style><rect width="{self.width:.0f}" height="{self.height:.0f}" rx="6" class="ground"/>')

    def data_uri(self) -> str:
        """The picture alone as a data: URI, which Dagster's Markdown shows."""
        return f"data:image/svg+xml;base64,{base64.b64encode(self.alone().encode()).decode()}"

    def _whole(self, ground: str) -> str:
        size = f'width="{self.width:.0f}" height="{self.height:.0f}" viewBox="0 0 {self.width:.0f} {self.height:.0f}"'
        head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" font-family="system-ui, sans-serif" font-size="{TEXT_SIZE:g}">'
        return f"{head}<title>{_safe(self.title)}</title>{ground}{''.join(self.shapes)}</svg>"


def _safe(words: str) -> str:
    """`words` as XML may hold them, on one line."""
    return escape(one_line(words, LONGEST))


def shortened(words: str, width: float) -> str:
    """`words` cut so that they take at most `width` pixels, about."""
    room = max(int(width / CHARACTER), 1)
    return words if len(words) <= room else words[: room - 1] + "…"
