"""Who asks, and for which tenant: signing up and in, invites, tenant switches and revocation.

Nile has a service for this. Here ``service`` does its work in two sessions: as ``lab_auth``, which
alone reads credentials, it finds out who asks and what they may; as ``lab_app`` it then works in
that tenant. What is compared and drawn is in ``passwords`` and ``tokens``; the database gets
hashes and digests alone, and waits for no hash.
"""
