/*
 * row_check.c: can a `trigger.row` node have its triggers?
 *
 * Looked at when a version is saved, as whoever saves it, so that what PostgreSQL would refuse when the version is activated is said at
 * once, with the place in the definition; and what would be an error at each firing, as well: a `when` that reads a column
 * that is not there, or the old row of an INSERT. Parts of `when` that an event never reaches
 * (`$trigger.op === "UPDATE" && $trigger.old.x`) may read what the event does not have.
 */
#include "query/internal.h"

#include "access/transam.h"
#include "catalog/namespace.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "catalog/pg_namespace.h"
#include "miscadmin.h"
#include "query/row_trigger.h"
#include "query/when.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

typedef struct Check
{
	const WfRowConfig *config;
	const char *node;
	const char *path;
	WfDiagnostics *found;
	Oid			relid;
	char		kind;
	const char *display;		/* schema.table */
	/* of `when` */
	WfWhenTable table;
	List	   *told;			/* complaints about names, which are the same for each event */
} Check;

static void
refuse(Check *check, int sqlstate, const char *key, const char *hint, const char *message)
{
	wf_diagnostics_add(check->found, WF_SEVERITY_ERROR, sqlstate, check->node, psprintf("%s.%s", check->path, key), hint, "%s",
					   message);
}

/* -- the table -- */

static void
not_found(Check *check, const char *schema, const char *name)
{
	refuse(check, ERRCODE_UNDEFINED_TABLE, "table", wf_query_nearest_table(schema, name),
		   psprintf("table \"%s\" does not exist", wf_text_clip(check->config->table)));
}

/* Looks the name up as the db blocks do: in a schema, or in the search_path. */
static bool
resolve(Check *check)
{
	List	   *parts = wf_query_split(check->config->table);
	const char *schema = list_length(parts) == 2 ? linitial(parts) : NULL;
	const char *name = parts != NIL ? llast(parts) : NULL;
	Oid			namespace;

	if (parts == NIL || list_length(parts) > 2)
	{
		refuse(check, ERRCODE_UNDEFINED_TABLE, "table",
			   "A table is named \"table\" or \"schema.table\"; parts with dots are put in double quotes.",
			   psprintf("\"%s\" is not the name of a table", wf_text_clip(check->config->table)));
		return false;
	}
	if (strlen(name) < NAMEDATALEN && schema == NULL)
		check->relid = RelnameGetRelid(name);
	else if (strlen(name) < NAMEDATALEN && strlen(schema) < NAMEDATALEN)
	{
		namespace = get_namespace_oid(schema, true);
		if (OidIsValid(namespace) && !wf_compat_may_use_schema(namespace, GetUserId()))
		{
			refuse(check, ERRCODE_INSUFFICIENT_PRIVILEGE, "table", NULL, psprintf("permission denied for schema %s", schema));
			return false;
		}
		if (OidIsValid(namespace))
			check->relid = get_relname_relid(name, namespace);
	}
	if (!OidIsValid(check->relid))
		not_found(check, schema, name);
	return OidIsValid(check->relid);
}

static bool
is_of_system(Oid relid, const char *schema)
{
	return relid < FirstNormalObjectId || strcmp(schema, "information_schema") == 0 || strcmp(schema, "pg_catalog") == 0 ||
		strcmp(schema, "pg_toast") == 0 || strcmp(schema, "wf") == 0;
}

static bool
check_table(Check *check)
{
	const char *schema = get_namespace_name(get_rel_namespace(check->relid));
	const char *name = get_rel_name(check->relid);

	if (schema == NULL || name == NULL)
	{
		not_found(check, NULL, check->config->table);
		return false;
	}
	check->display = psprintf("%s.%s", schema, name);
	check->kind = get_rel_relkind(check->relid);
	if (is_of_system(check->relid, schema))
		refuse(check, ERRCODE_INSUFFICIENT_PRIVILEGE, "table", NULL,
			   psprintf("\"%s\" is a system table, which has no triggers", check->display));
	else if (strchr("rpvf", check->kind) == NULL)
		refuse(check, ERRCODE_WRONG_OBJECT_TYPE, "table", "Triggers are of tables, partitioned and foreign tables, and views.",
			   psprintf("\"%s\" cannot have triggers", check->display));
	else if (get_rel_persistence(check->relid) == RELPERSISTENCE_TEMP)
		refuse(check, ERRCODE_WRONG_OBJECT_TYPE, "table", NULL,
			   psprintf("\"%s\" is a temporary table, which ends with its session", name));
	else if (pg_class_aclcheck(check->relid, GetUserId(), ACL_TRIGGER) != ACLCHECK_OK)
		refuse(check, ERRCODE_INSUFFICIENT_PRIVILEGE, "table", "Whoever saves the workflow needs the TRIGGER privilege on the table.",
			   psprintf("permission denied for table %s", name));
	else if (check->config->replica && !wf_compat_owns_table(check->relid, GetUserId()))
		refuse(check, ERRCODE_INSUFFICIENT_PRIVILEGE, "replica", NULL,
			   psprintf("\"replica\" needs the ownership of table %s", name));
	else
		return true;
	return false;
}

