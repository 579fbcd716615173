"""Pages of a list, and the tokens that lead from one to the next. Tokens are opaque to callers."""

from __future__ import annotations

import base64
import binascii

from emta.problems import Problem, invalid

_DEFAULT_SIZE = 100


def page_size(asked: int, most: int) -> int:
    """Give the entries of a page; asked 0: 100. Raises Problem PAGE_SIZE_INVALID."""
    if not 0 <= asked <= most:
        raise invalid("page_size", "PAGE_SIZE_INVALID", f"page_size is 0 to {most}")
    return asked or _DEFAULT_SIZE


def encode_position(position: int) -> str:
    """Make a cursor or page token of a position in a list."""
    return sealed(f"1:{position}")


def decode_position(
    token: str, field: str = "page_token", reason: str = "PAGE_TOKEN_INVALID", *, most_digits: int = 18
) -> int:
    """Read a cursor or page token; empty: 0, the beginning. Raises Problem with `field` and `reason`."""
    if not token:
        return 0
    version, _, position = unsealed(token).partition(":")
    if version != "1" or not position.isdecimal() or len(position) > most_digits:
        raise not_given_out(field, reason)
    return int(position)


def sealed(text: str) -> str:
    """Make a token of a text."""
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def unsealed(token: str) -> str:
    """Give the text of a token; "" where there is none in it."""
    try:
        return base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()
    except (binascii.Error, ValueError):
        return ""


def not_given_out(field: str, reason: str) -> Problem:
    """Say of a token that it is none of ours."""
    return invalid(field, reason, f"{field} is not one that was given out")
