/*
 * aggregate.c: db.aggregate as SQL.
 *
 * The aggregates come behind the grouped columns. From `having` on their names stand for their texts, so that a
 * condition on `total` is one on `sum(amount)`; parameters within (of a filter) keep their numbers.
 */
#include "query/internal.h"

#include "catalog/namespace.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

static const char *const common_aggregates[] = {
	"count", "sum", "avg", "min", "max", "array_agg", "bool_and", "bool_or", "every", "jsonb_agg", "json_agg",
	"stddev", "stddev_pop", "stddev_samp", "variance", "var_pop", "var_samp", "bit_and", "bit_or", "range_agg"
};

/* The quoted name of an aggregate; NULL after a complaint. */
static const char *
aggregate_name(WfBuild *b, const char *written, const char *path)
{
	List	   *parts = wf_query_split(written);
	List	   *names = NIL;
	ListCell   *cell;
	FuncCandidateList candidates = NULL;
	bool		found = false;

	foreach(cell, parts)
		names = lappend(names, makeString(lfirst(cell)));
	if (b->wild)
		return "count";
	if (parts != NIL && list_length(parts) <= 2)
		candidates = FuncnameGetCandidates(names, -1, NIL, false, false, false, true);
	for (FuncCandidateList at = candidates; at != NULL && !found; at = at->next)
		found = get_func_prokind(at->oid) == PROKIND_AGGREGATE;
	if (found)
		return NameListToQuotedString(names);
	wf_query_complain_name(b, candidates != NULL ? ERRCODE_WRONG_OBJECT_TYPE : ERRCODE_UNDEFINED_FUNCTION, path,
						   wf_text_did_you_mean(written, common_aggregates, lengthof(common_aggregates)),
						   candidates != NULL ? "function \"%s\" is not an aggregate"
						   : "aggregate \"%s\" does not exist", wf_text_clip(written));
	return NULL;
}

/* What an aggregate takes of a path into jsonb, whose values are of any type. */
static Oid
path_type(const char *fn)
{
	static const char *const of_numbers[] = {
		"sum", "avg", "min", "max", "stddev", "stddev_pop", "stddev_samp", "variance", "var_pop", "var_samp"
	};
	static const char *const of_booleans[] = {"bool_and", "bool_or", "every"};

	if (strrchr(fn, '.') != NULL)
		fn = strrchr(fn, '.') + 1;
	for (int i = 0; i < lengthof(of_numbers); i++)
		if (strcmp(of_numbers[i], fn) == 0)
			return NUMERICOID;
	for (int i = 0; i < lengthof(of_booleans); i++)
		if (strcmp(of_booleans[i], fn) == 0)
			return BOOLOID;
	return JSONBOID;
}

/* Appends `fn(DISTINCT column) FILTER (WHERE ...)`. */
static void
append_aggregate(WfBuild *b, const char *name, WfConfigPart aggregate)
{
	WfConfigPart member;
	const char *fn = "count";
	const char *written;
	bool		distinct = false;
	WfColumn	column;
	bool		has_column;

	if (!wf_query_part_member(b, aggregate, "fn", &member))
		wf_query_complain(b, aggregate.path, NULL, "aggregate \"%s\" must have an \"fn\"", wf_text_clip(name));
	else if ((written = wf_query_part_string(b, member, "\"fn\"")) != NULL)
		fn = aggregate_name(b, written, member.path);
	if (wf_query_part_member(b, aggregate, "distinct", &member) && !wf_query_part_is_null(&member))
		(void) wf_query_part_bool(b, member, "\"distinct\"", &distinct);
	has_column = wf_query_part_member(b, aggregate, "column", &member) && !wf_query_part_is_null(&member);
	if (fn == NULL)
		fn = "count";
	appendStringInfo(&b->sql, "%s(%s", fn, distinct && has_column ? "DISTINCT " : "");
	if (has_column && (written = wf_query_part_string(b, member, "\"column\"")) != NULL && strcmp(written, "*") != 0)
	{
		if (wf_query_column(b, written, member.path, &column))
			appendStringInfoString(&b->sql, wf_query_column_as(&column, path_type(fn)));
	}
	else
		appendStringInfoChar(&b->sql, '*');
	appendStringInfoChar(&b->sql, ')');
	if (wf_query_part_member(b, aggregate, "filter", &member) && !wf_query_part_is_null(&member))
	{
		appendStringInfoString(&b->sql, " FILTER (WHERE ");
		wf_query_where(b, member, false);
		appendStringInfoChar(&b->sql, ')');
	}
}

/* The aggregates as members of the row; returns their names and texts. */
static WfNamed *
append_aggregates(WfBuild *b, WfOutputs *outputs, int *n)
{
	WfConfigPart aggregates;
	WfConfigField *fields;
	WfNamed    *named;

	*n = 0;
	if (!wf_query_part_config(b, "aggregates", &aggregates))
		return NULL;
	if (!wf_query_part_resolve(b, &aggregates))
		return NULL;
	if (!wf_query_part_is_object(&aggregates))
	{
		wf_query_complain(b, aggregates.path, NULL, "\"aggregates\" must be an object");
		return NULL;
	}
	fields = wf_query_part_fields(b, aggregates, n);
	named = palloc(sizeof(WfNamed) * (*n + 1));
	for (int i = 0; i < *n; i++)
	{
		int			start;

		wf_query_begin_output(b, outputs, fields[i].key, fields[i].value.path);
		start = b->sql.len;
		if (wf_query_part_resolve(b, &fields[i].value))
		{
			if (wf_query_part_is_object(&fields[i].value))
				append_aggregate(b, fields[i].key, fields[i].value);
			else
				wf_query_complain(b, fields[i].value.path, NULL, "aggregate \"%s\" must be an object",
								  wf_text_clip(fields[i].key));
		}
		named[i].name = fields[i].key;
		named[i].sql = pstrdup(b->sql.data + start);
		appendStringInfo(&b->sql, " AS %s", quote_identifier(fields[i].key));
	}
	return named;
}

void
wf_query_build_aggregate(WfBuild *b)
{
	WfOutputs outputs = {0};
	int			n_joins;
	int			n_named;
	WfConfigPart *joins = wf_query_take_tables(b, &n_joins);
	WfConfigPart group;
	WfNamed    *named;

	b->mode = WF_SINK_ROWS;
	appendStringInfoString(&b->sql, "SELECT ");
	if (wf_query_part_config(b, "groupBy", &group))
		wf_query_append_names(b, &outputs, group, "a column in \"groupBy\"");
	named = append_aggregates(b, &outputs, &n_named);
	if (outputs.n == 0 && b->n_complaints == 0 && !b->incomplete)
		wf_query_complain(b, NULL, NULL, "\"aggregates\" must not be missing or empty");
	wf_query_append_from(b, joins, n_joins);
	wf_query_append_group_by(b);
	/* the names of aggregates are known from here on only */
	b->named = named;
	b->n_named = n_named;
	wf_query_append_having(b);
	wf_query_append_order_by(b);
	wf_query_append_limits(b, false);
}
