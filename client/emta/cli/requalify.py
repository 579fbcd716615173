"""`emta requalify`, `emta requalifications`: failures that a provider's error made wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from google.protobuf.timestamp_pb2 import Timestamp
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from emta.cli import tables, words
from emta.cli.console import bad_input, client, out, print_json, run, user_name
from emta.cli.progress import Lines
from emta.client import Client
from emta.feedback.v1.requalify_service_pb2 import (
    MatchedOutcome,
    OutcomeFilter,
    Requalification,
    RequalifyOutcomesRequest,
    RequalifyOutcomesResponse,
)

Json = Annotated[bool, typer.Option("--json", help="JSON lines, for machines: every match.")]

_ROWS = 10  # of each table of the preview
_SAMPLES = 5
# So many different deliveries, domains and texts are counted apart, the rest together.
_KEYS = 10_000
_OTHERS = "(others)"
_FOUND_FOR = timedelta(days=14)  # as the contract has it

Key = tuple[str, ...]


@dataclass
class Found:
    """What the answers of one run add up to."""

    examined: int = 0
    matched: int = 0
    corrected: int = 0
    corrected_before: int = 0
    resubmittable: int = 0
    deliveries: Counter[Key] = field(default_factory=Counter)
    domains: Counter[Key] = field(default_factory=Counter)
    texts: Counter[Key] = field(default_factory=Counter)  # meaning, normalised text
    samples: list[MatchedOutcome] = field(default_factory=list)

    def add(self, answer: RequalifyOutcomesResponse) -> None:
        """Add what an answer says."""
        for name in ("examined", "matched", "corrected", "corrected_before", "resubmittable"):
            setattr(self, name, getattr(self, name) + getattr(answer, name))
        for group in answer.groups:
            meaning = f"{words.failure_type(group.failure_type)} / {words.reason(group.failure_reason)}"
            _count(self.deliveries, (group.delivery_id,), group.count)
            _count(self.domains, (group.recipient_domain,), group.count)
            _count(self.texts, (meaning, group.normalized_text), group.count)
        self.samples += answer.matches[: _SAMPLES - len(self.samples)]


def _count(counter: Counter[Key], key: Key, count: int) -> None:
    counter[key if key in counter or len(counter) < _KEYS else (_OTHERS,)] += count


def requalify(
    from_: Annotated[
        str, typer.Option("--from", help="Failed from then on: 2020-12-15T14:00, UTC.", show_default=False)
    ],
    to: Annotated[str, typer.Option(help="Failed before this time. Empty: now.")] = "",
    domain: Annotated[list[str], typer.Option(help="Domain of the recipients.")] = [],  # noqa: B006
    mx: Annotated[
        list[str],
        typer.Option(help='Receiving server: "*.google.com" is a provider, all its domains.'),
    ] = [],  # noqa: B006
    text: Annotated[str, typer.Option(help='Part of what was said; "*" stands for anything.')] = "",
    code: Annotated[list[int], typer.Option(help="Bounce code, for example 10.", min=1, max=999)] = [],  # noqa: B006
    rule: Annotated[list[str], typer.Option(help="Rule that qualified the failure.")] = [],  # noqa: B006
    delivery: Annotated[str, typer.Option(help="Only this delivery.")] = "",
    apply: Annotated[bool, typer.Option("--apply", help="Correct them. Without: look only.")] = False,
    why: Annotated[str, typer.Option(help="Why, for the record. Needed with --apply.")] = "",
    who: Annotated[str, typer.Option(help="Who, for the record. Empty: you.")] = "",
    resubmit: Annotated[
        bool, typer.Option("--resubmit", help="Allow Campaign to submit again what is still valid.")
    ] = False,
    json: Json = False,
) -> None:
    """Find failures that were a receiver's error, and correct them.

    A correction is an event: Campaign takes the address out of quarantine, the figures follow at once.

    \b
    emta requalify --mx "*.google.com" --text "account * does not exist" --from 2020-12-14T11:55
    emta requalify --domain icloud.com --domain me.com --code 10 --from 2021-04-26T11:00 \\
        --to 2021-04-26T17:00 --apply --why "Apple lost its user records"
    """
    if apply and not why.strip():
        bad_input("--why: --apply needs a reason, for the record")
    request = RequalifyOutcomesRequest(
        filter=OutcomeFilter(
            domains=domain,
            mx_hosts=mx,
            text=text,
            bounce_codes=code,  # type: ignore[arg-type]
            rule_ids=rule,
            delivery_id=delivery,
        ),
        dry_run=True,
        actor=who or user_name(),
        comment=why,
        allow_resubmit=resubmit,
        all_matches=json,
    )
    request.filter.from_time.FromDatetime(_time("--from", from_))
    request.filter.to_time.FromDatetime(_time("--to", to) if to else datetime.now(UTC))
    run(_requalify(request, apply, json))


async def _requalify(request: RequalifyOutcomesRequest, apply: bool, json: bool) -> None:
    async with client() as connection:
        if json:
            request.dry_run = not apply
            async for answer in connection.requalify(request):
                print_json("answer", answer)
            return
        found = await _add_up(connection, request)
        out.print(_preview(found))
        if said := why_nothing(found, request.filter, datetime.now(UTC)):
            out.print(said)
        if not apply:
            if found.matched:
                out.print('Nothing was changed. To correct them: the same with --apply --why "..."')
            return
        request.dry_run = False
        done = await _add_up(connection, request)
        out.print(f"[bold]{done.corrected:,} corrected.[/] Campaign is told by the stream of events.")


async def _add_up(connection: Client, request: RequalifyOutcomesRequest) -> Found:
    found = Found()
    word = "found" if request.dry_run else "corrected"
    console, lines = Console(stderr=True), Lines()
    with console.status("Searching ...") as status:
        async for answer in connection.requalify(request):
            found.add(answer)
            count = found.matched if request.dry_run else found.corrected
            reached = _stamp(answer.reached_time)
            text = f"{reached}: {words.count(found.examined, 'failure')} looked at, {count:,} {word}"
            status.update(text)
            if not console.is_terminal:
                lines.say(text)
    return found


def why_nothing(found: Found, wanted: OutcomeFilter, now: datetime) -> str:
    """Say why no failure was even looked at; "" where some were."""
    if found.examined:
        return ""
    if wanted.from_time.ToDatetime(UTC) >= now:
        return "The window lies in the future: nothing has failed there yet."
    if wanted.to_time.ToDatetime(UTC) <= now - _FOUND_FOR:
        days = _FOUND_FOR.days
        return f"The window ended more than {days} days ago: failures are found no longer than that."
    return "No message failed in this window."


def _preview(found: Found) -> Group:
    parts: list[RenderableType] = [
        Text(
            f"{found.matched:,} of {found.examined:,} failures match; "
            f"{found.resubmittable:,} are still within their validity."
        )
    ]
    if found.corrected_before:
        parts.append(Text(f"{found.corrected_before:,} more were corrected before."))
    if found.matched:
        parts.append(_counts(("Delivery",), found.deliveries))
        parts.append(_counts(("Domain",), found.domains))
        parts.append(_counts(("Meaning", "Text"), found.texts))
        parts.append(_samples(found.samples))
    return Group(*parts)


def _counts(titles: tuple[str, ...], counter: Counter[Key]) -> Table:
    table = Table()
    table.add_column("Failures", justify="right")
    for title in titles:
        table.add_column(title, overflow="fold")
    shown = counter.most_common(_ROWS)
    for names, count in shown:
        table.add_row(f"{count:,}", *(Text(name) for name in names))
    if rest := counter.total() - sum(count for _, count in shown):
        table.add_row(f"{rest:,}", _OTHERS)
    return table


def _samples(samples: Iterable[MatchedOutcome]) -> Table:
    table = Table(title="For example", title_justify="left")
    for title in ("Failed (UTC)", "Recipient", "What was said"):
        table.add_column(title, overflow="fold")
    for match in samples:
        said = Text(tables.reply_line(match.reply))
        table.add_row(_stamp(match.failure_time), Text(match.recipient), said)
    return table


def requalifications(json: Json = False) -> None:
    """List what was corrected: when, by whom, and why. The latest first.

    \b
    emta requalifications
    """
    run(_requalifications(json))


async def _requalifications(json: bool) -> None:
    table = Table(title_justify="left")
    table.add_column("Began (UTC)", no_wrap=True)
    table.add_column("Who", overflow="fold")
    table.add_column("Corrected", justify="right")
    table.add_column("Why", overflow="fold")
    table.add_column("Which", overflow="fold")
    async with client() as connection:
        async for entry in connection.requalifications():
            if json:
                print_json("requalification", entry)
                continue
            count = f"{entry.corrected:,}" + ("" if entry.HasField("end_time") else " (not ended)")
            row = (entry.actor, count, entry.comment, _which(entry))
            table.add_row(_stamp(entry.start_time), *(Text(cell) for cell in row))
    if not json:
        out.print(table)


def _which(entry: Requalification) -> str:
    wanted = entry.filter
    window = f"{_stamp(wanted.from_time)} - {_stamp(wanted.to_time)}"
    parts = [*wanted.domains, *wanted.mx_hosts, *(f"code {code}" for code in wanted.bounce_codes)]
    parts += [*wanted.rule_ids, wanted.delivery_id, f'"{wanted.text}"' if wanted.text else ""]
    return "\n".join((window, ", ".join(part for part in parts if part)))


def _stamp(time: Timestamp) -> str:
    """Date and time of day, UTC."""
    return f"{time.ToDatetime():%Y-%m-%d %H:%M}"


def _time(option: str, text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        bad_input(f"{option} {text}: a date, or a date and a time of day, as in 2020-12-15T14:00 (UTC)")
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
