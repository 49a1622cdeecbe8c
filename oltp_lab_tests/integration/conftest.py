"""The fixtures of the configuration's tests: a tenant with an owner and a member."""

from collections.abc import Iterator

import pytest

from oltp_lab_tests.configuration.conftest import Tenant, other, platform, shared, tenant
from oltp_lab_tests.integration.world import retire

__all__ = ["other", "platform", "shared", "tenant"]


@pytest.fixture(autouse=True)
def nothing_due(tenant: Tenant) -> Iterator[None]:
    """Claims go across tenants: a test leaves none of its own."""
    yield
    retire(tenant)
