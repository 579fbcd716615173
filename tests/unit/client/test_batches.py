"""Cutting messages into batches."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from emta.relay.v1.message_pb2 import Message
from emta.submission import BATCH_BYTES, BATCH_MESSAGES, batches


@given(st.lists(st.sampled_from([0, 1, 10_000, 600_000, BATCH_BYTES, BATCH_BYTES + 1]), max_size=250))
def test_every_message_goes_once_in_order_and_within_the_limits(sizes: list[int]) -> None:
    shared = bytes(BATCH_BYTES + 1)
    messages = [Message(message_id=str(n), content=shared[:size]) for n, size in enumerate(sizes)]

    cut = list(batches(messages))

    assert [m.message_id for batch in cut for m in batch] == [m.message_id for m in messages]
    for batch in cut:
        assert 1 <= len(batch) <= BATCH_MESSAGES
        assert len(batch) == 1 or sum(len(m.content) for m in batch) <= BATCH_BYTES
