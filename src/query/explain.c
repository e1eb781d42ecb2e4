/*
 * explain.c: a statement as wf_explain shows it: its text, its parameters, and PostgreSQL's plan.
 *
 * The text is the one that runs when values are of the usual natures. Where it depends on values, the lines say
 * which place of the config it waits for.
 */
#include "query/internal.h"

#include "catalog/pg_type.h"
#include "commands/prepare.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"

#define PREPARED_NAME "workflow explain"

/* The source of a template as it stands in the definition. */
static const char *
template_source(const WfTemplate *tpl)
{
	StringInfoData text;

	switch (tpl->kind)
	{
		case WF_TEMPLATE_CONSTANT:
			return wf_json_text(&tpl->constant);
		case WF_TEMPLATE_EXPR:
			return psprintf("{{ %s }}", wf_expr_source(tpl->expr));
		case WF_TEMPLATE_TEXT:
			initStringInfo(&text);
			appendStringInfoChar(&text, '"');
			for (int i = 0; i < tpl->n; i++)
			{
				if (tpl->parts[i].text != NULL)
					appendBinaryStringInfo(&text, tpl->parts[i].text, tpl->parts[i].text_len);
				else
					appendStringInfo(&text, "{{ %s }}", wf_expr_source(tpl->parts[i].expr));
			}
			appendStringInfoChar(&text, '"');
			return text.data;
		case WF_TEMPLATE_ARRAY:
			return "[...]";
		default:
			return "{...}";
	}
}

static List *
add_params(List *lines, const WfBuild *b, const Oid *types)
{
	for (int i = 0; i < b->n_params; i++)
		lines = lappend(lines, psprintf("$%d: %s %s <- %s", i + 1, b->params[i].label, format_type_be(types[i]),
										template_source(b->params[i].tpl)));
	return lines;
}

/* Adds the lines of EXPLAIN for the generic plan, through a prepared statement of SQL's. */
static List *
add_plan(List *lines, const WfBuild *b, const Oid *types)
{
	MemoryContext memory = CurrentMemoryContext;
	StringInfoData sql;
	int			level = NewGUCNestLevel();

	(void) set_config_option("plan_cache_mode", "force_generic_plan", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	initStringInfo(&sql);
	appendStringInfo(&sql, "PREPARE %s", quote_identifier(PREPARED_NAME));
	for (int i = 0; i < b->n_params; i++)
		appendStringInfo(&sql, "%s%s", i == 0 ? " (" : ", ", format_type_be_qualified(types[i]));
	appendStringInfo(&sql, "%s AS %s", b->n_params > 0 ? ")" : "", b->sql.data);
	DropPreparedStatement(PREPARED_NAME, false);
	SPI_execute(sql.data, false, 0);
	MemoryContextSwitchTo(memory);
	PG_TRY();
	{
		resetStringInfo(&sql);
		appendStringInfo(&sql, "EXPLAIN EXECUTE %s", quote_identifier(PREPARED_NAME));
		for (int i = 0; i < b->n_params; i++)
			appendStringInfoString(&sql, i == 0 ? " (NULL" : ", NULL");
		appendStringInfoString(&sql, b->n_params > 0 ? ")" : "");
		SPI_execute(sql.data, false, 0);
		MemoryContextSwitchTo(memory);
		for (uint64 i = 0; i < SPI_processed; i++)
			lines = lappend(lines, psprintf("  %s", SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1)));
	}
	PG_FINALLY();
	{
		DropPreparedStatement(PREPARED_NAME, false);
	}
	PG_END_TRY();
	AtEOXact_GUC(true, level);
	return lines;
}

/* True when EXPLAIN takes statements like this one. */
static bool
can_explain(const WfBuild *b)
{
	List	   *parsed = wf_query_parse(unconstify(WfBuild *, b), b->sql.data, false, NULL);
	Node	   *statement = list_length(parsed) == 1 ? linitial_node(RawStmt, parsed)->stmt : NULL;

	return statement != NULL && (IsA(statement, SelectStmt) || IsA(statement, InsertStmt) ||
								 IsA(statement, UpdateStmt) || IsA(statement, DeleteStmt));
}

static List *
explain_part(List *lines, WfStatement *statement, int part, bool with_plan, bool *in_two)
{
	WfBuild		b;
	Oid		   *types;

	wf_query_build_begin(&b, statement);
	b.part = part;
	wf_query_build(&b);
	*in_two = b.in_two;
	if (statement->by_items)
	{
		lines = lappend(lines, psprintf("%s", b.sql.data));
		return lappend(lines, "(columns: the keys that the items have; one statement for all items alike)");
	}
	if (b.incomplete)
		return lappend(lines, "(the text of the statement depends on values; it is made when the node runs)");
	types = palloc(sizeof(Oid) * (b.n_params + 1));
	for (int i = 0; i < b.n_params; i++)
		types[i] = b.params[i].type;
	if (b.n_params > 0 || statement->kind == WF_QUERY_SQL)
		wf_query_infer(b.sql.data, b.n_params, types);
	lines = lappend(lines, b.sql.data);
	lines = add_params(lines, &b, types);
	if (with_plan && can_explain(&b))
		lines = add_plan(lines, &b, types);
	return lines;
}

/* Needs an SPI connection when with_plan is set. Throws for names that are not there. */
List *
wf_query_explain(WfStatement *statement, bool with_plan)
{
	bool		in_two;
	int			level = wf_query_push_search_path(statement->search_path);
	List	   *lines = explain_part(NIL, statement, 0, with_plan, &in_two);

	if (in_two)
	{
		lines = lappend(lines, "and, when that inserts nothing:");
		lines = explain_part(lines, statement, 1, with_plan, &in_two);
	}
	AtEOXact_GUC(true, level);
	return lines;
}
