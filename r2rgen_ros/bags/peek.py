# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Reads the stamp of a serialized message without deserializing it.

In CDR (OMG, Common Data Representation) four bytes name the byte order; a std_msgs/Header that
comes first follows at once with seconds (int32) and nanoseconds (uint32). A TFMessage begins with
the number of its transforms (uint32), and each transform with a header.
"""

from __future__ import annotations

import struct
from functools import lru_cache

from r2rgen_ros.bags import messages

_LITTLE, _BIG = struct.Struct('<iI'), struct.Struct('>iI')
_STAMPED, _LISTED = 4, 8


@lru_cache(maxsize=64)
def _offset(msgtype: str) -> int:
    """Where the first stamp of a type begins; -1 for none."""
    if msgtype == messages.TF:
        return _LISTED
    definition = messages.store().fielddefs.get(msgtype)
    first = definition[1][0] if definition and definition[1] else None
    return _STAMPED if first is not None and first[0] == 'header' else -1


def stamp_ns(raw: bytes, msgtype: str) -> int | None:
    """Stamp of a serialized message, or of its first transform, in nanoseconds.

    Args:
        raw: Its CDR.
        msgtype: As in 'sensor_msgs/msg/Image'.

    Returns:
        None where the type has no header, or the message is too short for one.

    """
    at = _offset(msgtype)
    if at < 0 or len(raw) < at + 8:
        return None
    # The lowest bit of the second byte says little-endian.
    seconds, nanoseconds = (_LITTLE if raw[1] & 1 else _BIG).unpack_from(raw, at)
    return int(seconds) * messages.NS_PER_S + int(nanoseconds)
