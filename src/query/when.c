/*
 * when.c: a JavaScript condition over a row as SQL, for the WHEN clause of a PostgreSQL trigger.
 *
 * A row for which WHEN is not true costs next to nothing; for the others the condition itself is evaluated, unless
 * what was made of it is exact. So the rules are:
 *
 *	1. Whenever the condition is truthy, the SQL is true. What cannot be translated counts as true.
 *	2. The SQL never raises: it has comparisons, tests for null, and casts that cannot fail.
 *	3. A result of SQL NULL counts as false, so nothing but a negation needs to look for it.
 *	4. `&&` is translated side by side; `||` if both sides can be; `!` and the test of `?:` only where the translation is exact, as
 *	   the negation of what is true too often would be true too seldom.
 *	5. The SQL is read with search_path = pg_catalog, and all that it names is qualified besides.
 *
 * `$trigger.op` is a constant, as each event has a trigger of its own. `$trigger.table` and `$trigger.schema` are not:
 * a table may be renamed, and the trigger stays as it is.
 *
 * What a condition that throws would have done is not kept: where the SQL is false the condition is not evaluated.
 */
#include "query/internal.h"

#include <math.h>

#include "access/htup_details.h"
#include "catalog/pg_attribute.h"
#include "miscadmin.h"
#include "query/when.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

const char *
wf_query_row_op(WfRowEvent event)
{
	static const char *const names[] = {"INSERT", "UPDATE", "DELETE", "TRUNCATE"};

	return names[event];
}

bool
wf_query_row_has_new(WfRowEvent event)
{
	return event == WF_ROW_INSERT || event == WF_ROW_UPDATE;
}

bool
wf_query_row_has_old(WfRowEvent event)
{
	return event == WF_ROW_UPDATE || event == WF_ROW_DELETE;
}

/* -- operands -- */

static bool
step_is(const WfTreeStep *step, const char *key)
{
	return step->key != NULL && step->len == strlen(key) && memcmp(step->key, key, step->len) == 0;
}

static void
take_column(const WfWhenTable *table, const WfTreeStep *step, bool is_old, WfWhenOperand *out)
{
	HeapTuple	tuple;
	Form_pg_attribute attribute;
	char	   *name;

	if (table->folding || table->by_statement || step->key == NULL || step->len >= NAMEDATALEN)
		return;
	name = pnstrdup(step->key, step->len);
	tuple = SearchSysCacheAttName(table->relid, name);
	if (!HeapTupleIsValid(tuple))
		return;
	attribute = (Form_pg_attribute) GETSTRUCT(tuple);
	if (attribute->attnum > 0 && !WF_COMPAT_IS_VIRTUAL(attribute->attgenerated))
	{
		out->kind = WF_WHEN_COLUMN;
		out->class = wf_query_when_class(attribute->atttypid, attribute->atttypmod, &out->type, &out->is_composite);
		out->sql = psprintf("%s.%s", is_old ? "OLD" : "NEW", quote_identifier(name));
	}
	ReleaseSysCache(tuple);
}

/* `$trigger.new` and `$trigger.old`, and what is in them. */
static void
take_side(const WfWhenTable *table, const WfTree *path, bool is_old, WfWhenOperand *out)
{
	bool		is_there = is_old ? wf_query_row_has_old(table->event) : wf_query_row_has_new(table->event);
	WfTreeStep	step = {0};

	if (path->n_steps > 1)
		wf_expr_tree_step(path, 1, &step);
	if (is_there && path->n_steps == 1)
		out->kind = WF_WHEN_ROW;
	else if (is_there && path->n_steps == 2)
		take_column(table, &step, is_old, out);
	else if (!is_there && (path->n_steps == 1 || step.optional))
	{
		out->kind = WF_WHEN_CONSTANT;
		out->value.kind = path->n_steps == 1 ? WF_TREE_NULL : WF_TREE_UNDEFINED;
	}
}

void
wf_query_when_operand(const WfWhenTable *table, const WfExprNode *node, WfWhenOperand *out)
{
	WfTree		tree;
	WfTreeStep	step;

	memset(out, 0, sizeof(WfWhenOperand));
	wf_expr_tree_look(node, &tree);
	if (tree.kind == WF_TREE_CONSTANT && tree.value.kind != WF_TREE_ANY)
	{
		out->kind = WF_WHEN_CONSTANT;
		out->value = tree.value;
	}
	if (tree.kind != WF_TREE_PATH || tree.root != WF_ROOT_TRIGGER)
		return;
	if (tree.n_steps == 0)
	{
		out->kind = WF_WHEN_ROW;
		return;
	}
	wf_expr_tree_step(&tree, 0, &step);
	if (step_is(&step, "new"))
		take_side(table, &tree, false, out);
	else if (step_is(&step, "old"))
		take_side(table, &tree, true, out);
	else if (step_is(&step, "op") && tree.n_steps == 1)
	{
		out->kind = WF_WHEN_CONSTANT;
		out->value.kind = WF_TREE_STRING;
		out->value.string = wf_query_row_op(table->event);
		out->value.len = strlen(out->value.string);
	}
}

/* -- conditions -- */

static WfWhen condition_of(const WfWhenTable *table, const WfExprNode *node);

static WfWhen
both(WfWhen a, WfWhen b)
{
	if (a.sql == NULL && b.sql == NULL)
		return wf_query_when_constant(a.constant && b.constant,
									  (a.exact && b.exact) || (!a.constant && a.exact));
	if (a.sql == NULL)
	{
		b.exact = b.exact && a.exact;
		return a.constant ? b : a;
	}
	if (b.sql == NULL)
	{
		a.exact = b.exact = a.exact && b.exact;
		return b.constant ? a : b;
	}
	return wf_query_when_sql(a.exact && b.exact, "(%s AND %s)", a.sql, b.sql);
}

