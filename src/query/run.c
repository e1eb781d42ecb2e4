/*
 * run.c: executing a statement: the right text, the values, the output.
 *
 * A text that depends on no value is kept with the statement together with its plan, one for each
 * combination of natures that values turned out to have (text.c). The usual one is first in the list
 * and found by one comparison. A text that does depend on values is made anew, in the memory of the
 * step, and its plan comes from the shared cache.
 *
 * Reentrance: a trigger may run the same statement again, and DDL in it may make the plan stale. The
 * plan is held while it runs, and a kept text is in the memory of its plan; so both stay until
 * this execution is done, whatever happens to the statement's list of variants.
 */
#include "query/internal.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

/* Tries of the two statements of an upsert before it gives up. */
#define MAX_UPSERT_TRIES 100

/* -- texts -- */

void
wf_query_build_begin(WfBuild *b, WfStatement *statement)
{
	memset(b, 0, sizeof(WfBuild));
	b->statement = statement;
	b->mode = WF_SINK_ROWS;
	initStringInfo(&b->sql);
}

void
wf_query_build(WfBuild *b)
{
	static void (*const builders[]) (WfBuild *b) = {
		[WF_QUERY_FIND] = wf_query_build_find,
		[WF_QUERY_FIND_ONE] = wf_query_build_find,
		[WF_QUERY_CREATE] = wf_query_build_create,
		[WF_QUERY_UPDATE] = wf_query_build_update,
		[WF_QUERY_UPSERT] = wf_query_build_upsert,
		[WF_QUERY_DELETE] = wf_query_build_delete,
		[WF_QUERY_BULK_CREATE] = wf_query_build_bulk,
		[WF_QUERY_BULK_UPDATE] = wf_query_build_bulk,
		[WF_QUERY_BULK_DELETE] = wf_query_build_bulk,
		[WF_QUERY_AGGREGATE] = wf_query_build_aggregate,
		[WF_QUERY_SQL] = wf_query_build_raw,
		[WF_QUERY_CALL] = wf_query_build_call,
	};

	builders[b->statement->kind] (b);
	if (b->statement->kind != WF_QUERY_SQL)
		b->format = b->mode;
}

/* What was built, in CurrentMemoryContext. */
static WfText *
take_text(WfBuild *b)
{
	WfText	   *text = palloc0(sizeof(WfText));

	text->sql = b->sql.data;
	text->n_params = b->n_params;
	text->params = b->params;
	text->n_choices = b->n_choices;
	text->natures = palloc0(b->n_choices + 1);
	if (b->natures != NULL)
		memcpy(text->natures, b->natures, Min(b->n_choices, b->n_natures));
	for (int i = 0; i < b->n_params; i++)
		if (b->params[i].choice >= 0)
			text->natures[b->params[i].choice] = b->params[i].nature;
	text->is_default = b->natures == NULL;
	text->part = b->part;
	text->note_rows = b->note_rows;
	text->mode = b->mode;
	text->format = b->format;
	text->flagged = b->flagged;
	text->returns = b->returns;
	text->in_two = b->in_two;
	text->operation = b->operation;
	if (b->operation != NULL && b->n_tables > 0)
		text->table = b->tables[0].display;
	return text;
}

static void
get_plan(WfText *text, WfBuild *b, bool shared)
{
	Oid		   *types = palloc(sizeof(Oid) * (text->n_params + 1));

	for (int i = 0; i < text->n_params; i++)
		types[i] = text->params[i].type;
	text->plan = (shared ? wf_query_plan_shared : wf_query_plan_make) (text->sql, text->n_params, types,
																	  b->relations, b->function);
}

/* Puts a text first in the list; the last falls out when there are too many. */
static void
add_variant(WfStatement *statement, WfText *text)
{
	if (statement->n_variants == WF_MAX_VARIANTS)
		wf_query_plan_drop(statement->variants[--statement->n_variants]->plan);
	memmove(&statement->variants[1], &statement->variants[0], sizeof(WfText *) * statement->n_variants);
	statement->variants[0] = text;
	statement->n_variants++;
}

static void
remove_stale(WfStatement *statement)
{
	int			kept = 0;

	for (int i = 0; i < statement->n_variants; i++)
	{
		WfText	   *text = statement->variants[i];

		if (text->plan->stale)
			wf_query_plan_drop(text->plan);
		else
			statement->variants[kept++] = text;
	}
	statement->n_variants = kept;
}

