/*
 * quota.c: what a quota must be; wf_measure_storage, and what wf_quotas shows.
 *
 * A tenant's quotas are set from above: by superusers and by admins of a tenant above it, never by its own.
 */
#include "postgres.h"

#include "api/tenant.h"
#include "base/compat.h"
#include "base/text.h"
#include "base/uuid.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "store/quota.h"
#include "store/store.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

static const char *const known[] = {
	"codeTime", "concurrentRuns", "queuedRuns", "requestsPerMinute", "retention", "runsPerMinute", "storedBytes", "workflows"
};

const char *const *
wf_api_quota_names(int *n)
{
	*n = lengthof(known);
	return known;
}

/* `retention` (how long ended runs are kept; 0: for ever) and `codeTime` (a minute). */
static void
check_duration(const char *name, const JsonbValue *value)
{
	char	   *text = value->type == jbvString ? wf_json_cstring(value) :
		value->type == jbvNumeric ? wf_json_text(value) : NULL;
	int64		ms;

	if (text != NULL && wf_text_duration_ms(text, &ms))
		return;
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("quota \"%s\" must be a duration", name),
					errhint("%s", strcmp(name, "retention") == 0 ? "Use something like \"30 days\"; 0 keeps runs for ever." :
							"Use something like \"10 seconds\".")));
}

void
wf_api_check_quota(const char *name, const JsonbValue *value)
{
	int64		number;

	if (strcmp(name, "retention") == 0 || strcmp(name, "codeTime") == 0)
		check_duration(name, value);
	else if (!wf_json_int64(value, &number) || number < 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("quota \"%s\" must be a whole number, zero or more", name)));
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_measure_storage);

/* wf_measure_storage(): of the current tenant, now. */
Datum
wf_sql_measure_storage(PG_FUNCTION_ARGS)
{
	WfTenant	tenant;
	int64		bytes;

	PreventCommandIfReadOnly("wf_measure_storage()");
	wf_store_catch_up();
	SPI_connect();
	wf_store_require(WF_TEAM_MANAGE, &tenant);
	bytes = wf_store_measure(&tenant.tenant_id);
	SPI_finish();
	PG_RETURN_INT64(bytes);
}

/* One row of wf_quotas. What others use of a quota above is told to those alone who may act there. */
static void
put_quota(ReturnSetInfo *result, const WfTenant *tenant, const WfQuotaLevel *level, WfQuota quota)
{
	bool		inherited = memcmp(&level->tenant_id, &tenant->tenant_id, sizeof(pg_uuid_t)) != 0;
	WfTenant	above;
	Datum		values[5];
	bool		nulls[5] = {0};
	int64		used = 0;
	TimestampTz resets_at = 0;
	bool		is_known = (!inherited || wf_store_tenant_of(&level->tenant_id, &above)) &&
		wf_store_quota_used(level, quota, &used, &resets_at);

	values[0] = CStringGetTextDatum(wf_store_quota_name(quota));
	values[1] = Int64GetDatum(level->most[quota]);
	values[2] = Int64GetDatum(used);
	nulls[2] = !is_known;
	values[3] = TimestampTzGetDatum(resets_at);
	nulls[3] = resets_at == 0;
	values[4] = BoolGetDatum(inherited);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_quota_use);

/* wf.quota_use(): quotas that bind the current tenant; none for who is a member of none. */
Datum
wf_sql_quota_use(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	const WfQuotaLevels *all;
	WfQuotaLevel *levels;
	WfTenant	tenant;
	int			n;

	InitMaterializedSRF(fcinfo, 0);
	wf_store_catch_up();
	if (!wf_store_current_tenant(&tenant, NULL))
		return (Datum) 0;
	all = wf_store_quotas(&tenant.tenant_id);
	n = all->n;
	levels = palloc(sizeof(WfQuotaLevel) * Max(n, 1));
	if (n > 0)
		memcpy(levels, all->levels, sizeof(WfQuotaLevel) * n);
	SPI_connect();
	for (int quota = 0; quota < WF_QUOTAS; quota++)
		for (int i = 0; i < n; i++)
			if (levels[i].most[quota] >= 0)
				put_quota(result, &tenant, &levels[i], quota);
	SPI_finish();
	return (Datum) 0;
}
