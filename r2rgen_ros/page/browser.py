# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the browser does beyond what the library offers: clicks on pictures, and leaving fields.

The library shows pictures, and tells of no clicks on them: so the place of a click is put into a
text field, which is not shown, as if typed. The time of the click makes two clicks on one pixel two
texts. The listeners are of the whole document, and so take clicks in the enlarged picture too. And
S moves the 3D view, which Ctrl S shall not: the view listens at the document, hotkeys below it.
"""

from __future__ import annotations

from dataclasses import dataclass

FIELD = 'Clicked at'
TIMELINE = 'r2rgen-timeline'
"""Class of what a click on which goes to a frame."""
_MARK = '@'
_PIXEL, _SHARE = 'pixel', 'share'
# What is typed into fields is sent a moment later than it is typed; a click has to come after it.
_TYPED_MS = 60
_CODE = """
  const part = function () {
    const labels = Array.from(document.querySelectorAll('label'));
    let part = labels.find((label) => label.textContent === 'FIELD');
    while (part && !part.querySelector('input')) part = part.parentElement;
    return part;
  };
  const hide = function () {
    const found = part();
    if (found) found.style.display = 'none'; else setTimeout(hide, 50);
  };
  hide();
  if (window.r2rgenClicks) return;
  window.r2rgenClicks = true;
  const tell = function (text, event) {
    setTimeout(function () {
      const found = part();
      if (!found) return;
      const field = found.querySelector('input');
      const write = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').set;
      write.call(field, text + 'MARK' + event.timeStamp);
      field.dispatchEvent(new Event('input', {bubbles: true}));
    }, TYPED_MS);
  };
  const leave = function () {
    const active = document.activeElement;
    if (active && active.tagName === 'INPUT') active.blur();
  };
  document.addEventListener('click', function (event) {
    const on = event.target;
    if (on.closest('[role=option]')) setTimeout(leave, 0);
    if (event.detail > 1) return;
    const at = on.getBoundingClientRect();
    const bar = on.closest('.TIMELINE');
    if (bar) {
      const whole = bar.getBoundingClientRect();
      tell('SHARE ' + ((event.clientX - whole.left) / whole.width).toFixed(5), event);
    } else if (on.tagName === 'IMG' && on.naturalWidth) {
      const u = (event.clientX - at.left) / at.width * on.naturalWidth - 0.5;
      const v = (event.clientY - at.top) / at.height * on.naturalHeight - 0.5;
      tell('PIXEL ' + u.toFixed(2) + ' ' + v.toFixed(2), event);
    }
  });
  document.addEventListener('keydown', function (event) {
    const on = event.target;
    const offers = on.getAttribute && on.getAttribute('aria-expanded') === 'true';
    if (on.tagName === 'INPUT' && event.key === 'Enter' && !offers) leave();
  });
  document.documentElement.addEventListener('keydown', function (event) {
    if (event.ctrlKey || event.metaKey) event.stopPropagation();
  });
"""


def _script() -> str:
    code = _CODE
    words = {
        'TYPED_MS': str(_TYPED_MS), 'FIELD': FIELD, 'MARK': _MARK, 'TIMELINE': TIMELINE,
        'SHARE': _SHARE, 'PIXEL': _PIXEL,
    }  # fmt: skip
    for word, meaning in words.items():
        code = code.replace(word, meaning)
    # An image without a source is how a script gets to run in a piece of HTML that is put in.
    return (
        '<style>img, .' + TIMELINE + ' { cursor: crosshair; }</style>'
        '<img src="data:," alt="" style="display: none" onerror="' + code + '">'
    )


SCRIPT = _script()
"""A piece of HTML that makes the browser do it."""


@dataclass(frozen=True)
class Pixel:
    """A click on a picture: column and row, from 0."""

    u: float
    v: float


@dataclass(frozen=True)
class Moment:
    """A click on the bar of skills: how far along it, 0 to 1."""

    share: float


def place_of(text: str) -> Pixel | Moment | None:
    """What was clicked on, as the browser wrote it; None for anything else."""
    said, marked, _ = text.partition(_MARK)
    kind, *numbers = said.split()[:3] or ['']
    try:
        values = [float(number) for number in numbers]
    except ValueError:
        return None
    if marked and kind == _PIXEL and len(values) == 2:
        return Pixel(*values)
    if marked and kind == _SHARE and len(values) == 1 and 0.0 <= values[0] <= 1.0:
        return Moment(*values)
    return None
