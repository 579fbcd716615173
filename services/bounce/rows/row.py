"""What a qualification row shows."""

from __future__ import annotations

from collections.abc import Mapping

from emta.bounce.v1.qualification_pb2 import FailureReason, Qualification
from emta.bounce.v1.qualifications_service_pb2 import QualificationStatus, SiteCount


def status_by_rules(by_rules: Qualification) -> QualificationStatus:
    """Give the status of a row that nobody touched: an operator has to act where no rule knows the text."""
    if by_rules.reason == FailureReason.FAILURE_REASON_NOT_DEFINED:
        return QualificationStatus.QUALIFICATION_STATUS_TO_QUALIFY
    return QualificationStatus.QUALIFICATION_STATUS_KEEP


def ranked(sites: Mapping[str, int]) -> list[SiteCount]:
    """Give sites with their counts, the most frequent first."""
    names = sorted(sites, key=lambda name: (-sites[name], name))
    return [SiteCount(site=name, occurrences=sites[name]) for name in names]