/* A copy without what the walk left behind, in the plan's memory. Templates stay where they are, but for constants,
 * which may have been made by the walk; what those point to is the config's. */
static WfText *
keep_text(const WfText *text)
{
	MemoryContext old = MemoryContextSwitchTo(text->plan->memory);
	WfText	   *kept = palloc(sizeof(WfText));

	*kept = *text;
	kept->sql = text->plan->sql;
	kept->params = palloc(sizeof(WfParam) * (text->n_params + 1));
	for (int i = 0; i < text->n_params; i++)
	{
		WfParam    *param = &kept->params[i];

		*param = text->params[i];
		param->label = pstrdup(param->label);
		if (param->tpl->kind == WF_TEMPLATE_CONSTANT)
			param->tpl = wf_query_part_constant(&param->tpl->constant);
	}
	kept->natures = palloc(text->n_choices + 1);
	memcpy(kept->natures, text->natures, text->n_choices);
	if (text->table != NULL)
		kept->table = pstrdup(text->table);
	MemoryContextSwitchTo(old);
	return kept;
}

/* Makes the text; kept with the statement unless it depends on values. Valid until the plan is dropped;
 * the caller holds it. */
static WfText *
make_text(WfStatement *statement, WfScope *scope, int part, bool note_rows, const uint8 *natures, int n_natures)
{
	WfBuild		b;
	WfText	   *text;

	wf_query_build_begin(&b, statement);
	b.scope = scope;
	b.part = part;
	b.note_rows = note_rows;
	b.natures = natures;
	b.n_natures = n_natures;
	wf_query_build(&b);
	text = take_text(&b);
	get_plan(text, &b, b.dynamic);
	if (b.dynamic)
		return text;
	text = keep_text(text);
	add_variant(statement, text);
	return text;
}

static WfText *
find_text(WfStatement *statement, WfScope *scope, int part, bool note_rows, const uint8 *natures, int n_natures)
{
	for (int i = 0; i < statement->n_variants; i++)
	{
		WfText	   *text = statement->variants[i];

		if (text->plan->stale)
		{
			remove_stale(statement);
			return make_text(statement, scope, part, note_rows, natures, n_natures);
		}
		if (text->part != part || text->note_rows != note_rows)
			continue;
		if (natures == NULL ? text->is_default
			: text->n_choices == n_natures && memcmp(text->natures, natures, n_natures) == 0)
			return text;
	}
	return make_text(statement, scope, part, note_rows, natures, n_natures);
}

/* -- values -- */

WfNature
wf_query_value_nature(const JsonbValue *value)
{
	switch (value->type)
	{
		case jbvNull:
			return WF_NATURE_NULL;
		case jbvString:
			return WF_NATURE_STRING;
		case jbvNumeric:
			return WF_NATURE_NUMBER;
		case jbvBool:
			return WF_NATURE_BOOL;
		default:
			return WF_NATURE_JSON;
	}
}

WfNature
wf_query_list_nature(const JsonbValue *list)
{
	WfNature	nature = WF_NATURE_NULL;
	WfJsonIter	it;
	JsonbValue	key;
	JsonbValue	item;

	if (!wf_json_is_array(list))
		return WF_NATURE_STRING;
	wf_json_iter_begin(&it, list);
	while (wf_json_iter_next(&it, &key, &item))
	{
		WfNature	own = wf_query_value_nature(&item);

		if (own == WF_NATURE_NULL)
			continue;
		if (nature != WF_NATURE_NULL && nature != own)
			return WF_NATURE_JSON;
		nature = own;
	}
	return nature == WF_NATURE_NULL ? WF_NATURE_STRING : nature;
}

static WfNature
nature_of(const WfParam *param, const JsonbValue *value)
{
	if (!param->nature_typed)
		return value->type == jbvNull ? WF_NATURE_NULL : WF_NATURE_ANY;
	if (param->pick == WF_PICK_LIST || param->pick == WF_PICK_LOW || param->pick == WF_PICK_HIGH)
		return wf_query_list_nature(value);
	return wf_query_value_nature(value);
}

static void
wrong_shape(const WfParam *param, const JsonbValue *value, const char *wanted)
{
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("value for \"%s\" must be %s, not %s", param->label, wanted, wf_json_type_name(value))));
}

