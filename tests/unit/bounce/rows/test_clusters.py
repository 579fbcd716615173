"""Unknown texts become a short list."""

import random

from emta.bounce.v1.qualifications_service_pb2 import QualificationRow, SiteCount
from services.bounce.catalogue.catalogue import load
from services.bounce.reply import normalize
from services.bounce.rows.clusters import clustered, template, vocabulary

KNOWN = vocabulary(load())


def row(
    text: str, cost: float = 1, code: int = 550, enhanced: str = "", site: str = "odd.example"
) -> QualificationRow:
    return QualificationRow(
        normalized_md5=normalize.key(text),
        normalized_text=text,
        cost=cost,
        code=code,
        enhanced_code=enhanced,
        occurrences=3,
        final_occurrences=1,
        sites=[SiteCount(site=site, occurrences=3)],
    )


def templates(*texts: str) -> list[str]:
    return [cluster.template for cluster in clustered([row(text) for text in texts], KNOWN)]


def test_texts_that_differ_in_names_are_one() -> None:
    found = clustered(
        [
            row("550 Sorry, xavier does not frequent this establishment", 2),
            row("550 Sorry, yolanda does not frequent this establishment", 5, site="other.example"),
            row("550 Sorry, zoe van dam does not frequent this establishment", 3),
        ],
        KNOWN,
    )

    (cluster,) = found
    assert cluster.template == "550 Sorry, ... does not frequent this establishment"
    assert cluster.normalized_text == "550 Sorry, yolanda does not frequent this establishment"
    assert (cluster.cost, cluster.occurrences, cluster.final_occurrences) == (10, 9, 3)
    assert [(site.site, site.occurrences) for site in cluster.sites] == [
        ("odd.example", 6),
        ("other.example", 3),
    ]


def test_words_that_rules_know_keep_texts_apart() -> None:
    """To set one of them sets all: a full mailbox and a disabled one must never be set together."""
    assert (
        len(templates("550 The flurbling mailbox is now full", "550 The flurbling mailbox is now disabled"))
        == 2
    )
    assert (
        len(templates("550 recipient address is unknown gribbly", "550 sender address is unknown gribbly"))
        == 2
    )


def test_codes_keep_texts_apart() -> None:
    rows = [
        row("flurble gribble"),
        row("flurble  gribble", code=450),
        row("flurble   gribble", enhanced="5.1.1"),
    ]

    assert len(clustered(rows, KNOWN)) == 3


def test_texts_that_share_little_are_not_one() -> None:
    assert len(templates("550 flurble gribble hobble", "550 wobble dibble nibble")) == 2


def test_the_most_costly_come_first_whatever_the_order_of_the_rows() -> None:
    chance = random.Random(4)
    rows = [
        row(f"550 {a} {b} is odd hereabouts", cost=n) for n, (a, b) in enumerate(["xq", "qx", "zq", "qz"])
    ]
    rows += [row("550 flurble", cost=2.5), row("450 gribble", code=450, cost=0.1)]
    first = clustered(rows, KNOWN)

    for _ in range(5):
        chance.shuffle(rows)
        assert clustered(rows, KNOWN) == first
    costs = [cluster.cost for cluster in first]
    assert costs == sorted(costs, reverse=True)


def test_a_flood_of_one_kind_is_one_line() -> None:
    chance = random.Random(5)
    flood = ["".join(chance.choices("ghjklmnpqrstvwxz", k=12)) for _ in range(2_000)]

    found = clustered([row(f"550 rejected by the flurble policy {word}") for word in flood], KNOWN)

    assert [cluster.template for cluster in found] == ["550 rejected by the flurble policy ..."]
    assert len(found[0].normalized_md5s) == 2_000


def test_a_template_shows_what_all_have() -> None:
    assert template(["a b c", "a x c"]) == "a ... c"
    assert template(["a b c"]) == "a b c"
    assert template(["a b c d", "d"]) == "... d"
