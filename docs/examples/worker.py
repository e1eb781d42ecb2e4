#!/usr/bin/env python3
"""worker.py: an external worker in Python, with psycopg2. It does the tasks of worker.sql, which makes their table.

    PGDATABASE=demo python3 worker.py           goes on until it is stopped
    PGDATABASE=demo python3 worker.py --once    ends when there is nothing to do

It leases a task, does the slow part with no transaction open, and finishes the task in the transaction that writes the
label. When that cannot be, as the lease was lost, nothing is written: somebody else has the task by then.
"""
import sys
import time

import psycopg2
from psycopg2.extras import Json

QUEUE = "labels"
LEASE = "30 s"
PAUSE = 1.0  # seconds between two looks at an empty queue


class LeaseLost(Exception):
    pass


def lease(db):
    """The next task, as (task_id, payload, attempt), or None. Others see that it is ours from the commit on."""
    with db, db.cursor() as cursor:
        cursor.execute("SELECT task_id, payload, attempt FROM wf_poll_tasks(%s, 1, %s)", (QUEUE, LEASE))
        return cursor.fetchone()


def heartbeat(db, task_id):
    """For work that may take longer than the lease: call it now and then."""
    with db, db.cursor() as cursor:
        cursor.execute("SELECT wf_heartbeat(%s, %s)", (task_id, LEASE))
        if not cursor.fetchone()[0]:
            raise LeaseLost


def work(db, task_id, payload):
    """What takes time: here it would talk to the printer. Done twice when we go down before the commit below."""
    if not payload["address"]:
        raise ValueError("there is no address")
    heartbeat(db, task_id)
    return payload["address"].upper()


def finish(db, task_id, attempt, payload, address):
    with db, db.cursor() as cursor:
        cursor.execute("INSERT INTO labels (order_id, address) VALUES (%s, %s)", (payload["order"], address))
        cursor.execute("SELECT wf_finish_task(%s, %s, %s)", (task_id, Json({"label": payload["order"]}), attempt))
        if not cursor.fetchone()[0]:
            raise LeaseLost  # rolls back


def fail(db, task_id, attempt, error):
    code = getattr(error, "pgcode", None) or "LABEL"
    with db, db.cursor() as cursor:
        cursor.execute("SELECT wf_fail_task(%s, %s, %s, %s)",
                       (task_id, Json({"code": code, "message": str(error).strip()}), code.startswith("40"), attempt))


def do_one(db):
    """False: there was nothing to do."""
    task = lease(db)
    if task is None:
        return False
    task_id, payload, attempt = task
    try:
        finish(db, task_id, attempt, payload, work(db, task_id, payload))
    except LeaseLost:
        pass
    except (ValueError, psycopg2.IntegrityError, psycopg2.extensions.TransactionRollbackError) as error:
        fail(db, task_id, attempt, error)
    return True


def main():
    once = "--once" in sys.argv[1:]
    db = psycopg2.connect("")
    while True:
        if do_one(db):
            continue
        if once:
            return
        time.sleep(PAUSE)


if __name__ == "__main__":
    main()
