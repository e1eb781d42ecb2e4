/*
 * args.c: reading arguments and options.
 */
#include "postgres.h"

#include "api/api.h"
#include "base/text.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/timestamp.h"

#define MOST_DAYS INT64CONST(36500)

void
wf_api_not_null(FunctionCallInfo fcinfo, int i, const char *name)
{
	if (PG_ARGISNULL(i))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
						errmsg("argument \"%s\" must not be null", name)));
}

char *
wf_api_text(FunctionCallInfo fcinfo, int i, const char *name)
{
	wf_api_not_null(fcinfo, i, name);
	return text_to_cstring(PG_GETARG_TEXT_PP(i));
}

char *
wf_api_text_or_null(FunctionCallInfo fcinfo, int i)
{
	return PG_ARGISNULL(i) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(i));
}

const pg_uuid_t *
wf_api_uuid(FunctionCallInfo fcinfo, int i, const char *name)
{
	wf_api_not_null(fcinfo, i, name);
	return PG_GETARG_UUID_P(i);
}

int64
wf_api_interval_ms(FunctionCallInfo fcinfo, int i, const char *name)
{
	const Interval *interval;
	int64		days;

	wf_api_not_null(fcinfo, i, name);
	interval = PG_GETARG_INTERVAL_P(i);
	days = (int64) interval->month * DAYS_PER_MONTH + interval->day;
	if (days < -MOST_DAYS || days > MOST_DAYS || interval->time < -MOST_DAYS * USECS_PER_DAY ||
		interval->time > MOST_DAYS * USECS_PER_DAY || days * USECS_PER_DAY + interval->time < 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("argument \"%s\" must be an interval from zero to a hundred years", name)));
	return days * (USECS_PER_DAY / 1000) + interval->time / 1000;
}

char *
wf_api_time_text(TimestampTz time)
{
	return JsonEncodeDateTime(palloc(MAXDATELEN + 1), TimestampTzGetDatum(time), TIMESTAMPTZOID, NULL);
}

void
wf_api_no_run(const pg_uuid_t *run_id)
{
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("run %s does not exist",
						   DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(run_id))))));
	pg_unreachable();
}

Jsonb *
wf_api_jsonb(FunctionCallInfo fcinfo, int i, const char *name)
{
	wf_api_not_null(fcinfo, i, name);
	return PG_GETARG_JSONB_P(i);
}

Jsonb *
wf_api_jsonb_or_empty(FunctionCallInfo fcinfo, int i)
{
	return PG_ARGISNULL(i) ? wf_json_empty_object() : PG_GETARG_JSONB_P(i);
}

void
wf_api_check_options(const Jsonb *options, const char *const *known, int n_known)
{
	JsonbValue	root;
	JsonbValue	key;
	JsonbValue	value;
	WfJsonIter	it;

	wf_json_root(options, &root);
	if (!wf_json_is_object(&root))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("options must be an object")));
	wf_json_iter_begin(&it, &root);
	while (wf_json_iter_next(&it, &key, &value))
	{
		const char *name = wf_text_clip(wf_json_cstring(&key));
		const char *hint;
		bool		found = false;

		for (int i = 0; i < n_known && !found; i++)
			found = strcmp(name, known[i]) == 0;
		if (found)
			continue;
		hint = wf_text_did_you_mean(name, known, n_known);
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("unknown option \"%s\"", name),
						hint != NULL ? errhint("%s", hint) : 0));
	}
}

/* A member that is there and not null. */
static bool
option(const Jsonb *options, const char *name, JsonbValue *value)
{
	JsonbValue	root;

	wf_json_root(options, &root);
	return wf_json_field(&root, name, value) && value->type != jbvNull;
}

char *
wf_api_option_text(const Jsonb *options, const char *name)
{
	JsonbValue	value;

	if (!option(options, name, &value))
		return NULL;
	if (value.type != jbvString)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("option \"%s\" must be a string", name)));
	return wf_json_cstring(&value);
}

bool
wf_api_option_bool(const Jsonb *options, const char *name, bool otherwise)
{
	JsonbValue	value;

	if (!option(options, name, &value))
		return otherwise;
	if (value.type != jbvBool)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("option \"%s\" must be true or false", name)));
	return value.val.boolean;
}
