"""E0: a message that its receiver accepts at the first attempt."""

from __future__ import annotations

import dkim

from emta.feedback.v1.log_pb2 import LogStatus
from tests.e2e.conftest import CONTENT, World, message


async def test_it_is_sent_signed_and_counted(world: World) -> None:
    await world.client.open_delivery("d1", to_deliver=2)

    (result,) = await world.submit(message("ok@alpha.example"))
    entry = await world.until(LogStatus.LOG_STATUS_SENT)

    assert result.WhichOneof("result") == "acceptance"
    (arrived,) = world.receiver.journal.accepted("ok@alpha.example")
    assert arrived.mail_from == "bounces@shop.example"
    assert arrived.content.endswith(b"Hello, world.\r\n")
    txt = world.receiver.zone.txt
    record = (await _public_key(world)).encode()
    assert dkim.verify(arrived.content, dnsfunc=lambda name, timeout=5: record), txt
    assert entry.retry_count == 0
    figures = await world.client.kpis("d1")
    assert (figures.sent, figures.success_percent, figures.pending) == (1, 50, 1)


async def test_what_is_sent_is_what_was_given_and_a_signature(world: World) -> None:
    (result,) = await world.submit(message("ok@alpha.example"))
    await world.until(LogStatus.LOG_STATUS_SENT)

    (arrived,) = world.receiver.journal.accepted("ok@alpha.example")
    header, _, body = arrived.content.partition(b"\r\n\r\n")
    given_header, _, given_body = CONTENT.partition(b"\r\n\r\n")
    added = header.replace(given_header, b"")
    assert body == given_body
    assert added.startswith(b"DKIM-Signature: ")
    assert b"\r\nDate: " in added
    assert b"\r\nMessage-ID: <" in added
    assert len(result.acceptance.content_changes) == 2


async def _public_key(world: World) -> str:
    from emta.channel import connect
    from emta.signer.v1.signer_service_pb2 import ListSigningKeysRequest
    from emta.signer.v1.signer_service_pb2_grpc import SignerServiceStub

    async with connect(world.addresses["signer"]) as channel:
        answer = await SignerServiceStub(channel).ListSigningKeys(ListSigningKeysRequest())
    (key,) = answer.keys
    return key.dns_record
