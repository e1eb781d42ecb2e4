/*
 * names.c: the names in a config, looked up in the catalog.
 *
 * A name is written as it is in the catalog: `orders`, `app.orders`, `customerId`; letters are never
 * folded. Dots separate its parts; a part that holds a dot or a quote is written in double quotes, as
 * in SQL. What is not found is refused with the nearest name as a hint. What is found is written into
 * the statement qualified and quoted, so that no name from a config or from data is ever SQL.
 *
 * A column is `column`, `alias.column`, or either followed by steps into a jsonb column. Without an
 * alias it is the first table's that has it, in the order in which the config names them.
 *
 * The catalog is read through its caches and without locks: the statement's own preparation locks
 * what it uses, and fails as any statement does when something has just gone.
 */
#include "query/internal.h"

#include "access/genam.h"
#include "access/relation.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_index.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

/* Names looked at for a hint, at the most. */
#define MAX_CANDIDATES 10000

List *
wf_query_split(const char *name)
{
	List	   *parts = NIL;
	const char *at = name;

	for (;;)
	{
		StringInfoData part;

		initStringInfo(&part);
		if (*at == '"')
		{
			for (at++; *at != '"' || at[1] == '"'; at++)
			{
				if (*at == '\0')
					return NIL;
				if (*at == '"')
					at++;
				appendStringInfoChar(&part, *at);
			}
			at++;
		}
		else
		{
			while (*at != '\0' && *at != '.')
				appendStringInfoChar(&part, *at++);
		}
		if (part.len == 0)
			return NIL;
		parts = lappend(parts, part.data);
		if (*at == '\0')
			return parts;
		if (*at++ != '.')
			return NIL;
	}
}

/* -- tables -- */

const char *
wf_query_nearest_table(const char *schema, const char *name)
{
	Oid			schema_oid = schema != NULL ? get_namespace_oid(schema, true) : InvalidOid;
	List	   *searched = fetch_search_path(false);
	const char **candidates = palloc(sizeof(char *) * MAX_CANDIDATES);
	int			n = 0;
	Relation	pg_class = table_open(RelationRelationId, AccessShareLock);
	SysScanDesc scan = systable_beginscan(pg_class, InvalidOid, false, NULL, 0, NULL);
	HeapTuple	tuple;

	while (n < MAX_CANDIDATES && HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_class form = (Form_pg_class) GETSTRUCT(tuple);

		CHECK_FOR_INTERRUPTS();
		if (strchr("rpvmf", form->relkind) == NULL)
			continue;
		if (schema != NULL ? form->relnamespace == schema_oid : list_member_oid(searched, form->relnamespace))
			candidates[n++] = schema != NULL ? psprintf("%s.%s", schema, NameStr(form->relname))
				: pstrdup(NameStr(form->relname));
	}
	systable_endscan(scan);
	table_close(pg_class, AccessShareLock);
	return wf_text_did_you_mean(schema != NULL ? psprintf("%s.%s", schema, name) : name, candidates, n);
}

static WfQueryTable *
add_table(WfBuild *b)
{
	if (b->n_tables >= b->max_tables)
	{
		b->max_tables = b->max_tables == 0 ? 4 : b->max_tables * 2;
		b->tables = b->tables == NULL ? palloc(sizeof(WfQueryTable) * b->max_tables)
			: repalloc(b->tables, sizeof(WfQueryTable) * b->max_tables);
	}
	memset(&b->tables[b->n_tables], 0, sizeof(WfQueryTable));
	return &b->tables[b->n_tables++];
}

static bool
find_relation(WfBuild *b, WfQueryTable *table, const char *schema, const char *name, const char *written, const char *path)
{
	Oid			relid = InvalidOid;
	const char *schema_name;

	if (strlen(name) < NAMEDATALEN && (schema == NULL || strlen(schema) < NAMEDATALEN))
		relid = RangeVarGetRelid(makeRangeVar(unconstify(char *, schema), unconstify(char *, name), -1), NoLock, true);
	if (!OidIsValid(relid))
	{
		wf_query_complain_name(b, ERRCODE_UNDEFINED_TABLE, path, wf_query_nearest_table(schema, name),
							   "table \"%s\" does not exist", wf_text_clip(written));
		return false;
	}
	table->kind = get_rel_relkind(relid);
	schema_name = get_namespace_name(get_rel_namespace(relid));
	if (strchr("rpvmft", table->kind) == NULL || schema_name == NULL)
	{
		wf_query_complain_name(b, ERRCODE_WRONG_OBJECT_TYPE, path, NULL, "\"%s\" is not a table",
							   wf_text_clip(written));
		return false;
	}
	table->relid = relid;
	table->name = quote_qualified_identifier(schema_name, name);
	table->display = psprintf("%s.%s", schema_name, name);
	b->relations = list_append_unique_oid(b->relations, relid);
	return true;
}

