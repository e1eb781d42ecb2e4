-- worker.sql: an external worker in plain SQL. It makes shipping labels: the workflow "label" hands them out as tasks of
-- the queue "labels", and print_labels() does what is there. Once, or every five seconds:
--     psql -f worker.sql
--     psql -c 'CALL print_labels()'        or, in psql: CALL print_labels() \watch 5
-- Each task takes two transactions: the first leases it, the second writes the label and finishes the task. So a label
-- is written once, whatever happens in between: a worker that goes down leaves a lease, and when that has run out
-- another one gets the task.

CREATE TABLE labels (
	order_id      bigint PRIMARY KEY,
	address       text NOT NULL CHECK (address <> ''),
	printed_at    timestamptz NOT NULL DEFAULT clock_timestamp()
);

SELECT wf_save('label', '{
  "nodes": [
    {"id": "print", "type": "task",
     "config": {"queue": "labels", "payload": {"order": "{{ $trigger.order }}", "address": "{{ $trigger.address }}"},
                "maxAttempts": 3, "timeout": "1 day"}},
    {"id": "done", "type": "return", "config": {"value": {"label": "{{ $node.print.output.label }}"}}}
  ],
  "edges": [{"source": "print", "target": "done"}]
}');

CREATE PROCEDURE print_labels() LANGUAGE plpgsql AS $$
DECLARE
	task record;
BEGIN
	LOOP
		SELECT * INTO task FROM wf_poll_tasks('labels', 1, '30 s');
		EXIT WHEN NOT FOUND;
		COMMIT;
		BEGIN
			INSERT INTO labels (order_id, address)
			VALUES ((task.payload ->> 'order')::bigint, task.payload ->> 'address');
			IF NOT wf_finish_task(task.task_id, jsonb_build_object('label', task.payload -> 'order'), task.attempt) THEN
				RAISE EXCEPTION 'the lease was lost';
			END IF;
		EXCEPTION WHEN OTHERS THEN
			-- deadlocks and the like are worth another attempt; what the data are to blame for is not
			PERFORM wf_fail_task(task.task_id, jsonb_build_object('code', SQLSTATE, 'message', SQLERRM),
								 SQLSTATE LIKE '40%', task.attempt);
		END;
		COMMIT;
	END LOOP;
END
$$;
