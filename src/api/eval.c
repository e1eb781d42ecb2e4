/*
 * eval.c: wf_eval(expression, context): one expression tried out by a person.
 *
 * A string that is one `{{ }}`, or bare JavaScript, gives the value; a text with `{{ }}` in it gives
 * the joined text, as in a config. `$secrets` cannot be named. Reads no table and changes nothing.
 */
#include "postgres.h"

#include "base/compat.h"
#include "base/error.h"
#include "base/json.h"
#include "expr/expr.h"
#include "store/store.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_eval);

/* Raises what the compiler refused: WF007, or WF009 for nesting. */
static void
raise_problem(const WfExprProblem *problem)
{
	ereport(ERROR,
			(errcode(problem->sqlstate),
			 errmsg_internal("%s, at position %d", problem->message, problem->position),
			 problem->hint ? errhint("%s", problem->hint) : 0));
}

/*
 * The template that a text with expressions in it is, or NULL when there is none in it. Raises what is
 * wrong with one of them.
 */
static WfTemplate *
compile_text(const char *source, int len, const WfNames *names)
{
	JsonbValue	value;
	WfDiagnostics *found = wf_diagnostics_begin();
	const WfDiagnostic *first;
	WfTemplate *tpl;

	if (memmem(source, len, "{{", 2) == NULL)
		return NULL;
	wf_json_set_string(&value, source, len);
	tpl = wf_template_compile(&value, names, NULL, NULL, NULL, NULL, found);
	if (tpl != NULL)
		return tpl;
	first = linitial(found->items);
	ereport(ERROR,
			(errcode(first->sqlstate),
			 errmsg_internal("%s", first->message),
			 first->hint ? errhint("%s", first->hint) : 0));
	return NULL;
}

/* Throws WF007 for what is no expression, WF008 and WF009 as evaluating does, 22023 for the context. */
Datum
wf_sql_eval(PG_FUNCTION_ARGS)
{
	text	   *source = PG_GETARG_TEXT_PP(0);
	Jsonb	   *context = PG_GETARG_JSONB_P(1);
	const char *s = VARDATA_ANY(source);
	int			len = VARSIZE_ANY_EXHDR(source);
	WfNames		names = {0};
	WfScope    *scope = wf_scope_from_context(context);
	WfExprProblem problem;
	WfTemplate *tpl;
	WfExpr	   *expr = wf_expr_compile(s, len, &names, &problem);
	JsonbValue	result;
	WfTenant	tenant;

	wf_store_require_some(WF_WORKFLOW_READ, &tenant);
	if (expr != NULL)
		wf_expr_eval(expr, scope, &result);
	else if ((tpl = compile_text(s, len, &names)) != NULL)
		wf_template_eval(tpl, scope, &result);
	else
		raise_problem(&problem);
	PG_RETURN_JSONB_P(wf_json_copy(&result));
}
