"""From a reply to its meaning."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import NamedTuple

from emta.bounce.v1.bounce_service_pb2 import QualifyRepliesResponse
from emta.bounce.v1.qualification_pb2 import Disposition, Qualification
from emta.bounce.v1.smtp_reply_pb2 import SmtpReply
from emta.terms import CAMPAIGN_REASON
from services.bounce import terms
from services.bounce.catalogue.catalogue import Catalogue
from services.bounce.catalogue.rule import Rule
from services.bounce.reply import normalize
from services.bounce.reply.frame import Frame
from services.bounce.reply.masking import masked
from services.bounce.reply.quoted_codes import completed
from services.bounce.reply.wait import may_state_wait, stated_wait
from services.bounce.rows import edit
from services.bounce.rows.tally import RowFacts

# A busy sender sees some thousand different replies a day; beside the text an answer is about 1 KiB.
_REMEMBERED = 16_384
# Longer texts are rare and are matched each time, so that hostile ones cannot fill the memory.
_LONGEST_REMEMBERED = 512
# What the contract lets a reply have (smtp_reply.proto), and what a row is worth keeping of.
_LONGEST_ROW = 1_024

_FINAL = Disposition.DISPOSITION_FINAL


class Answer(NamedTuple):
    """What a reply means. Shared between replies: nobody changes `meaning`.

    `encoded`: a QualifyRepliesResponse with it as the only result; such bytes can be joined. `states_wait`:
    the words state a wait, whose length is each reply's own. `row`: what it says about its text's row.
    """

    meaning: Qualification
    encoded: bytes
    states_wait: bool
    row: RowFacts


class Qualifier:
    """Qualifies by one catalogue, and remembers what replies that differ only in variable parts mean.

    `version` names all that decides: equal replies under equal versions get equal answers.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        edits: edit.Edits = edit.NONE,
        remembered: int = _REMEMBERED,
    ) -> None:
        """`edits`: what operators say. `remembered`: so many answers; the longest unused goes first."""
        self.catalogue = catalogue
        self.version = edit.version(catalogue.version, edits)
        self._edits = edits
        self._answer_once = lru_cache(remembered)(self._answer)
        self._by_rule = cache(lambda place, permanent: _by_rule(catalogue.rules[place], permanent))

    @property
    def remembered(self) -> int:
        """How many answers are remembered at the moment."""
        return self._answer_once.cache_info().currsize

    def answer(self, reply: SmtpReply, provider: str = "") -> Answer:
        """Say what `reply` means. `provider` names who answered, where no MX host is known."""
        text = masked(reply.text)
        answer_of = self._answer_once if len(text) <= _LONGEST_REMEMBERED else self._answer
        site = self.catalogue.site(reply.mx_host, provider)
        answer = answer_of(reply.code, reply.enhanced_code, reply.phase, reply.failure, site, text)
        if not answer.states_wait or (seconds := stated_wait(reply.text)) is None:
            return answer
        meaning = Qualification()
        meaning.CopyFrom(answer.meaning)
        meaning.wait_hint.FromSeconds(seconds)
        return Answer(meaning, encoded(meaning), True, answer.row)

    def _answer(
        self, code: int, enhanced: str, phase: int, failure: int, site: tuple[str, ...], text: str
    ) -> Answer:
        frame = Frame(code, enhanced, phase, failure, site)
        known = completed(frame, text)
        place = self.catalogue.matcher.first(known, text)
        if place is None:
            raise LookupError("the catalogue has no rule for the rest")
        normalized = normalize.normalized(code, enhanced, text[:_LONGEST_ROW])
        md5 = normalize.key(normalized)
        by_rules = Qualification()
        by_rules.CopyFrom(self._by_rule(place, terms.is_permanent(known.code)))
        by_rules.normalized_text = normalized
        by_rules.normalized_md5 = md5
        meaning = edit.in_force(md5, self._edits.get(md5), by_rules, known.code)
        final = meaning.disposition == _FINAL
        provider = site[-1] if site else ""
        row = RowFacts(md5, normalized, known.code, known.enhanced, by_rules, final, provider)
        return Answer(meaning, encoded(meaning), not final and may_state_wait(text), row)


def qualify(catalogue: Catalogue, reply: SmtpReply, provider: str = "") -> Qualification:
    """Say what one reply means. The last rule of the catalogue matches everything."""
    return Qualifier(catalogue, remembered=0).answer(reply, provider).meaning


def encoded(meaning: Qualification) -> bytes:
    """Encode a qualification as a QualifyRepliesResponse with one result."""
    response = QualifyRepliesResponse()
    response.results.add().qualification.CopyFrom(meaning)
    return response.SerializeToString()


def _by_rule(rule: Rule, permanent: bool) -> Qualification:
    """Give what a rule says of replies; `permanent`: of those that are refusals for good."""
    default = terms.MEANINGS[rule.bounce_code]
    reason = rule.reason or default.reason
    code = (terms.CODE_OF_PERMANENT if permanent else terms.CODE_OF_TEMPORARY).get(rule.bounce_code)
    meaning = Qualification(
        type=terms.type_under(rule.type or default.type, permanent),
        reason=reason,
        campaign_reason=CAMPAIGN_REASON[reason],
        bounce_code=code or rule.bounce_code,
        disposition=rule.disposition or terms.disposition_of(rule.bounce_code, permanent),
        cause=rule.cause,
        scope=rule.scope,
        rule_id=rule.id,
    )
    if meaning.disposition != _FINAL and rule.wait_seconds is not None:
        meaning.wait_hint.FromSeconds(rule.wait_seconds)
    return meaning
