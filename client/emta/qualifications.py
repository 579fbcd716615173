"""The qualification rows, as the client shows and changes them: `Client.qualifications`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence

from google.protobuf.timestamp_pb2 import Timestamp

from emta.bounce.v1.qualifications_service_pb2 import (
    GetQualificationRequest,
    ListQualificationClustersRequest,
    ListQualificationClustersResponse,
    ListQualificationsRequest,
    QualificationEdit,
    QualificationRow,
    QualificationStatus,
    SetQualificationRequest,
)
from emta.bounce.v1.qualifications_service_pb2_grpc import QualificationsServiceStub
from emta.peer import Peer

_ANY = QualificationStatus.QUALIFICATION_STATUS_UNSPECIFIED

_AT_ONCE = 1_000  # as the contract has it


def latest(rows: Iterable[QualificationRow]) -> Timestamp:
    """Give when one of these rows was set last; 0 s where nobody has touched any."""
    return max((row.modify_time for row in rows), key=Timestamp.ToMilliseconds, default=Timestamp())


class Qualifications:
    """The rows of a Bounce. Every method raises emta.problems.Problem."""

    def __init__(self, bounce: Peer) -> None:
        self._bounce = bounce
        self._stub = QualificationsServiceStub(bounce.channel)

    async def rows(
        self,
        status: QualificationStatus = _ANY,
        *,
        text: str = "",
        site: str = "",
        min_occurrences: int = 0,
    ) -> AsyncIterator[QualificationRow]:
        """Give rows page by page, the most costly first. All that is given must hold."""
        request = ListQualificationsRequest(
            status=status, text=text, site=site, min_occurrences=min_occurrences
        )
        async for page in self._bounce.pages(self._stub.ListQualifications, request):
            for row in page.rows:
                yield row

    async def clusters(self) -> ListQualificationClustersResponse:
        """Give what is to be qualified, nearly equal texts together, the most costly first."""
        request = ListQualificationClustersRequest()
        return await self._bounce.ask(self._stub.ListQualificationClusters, request)

    async def get(self, md5: str) -> QualificationRow:
        """Give one row. Raises Problem QUALIFICATION_UNKNOWN."""
        request = GetQualificationRequest(normalized_md5=md5)
        return (await self._bounce.ask(self._stub.GetQualification, request)).row

    async def set(
        self,
        md5s: Sequence[str],
        *,
        actor: str,
        status: QualificationStatus = _ANY,
        edit: QualificationEdit | None = None,
        reset_occurrences: bool = False,
        comment: str = "",
        seen_time: Timestamp | None = None,
    ) -> list[QualificationRow]:
        """Say what texts mean, or begin their counts anew; gives the rows. A thousand are set at once.

        `seen_time`: `latest` of the rows as they were seen; if somebody has set one since, that thousand
        raises QUALIFICATION_CHANGED.
        """
        rows: list[QualificationRow] = []
        for first in range(0, len(md5s), _AT_ONCE):
            request = SetQualificationRequest(
                normalized_md5s=md5s[first : first + _AT_ONCE],
                status=status,
                edit=edit,
                reset_occurrences=reset_occurrences,
                actor=actor,
                comment=comment,
                seen_time=seen_time,
            )
            rows += (await self._bounce.ask(self._stub.SetQualification, request)).rows
        return rows