static Datum
bind_list(const WfParam *param, WfQueryType *type, const JsonbValue *value)
{
	WfQueryType *element;
	uint32		n = wf_json_count(value);
	Datum	   *values;
	bool	   *nulls;
	WfJsonIter	it;
	JsonbValue	key;
	JsonbValue	item;
	int			n_values = 0;

	if (!wf_json_is_array(value))
		wrong_shape(param, value, "an array");
	if (!OidIsValid(type->element))
		ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
						errmsg("a list cannot be compared with \"%s\"", param->label)));
	element = wf_query_type(type->element);
	values = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(Datum) * ((Size) n + 1));
	nulls = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(bool) * ((Size) n + 1));
	wf_json_iter_begin(&it, value);
	while (wf_json_iter_next(&it, &key, &item))
	{
		CHECK_FOR_INTERRUPTS();
		if (item.type == jbvNull)
			continue;
		values[n_values] = wf_query_bind(element, -1, &item, &nulls[n_values]);
		n_values++;
	}
	return wf_query_bind_list(element, n_values, values, nulls);
}

/* `["x","x"]`, for an element x; text that is a range already stays. */
static Datum
bind_span(WfQueryType *type, const JsonbValue *value, bool *is_null)
{
	char	   *text = value->type == jbvString ? wf_json_cstring(value) : wf_json_text(value);
	bool		multi = get_typtype(type->oid) == TYPTYPE_MULTIRANGE;
	StringInfoData span;
	JsonbValue	string;

	initStringInfo(&span);
	if (*text == '{' || (!multi && (*text == '[' || *text == '(' || pg_strcasecmp(text, "empty") == 0)))
		appendStringInfoString(&span, text);
	else if (*text == '[' || *text == '(' || pg_strcasecmp(text, "empty") == 0)
		appendStringInfo(&span, "{%s}", text);
	else
	{
		appendStringInfoString(&span, multi ? "{[" : "[");
		for (int i = 0; i < 2; i++)
		{
			appendStringInfoString(&span, i == 0 ? "\"" : ",\"");
			for (const char *at = text; *at != '\0'; at++)
				appendStringInfo(&span, "%s%c", *at == '"' || *at == '\\' ? "\\" : "", *at);
			appendStringInfoChar(&span, '"');
		}
		appendStringInfoString(&span, multi ? "]}" : "]");
	}
	wf_json_set_string(&string, span.data, span.len);
	return wf_query_bind(type, -1, &string, is_null);
}

static Datum
bind_count(const WfParam *param, WfQueryType *type, const JsonbValue *value, bool *is_null)
{
	Datum		count;

	if (value->type != jbvNull && value->type != jbvNumeric && value->type != jbvString)
		wrong_shape(param, value, "a whole number");
	count = wf_query_bind(type, -1, value, is_null);
	if (!*is_null && DatumGetInt64(count) < 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("\"%s\" must not be negative", param->label)));
	return count;
}

/* The first or the second of two values. */
static Datum
bind_end(const WfParam *param, WfQueryType *type, const JsonbValue *value, bool *is_null)
{
	JsonbValue	end;

	if (!wf_json_is_array(value) || wf_json_count(value) != 2)
		wrong_shape(param, value, "an array of two");
	(void) wf_json_element(value, param->pick == WF_PICK_LOW ? 0 : 1, &end);
	return wf_query_bind(type, -1, &end, is_null);
}

static Datum
bind_members(WfQueryType *type, const JsonbValue *value, bool *is_null)
{
	WfQueryType *element;
	Datum		datum;

	if (value->type == jbvNull || wf_json_is_array(value) ||
		(value->type == jbvString && value->val.string.len > 0 && value->val.string.val[0] == '{'))
		return wf_query_bind(type, -1, value, is_null);
	element = wf_query_type(type->element);
	datum = wf_query_bind(element, -1, value, is_null);
	return wf_query_bind_list(element, 1, &datum, is_null);
}

