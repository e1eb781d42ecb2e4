/*
 * request.c: wf_reset_circuit, wf_set_http_policy, wf_limit_host.
 */
#include "postgres.h"

#include "api/api.h"
#include "dispatch/dispatch.h"
#include "executor/spi.h"
#include "store/audit.h"
#include "store/request.h"
#include "store/store.h"
#include "utils/builtins.h"

#define MOST_PER_MS INT64CONST(31536000000)
#define MOST_HOST_BYTES 300

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_reset_circuit);

Datum
wf_sql_reset_circuit(PG_FUNCTION_ARGS)
{
	char	   *host = wf_api_text(fcinfo, 0, "host");
	WfTenant	tenant;
	bool		found;

	SPI_connect();
	wf_store_require(WF_CONNECTOR_UPDATE, &tenant);
	found = wf_store_reset_circuit(&tenant.tenant_id, host);
	if (found)
		wf_store_audit_name(&tenant.tenant_id, "circuit.reset", "host", host);
	SPI_finish();
	PG_RETURN_BOOL(found);
}

#define RULES_BYTES 65536		/* of a list: each request that is on its way has a copy */

/* A list of rules; empty when it is NULL. */
static char *
rules(FunctionCallInfo fcinfo, int n)
{
	if (!PG_ARGISNULL(n) && VARSIZE_ANY_EXHDR(PG_GETARG_TEXT_PP(n)) > RULES_BYTES)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("a list of addresses must have at most %d bytes", RULES_BYTES)));
	return PG_ARGISNULL(n) ? "" : text_to_cstring(PG_GETARG_TEXT_PP(n));
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_set_http_policy);

Datum
wf_sql_set_http_policy(PG_FUNCTION_ARGS)
{
	char	   *allow = rules(fcinfo, 0);
	char	   *deny = rules(fcinfo, 1);
	char	   *problem = wf_dispatch_rules_problem(allow, deny);
	WfTenant	tenant;

	SPI_connect();
	wf_store_require(WF_TEAM_MANAGE, &tenant);
	if (problem != NULL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("invalid list of addresses: %s", problem),
						errhint("A rule is an address, a block (10.0.0.0/8), a host or a pattern (*.example.com), perhaps with a port.")));
	wf_store_set_http_policy(&tenant.tenant_id, allow, deny);
	wf_store_audit(&tenant.tenant_id, &(WfAudit) {.action = "http_policy.set", .object_type = "tenant",
				   .object_id = &tenant.tenant_id, .object_name = tenant.name,
				   .after = wf_store_audit_facts("allow", allow, "deny", deny)});
	SPI_finish();
	PG_RETURN_VOID();
}

/* A number from 1 on; 0 when it is NULL. */
static int
positive(FunctionCallInfo fcinfo, int n, const char *name)
{
	if (PG_ARGISNULL(n))
		return 0;
	if (PG_GETARG_INT32(n) < 1)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("%s must be at least 1, not %d", name, PG_GETARG_INT32(n))));
	return PG_GETARG_INT32(n);
}

/* NULL: there is no limit any more. */
static Jsonb *
limit_facts(const WfHostLimitRow *row)
{
	WfJsonWriter *w;

	if (row->requests == 0 && row->concurrency == 0)
		return NULL;
	w = wf_json_writer_begin();
	wf_json_begin_object(w);
	wf_json_put_field_int64(w, "requests", row->requests);
	wf_json_put_field_int64(w, "perMs", row->per_ms);
	wf_json_put_field_int64(w, "burst", row->burst);
	wf_json_put_field_int64(w, "concurrency", row->concurrency);
	wf_json_end_object(w);
	return wf_json_finish(w);
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_limit_host);

Datum
wf_sql_limit_host(PG_FUNCTION_ARGS)
{
	WfHostLimitRow row = {0};
	WfTenant	tenant;

	row.host = wf_api_text(fcinfo, 0, "host");
	row.requests = positive(fcinfo, 1, "requests");
	row.per_ms = wf_api_interval_ms(fcinfo, 2, "per");
	row.burst = positive(fcinfo, 3, "burst");
	row.concurrency = positive(fcinfo, 4, "concurrency");
	if (row.per_ms < 1 || row.per_ms > MOST_PER_MS)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("per must be between 1 ms and 365 days")));
	if (strlen(row.host) == 0 || strlen(row.host) > MOST_HOST_BYTES || strchr(row.host, ' ') != NULL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("host must be a name with its port, or *"),
						errhint("The view wf_requests shows hosts as they are meant here: \"api.example.com:443\".")));
	SPI_connect();
	wf_store_require(WF_CONNECTOR_UPDATE, &tenant);
	row.tenant_id = tenant.tenant_id;
	wf_store_put_host_limit(&row);
	wf_store_audit(&tenant.tenant_id, &(WfAudit) {.action = "host.limit", .object_type = "host", .object_name = row.host,
				   .after = limit_facts(&row)});
	SPI_finish();
	PG_RETURN_VOID();
}
