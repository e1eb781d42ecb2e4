-- Tables of runs that are alive. A run that starts and ends in one segment is in wf.queue and then in
-- history, and nowhere else.
--
-- wf.queue holds messages that can be dealt with now and nothing else, so that the cost of a claim does not depend on
-- how many runs sleep or have ended. A run is an actor: whatever is to happen to it is a message, and whoever holds
-- its row in wf.live deals with them. What waits for a time or an event is in wf.wait; the keeper makes messages of
-- waits that are due.

CREATE TABLE wf.queue (
	tenant_id    uuid NOT NULL,
	message_id   uuid NOT NULL,
	run_id       uuid NOT NULL,
	role         regrole NOT NULL,
	priority     smallint NOT NULL,
	kind         smallint NOT NULL,
	step         int NOT NULL,
	crashes      smallint NOT NULL,
	ready_at     timestamptz NOT NULL,
	workflow_id  uuid,
	version      int,
	payload      jsonb,
	options      jsonb,
	sealed       jsonb,
	PRIMARY KEY (tenant_id, message_id)
);
CREATE INDEX queue_ready ON wf.queue (role, priority DESC, tenant_id, message_id);
CREATE INDEX queue_run ON wf.queue (tenant_id, run_id) WHERE kind OPERATOR(pg_catalog.<>) 0;
COMMENT ON TABLE wf.queue IS 'messages to runs that can be dealt with now; the first is a start (kind 0), whose message_id is the run''s id';
COMMENT ON COLUMN wf.queue.payload IS 'of a start: its input, or a mask';
COMMENT ON COLUMN wf.queue.sealed IS 'what members may not read: the payload of a message to a run; input and options of a start with personal data';

CREATE TABLE wf.held (
	LIKE wf.queue,
	gate         text,
	gate_size    int,
	PRIMARY KEY (tenant_id, message_id)
);
CREATE INDEX held_run ON wf.held (tenant_id, run_id);
CREATE INDEX held_gate ON wf.held (tenant_id, workflow_id, gate, priority DESC, message_id) WHERE gate IS NOT NULL;
COMMENT ON TABLE wf.held IS 'messages that are kept back: of paused runs, and starts at a gate (maxConcurrency, concurrencyKey)';

CREATE TABLE wf.gate (
	tenant_id    uuid NOT NULL,
	workflow_id  uuid NOT NULL,
	gate         text NOT NULL,
	run_id       uuid NOT NULL,
	PRIMARY KEY (tenant_id, workflow_id, gate, run_id)
);
COMMENT ON TABLE wf.gate IS 'runs that were let through a gate and have not ended';

CREATE TABLE wf.live (
	tenant_id      uuid NOT NULL,
	run_id         uuid NOT NULL,
	workflow_id    uuid NOT NULL,
	version        int NOT NULL,
	role           regrole NOT NULL,
	priority       smallint NOT NULL,
	status         text NOT NULL CHECK (status OPERATOR(pg_catalog.=) ANY (ARRAY['queued', 'waiting', 'paused', 'compensating'])),
	attempt        int NOT NULL,
	queued_at      timestamptz NOT NULL,
	started_at     timestamptz,
	deadline       timestamptz,
	n_segments     int NOT NULL,
	n_steps        int NOT NULL,
	parent_run_id  uuid,
	input          jsonb,
	options        jsonb,
	current_nodes  text[],
	progress       jsonb,
	signals        jsonb,
	state          jsonb,
	sealed         jsonb,
	PRIMARY KEY (tenant_id, run_id)
);
COMMENT ON COLUMN wf.live.sealed IS 'input and options of a run with personal data, whose columns have tokens for it';
COMMENT ON TABLE wf.live IS 'runs between two segments, with all that the next segment needs; state NULL: not begun';

CREATE TABLE wf.wait (
	tenant_id    uuid NOT NULL,
	run_id       uuid NOT NULL,
	step         int NOT NULL,
	kind         text NOT NULL,
	wake_at      timestamptz,
	role         regrole NOT NULL,
	priority     smallint NOT NULL,
	event        text,
	correlation  text,
	PRIMARY KEY (tenant_id, run_id, step)
);
CREATE INDEX wait_wake ON wf.wait (wake_at) WHERE wake_at IS NOT NULL;
CREATE INDEX wait_event ON wf.wait (tenant_id, event, correlation) WHERE event IS NOT NULL;
COMMENT ON TABLE wf.wait IS 'what a run waits for, by the step that waits; step 0 is the run itself: its start or its time-out';

CREATE TABLE wf.event (
	tenant_id    uuid NOT NULL,
	event_id     uuid NOT NULL,
	event        text NOT NULL,
	correlation  text,
	payload      jsonb NOT NULL,
	emitted_at   timestamptz NOT NULL,
	matched      bool NOT NULL,
	unique_id    text,
	PRIMARY KEY (tenant_id, event_id)
);
CREATE INDEX event_name ON wf.event (tenant_id, event, correlation, event_id);
CREATE INDEX event_unmatched ON wf.event (tenant_id, event) WHERE NOT matched;
CREATE INDEX event_age ON wf.event (emitted_at);
CREATE UNIQUE INDEX event_unique ON wf.event (tenant_id, event, unique_id) WHERE unique_id IS NOT NULL;
COMMENT ON TABLE wf.event IS 'events of the last workflow.event_buffer_time, for those who begin to wait after they came';

