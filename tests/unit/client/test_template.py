"""Filling a message from a row."""

from __future__ import annotations

from email import message_from_bytes, policy

import pytest

from emta.problems import Problem
from emta.template import Template

EML = b"""\
From: The Shop <news@shop.example>
To: {{name}} <{{email}}>
Subject: Dear {{ name }}
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=b

--b
Content-Type: text/plain; charset=iso-8859-1

Hello {{name}}
--b
Content-Type: text/html; charset=utf-8

<p>Hello {{name}}</p>
--b
Content-Type: text/plain
Content-Disposition: attachment; filename=x.txt

{{name}} stays
--b--
"""


def filled(**row: str) -> object:
    return message_from_bytes(Template(EML).fill(row), policy=policy.SMTP)


def test_headers_and_texts_are_filled_and_attachments_are_not() -> None:
    message = filled(name="Ada", email="a@b.example")
    plain, html, attachment = message.iter_parts()  # type: ignore[attr-defined]

    assert message["To"] == "Ada <a@b.example>"  # type: ignore[index]
    assert message["Subject"] == "Dear Ada"  # type: ignore[index]
    assert "Hello Ada" in plain.get_content()
    assert "<p>Hello Ada</p>" in html.get_content()
    assert "{{name}} stays" in attachment.get_content()


def test_values_are_escaped_in_html_only() -> None:
    plain, html, _ = filled(name="Tom & <Co>", email="a@b.example").iter_parts()  # type: ignore[attr-defined]

    assert "Tom & <Co>" in plain.get_content()
    assert "Tom &amp; &lt;Co&gt;" in html.get_content()


@pytest.mark.parametrize("name", ["花子 山田", "O'Brien, Pat", 'The "Boss"', "Zoë"])
def test_a_name_stays_one_name_whatever_is_in_it(name: str) -> None:
    (address,) = filled(name=name, email="a@b.example")["To"].addresses  # type: ignore[index]

    assert (address.display_name, address.addr_spec) == (name, "a@b.example")


def test_a_charset_that_cannot_hold_the_value_gives_way() -> None:
    plain = next(filled(name="花子", email="a@b.example").iter_parts())  # type: ignore[attr-defined]

    assert plain.get_content_charset() == "utf-8"
    assert "花子" in plain.get_content()


def test_a_value_cannot_add_a_header_field() -> None:
    with pytest.raises(Problem) as caught:
        filled(name="Ada\r\nBcc: evil@c.example", email="a@b.example")

    assert caught.value.reason == "ROW_INVALID"


def test_a_placeholder_without_a_column_is_named() -> None:
    with pytest.raises(Problem, match=r"voucher.*no column") as caught:
        Template(b"Subject: {{voucher}}\n\nHello\n").check(["name", "email"])

    assert caught.value.reason == "PLACEHOLDER_UNKNOWN"


def test_what_is_no_message_is_refused() -> None:
    with pytest.raises(Problem) as caught:
        Template(b"\n\nno header fields\n")

    assert caught.value.reason == "TEMPLATE_INVALID"
