/*
 * report.c: what is wrong, where, and in which words.
 *
 * Paths exist as chains (of the instance: stack frames; of the schema: locations made when it was
 * indexed) and become JSON Pointers here, only when something is reported. A message says what the
 * value must be, so that it reads well after its path: `/items/3/qty must be at least 1`.
 */
#include "postgres.h"

#include "base/compat.h"
#include "base/text.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "schema/schema_internal.h"

#define SHOWN_BYTES 60

/* One token of a JSON Pointer, escaped. */
static void
append_token(StringInfo out, const char *token, int len)
{
	appendStringInfoChar(out, '/');
	for (int i = 0; i < len; i++)
	{
		if (token[i] == '~')
			appendStringInfoString(out, "~0");
		else if (token[i] == '/')
			appendStringInfoString(out, "~1");
		else
			appendStringInfoChar(out, token[i]);
	}
}

/* Appends the steps of a chain from its root, without recursion: chains may be as deep as the stack. */
static void
append_path(StringInfo out, const WfSchemaPath *path)
{
	int			n = 0;
	const WfSchemaPath **steps;

	for (const WfSchemaPath *step = path; step != NULL; step = step->parent)
		n++;
	steps = palloc(sizeof(WfSchemaPath *) * Max(n, 1));
	for (int i = n; path != NULL; path = path->parent)
		steps[--i] = path;
	for (int i = 0; i < n; i++)
	{
		if (steps[i]->name != NULL)
			append_token(out, steps[i]->name, steps[i]->name_len);
		else
			appendStringInfo(out, "/%u", steps[i]->index);
	}
	pfree(steps);
}

/*
 * A place in a schema as a JSON Pointer from the root of its document; in another document than the
 * one compiled, after that document's URI and `#`. `keyword` is appended when given.
 */
char *
wf_schema_location_text(const WfSchemaLocation *location, const char *keyword)
{
	StringInfoData out;
	int			n = 0;
	const WfSchemaLocation **steps;

	initStringInfo(&out);
	if (!location->document->is_root)
		appendStringInfo(&out, "%s#", location->document->uri);
	for (const WfSchemaLocation *step = location; step->parent != NULL; step = step->parent)
		n++;
	steps = palloc(sizeof(WfSchemaLocation *) * Max(n, 1));
	for (int i = n; location->parent != NULL; location = location->parent)
		steps[--i] = location;
	for (int i = 0; i < n; i++)
	{
		if (steps[i]->keyword != NULL)
			append_token(&out, steps[i]->keyword, strlen(steps[i]->keyword));
		if (steps[i]->name != NULL)
			append_token(&out, steps[i]->name, steps[i]->name_len);
		if (steps[i]->index >= 0)
			appendStringInfo(&out, "/%d", steps[i]->index);
	}
	if (keyword != NULL)
		append_token(&out, keyword, strlen(keyword));
	pfree(steps);
	return out.data;
}

static char *
clip(const char *text, int len)
{
	if (len <= SHOWN_BYTES)
		return pnstrdup(text, len);
	return psprintf("%.*s...", pg_mbcliplen(text, len, SHOWN_BYTES), text);
}

char *
wf_schema_show(const JsonbValue *value)
{
	char	   *text;

	/* a large value is not worth printing to be clipped */
	if (value->type == jbvBinary && wf_json_size(value) > 1024)
		return pstrdup(wf_json_is_object(value) ? "{...}" : "[...]");
	if (value->type == jbvString && value->val.string.len > SHOWN_BYTES)
		return psprintf("\"%s\"", clip(value->val.string.val, value->val.string.len));
	text = wf_json_text(value);
	return clip(text, strlen(text));
}

char *
wf_schema_show_name(const char *name, int len)
{
	return psprintf("\"%s\"", clip(name, len));
}

/*
 * Adds an error to e->errors unless there is no list or it is full. `keyword` is NULL for a schema
 * that is `false`: then the keyword that holds it is named. In CurrentMemoryContext.
 */
void
wf_schema_report(WfSchemaEval *e, const WfSchemaNode *node, const char *keyword, const WfSchemaPath *path,
				 const char *property, const char *fmt, ...)
{
	WfSchemaError *error;
	StringInfoData text;
	bool		is_false = keyword == NULL;

	if (e->errors == NULL || list_length(*e->errors) >= e->most)
		return;
	error = palloc0(sizeof(WfSchemaError));
	initStringInfo(&text);
	append_path(&text, path);
	error->instance_path = text.data;
	error->keyword_path = wf_schema_location_text(node->location, keyword);
	if (is_false)
		keyword = node->location->keyword;
	error->keyword = keyword == NULL ? "false" : keyword;
	error->property = property;
	initStringInfo(&text);
	if (e->name_of != NULL)
	{
		error->property = pnstrdup(e->name_of->name, e->name_of->name_len);
		appendStringInfo(&text, "must not have the property %s",
						 wf_schema_show_name(e->name_of->name, e->name_of->name_len));
		if (is_false)
			fmt = "";
		else
			appendStringInfoString(&text, ", as a name ");
	}
	WF_APPEND_ARGS(&text, fmt);
	error->message = text.data;
	*e->errors = lappend(*e->errors, error);
}
