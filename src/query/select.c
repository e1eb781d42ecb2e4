/*
 * select.c: db.find and db.findOne as SQL, and the clauses that db.aggregate shares.
 *
 * Names of members of a row: those of `select` as an object; else the column's own name, or, when
 * that is taken by an earlier one, the name as it was written (`c.id`). Without `select` it is all
 * columns of all tables, by the same rule.
 */
#include "query/internal.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"

static bool
is_taken(const WfOutputs *outputs, const char *name)
{
	for (int i = 0; i < outputs->n; i++)
		if (strcmp(outputs->names[i], name) == 0)
			return true;
	return false;
}

/* ` AS name`, with a comma before all but the first. */
void
wf_query_begin_output(WfBuild *b, WfOutputs *outputs, const char *name, const char *path)
{
	if (strlen(name) >= NAMEDATALEN || name[0] == '\0')
		wf_query_complain(b, path, NULL, "name \"%s\" must have between 1 and %d bytes", wf_text_clip(name),
						  NAMEDATALEN - 1);
	if (outputs->n >= outputs->max)
	{
		outputs->max = outputs->max == 0 ? 16 : outputs->max * 2;
		outputs->names = outputs->names == NULL ? palloc(sizeof(char *) * outputs->max)
			: repalloc(outputs->names, sizeof(char *) * outputs->max);
	}
	if (outputs->n > 0)
		appendStringInfoString(&b->sql, ", ");
	outputs->names[outputs->n++] = name;
}

static void
append_column_as(WfBuild *b, WfOutputs *outputs, const WfColumn *column, const char *name, const char *path)
{
	wf_query_begin_output(b, outputs, name, path);
	appendStringInfoString(&b->sql, wf_query_column_json(column));
	if (column->n_path > 0 || column->table == NULL || strcmp(column->name, name) != 0)
		appendStringInfo(&b->sql, " AS %s", quote_identifier(name));
}

static void
append_all_columns(WfBuild *b, WfOutputs *outputs, WfQueryTable *table)
{
	ListCell   *cell;

	if (table->wild)
	{
		wf_query_begin_output(b, outputs, "*", NULL);
		appendStringInfo(&b->sql, "%s.*", quote_identifier(table->alias));
		return;
	}
	foreach(cell, wf_query_columns(table))
	{
		const char *name = lfirst(cell);
		WfColumn	column = {.table = table, .name = name};

		column.sql = psprintf("%s.%s", quote_identifier(table->alias), pstrdup(quote_identifier(name)));
		append_column_as(b, outputs, &column,
						 is_taken(outputs, name) ? psprintf("%s.%s", table->alias, name) : name, NULL);
	}
}

/* One string of `select`: a column, `*` or `alias.*`. */
static void
append_selected(WfBuild *b, WfOutputs *outputs, const char *written, const char *path)
{
	WfColumn	column;
	int			length = strlen(written);

	if (strcmp(written, "*") == 0)
	{
		for (int i = 0; i < b->n_tables; i++)
			append_all_columns(b, outputs, &b->tables[i]);
		return;
	}
	if (length > 2 && strcmp(written + length - 2, ".*") == 0)
	{
		char	   *alias = pnstrdup(written, length - 2);

		for (int i = 0; i < b->n_tables; i++)
			if (strcmp(b->tables[i].alias, alias) == 0)
			{
				append_all_columns(b, outputs, &b->tables[i]);
				return;
			}
	}
	if (wf_query_column(b, written, path, &column))
		append_column_as(b, outputs, &column, is_taken(outputs, column.name) ? written : column.name, path);
}

static void
append_select_object(WfBuild *b, WfOutputs *outputs, WfConfigPart select)
{
	int			n;
	WfConfigField *fields = wf_query_part_fields(b, select, &n);

	for (int i = 0; i < n; i++)
	{
		WfConfigPart sql;
		WfConfigPart params;
		WfColumn	column;
		const char *written;

		if (wf_query_part_is_special(b, fields[i].value, "$expr", "params", &sql, &params))
		{
			wf_query_begin_output(b, outputs, fields[i].key, fields[i].value.path);
			wf_query_expr(b, sql, params.tpl != NULL ? &params : NULL, fields[i].key);
			appendStringInfo(&b->sql, " AS %s", quote_identifier(fields[i].key));
			continue;
		}
		written = wf_query_part_string(b, fields[i].value, "a column in \"select\"");
		if (written != NULL && wf_query_column(b, written, fields[i].value.path, &column))
			append_column_as(b, outputs, &column, fields[i].key, fields[i].value.path);
	}
}