static WfWhen
either(WfWhen a, WfWhen b)
{
	if ((a.sql == NULL && a.constant) || (b.sql == NULL && b.constant))
		return wf_query_when_constant(true, (a.sql == NULL && a.constant && a.exact) ||
									  (a.exact && b.exact));
	a.exact = b.exact = a.exact && b.exact;
	if (a.sql == NULL)
		return b;
	if (b.sql == NULL)
		return a;
	return wf_query_when_sql(a.exact, "(%s OR %s)", a.sql, b.sql);
}

static WfWhen
negation(WfWhen a)
{
	if (!a.exact)
		return wf_query_when_constant(true, false);
	if (a.sql == NULL)
		return wf_query_when_constant(!a.constant, true);
	return wf_query_when_sql(true, "(%s IS NOT TRUE)", a.sql);
}

static WfWhen
conditional(const WfWhenTable *table, const WfTree *tree)
{
	WfWhen		test = condition_of(table, tree->part[0]);

	if (test.exact && test.sql == NULL)
		return condition_of(table, tree->part[test.constant ? 1 : 2]);
	if (test.exact)
		return either(both(test, condition_of(table, tree->part[1])), both(negation(test), condition_of(table, tree->part[2])));
	test = either(condition_of(table, tree->part[1]), condition_of(table, tree->part[2]));
	test.exact = false;
	return test;
}

/* `a ?? b` where it is known whether a is there. */
static WfWhen
coalesce(const WfWhenTable *table, const WfTree *tree)
{
	WfWhenOperand left;

	wf_query_when_operand(table, tree->part[0], &left);
	if (left.kind == WF_WHEN_CONSTANT)
		return condition_of(table, tree->part[left.value.kind == WF_TREE_UNDEFINED || left.value.kind == WF_TREE_NULL ? 1 : 0]);
	if (left.kind == WF_WHEN_ROW)
		return wf_query_when_truth(&left);
	return wf_query_when_constant(true, false);
}

static WfWhen
includes(const WfWhenTable *table, const WfTree *tree)
{
	WfWhenOperand *items = palloc(sizeof(WfWhenOperand) * (tree->n_items + 1));
	WfWhenOperand column;
	WfWhen		result = wf_query_when_constant(false, true);

	wf_query_when_operand(table, tree->part[0], &column);
	for (int i = 0; i < tree->n_items; i++)
	{
		CHECK_FOR_INTERRUPTS();
		wf_query_when_operand(table, wf_expr_tree_item(tree, i), &items[i]);
		/* it is what includes() and === differ in */
		if (items[i].kind == WF_WHEN_CONSTANT && items[i].value.kind == WF_TREE_NUMBER && isnan(items[i].value.number))
			items[i].kind = WF_WHEN_NOTHING;
	}
	if (wf_query_when_among(&column, tree->n_items, items, &result))
		return result;
	if (tree->n_items > 100)
		return wf_query_when_constant(true, false);
	for (int i = 0; i < tree->n_items; i++)
		result = either(result, wf_query_when_compare(table->expr, WF_TREE_SAME, &column, &items[i]));
	return result;
}

static WfWhen
condition_of(const WfWhenTable *table, const WfExprNode *node)
{
	WfTree		tree;
	WfWhenOperand left;
	WfWhenOperand right;

	check_stack_depth();
	CHECK_FOR_INTERRUPTS();
	wf_expr_tree_look(node, &tree);
	switch (tree.kind)
	{
		case WF_TREE_CONSTANT:
		case WF_TREE_PATH:
			wf_query_when_operand(table, node, &left);
			return wf_query_when_truth(&left);
		case WF_TREE_NOT:
			return negation(condition_of(table, tree.part[0]));
		case WF_TREE_AND:
			return both(condition_of(table, tree.part[0]), condition_of(table, tree.part[1]));
		case WF_TREE_OR:
			return either(condition_of(table, tree.part[0]), condition_of(table, tree.part[1]));
		case WF_TREE_IF:
			return conditional(table, &tree);
		case WF_TREE_COALESCE:
			return coalesce(table, &tree);
		case WF_TREE_COMPARE:
			wf_query_when_operand(table, tree.part[0], &left);
			wf_query_when_operand(table, tree.part[1], &right);
			return wf_query_when_compare(table->expr, tree.op, &left, &right);
		case WF_TREE_INCLUDES:
			return includes(table, &tree);
		case WF_TREE_OTHER:
			break;
	}
	return wf_query_when_constant(true, false);
}

bool
wf_query_when_folds(const WfWhenTable *table, const WfExprNode *node, bool *value)
{
	WfWhenTable folding = *table;
	WfWhen		when;

	folding.folding = true;
	when = condition_of(&folding, node);
	*value = when.constant;
	return when.sql == NULL && when.exact;
}

void
wf_query_when(const WfExpr *expr, Oid relid, WfRowEvent event, bool by_statement, WfWhen *out)
{
	WfWhenTable table = {relid, event, by_statement, expr, false};
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "workflow condition", ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(scratch);

	/* each side is copied into what is made of both */
	*out = condition_of(&table, wf_expr_tree_root(expr));
	MemoryContextSwitchTo(old);
	if (out->sql != NULL)
		out->sql = pstrdup(out->sql);
	MemoryContextDelete(scratch);
}
