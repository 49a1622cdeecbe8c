"""Notifications: from the outbox through a relay and the queue to whom they concern."""
