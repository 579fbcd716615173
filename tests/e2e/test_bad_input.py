"""Bad messages are refused on their own, with the field and a stable reason; the rest goes on."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from emta.feedback.v1.log_pb2 import LogStatus
from emta.problems import Problem
from emta.relay.v1.message_pb2 import ReturnPath, ReturnPathMode
from tests.e2e.conftest import CONTENT, World, message

BAD: list[tuple[dict[str, Any], str, str]] = [
    ({"rcpt_to": "no-at-sign"}, "rcpt_to", "ADDRESS_MALFORMED"),
    ({"rcpt_to": ""}, "rcpt_to", "ADDRESS_MISSING"),
    ({"rcpt_to": "a@b.example>\r\nRCPT TO:<evil@c.example"}, "rcpt_to", "ENVELOPE_CONTROL_CHARACTER"),
    ({"rcpt_to": "a@b.example\0"}, "rcpt_to", "ENVELOPE_CONTROL_CHARACTER"),
    ({"mail_from": "a@b.example\nDATA"}, "mail_from", "ENVELOPE_CONTROL_CHARACTER"),
    ({"mail_from": "a@b.example SIZE=9"}, "mail_from", "DOMAIN_INVALID"),
    ({"rcpt_to": "a@[127.0.0.1]"}, "rcpt_to", "ADDRESS_LITERAL"),
    ({"content": b""}, "content", "CONTENT_EMPTY"),
    ({"content": b"Subject: no From\r\n\r\nHello\r\n"}, "content", "HEADER_MISSING"),
    ({"content": b"From: a@b.example\r\n" + CONTENT}, "content", "HEADER_REPEATED"),
    ({"content": CONTENT + b"\0"}, "content", "CONTENT_HAS_NUL"),
    ({"message_id": "two words"}, "message_id", "IDENTIFIER_INVALID"),
    ({"delivery_id": ""}, "delivery_id", "IDENTIFIER_INVALID"),
    ({"limit_time": Timestamp(seconds=2**62)}, "limit_time", "TIME_INVALID"),
    ({"not_before_time": Timestamp(seconds=1, nanos=-1)}, "not_before_time", "TIME_INVALID"),
]


@pytest.mark.parametrize(("fields", "field", "reason"), BAD)
async def test_a_bad_message_is_refused_and_its_neighbours_go_on(
    world: World, fields: dict[str, Any], field: str, reason: str
) -> None:
    bad = message(**{"rcpt": "ok@alpha.example", "message_id": "bad"} | _renamed(fields))

    results = await world.submit(
        message("ok+1@alpha.example", "m1"), bad, message("ok+2@alpha.example", "m2")
    )

    problem = Problem.from_status(results[1].error)
    assert (problem.code, problem.field, problem.reason) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        field,
        reason,
    )
    await world.until(LogStatus.LOG_STATUS_SENT, "m1")
    await world.until(LogStatus.LOG_STATUS_SENT, "m2")
    assert (await world.client.kpis("d1")).accepted == 2


def _renamed(fields: dict[str, Any]) -> dict[str, Any]:
    return {"rcpt" if name == "rcpt_to" else name: value for name, value in fields.items()}


async def test_a_negative_validity_is_refused(world: World) -> None:
    bad = message("ok@alpha.example")
    bad.validity.FromSeconds(-1)

    (result,) = await world.submit(bad)

    assert Problem.from_status(result.error).reason == "VALIDITY_NOT_POSITIVE"


async def test_what_does_not_exist_yet_is_refused_and_not_dropped_silently(world: World) -> None:
    (result,) = await world.submit(message("ok@alpha.example", archive_to="a@b.example"))

    assert Problem.from_status(result.error).code == grpc.StatusCode.UNIMPLEMENTED


async def test_a_return_path_that_nobody_could_sign_is_refused(world: World) -> None:
    verp = ReturnPath(mode=ReturnPathMode.RETURN_PATH_MODE_VERP, domain="b.shop.example")

    (result,) = await world.submit(message("ok@alpha.example", return_path=verp))

    problem = Problem.from_status(result.error)
    assert (problem.code, problem.reason) == (
        grpc.StatusCode.FAILED_PRECONDITION,
        "RETURN_PATH_KEY_MISSING",
    )


async def test_an_unknown_delivery_is_not_found(world: World) -> None:
    with pytest.raises(Problem) as caught:
        await world.client.kpis("nobody-told-of-it")

    assert caught.value.code == grpc.StatusCode.NOT_FOUND
