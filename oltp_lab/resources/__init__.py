"""What assets are handed: the database under test, the warehouse, the measurements, the scale.

Each is a small Dagster resource over a plain class that knows nothing of Dagster. None starts a
server before an asset asks for it.
"""

from oltp_lab.resources.measurements import MeasurementsResource
from oltp_lab.resources.oltp import Oltp, table_key
from oltp_lab.resources.scale import Scale
from oltp_lab.resources.warehouse import Warehouse

__all__ = ["MeasurementsResource", "Oltp", "Scale", "Warehouse", "table_key"]
