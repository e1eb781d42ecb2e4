/*
 * audit.c: wf_verify_audit, wf_audit_head, wf_verify_signature; what policy and triggers of the trail call.
 *
 * Reading a trail needs audit:read in its tenant. Rows are read beneath the policies, after that was asked.
 */
#include "postgres.h"

#include "api/api.h"
#include "api/tenant.h"
#include "base/text.h"
#include "commands/trigger.h"
#include "funcapi.h"
#include "store/audit.h"
#include "store/store.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

/* The tenant that argument 0 names, or the current one; throws 42501, the same for one that does not exist. */
static void
require_reader(FunctionCallInfo fcinfo, WfTenant *tenant)
{
	char	   *name = wf_api_text_or_null(fcinfo, 0);

	if (name == NULL)
		wf_store_require(WF_AUDIT_READ, tenant);
	else
		wf_api_require_named(name, WF_AUDIT_READ, tenant);
}

/* -- the chain -- */

static void
put_problem(void *arg, const int64 *seq, const char *problem)
{
	ReturnSetInfo *result = arg;
	Datum		values[2] = {seq != NULL ? Int64GetDatum(*seq) : (Datum) 0, CStringGetTextDatum(problem)};
	bool		nulls[2] = {seq == NULL, false};

	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_verify_audit);

Datum
wf_sql_verify_audit(PG_FUNCTION_ARGS)
{
	WfTenant	tenant;

	InitMaterializedSRF(fcinfo, 0);
	wf_store_catch_up();
	require_reader(fcinfo, &tenant);
	wf_store_verify_audit(&tenant.tenant_id, put_problem, fcinfo->resultinfo);
	return (Datum) 0;
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_audit_head);

Datum
wf_sql_audit_head(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	WfAuditHead head;
	WfTenant	tenant;
	Datum		values[5];
	bool		nulls[5] = {0};

	InitMaterializedSRF(fcinfo, 0);
	wf_store_catch_up();
	require_reader(fcinfo, &tenant);
	if (!wf_audit_find_head(&tenant.tenant_id, GetActiveSnapshot(), &head, NULL))
		return (Datum) 0;
	values[0] = Int64GetDatum(head.first_seq);
	values[1] = Int64GetDatum(head.last_seq);
	values[2] = CStringGetTextDatum(wf_text_hex(head.hash, sizeof(head.hash)));
	values[3] = TimestampTzGetDatum(head.at);
	values[4] = Int32GetDatum(head.key_id);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	return (Datum) 0;
}

/* -- signatures -- */

static void
put_signature(ReturnSetInfo *result, const WfAuditRow *row)
{
	const char *problem = wf_store_verify_entry(row, true);
	JsonbValue	document = {.type = jbvNull};
	char	   *outcome;
	Datum		values[6];
	bool		nulls[6] = {0};

	if (row->after != NULL)
		wf_json_root(row->after, &document);
	outcome = wf_json_get_cstring(&document, "outcome");
	values[0] = Int64GetDatum(row->seq);
	values[1] = CStringGetTextDatum(row->actor);
	values[2] = TimestampTzGetDatum(row->at);
	values[3] = outcome == NULL ? (Datum) 0 : CStringGetTextDatum(outcome);
	nulls[3] = outcome == NULL;
	values[4] = row->has_digest ? CStringGetTextDatum(wf_text_hex(row->digest, sizeof(row->digest))) : (Datum) 0;
	nulls[4] = !row->has_digest;
	values[5] = problem == NULL ? (Datum) 0 : CStringGetTextDatum(problem);
	nulls[5] = problem == NULL;
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_verify_signature);

Datum
wf_sql_verify_signature(PG_FUNCTION_ARGS)
{
	const pg_uuid_t *task_id = wf_api_uuid(fcinfo, 0, "task_id");
	WfAuditScan *scan;
	WfAuditRow	row;
	WfTenant	tenant;

	InitMaterializedSRF(fcinfo, 0);
	wf_store_catch_up();
	wf_store_require(WF_AUDIT_READ, &tenant);
	scan = wf_audit_scan_begin_of(&tenant.tenant_id, task_id, GetActiveSnapshot());
	while (wf_audit_scan_next(scan, &row))
		if (strcmp(row.action, "task.complete") == 0)
			put_signature((ReturnSetInfo *) fcinfo->resultinfo, &row);
	wf_audit_scan_end(scan);
	return (Datum) 0;
}

/* -- for the script -- */

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_refuse_change);

/* The trigger wf.refuse_change(): throws 42501, whoever it is. */
Datum
wf_sql_refuse_change(PG_FUNCTION_ARGS)
{
	if (!CALLED_AS_TRIGGER(fcinfo))
		elog(ERROR, "must be called as a trigger");
	ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
					errmsg("table wf.%s can be neither changed nor emptied",
						   RelationGetRelationName(((TriggerData *) fcinfo->context)->tg_relation)),
					errdetail("The audit trail is written by the extension alone. Entries go when the tenant's setting \"auditRetention\" says so.")));
	PG_RETURN_NULL();
}
