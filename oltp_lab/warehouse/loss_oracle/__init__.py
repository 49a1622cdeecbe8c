"""The loss oracle: does the warehouse hold what was committed, whatever is killed meanwhile?

Writers do all that transactions can do, on a throw-away server that is crashed; syncs and refreshes
are killed at every boundary. In the end what the warehouse holds is compared with what the writers
were acknowledged. Cursors of other extractors run beside: they must lose rows, or nothing is shown.
"""
