/*
 * tree.c: a compiled expression as a tree to look at (tree.h).
 *
 * What a node is, is told by the function that evaluates it, as nodes carry nothing else that says it.
 */
#include "postgres.h"

#include <math.h>

#include "expr/parser.h"
#include "expr/tree.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"

const WfExprNode *
wf_expr_tree_root(const WfExpr *expr)
{
	return expr->root;
}

int
wf_expr_tree_position(const WfExpr *expr, const WfExprNode *node)
{
	return expr->offset + pg_mbstrlen_with_len(expr->source, Min(Max(node->pos, 0), expr->len));
}

/* -- looking -- */

static void
take_value(const WfValue *value, WfTreeValue *out)
{
	memset(out, 0, sizeof(WfTreeValue));
	switch (value->tag)
	{
		case WF_V_UNDEFINED:
			out->kind = WF_TREE_UNDEFINED;
			return;
		case WF_V_NULL:
			out->kind = WF_TREE_NULL;
			return;
		case WF_V_BOOL:
			out->kind = WF_TREE_BOOL;
			out->boolean = value->u.boolean;
			return;
		case WF_V_NUMBER:
			out->kind = WF_TREE_NUMBER;
			out->number = value->u.number;
			return;
		case WF_V_STRING:
			out->kind = WF_TREE_STRING;
			out->string = value->u.str;
			out->len = value->len;
			return;
		default:
			out->kind = WF_TREE_ANY;
			return;
	}
}

static bool
take_operator(const WfExprNode *node, WfTree *out)
{
	static const struct
	{
		uint32		punct;
		WfTreeKind	kind;
		WfTreeOp	op;
	}			table[] = {
		{P2('&', '&'), WF_TREE_AND, 0}, {P2('|', '|'), WF_TREE_OR, 0}, {P2('?', '?'), WF_TREE_COALESCE, 0},
		{P3('=', '=', '='), WF_TREE_COMPARE, WF_TREE_SAME}, {P3('!', '=', '='), WF_TREE_COMPARE, WF_TREE_NOT_SAME},
		{P2('=', '='), WF_TREE_COMPARE, WF_TREE_EQUAL}, {P2('!', '='), WF_TREE_COMPARE, WF_TREE_NOT_EQUAL},
		{P1('<'), WF_TREE_COMPARE, WF_TREE_LESS}, {P2('<', '='), WF_TREE_COMPARE, WF_TREE_LESS_EQUAL},
		{P1('>'), WF_TREE_COMPARE, WF_TREE_GREATER}, {P2('>', '='), WF_TREE_COMPARE, WF_TREE_GREATER_EQUAL},
	};

	for (int i = 0; i < lengthof(table); i++)
		if (node->eval == wf_expr_binary_eval(table[i].punct))
		{
			out->kind = table[i].kind;
			out->op = table[i].op;
			return true;
		}
	return false;
}

/* `[a, b].includes(x)` */
static bool
is_includes(const WfExprNode *node)
{
	const WfCallNode *call = (const WfCallNode *) node;
	const WfListNode *list;

	if (node->kind != WF_N_METHOD || node->eval != wf_expr_eval_method || call->key == NULL || call->len != 8 ||
		memcmp(call->key, "includes", 8) != 0 || call->n != 1 || (node->flags & (WF_NF_SPREAD | WF_NF_OPTIONAL)) ||
		call->optional_call || node->a->eval != wf_expr_eval_array)
		return false;
	list = (const WfListNode *) node->a;
	for (int i = 0; i < list->n; i++)
		if (list->items[i]->kind == WF_N_SPREAD || list->items[i]->kind == WF_N_HOLE)
			return false;
	return true;
}

void
wf_expr_tree_look(const WfExprNode *node, WfTree *out)
{
	memset(out, 0, sizeof(WfTree));
	out->node = node;
	out->part[0] = node->a;
	out->part[1] = node->b;
	out->part[2] = node->c;
	if (node->kind == WF_N_CONST)
	{
		out->kind = WF_TREE_CONSTANT;
		take_value(&((const WfConstNode *) node)->value, &out->value);
	}
	else if (node->eval == wf_expr_eval_path)
	{
		out->kind = WF_TREE_PATH;
		out->root = ((const WfPathNode *) node)->root;
		out->n_steps = ((const WfPathNode *) node)->n;
	}
	else if (node->eval == wf_expr_unary_eval(P1('!')))
		out->kind = WF_TREE_NOT;
	else if (node->eval == wf_expr_eval_ternary)
		out->kind = WF_TREE_IF;
	else if (is_includes(node))
	{
		out->kind = WF_TREE_INCLUDES;
		out->part[0] = ((const WfCallNode *) node)->args[0];
		out->n_items = ((const WfListNode *) node->a)->n;
	}
	else if (node->kind != WF_N_SPREAD)
		take_operator(node, out);
}

void
wf_expr_tree_step(const WfTree *path, int i, WfTreeStep *out)
{
	const WfPathStep *step = &((const WfPathNode *) path->node)->steps[i];

	out->key = step->key;
	out->len = step->len;
	out->index = step->index;
	out->optional = step->optional;
}

