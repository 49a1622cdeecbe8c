"""The proofs of the stage, in the order of their cost."""

from oltp_lab.isolation.attacks.assets import assets as mutants
from oltp_lab.isolation.channels.assets import assets as channels
from oltp_lab.isolation.indexes.assets import assets as indexes
from oltp_lab.isolation.oracle.assets import assets as oracle
from oltp_lab.isolation.under_load.assets import assets as under_load

assets = [*indexes, *oracle, *channels, *under_load, *mutants]