void
wf_query_append_names(WfBuild *b, WfOutputs *outputs, WfConfigPart list, const char *what)
{
	int			n;
	const char **names = wf_query_part_strings(b, list, what, &n);

	for (int i = 0; i < n; i++)
		append_selected(b, outputs, names[i], list.path);
}

static void
append_select(WfBuild *b)
{
	WfOutputs outputs = {0};
	WfConfigPart select;

	appendStringInfoString(&b->sql, "SELECT ");
	if (wf_query_part_config(b, "select", &select))
	{
		if (!wf_query_part_resolve(b, &select))
			return;
		if (wf_query_part_is_object(&select))
			append_select_object(b, &outputs, select);
		else
			wf_query_append_names(b, &outputs, select, "a column in \"select\"");
		if (outputs.n == 0 && b->n_complaints == 0 && !b->incomplete)
			wf_query_complain(b, select.path, NULL, "\"select\" must not be empty");
		return;
	}
	if (wf_query_part_config(b, "groupBy", &select))
	{
		wf_query_append_names(b, &outputs, select, "a column in \"groupBy\"");
		return;
	}
	for (int i = 0; i < b->n_tables; i++)
		append_all_columns(b, &outputs, &b->tables[i]);
}

/* -- tables -- */

static const char *
join_words(WfBuild *b, WfConfigPart join)
{
	static const char *const types[] = {"inner", "left", "right", "full"};
	static const char *const words[] = {" JOIN ", " LEFT JOIN ", " RIGHT JOIN ", " FULL JOIN "};
	WfConfigPart type;
	const char *name;

	if (!wf_query_part_member(b, join, "type", &type) || wf_query_part_is_null(&type))
		return words[0];
	name = wf_query_part_string(b, type, "the type of a join");
	for (int i = 0; name != NULL && i < lengthof(types); i++)
		if (strcmp(name, types[i]) == 0)
			return words[i];
	if (name != NULL)
		wf_query_complain(b, type.path, "It is one of inner, left, right, full.", "unknown type of join \"%s\"",
						  wf_text_clip(name));
	return words[0];
}

/* Does a condition, or one of those in its `and` and `or`, name a column with `$col`? */
static bool
has_col(WfBuild *b, WfConfigPart on)
{
	WfConfigField *fields;
	WfConfigPart ignored;
	int			n;

	check_stack_depth();
	if (wf_query_part_is_array(&on))
	{
		WfConfigPart *items = wf_query_part_items(b, on, &n);

		for (int i = 0; i < n; i++)
			if (has_col(b, items[i]))
				return true;
		return false;
	}
	if (!wf_query_part_is_object(&on))
		return false;
	if (wf_query_part_member(b, on, "$col", &ignored))
		return true;
	fields = wf_query_part_fields(b, on, &n);
	for (int i = 0; i < n; i++)
		if (has_col(b, fields[i].value))
			return true;
	return false;
}

/* `on` has columns on both sides, or is a condition like any other, in which `$col` stands for a column. */
static void
append_join(WfBuild *b, WfConfigPart join, int index)
{
	WfConfigPart on;

	appendStringInfoString(&b->sql, join_words(b, join));
	wf_query_append_table(b, &b->tables[index]);
	appendStringInfoString(&b->sql, " ON ");
	if (wf_query_part_member(b, join, "on", &on) && !wf_query_part_is_null(&on))
	{
		wf_query_where(b, on, !has_col(b, on));
		if (b->n_conditions > 0 || b->incomplete)
			return;
	}
	wf_query_complain(b, join.path, NULL, "a join must have a condition in \"on\"");
}

