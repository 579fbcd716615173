"""A submitted message, checked: the one place where the Relay checks its input."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass, field

from emta.problems import invalid, unimplemented
from emta.relay.v1.message_pb2 import Acceptance, Message, Notice, ReturnPathMode
from emta.signing import body_sha256
from services.relay import envelope, validity
from services.relay.message import Normalized, normalize

_MAX_METADATA, _MAX_METADATA_KEY, _MAX_METADATA_VALUE = 32, 64, 256
_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_DEFAULT_POOL = "default"
_VERP = ReturnPathMode.RETURN_PATH_MODE_VERP


@dataclass(slots=True, eq=False)
class Submission:
    """A message ready to be queued. `message` is without its content, its addresses canonical."""

    tenant: str
    message: Message
    content: bytes
    body_sha256: bytes  # of the body in relaxed canonical form (RFC 6376 section 3.4.4)
    needs_8bitmime: bool
    needs_smtputf8: bool
    accepted_ms: int
    deadline_ms: int
    due_ms: int
    acceptance: Acceptance
    # Identity: tenant, delivery, message (contract decision 9); of one that lives again, the epoch.
    id: str = field(init=False)

    def __post_init__(self) -> None:
        names = (self.tenant, self.message.delivery_id, self.message.message_id)
        self.id = "\0".join(names if self.epoch == 1 else (*names, str(self.epoch)))

    @property
    def epoch(self) -> int:
        """1: it is new."""
        return max(self.message.epoch, 1)


def check(
    given: Message, *, tenant: str, now_ms: int, ehlo_name: str, internal_fields: frozenset[bytes]
) -> Submission:
    """Check a message and normalise it. Raises Problem with the field and a stable reason.

    `given` becomes the submission's message: its content is taken out of it, not copied.
    """
    envelope.parse_identifier(given.message_id, "message_id")
    envelope.parse_identifier(given.delivery_id, "delivery_id")
    recipient = envelope.parse_mailbox(given.rcpt_to, "rcpt_to")
    sender = envelope.parse_mailbox(given.mail_from, "mail_from") if given.mail_from else None
    _check_options(given)
    limits = validity.effective(
        now_ms,
        given.validity.ToMilliseconds() if given.HasField("validity") else None,
        given.limit_time.ToMilliseconds() if given.HasField("limit_time") else None,
        given.not_before_time.ToMilliseconds() if given.HasField("not_before_time") else None,
    )
    normalized = normalize(
        given.content,
        now_ms=now_ms,
        message_id=lambda: f"<{uuid.uuid4()}@{sender.domain if sender else ehlo_name}>",
        internal_fields=internal_fields,
    )
    acceptance = _acceptance(given, normalized, now_ms, limits)
    message = given
    message.ClearField("content")
    message.ClearField("retry_settings")
    message.rcpt_to = recipient.address
    if sender is not None:
        message.mail_from = sender.address
    not_before_ms = given.not_before_time.ToMilliseconds() if given.HasField("not_before_time") else 0
    return Submission(
        tenant=tenant,
        message=message,
        content=normalized.content,
        body_sha256=body_sha256(normalized.body),
        needs_8bitmime=normalized.needs_8bitmime,
        needs_smtputf8=normalized.needs_smtputf8
        or recipient.needs_smtputf8
        or (sender is not None and sender.needs_smtputf8),
        accepted_ms=now_ms,
        deadline_ms=limits.deadline_ms,
        due_ms=max(now_ms, not_before_ms),
        acceptance=acceptance,
    )


def _check_options(given: Message) -> None:
    if given.archive_to:
        raise unimplemented("archive_to", "ARCHIVE_NOT_SUPPORTED", "archive copies do not exist yet")
    if given.return_path.mode == _VERP:
        raise unimplemented(
            "return_path.mode", "RETURN_PATH_VERP_NOT_SUPPORTED", "signed return paths do not exist yet"
        )
    if given.dkim_identity.domain:
        envelope.parse_domain(given.dkim_identity.domain, "dkim_identity.domain")
    if given.dkim_identity.selector:
        envelope.parse_selector(given.dkim_identity.selector, "dkim_identity.selector")
    if given.pool:
        envelope.parse_pool(given.pool, "pool")
    if len(given.metadata) > _MAX_METADATA or any(
        not 1 <= len(key) <= _MAX_METADATA_KEY or len(value) > _MAX_METADATA_VALUE
        for key, value in given.metadata.items()
    ):
        raise invalid(
            "metadata",
            "METADATA_INVALID",
            f"metadata: at most {_MAX_METADATA} labels, keys of 1 to {_MAX_METADATA_KEY} characters, "
            f"values of at most {_MAX_METADATA_VALUE}",
        )


def _acceptance(
    given: Message, normalized: Normalized, now_ms: int, limits: validity.Validity
) -> Acceptance:
    acceptance = Acceptance(clamped=limits.clamped, content_changes=normalized.changes)
    acceptance.accept_time.FromMilliseconds(now_ms)
    acceptance.deadline_time.FromMilliseconds(limits.deadline_ms)
    if given.HasField("retry_settings"):
        acceptance.notices.append(Notice.NOTICE_RETRY_SETTINGS_IGNORED)
    if given.traceparent and not _TRACEPARENT.fullmatch(given.traceparent):
        acceptance.notices.append(Notice.NOTICE_TRACEPARENT_IGNORED)
        given.ClearField("traceparent")
    if given.pool and given.pool != _DEFAULT_POOL:
        acceptance.notices.append(Notice.NOTICE_POOL_IGNORED)
    return acceptance
