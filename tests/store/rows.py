"""Many rows by one statement, for both databases: a history in which what is rare is also old.

Planners take matches to be spread over the table, and then look for them from its end.
"""

from sqlalchemy import text

from webhook_service.store.database.database import Database

COUNT = 100_000
OLD = COUNT // 10
PROJECT, SMALL = "1a5", "1a6"
MINUTE = 60_000
NUMBERS = (
    "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {count})"
)
_BOTH = {
    "project": f"CASE WHEN n % 2 = 0 AND n <= {{old}} / 10 THEN '{SMALL}' ELSE '{PROJECT}' END",
    "receiver": "CASE WHEN n <= {old} THEN 'rcv_old' WHEN n = {count} - 7 THEN 'rcv_rare' "
    "ELSE 'rcv_' || (n % 200) END",
}
_EXECUTION = {
    **_BOTH,
    "id": "'exe_' || (100000000000 + n)",
    "delivery": "'dlv_' || (100000000000 + n)",
    "driver": "CASE WHEN n <= {old} THEN 'jobRun' ELSE 'deploymentUpdate' END",
    "slot": "'slot-' || n",
    "coalesce": "{true}",
    "named": "{true}",
    "event": "{json}",
    "identity": "'identity-' || n",
    "dedupe": "'dedupe-' || n",
    "ordered": "n",
    "state": "CASE WHEN n <= {old} THEN 'failed' WHEN n % 199 = 0 THEN 'cancelled' "
    "ELSE 'succeeded' END",
    "created": "n",
    "finished": "n",
    # As every version writes it by now: an upgrade that had to would write these rows anew.
    "changed": "CASE WHEN n > {old} AND n % 199 <> 0 THEN n END",
    "driver_state": "'{{}}'",
    "changes": "'[]'",
    "reason": "CASE WHEN n <= {old} THEN 'conflict' WHEN n % 3 = 0 THEN 'aborted' END",
}
_DELIVERY = {
    **_BOTH,
    "id": "'dlv_' || (100000000000 + n)",
    "state": "CASE WHEN n <= {old} THEN 'ignored' ELSE 'accepted' END",
    "reason": "CASE WHEN n <= {old} THEN 'untagged' END",
    "items": "'[]'",
    "client": "''",
    "received": "n",
}
_AUDIT = {
    # One each minute, whose ids have its milliseconds in hex.
    "id": "'aud_' || {hex}",
    "project": _BOTH["project"],
    "receiver": _BOTH["receiver"],
    "action": "CASE WHEN n <= {old} THEN 'receiver.deleted' ELSE 'receiver.updated' END",
    "subject": _BOTH["receiver"],
    "actor": "CASE WHEN n <= {old} THEN 'ada' ELSE 'bob' END",
    "via": "CASE WHEN n <= {old} THEN 'cli' ELSE 'api' END",
    "address": "''",
    "changes": "'[]'",
    "at": f"CAST(n AS bigint) * {MINUTE}000",
}
_EVENT = (
    """'{{"image": "", "registry": "docker.io", "repository": "acme/' || """
    """CASE WHEN n <= {old} THEN 'old' ELSE 'shop-' || (n % 50) END || '", "tag": "' || n || """
    """'", "digest": null, "media_type": null, "pushed_at": null, "actor": null, """
    """"source_id": null}}'"""
)

Cases = list[tuple[dict[str, str], int]]
_EXECUTIONS: Cases = [
    ({}, 100),
    ({"state": "failed"}, 100),
    ({"state": "cancelled"}, 100),
    ({"state": "queued"}, 0),
    ({"reason": "conflict"}, 100),
    ({"receiver": "rcv_old"}, 100),
    ({"receiver": "rcv_rare"}, 1),
    ({"receiver": "rcv_none"}, 0),
    ({"driver": "jobRun"}, 100),
    ({"image": "docker.io/acme/old"}, 100),
    ({"delivery": "dlv_100000000007"}, 1),
    ({"id": "exe_100000000007"}, 1),
    ({"idPrefix": "exe_10000000001"}, 5),
    ({"idPrefix": "exe_1"}, 100),
    ({"receiver": "rcv_old", "state": "queued"}, 0),
    ({"receiver": "rcv_3", "state": "failed"}, 0),
    ({"driver": "deploymentUpdate", "state": "cancelled"}, 100),
    ({"receiver": "rcv_7", "driver": "deploymentUpdate", "state": "succeeded"}, 100),
]
_DELIVERIES: Cases = [
    ({}, 100),
    ({"state": "ignored"}, 100),
    ({"state": "refused"}, 0),
    ({"reason": "untagged"}, 100),
    ({"receiver": "rcv_old"}, 100),
    ({"inbox": "rcv_none"}, 0),
    ({"receiver": "rcv_9", "state": "ignored"}, 0),
]
_AUDITED: Cases = [
    ({}, 100),
    ({"action": "receiver.deleted"}, 100),
    ({"actor": "ada"}, 100),
    ({"via": "cli"}, 100),
    ({"receiver": "rcv_old"}, 100),
    ({"subject": "rcv_rare"}, 1),
    ({"since": "1970-01-03T00:00:00Z", "until": "1970-01-04T00:00:00Z"}, 100),
    ({"until": "1970-01-01T00:01:00Z"}, 0),
    ({"since": "1990-01-01T00:00:00Z", "receiver": "rcv_7"}, 0),
]
LISTS = {"executions": _EXECUTIONS, "deliveries": _DELIVERIES, "audit": _AUDITED}
"""Filters of each list, and how many items its first page of 100 has."""


def add_history(database: Database, count: int = COUNT) -> None:
    """Fill deliveries, executions and the audit, and tell PostgreSQL what is in them."""
    for table, values in (("deliveries", _DELIVERY), ("executions", _EXECUTION), ("audit", _AUDIT)):
        with database.connect_for_migration() as connection, connection.begin():
            if not database.is_sqlite:
                connection.execute(text("SET LOCAL statement_timeout = 0"))
            connection.exec_driver_sql(_statement(table, values, count, database.is_sqlite))
        if not database.is_sqlite:
            with database.connect_for_migration() as connection, connection.begin():
                connection.execute(text("SET LOCAL statement_timeout = 0"))
                connection.execute(text(f"ANALYZE {table}"))


def _statement(table: str, values: dict[str, str], count: int, is_sqlite: bool) -> str:
    json = _EVENT if is_sqlite else f"CAST({_EVENT} AS json)"
    true = "1" if is_sqlite else "true"
    hex_ = f"printf('%012x', n * {MINUTE})"
    if not is_sqlite:
        hex_ = f"lpad(to_hex(n * {MINUTE}::bigint), 12, '0')"
    sql = (
        f"INSERT INTO {table} ({', '.join(f'{chr(34)}{name}{chr(34)}' for name in values)}) "
        f"{NUMBERS} SELECT {', '.join(values.values())} FROM numbers"
    )
    sql = sql.replace("{json}", json).replace("{true}", true).replace("{hex}", hex_)
    filled = sql.format(count=count, old=count // 10)
    return (
        filled
        if is_sqlite
        else filled.replace("%", "%%").replace("'[]'", "'[]'::json").replace("'{}'", "'{}'::json")
    )