/* What PostgreSQL's triggers cannot do. */
static void
check_level(Check *check)
{
	const WfRowConfig *config = check->config;
	bool		truncates = (config->events & WF_ROW_BIT(WF_ROW_TRUNCATE)) != 0;
	bool		changes = (config->events & ~WF_ROW_BIT(WF_ROW_TRUNCATE)) != 0;

	if (check->kind == RELKIND_VIEW && (config->by_statement || truncates))
		refuse(check, ERRCODE_WRONG_OBJECT_TYPE, truncates ? "events" : "level", NULL,
			   psprintf("\"%s\" is a view, whose triggers are of rows that are inserted, updated or deleted", check->display));
	else if (check->kind == RELKIND_FOREIGN_TABLE && config->by_statement && changes)
		refuse(check, ERRCODE_WRONG_OBJECT_TYPE, "level", "Use the level \"row\".",
			   psprintf("\"%s\" is a foreign table, whose rows a statement's trigger cannot see", check->display));
	else if (check->kind == RELKIND_FOREIGN_TABLE && truncates && !WF_COMPAT_FOREIGN_TRUNCATE)
		refuse(check, ERRCODE_WRONG_OBJECT_TYPE, "events", NULL,
			   psprintf("\"%s\" is a foreign table, which has no triggers for TRUNCATE", check->display));
	if (config->by_statement && config->n_columns > 0)
		refuse(check, ERRCODE_FEATURE_NOT_SUPPORTED, "columns", "Use the level \"row\", or leave the columns out.",
			   "a statement's trigger cannot have columns");
}

/* -- columns -- */

static const char *
nearest_column(Check *check, const char *name)
{
	WfQueryTable table = {.relid = check->relid};
	List	   *names = wf_query_columns(&table);
	const char **candidates = palloc(sizeof(char *) * (list_length(names) + 1));
	ListCell   *cell;
	int			n = 0;

	foreach(cell, names)
		candidates[n++] = lfirst(cell);
	return wf_text_did_you_mean(name, candidates, n);
}

/* 0 when there is none that a row has. */
static AttrNumber
column_number(Oid relid, const char *name, bool *is_virtual)
{
	HeapTuple	tuple = strlen(name) < NAMEDATALEN ? SearchSysCacheAttName(relid, name) : NULL;
	AttrNumber	number = 0;

	*is_virtual = false;
	if (!HeapTupleIsValid(tuple))
		return 0;
	number = ((Form_pg_attribute) GETSTRUCT(tuple))->attnum;
	*is_virtual = WF_COMPAT_IS_VIRTUAL(((Form_pg_attribute) GETSTRUCT(tuple))->attgenerated);
	ReleaseSysCache(tuple);
	return Max(number, 0);
}

static void
check_columns(Check *check)
{
	Bitmapset  *seen = NULL;
	bool		is_virtual;

	for (int i = 0; i < check->config->n_columns; i++)
	{
		const char *name = check->config->columns[i];
		AttrNumber	number = column_number(check->relid, name, &is_virtual);

		if (number == 0)
			refuse(check, ERRCODE_UNDEFINED_COLUMN, "columns", nearest_column(check, name),
				   psprintf("column \"%s\" does not exist in %s", wf_text_clip(name), check->display));
		else if (bms_is_member(number, seen))
			refuse(check, ERRCODE_DUPLICATE_COLUMN, "columns", NULL, psprintf("column \"%s\" is named twice", name));
		seen = bms_add_member(seen, number);
	}
}

/* -- when -- */

static void
refuse_when(Check *check, const WfExprNode *at, int sqlstate, const char *hint, const char *message)
{
	ListCell   *cell;

	message = psprintf("%s, at position %d", message, wf_expr_tree_position(check->config->when, at));
	foreach(cell, check->told)
		if (strcmp(lfirst(cell), message) == 0)
			return;
	check->told = lappend(check->told, unconstify(char *, message));
	refuse(check, sqlstate, "when", hint, message);
}

static void
check_column_read(Check *check, const WfTree *path, const WfTreeStep *step)
{
	bool		is_virtual;
	const char *name;

	if (step->key == NULL)
		return;
	name = pnstrdup(step->key, step->len);
	if (column_number(check->relid, name, &is_virtual) == 0)
		refuse_when(check, path->node, ERRCODE_UNDEFINED_COLUMN, nearest_column(check, name),
					psprintf("column \"%s\" does not exist in %s", wf_text_clip(name), check->display));
	else if (is_virtual)
		refuse_when(check, path->node, ERRCODE_FEATURE_NOT_SUPPORTED, "Only stored generated columns are part of a row.",
					psprintf("column \"%s\" is a virtual generated column", name));
}

