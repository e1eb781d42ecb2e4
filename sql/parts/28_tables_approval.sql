-- Approvals of versions, in tenants where a second person has to agree before a version becomes the active one. Rows are never
-- deleted but with their tenant, and change once: when it is decided.

CREATE TABLE wf.approval (
	tenant_id      uuid NOT NULL,
	approval_id    uuid NOT NULL,
	workflow_id    uuid NOT NULL,
	version        int NOT NULL,
	digest         text NOT NULL,
	sets_status    bool NOT NULL,
	status         text NOT NULL CHECK (status OPERATOR(pg_catalog.=) ANY (ARRAY['pending', 'approved', 'rejected'])),
	requested_by   name NOT NULL,
	requested_at   timestamptz NOT NULL,
	involved       regrole[] NOT NULL,
	decided_by     name,
	decided_at     timestamptz,
	session_role   name,
	comment        text,
	PRIMARY KEY (tenant_id, approval_id),
	FOREIGN KEY (tenant_id, workflow_id, version) REFERENCES wf.version ON DELETE CASCADE,
	CHECK ((status OPERATOR(pg_catalog.=) 'pending') OPERATOR(pg_catalog.=) (decided_at IS NULL))
);
CREATE INDEX approval_version ON wf.approval (tenant_id, workflow_id, version);
CREATE UNIQUE INDEX approval_pending ON wf.approval (tenant_id, workflow_id, version) WHERE status OPERATOR(pg_catalog.=) 'pending';
COMMENT ON TABLE wf.approval IS 'requests to make a version the active one, and what was decided';
COMMENT ON COLUMN wf.approval.digest IS 'SHA-256 of the definition''s jsonb text, in hex: what exactly was approved';
COMMENT ON COLUMN wf.approval.sets_status IS 'the workflow is to become active, too';
COMMENT ON COLUMN wf.approval.involved IS 'who asked and who saved the version, as the current and as the session''s role: none of these may approve';
COMMENT ON COLUMN wf.approval.session_role IS 'as whom the one who decided was connected';

SELECT pg_catalog.pg_extension_config_dump('wf.approval', '');
