-- Requests that runs have asked for. wf.request is the outbox: a row is written by the transaction that asks, so that a request
-- exists when that has committed and not before; it goes when the answer is recorded, or nobody wants it any more. Who
-- sends is the dispatcher of the database, alone. What has ended is in wf.request_log, which is partitioned as wf.run is.

CREATE TABLE wf.request (
	tenant_id    uuid NOT NULL,
	run_id       uuid NOT NULL,
	step         int NOT NULL,
	request_id   uuid NOT NULL,
	lane         text COLLATE pg_catalog."C" NOT NULL,
	due_at       timestamptz NOT NULL,
	role         regrole NOT NULL,
	priority     smallint NOT NULL,
	workflow_id  uuid NOT NULL,
	node         text NOT NULL,
	method       text NOT NULL,
	host         text NOT NULL,
	path         text,
	forget       bool NOT NULL,
	created_at   timestamptz NOT NULL,
	attempts     int NOT NULL,
	failures     int NOT NULL,
	duration_ms  double precision NOT NULL,
	error        jsonb,
	trace        text,
	request      jsonb NOT NULL,
	PRIMARY KEY (tenant_id, run_id, step, request_id)
);
CREATE INDEX request_lane ON wf.request (lane, due_at, request_id);
COMMENT ON TABLE wf.request IS 'requests that are to be sent, or are being sent';
COMMENT ON COLUMN wf.request.lane IS 'what shares limits: tenant and host, and the node if it has limits of its own';
COMMENT ON COLUMN wf.request.attempts IS 'those of which it is known how they ended; see wf.sending';
COMMENT ON COLUMN wf.request.failures IS 'attempts that failed';

CREATE TABLE wf.sending (
	tenant_id    uuid NOT NULL,
	batch_id     uuid NOT NULL,
	began_at     timestamptz NOT NULL,
	request_ids  uuid[] NOT NULL,
	cut_short    bool NOT NULL,
	PRIMARY KEY (tenant_id, batch_id)
);
COMMENT ON COLUMN wf.sending.cut_short IS 'by a crash, or the end of the dispatcher: nobody knows what came of it';
COMMENT ON TABLE wf.sending IS 'attempts that have begun, many together; a request that was due later is none of them any more';

CREATE TABLE wf.request_log (
	tenant_id      uuid NOT NULL,
	run_id         uuid NOT NULL,
	request_id     uuid NOT NULL,
	step           int NOT NULL,
	workflow_id    uuid NOT NULL,
	node           text NOT NULL,
	method         text NOT NULL,
	host           text NOT NULL,
	path           text,
	state          text NOT NULL,
	status         int,
	attempts       int NOT NULL,
	created_at     timestamptz NOT NULL,
	ended_at       timestamptz NOT NULL,
	dns_ms         real,
	connect_ms     real,
	tls_ms         real,
	first_byte_ms  real,
	total_ms       real,
	error          jsonb,
	bodies         jsonb
) PARTITION BY RANGE (run_id);
CREATE TABLE wf.request_log_default PARTITION OF wf.request_log (PRIMARY KEY (tenant_id, run_id, request_id)) DEFAULT
	WITH (toast_tuple_target = 8160);
COMMENT ON TABLE wf.request_log IS 'requests that have ended: completed, failed or cancelled';
COMMENT ON TABLE wf.request_log_default IS 'requests of runs of times that no partition was made for';

CREATE TABLE wf.circuit (
	tenant_id    uuid NOT NULL,
	host         text COLLATE pg_catalog."C" NOT NULL,
	state        text NOT NULL CHECK (state OPERATOR(pg_catalog.=) ANY (ARRAY['closed', 'open', 'halfOpen'])),
	attempts     int NOT NULL,
	failures     int NOT NULL,
	changed_at   timestamptz NOT NULL,
	retry_at     timestamptz,
	times_opened int NOT NULL,
	PRIMARY KEY (tenant_id, host)
);
COMMENT ON TABLE wf.circuit IS 'circuits of hosts that have opened, as of their last change';

CREATE TABLE wf.host_limit (
	tenant_id    uuid NOT NULL REFERENCES wf.tenant ON DELETE CASCADE,
	host         text COLLATE pg_catalog."C" NOT NULL,
	requests     int NOT NULL CHECK (requests OPERATOR(pg_catalog.>=) 0),
	per_ms       bigint NOT NULL CHECK (per_ms OPERATOR(pg_catalog.>) 0),
	burst        int NOT NULL CHECK (burst OPERATOR(pg_catalog.>=) 0),
	concurrency  int NOT NULL CHECK (concurrency OPERATOR(pg_catalog.>=) 0),
	PRIMARY KEY (tenant_id, host)
);
COMMENT ON TABLE wf.host_limit IS 'limits of a tenant for a host, or (*) for all that it sends; 0: none';

DO $$
DECLARE
	t text;
BEGIN
	FOREACH t IN ARRAY ARRAY['request', 'sending', 'request_log', 'request_log_default', 'circuit', 'host_limit']
	LOOP
		PERFORM pg_catalog.pg_extension_config_dump(('wf.' OPERATOR(pg_catalog.||) t)::pg_catalog.regclass, '');
	END LOOP;
	ALTER TABLE wf.request SET (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 5000);
END
$$;