static Datum
bind(const WfParam *param, WfQueryType *type, const JsonbValue *value, bool *is_null)
{
	*is_null = false;
	switch (param->pick)
	{
		case WF_PICK_VALUE:
			return wf_query_bind(type, -1, value, is_null);
		case WF_PICK_LOW:
		case WF_PICK_HIGH:
			return bind_end(param, type, value, is_null);
		case WF_PICK_LIST:
			return bind_list(param, type, value);
		case WF_PICK_MEMBERS:
			return bind_members(type, value, is_null);
		case WF_PICK_SPAN:
			if (value->type != jbvNull)
				return bind_span(type, value, is_null);
			*is_null = true;
			return (Datum) 0;
		case WF_PICK_COUNT:
			return bind_count(param, type, value, is_null);
		case WF_PICK_FLAG:
			if (value->type != jbvBool)
				wrong_shape(param, value, "true or false");
			return BoolGetDatum(value->val.boolean);
		case WF_PICK_RAW_JSON:
			return JsonbPGetDatum(wf_json_copy(value));
	}
	return (Datum) 0;
}

static void
bind_context(void *arg)
{
	const WfParam *param = *(const WfParam *const *) arg;

	if (param != NULL)
		errcontext("value for \"%s\"", param->label);
}

/*
 * Evaluates and binds all parameters. False when a value is not of the nature that the text assumes:
 * then `natures`, with room for all choices, says what they are.
 */
static bool
evaluate(const WfText *text, WfScope *scope, ParamListInfo params, uint8 *natures)
{
	const WfParam *current = NULL;
	ErrorContextCallback callback = {.previous = error_context_stack, .callback = bind_context, .arg = &current};
	bool		as_assumed = true;

	error_context_stack = &callback;
	for (int i = 0; i < text->n_params; i++)
	{
		const WfParam *param = &text->params[i];
		ParamExternData *out = &params->params[i];
		JsonbValue	value;

		if (param->tpl->kind == WF_TEMPLATE_CONSTANT)
			value = param->tpl->constant;
		else
		{
			current = NULL;
			wf_template_eval(param->tpl, scope, &value);
		}
		current = param;
		if (param->choice >= 0)
		{
			WfNature	nature = nature_of(param, &value);

			Assert(natures != NULL);
			natures[param->choice] = nature;
			if (nature != param->nature)
			{
				as_assumed = false;
				continue;
			}
		}
		out->pflags = PARAM_FLAG_CONST;
		out->ptype = text->plan->types[i]->oid;
		out->value = bind(param, text->plan->types[i], &value, &out->isnull);
	}
	error_context_stack = callback.previous;
	return as_assumed;
}

/* -- running -- */

/* Runs with this text, or returns false with the natures that another text is wanted for. */
static bool
run_text(WfText *text, WfScope *scope, WfRowSink *sink, WfRan *ran, uint8 *natures)
{
	WfPlan	   *plan = text->plan;
	volatile bool done = false;

	plan->n_users++;
	PG_TRY();
	{
		ParamListInfo params = text->n_params > 0 ? makeParamList(text->n_params) : NULL;

		if (evaluate(text, scope, params, natures))
		{
			wf_query_sink_begin(sink, text->mode);
			sink->flagged = text->flagged;
			sink->keeps_value = text->format == WF_SINK_VALUE;
			wf_query_plan_run(plan, params, sink);
			*ran = (WfRan) {text->format, text->returns, text->in_two, NULL, text->operation};
			if (text->note_rows && text->table != NULL)
				ran->table = pstrdup(text->table);
			done = true;
		}
	}
	PG_FINALLY();
	{
		wf_query_plan_release(plan);
	}
	PG_END_TRY();
	return done;
}

void
wf_query_run_part(WfStatement *statement, WfScope *scope, int part, bool note_rows, WfRowSink *sink, WfRan *ran)
{
	WfText	   *text = find_text(statement, scope, part, note_rows, NULL, 0);
	int			n_natures = text->n_choices;
	uint8	   *natures = NULL;

	if (n_natures > 0)
	{
		natures = palloc(n_natures);
		memcpy(natures, text->natures, n_natures);
	}
	if (run_text(text, scope, sink, ran, natures))
		return;
	text = find_text(statement, scope, part, note_rows, natures, n_natures);
	if (!run_text(text, scope, sink, ran, natures))
		elog(ERROR, "values changed while they were evaluated");
}

/*
 * An upsert in two statements. Between them the row may go away; then both are tried again. A row that neither
 * statement touches (a trigger may refuse both) ends it with a count of 0.
 */
