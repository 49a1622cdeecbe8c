"""The one error a user sees: a sentence with the cause and the setting to change."""

from types import TracebackType

import click


class LabError(click.ClickException):
    """Bad input or a missing precondition, told in one sentence.

    Dagster's command line is click, which prints such an error without a traceback. Where Dagster
    wraps it (inside a step) it prints the frames of ``__traceback__``, so there are none to print.
    """

    @property
    def __traceback__(self) -> TracebackType | None:
        return None

    @__traceback__.setter
    def __traceback__(self, _: TracebackType | None) -> None:  # pyright: ignore
        pass
