"""What a message asks for its return path, and what goes on the wire."""

from __future__ import annotations

import grpc
import pytest

from emta.problems import Problem
from emta.relay.v1.message_pb2 import Message, ReturnPath, ReturnPathMode
from emta.return_path import MessageName, ReturnPaths
from services.chassis.settings import SettingsError, load_settings
from services.relay.settings import RelaySettings
from services.relay.submission import Submission, check
from tests.support.clock import START_MS

KEYS = ReturnPaths([b"k" * 32])
CONTENT = b"From: a@shop.example\r\nMessage-ID:\r\n <one.two@shop.example>\r\n\r\nHello\r\n"


def submitted(keys: ReturnPaths | None = KEYS, **fields: object) -> Submission:
    message = Message(
        **{  # type: ignore[arg-type]
            "delivery_id": "4711",
            "message_id": "12",
            "mail_from": "bounces@shop.example",
            "rcpt_to": "you@b.example",
            "content": CONTENT,
            "return_path": ReturnPath(
                mode=ReturnPathMode.RETURN_PATH_MODE_VERP, domain="Bounces.Shop.Example"
            ),
            **fields,
        }
    )
    return check(
        message,
        tenant="default",
        now_ms=START_MS,
        ehlo_name="mta.shop.example",
        internal_fields=frozenset(),
        return_paths=keys,
    )


def refusal(keys: ReturnPaths | None = KEYS, **fields: object) -> Problem:
    with pytest.raises(Problem) as caught:
        submitted(keys, **fields)
    return caught.value


def test_the_sender_on_the_wire_names_the_message() -> None:
    submission = submitted()

    local, _, domain = submission.message.mail_from.partition("@")
    assert domain == "bounces.shop.example"
    assert KEYS.read(local) == MessageName("default", "4711", "12", 1)
    assert submission.signed_return_path


def test_a_later_life_has_an_address_of_its_own() -> None:
    again = submitted(epoch=2)

    assert KEYS.read(again.message.mail_from) == MessageName("default", "4711", "12", 2)


def test_without_a_wish_the_sender_stays_as_given() -> None:
    submission = submitted(return_path=None)

    assert submission.message.mail_from == "bounces@shop.example"
    assert not submission.signed_return_path


def test_the_message_id_field_is_told_without_folds() -> None:
    assert submitted().header_message_id == "<one.two@shop.example>"


def test_a_message_id_that_was_added_is_told_too() -> None:
    submission = submitted(content=b"From: a@shop.example\r\n\r\nHello\r\n")

    assert submission.header_message_id.encode() in submission.content
    assert submission.header_message_id.startswith("<")


def test_without_a_key_it_is_refused_and_not_sent_unsigned() -> None:
    problem = refusal(None)

    assert (problem.code, problem.reason) == (
        grpc.StatusCode.FAILED_PRECONDITION,
        "RETURN_PATH_KEY_MISSING",
    )


def test_identifiers_that_do_not_fit_are_refused() -> None:
    problem = refusal(delivery_id="d" * 40)

    assert (problem.field, problem.reason) == ("return_path", "RETURN_PATH_TOO_LONG")


@pytest.mark.parametrize("domain", ["", "no spaces.example", "b" * 64 + ".example"])
def test_a_bad_domain_is_refused(domain: str) -> None:
    verp = ReturnPath(mode=ReturnPathMode.RETURN_PATH_MODE_VERP, domain=domain)

    problem = refusal(return_path=verp)

    assert (problem.field, problem.reason) == ("return_path.domain", "DOMAIN_INVALID")


def test_a_domain_without_the_mode_is_a_slip() -> None:
    problem = refusal(return_path=ReturnPath(domain="b.shop.example"))

    assert problem.reason == "RETURN_PATH_DOMAIN_UNUSED"


def test_a_short_key_stops_the_start_and_is_not_told() -> None:
    with pytest.raises(SettingsError, match=r"EMTA_RELAY_RETURN_PATH_KEY.*32 characters") as caught:
        load_settings(RelaySettings, {"EMTA_RELAY_RETURN_PATH_KEY": "hunter2"})

    assert "hunter2" not in str(caught.value)
