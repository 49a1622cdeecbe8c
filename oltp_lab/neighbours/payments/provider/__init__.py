"""A provider of Stripe's shape on the loopback interface: it bills, and tells by webhooks."""