CREATE TABLE wf.task (
	tenant_id    uuid NOT NULL,
	task_id      uuid NOT NULL,
	run_id       uuid NOT NULL,
	step         int NOT NULL,
	workflow_id  uuid NOT NULL,
	node         text NOT NULL,
	kind         text NOT NULL CHECK (kind OPERATOR(pg_catalog.=) ANY (ARRAY['approval', 'task'])),
	queue        text,
	title        text,
	body         text,
	assignees    text[],
	claimed_by   text,
	lease_ms     bigint,
	lease_until  timestamptz,
	quorum       int NOT NULL,
	allow_self   bool NOT NULL,
	outcomes     text[],
	form         jsonb,
	payload      jsonb,
	escalate_at  timestamptz,
	escalate_to  text[],
	decisions    jsonb NOT NULL DEFAULT '[]',
	comments     jsonb NOT NULL DEFAULT '[]',
	status       text NOT NULL CHECK (status OPERATOR(pg_catalog.=) ANY (ARRAY['open', 'done', 'expired', 'cancelled'])),
	attempt      int NOT NULL,
	max_attempts int NOT NULL,
	started_by   regrole NOT NULL,
	role         regrole NOT NULL,
	priority     smallint NOT NULL,
	created_at   timestamptz NOT NULL,
	due_at       timestamptz,
	closed_at    timestamptz,
	sealed       jsonb,
	PRIMARY KEY (tenant_id, task_id)
);
COMMENT ON COLUMN wf.task.sealed IS 'title, body, form and payload of a task with personal data, whose columns have tokens for it';
CREATE INDEX task_queue ON wf.task (tenant_id, queue, priority DESC, task_id)
	WHERE status OPERATOR(pg_catalog.=) 'open' AND kind OPERATOR(pg_catalog.=) 'task' AND lease_until IS NULL;
CREATE INDEX task_lease ON wf.task (tenant_id, queue, lease_until)
	WHERE status OPERATOR(pg_catalog.=) 'open' AND kind OPERATOR(pg_catalog.=) 'task' AND lease_until IS NOT NULL;
CREATE INDEX task_last_lease ON wf.task (lease_until)
	WHERE status OPERATOR(pg_catalog.=) 'open' AND kind OPERATOR(pg_catalog.=) 'task' AND lease_until IS NOT NULL
	AND max_attempts OPERATOR(pg_catalog.>) 0 AND attempt OPERATOR(pg_catalog.>=) max_attempts;
CREATE INDEX task_run ON wf.task (tenant_id, run_id);
CREATE INDEX task_escalate ON wf.task (escalate_at) WHERE status OPERATOR(pg_catalog.=) 'open' AND escalate_at IS NOT NULL;
COMMENT ON TABLE wf.task IS 'work for people (approval) and for external workers (task)';

CREATE TABLE wf.idempotency (
	tenant_id        uuid NOT NULL,
	workflow_id      uuid NOT NULL,
	idempotency_key  text NOT NULL,
	run_id           uuid NOT NULL,
	PRIMARY KEY (tenant_id, workflow_id, idempotency_key)
);
CREATE INDEX idempotency_run ON wf.idempotency (tenant_id, run_id);
COMMENT ON TABLE wf.idempotency IS 'keys of runs, as long as the runs are there';

CREATE TABLE wf.failed (
	tenant_id    uuid NOT NULL,
	run_id       uuid NOT NULL,
	workflow_id  uuid NOT NULL,
	version      int NOT NULL,
	role         regrole NOT NULL,
	priority     smallint NOT NULL,
	attempt      int NOT NULL,
	n_segments   int NOT NULL,
	n_steps      int NOT NULL,
	parent_run_id uuid,
	queued_at    timestamptz NOT NULL,
	started_at   timestamptz,
	input        jsonb,
	options      jsonb,
	signals      jsonb,
	state        jsonb,
	sealed       jsonb,
	failed_at    timestamptz NOT NULL,
	PRIMARY KEY (tenant_id, run_id)
);
COMMENT ON COLUMN wf.failed.signals IS 'those that it has not asked for, if it failed in its first segment; else they are in its state';
COMMENT ON TABLE wf.failed IS 'what wf_retry needs of failed runs: how they stood before the segment that failed';

DO $$
DECLARE
	t text;
BEGIN
	FOREACH t IN ARRAY ARRAY['queue', 'held', 'gate', 'live', 'wait', 'event', 'task', 'idempotency', 'failed']
	LOOP
		PERFORM pg_catalog.pg_extension_config_dump(('wf.' OPERATOR(pg_catalog.||) t)::pg_catalog.regclass, '');
		-- rows come and go: what is dead is to be cleared by number, not by share
		EXECUTE pg_catalog.format('ALTER TABLE wf.%I SET (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 5000)', t);
	END LOOP;
END
$$;
