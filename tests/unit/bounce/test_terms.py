"""Campaign's terms, as replies use them."""

from emta.terms import FAILURE_CODES, go_together
from services.bounce.terms import MEANINGS


def test_every_bounce_code_of_a_failure_has_a_meaning_that_a_failure_may_have() -> None:
    assert MEANINGS.keys() == FAILURE_CODES
    assert all(go_together(each.type, each.reason) for each in MEANINGS.values())
