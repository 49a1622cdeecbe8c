"""SMTP addresses: warmed up, fought for, blocklisted, failed over, rotated and given up.

A trial lives through a month and a storm of them in a copy of the OLTP, by many sessions at once;
what must hold is asked of its tables afterwards.
"""
