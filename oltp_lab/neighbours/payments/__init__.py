"""Payments through the official Stripe client: the provider bills, the OLTP database follows.

Who changes a subscription asks the provider, with an idempotency key, and writes nothing here. An
event says that something changed; its customer's present state is asked for and taken over. So no
change is written in two places, and whatever dies meanwhile, the next event heals it. Without an
account of a real one the provider is the package ``provider``, on the loopback interface.
"""
