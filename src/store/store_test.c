/*
 * store_test.c: what tests and measurements need of the store in SQL; compiled with WF_TESTING only.
 */
#include "postgres.h"

#ifdef WF_TESTING

#include "base/clock.h"
#include "base/compat.h"
#include "catalog/pg_type.h"
#include "base/uuid.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "funcapi.h"
#include "store/runtime.h"
#include "store/secret.h"
#include "store/store.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_test_send);

/* test_send(tenant uuid, run uuid, role oid, priority int, kind int, step int, payload jsonb, n int): n messages; of starts,
 * those after the first get run ids of their own. Returns the first message's id. */
Datum
wf_sql_test_send(PG_FUNCTION_ARGS)
{
	int			n = PG_GETARG_INT32(7);
	WfMessage  *messages = palloc0(sizeof(WfMessage) * n);
	pg_uuid_t  *id = palloc(sizeof(pg_uuid_t));

	for (int i = 0; i < n; i++)
	{
		messages[i].tenant_id = *PG_GETARG_UUID_P(0);
		messages[i].run_id = *PG_GETARG_UUID_P(1);
		messages[i].role = PG_GETARG_OID(2);
		messages[i].priority = PG_GETARG_INT32(3);
		messages[i].kind = PG_GETARG_INT32(4);
		messages[i].step = PG_GETARG_INT32(5);
		messages[i].payload = PG_ARGISNULL(6) ? NULL : PG_GETARG_JSONB_P(6);
		if (i > 0 && messages[i].kind == WF_MESSAGE_START)
			wf_uuid_make(&messages[i].run_id);
		messages[i].workflow_id = messages[i].run_id;
		messages[i].version = 1;
	}
	SPI_connect();
	wf_store_send(messages, n);
	SPI_finish();
	*id = messages[0].message_id;
	PG_RETURN_UUID_P(id);
}

static void
put_message(ReturnSetInfo *result, const WfMessage *message)
{
	Datum		values[8];
	bool		nulls[8] = {0};

	values[0] = UUIDPGetDatum(&message->tenant_id);
	values[1] = UUIDPGetDatum(&message->message_id);
	values[2] = UUIDPGetDatum(&message->run_id);
	values[3] = Int32GetDatum(message->priority);
	values[4] = Int32GetDatum(message->kind);
	values[5] = Int32GetDatum(message->step);
	values[6] = Int32GetDatum(message->crashes);
	values[7] = PointerGetDatum(message->payload);
	nulls[7] = message->payload == NULL;
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_test_claim);

/* test_claim(role oid, most int, take bool, last uuid): the messages; the last tenant served stays in the backend when
 * `last` is null. */
Datum
wf_sql_test_claim(PG_FUNCTION_ARGS)
{
	static pg_uuid_t last;
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	ListCell   *cell;

	if (!PG_ARGISNULL(3))
		last = *PG_GETARG_UUID_P(3);
	InitMaterializedSRF(fcinfo, 0);
	SPI_connect();
	foreach(cell, wf_store_claim(PG_GETARG_OID(0), PG_GETARG_INT32(1), &last))
	{
		put_message(result, lfirst(cell));
		if (PG_GETARG_BOOL(2))
			wf_store_take(lfirst(cell));
	}
	SPI_finish();
	return (Datum) 0;
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_test_claim_run);

/* test_claim_run(tenant uuid, run uuid, what text): run or start. */
Datum
wf_sql_test_claim_run(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	char	   *what = text_to_cstring(PG_GETARG_TEXT_PP(2));
	WfMessage  *start;
	ListCell   *cell;
	bool		exists;

	InitMaterializedSRF(fcinfo, 0);
	SPI_connect();
	if (strcmp(what, "run") == 0)
		foreach(cell, wf_store_claim_run(PG_GETARG_UUID_P(0), PG_GETARG_UUID_P(1)))
			put_message(result, lfirst(cell));
	else
	{
		start = wf_store_claim_start(PG_GETARG_UUID_P(0), PG_GETARG_UUID_P(1), false, &exists);
		if (start != NULL)
			put_message(result, start);
		else if (exists)
			elog(NOTICE, "somebody else has it");
	}
	SPI_finish();
	return (Datum) 0;
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_test_keeper);

/* test_keeper(what text, now timestamptz, run uuid, most int): how many; `what` is fire, gates, match, escalate, crash ... */
Datum
wf_sql_test_keeper(PG_FUNCTION_ARGS)
{
	char	   *what = text_to_cstring(PG_GETARG_TEXT_PP(0));
	TimestampTz now = PG_GETARG_TIMESTAMPTZ(1);
	int			most = PG_GETARG_INT32(3);
	TimestampTz next = 0;
	bool		some_are_locked;
	int			n = 0;

	SPI_connect();
	if (strcmp(what, "fire") == 0)
		n = wf_store_fire_waits(now, most, &next);
	else if (strcmp(what, "gates") == 0)
		n = wf_store_open_gates(&some_are_locked);
	else if (strcmp(what, "match") == 0)
		n = wf_store_match_events(now);
	else if (strcmp(what, "escalate") == 0)
		n = wf_store_escalate(now, &next);
	else if (strcmp(what, "crash") == 0)
		wf_store_count_crash(PG_GETARG_UUID_P(2), most);
	else if (strcmp(what, "partitions") == 0)
		n = wf_store_make_partitions(now);
	else if (strcmp(what, "expire") == 0)
		n = wf_store_expire(now, most);
	else if (strcmp(what, "fired") == 0)
		n = wf_store_save_fired(most);
	else if (strcmp(what, "prune fired") == 0)
		wf_store_prune_fired();
	else if (strcmp(what, "roles") == 0)
		n = list_length(wf_store_ready_roles());
	SPI_finish();
	PG_RETURN_INT32(n);
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_test_find_event);

