/*
 * text.c: the text of a statement while it is being made: parameters, choices, fixed expressions.
 *
 * Text is only ever made of words of ours, names that the catalog confirmed, quoted, and the SQL that
 * stands in the definition itself (`$expr`, and db.query's). Values become `$n`.
 *
 * A choice is a place where the text depends on what a value turns out to be: `{"col": v}` is
 * `col = $1`, but `col IS NULL` when v is null; a path into jsonb is compared as text with a string
 * and as numeric with a number. The first text assumes the usual; when the values are evaluated and
 * one is not as assumed, the text is made once more for what was found and kept as a variant. Choices
 * are numbered in the order of the walk, which no choice changes.
 */
#include "query/internal.h"

#include "catalog/pg_type.h"
#include "nodes/nodeFuncs.h"
#include "nodes/parsenodes.h"
#include "parser/parser.h"
#include "utils/memutils.h"

WfParam *
wf_query_param(WfBuild *b, WfConfigPart value, Oid type, WfPick pick, const char *label)
{
	WfParam    *param;

	if (b->n_params >= b->max_params)
	{
		if (b->n_params >= PG_UINT16_MAX)
			ereport(ERROR, (errcode(ERRCODE_TOO_MANY_ARGUMENTS),
							errmsg("statement has more than %d values", PG_UINT16_MAX)));
		b->max_params = b->max_params == 0 ? 8 : b->max_params * 2;
		b->params = b->params == NULL ? palloc(sizeof(WfParam) * b->max_params)
			: repalloc(b->params, sizeof(WfParam) * b->max_params);
	}
	param = &b->params[b->n_params++];
	param->tpl = value.tpl;
	param->type = type;
	param->pick = pick;
	param->choice = -1;
	param->nature = WF_NATURE_ANY;
	param->nature_typed = false;
	param->label = label;
	return param;
}

/* The nature of a constant, as run.c finds it for an evaluated value. */
static WfNature
constant_nature(const JsonbValue *value, bool typed)
{
	if (value->type == jbvNull)
		return WF_NATURE_NULL;
	if (!typed)
		return WF_NATURE_ANY;
	return wf_query_value_nature(value);
}

WfNature
wf_query_nature(WfBuild *b, const WfConfigPart *value, bool typed, WfNature assumed, int *choice)
{
	*choice = -1;
	if (value->tpl->kind == WF_TEMPLATE_CONSTANT)
		return constant_nature(&value->tpl->constant, typed);
	*choice = b->n_choices++;
	if (b->natures != NULL && *choice < b->n_natures)
		return b->natures[*choice];
	if (value->tpl->kind == WF_TEMPLATE_TEXT)
		return typed ? WF_NATURE_STRING : WF_NATURE_ANY;
	return assumed;
}

/* -- parsing -- */

/*
 * raw_parser allocates and nothing else, so its error may be caught without a subtransaction.
 */
List *
wf_query_parse(WfBuild *b, const char *sql, bool as_expression, const char *path)
{
	MemoryContext memory = CurrentMemoryContext;
	List	   *volatile parsed = NIL;

	PG_TRY();
	{
		parsed = raw_parser(sql, as_expression ? RAW_PARSE_PLPGSQL_EXPR : RAW_PARSE_DEFAULT);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(memory);
		error = CopyErrorData();
		if (wf_error_is_fatal(error->sqlerrcode) || b->found == NULL)
			PG_RE_THROW();
		FlushErrorState();
		wf_query_complain(b, path, error->hint, "SQL is not valid: %s", error->message);
		return NIL;
	}
	PG_END_TRY();
	return parsed;
}

/* -- fixed expressions -- */

typedef struct ParamUse
{
	int			location;		/* in bytes */
	int			number;			/* as written */
} ParamUse;

typedef struct ParamUses
{
	int			n;
	int			max;
	ParamUse   *uses;
} ParamUses;

static bool
find_params(Node *node, void *arg)
{
	ParamUses  *uses = arg;

	if (node == NULL)
		return false;
	if (IsA(node, ParamRef))
	{
		if (uses->n >= uses->max)
		{
			uses->max = uses->max == 0 ? 8 : uses->max * 2;
			uses->uses = uses->uses == NULL ? palloc(sizeof(ParamUse) * uses->max)
				: repalloc(uses->uses, sizeof(ParamUse) * uses->max);
		}
		uses->uses[uses->n].location = ((ParamRef *) node)->location;
		uses->uses[uses->n++].number = ((ParamRef *) node)->number;
		return false;
	}
	return raw_expression_tree_walker(node, find_params, uses);
}

static int
compare_uses(const void *a, const void *b)
{
	return ((const ParamUse *) a)->location - ((const ParamUse *) b)->location;
}

