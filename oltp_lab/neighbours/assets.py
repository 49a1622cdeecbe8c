"""The assets and schedules of the neighbours, each of which has them in a package of its own."""

from typing import Any

from oltp_lab.neighbours.addresses.assets import assets as addresses_assets
from oltp_lab.neighbours.authentication.assets import assets as authentication_assets
from oltp_lab.neighbours.content.assets import assets as content_assets
from oltp_lab.neighbours.dns.assets import assets as dns_assets
from oltp_lab.neighbours.dns.assets import schedules as dns_schedules
from oltp_lab.neighbours.notifications.assets import assets as notifications_assets
from oltp_lab.neighbours.payments.assets import assets as payments_assets

assets: list[Any] = [
    *content_assets,
    *notifications_assets,
    *dns_assets,
    *addresses_assets,
    *payments_assets,
    *authentication_assets,
]
schedules: list[Any] = [*dns_schedules]
