/*
 * code_call.c: evaluating an expression in full JavaScript: its values as JSON, a call of the sandbox, and what came of it.
 *
 * Nothing is passed that the source does not name; of an object whose members alone are named, these are passed. What stands for
 * nothing is left out, so it is undefined. The sandbox keeps the source prepared.
 *
 * Tested for truth, the source is another one, `return !!(await (EXPR))`: what is no JSON (a function, an infinity) may be truthy.
 *
 * An error says what an interpreted expression's does: WF008 for what is thrown, WF009 over a limit, with the expression and the place.
 */
#include "postgres.h"

#include "base/error.h"
#include "base/settings.h"
#include "common/pg_prng.h"
#include "expr/calendar.h"
#include "expr/code.h"

/* The dates are no roots: the interpreter computes them, too. */
const WfRoot wf_expr_code_roots[WF_CODE_N_NAMES] = {
	[WF_CODE_INPUT] = WF_ROOT_INPUT,
	[WF_CODE_NODE] = WF_ROOT_NODE,
	[WF_CODE_TRIGGER] = WF_ROOT_TRIGGER,
	[WF_CODE_VARS] = WF_ROOT_VARS,
	[WF_CODE_ENV] = WF_ROOT_ENV,
	[WF_CODE_ITEM] = WF_ROOT_ITEM,
	[WF_CODE_INDEX] = WF_ROOT_INDEX,
	[WF_CODE_ITEMS] = WF_ROOT_ITEMS,
	[WF_CODE_ERROR] = WF_ROOT_ERROR,
	[WF_CODE_RUN] = WF_ROOT_RUN,
	[WF_CODE_NOW] = WF_ROOT_COUNT,
	[WF_CODE_TODAY] = WF_ROOT_COUNT,
};

static void
append_nodes(WfEval *ev, const WfCodeNode *code, StringInfo out)
{
	bool		first = true;

	for (int i = 0; i < code->n_nodes; i++)
	{
		JsonbValue	value;

		if (!ev->scope->node(ev->scope, code->nodes[i].index, WF_NODE_ALL, &value))
			continue;
		wf_sandbox_append_key(out, code->nodes[i].key, &first);
		wf_sandbox_append(out, &value, psprintf("$node.%s", code->nodes[i].key), WF_CODE_BIG_REFUSED);
	}
	appendStringInfoString(out, first ? "{}" : "}");
}

/* The members of an object that are read. */
static void
append_members(const WfCodeRootRead *root, const JsonbValue *object, const char *name, StringInfo out)
{
	bool		first = true;

	for (int i = 0; i < root->n_members; i++)
	{
		JsonbValue	member;

		if (!wf_json_get(object, root->members[i], strlen(root->members[i]), &member))
			continue;
		wf_sandbox_append_key(out, root->members[i], &first);
		wf_sandbox_append(out, &member, psprintf("%s.%s", name, root->members[i]), WF_CODE_BIG_REFUSED);
	}
	appendStringInfoString(out, first ? "{}" : "}");
}

static double
today_ms(WfEval *ev)
{
	WfValue		today;

	wf_expr_eval_today(ev, NULL, &today);
	return wf_expr_to_ms(ev, &today);
}

/* What the names stand for, as JSON. One that stands for nothing is left out, which is undefined. */
static void
append_values(WfEval *ev, const WfCodeNode *code, StringInfo out)
{
	bool		first = true;

	for (int name = 0; name < WF_CODE_N_NAMES; name++)
	{
		const WfCodeRootRead *root = &code->roots[name];
		JsonbValue	value;

		if (!root->is_read)
			continue;
		if (wf_expr_code_roots[name] == WF_ROOT_COUNT)
		{
			wf_sandbox_append_key(out, wf_code_names[name], &first);
			appendStringInfo(out, "%.0f", name == WF_CODE_NOW ? wf_expr_now_ms(ev) : today_ms(ev));
			continue;
		}
		if (!ev->scope->root(ev->scope, wf_expr_code_roots[name], &value))
			continue;
		wf_sandbox_append_key(out, wf_code_names[name], &first);
		if (!root->whole && wf_json_is_object(&value))
			append_members(root, &value, wf_code_names[name], out);
		else
			wf_sandbox_append(out, &value, wf_code_names[name], WF_CODE_BIG_REFUSED);
	}
	if (code->n_nodes > 0)
	{
		wf_sandbox_append_key(out, wf_code_names[WF_CODE_NODE], &first);
		append_nodes(ev, code, out);
	}
	appendStringInfoString(out, first ? "{}" : "}");
}

/* Raises what the sandbox says, as an expression's error. */
static void
raise_error(WfEval *ev, const WfError *error, const char *head)
{
	bool		thrown = error->sqlstate == WF_ERRCODE_CODE_THROWN;
	int			line = error->details == NULL ? 0 : (int) wf_json_get_int64(error->details, "line", 0);
	int			column = error->details == NULL ? 0 : (int) wf_json_get_int64(error->details, "column", 0);

	/* the sandbox has taken its own head off the first line's columns, not ours */
	ev->pos = wf_expr_code_byte(ev->expr->source, ev->expr->len, line, column, strlen(head));
	wf_expr_raise(ev, thrown ? WF_ERRCODE_EXPRESSION_FAILED : error->sqlstate, error->message, error->hint);
}

static Jsonb *
call(WfEval *ev, const WfCodeNode *code, const char *source, const char *head)
{
	WfCodeLimits limits;
	WfCodeCall	call = {.source = source, .bytes = strlen(source), .limits = &limits};
	StringInfoData values;
	WfError    *error;
	Jsonb	   *result;

	wf_sandbox_limits(&limits);
	limits.subject = "expression";
	wf_sandbox_lower(&limits.time_ms, wf_setting_expression_time,
					 "The setting \"workflow.expression_time\" has the limit; heavy work belongs in a \"code\" block.");
	limits.output_bytes = (WfCodeLimit) {(int64) wf_setting_expression_memory * 1024,
		"The setting \"workflow.expression_memory\" has the limit."};
	initStringInfo(&values);
	append_values(ev, code, &values);
	call.values = values.data;
	call.values_bytes = values.len;
	call.clock_ms = wf_expr_clock_ms();
	call.seed = pg_prng_uint64(&pg_global_prng_state);
	result = ev->scope->call_code != NULL ? ev->scope->call_code(ev->scope, &call, &error) : wf_sandbox_call(&call, &error);
	pfree(values.data);
	if (result == NULL)
		raise_error(ev, error, head);
	return result;
}

void
wf_expr_eval_code(WfEval *ev, const WfExprNode *node, WfValue *out)
{
	const WfCodeNode *code = (const WfCodeNode *) node;
	JsonbValue	value;

	wf_json_root(call(ev, code, code->value_source, WF_CODE_VALUE_HEAD), &value);
	wf_expr_from_json(&value, out);
}

bool
wf_expr_test_code(WfEval *ev, const WfExprNode *node)
{
	const WfCodeNode *code = (const WfCodeNode *) node;
	JsonbValue	value;

	wf_json_root(call(ev, code, code->truth_source, WF_CODE_TRUTH_HEAD), &value);
	return value.type == jbvBool && value.val.boolean;
}