/* test_find_event(tenant uuid, event text, correlation text, seen text[]): the payload of the oldest one. */
Datum
wf_sql_test_find_event(PG_FUNCTION_ARGS)
{
	MemoryContext memory = CurrentMemoryContext;
	char	   *correlation = PG_ARGISNULL(2) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(2));
	pg_uuid_t	event_id;
	Jsonb	   *payload;
	bool		found;

	SPI_connect();
	MemoryContextSwitchTo(memory);
	found = wf_store_find_event(PG_GETARG_UUID_P(0), text_to_cstring(PG_GETARG_TEXT_PP(1)), correlation,
								PG_ARGISNULL(3) ? NULL : PG_GETARG_ARRAYTYPE_P(3), &event_id, &payload);
	SPI_finish();
	if (!found)
		PG_RETURN_NULL();
	PG_RETURN_JSONB_P(payload);
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_test_history);

/* test_history(tenant uuid, n int, at timestamptz): n ended runs with a journal of one step each, of that time. */
Datum
wf_sql_test_history(PG_FUNCTION_ARGS)
{
	WfRunRow	run = {0};
	WfStepRow	step = {.seq = 1,.node = "a",.path = "a",.type = "noop",.status = "completed",.port = "out",.attempt = 1};
	WfSegmentRow segment = {.segment = 1,.attempt = 1,.first_seq = 1,.status = "completed",.n_steps = 1};
	Datum		formed;

	run.tenant_id = *PG_GETARG_UUID_P(0);
	run.attempt = 1;
	run.version = 1;
	run.status = "completed";
	run.trigger = "manual";
	run.input = wf_json_empty_object();
	run.output = run.input;
	run.started_by = GetUserId();
	run.queued_at = run.started_at = run.finished_at = step.started_at = PG_GETARG_TIMESTAMPTZ(2);
	segment.tenant_id = run.tenant_id;
	segment.started_at = segment.finished_at = run.started_at;
	SPI_connect();
	formed = wf_store_form_step(&step);
	segment.steps = &formed;
	for (int i = 0; i < PG_GETARG_INT32(1); i++)
	{
		wf_uuid_make(&run.run_id);
		wf_uuid_set_time(&run.run_id, run.started_at);
		run.workflow_id = run.run_id;
		wf_store_insert_run(&run);
		segment.run_id = run.run_id;
		wf_store_insert_segment(&segment);
	}
	SPI_finish();
	PG_RETURN_VOID();
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_test_open_secrets);

/* test_open_secrets(tenant uuid, names text[]) -> text: what the dispatcher would get, or the error */
Datum
wf_sql_test_open_secrets(PG_FUNCTION_ARGS)
{
	WfSecretValue *values;
	const char **names;
	Datum	   *texts;
	int			n;
	WfError    *problem;
	StringInfoData out;

	deconstruct_array(PG_GETARG_ARRAYTYPE_P(1), TEXTOID, -1, false, TYPALIGN_INT, &texts, NULL, &n);
	names = palloc(sizeof(char *) * Max(n, 1));
	for (int i = 0; i < n; i++)
		names[i] = TextDatumGetCString(texts[i]);
	initStringInfo(&out);
	SPI_connect();
	problem = wf_store_open_secrets(PG_GETARG_UUID_P(0), names, n, &values);
	if (problem != NULL)
		appendStringInfo(&out, "%s %s", problem->code, problem->message);
	for (int i = 0; i < n && problem == NULL; i++)
		appendStringInfo(&out, "%s%s v%d = %s", i > 0 ? ", " : "", values[i].name, values[i].version, values[i].value);
	SPI_finish();
	PG_RETURN_TEXT_P(cstring_to_text(out.data));
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_test_open_credential);

/* test_open_credential(tenant uuid, name text) -> text: type, version, fields, or the error */
Datum
wf_sql_test_open_credential(PG_FUNCTION_ARGS)
{
	const WfCredentialType *type;
	WfSecretValue value;
	WfError    *problem;
	StringInfoData out;
	const char *at;
	WfPacked	field;

	initStringInfo(&out);
	SPI_connect();
	problem = wf_store_open_credential(PG_GETARG_UUID_P(0), text_to_cstring(PG_GETARG_TEXT_PP(1)), &type, &value);
	if (problem != NULL)
		appendStringInfo(&out, "%s %s", problem->code, problem->message);
	else
	{
		appendStringInfo(&out, "%s v%d:", type->name, value.version);
		at = value.value;
		while (wf_credential_unpack(type, &at, value.value + value.len, &field))
			appendStringInfo(&out, " %s=%.*s", field.field->key, field.len, field.value);
	}
	SPI_finish();
	PG_RETURN_TEXT_P(cstring_to_text(out.data));
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_test_reseal);

/* test_reseal(most int) -> text: what sealing anew, once, has done */
Datum
wf_sql_test_reseal(PG_FUNCTION_ARGS)
{
	WfResealing at = {0};
	bool		more;
	bool		left;

	SPI_connect();
	more = wf_store_reseal(&at, PG_GETARG_INT32(0));
	left = wf_store_has_old_secrets();
	SPI_finish();
	PG_RETURN_TEXT_P(cstring_to_text(psprintf("%d done, %d broken, more: %d, left: %d", at.n_done, at.n_broken, more, left)));
}

#endif
