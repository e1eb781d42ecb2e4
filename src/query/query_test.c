/*
 * query_test.c: the room by itself, for its regression tests; compiled with WF_TESTING only.
 *
 * Statements are kept by kind and config for the life of the backend, as a graph keeps them, so that a
 * test sees plans being used again and followed through changes of the catalog.
 */
#include "query/internal.h"

#ifdef WF_TESTING

#include "portability/instr_time.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"

typedef struct Kept
{
	struct Kept *next;
	char	   *key;
	MemoryContext memory;
	WfStatement *statement;
	WfDiagnostics *found;
} Kept;

static Kept *kept = NULL;

static const char *const kinds[] = {
	"find", "findOne", "create", "update", "upsert", "delete", "bulkCreate", "bulkUpdate", "bulkDelete",
	"aggregate", "query", "call"
};

static WfQueryKind
kind_of(const char *name)
{
	for (int i = 0; i < lengthof(kinds); i++)
		if (strcmp(kinds[i], name) == 0)
			return (WfQueryKind) i;
	elog(ERROR, "unknown kind \"%s\"", name);
}

static Kept *
statement_for(const char *kind, Jsonb *config)
{
	char	   *key;
	MemoryContext memory;
	MemoryContext old;
	JsonbValue	root;
	WfTemplate *tpl;
	WfNames		names = {0};
	Kept	   *made;

	wf_json_root(config, &root);
	key = psprintf("%s %s", kind, wf_json_text(&root));
	for (Kept *at = kept; at != NULL; at = at->next)
		if (strcmp(at->key, key) == 0)
			return at;
	memory = AllocSetContextCreate(TopMemoryContext, "test statement", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(memory);
	made = palloc0(sizeof(Kept));
	made->memory = memory;
	made->key = pstrdup(key);
	made->found = wf_diagnostics_begin();
	tpl = wf_template_compile(&root, &names, NULL, NULL, "n", "$.config", made->found);
	if (tpl != NULL)
		made->statement = wf_query_make(kind_of(kind), tpl, GetConfigOption("search_path", false, false), "n",
										"$.config", made->found);
	MemoryContextSwitchTo(old);
	if (made->found->n_errors == 0)
	{
		made->next = kept;
		kept = made;
	}
	return made;
}

static void
raise_first(const WfDiagnostics *found)
{
	ListCell   *cell;

	foreach(cell, found->items)
	{
		WfDiagnostic *item = lfirst(cell);

		if (item->severity == WF_SEVERITY_ERROR)
			ereport(ERROR, (errcode(item->sqlstate), errmsg("%s", item->message),
							item->hint != NULL ? errhint("%s", item->hint) : 0));
	}
}

PG_FUNCTION_INFO_V1(wf_sql_test_query);
/* (kind text, config jsonb, context jsonb, note bool) returns jsonb */
PGDLLEXPORT Datum
wf_sql_test_query(PG_FUNCTION_ARGS)
{
	MemoryContext memory = CurrentMemoryContext;
	Kept	   *own = statement_for(text_to_cstring(PG_GETARG_TEXT_PP(0)), PG_GETARG_JSONB_P(1));
	WfScope    *scope = wf_scope_from_context(PG_GETARG_JSONB_P(2));
	bool		note = PG_GETARG_BOOL(3);
	WfQueryResult result;
	WfJsonWriter *w;

	raise_first(own->found);
	SPI_connect();
	MemoryContextSwitchTo(memory);
	wf_query_execute(own->statement, scope, note, &result);
	SPI_finish();
	MemoryContextSwitchTo(memory);
	if (!note)
		PG_RETURN_JSONB_P(result.output);
	w = wf_json_writer_begin();
	wf_json_begin_object(w);
	wf_json_key(w, "output", 6);
	wf_json_put_jsonb(w, result.output);
	wf_json_put_field_cstring(w, "table", result.table);
	wf_json_put_field_cstring(w, "operation", result.operation);
	if (result.has_rows)
		wf_json_put_field(w, "rows", &result.rows);
	wf_json_end_object(w);
	PG_RETURN_JSONB_P(wf_json_finish(w));
}

PG_FUNCTION_INFO_V1(wf_sql_test_query_time);
/* (kind text, config jsonb, context jsonb, times int) returns float8: microseconds each */
PGDLLEXPORT Datum
wf_sql_test_query_time(PG_FUNCTION_ARGS)
{
	MemoryContext step = AllocSetContextCreate(CurrentMemoryContext, "step", ALLOCSET_DEFAULT_SIZES);
	Kept	   *own = statement_for(text_to_cstring(PG_GETARG_TEXT_PP(0)), PG_GETARG_JSONB_P(1));
	WfScope    *scope = wf_scope_from_context(PG_GETARG_JSONB_P(2));
	int			times = PG_GETARG_INT32(3);
	WfQueryResult result;
	instr_time	start;
	instr_time	end;

	raise_first(own->found);
	SPI_connect();
	INSTR_TIME_SET_CURRENT(start);
	for (int i = 0; i < times; i++)
	{
		MemoryContextSwitchTo(step);
		wf_query_execute(own->statement, scope, false, &result);
		MemoryContextReset(step);
	}
	INSTR_TIME_SET_CURRENT(end);
	SPI_finish();
	INSTR_TIME_SUBTRACT(end, start);
	PG_RETURN_FLOAT8(INSTR_TIME_GET_DOUBLE(end) * 1e6 / times);
}

PG_FUNCTION_INFO_V1(wf_sql_test_spi_time);
/* (sql text, times int) returns float8: microseconds of a kept plan without parameters */
PGDLLEXPORT Datum
wf_sql_test_spi_time(PG_FUNCTION_ARGS)
{
	int			times = PG_GETARG_INT32(1);
	SPIPlanPtr	plan;
	instr_time	start;
	instr_time	end;
	Oid			types[1] = {23};
	Datum		values[1] = {Int32GetDatum(5)};

	SPI_connect();
	plan = SPI_prepare(text_to_cstring(PG_GETARG_TEXT_PP(0)), 1, types);
	INSTR_TIME_SET_CURRENT(start);
	for (int i = 0; i < times; i++)
	{
		SPI_execute_plan(plan, values, NULL, false, 0);
		SPI_freetuptable(SPI_tuptable);
	}
	INSTR_TIME_SET_CURRENT(end);
	SPI_finish();
	INSTR_TIME_SUBTRACT(end, start);
	PG_RETURN_FLOAT8(INSTR_TIME_GET_DOUBLE(end) * 1e6 / times);
}

PG_FUNCTION_INFO_V1(wf_sql_test_query_check);
/* (kind text, config jsonb) returns text: what is wrong, a line each */
PGDLLEXPORT Datum
wf_sql_test_query_check(PG_FUNCTION_ARGS)
{
	Kept	   *own = statement_for(text_to_cstring(PG_GETARG_TEXT_PP(0)), PG_GETARG_JSONB_P(1));
	WfDiagnostics *found = wf_diagnostics_begin();
	StringInfoData text;
	ListCell   *cell;

	initStringInfo(&text);
	if (own->found->n_errors == 0)
		wf_query_check(own->statement, "n", "$.config", found);
	foreach(cell, list_concat(list_copy(own->found->items), found->items))
	{
		WfDiagnostic *item = lfirst(cell);

		appendStringInfo(&text, "%s%s %s %s: %s%s%s", text.len > 0 ? "\n" : "", wf_severity_name(item->severity),
						 unpack_sql_state(item->sqlstate), item->path, item->message,
						 item->hint != NULL ? " / " : "", item->hint != NULL ? item->hint : "");
	}
	PG_RETURN_TEXT_P(cstring_to_text(text.data));
}

PG_FUNCTION_INFO_V1(wf_sql_test_query_explain);
/* (kind text, config jsonb, plan bool) returns text */
PGDLLEXPORT Datum
wf_sql_test_query_explain(PG_FUNCTION_ARGS)
{
	MemoryContext memory = CurrentMemoryContext;
	Kept	   *own = statement_for(text_to_cstring(PG_GETARG_TEXT_PP(0)), PG_GETARG_JSONB_P(1));
	StringInfoData text;
	ListCell   *cell;
	List	   *lines;

	raise_first(own->found);
	SPI_connect();
	MemoryContextSwitchTo(memory);
	initStringInfo(&text);
	lines = wf_query_explain(own->statement, PG_GETARG_BOOL(2));
	SPI_finish();
	foreach(cell, lines)
		appendStringInfo(&text, "%s%s", text.len > 0 ? "\n" : "", (char *) lfirst(cell));
	PG_RETURN_TEXT_P(cstring_to_text(text.data));
}

PG_FUNCTION_INFO_V1(wf_sql_test_query_forget);
/* () returns void: frees all statements */
PGDLLEXPORT Datum
wf_sql_test_query_forget(PG_FUNCTION_ARGS)
{
	while (kept != NULL)
	{
		Kept	   *next = kept->next;

		MemoryContextDelete(kept->memory);
		kept = next;
	}
	PG_RETURN_VOID();
}

#endif
