/*
 * row_config.c: what a `trigger.row` node asks for, read from its config.
 */
#include "query/internal.h"

#include "query/row_trigger.h"
#include "query/when.h"

typedef struct Reader
{
	const JsonbValue *config;
	const char *node;
	const char *path;
	WfDiagnostics *found;
	bool		is_sound;
} Reader;

static void
complain(Reader *r, const char *key, const char *hint, const char *what)
{
	r->is_sound = false;
	wf_diagnostics_add(r->found, WF_SEVERITY_ERROR, WF_ERRCODE_DEFINITION_INVALID, r->node,
					   key != NULL ? psprintf("%s.%s", r->path, key) : r->path, hint, "%s", what);
}

static bool
take_bool(Reader *r, const char *key)
{
	JsonbValue	value;

	if (!wf_json_field(r->config, key, &value))
		return false;
	if (value.type != jbvBool)
		complain(r, key, NULL, psprintf("\"%s\" must be true or false", key));
	return value.type == jbvBool && value.val.boolean;
}

static void
take_event(Reader *r, const JsonbValue *value, WfRowConfig *out)
{
	char	   *name = wf_json_cstring(value);

	for (int i = 0; name != NULL && i < WF_ROW_EVENTS; i++)
		if (pg_strcasecmp(name, wf_query_row_op((WfRowEvent) i)) == 0)
		{
			out->events |= WF_ROW_BIT(i);
			return;
		}
	complain(r, "events", "Events are insert, update, delete and truncate.",
			 name != NULL ? psprintf("\"%s\" is not an event of a table", wf_text_clip(name)) : "an event must be a string");
}

static void
take_events(Reader *r, WfRowConfig *out)
{
	JsonbValue	events;
	JsonbValue	value;
	WfJsonIter	it;

	if (!wf_json_field(r->config, "events", &events) || !wf_json_is_array(&events) || wf_json_count(&events) == 0)
	{
		complain(r, "events", "Events are insert, update, delete and truncate.", "\"events\" must be a list of events");
		return;
	}
	wf_json_iter_begin(&it, &events);
	while (wf_json_iter_next(&it, NULL, &value))
		take_event(r, &value, out);
}

static void
take_columns(Reader *r, WfRowConfig *out)
{
	JsonbValue	columns;
	JsonbValue	value;
	WfJsonIter	it;

	if (!wf_json_field(r->config, "columns", &columns))
		return;
	if (!wf_json_is_array(&columns) || wf_json_count(&columns) == 0)
	{
		complain(r, "columns", NULL, "\"columns\" must be a list of columns");
		return;
	}
	if (!(out->events & WF_ROW_BIT(WF_ROW_UPDATE)) && r->is_sound)
		complain(r, "columns", "Add \"update\" to \"events\", or leave the columns out.", "\"columns\" are of the event \"update\"");
	out->columns = palloc(sizeof(char *) * wf_json_count(&columns));
	wf_json_iter_begin(&it, &columns);
	while (wf_json_iter_next(&it, NULL, &value))
	{
		char	   *name = wf_json_cstring(&value);

		if (name == NULL)
			complain(r, "columns", NULL, "\"columns\" must be a list of columns");
		else
			out->columns[out->n_columns++] = name;
	}
}

static void
take_when(Reader *r, WfRowConfig *out)
{
	WfExprProblem problem;
	JsonbValue	when;

	if (!wf_json_field(r->config, "when", &when))
		return;
	if (!wf_json_is_string(&when))
	{
		complain(r, "when", NULL, "\"when\" must be an expression, as a string");
		return;
	}
	out->when = wf_expr_compile(when.val.string.val, when.val.string.len, NULL, &problem);
	if (out->when != NULL)
		return;
	r->is_sound = false;
	wf_diagnostics_add(r->found, WF_SEVERITY_ERROR, problem.sqlstate, r->node, psprintf("%s.when", r->path), problem.hint,
					   "%s, at position %d", problem.message, problem.position);
}

bool
wf_query_row_config(const JsonbValue *config, const char *node, const char *path, WfDiagnostics *found, WfRowConfig *out)
{
	Reader		r = {config, node, path, found, true};
	char	   *level;

	memset(out, 0, sizeof(WfRowConfig));
	if (!wf_json_is_object(config))
	{
		complain(&r, NULL, NULL, "the config must be an object");
		return false;
	}
	out->table = wf_json_get_cstring(config, "table");
	if (out->table == NULL)
		complain(&r, "table", NULL, "\"table\" is missing");
	level = wf_json_get_cstring(config, "level");
	out->by_statement = level != NULL && strcmp(level, "statement") == 0;
	if (level != NULL && !out->by_statement && strcmp(level, "row") != 0)
		complain(&r, "level", NULL, "\"level\" must be \"row\" or \"statement\"");
	out->replica = take_bool(&r, "replica");
	take_events(&r, out);
	take_columns(&r, out);
	take_when(&r, out);
	return r.is_sound;
}
