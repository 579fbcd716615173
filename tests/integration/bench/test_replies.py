"""The replies that `python -m bench qualify` measures with."""

from bench.qualify import Replies
from services.bounce.reply.masking import masked


def test_a_mix_repeats_as_often_as_it_says() -> None:
    replies = Replies().mixed(4_000, 0.9)

    distinct = {(reply.code, reply.mx_host, reply.phase, masked(reply.text)) for reply in replies}

    # 500 templates are met for the first time, too.
    assert 300 < len(distinct) < 400 + 500 + 100
    assert len({reply.text for reply in replies}) == 4_000


def test_a_mix_of_new_replies_repeats_none() -> None:
    assert len({masked(reply.text) for reply in Replies().mixed(2_000, 0.0)}) == 2_000