static void
check_path(Check *check, const WfTree *path)
{
	static const char *const parts[] = {"op", "schema", "table", "new", "old"};
	WfRowEvent	event = check->table.event;
	WfTreeStep	side;
	WfTreeStep	step = {0};
	const char *name;
	bool		is_old;

	if (path->root != WF_ROOT_TRIGGER)
	{
		refuse_when(check, path->node, WF_ERRCODE_EXPRESSION_INVALID, NULL, "nothing but $trigger is known in \"when\"");
		return;
	}
	if (path->n_steps == 0)
		return;
	wf_expr_tree_step(path, 0, &side);
	name = side.key != NULL ? pnstrdup(side.key, side.len) : psprintf("%u", side.index);
	is_old = strcmp(name, "old") == 0;
	if (!is_old && strcmp(name, "new") != 0)
	{
		if (strcmp(name, "op") != 0 && strcmp(name, "schema") != 0 && strcmp(name, "table") != 0)
			refuse_when(check, path->node, WF_ERRCODE_EXPRESSION_INVALID, wf_text_did_you_mean(name, parts, lengthof(parts)),
						psprintf("$trigger has no \"%s\" here", wf_text_clip(name)));
		return;
	}
	if (path->n_steps < 2)
		return;
	wf_expr_tree_step(path, 1, &step);
	if (!(is_old ? wf_query_row_has_old(event) : wf_query_row_has_new(event)))
	{
		if (!step.optional)
			refuse_when(check, path->node, WF_ERRCODE_EXPRESSION_INVALID,
						psprintf("Ask for $trigger.op first, or write $trigger.%s?.", name),
						psprintf("$trigger.%s is null on %s", name, wf_query_row_op(event)));
	}
	if (!check->config->by_statement)
		check_column_read(check, path, &step);
}

static void visit(const WfExprNode *node, void *arg);

/* The second side of a logical operator, unless the first decides for every row. */
static void
visit_logical(Check *check, const WfTree *tree)
{
	WfWhenOperand left;
	bool		value;

	visit(tree->part[0], check);
	if (tree->kind == WF_TREE_COALESCE)
	{
		wf_query_when_operand(&check->table, tree->part[0], &left);
		if (left.kind == WF_WHEN_ROW || (left.kind == WF_WHEN_CONSTANT && left.value.kind > WF_TREE_NULL))
			return;
	}
	else if (wf_query_when_folds(&check->table, tree->part[0], &value) && value == (tree->kind == WF_TREE_OR))
		return;
	visit(tree->part[1], check);
}

static void
visit(const WfExprNode *node, void *arg)
{
	Check	   *check = arg;
	WfTree		tree;
	bool		value;

	check_stack_depth();
	CHECK_FOR_INTERRUPTS();
	wf_expr_tree_look(node, &tree);
	switch (tree.kind)
	{
		case WF_TREE_PATH:
			check_path(check, &tree);
			return;
		case WF_TREE_AND:
		case WF_TREE_OR:
		case WF_TREE_COALESCE:
			visit_logical(check, &tree);
			return;
		case WF_TREE_IF:
			visit(tree.part[0], check);
			if (wf_query_when_folds(&check->table, tree.part[0], &value))
			{
				visit(tree.part[value ? 1 : 2], check);
				return;
			}
			visit(tree.part[1], check);
			visit(tree.part[2], check);
			return;
		default:
			wf_expr_tree_parts(node, visit, check);
			return;
	}
}

static void
check_when(Check *check)
{
	for (int i = 0; i < WF_ROW_EVENTS; i++)
		if (check->config->events & WF_ROW_BIT(i))
		{
			check->table = (WfWhenTable) {check->relid, (WfRowEvent) i, check->config->by_statement, check->config->when,
				false};
			visit(wf_expr_tree_root(check->config->when), check);
		}
}

Oid
wf_query_row_check(const WfRowConfig *config, const char *search_path, const char *node, const char *path,
				   WfDiagnostics *found)
{
	Check		check = {.config = config, .node = node, .path = path, .found = found};
	int			level = wf_query_push_search_path(search_path);
	int			before = found->n_errors;

	if (resolve(&check) && check_table(&check))
	{
		check_level(&check);
		check_columns(&check);
		if (config->when != NULL)
			check_when(&check);
	}
	AtEOXact_GUC(true, level);
	return found->n_errors == before ? check.relid : InvalidOid;
}