const WfExprNode *
wf_expr_tree_item(const WfTree *includes, int i)
{
	return ((const WfListNode *) includes->node->a)->items[i];
}

/* -- parts of nodes of any kind -- */

typedef void (*Visit) (const WfExprNode *part, void *arg);

static void
visit_one(const WfExprNode *part, Visit visit, void *arg)
{
	if (part != NULL)
		visit(part, arg);
}

static void
visit_list(int n, const WfExprNode *const *items, Visit visit, void *arg)
{
	for (int i = 0; i < n; i++)
		visit_one(items[i], visit, arg);
}

static void
visit_patterns(int n, const WfPattern *patterns, Visit visit, void *arg)
{
	check_stack_depth();
	for (int i = 0; i < n; i++)
	{
		visit_one(patterns[i].fallback, visit, arg);
		visit_one(patterns[i].computed, visit, arg);
		visit_patterns(patterns[i].n, patterns[i].parts, visit, arg);
	}
}

static void
visit_properties(const WfObjectNode *object, Visit visit, void *arg)
{
	for (int i = 0; i < object->n; i++)
	{
		visit_one(object->properties[i].computed, visit, arg);
		visit_one(object->properties[i].value, visit, arg);
	}
}

void
wf_expr_tree_parts(const WfExprNode *node, void (*visit) (const WfExprNode *part, void *arg), void *arg)
{
	visit_one(node->a, visit, arg);
	visit_one(node->b, visit, arg);
	visit_one(node->c, visit, arg);
	if (node->kind == WF_N_SPREAD || node->kind == WF_N_HOLE)
		return;					/* these carry the function of something else */
	if (node->eval == wf_expr_eval_call || node->eval == wf_expr_eval_method || node->eval == wf_expr_eval_new ||
		node->eval == wf_expr_eval_if)
		visit_list(((const WfCallNode *) node)->n, ((const WfCallNode *) node)->args, visit, arg);
	else if (node->eval == wf_expr_eval_array || node->eval == wf_expr_eval_template || node->eval == wf_expr_eval_tagged)
		visit_list(((const WfListNode *) node)->n, ((const WfListNode *) node)->items, visit, arg);
	else if (node->eval == wf_expr_eval_object)
		visit_properties((const WfObjectNode *) node, visit, arg);
	else if (node->eval == wf_expr_eval_arrow)
	{
		const WfArrowNode *arrow = (const WfArrowNode *) node;

		visit_patterns(arrow->n_params, arrow->params, visit, arg);
		visit_one(arrow->body, visit, arg);
	}
}

/* -- constants -- */

static void
give_value(const WfTreeValue *value, WfValue *out)
{
	switch (value->kind)
	{
		case WF_TREE_NULL:
			set_null(out);
			return;
		case WF_TREE_BOOL:
			set_bool(out, value->boolean);
			return;
		case WF_TREE_NUMBER:
			set_number(out, value->number);
			return;
		case WF_TREE_STRING:
			set_string(out, value->string, value->len, WF_S_BORROWED);
			return;
		default:
			set_undefined(out);
			return;
	}
}

static bool
compare(WfEval *ev, WfTreeOp op, const WfValue *a, const WfValue *b)
{
	bool		undefined;
	bool		less;

	switch (op)
	{
		case WF_TREE_SAME:
			return wf_expr_strict_equal(ev, a, b);
		case WF_TREE_NOT_SAME:
			return !wf_expr_strict_equal(ev, a, b);
		case WF_TREE_EQUAL:
			return wf_expr_loose_equal(ev, a, b);
		case WF_TREE_NOT_EQUAL:
			return !wf_expr_loose_equal(ev, a, b);
		case WF_TREE_LESS:
			return wf_expr_less(ev, a, b, true, &undefined);
		case WF_TREE_GREATER:
			return wf_expr_less(ev, b, a, false, &undefined);
		case WF_TREE_LESS_EQUAL:
			less = wf_expr_less(ev, b, a, false, &undefined);
			return !less && !undefined;
		case WF_TREE_GREATER_EQUAL:
			less = wf_expr_less(ev, a, b, true, &undefined);
			return !less && !undefined;
	}
	return false;
}

bool
wf_expr_tree_compare(const WfExpr *expr, WfTreeOp op, const WfTreeValue *left, const WfTreeValue *right)
{
	WfEval		ev;
	WfValue		a;
	WfValue		b;
	bool		result;

	Assert(left->kind != WF_TREE_ANY && right->kind != WF_TREE_ANY);
	give_value(left, &a);
	give_value(right, &b);
	wf_expr_begin(&ev, expr, NULL);
	result = compare(&ev, op, &a, &b);
	wf_expr_end(&ev);
	return result;
}

bool
wf_expr_tree_truthy(const WfTreeValue *value)
{
	WfValue		v;

	if (value->kind == WF_TREE_ANY)
		return true;			/* XXX not for 0n; who asks translates no ANY */
	give_value(value, &v);
	return wf_expr_to_bool(&v);
}
