-- What every domain file stands on; nothing of it outlives the session. Rows are planned in temporary
-- tables first, with times in milliseconds since 1970: whole numbers, exact and cheap.

set local timezone = 'UTC';
set local jit = off;
set local work_mem = '192MB';
set local temp_buffers = '256MB';
-- The temporary tables have no statistics; each is joined as a whole.
set local enable_mergejoin = off;

-- One row: the sizes of sql/sample_data/scales.toml, the seed, and when the history ends.
create temp table scale (
    seed              bigint  not null,
    as_of             bigint  not null,
    tenants           integer not null,
    sending_tenants   integer not null,
    former_tenants    integer not null,
    users             integer not null,
    running_campaigns integer not null,
    other_campaigns   integer not null,
    leads             integer not null,
    enrollments       integer not null
) on commit drop;

-- Words to draw from: 500 of each kind, n from 0.
create temp table pool (
    n          integer not null,
    first_name text not null,
    last_name  text not null,
    company    text not null,
    host       text not null,
    subject    text not null
) on commit drop;

-- Pseudo-random numbers: a hash of what for, which one, and the seed. The functions are those of hash
-- partitioning, so they give the same on every version of PostgreSQL (of one byte order).
create function pg_temp.draw(purpose text, n bigint, seed bigint) returns bigint
    language sql immutable parallel safe
    return hashint8extended(n, hashtextextended(purpose collate "C", seed));

-- 0 <= share < 1, from the lower half of a draw.
create function pg_temp.share(h bigint) returns float8
    language sql immutable parallel safe
    return (h & 4294967295) / 4294967296::float8;

-- A word's number, from the lowest 16 bits of a draw.
create function pg_temp.word(h bigint) returns bigint
    language sql immutable parallel safe
    return (h & 65535) % 500;

create function pg_temp.days(n float8) returns bigint
    language sql immutable parallel safe
    return (n * 86400000)::bigint;

create function pg_temp.at(ms bigint) returns timestamptz
    language sql immutable parallel safe
    return to_timestamp(ms / 1000::float8);

-- Nile's tables keep UTC without saying so.
create function pg_temp.utc(ms bigint) returns timestamp
    language sql immutable parallel safe
    return to_timestamp(ms / 1000::float8) at time zone 'UTC';

-- RFC 9562, version 7: 48 bits of time (the first hexadecimal digit is 0 until the year 2527), the
-- version, 12 bits of the draw; the variant, 62 bits of the draw.
create function pg_temp.key(ms bigint, h bigint) returns uuid
    language sql immutable parallel safe
    return ('0' || to_hex((ms << 16) | x'7000'::bigint | ((h >> 52) & 4095))
                || to_hex((h & x'3fffffffffffffff'::bigint) | x'8000000000000000'::bigint))::uuid;
