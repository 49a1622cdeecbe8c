"""The settings of the embedded clusters, sized by this machine's memory."""

from pathlib import Path

import psutil

_CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")
_SHARED_MEMORY = Path("/dev/shm")

_COMMON = """\
listen_addresses = ''
unix_socket_permissions = 0700
timezone = 'UTC'
log_timezone = 'UTC'
log_line_prefix = '%m [%p] %q%u@%d '
log_checkpoints = off
log_lock_waits = on
track_io_timing = on
random_page_cost = 1.1
jit = off                       # its compile time is noise in millisecond transactions
"""

# 1,000 load sessions, and room for the lab's own, the reserved ones and autovacuum.
_OLTP = """\
max_connections = 1100
shared_preload_libraries = 'pg_stat_statements'
track_commit_timestamp = on     # propagation lag of the warehouse
max_prepared_transactions = 100
wal_level = logical
max_wal_size = '2GB'
min_wal_size = '512MB'
checkpoint_timeout = '15min'
wal_buffers = '16MB'
max_locks_per_transaction = 256 # partitions
fsync = on                      # durable commits are what is measured
synchronous_commit = on
full_page_writes = on
"""

# Dagster opens many short sessions.
_NEIGHBOURS = """\
max_connections = 300
max_wal_size = '1GB'
"""

# What is lost with it was to be thrown away.
_THROWAWAY = """\
max_connections = 100
max_prepared_transactions = 20
fsync = off
synchronous_commit = off
full_page_writes = off
"""
_OWN = {"oltp": _OLTP, "neighbours": _NEIGHBOURS, "throwaway": _THROWAWAY}


def configuration(name: str) -> str:
    """The text of a cluster's settings file; ``name`` is oltp, neighbours or throwaway."""
    megabytes = _memory() // 2**20
    buffers = min(max(megabytes // 32, 64), 256)
    if name == "oltp":
        buffers = min(max(megabytes // 8, 128), 4096)
    sized = {
        "shared_buffers": f"{buffers}MB",
        "effective_cache_size": f"{megabytes // 2}MB",
        "maintenance_work_mem": f"{min(max(megabytes // 32, 64), 512)}MB",
        # A container's /dev/shm of 64 MB is too small for parallel queries.
        "dynamic_shared_memory_type": "posix" if _roomy_shared_memory() else "mmap",
    }
    return _COMMON + _OWN[name] + "".join(f"{key} = '{value}'\n" for key, value in sized.items())


def _memory() -> int:
    total = psutil.virtual_memory().total
    limit = _CGROUP_LIMIT.read_text("utf-8").strip() if _CGROUP_LIMIT.exists() else "max"
    return min(total, int(limit)) if limit.isdigit() else total


def _roomy_shared_memory() -> bool:
    return _SHARED_MEMORY.is_dir() and psutil.disk_usage(str(_SHARED_MEMORY)).total >= 2**28
