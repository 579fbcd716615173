"""Which message a mail is about, of those that Feedback has for its marks."""

from __future__ import annotations

import pytest

from emta.bounce.v1.inbound_service_pb2 import FoundBy
from emta.feedback.v1.log_pb2 import LogEntry
from services.bounce.inbound.original import Found, clues_of, original_of
from services.bounce.inbound.reading import read
from tests.support.returned import dsn


@pytest.mark.parametrize(
    "written",
    ["OK@MÜLLER.example", "ok@müller.example", "ok@XN--MLLER-KVA.example", "ok@xn--mller-kva.example"],
)
def test_of_several_recipients_ours_is_known_however_his_domain_is_written(written: str) -> None:
    mail = read(dsn("else@b.example", written, message_id="<m1@shop.example>"))
    row = LogEntry(message_id="m1", recipient="ok@xn--mller-kva.example")
    clues, found = clues_of(mail, "", None), Found(with_message_id=[row])

    others, ours = (original_of(mail, recipient, clues, found, 0) for recipient in mail.recipients)

    assert ours == (FoundBy.FOUND_BY_MESSAGE_ID, row)
    assert others == (FoundBy.FOUND_BY_UNSPECIFIED, None)


def test_what_has_no_domain_is_nobody() -> None:
    mail = read(dsn("else@b.example", "ok@\u2603\u200d.example", message_id="<m1@shop.example>"))
    row = LogEntry(message_id="m1", recipient="ok@b.example")
    found = Found(with_message_id=[row])

    for recipient in mail.recipients:
        assert original_of(mail, recipient, clues_of(mail, "", None), found, 0)[1] is None