/* All tables come into scope before anything refers to them. */
WfConfigPart *
wf_query_take_tables(WfBuild *b, int *n_joins)
{
	WfConfigPart list;
	WfConfigPart *joins;

	*n_joins = 0;
	(void) wf_query_config_table(b);
	if (!wf_query_part_config(b, "joins", &list) || !wf_query_part_resolve(b, &list))
		return NULL;
	if (!wf_query_part_is_array(&list))
	{
		wf_query_complain(b, list.path, NULL, "\"joins\" must be an array");
		return NULL;
	}
	joins = wf_query_part_items(b, list, n_joins);
	for (int i = 0; i < *n_joins; i++)
	{
		WfConfigPart table;
		WfConfigPart as;
		const char *alias = NULL;

		if (!wf_query_part_resolve(b, &joins[i]) || !wf_query_part_member(b, joins[i], "table", &table))
		{
			if (!b->incomplete)
				wf_query_complain(b, joins[i].path, NULL, "a join must have a \"table\"");
			*n_joins = i;
			break;
		}
		if (wf_query_part_member(b, joins[i], "as", &as) && !wf_query_part_is_null(&as))
			alias = wf_query_part_string(b, as, "\"as\"");
		(void) wf_query_table(b, table, alias);
	}
	return joins;
}

void
wf_query_append_from(WfBuild *b, WfConfigPart *joins, int n_joins)
{
	appendStringInfoString(&b->sql, " FROM ");
	wf_query_append_table(b, &b->tables[0]);
	for (int i = 0; i < n_joins; i++)
		append_join(b, joins[i], i + 1);
	wf_query_append_where(b, false);
}

/* -- groups and order -- */

void
wf_query_append_group_by(WfBuild *b)
{
	WfConfigPart list;
	const char **names;
	int			n;

	if (!wf_query_part_config(b, "groupBy", &list))
		return;
	names = wf_query_part_strings(b, list, "a column in \"groupBy\"", &n);
	for (int i = 0; i < n; i++)
	{
		WfColumn	column;

		appendStringInfoString(&b->sql, i == 0 ? " GROUP BY " : ", ");
		if (wf_query_column(b, names[i], list.path, &column))
			appendStringInfoString(&b->sql, wf_query_column_json(&column));
	}
}

void
wf_query_append_having(WfBuild *b)
{
	WfConfigPart having;

	if (!wf_query_part_config(b, "having", &having))
		return;
	appendStringInfoString(&b->sql, " HAVING ");
	wf_query_where(b, having, false);
}

static void
append_order_item(WfBuild *b, const char *name, const char *direction, const char *nulls, const char *path)
{
	WfColumn	column;

	if (wf_query_column(b, name, path, &column))
		appendStringInfoString(&b->sql, wf_query_column_json(&column));
	if (pg_strcasecmp(direction, "desc") == 0)
		appendStringInfoString(&b->sql, " DESC");
	else if (pg_strcasecmp(direction, "asc") != 0)
		wf_query_complain(b, path, "It is asc or desc.", "unknown direction \"%s\"", wf_text_clip(direction));
	if (nulls == NULL)
		return;
	if (pg_strcasecmp(nulls, "first") == 0)
		appendStringInfoString(&b->sql, " NULLS FIRST");
	else if (pg_strcasecmp(nulls, "last") == 0)
		appendStringInfoString(&b->sql, " NULLS LAST");
	else
		wf_query_complain(b, path, "It is first or last.", "unknown place of nulls \"%s\"", wf_text_clip(nulls));
}

/* `name [asc|desc] [nulls first|last]`; a name with blanks is in double quotes. */
static void
append_order_string(WfBuild *b, const char *written, const char *path)
{
	const char *end = written;
	char	   *words[4];
	int			n = 0;
	char	   *rest;
	bool		quoted = false;
	const char *direction = "asc";
	const char *nulls = NULL;
	int			at = 0;

	while (*end != '\0' && (quoted || *end != ' '))
		quoted ^= *end++ == '"';
	rest = pstrdup(end);
	for (char *word = strtok_r(rest, " ", &rest); word != NULL && n < 4; word = strtok_r(NULL, " ", &rest))
		words[n++] = word;
	if (at < n && (pg_strcasecmp(words[at], "asc") == 0 || pg_strcasecmp(words[at], "desc") == 0))
		direction = words[at++];
	if (at + 1 < n && pg_strcasecmp(words[at], "nulls") == 0)
	{
		nulls = words[at + 1];
		at += 2;
	}
	if (at != n || end == written)
		wf_query_complain(b, path, "Write \"column\", \"column desc\" or \"column desc nulls last\".",
						  "\"%s\" is not an order", wf_text_clip(written));
	append_order_item(b, pnstrdup(written, end - written), direction, nulls, path);
}

