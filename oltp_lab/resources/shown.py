"""How bad input shows inside a step: its sentence alone, without the frames of Dagster's."""

from collections.abc import Iterator
from contextlib import contextmanager

from dagster._core.errors import DagsterUserCodeProcessError
from dagster_shared.error import SerializableErrorInfo

from oltp_lab.errors import LabError


class ShownError(DagsterUserCodeProcessError, LabError):
    """A LabError that Dagster records as it is given: it believes the frames to be elsewhere."""

    def __init__(self, message: str) -> None:
        told = SerializableErrorInfo(f"{message}\n", [], LabError.__name__)
        super().__init__(message, user_code_process_error_infos=[told])


@contextmanager
def shown() -> Iterator[None]:
    """What is raised inside as a LabError, shown as its sentence."""
    try:
        yield
    except LabError as error:
        raise ShownError(error.message) from None
