"""Errors say the same on both sides of the wire."""

from __future__ import annotations

import grpc
import pytest
from google.rpc.status_pb2 import Status

from emta.problems import Problem, in_words, invalid


def test_a_problem_survives_the_wire() -> None:
    problem = Problem(
        grpc.StatusCode.UNAVAILABLE,
        "STORE_UNAVAILABLE",
        "the store does not answer",
        metadata={"shard": "3"},
        retry_after=1.5,
    )

    read = Problem.from_status(Status.FromString(problem.to_status().SerializeToString()))

    assert (read.code, read.reason, read.message) == (problem.code, problem.reason, problem.message)
    assert (read.metadata, read.retry_after) == ({"shard": "3"}, 1.5)


def test_bad_input_names_its_field() -> None:
    read = Problem.from_status(invalid("rcpt_to", "ADDRESS_MALFORMED", "no").to_status())

    assert (read.code, read.field) == (grpc.StatusCode.INVALID_ARGUMENT, "rcpt_to")


def test_a_status_of_somebody_else_keeps_its_code() -> None:
    read = Problem.from_status(Status(code=5, message="gone"))

    assert (read.code, read.reason) == (grpc.StatusCode.NOT_FOUND, "NOT_FOUND")


def _bare(code: grpc.StatusCode, details: str) -> grpc.aio.AioRpcError:
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(), details)


@pytest.mark.parametrize(
    ("code", "details"),
    [
        (grpc.StatusCode.CANCELLED, "CANCELLED"),
        (grpc.StatusCode.INTERNAL, "Received RST_STREAM with error code 2"),
    ],
)
def test_a_call_that_a_stopping_server_let_fall_is_worth_another_try(
    code: grpc.StatusCode, details: str
) -> None:
    read = Problem.from_rpc_error(_bare(code, details))

    assert (read.code, read.reason) == (grpc.StatusCode.UNAVAILABLE, "UNAVAILABLE")


def test_a_request_that_nobody_can_read_is_not() -> None:
    read = Problem.from_rpc_error(_bare(grpc.StatusCode.INTERNAL, "Exception deserializing request!"))

    assert read.code is grpc.StatusCode.INTERNAL


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (FileNotFoundError(2, "No such file or directory", "a.csv"), "a.csv: No such file or directory"),
        (OSError(28, "No space left on device"), "No space left on device"),
        (OSError("cannot listen on localhost:1"), "cannot listen on localhost:1"),
        (ValueError("too long"), "too long"),
    ],
)
def test_errors_are_told_in_words_without_pythons_numbers(error: Exception, words: str) -> None:
    assert in_words(error) == words
