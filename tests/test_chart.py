"""Curves as text."""

import math

import pytest

from minitrain import chart


def test_sparkline():
    assert chart.sparkline(range(8), 8) == "▁▂▃▄▅▆▇█"
    assert chart.sparkline([1.0] * 100, 5) == "█████"
    assert chart.sparkline([0.0, 0.0], 4) == "▁▁▁▁"
    assert chart.sparkline([1.0, 0.0], 4) == "██▁▁"


def test_picture_of_a_straight_line():
    lines = chart.picture([0.0, 1.0], [0.0, 1.0], ["a", "b"], width=4, height=2)
    assert lines == ["1 ┤⠀⠀⡠⠊", "0 ┤⡠⠊", "   a  b"]


def test_picture_leaves_out_what_is_no_number_and_marks():
    lines = chart.picture(
        [0.0, 1.0, 2.0, 3.0], [1.0, math.nan, math.inf, 1.0], ["x"], marked=1.0, width=2, height=2,
        bottom=0.0, top=2.0,
    )  # fmt: skip
    assert lines == ["2 ┤⠨⠀".rstrip("⠀"), "0 ┤⠩⠉", "   x"]


@pytest.mark.parametrize("y", [[3.0, 3.0, 3.0], [1e-9, 1e9, 5.0]])
def test_picture_has_its_size(y):
    lines = chart.picture([1.0, 2.0, 4.0], y, ["1", "4"], width=30, height=5)
    assert len(lines) == 6
    assert max(map(len, lines)) <= 30 + 10
    assert all(" ┤" in line for line in lines[:-1])
