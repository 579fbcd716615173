"""From a reply to its meaning."""

from __future__ import annotations

from emta.bounce.v1.qualification_pb2 import Disposition, FailureType, Qualification
from emta.bounce.v1.smtp_reply_pb2 import SmtpReply
from services.bounce import normalize, terms
from services.bounce.catalogue import Catalogue, Rule
from services.bounce.wait import stated_wait


def qualify(catalogue: Catalogue, reply: SmtpReply, provider: str = "") -> Qualification:
    """Say what `reply` means. `provider` names who answered, where no MX host is known."""
    rule = catalogue.match(reply, provider)
    if rule is None:
        raise LookupError("the catalogue has no rule for the rest")
    permanent = 500 <= reply.code <= 599
    meaning = terms.MEANINGS[rule.bounce_code]
    failure_type = rule.type or meaning.type
    if failure_type == FailureType.FAILURE_TYPE_HARD and not permanent:
        # A temporary refusal condemns no address, whatever its words (contract decision 2).
        failure_type = FailureType.FAILURE_TYPE_SOFT
    reason = rule.reason or meaning.reason
    text = normalize.normalized(reply.code, reply.enhanced_code, reply.text)
    qualification = Qualification(
        type=failure_type,
        reason=reason,
        campaign_reason=terms.CAMPAIGN_REASON[reason],
        bounce_code=rule.bounce_code,
        disposition=_disposition(rule, meaning, permanent),
        cause=rule.cause,
        scope=rule.scope,
        rule_id=rule.id,
        normalized_text=text,
        normalized_md5=normalize.key(text),
    )
    if qualification.disposition != Disposition.DISPOSITION_FINAL:
        seconds = stated_wait(reply.text)
        if seconds is not None:
            qualification.wait_hint.FromSeconds(seconds)
    return qualification


def _disposition(rule: Rule, meaning: terms.Meaning, permanent: bool) -> Disposition:
    chosen = rule.disposition or meaning.disposition
    if chosen is not None:
        return chosen
    return Disposition.DISPOSITION_FINAL if permanent else Disposition.DISPOSITION_RETRY
