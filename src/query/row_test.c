/*
 * row_test.c: triggers on tables without an engine, for regression tests; compiled with WF_TESTING only.
 *
 * The trigger function finds what it belongs to in the table public.declared (workflow uuid, node text, relid oid,
 * config jsonb), and writes each firing to public.fired (genuine bool, passes bool, changed bool, firing jsonb).
 */
#include "query/internal.h"

#ifdef WF_TESTING

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "query/row_trigger.h"
#include "query/when.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/rel.h"

static void
append_found(StringInfo lines, const WfDiagnostics *found)
{
	ListCell   *cell;

	foreach(cell, found->items)
	{
		WfDiagnostic *item = lfirst(cell);

		appendStringInfo(lines, "%s%s %s %s: %s%s%s", lines->len > 0 ? "\n" : "", wf_severity_name(item->severity),
						 unpack_sql_state(item->sqlstate), item->path, item->message, item->hint != NULL ? " / " : "",
						 item->hint != NULL ? item->hint : "");
	}
}

static bool
read_config(Jsonb *jsonb, WfDiagnostics *found, WfRowConfig *config)
{
	JsonbValue	root;

	wf_json_root(jsonb, &root);
	return wf_query_row_config(&root, "n", "$.config", found, config);
}

/* Throws what is found. */
static Oid
check_config(Jsonb *jsonb, WfRowConfig *config)
{
	WfDiagnostics *found = wf_diagnostics_begin();
	Oid			relid = InvalidOid;

	if (read_config(jsonb, found, config))
		relid = wf_query_row_check(config, "", "n", "$.config", found);
	if (found->n_errors > 0)
	{
		const WfDiagnostic *first = linitial(found->items);

		ereport(ERROR, (errcode(first->sqlstate), errmsg("%s", first->message)));
	}
	return relid;
}

PG_FUNCTION_INFO_V1(wf_sql_test_row_check);
/* (config jsonb, search_path text) returns text: what is wrong, a line each */
PGDLLEXPORT Datum
wf_sql_test_row_check(PG_FUNCTION_ARGS)
{
	WfDiagnostics *found = wf_diagnostics_begin();
	WfRowConfig config;
	StringInfoData lines;

	initStringInfo(&lines);
	if (read_config(PG_GETARG_JSONB_P(0), found, &config))
		wf_query_row_check(&config, text_to_cstring(PG_GETARG_TEXT_PP(1)), "n", "$.config", found);
	append_found(&lines, found);
	PG_RETURN_TEXT_P(cstring_to_text(lines.len > 0 ? lines.data : "fine"));
}

PG_FUNCTION_INFO_V1(wf_sql_test_row_install);
/* (config jsonb, workflow uuid, name text, node text) returns oid: of the table */
PGDLLEXPORT Datum
wf_sql_test_row_install(PG_FUNCTION_ARGS)
{
	WfRowConfig config;
	WfRowOwner	owner = {0};
	Oid			relid = check_config(PG_GETARG_JSONB_P(0), &config);

	owner.workflow = *PG_GETARG_UUID_P(1);
	owner.name = text_to_cstring(PG_GETARG_TEXT_PP(2));
	owner.node = text_to_cstring(PG_GETARG_TEXT_PP(3));
	SPI_connect();
	wf_query_row_install(relid, &config, &owner);
	SPI_finish();
	PG_RETURN_OID(relid);
}

