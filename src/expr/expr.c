/*
 * expr.c: the room's interface for bare expressions: compile, evaluate, ask about.
 */
#include "postgres.h"

#include "base/error.h"
#include "base/text.h"
#include "expr/code.h"
#include "expr/parser.h"
#include "mb/pg_wchar.h"
#include "utils/timestamp.h"

/* `{{ x }}` and nothing else: the byte behind the opening braces, else 0. */
static int
skip_braces(const char *source, int len)
{
	int			i = 0;

	while (i < len && strchr(" \t\r\n", source[i]) && source[i] != '\0')
		i++;
	return i + 1 < len && source[i] == '{' && source[i + 1] == '{' ? i + 2 : 0;
}

WfExpr *
wf_expr_compile(const char *source, int len, const WfNames *names, WfExprProblem *problem)
{
	int			start = skip_braces(source, len);
	int			end = len;
	WfExpr	   *expr;

	if (start > 0)
	{
		expr = wf_expr_parse_at(source, len, start, true, names, &end, problem);
		if (expr == NULL)
			return NULL;
		while (end < len && strchr(" \t\r\n", source[end]))
			end++;
		if (end == len)
			return expr;
		problem->position = pg_mbstrlen_with_len(source, end);
		problem->message = "unexpected text after the expression";
		problem->hint = "Here the whole string is one expression; join texts with + or a template literal.";
		problem->sqlstate = WF_ERRCODE_EXPRESSION_INVALID;
		return NULL;
	}
	return wf_expr_parse_at(source, len, 0, false, names, &end, problem);
}

void
wf_expr_eval(const WfExpr *expr, WfScope *scope, JsonbValue *out)
{
	WfEval		ev;
	WfValue		value;

	wf_expr_begin(&ev, expr, scope);
	expr->root->eval(&ev, expr->root, &value);
	wf_expr_result(&ev, &value, out);
	wf_expr_end(&ev);
}

bool
wf_expr_test(const WfExpr *expr, WfScope *scope)
{
	WfEval		ev;
	WfValue		value;
	bool		result;

	wf_expr_begin(&ev, expr, scope);
	if (unlikely(expr->root->eval == wf_expr_eval_code))
		result = wf_expr_test_code(&ev, expr->root);
	else
	{
		expr->root->eval(&ev, expr->root, &value);
		result = wf_expr_to_bool(&value);
	}
	wf_expr_end(&ev);
	return result;
}

const char *
wf_expr_source(const WfExpr *expr)
{
	return expr->source;
}

void
wf_expr_nodes(const WfExpr *expr, void (*visit) (int node_index, void *arg), void *arg)
{
	for (int i = 0; i < expr->n_nodes; i++)
		visit(expr->nodes[i], arg);
}

bool
wf_expr_reads_any_node(const WfExpr *expr)
{
	return expr->any_node;
}

void
wf_expr_secrets(const WfExpr *expr, void (*visit) (const char *name, void *arg), void *arg)
{
	ListCell   *cell;

	foreach(cell, expr->secrets)
		visit(lfirst(cell), arg);
}

uint32
wf_expr_roots(const WfExpr *expr)
{
	return expr->roots;
}

bool
wf_expr_truthy(const JsonbValue *value)
{
	WfValue		v;

	if (value->type == jbvArray || value->type == jbvObject)
		return true;
	wf_expr_from_json(value, &v);
	return wf_expr_to_bool(&v);
}