static bool
run_upsert(WfStatement *statement, WfScope *scope, bool note_rows, WfRowSink *sink, WfRan *ran)
{
	wf_query_run_part(statement, scope, 0, note_rows, sink, ran);
	if (!ran->in_two)
		return sink->flag;
	for (int i = 0; i < MAX_UPSERT_TRIES; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (sink->processed > 0)
			return true;
		wf_query_run_part(statement, scope, 1, note_rows, sink, ran);
		if (sink->processed > 0)
			return false;
		wf_query_run_part(statement, scope, 0, note_rows, sink, ran);
	}
	return false;
}

/* -- output -- */

static void
put_rows(WfJsonWriter *w, WfRowSink *sink, bool wanted)
{
	JsonbValue	rows;

	wf_json_key(w, "rows", 4);
	if (wanted)
	{
		wf_query_sink_rows(sink, &rows);
		wf_json_put(w, &rows);
		return;
	}
	wf_json_begin_array(w);
	wf_json_end_array(w);
}

static void
put_row(WfJsonWriter *w, WfRowSink *sink, bool wanted)
{
	JsonbValue	row;

	wf_json_set_null(&row);
	if (wanted)
		wf_query_sink_row(sink, 0, &row);
	wf_json_put_field(w, "row", &row);
}

static void
put_value(WfJsonWriter *w, WfRowSink *sink, bool of_row)
{
	JsonbValue	value;

	wf_json_set_null(&value);
	if (sink->has_value)
		value = sink->value;
	else if (of_row && sink->n_rows > 0)
		wf_query_sink_row(sink, 0, &value);
	wf_json_put_field(w, "value", &value);
}

static void
put_output(WfJsonWriter *w, WfQueryKind kind, WfRowSink *sink, const WfRan *ran, bool inserted)
{
	bool		is_write = kind == WF_QUERY_UPDATE || kind == WF_QUERY_DELETE;

	switch (kind)
	{
		case WF_QUERY_FIND_ONE:
			put_row(w, sink, true);
			return;
		case WF_QUERY_CREATE:
			put_row(w, sink, ran->returns);
			break;
		case WF_QUERY_UPSERT:
			put_row(w, sink, ran->returns);
			wf_json_put_field_bool(w, "inserted", inserted);
			break;
		case WF_QUERY_CALL:
			if (ran->format == WF_SINK_ROWS)
			{
				put_rows(w, sink, true);
				break;
			}
			put_value(w, sink, true);
			return;
		case WF_QUERY_SQL:
			if (ran->format == WF_SINK_ROWS)
			{
				put_rows(w, sink, ran->returns);
				break;
			}
			if (ran->format == WF_SINK_NONE)
				break;
			if (ran->format == WF_SINK_FIRST)
				put_row(w, sink, ran->returns);
			else
				put_value(w, sink, false);
			return;
		case WF_QUERY_BULK_CREATE:
		case WF_QUERY_BULK_UPDATE:
		case WF_QUERY_BULK_DELETE:
			if (ran->returns)
				put_rows(w, sink, true);
			break;
		default:
			put_rows(w, sink, !is_write || ran->returns);
			break;
	}
	wf_json_put_field_int64(w, "count", sink->processed);
}

void
wf_query_result_set(WfQueryKind kind, WfRowSink *sink, const WfRan *ran, bool inserted, bool note_rows,
					WfQueryResult *result)
{
	WfJsonWriter *w = wf_json_writer_begin();

	wf_json_begin_object(w);
	put_output(w, kind, sink, ran, inserted);
	wf_json_end_object(w);
	result->output = wf_json_finish(w);
	result->count = sink->processed;
	result->found = sink->n_rows > 0;
	if (!note_rows || ran->operation == NULL)
		return;
	result->table = ran->table;
	result->operation = strcmp(ran->operation, "upsert") != 0 ? ran->operation : inserted ? "insert" : "update";
	result->has_rows = true;
	wf_query_sink_rows(sink, &result->rows);
}

void
wf_query_execute(WfStatement *statement, WfScope *scope, bool note_rows, WfQueryResult *result)
{
	WfRowSink	sink;
	WfRan		ran;
	bool		inserted = false;

	memset(result, 0, sizeof(WfQueryResult));
	if (statement->by_items)
	{
		wf_query_execute_bulk(statement, scope, note_rows, result);
		return;
	}
	if (statement->kind == WF_QUERY_UPSERT)
		inserted = run_upsert(statement, scope, note_rows, &sink, &ran);
	else
		wf_query_run_part(statement, scope, 0, note_rows, &sink, &ran);
	wf_query_result_set(statement->kind, &sink, &ran, inserted, note_rows, result);
}