static const char *
order_member(WfBuild *b, WfConfigPart item, const char *key, const char *otherwise)
{
	WfConfigPart member;
	const char *string;

	if (!wf_query_part_member(b, item, key, &member) || wf_query_part_is_null(&member))
		return otherwise;
	string = wf_query_part_string(b, member, psprintf("\"%s\" in \"orderBy\"", key));
	return string != NULL ? string : otherwise;
}

void
wf_query_append_order_by(WfBuild *b)
{
	WfConfigPart list;
	WfConfigPart *items = &list;
	int			n = 1;

	if (!wf_query_part_config(b, "orderBy", &list) || !wf_query_part_resolve(b, &list))
		return;
	if (wf_query_part_is_array(&list))
		items = wf_query_part_items(b, list, &n);
	for (int i = 0; i < n; i++)
	{
		const char *written;

		appendStringInfoString(&b->sql, i == 0 ? " ORDER BY " : ", ");
		if (!wf_query_part_resolve(b, &items[i]))
			continue;
		if (wf_query_part_is_object(&items[i]))
		{
			written = order_member(b, items[i], "column", NULL);
			if (written != NULL)
				append_order_item(b, written, order_member(b, items[i], "direction", "asc"),
								  order_member(b, items[i], "nulls", NULL), items[i].path);
			else if (!b->incomplete)
				wf_query_complain(b, items[i].path, NULL, "an order must have a \"column\"");
			continue;
		}
		written = wf_query_part_string(b, items[i], "an order in \"orderBy\"");
		if (written != NULL)
			append_order_string(b, written, items[i].path);
	}
}

/* The first row of a look-up by a unique key is the only one: there a Limit node is a cost and no use. */
void
wf_query_append_limits(WfBuild *b, bool is_unique)
{
	WfConfigPart value;

	if (b->statement->kind == WF_QUERY_FIND_ONE)
		appendStringInfoString(&b->sql, is_unique ? "" : " LIMIT 1");
	else if (wf_query_part_config(b, "limit", &value))
	{
		(void) wf_query_param(b, value, INT8OID, WF_PICK_COUNT, "limit");
		appendStringInfo(&b->sql, " LIMIT $%d", b->n_params);
	}
	if (wf_query_part_config(b, "offset", &value))
	{
		(void) wf_query_param(b, value, INT8OID, WF_PICK_COUNT, "offset");
		appendStringInfo(&b->sql, " OFFSET $%d", b->n_params);
	}
}

static void
append_lock(WfBuild *b)
{
	static const char *const names[] = {"none", "update", "share", "skipLocked"};
	static const char *const words[] = {NULL, "FOR UPDATE", "FOR SHARE", "FOR UPDATE"};
	WfConfigPart lock;
	const char *name;

	if (!wf_query_part_config(b, "lock", &lock))
		return;
	name = wf_query_part_string(b, lock, "\"lock\"");
	for (int i = 0; name != NULL && i < lengthof(names); i++)
	{
		if (strcmp(name, names[i]) != 0)
			continue;
		if (words[i] != NULL)
			appendStringInfo(&b->sql, " %s OF %s%s", words[i], quote_identifier(b->tables[0].alias),
							 i == 3 ? " SKIP LOCKED" : "");
		return;
	}
	if (name != NULL)
		wf_query_complain(b, lock.path, "It is one of none, update, share, skipLocked.", "unknown lock \"%s\"",
						  wf_text_clip(name));
}

void
wf_query_build_find(WfBuild *b)
{
	int			n_joins;
	WfConfigPart *joins = wf_query_take_tables(b, &n_joins);
	bool		is_unique;

	b->mode = b->statement->kind == WF_QUERY_FIND_ONE ? WF_SINK_FIRST : WF_SINK_ROWS;
	append_select(b);
	wf_query_append_from(b, joins, n_joins);
	is_unique = n_joins == 0 && wf_query_is_unique(b, &b->tables[0], b->pinned);
	wf_query_append_group_by(b);
	wf_query_append_having(b);
	wf_query_append_order_by(b);
	wf_query_append_limits(b, is_unique);
	append_lock(b);
}
