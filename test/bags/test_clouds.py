# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import struct
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from r2rgen_ros.bags import messages
from r2rgen_ros.bags.clouds import (
    FORMATS,
    LABELLED,
    STANDARD,
    CloudLayout,
    Field,
    decode_cloud,
    decode_field,
    encode_cloud,
)
from r2rgen_ros.bags.reader import BagReader
from r2rgen_ros.geometry.cloud import Cloud
from r2rgen_ros.model.errors import R2RGenError

SIZES = {kind: np.dtype(form).itemsize for kind, form in FORMATS.items()}


@st.composite
def layouts(draw) -> CloudLayout:
    """Layouts with the fields in any order, gaps between them, and all ways to hold colour."""
    coordinate = draw(st.sampled_from([7, 8]))
    colour = draw(
        st.sampled_from(
            [
                [('rgb', 7)], [('rgb', 6)], [('rgba', 6)], [('rgba', 7)],
                [('r', 2), ('g', 2), ('b', 2)], [('red', 7), ('green', 7), ('blue', 7)],
                [('r', 4), ('g', 4), ('b', 4)], [('intensity', 7)], [('intensity', 2)], [],
            ]
        )
    )  # fmt: skip
    fields = [('x', coordinate), ('y', coordinate), ('z', coordinate), *colour]
    extra = [('ring', 4), ('t', 8)]
    fields += draw(st.lists(st.sampled_from(extra), unique=True))
    offset, placed = 0, []
    for name, kind in draw(st.permutations(fields)):
        offset += draw(st.integers(0, 3))
        placed.append(Field(name, offset, kind))
        offset += SIZES[kind]
    organised = draw(st.booleans())
    return CloudLayout(
        tuple(placed),
        offset + draw(st.integers(0, 5)),
        row_padding=draw(st.integers(0, 7)) if organised else 0,
        is_bigendian=draw(st.booleans()),
        height=draw(st.integers(2, 4)) if organised else 1,
        width=draw(st.integers(1, 5)) if organised else 0,
        alpha=draw(st.integers(0, 255)),
    )


def by_hand(layout: CloudLayout, points, colours) -> bytes:
    """Lay points (H, W, 3) out with struct, one number at a time."""
    order = '>' if layout.is_bigendian else '<'
    codes = {1: 'b', 2: 'B', 3: 'h', 4: 'H', 5: 'i', 6: 'I', 7: 'f', 8: 'd'}
    out = bytearray()
    for row, tints in zip(points, colours, strict=True):
        for point, (r, g, b) in zip(row, tints, strict=True):
            raw = bytearray(layout.point_step)
            for field in layout.fields:
                packed = (layout.alpha << 24) | (int(r) << 16) | (int(g) << 8) | int(b)
                code = codes[field.datatype]
                value = {
                    'x': point[0], 'y': point[1], 'z': point[2],
                    'r': r, 'g': g, 'b': b, 'red': r, 'green': g, 'blue': b,
                    'intensity': r, 'rgb': packed, 'rgba': packed,
                }.get(field.name, 7)  # fmt: skip
                if field.name in ('rgb', 'rgba'):
                    code = 'I'
                struct.pack_into(order + code, raw, field.offset, _typed(value, code))
            out += raw
        out += bytes(layout.row_padding)
    return bytes(out)


def _typed(value, code):
    return float(value) if code in 'fd' else int(value)


