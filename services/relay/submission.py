"""A submitted message, checked: the one place where the Relay checks its input."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass, field
from typing import Literal

from emta import signing
from emta.problems import failed_precondition, invalid, unimplemented
from emta.relay.v1.message_pb2 import Acceptance, Message, Notice, ReturnPathMode
from emta.return_path import MessageName, ReturnPaths
from services.relay import envelope, header_block, validity
from services.relay.message import Normalized, normalize

_MAX_METADATA, _MAX_METADATA_KEY, _MAX_METADATA_VALUE = 32, 64, 256
_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_DEFAULT_POOL = "default"
_VERP = ReturnPathMode.RETURN_PATH_MODE_VERP


@dataclass(slots=True, eq=False)
class Submission:
    """A message ready to be queued.

    `message` is without its content, its addresses canonical, its sender the one that goes on the wire.
    """

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
    header_message_id: str  # its Message-ID field (RFC 5322), with angle brackets
    # Identity: tenant, delivery, message (contract decision 9); of one that lives again, the epoch.
    id: str = field(init=False)

    def __post_init__(self) -> None:
        names = (self.tenant, self.message.delivery_id, self.message.message_id)
        self.id = "\0".join(names if self.epoch == 1 else (*names, str(self.epoch)))

    @property
    def epoch(self) -> int:
        """1: it is new."""
        return max(self.message.epoch, 1)

    @property
    def signed_return_path(self) -> bool:
        """Whether its sender names and signs it."""
        return self.message.return_path.mode == _VERP


def check(
    given: Message,
    *,
    tenant: str,
    now_ms: int,
    ehlo_name: str,
    internal_fields: frozenset[bytes],
    return_paths: ReturnPaths | None = None,
) -> Submission:
    """Check a message and normalise it. Raises Problem with the field and a stable reason.

    `given` becomes the submission's message: its content is taken out of it, not copied.
    """
    envelope.parse_identifier(given.message_id, "message_id")
    envelope.parse_identifier(given.delivery_id, "delivery_id")
    recipient = envelope.parse_mailbox(given.rcpt_to, "rcpt_to")
    sender = _sender(given, tenant, return_paths)
    _check_options(given)
    not_before_ms = _milliseconds(given, "not_before_time")
    limits = validity.effective(
        now_ms, _milliseconds(given, "validity"), _milliseconds(given, "limit_time"), not_before_ms
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
    return Submission(
        tenant=tenant,
        message=message,
        content=normalized.content,
        body_sha256=signing.body_sha256(normalized.body),
        needs_8bitmime=normalized.needs_8bitmime,
        needs_smtputf8=normalized.needs_smtputf8
        or recipient.needs_smtputf8
        or (sender is not None and sender.needs_smtputf8),
        accepted_ms=now_ms,
        deadline_ms=limits.deadline_ms,
        due_ms=max(now_ms, not_before_ms or 0),
        acceptance=acceptance,
        header_message_id=header_block.message_id(signing.header_block(normalized.content)),
    )


def _sender(given: Message, tenant: str, return_paths: ReturnPaths | None) -> envelope.Mailbox | None:
    """Give the envelope sender that goes on the wire; None: the null reverse path."""
    sender = envelope.parse_mailbox(given.mail_from, "mail_from") if given.mail_from else None
    if given.return_path.mode != _VERP:
        if given.return_path.domain:
            raise invalid(
                "return_path.domain",
                "RETURN_PATH_DOMAIN_UNUSED",
                "return_path.domain is for mode VERP only",
            )
        return sender
    domain = envelope.parse_domain(given.return_path.domain, "return_path.domain")
    if return_paths is None:
        raise failed_precondition(
            "RETURN_PATH_KEY_MISSING", "signed return paths need EMTA_RELAY_RETURN_PATH_KEY"
        )
    name = MessageName(tenant, given.delivery_id, given.message_id, max(given.epoch, 1))
    try:
        local = return_paths.local_part(name)
    except ValueError as error:
        raise invalid("return_path", "RETURN_PATH_TOO_LONG", f"return_path: {error}") from None
    return envelope.parse_mailbox(f"{local}@{domain}", "return_path.domain")


def _milliseconds(
    given: Message, field: Literal["validity", "limit_time", "not_before_time"]
) -> int | None:
    """Give a time of a message; None: it is absent."""
    if not given.HasField(field):
        return None
    try:
        return getattr(given, field).ToMilliseconds()  # type: ignore[no-any-return]
    except ValueError as error:
        raise invalid(field, "TIME_INVALID", f"{field}: {error}") from None


def _check_options(given: Message) -> None:
    if given.archive_to:
        raise unimplemented("archive_to", "ARCHIVE_NOT_SUPPORTED", "archive copies do not exist yet")
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
