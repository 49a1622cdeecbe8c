"""The resource by which a run says whose isolation is tested."""

import dagster as dg
from pydantic import Field

from oltp_lab.isolation import subject
from oltp_lab.isolation.subject import Subject
from oltp_lab.resources import Oltp
from oltp_lab.resources.shown import shown


class IsolationSubject(dg.ConfigurableResource):
    """The lab's own database, unless ``url`` names another, where nothing is ever committed."""

    url: str = Field(
        default="",
        description="A database to test instead of the lab's, by a user who sees every row and "
        "may act as the application's role: postgresql://USER:PASSWORD@HOST:PORT/DATABASE",
    )
    tenant_column: str = Field(
        default="tenant_id", description="The column that names the tenant, with `url`."
    )
    setting: str = Field(
        default=subject.LAB_SETTING,
        description="The parameter that carries the tenant, with `url`, such as app.tenant_id.",
    )
    role: str = Field(
        default="", description="The role that the application connects as, with `url`."
    )

    def value(self, oltp: Oltp) -> Subject:
        """The database to test. Raises LabError when it cannot be tested."""
        with shown():
            if self.url:
                return subject.of_somebody(self.url, self.tenant_column, self.setting, self.role)
            return subject.of_the_lab(oltp.database())
