"""The assets and checks of the neighbours, each of which has them in a package of its own."""

from typing import Any

from oltp_lab.neighbours.payments.assets import assets as payments_assets

assets: list[Any] = [*payments_assets]
from oltp_lab.neighbours.notifications.assets import assets as notifications_assets

assets: list[Any] = [*notifications_assets]
from oltp_lab.neighbours.content.assets import assets as content_assets

assets: list[Any] = [*content_assets]
from oltp_lab.neighbours.dns.assets import assets as dns_assets
from oltp_lab.neighbours.dns.assets import schedules as dns_schedules

assets: list[Any] = [*dns_assets]
checks: list[Any] = []
schedules: list[Any] = [*dns_schedules]
