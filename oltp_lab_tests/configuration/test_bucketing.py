"""The hash behind flags: published vectors, and an implementation of its own to compare with."""

import psycopg
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from oltp_lab_tests.configuration.murmur import VARIANT_SEED, bucket, murmur3_32


def test_murmur_vectors(platform: psycopg.Connection) -> None:
    """Vectors of the reference implementation (SMHasher), and of Unleash's clients."""
    for text, seed, expected in (
        ("", 0, 0),
        ("", 1, 0x514E28B7),
        ("", 0xFFFFFFFF, 0x81F16F39),
        ("test", 0, 0xBA6BD213),
        ("test", 0x9747B28C, 0x704B81DC),
        ("Hello, world!", 0, 0xC0363E43),
        ("Hello, world!", 0x9747B28C, 0x24884CBA),
        ("The quick brown fox jumps over the lazy dog", 0, 0x2E4FF723),
        ("The quick brown fox jumps over the lazy dog", 0x9747B28C, 0x2FA826CD),
    ):
        assert murmur3_32(text.encode(), seed) == expected
        row = platform.execute("select lab.murmur3_32(%s, %s)", [text, seed]).fetchone()
        assert row == (expected,), text


# Published by Unleash: unleash-client-node (util.test.ts) and client-specification.
ROLLOUT_VECTORS = [("gr1", "123", 73), ("groupX", "999", 25)]
ROLLOUT_SPECIFICATION = [
    ("Feature.flexibleRollout.10", "174", 10, True),
    ("Feature.flexibleRollout.10", "499", 10, False),
    ("Feature.flexibleRollout.userId.55", "25", 55, True),
    ("Feature.flexibleRollout.sessionId.42", "147", 42, True),
]
VARIANT_SPECIFICATION = [
    ("Feature.Variants.B", [1, 1], {"2": 2, "0": 1}),
    ("Feature.Variants.C", [33, 33, 33], {"232": 1, "607": 2, "656": 3}),
    ("Feature.Variants.D", [1, 49, 50], {"712": 1, "525": 2, "537": 3}),
    ("Feature.Variants.override.D", [33, 33, 34], {"388": 2}),
]


def test_unleash_rollout_vectors(platform: psycopg.Connection) -> None:
    for group, subject, expected in ROLLOUT_VECTORS:
        assert _bucket(platform, group, subject) == expected == bucket(group, subject)
    for group, subject, rollout, is_on in ROLLOUT_SPECIFICATION:
        assert (_bucket(platform, group, subject) <= rollout) == is_on


def test_unleash_variant_vectors(platform: psycopg.Connection) -> None:
    for flag, weights, expected in VARIANT_SPECIFICATION:
        for subject, variant in expected.items():
            target = _bucket(platform, flag, subject, sum(weights), VARIANT_SEED)
            up_to = [sum(weights[: n + 1]) for n in range(len(weights))]
            assert next(n for n, end in enumerate(up_to, 1) if end >= target) == variant


def _bucket(
    platform: psycopg.Connection, group: str, subject: str, buckets: int = 100, seed: int = 0
) -> int:
    """The same expression as configuration.bucket's, whose ids are uuids; see below for those."""
    (found,) = platform.execute(
        "select lab.murmur3_32(%s || ':' || %s, %s) %% %s + 1", [group, subject, seed, buckets]
    ).fetchone() or (0,)
    return found


@given(
    texts=st.lists(
        st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=70),
        min_size=150,
        max_size=150,
    ),
    seed=st.integers(0, 2**32 - 1) | st.sampled_from([0, VARIANT_SEED]),
)
@hypothesis_settings(
    max_examples=20,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.large_base_example,
        HealthCheck.data_too_large,
        HealthCheck.too_slow,
    ],
)
def test_murmur_agrees_with_another_implementation(
    platform: psycopg.Connection, texts: list[str], seed: int
) -> None:
    rows = platform.execute(
        "select lab.murmur3_32(t, %s) from unnest(%s::text[]) with ordinality u (t, n) order by n",
        [seed, texts],
    ).fetchall()
    assert [h for (h,) in rows] == [murmur3_32(text.encode(), seed) for text in texts]