PG_FUNCTION_INFO_V1(wf_sql_test_row_remove);
/* (relid oid, workflow uuid, node text) returns void */
PGDLLEXPORT Datum
wf_sql_test_row_remove(PG_FUNCTION_ARGS)
{
	wf_query_row_remove(PG_GETARG_OID(0), PG_GETARG_UUID_P(1), text_to_cstring(PG_GETARG_TEXT_PP(2)));
	PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(wf_sql_test_row_find);
/* (relid oid, workflow uuid, node text) returns text */
PGDLLEXPORT Datum
wf_sql_test_row_find(PG_FUNCTION_ARGS)
{
	WfRowState	state;
	StringInfoData lines;

	wf_query_row_find(PG_GETARG_OID(0), PG_GETARG_UUID_P(1), text_to_cstring(PG_GETARG_TEXT_PP(2)), &state);
	initStringInfo(&lines);
	appendStringInfoString(&lines, state.table != NULL ? state.table : "gone");
	for (int i = 0; i < WF_ROW_EVENTS; i++)
		if (state.installed & WF_ROW_BIT(i))
			appendStringInfo(&lines, " %s%s", wf_query_row_op((WfRowEvent) i), state.disabled & WF_ROW_BIT(i) ? " (disabled)" : "");
	PG_RETURN_TEXT_P(cstring_to_text(lines.data));
}

PG_FUNCTION_INFO_V1(wf_sql_test_row_when);
/* (relation oid, condition text, event text, by_statement bool, OUT sql text, OUT exact bool): NULL when it is true */
PGDLLEXPORT Datum
wf_sql_test_row_when(PG_FUNCTION_ARGS)
{
	text	   *source = PG_GETARG_TEXT_PP(1);
	char	   *event = text_to_cstring(PG_GETARG_TEXT_PP(2));
	WfExprProblem problem;
	WfExpr	   *expr = wf_expr_compile(VARDATA_ANY(source), VARSIZE_ANY_EXHDR(source), NULL, &problem);
	int			number = 0;
	TupleDesc	tupdesc;
	Datum		values[2];
	bool		nulls[2] = {false, false};
	WfWhen		when;

	if (expr == NULL)
		ereport(ERROR, (errcode(problem.sqlstate), errmsg("%s", problem.message)));
	while (number < WF_ROW_EVENTS - 1 && pg_strcasecmp(event, wf_query_row_op((WfRowEvent) number)) != 0)
		number++;
	wf_query_when(expr, PG_GETARG_OID(0), (WfRowEvent) number, PG_GETARG_BOOL(3), &when);
	if (get_call_result_type(fcinfo, NULL, &tupdesc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	nulls[0] = when.sql == NULL && when.constant;
	values[0] = CStringGetTextDatum(when.sql != NULL ? when.sql : "FALSE");
	values[1] = BoolGetDatum(when.exact);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(tupdesc), values, nulls)));
}

/* What public.declared says; false when it has nothing. */
static bool
find_declared(Trigger *trigger, pg_uuid_t *workflow, Oid *relid, WfRowConfig *config)
{
	Oid			types[2] = {UUIDOID, TEXTOID};
	Datum		values[2];
	bool		is_null;

	memcpy(workflow, DatumGetUUIDP(DirectFunctionCall1(uuid_in, CStringGetDatum(trigger->tgargs[1]))), sizeof(pg_uuid_t));
	values[0] = UUIDPGetDatum(workflow);
	values[1] = CStringGetTextDatum(trigger->tgargs[2]);
	SPI_execute_with_args("SELECT relid, config FROM public.declared WHERE workflow = $1 AND node = $2", 2, types, values, NULL,
						  false, 1);
	if (SPI_processed == 0)
		return false;
	*relid = DatumGetObjectId(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &is_null));
	return read_config(DatumGetJsonbPCopy(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2, &is_null)),
					   wf_diagnostics_begin(), config);
}

static void
note(bool genuine, bool passes, bool changed, const Jsonb *firing)
{
	Oid			types[4] = {BOOLOID, BOOLOID, BOOLOID, JSONBOID};
	Datum		values[4] = {BoolGetDatum(genuine), BoolGetDatum(passes), BoolGetDatum(changed), JsonbPGetDatum(firing)};

	SPI_execute_with_args("INSERT INTO public.fired (genuine, passes, changed, firing) VALUES ($1, $2, $3, $4)", 4, types,
						  values, NULL, false, 0);
}

PG_FUNCTION_INFO_V1(wf_sql_test_row_trigger);
/* () returns trigger */
PGDLLEXPORT Datum
wf_sql_test_row_trigger(PG_FUNCTION_ARGS)
{
	TriggerData *data = (TriggerData *) fcinfo->context;
	WfRowConfig config;
	pg_uuid_t	workflow;
	Oid			relid;
	bool		genuine = false;
	bool		passes = true;
	bool		changed = true;
	Jsonb	   *firing;

	if (!CALLED_AS_TRIGGER(fcinfo) || data->tg_trigger->tgnargs != 3)
		elog(ERROR, "not called by a trigger");
	SPI_connect();
	relid = RelationGetRelid(data->tg_relation);
	if (find_declared(data->tg_trigger, &workflow, &relid, &config))
	{
		genuine = wf_query_row_is_genuine(data, relid, &config, &workflow, data->tg_trigger->tgargs[2]);
		changed = wf_query_row_is_changed(data, &config);
	}
	firing = wf_query_row_json(data, relid);
	if (genuine && wf_query_row_needs_when(&config, relid, wf_query_row_event(data)))
		passes = wf_expr_test(config.when, wf_query_row_scope(firing));
	note(genuine, passes, changed, firing);
	SPI_finish();
	PG_RETURN_POINTER(TRIGGER_FIRED_BY_UPDATE(data->tg_event) ? data->tg_newtuple : data->tg_trigtuple);
}

#endif