@settings(max_examples=150, deadline=None)
@given(layouts(), st.integers(0, 2**32 - 1))
def test_every_layout_is_read_and_written_as_by_hand(layout, seed):
    rng = np.random.default_rng(seed)
    shape = (layout.height, layout.width or int(rng.integers(1, 6)))
    points = rng.normal(size=(*shape, 3)).astype(np.float32)
    colours = rng.integers(0, 256, (*shape, 3), dtype=np.uint8)
    # Something above 1 in every channel, so that floats are told to be 0-255, not 0-1.
    colours[0, 0] = 200
    if layout.colour_fields == ('intensity',):
        colours[:] = colours[..., :1]
    data = by_hand(layout, points, colours)
    message = encode_cloud(
        Cloud(points.reshape(-1, 3), colours.reshape(-1, 3)),
        layout,
        'f',
        5,
        mask=np.ones(shape, bool),
    )
    own = bytes(message.data)
    for name in layout.extra_fields:
        assert (decode_field(message, name) == 0).all()
    message.data = np.frombuffer(data, np.uint8)
    cloud, mask = decode_cloud(message)
    assert mask.shape == shape
    assert mask.all()
    assert np.array_equal(cloud.points, points.reshape(-1, 3))
    if layout.colour_fields:
        assert np.array_equal(cloud.colours, colours.reshape(-1, 3))
        assert _without_extras(own, layout, shape) == _without_extras(data, layout, shape)
    else:
        assert (cloud.colours == 128).all()
    assert replace(CloudLayout.of(message), alpha=layout.alpha) == layout


def _without_extras(data: bytes, layout: CloudLayout, shape: tuple[int, int]) -> bytes:
    out = bytearray(data)
    step = shape[1] * layout.point_step + layout.row_padding
    extra = [f for f in layout.fields if f.name in layout.extra_fields]
    for row in range(shape[0]):
        for column in range(shape[1]):
            start = row * step + column * layout.point_step
            for field in extra:
                place = start + field.offset
                out[place : place + SIZES[field.datatype]] = bytes(SIZES[field.datatype])
    return bytes(out)


@settings(max_examples=60, deadline=None)
@given(layouts(), st.integers(0, 2**32 - 1), st.floats(0.0, 1.0))
def test_holes_come_back_as_holes(layout, seed, share):
    rng = np.random.default_rng(seed)
    shape = (max(layout.height, 2), layout.width or 3)
    mask = rng.random(shape) < share
    count = int(mask.sum())
    cloud = Cloud.from_arrays(rng.normal(size=(count, 3)), rng.integers(0, 256, (count, 3)))
    message = encode_cloud(cloud, layout, 'f', 5, mask=mask)
    assert message.is_dense == mask.all()
    again, holes = decode_cloud(message, layout)
    assert np.array_equal(holes, mask)
    assert np.array_equal(again.points, cloud.points)


def test_invalid_points_are_left_out():
    points = np.zeros((6, 3), np.float32)
    points[1, 0], points[2, 1], points[3, 2] = np.nan, np.inf, -np.inf
    points[4] = np.inf, -np.inf, 1.0
    message = encode_cloud(Cloud.from_arrays(points), STANDARD, 'f', 0)
    assert not message.is_dense
    message.is_dense = True  # drivers lie
    cloud, mask = decode_cloud(message)
    assert mask.tolist() == [[True, False, False, False, False, True]]
    assert len(cloud) == 2


def test_huge_double_coordinates_do_not_become_points_at_infinity():
    layout = CloudLayout((Field('x', 0, 8), Field('y', 8, 8), Field('z', 16, 8)), 24)
    message = encode_cloud(Cloud.from_arrays(np.ones((2, 3))), layout, 'f', 0)
    message.data.view('<f8')[0] = 1e300
    cloud, mask = decode_cloud(message)
    assert mask.tolist() == [[False, True]]
    assert len(cloud) == 1


def test_organised_layout_with_another_number_of_points_is_one_row():
    layout = replace(STANDARD, height=2, width=3, row_padding=4)
    assert encode_cloud(Cloud.from_arrays(np.ones((6, 3))), layout, 'f', 0).height == 2
    message = encode_cloud(Cloud.from_arrays(np.ones((5, 3))), layout, 'f', 0)
    assert (message.height, message.width) == (1, 5)
    assert len(decode_cloud(message)[0]) == 5


