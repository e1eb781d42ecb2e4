/*
 * options.c: the options of a start, read once and refused when unknown.
 */
#include "postgres.h"

#include "base/compat.h"
#include "base/text.h"
#include "catalog/pg_type.h"
#include "engine/options.h"
#include "utils/builtins.h"

#define TEXT_BYTES 1024
#define MOST_TAGS 100

static const char *const known[] = {
	"concurrencyKey", "correlationId", "delay", "env", "idempotencyKey", "mocks", "onConflict", "priority", "runAt",
	"tags", "timeout", "version",
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
duration_option(const char *name, const JsonbValue *value)
{
	int64		ms;
	char	   *text = value->type == jbvString ? wf_json_cstring(value) :
		value->type == jbvNumeric ? wf_json_text(value) : NULL;

	if (text == NULL || !wf_text_duration_ms(text, &ms) || ms == 0)
		refuse(name, "a duration greater than zero");
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

static void
read_option(RunOptions *options, const char *name, const JsonbValue *value)
{
	if (strcmp(name, "version") == 0)
		options->version = int_option(name, value, 1, PG_INT32_MAX);
	else if (strcmp(name, "priority") == 0)
		options->priority = int_option(name, value, -1000, 1000);
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
		options->timeout_ms = duration_option(name, value);
	else if (strcmp(name, "delay") == 0 || strcmp(name, "runAt") == 0 || strcmp(name, "concurrencyKey") == 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("option \"%s\" is for runs in the background", name),
						errhint("A run in the caller's transaction begins at once.")));
	else
	{
		const char *hint = wf_text_did_you_mean(wf_text_clip(name), known, lengthof(known));

		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("unknown option \"%s\"", wf_text_clip(name)), hint ? errhint("%s", hint) : 0));
	}
}

void
wf_engine_read_options(const Jsonb *json, RunOptions *options)
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
			read_option(options, wf_json_cstring(&key), &value);
}
