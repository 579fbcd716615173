"""What was answered is counted, and what waits is bounded."""

from emta.bounce.v1.smtp_reply_pb2 import SmtpReply
from services.bounce.catalogue.catalogue import load
from services.bounce.qualify import Qualifier
from services.bounce.rows.tally import Tally, site_of
from tests.unit.bounce.rules import reply

QUALIFIER = Qualifier(load())


def add(tally: Tally, *replies: SmtpReply) -> None:
    for each in replies:
        tally.add(QUALIFIER.answer(each).row, each)


def test_equal_texts_are_counted_together_with_what_became_of_them() -> None:
    tally = Tally()
    add(
        tally,
        reply("[rcpt unspecified mx1.odd.example] 550 flurble for <a@x.example>"),
        reply("[data unspecified mx2.odd.example] 550 flurble for <b@x.example>"),
        reply("450 flurble"),
        SmtpReply(code=550, text="flurble for <c@x.example>", recipient_domain="x.example"),
    )

    final, retried = tally.take(10)

    assert (final.occurrences, final.final, retried.occurrences, retried.final) == (3, 3, 1, 0)
    assert final.first_text == "flurble for <a@x.example>"
    assert final.sites == {"odd.example": 2, "x.example": 1}
    assert not tally


def test_what_waits_is_bounded_and_what_is_not_counted_is_told() -> None:
    tally = Tally(most=3)
    for word in ("flurble", "gribble", "hobble", "wobble", "flurble"):
        add(tally, reply(f"550 {word}"))

    assert (len(tally), tally.occurrences, tally.dropped) == (3, 4, 1)


def test_a_text_from_everywhere_takes_little_room() -> None:
    tally = Tally()
    for n in range(1_000):
        add(tally, reply(f"[rcpt unspecified mx.site{n}.example] 550 flurble"))

    (count,) = tally.take(10)
    assert count.occurrences == 1_000
    assert len(count.sites) <= 16


def test_a_first_text_is_no_longer_than_the_contract_allows() -> None:
    tally = Tally()
    add(tally, reply("550 " + "flurble " * 10_000))

    assert len(tally.take(1)[0].first_text) == 1_024


def test_a_site_is_the_domain_of_its_mx_hosts() -> None:
    assert site_of("mx1.mail.odd.example") == "mail.odd.example"
    assert site_of("odd.example") == "odd.example"
    assert site_of("") == ""
