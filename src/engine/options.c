/*
 * options.c: the options of a start, read once and refused when unknown.
 */
#include "postgres.h"

#include "base/compat.h"
#include "base/text.h"
#include "catalog/pg_type.h"
#include "engine/options.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#define TEXT_BYTES 1024
#define MOST_TAGS 100

static const char *const known[] = {
	"concurrencyKey", "correlationId", "delay", "env", "idempotencyKey", "mocks", "onConflict", "priority", "runAt",
	"tags", "timeout", "trigger", "version",
};

pg_noreturn static void
refuse(const char *name, const char *wanted)
{
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("option \"%s\" must be %s", name, wanted)));
	pg_unreachable();
}

static const char *
text_option(const char *name, const JsonbValue *value)
{
	if (value->type != jbvString || value->val.string.len == 0 || value->val.string.len > TEXT_BYTES)
		refuse(name, psprintf("a string of 1 to %d bytes", TEXT_BYTES));
	return wf_json_cstring(value);
}

static int
int_option(const char *name, const JsonbValue *value, int min, int max)
{
	int64		number;

	if (!wf_json_int64(value, &number) || number < min || number > max)
		refuse(name, psprintf("a whole number from %d to %d", min, max));
	return (int) number;
}

static Jsonb *
object_option(const char *name, const JsonbValue *value)
{
	if (!wf_json_is_object(value))
		refuse(name, "an object");
	return wf_json_copy(value);
}

static ArrayType *
tags_option(const JsonbValue *value)
{
	uint32		n = wf_json_count(value);
	Datum	   *tags;

	if (!wf_json_is_array(value) || n > MOST_TAGS)
		refuse("tags", psprintf("an array of at most %d strings", MOST_TAGS));
	tags = palloc(sizeof(Datum) * Max(n, 1));
	for (uint32 i = 0; i < n; i++)
	{
		JsonbValue	tag;

		(void) wf_json_element(value, i, &tag);
		tags[i] = CStringGetTextDatum(text_option("tags", &tag));
	}
	return construct_array(tags, n, TEXTOID, -1, false, TYPALIGN_INT);
}

static int64
duration_option(const char *name, const JsonbValue *value, bool may_be_zero)
{
	int64		ms;
	char	   *text = value->type == jbvString ? wf_json_cstring(value) :
		value->type == jbvNumeric ? wf_json_text(value) : NULL;

	if (text == NULL || !wf_text_duration_ms(text, &ms) || (ms == 0 && !may_be_zero))
		refuse(name, may_be_zero ? "a duration" : "a duration greater than zero");
	return ms;
}

static bool
conflict_option(const JsonbValue *value)
{
	char	   *text = wf_json_cstring(value);

	if (text == NULL || (strcmp(text, "return") != 0 && strcmp(text, "error") != 0))
		refuse("onConflict", "\"return\" or \"error\"");
	return strcmp(text, "error") == 0;
}

/* A date-time as PostgreSQL reads it, which throws 22007; one without a zone is of the session's TimeZone. */
static TimestampTz
time_option(const char *name, const JsonbValue *value)
{
	char	   *text = wf_json_cstring(value);

	if (text == NULL)
		refuse(name, "a date and time");
	return DatumGetTimestampTz(DirectFunctionCall3(timestamptz_in, CStringGetDatum(text), ObjectIdGetDatum(InvalidOid),
												   Int32GetDatum(-1)));
}

static bool
read_background_option(RunOptions *options, bool in_background, const char *name, const JsonbValue *value)
{
	if (strcmp(name, "delay") != 0 && strcmp(name, "runAt") != 0 && strcmp(name, "concurrencyKey") != 0)
		return false;
	if (!in_background)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("option \"%s\" is for runs in the background", name),
						errhint("A run in the caller's transaction begins at once; use wf_start().")));
	if (strcmp(name, "delay") == 0)
		options->delay_ms = duration_option(name, value, true);
	else if (strcmp(name, "runAt") == 0)
		options->run_at = time_option(name, value);
	else
		options->concurrency_key = text_option(name, value);
	return true;
}

static void
read_option(RunOptions *options, bool in_background, const char *name, const JsonbValue *value)
{
	if (read_background_option(options, in_background, name, value))
		return;
	if (strcmp(name, "version") == 0)
		options->version = int_option(name, value, 1, PG_INT32_MAX);
	else if (strcmp(name, "priority") == 0)
	{
		options->priority = int_option(name, value, -1000, 1000);
		options->has_priority = true;
	}
	else if (strcmp(name, "idempotencyKey") == 0)
		options->idempotency_key = text_option(name, value);
	else if (strcmp(name, "correlationId") == 0)
		options->correlation_id = text_option(name, value);
	else if (strcmp(name, "onConflict") == 0)
		options->conflict_is_error = conflict_option(value);
	else if (strcmp(name, "tags") == 0)
		options->tags = tags_option(value);
	else if (strcmp(name, "env") == 0)
		options->env = object_option(name, value);
	else if (strcmp(name, "mocks") == 0)
		options->mocks = object_option(name, value);
	else if (strcmp(name, "timeout") == 0)
		options->timeout_ms = duration_option(name, value, false);
	else if (strcmp(name, "trigger") == 0)
		options->trigger_node = text_option(name, value);
	else
	{
		const char *hint = wf_text_did_you_mean(wf_text_clip(name), known, lengthof(known));

		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("unknown option \"%s\"", wf_text_clip(name)), hint ? errhint("%s", hint) : 0));
	}
}

void
wf_engine_read_options(const Jsonb *json, bool in_background, RunOptions *options)
{
	JsonbValue	root;
	JsonbValue	key;
	JsonbValue	value;
	WfJsonIter	it;

	memset(options, 0, sizeof(*options));
	if (json == NULL)
		return;
	wf_json_root(json, &root);
	if (!wf_json_is_object(&root))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("options must be an object")));
	wf_json_iter_begin(&it, &root);
	while (wf_json_iter_next(&it, &key, &value))
		if (value.type != jbvNull)
			read_option(options, in_background, wf_json_cstring(&key), &value);
	if (options->delay_ms > 0 && options->run_at != 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("options \"delay\" and \"runAt\" exclude each other")));
}

void
wf_engine_read_retry_options(const Jsonb *json, RunOptions *options)
{
	static const char *const for_retry[] = {"priority", "version"};
	JsonbValue	root;
	JsonbValue	key;
	JsonbValue	value;
	WfJsonIter	it;

	wf_engine_read_options(json, true, options);
	if (json == NULL)
		return;
	wf_json_root(json, &root);
	wf_json_iter_begin(&it, &root);
	while (wf_json_iter_next(&it, &key, &value))
	{
		const char *name = wf_json_cstring(&key);

		if (strcmp(name, for_retry[0]) != 0 && strcmp(name, for_retry[1]) != 0)
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("option \"%s\" has no meaning for a retry", wf_text_clip(name)),
							errhint("wf_retry() takes \"priority\" and \"version\".")));
	}
}