@pytest.mark.parametrize(('top', 'written'), [(1.0, 0.2), (255.0, 51.0), (1000.0, 200.0)])
def test_float_colours_keep_their_scale(top, written):
    layout = CloudLayout(
        (Field('x', 0, 7), Field('y', 4, 7), Field('z', 8, 7), Field('intensity', 12, 7)), 16
    )
    message = encode_cloud(Cloud.from_arrays(np.ones((2, 3))), layout, 'f', 0)
    message.data.view('<f4')[3::4] = [top, written]
    found = CloudLayout.of(message)
    cloud, _ = decode_cloud(message, found)
    assert cloud.colours.tolist() == [[255] * 3, [51] * 3]
    again = encode_cloud(cloud, found, 'f', 0)
    assert np.allclose(again.data.view('<f4')[3::4], [top, written])


def test_labels_lie_beside_the_standard_fields():
    cloud = Cloud.from_arrays(np.ones((3, 3)), np.full((3, 3), 9))
    labels = np.array([0, 2, 255], np.uint8)
    message = encode_cloud(cloud, LABELLED, 'f', 0, extra={'label': labels})
    assert decode_field(message, 'label').ravel().tolist() == [0, 2, 255]
    assert np.array_equal(decode_cloud(message)[0].colours, cloud.colours)
    with pytest.raises(R2RGenError, match='no field "labels"'):
        decode_field(message, 'labels')


def test_serialized_clouds_come_back():
    cloud = Cloud.from_arrays(np.random.default_rng(0).normal(size=(10, 3)))
    raw = messages.serialize(encode_cloud(cloud, STANDARD, 'base', 12_000_000_345))
    message = messages.store().deserialize_cdr(raw, messages.POINT_CLOUD)
    assert messages.stamp_ns(message.header) == 12_000_000_345
    assert message.header.frame_id == 'base'
    assert np.array_equal(decode_cloud(message)[0].points, cloud.points)


def test_empty_clouds():
    message = encode_cloud(Cloud.empty(), STANDARD, 'f', 0)
    cloud, mask = decode_cloud(message)
    assert (len(cloud), mask.shape, message.is_dense) == (0, (1, 0), True)


@pytest.mark.parametrize(
    ('change', 'complaint'),
    [
        ({'data': np.zeros(31, np.uint8)}, 'holds 31 bytes; expected at least 32'),
        ({'fields': []}, 'x, y and z among them'),
        ({'point_step': 9}, 'ends at byte 12'),
    ],
)
def test_contradictions_are_named(change, complaint):
    message = encode_cloud(Cloud.from_arrays(np.ones((2, 3))), STANDARD, 'f', 0)
    for name, value in change.items():
        setattr(message, name, value)
    with pytest.raises(R2RGenError, match=complaint):
        decode_cloud(message)


def test_a_driver_may_leave_row_step_empty_in_one_row():
    message = encode_cloud(Cloud.from_arrays(np.ones((2, 3))), STANDARD, 'f', 0)
    message.row_step = 0
    assert len(decode_cloud(message)[0]) == 2


def test_real_cloud_survives(data_dir):
    with BagReader(data_dir / 'ros1_bags' / 'moveit_perception_tutorial.bag') as reader:
        ((_, _, message),) = reader.decoded()
    layout = CloudLayout.of(message)
    assert (layout.height, layout.width, layout.point_step) == (480, 640, 32)
    cloud, mask = decode_cloud(message)
    assert round(mask.mean(), 2) == 0.76
    assert len(np.unique(cloud.points[:, 2])) == 285
    assert cloud.colours.std() > 10
    again = encode_cloud(cloud, layout, 'camera', 0, mask=mask)
    kept = message.data.reshape(-1, 32)[mask.ravel()]
    assert np.array_equal(again.data.reshape(-1, 32)[mask.ravel()][:, :12], kept[:, :12])
    assert np.array_equal(again.data.reshape(-1, 32)[mask.ravel()][:, 16:20], kept[:, 16:20])
