/*
 * raw.c: db.query, SQL that stands in the definition, with $1 .. $n.
 *
 * The text is exactly one statement and fixed: no part of it comes from an expression. The types of
 * its parameters are those that the parser finds (a cast, `$1::uuid`, settles one that it cannot).
 * Transaction control is refused here, because SPI would only say that it is not allowed.
 *
 * In a dry run a single INSERT, UPDATE or DELETE without RETURNING gets one, to show what it writes.
 */
#include "query/internal.h"

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "nodes/parsenodes.h"
#include "utils/lsyscache.h"

static WfSinkMode
output_format(WfBuild *b)
{
	static const char *const names[] = {"rows", "row", "value", "none"};
	static const WfSinkMode modes[] = {WF_SINK_ROWS, WF_SINK_FIRST, WF_SINK_VALUE, WF_SINK_NONE};
	WfConfigPart format;
	const char *name;

	if (!wf_query_part_config(b, "outputFormat", &format))
		return WF_SINK_ROWS;
	name = wf_query_part_string(b, format, "\"outputFormat\"");
	for (int i = 0; name != NULL && i < lengthof(names); i++)
		if (strcmp(names[i], name) == 0)
			return modes[i];
	if (name != NULL)
		wf_query_complain(b, format.path, "It is one of rows, row, value, none.", "unknown output format \"%s\"",
						  wf_text_clip(name));
	return WF_SINK_ROWS;
}

/* What a statement writes, and whether it returns it. */
static const char *
operation_of(Node *statement, RangeVar **table, List **returning)
{
	switch (nodeTag(statement))
	{
		case T_InsertStmt:
			*table = ((InsertStmt *) statement)->relation;
			*returning = wf_compat_returning(((InsertStmt *) statement));
			return "insert";
		case T_UpdateStmt:
			*table = ((UpdateStmt *) statement)->relation;
			*returning = wf_compat_returning(((UpdateStmt *) statement));
			return "update";
		case T_DeleteStmt:
			*table = ((DeleteStmt *) statement)->relation;
			*returning = wf_compat_returning(((DeleteStmt *) statement));
			return "delete";
		default:
			return NULL;
	}
}

static void
note_write(WfBuild *b, Node *statement)
{
	RangeVar   *range = NULL;
	List	   *returning = NIL;
	WfQueryTable *table;
	Oid			relid;

	b->operation = operation_of(statement, &range, &returning);
	b->returns = b->operation == NULL || returning != NIL;
	if (b->operation == NULL || b->wild)
		return;
	relid = RangeVarGetRelid(range, NoLock, true);
	if (!OidIsValid(relid))
		return;
	table = palloc0(sizeof(WfQueryTable));
	table->relid = relid;
	table->display = psprintf("%s.%s", get_namespace_name(get_rel_namespace(relid)), range->relname);
	b->tables = table;
	b->n_tables = b->max_tables = 1;
	if (!b->note_rows)
		return;
	if (returning != NIL)
		b->mode = WF_SINK_ROWS;
	else if (wf_query_may_note(b, table))
	{
		b->mode = WF_SINK_ROWS;
		appendStringInfoString(&b->sql, "\nRETURNING *");
	}
}

static void
take_params(WfBuild *b)
{
	WfConfigPart params;
	WfConfigPart *items;
	int			n;

	if (!wf_query_part_config(b, "params", &params) || !wf_query_part_resolve(b, &params))
		return;
	if (!wf_query_part_is_array(&params))
	{
		wf_query_complain(b, params.path, NULL, "\"params\" must be an array");
		return;
	}
	items = wf_query_part_items(b, params, &n);
	for (int i = 0; i < n; i++)
		(void) wf_query_param(b, items[i], UNKNOWNOID, WF_PICK_VALUE, psprintf("params[%d]", i));
}

/* The one statement of the text; NULL after a complaint. */
static RawStmt *
parse_one(WfBuild *b, const char *sql, const char *path)
{
	int			before = b->n_complaints;
	List	   *parsed = wf_query_parse(b, sql, false, path);
	RawStmt    *raw;

	if (b->n_complaints > before)
		return NULL;
	if (list_length(parsed) != 1)
	{
		wf_query_complain(b, path, "Use one node for each statement.", "\"sql\" must be one statement, not %d",
						  list_length(parsed));
		return NULL;
	}
	raw = linitial_node(RawStmt, parsed);
	if (IsA(raw->stmt, TransactionStmt))
	{
		wf_query_complain(b, path, "A run is in one transaction from one suspension to the next; use the block \"fail\" to undo it.",
						  "\"sql\" must not control transactions");
		return NULL;
	}
	if (IsA(raw->stmt, CopyStmt) && ((CopyStmt *) raw->stmt)->filename == NULL)
	{
		wf_query_complain(b, path, NULL, "\"sql\" must not copy to or from the client");
		return NULL;
	}
	return raw;
}

void
wf_query_build_raw(WfBuild *b)
{
	WfConfigPart sql;
	const char *text;
	RawStmt    *raw;

	b->mode = b->format = output_format(b);
	take_params(b);
	if (!wf_query_part_config(b, "sql", &sql))
	{
		wf_query_complain(b, NULL, NULL, "\"sql\" is missing");
		return;
	}
	if (sql.tpl->kind != WF_TEMPLATE_CONSTANT || !wf_json_is_string(&sql.tpl->constant))
	{
		wf_query_complain(b, sql.path, "Write $1, $2 ... and give the values in \"params\".",
						  "\"sql\" must be a string fixed in the definition");
		return;
	}
	text = wf_json_cstring(&sql.tpl->constant);
	raw = parse_one(b, text, sql.path);
	if (raw == NULL)
		return;
	text += raw->stmt_location;
	appendBinaryStringInfo(&b->sql, text, raw->stmt_len > 0 ? raw->stmt_len : strlen(text));
	note_write(b, raw->stmt);
}
