/*
 * statements_pii.h: statements for personal data, within the table of statements.c, which is the only one to include this.
 *
 * wf_forget goes through WF_SQL_FORGET_QUEUE to WF_SQL_FORGET_PII in the order that statements.h has them in: $1 is the tenant, $2 the paths (forget.c) or NULL, $3 the value.
 */
	[WF_SQL_PUT_PII] = {
		"INSERT INTO wf.pii (tenant_id, run_id, segment, \"values\") VALUES ($1, $2, $3, $4)",
	4, {UUIDOID, UUIDOID, INT4OID, JSONBOID}},
	[WF_SQL_PII_OF_RUN] = {
		"SELECT \"values\" FROM wf.pii WHERE tenant_id" EQ "$1 AND run_id" EQ "$2 ORDER BY segment",
	2, {UUIDOID, UUIDOID}},
	[WF_SQL_PII_OF_SEGMENT] = {
		"SELECT \"values\" FROM wf.pii WHERE tenant_id" EQ "$1 AND run_id" EQ "$2 AND segment" EQ "$3",
	3, {UUIDOID, UUIDOID, INT4OID}},
	[WF_SQL_PII_KEY] = {
		"WITH made AS (INSERT INTO wf.pii_key (tenant_id, key) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING key)"
		" SELECT key FROM made UNION ALL SELECT key FROM wf.pii_key WHERE tenant_id" EQ "$1 LIMIT 1",
	2, {UUIDOID, BYTEAOID}},
	[WF_SQL_PUT_FORGOTTEN] = {
		"INSERT INTO wf.forgotten (tenant_id, forget_id, forgotten_at, forgotten_by, path, digest, places)"
		" VALUES ($1, $2, $3, $4::pg_catalog.regrole, $5, $6, $7)",
	7, {UUIDOID, UUIDOID, TIMESTAMPTZOID, OIDOID, TEXTOID, BYTEAOID, INT8OID}},
	/* messages that a value is in: whoever changes one holds it first */
	[WF_SQL_MESSAGES_WITH] = {
		"SELECT message_id FROM wf.queue WHERE tenant_id" EQ "$1 AND (wf.may_hold(payload, $2, $3)"
		"  OR wf.may_hold(options, $2, $3) OR wf.may_hold(sealed, $2, $3))",
	3, {UUIDOID, TEXTOID, JSONBOID}},
	[WF_SQL_FORGET_QUEUE] = {
		"UPDATE wf.queue SET payload = wf.erased(payload, $2, $3),"
		" options = wf.erased(options, $2, $3),"
		" sealed = wf.erased(sealed, $2, $3)"
		" WHERE tenant_id" EQ "$1 AND (wf.may_hold(payload, $2, $3)"
		"  OR wf.may_hold(options, $2, $3)"
		"  OR wf.may_hold(sealed, $2, $3))",
	3, {UUIDOID, TEXTOID, JSONBOID}},
	[WF_SQL_FORGET_HELD] = {
		"UPDATE wf.held SET payload = wf.erased(payload, $2, $3),"
		" options = wf.erased(options, $2, $3),"
		" sealed = wf.erased(sealed, $2, $3),"
		" gate = wf.erased(gate, $2, $3)"
		" WHERE tenant_id" EQ "$1 AND (wf.may_hold(payload, $2, $3)"
		"  OR wf.may_hold(options, $2, $3)"
		"  OR wf.may_hold(sealed, $2, $3)"
		"  OR wf.may_hold(gate, $2, $3))",
	3, {UUIDOID, TEXTOID, JSONBOID}},
	[WF_SQL_FORGET_EVENT] = {
		"UPDATE wf.event SET payload = wf.erased(payload, $2, $3),"
		" correlation = wf.erased(correlation, $2, $3),"
		" unique_id = CASE WHEN wf.may_hold(unique_id, $2, $3) THEN 'erased ' OPERATOR(pg_catalog.||) event_id::pg_catalog.text ELSE unique_id END"
		" WHERE tenant_id" EQ "$1 AND (wf.may_hold(payload, $2, $3)"
		"  OR wf.may_hold(correlation, $2, $3)"
		"  OR wf.may_hold(unique_id, $2, $3))",
	3, {UUIDOID, TEXTOID, JSONBOID}},
	[WF_SQL_FORGET_DEBOUNCE] = {
		"UPDATE wf.debounce SET payload = wf.erased(payload, $2, $3),"
		" correlation = wf.erased(correlation, $2, $3)"
		" WHERE tenant_id" EQ "$1 AND (wf.may_hold(payload, $2, $3)"
		"  OR wf.may_hold(correlation, $2, $3))",
	3, {UUIDOID, TEXTOID, JSONBOID}},
	[WF_SQL_FORGET_WAIT] = {
		"UPDATE wf.wait SET correlation = wf.erased(correlation, $2, $3)"
		" WHERE tenant_id" EQ "$1 AND (wf.may_hold(correlation, $2, $3))",
	3, {UUIDOID, TEXTOID, JSONBOID}},
	[WF_SQL_FORGET_GATE] = {
		"UPDATE wf.gate SET gate = wf.erased(gate, $2, $3)"
		" WHERE tenant_id" EQ "$1 AND (wf.may_hold(gate, $2, $3))",
	3, {UUIDOID, TEXTOID, JSONBOID}},
	[WF_SQL_FORGET_REQUEST] = {
		"UPDATE wf.request SET path = wf.erased(path, $2, $3),"
		" error = wf.erased(error, $2, $3),"
		" trace = wf.erased(trace, $2, $3),"
		" request = wf.erased(request, $2, $3)"
		" WHERE tenant_id" EQ "$1 AND (wf.may_hold(path, $2, $3)"
		"  OR wf.may_hold(error, $2, $3)"
		"  OR wf.may_hold(trace, $2, $3)"
		"  OR wf.may_hold(request, $2, $3))",
	3, {UUIDOID, TEXTOID, JSONBOID}},
	[WF_SQL_FORGET_LIVE] = {
		"UPDATE wf.live SET input = wf.erased(input, $2, $3),"
		" options = wf.erased(options, $2, $3),"
		" signals = wf.erased(signals, $2, $3),"
		" state = wf.erased(state, $2, $3),"
		" progress = wf.erased(progress, $2, $3),"
		" sealed = wf.erased(sealed, $2, $3)"
		" WHERE tenant_id" EQ "$1 AND (wf.may_hold(input, $2, $3)"
		"  OR wf.may_hold(options, $2, $3)"
		"  OR wf.may_hold(signals, $2, $3)"
		"  OR wf.may_hold(state, $2, $3)"
		"  OR wf.may_hold(progress, $2, $3)"
		"  OR wf.may_hold(sealed, $2, $3))",
	3, {UUIDOID, TEXTOID, JSONBOID}},
	[WF_SQL_FORGET_TASK] = {
		"UPDATE wf.task SET title = wf.erased(title, $2, $3),"
		" body = wf.erased(body, $2, $3),"
		" form = wf.erased(form, $2, $3),"
		" payload = wf.erased(payload, $2, $3),"
		" decisions = wf.erased(decisions, $2, $3),"
		" comments = wf.erased(comments, $2, $3),"
		" sealed = wf.erased(sealed, $2, $3)"
		" WHERE tenant_id" EQ "$1 AND (wf.may_hold(title, $2, $3)"
		"  OR wf.may_hold(body, $2, $3)"
		"  OR wf.may_hold(form, $2, $3)"
		"  OR wf.may_hold(payload, $2, $3)"
		"  OR wf.may_hold(decisions, $2, $3)"
		"  OR wf.may_hold(comments, $2, $3)"
		"  OR wf.may_hold(sealed, $2, $3))",
	3, {UUIDOID, TEXTOID, JSONBOID}},
	[WF_SQL_FORGET_FAILED] = {
		"UPDATE wf.failed SET input = wf.erased(input, $2, $3),"
		" options = wf.erased(options, $2, $3),"
		" signals = wf.erased(signals, $2, $3),"
		" state = wf.erased(state, $2, $3),"
		" sealed = wf.erased(sealed, $2, $3)"
		" WHERE tenant_id" EQ "$1 AND (wf.may_hold(input, $2, $3)"
		"  OR wf.may_hold(options, $2, $3)"
		"  OR wf.may_hold(signals, $2, $3)"
		"  OR wf.may_hold(state, $2, $3)"
		"  OR wf.may_hold(sealed, $2, $3))",
	3, {UUIDOID, TEXTOID, JSONBOID}},
	[WF_SQL_FORGET_REQUEST_LOG] = {
		"UPDATE wf.request_log SET path = wf.erased(path, $2, $3),"
		" error = wf.erased(error, $2, $3),"
		" bodies = wf.erased(bodies, $2, $3)"
		" WHERE tenant_id" EQ "$1 AND (wf.may_hold(path, $2, $3)"
		"  OR wf.may_hold(error, $2, $3)"
		"  OR wf.may_hold(bodies, $2, $3))",
	3, {UUIDOID, TEXTOID, JSONBOID}},
	[WF_SQL_FORGET_TRIGGER_STAT] = {
		"UPDATE wf.trigger_stat SET error = wf.erased(error, $2, $3)"
		" WHERE tenant_id" EQ "$1 AND (wf.may_hold(error, $2, $3))",
	3, {UUIDOID, TEXTOID, JSONBOID}},
	[WF_SQL_FORGET_RUN] = {
		"UPDATE wf.run SET input = wf.erased(input, $2, $3),"
		" output = wf.erased(output, $2, $3),"
		" error = wf.erased(error, $2, $3),"
		" correlation_id = wf.erased(correlation_id, $2, $3),"
		" tags = wf.erased(tags, $2, $3),"
		" progress = wf.erased(progress, $2, $3),"
		" idempotency_key = CASE WHEN wf.may_hold(idempotency_key, $2, $3) THEN 'erased ' OPERATOR(pg_catalog.||) run_id::pg_catalog.text ELSE idempotency_key END"
		" WHERE tenant_id" EQ "$1 AND (wf.may_hold(input, $2, $3)"
		"  OR wf.may_hold(output, $2, $3)"
		"  OR wf.may_hold(error, $2, $3)"
		"  OR wf.may_hold(correlation_id, $2, $3)"
		"  OR wf.may_hold(tags, $2, $3)"
		"  OR wf.may_hold(progress, $2, $3)"
		"  OR wf.may_hold(idempotency_key, $2, $3))",
	3, {UUIDOID, TEXTOID, JSONBOID}},
	[WF_SQL_FORGET_SEGMENT] = {
		"UPDATE wf.segment SET steps = wf.erased(steps, $2, $3)"
		" WHERE tenant_id" EQ "$1 AND (wf.may_hold(steps, $2, $3))",
	3, {UUIDOID, TEXTOID, JSONBOID}},
	[WF_SQL_FORGET_PII] = {
		"UPDATE wf.pii SET \"values\" = wf.erased(\"values\", $2, $3)"
		" WHERE tenant_id" EQ "$1 AND (wf.may_hold(\"values\", $2, $3))",
	3, {UUIDOID, TEXTOID, JSONBOID}},
	[WF_SQL_FORGET_KEY] = {
		"UPDATE wf.idempotency SET idempotency_key = 'erased ' OPERATOR(pg_catalog.||) run_id::pg_catalog.text"
		" WHERE tenant_id" EQ "$1 AND wf.may_hold(idempotency_key, $2, $3)",
	3, {UUIDOID, TEXTOID, JSONBOID}},
