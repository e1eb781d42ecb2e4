/*
 * read.c: taking values out of the definition, each checked for its type.
 *
 * 1. wf_graph_read takes an object apart in one pass over its members, against a table of keys: it
 *    reports unknown keys, wrong types and missing keys, and hands out what is right. What is absent
 *    in its result has either not been given or has been reported, so no caller asks for types again.
 * 2. The readers of single values (duration, integer, choice ...) follow the same rule: false means
 *    absent or reported.
 * 3. Values are borrowed from the definition; wf_graph_keep_* copy them into the graph.
 */
#include "postgres.h"

#include "base/text.h"
#include "graph/build.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"

/* -- what the graph keeps -- */

/* Zeroed memory of the graph. */
void *
wf_graph_keep(WfBuild *b, Size bytes)
{
	return MemoryContextAllocExtended(b->graph->memory, Max(bytes, 1), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
}

/* A zeroed array of the graph; of at least one element, so that it is never NULL. */
void *
wf_graph_keep_array(WfBuild *b, int n, Size bytes)
{
	return wf_graph_keep(b, (Size) Max(n, 1) * bytes);
}

/* A string value as a C string of the graph. */
const char *
wf_graph_keep_text(WfBuild *b, const JsonbValue *string)
{
	int			len = string->val.string.len;
	char	   *copy = MemoryContextAlloc(b->graph->memory, len + 1);

	memcpy(copy, string->val.string.val, len);
	copy[len] = '\0';
	return copy;
}

/* A value as a Jsonb of the graph. */
Jsonb *
wf_graph_keep_json(WfBuild *b, const JsonbValue *value)
{
	MemoryContext old = MemoryContextSwitchTo(b->graph->memory);
	Jsonb	   *copy = wf_json_copy(value);

	MemoryContextSwitchTo(old);
	return copy;
}

/* A value that points into a copy of the graph's own. */
void
wf_graph_keep_value(WfBuild *b, const JsonbValue *value, JsonbValue *out)
{
	wf_json_root(wf_graph_keep_json(b, value), out);
}

/* -- objects -- */

static uint32
type_of(const JsonbValue *value)
{
	switch (value->type)
	{
		case jbvString:
			return WF_IS_STRING;
		case jbvNumeric:
			return WF_IS_NUMBER;
		case jbvBool:
			return WF_IS_BOOLEAN;
		default:
			return wf_json_is_object(value) ? WF_IS_OBJECT : wf_json_is_array(value) ? WF_IS_ARRAY : 0;
	}
}

/* `a string or a number` */
static const char *
name_types(uint32 types)
{
	static const char *const names[] = {"a string", "a number", "true or false", "an object", "an array"};
	StringInfoData text;

	initStringInfo(&text);
	for (int i = 0; i < lengthof(names); i++)
		if (types & (1u << i))
			appendStringInfo(&text, "%s%s", text.len > 0 ? " or " : "", names[i]);
	return text.data;
}

static int
find_key(const WfKey *keys, int n_keys, const JsonbValue *key)
{
	for (int i = 0; i < n_keys; i++)
		if (strlen(keys[i].name) == key->val.string.len &&
			memcmp(keys[i].name, key->val.string.val, key->val.string.len) == 0)
			return i;
	return -1;
}

static void
report_unknown_key(WfBuild *b, const WfPlace *place, const WfKey *keys, int n_keys, const JsonbValue *key)
{
	const char *name = wf_json_cstring(key);
	const char **names = palloc(sizeof(char *) * n_keys);

	for (int i = 0; i < n_keys; i++)
		names[i] = keys[i].name;
	wf_graph_wrong(b, place, name, wf_graph_hint_nearest(b, name, names, n_keys, "known keys"),
				   "unknown key \"%s\" in %s", wf_text_clip(name), wf_graph_what(place));
	pfree(names);
}

/*
 * Reads an object's members into `fields`, one per key, and reports what is unknown, of the wrong type
 * or missing. The value itself must be an object.
 */
void
wf_graph_read(WfBuild *b, const JsonbValue *object, const WfPlace *place, const WfKey *keys, int n_keys,
			  WfField *fields)
{
	WfJsonIter	it;
	JsonbValue	key;
	JsonbValue	value;
	uint64		seen = 0;

	Assert(n_keys <= 64);
	for (int i = 0; i < n_keys; i++)
		fields[i].present = false;
	wf_json_iter_begin(&it, object);
	while (wf_json_iter_next(&it, &key, &value))
	{
		int			i = find_key(keys, n_keys, &key);

		CHECK_FOR_INTERRUPTS();
		if (i < 0)
		{
			report_unknown_key(b, place, keys, n_keys, &key);
			continue;
		}
		seen |= UINT64CONST(1) << i;
		if (keys[i].types != WF_IS_ANY && (keys[i].types & type_of(&value)) == 0)
			wf_graph_wrong(b, place, keys[i].name,
						   value.type == jbvNull ? "Leave the key out where there is nothing to say." : NULL,
						   "\"%s\" of %s must be %s, not %s", keys[i].name, wf_graph_what(place),
						   name_types(keys[i].types), wf_json_type_name(&value));
		else
		{
			fields[i].present = true;
			fields[i].value = value;
		}
	}
	for (int i = 0; i < n_keys; i++)
		if (keys[i].required && (seen & (UINT64CONST(1) << i)) == 0)
			wf_graph_wrong(b, place, NULL, NULL, "%s has no \"%s\"", wf_graph_what(place), keys[i].name);
}

/* -- single values -- */

/*
 * A string of 1 to `max_bytes` bytes as a C string of the graph; NULL when absent or reported.
 */
const char *
wf_graph_read_text(WfBuild *b, const WfField *field, const WfPlace *place, const char *key, int max_bytes)
{
	if (!field->present)
		return NULL;
	if (field->value.val.string.len == 0)
		wf_graph_wrong(b, place, key, NULL, "\"%s\" of %s must not be empty", key, wf_graph_what(place));
	else if (field->value.val.string.len > max_bytes)
		wf_graph_wrong(b, place, key, NULL, "\"%s\" of %s is longer than %d bytes", key, wf_graph_what(place),
					   max_bytes);
	else
		return wf_graph_keep_text(b, &field->value);
	return NULL;
}

/* A scalar as text for a message, clipped; in CurrentMemoryContext. */
static const char *
shown(const JsonbValue *value)
{
	return wf_text_clip(value->type == jbvString ? wf_json_cstring(value) : wf_json_text(value));
}

/* A duration, in milliseconds; false when absent or reported. */
bool
wf_graph_read_duration(WfBuild *b, const WfField *field, const WfPlace *place, const char *key, int64 *out_ms)
{
	if (!field->present)
		return false;

	const char *text = field->value.type == jbvString ? wf_json_cstring(&field->value) : wf_json_text(&field->value);

	if (wf_text_duration_ms(text, out_ms))
		return true;
	wf_graph_wrong(b, place, key,
				   "Give an interval such as \"5 minutes\", an ISO 8601 duration such as \"PT5M\", or a number of seconds.",
				   "\"%s\" of %s is not a duration: \"%s\"", key, wf_graph_what(place), wf_text_clip(text));
	return false;
}

/* An integer within bounds; false when absent or reported. */
bool
wf_graph_read_int(WfBuild *b, const WfField *field, const WfPlace *place, const char *key, int64 low,
				  int64 high, int *out)
{
	int64		value;

	if (!field->present)
		return false;
	if (wf_json_int64(&field->value, &value) && value >= low && value <= high)
	{
		*out = (int) value;
		return true;
	}
	wf_graph_wrong(b, place, key, NULL,
				   "\"%s\" of %s must be an integer from " INT64_FORMAT " to " INT64_FORMAT ", not %s", key,
				   wf_graph_what(place), low, high, shown(&field->value));
	return false;
}

/* A number within bounds; false when absent or reported. */
bool
wf_graph_read_number(WfBuild *b, const WfField *field, const WfPlace *place, const char *key, double low,
					 double high, double *out)
{
	double		value;

	if (!field->present)
		return false;
	if (wf_json_double(&field->value, &value) && value >= low && value <= high)
	{
		*out = value;
		return true;
	}
	wf_graph_wrong(b, place, key, NULL, "\"%s\" of %s must be a number from %g to %g, not %s", key,
				   wf_graph_what(place), low, high, shown(&field->value));
	return false;
}

/* The index of one of a few words; -1 when absent or reported. */
int
wf_graph_read_choice(WfBuild *b, const WfField *field, const WfPlace *place, const char *key,
					 const char *const *choices, int n_choices)
{
	if (!field->present)
		return -1;

	const char *word = wf_json_cstring(&field->value);

	for (int i = 0; i < n_choices; i++)
		if (strcmp(word, choices[i]) == 0)
			return i;
	wf_graph_wrong(b, place, key, wf_graph_hint_nearest(b, word, choices, n_choices, "possible values"),
				   "\"%s\" of %s cannot be \"%s\"", key, wf_graph_what(place), wf_text_clip(word));
	return -1;
}

/* A size: a number of bytes or `16MB`; false when absent or reported. */
bool
wf_graph_read_size(WfBuild *b, const WfField *field, const WfPlace *place, const char *key, int64 *out_bytes)
{
	if (!field->present)
		return false;
	if (field->value.type == jbvNumeric)
	{
		if (wf_json_int64(&field->value, out_bytes) && *out_bytes > 0)
			return true;
	}
	else if (wf_text_size_bytes(wf_json_cstring(&field->value), out_bytes))
		return true;
	wf_graph_wrong(b, place, key, "Give a number of bytes or a size such as \"16MB\" (B, kB, MB, GB, TB).",
				   "\"%s\" of %s is not a size: \"%s\"", key, wf_graph_what(place), shown(&field->value));
	return false;
}

/* Is it `[A-Za-z_][A-Za-z0-9_]*`? Not by the locale. */
bool
wf_graph_is_identifier(const char *name)
{
	if (!((*name >= 'A' && *name <= 'Z') || (*name >= 'a' && *name <= 'z') || *name == '_'))
		return false;
	for (const char *p = name + 1; *p; p++)
		if (!((*p >= 'A' && *p <= 'Z') || (*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9') || *p == '_'))
			return false;
	return true;
}