/* The one expression of a parsed `SELECT`; NULL when there is anything else to it. */
static Node *
only_expression(List *parsed)
{
	SelectStmt *select;
	ResTarget  *target;

	if (list_length(parsed) != 1 || !IsA(linitial_node(RawStmt, parsed)->stmt, SelectStmt))
		return NULL;
	select = (SelectStmt *) linitial_node(RawStmt, parsed)->stmt;
	if (list_length(select->targetList) != 1 || select->distinctClause != NIL || select->intoClause != NULL ||
		select->fromClause != NIL || select->whereClause != NULL || select->groupClause != NIL ||
		select->havingClause != NULL || select->windowClause != NIL || select->valuesLists != NIL ||
		select->sortClause != NIL || select->limitOffset != NULL || select->limitCount != NULL ||
		select->lockingClause != NIL || select->withClause != NULL || select->op != SETOP_NONE)
		return NULL;
	target = linitial_node(ResTarget, select->targetList);
	if (target->name != NULL || target->indirection != NIL)
		return NULL;
	if (IsA(target->val, ColumnRef) && IsA(llast(((ColumnRef *) target->val)->fields), A_Star))
		return NULL;
	return target->val;
}

/* Copies the text with each `$n` as the parameter it has become. */
static void
append_renumbered(WfBuild *b, const char *sql, ParamUses *uses, const int *numbers)
{
	const char *at = sql;

	appendStringInfoChar(&b->sql, '(');
	qsort(uses->uses, uses->n, sizeof(ParamUse), compare_uses);
	for (int i = 0; i < uses->n; i++)
	{
		const char *use = sql + uses->uses[i].location;

		Assert(*use == '$');
		appendBinaryStringInfo(&b->sql, at, use - at);
		appendStringInfo(&b->sql, "$%d", numbers[uses->uses[i].number]);
		at = use + 1 + strspn(use + 1, "0123456789");
	}
	appendStringInfoString(&b->sql, at);
	/* a comment at the end must not swallow what follows */
	appendStringInfoString(&b->sql, strstr(sql, "--") != NULL ? "\n)" : ")");
}

static WfConfigPart *
expr_params(WfBuild *b, const WfConfigPart *params, int *n)
{
	WfConfigPart list;

	*n = 0;
	if (params == NULL || params->tpl == NULL)
		return NULL;
	list = *params;
	if (!wf_query_part_resolve(b, &list))
		return NULL;
	if (!wf_query_part_is_array(&list))
	{
		wf_query_complain(b, list.path, NULL, "\"params\" must be an array");
		return NULL;
	}
	return wf_query_part_items(b, list, n);
}

void
wf_query_expr(WfBuild *b, WfConfigPart sql, const WfConfigPart *params, const char *label)
{
	ParamUses	uses = {0};
	WfConfigPart *values;
	int			n_values;
	int		   *numbers;
	const char *text;
	Node	   *expression;

	if (!sql.fixed || sql.tpl->kind != WF_TEMPLATE_CONSTANT || !wf_json_is_string(&sql.tpl->constant))
	{
		wf_query_complain(b, sql.path, "Write the SQL in the definition, with $1, $2 ... and \"params\" for values.",
						  "\"$expr\" must be a string fixed in the definition");
		appendStringInfoString(&b->sql, "NULL");
		return;
	}
	text = wf_json_cstring(&sql.tpl->constant);
	expression = only_expression(wf_query_parse(b, text, true, sql.path));
	values = expr_params(b, params, &n_values);
	if (expression == NULL)
	{
		wf_query_complain(b, sql.path, NULL, "\"$expr\" must be one SQL expression");
		appendStringInfoString(&b->sql, "NULL");
		return;
	}
	(void) find_params(expression, &uses);
	numbers = palloc0(sizeof(int) * (n_values + 1));
	for (int i = 0; i < uses.n; i++)
	{
		int			number = uses.uses[i].number;

		if (number < 1 || number > n_values)
		{
			if (!b->incomplete)
				wf_query_complain(b, sql.path, NULL, "\"$expr\" uses $%d but has %d params", number, n_values);
			appendStringInfoString(&b->sql, "NULL");
			return;
		}
		if (numbers[number] == 0)
		{
			(void) wf_query_param(b, values[number - 1], UNKNOWNOID, WF_PICK_VALUE, label);
			numbers[number] = b->n_params;
		}
	}
	append_renumbered(b, text, &uses, numbers);
}

bool
wf_query_expr_at(WfBuild *b, WfConfigPart value, const char *label)
{
	WfConfigPart sql;
	WfConfigPart params;

	if (!wf_query_part_is_special(b, value, "$expr", "params", &sql, &params))
		return false;
	wf_query_expr(b, sql, params.tpl != NULL ? &params : NULL, label);
	return true;
}
