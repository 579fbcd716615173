"""What mails mean in Campaign's terms."""

import pytest

from emta.bounce.v1.qualification_pb2 import BounceCode, Disposition, FailureReason, FailureType
from services.bounce.catalogue.catalogue import load
from services.bounce.inbound.mail import Action, InboundMail, MailKind, Recipient
from services.bounce.inbound.outcome import meaning
from services.bounce.qualify import Qualifier

QUALIFIER = Qualifier(load())
UNKNOWN = Recipient("anna@shop.example", Action.FAILED, status="5.1.1", reply_code=550, text="User unknown")


def of(recipient: Recipient, kind: MailKind = MailKind.BOUNCE) -> tuple[int, int, int]:
    """Type, reason and bounce code."""
    found = meaning(InboundMail(kind, (recipient,)), recipient, QUALIFIER)
    assert found is not None
    return found.type, found.reason, found.bounce_code


def test_a_failure_means_what_the_reply_would() -> None:
    assert of(UNKNOWN) == (
        FailureType.FAILURE_TYPE_HARD,
        FailureReason.FAILURE_REASON_USER_UNKNOWN,
        BounceCode.BOUNCE_CODE_INVALID_RECIPIENT,
    )


@pytest.mark.parametrize("action", [Action.DELIVERED, Action.RELAYED, Action.EXPANDED, Action.DELIVERABLE])
def test_success_is_no_failure(action: Action) -> None:
    recipient = Recipient("anna@shop.example", action)

    assert meaning(InboundMail(MailKind.BOUNCE, (recipient,)), recipient, QUALIFIER) is None


@pytest.mark.parametrize("text", ["", "User unknown", "over quota"])
def test_a_delay_is_soft_and_goes_on(text: str) -> None:
    recipient = Recipient("anna@shop.example", Action.DELAYED, text=text)
    found = meaning(InboundMail(MailKind.BOUNCE, (recipient,)), recipient, QUALIFIER)

    assert found is not None
    assert found.type == FailureType.FAILURE_TYPE_SOFT
    assert found.disposition == Disposition.DISPOSITION_RETRY
    assert found.reason != FailureReason.FAILURE_REASON_NOT_DEFINED


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Unrouteable address", FailureReason.FAILURE_REASON_INVALID_DOMAIN),
        (
            "Sorry, I couldn't find any host named shop.example.",
            FailureReason.FAILURE_REASON_INVALID_DOMAIN,
        ),
        ("retry timeout exceeded", FailureReason.FAILURE_REASON_UNREACHABLE),
        ("mailbox is full: retry timeout exceeded", FailureReason.FAILURE_REASON_MAILBOX_FULL),
        ("I'm not going to try again; this message has been in the queue too long.", 4),
        ("something else", FailureReason.FAILURE_REASON_NOT_DEFINED),
    ],
)
def test_without_a_reply_the_reporter_s_own_trouble_counts(text: str, reason: int) -> None:
    assert of(Recipient("anna@shop.example", Action.FAILED, text=text))[1] == reason


def test_a_receiver_that_says_the_same_in_a_reply_condemns_no_address() -> None:
    said = Recipient("anna@shop.example", Action.FAILED, reply_code=550, text="Unrouteable address")

    assert of(said)[0] != FailureType.FAILURE_TYPE_HARD


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (MailKind.COMPLAINT, (FailureType.FAILURE_TYPE_HARD, FailureReason.FAILURE_REASON_REFUSED, 0)),
        (
            MailKind.AUTO_REPLY,
            (FailureType.FAILURE_TYPE_IGNORED, FailureReason.FAILURE_REASON_UNREACHABLE, 60),
        ),
        (MailKind.CHALLENGE, (FailureType.FAILURE_TYPE_IGNORED, FailureReason.FAILURE_REASON_REFUSED, 100)),
    ],
)
def test_mails_that_are_no_bounces_have_a_meaning_of_their_own(
    kind: MailKind, expected: tuple[int, int, int]
) -> None:
    assert of(Recipient("anna@shop.example"), kind) == expected


@pytest.mark.parametrize("kind", [MailKind.SUBSCRIBE, MailKind.UNSUBSCRIBE, MailKind.OTHER])
def test_requests_and_letters_are_no_failures(kind: MailKind) -> None:
    recipient = Recipient("anna@shop.example")

    assert meaning(InboundMail(kind, (recipient,)), recipient, QUALIFIER) is None
