"""What the log says of a message that is not sent."""

from rich.console import Console

from emta.cli.log_tables import log_table
from emta.feedback.v1.log_pb2 import LogEntry, LogStatus
from emta.feedback.v1.outcome_pb2 import HoldCause


def shown(**fields: object) -> str:
    entry = LogEntry(message_id="m1", recipient="a@b.example", **fields)  # type: ignore[arg-type]
    console = Console(width=200)
    with console.capture() as capture:
        console.print(log_table([entry]))
    return capture.get()


def test_a_held_message_says_which_key_it_needs_and_no_time_that_is_over() -> None:
    said = shown(
        status=LogStatus.LOG_STATUS_TAKEN_INTO_ACCOUNT,
        hold_cause=HoldCause.HOLD_CAUSE_NO_KEY,
        hold_domain="shop.example",
        next_attempt_time={"seconds": 1},
    )

    assert "waits for something of ours: no signing key of shop.example" in said
    assert "python -m services.signer.keygen shop.example" in said
    assert "1970" not in said


def test_a_message_that_expired_while_held_says_what_it_waited_for() -> None:
    said = shown(
        status=LogStatus.LOG_STATUS_FAILED,
        hold_cause=HoldCause.HOLD_CAUSE_SIGNER_UNAVAILABLE,
    )

    assert "its validity ended while it waited for something of ours: signer unavailable" in said


def test_a_retry_has_its_day_and_time() -> None:
    said = shown(
        status=LogStatus.LOG_STATUS_TAKEN_INTO_ACCOUNT, next_attempt_time={"seconds": 86_400 + 3_661}
    )

    assert "next try at 1970-01-02 01:01:01 UTC" in said
