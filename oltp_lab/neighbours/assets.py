"""The assets and checks of the neighbours, each of which has them in a package of its own."""

from typing import Any

from oltp_lab.neighbours.payments.assets import assets as payments_assets

assets: list[Any] = [*payments_assets]
checks: list[Any] = []
