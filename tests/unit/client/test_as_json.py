"""JSON lines hold what people expect who read them with `jq`."""

from __future__ import annotations

from emta.as_json import as_dict
from emta.bounce.v1.inbound_service_pb2 import QualifyInboundResult
from emta.bounce.v1.qualification_pb2 import FailureType
from emta.feedback.v1.delivery_pb2 import Delivery, DeliveryKpis, FailureCount
from emta.feedback.v1.log_pb2 import LogEntry, LogStatus
from emta.problems import invalid

LARGEST = 2**53 - 1


def test_counts_are_numbers_also_within_lists_and_parts() -> None:
    kpis = DeliveryKpis(to_deliver=8, failures=[FailureCount(type=FailureType.FAILURE_TYPE_HARD, count=3)])
    kpis.compat.hard = 3

    plain = as_dict(kpis)

    assert plain["to_deliver"] == 8
    assert plain["failures"][0]["count"] == 3
    assert plain["compat"] == {"success": 0, "hard": 3, "soft": 0, "other": 0}


def test_what_is_zero_empty_or_false_is_there() -> None:
    kpis, entry = as_dict(DeliveryKpis()), as_dict(LogEntry())

    assert (kpis["failed"], kpis["failures"], kpis["delivery_id"]) == (0, [], "")
    assert (entry["retry_count"], entry["requalified"]) == (0, False)


def test_what_is_not_known_is_left_out() -> None:
    kpis, entry = as_dict(DeliveryKpis()), as_dict(LogEntry(status=LogStatus.LOG_STATUS_SENT))

    assert "success_percent" not in kpis
    assert {"failure_type", "final_time", "last_reply", "campaign_reason"}.isdisjoint(entry)
    assert entry["status"] == "LOG_STATUS_SENT"


def test_a_number_that_is_known_to_be_zero_is_there() -> None:
    assert as_dict(LogEntry(campaign_reason=0))["campaign_reason"] == 0
    assert as_dict(Delivery(announced=0))["announced"] == 0


def test_fields_come_in_the_contracts_order_whatever_is_set() -> None:
    full, part = as_dict(DeliveryKpis(complaints=1)), as_dict(DeliveryKpis(delivery_id="d", sent=1))

    assert list(full) == list(part)


def test_a_number_that_readers_would_round_is_a_string() -> None:
    assert as_dict(DeliveryKpis(sent=LARGEST))["sent"] == LARGEST
    assert as_dict(DeliveryKpis(sent=LARGEST + 1))["sent"] == str(LARGEST + 1)


def test_labels_stay_as_they_are() -> None:
    assert as_dict(Delivery(metadata={"brand": "north"}))["metadata"] == {"brand": "north"}


def test_an_error_tells_its_details() -> None:
    problem = invalid("content", "CONTENT_EMPTY", "the mail is empty")

    error = as_dict(QualifyInboundResult(error=problem.to_status()))["error"]

    assert (error["code"], error["message"]) == (3, "the mail is empty")
    assert error["details"][0]["reason"] == "CONTENT_EMPTY"
