"""The faults of a sender that the journal writes down."""

from __future__ import annotations

import pytest

from demo.receiver.conformity import faults


@pytest.mark.parametrize(
    ("params", "content"),
    [
        ({}, b""),
        ({}, b"From: a@b.example\r\n\r\nHi\r\n"),
        ({"BODY": "8BITMIME"}, b"Gr\xfc\xdfe\r\n"),
        ({"BODY": "8bitmime"}, b"Gr\xfc\xdfe\r\n"),
        ({}, b"x" * 998 + b"\r\n" + b"y" * 998 + b"\r\n"),
        ({"SIZE": "4"}, b"Hi\r\n"),
        ({"SIZE": "9"}, b"Hi\r\n"),
    ],
)
def test_good_content_has_no_fault(params: dict[str, str], content: bytes) -> None:
    assert list(faults(params, content)) == []


@pytest.mark.parametrize(
    ("params", "content", "fault"),
    [
        ({}, b"a\nb\r\n", "stands alone"),
        ({}, b"a\rb\r\n", "stands alone"),
        ({}, b"a\r\n\n", "stands alone"),
        ({}, b"a\r\r\n", "stands alone"),
        ({}, b"Gr\xfc\xdfe\r\n", "8BITMIME"),
        ({"BODY": "7BIT"}, b"Gr\xfc\xdfe\r\n", "8BITMIME"),
        ({}, b"x" * 999 + b"\r\n", "1000 octets"),
        ({"SIZE": "3"}, b"Hi\r\n", "SIZE=3"),
    ],
)
def test_a_fault_is_named(params: dict[str, str], content: bytes, fault: str) -> None:
    (found,) = faults(params, content)

    assert fault in found
