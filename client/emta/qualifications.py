"""The qualification rows, as the client shows and changes them: `Client.qualifications`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence

import grpc

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
from emta.problems import Problem

_CALL_SECONDS = 30.0
_ANY = QualificationStatus.QUALIFICATION_STATUS_UNSPECIFIED


class Qualifications:
    """The rows of a Bounce. Every method raises emta.problems.Problem."""

    def __init__(
        self, channel: grpc.aio.Channel, problem: Callable[[grpc.aio.AioRpcError], Problem]
    ) -> None:
        self._stub = QualificationsServiceStub(channel)
        self._problem = problem

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
        while True:
            try:
                page = await self._stub.ListQualifications(request, timeout=_CALL_SECONDS)
            except grpc.aio.AioRpcError as error:
                raise self._problem(error) from None
            for row in page.rows:
                yield row
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def clusters(self) -> ListQualificationClustersResponse:
        """Give what is to be qualified, nearly equal texts together, the most costly first."""
        try:
            return await self._stub.ListQualificationClusters(
                ListQualificationClustersRequest(), timeout=_CALL_SECONDS
            )
        except grpc.aio.AioRpcError as error:
            raise self._problem(error) from None

    async def get(self, md5: str) -> QualificationRow:
        """Give one row. Raises Problem QUALIFICATION_UNKNOWN."""
        request = GetQualificationRequest(normalized_md5=md5)
        try:
            return (await self._stub.GetQualification(request, timeout=_CALL_SECONDS)).row
        except grpc.aio.AioRpcError as error:
            raise self._problem(error) from None

    async def set(
        self,
        md5s: Sequence[str],
        *,
        actor: str,
        status: QualificationStatus = _ANY,
        edit: QualificationEdit | None = None,
        reset_occurrences: bool = False,
        comment: str = "",
    ) -> list[QualificationRow]:
        """Say what texts mean (at most 1,000), or begin their counts anew; gives the rows."""
        request = SetQualificationRequest(
            normalized_md5s=md5s,
            status=status,
            edit=edit,
            reset_occurrences=reset_occurrences,
            actor=actor,
            comment=comment,
        )
        try:
            return list((await self._stub.SetQualification(request, timeout=_CALL_SECONDS)).rows)
        except grpc.aio.AioRpcError as error:
            raise self._problem(error) from None