static void
check_alias(WfBuild *b, WfQueryTable *table, const char *path)
{
	if (strlen(table->alias) >= NAMEDATALEN || table->alias[0] == '\0')
	{
		wf_query_complain(b, path, NULL, "alias \"%s\" must have between 1 and %d bytes",
						  wf_text_clip(table->alias), NAMEDATALEN - 1);
		table->alias = "t";
	}
	for (int i = 0; i < b->n_tables - 1; i++)
		if (strcmp(b->tables[i].alias, table->alias) == 0)
			wf_query_complain(b, path, "Give one of them another name with \"as\".",
							  "table name \"%s\" is used more than once", table->alias);
}

WfQueryTable *
wf_query_table(WfBuild *b, WfConfigPart shape, const char *alias)
{
	const char *written = wf_query_part_string(b, shape, "\"table\"");
	List	   *parts = written != NULL ? wf_query_split(written) : NIL;
	WfQueryTable *table = add_table(b);
	const char *schema = NULL;

	table->wild = true;
	table->kind = RELKIND_RELATION;
	table->relname = parts != NIL ? llast(parts) : "t";
	table->name = table->display = table->relname;
	if (written != NULL && (parts == NIL || list_length(parts) > 2))
		wf_query_complain_name(b, ERRCODE_UNDEFINED_TABLE, shape.path,
							   "A table is named \"table\" or \"schema.table\"; parts with dots are put in double quotes.",
							   "\"%s\" is not the name of a table", wf_text_clip(written));
	else if (written != NULL && !b->wild)
	{
		if (list_length(parts) == 2)
			schema = linitial(parts);
		table->wild = !find_relation(b, table, schema, llast(parts), written, shape.path);
	}
	table->alias = alias != NULL ? alias : table->relname;
	check_alias(b, table, shape.path);
	return table;
}

WfQueryTable *
wf_query_config_table(WfBuild *b)
{
	WfConfigPart name;
	WfConfigPart as;
	const char *alias = NULL;

	if (wf_query_part_config(b, "as", &as))
		alias = wf_query_part_string(b, as, "\"as\"");
	if (!wf_query_part_config(b, "table", &name))
	{
		JsonbValue	missing;

		wf_query_complain(b, NULL, NULL, "\"table\" is missing");
		wf_json_set_string(&missing, "t", 1);
		name = (WfConfigPart) {wf_query_part_constant(&missing), true, b->statement->path};
	}
	return wf_query_table(b, name, alias);
}

void
wf_query_append_table(WfBuild *b, const WfQueryTable *table)
{
	appendStringInfoString(&b->sql, table->name);
	if (strcmp(table->alias, table->relname) != 0)
		appendStringInfo(&b->sql, " AS %s", quote_identifier(table->alias));
}

bool
wf_query_is_unique(WfBuild *b, const WfQueryTable *table, const Bitmapset *pinned)
{
	Relation	relation;
	ListCell   *cell;
	bool		found = false;

	if (table->wild || table->kind != RELKIND_RELATION || bms_is_empty(unconstify(Bitmapset *, pinned)))
		return false;
	relation = try_relation_open(table->relid, AccessShareLock);
	if (relation == NULL)
		return false;
	foreach(cell, relation->rd_rel->relhassubclass ? NIL : RelationGetIndexList(relation))
	{
		HeapTuple	tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(lfirst_oid(cell)));
		Form_pg_index index;

		if (!HeapTupleIsValid(tuple))
			continue;
		index = (Form_pg_index) GETSTRUCT(tuple);
		if (!found && index->indisunique && index->indimmediate && index->indisvalid && index->indislive &&
			heap_attisnull(tuple, Anum_pg_index_indpred, NULL) && heap_attisnull(tuple, Anum_pg_index_indexprs, NULL))
		{
			found = true;
			for (int i = 0; i < index->indnkeyatts; i++)
				found = found && bms_is_member(index->indkey.values[i], unconstify(Bitmapset *, pinned));
		}
		ReleaseSysCache(tuple);
	}
	relation_close(relation, AccessShareLock);
	return found;
}

/* -- columns -- */

List *
wf_query_columns(WfQueryTable *table)
{
	List	   *names = NIL;
	int			n = 0;
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(table->relid));

	if (!HeapTupleIsValid(tuple))
		return NIL;
	n = ((Form_pg_class) GETSTRUCT(tuple))->relnatts;
	ReleaseSysCache(tuple);
	for (int i = 1; i <= n; i++)
	{
		char	   *name = get_attname(table->relid, i, true);

		if (name != NULL && SearchSysCacheExistsAttName(table->relid, name))
			names = lappend(names, name);
	}
	return names;
}

static const char *
nearest_column(WfBuild *b, WfQueryTable *only, const char *name)
{
	List	   *names = NIL;
	const char **candidates;
	ListCell   *cell;
	int			n = 0;

	for (int i = 0; i < b->n_tables; i++)
		if (!b->tables[i].wild && (only == NULL || only == &b->tables[i]))
			names = list_concat(names, wf_query_columns(&b->tables[i]));
	for (int i = 0; i < b->n_named && only == NULL; i++)
		names = lappend(names, unconstify(char *, b->named[i].name));
	candidates = palloc(sizeof(char *) * (list_length(names) + 1));
	foreach(cell, names)
		candidates[n++] = lfirst(cell);
	return wf_text_did_you_mean(name, candidates, n);
}

