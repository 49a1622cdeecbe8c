"""Murmur3 (x86, 32 bits) by Austin Appleby, written from its description, to compare with."""

_MASK = 0xFFFFFFFF
VARIANT_SEED = 86028157
"""What Unleash hashes variants with."""


def murmur3_32(data: bytes, seed: int = 0) -> int:
    """The hash of some bytes: 0 to 2^32 - 1."""
    state = seed
    whole = len(data) - len(data) % 4
    for start in range(0, whole, 4):
        state ^= _scramble(int.from_bytes(data[start : start + 4], "little"))
        state = (_rotate(state, 13) * 5 + 0xE6546B64) & _MASK
    state ^= _scramble(int.from_bytes(data[whole:], "little"))
    state ^= len(data)
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        state = ((state ^ state >> shift) * factor) & _MASK
    return state ^ state >> 16


def bucket(group: str, subject: str, buckets: int = 100, seed: int = 0) -> int:
    """Where Unleash puts an id of a group: 1 to ``buckets``."""
    return murmur3_32(f"{group}:{subject}".encode(), seed) % buckets + 1


def _scramble(word: int) -> int:
    return _rotate(word * 0xCC9E2D51 & _MASK, 15) * 0x1B873593 & _MASK


def _rotate(word: int, bits: int) -> int:
    return (word << bits | word >> 32 - bits) & _MASK
