# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""report.html: the pictures of a dataset on one page, with as few words as possible."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from r2rgen_ros import __version__
from r2rgen_ros.model.paths import write_text
from r2rgen_ros.report import style

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

FILE_NAME = 'report.html'

_STYLE = f"""
:root {{ color-scheme: light; }}
body {{ margin: 0 auto; max-width: 74rem; padding: 2rem 1.5rem 4rem; background: {style.PAPER};
  color: {style.INK}; font: 16px/1.5 'DejaVu Sans', system-ui, sans-serif; }}
h1 {{ font-size: 1.7rem; margin: 0 0 .2rem; }}
h2 {{ font-size: 1.15rem; margin: 2.6rem 0 .2rem; }}
p {{ margin: .2rem 0 .8rem; max-width: 46rem; }}
img {{ display: block; width: 100%; height: auto; }}
.verdict {{ font-size: 1.1rem; }}
.note {{ border-left: .25rem solid {style.REJECTED}; padding-left: .6rem; }}
.none {{ color: {style.REJECTED}; font-weight: bold; }}
dl {{ display: flex; flex-wrap: wrap; gap: .4rem 2.4rem; margin: 1.2rem 0; }}
dt {{ font-size: .8rem; color: {style.FAINT}; }}
dd {{ margin: 0; font-size: 1.15rem; }}
li {{ margin: .1rem 0; }}
code {{ font: .9em 'DejaVu Sans Mono', monospace; }}
footer {{ margin-top: 3rem; font-size: .8rem; color: {style.FAINT}; }}
"""


@dataclass(frozen=True)
class Section:
    """One picture with its heading.

    Attributes:
        title: Heading.
        text: What the picture shows, one or two sentences.
        picture: PNG beside the page.

    """

    title: str
    text: str
    picture: Path


@dataclass(frozen=True)
class Page:
    """All of the page.

    Attributes:
        title: Heading.
        verdict: What came of the generation, in a sentence.
        good: Whether any episode was accepted.
        facts: Names and values to show in a row.
        sections: The pictures, in order.
        examples: Rejections, in words.
        notes: What a person has to know of all episodes.

    """

    title: str
    verdict: str
    good: bool
    facts: tuple[tuple[str, str], ...]
    sections: tuple[Section, ...]
    examples: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def write_page(page: Page, folder: Path) -> Path:
    """Write the page beside its pictures, replacing an older one.

    Args:
        page: What it shows.
        folder: The folder of the pictures.

    Returns:
        The page.

    """
    path = folder / FILE_NAME
    write_text(path, '\n'.join(_lines(page)), replace=True)
    return path


def _lines(page: Page) -> Sequence[str]:
    title = escape(page.title)
    kind = 'verdict' if page.good else 'verdict none'
    lines = [
        '<!doctype html>',
        '<html lang="en">',
        f'<head><meta charset="utf-8"><title>{title}</title>',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f'<style>{_STYLE}</style></head>',
        f'<body><h1>{title}</h1>',
        f'<p class="{kind}">{escape(page.verdict)}</p>',
        *(f'<p class="note">{escape(note)}</p>' for note in page.notes),
        '<dl>',
        *(f'<div><dt>{escape(n)}</dt><dd>{escape(v)}</dd></div>' for n, v in page.facts),
        '</dl>',
    ]
    for section in page.sections:
        name = escape(section.picture.name, quote=True)
        lines += [
            f'<h2>{escape(section.title)}</h2>',
            f'<p>{escape(section.text)}</p>',
            f'<a href="{name}"><img src="{name}" alt="{escape(section.text, quote=True)}"></a>',
        ]
    if page.examples:
        lines += ['<h2>Rejected, for example</h2>', '<ul>']
        lines += [*(f'<li>{escape(text)}</li>' for text in page.examples), '</ul>']
    lines += [f'<footer>r2rgen_ros {__version__}</footer>', '</body></html>', '']
    return lines