/* The column of this name in one table; false when it has none. */
static bool
find_column(WfQueryTable *table, const char *name, WfColumn *out)
{
	HeapTuple	tuple;
	Form_pg_attribute attribute;

	if (table->wild)
	{
		out->type = UNKNOWNOID;
		out->attnum = 1;
	}
	else
	{
		if (strlen(name) >= NAMEDATALEN)
			return false;
		tuple = SearchSysCacheAttName(table->relid, name);
		if (!HeapTupleIsValid(tuple))
			return false;
		attribute = (Form_pg_attribute) GETSTRUCT(tuple);
		out->type = getBaseType(attribute->atttypid);
		out->attnum = attribute->attnum;
		ReleaseSysCache(tuple);
		if (out->attnum <= 0)
			return false;
	}
	out->table = table;
	out->name = name;
	out->sql = psprintf("%s.%s", quote_identifier(table->alias), pstrdup(quote_identifier(name)));
	out->label = psprintf("%s.%s", table->alias, name);
	return true;
}

static WfQueryTable *
table_by_alias(WfBuild *b, const char *alias)
{
	for (int i = 0; i < b->n_tables; i++)
		if (strcmp(b->tables[i].alias, alias) == 0)
			return &b->tables[i];
	return NULL;
}

/* Takes what follows the column's name as steps into it; false after a complaint. */
static bool
take_path(WfBuild *b, List *parts, int first, const char *path, WfColumn *out)
{
	out->n_path = list_length(parts) - first;
	if (out->n_path == 0)
		return true;
	out->is_json = out->type == JSONOID;
	if (out->type != JSONBOID && out->type != JSONOID && !out->table->wild)
	{
		wf_query_complain_name(b, ERRCODE_UNDEFINED_COLUMN, path,
							   "Only columns of type jsonb or json have parts.",
							   "column \"%s\" is of type %s and has no part \"%s\"", out->label,
							   format_type_be(out->type), wf_text_clip(list_nth(parts, first)));
		return false;
	}
	out->path = palloc(sizeof(char *) * out->n_path);
	for (int i = 0; i < out->n_path; i++)
	{
		out->path[i] = list_nth(parts, first + i);
		out->label = psprintf("%s.%s", out->label, out->path[i]);
	}
	out->name = out->path[out->n_path - 1];
	return true;
}

static bool
find_named(WfBuild *b, const char *name, WfColumn *out)
{
	for (int i = 0; i < b->n_named; i++)
	{
		if (strcmp(b->named[i].name, name) != 0)
			continue;
		out->sql = b->named[i].sql;
		out->label = out->name = b->named[i].name;
		out->type = UNKNOWNOID;
		return true;
	}
	return false;
}

bool
wf_query_column(WfBuild *b, const char *name, const char *path, WfColumn *out)
{
	List	   *parts = wf_query_split(name);
	WfQueryTable *table;

	memset(out, 0, sizeof(WfColumn));
	if (parts == NIL)
	{
		wf_query_complain_name(b, ERRCODE_UNDEFINED_COLUMN, path,
							   "Parts are separated by dots; one that holds dots is put in double quotes.",
							   "\"%s\" is not the name of a column", wf_text_clip(name));
		return false;
	}
	if (find_named(b, name, out))
		return true;
	table = list_length(parts) > 1 ? table_by_alias(b, linitial(parts)) : NULL;
	if (table != NULL && find_column(table, lsecond(parts), out))
		return take_path(b, parts, 2, path, out);
	for (int i = 0; i < b->n_tables; i++)
		if (find_column(&b->tables[i], linitial(parts), out))
			return take_path(b, parts, 1, path, out);
	wf_query_complain_name(b, ERRCODE_UNDEFINED_COLUMN, path,
						   nearest_column(b, table, table != NULL ? lsecond(parts) : linitial(parts)),
						   "column \"%s\" does not exist in %s", wf_text_clip(name),
						   table != NULL ? table->display : b->n_tables == 1 ? b->tables[0].display : "the tables named");
	return false;
}

bool
wf_query_target(WfBuild *b, WfQueryTable *table, const char *name, const char *path, WfColumn *out)
{
	List	   *parts = wf_query_split(name);
	const char *column = list_length(parts) == 1 ? linitial(parts) : NULL;

	memset(out, 0, sizeof(WfColumn));
	if (list_length(parts) == 2 && strcmp(linitial(parts), table->alias) == 0)
		column = lsecond(parts);
	if (column != NULL && find_column(table, column, out))
		return true;
	wf_query_complain_name(b, ERRCODE_UNDEFINED_COLUMN, path, nearest_column(b, table, name),
						   "column \"%s\" does not exist in %s", wf_text_clip(name), table->display);
	return false;
}
