"""Content: what mails say, in a database of its own that the OLTP refers to by storage keys.

A body is stored (pending, under a lease) before the OLTP commits a version that refers to it, and
confirmed afterwards. It goes in two phases: marked; and, a grace period later, condemned by the
OLTP, whose word is final, and only then removed. Whatever is killed, the reconciler ends it.
"""
