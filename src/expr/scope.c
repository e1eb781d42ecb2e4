/*
 * scope.c: a scope over a context object, for wf_eval and for tests: `{"input": ..., "node": ...}`.
 *
 * Keys are the names without `$`. `now` (ISO 8601 text) may set `$now`.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "expr/expr.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"

typedef struct ContextScope
{
	WfScope		scope;
	JsonbValue	roots[WF_ROOT_COUNT];
	bool		present[WF_ROOT_COUNT];
} ContextScope;

static const char *const keys[WF_ROOT_COUNT] = {
	[WF_ROOT_INPUT] = "input",
	[WF_ROOT_TRIGGER] = "trigger",
	[WF_ROOT_VARS] = "vars",
	[WF_ROOT_ENV] = "env",
	[WF_ROOT_SECRETS] = "secrets",
	[WF_ROOT_ITEM] = "item",
	[WF_ROOT_INDEX] = "index",
	[WF_ROOT_ITEMS] = "items",
	[WF_ROOT_ERROR] = "error",
	[WF_ROOT_RUN] = "run",
	[WF_ROOT_NODE] = "node",
};

static bool
context_root(WfScope *scope, WfRoot root, JsonbValue *out)
{
	ContextScope *context = (ContextScope *) scope;

	if (!context->present[root])
		return false;
	*out = context->roots[root];
	return true;
}

static bool
context_node(WfScope *scope, int node_index, WfNodePart part, JsonbValue *out)
{
	return false;
}

static void
refuse_key(const char *key)
{
	const char *hint = wf_text_did_you_mean(key, keys, WF_ROOT_COUNT);

	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unknown key \"%s\" in the context", wf_text_clip(key)),
			 hint ? errhint("%s", hint) :
			 errhint("The keys are the names without \"$\": input, trigger, node, vars, env, item, index, items, error, run, now.")));
}

/* Throws 22023 when it is no object or has an unknown key. */
WfScope *
wf_scope_from_context(const Jsonb *context)
{
	ContextScope *result = palloc0(sizeof(ContextScope));
	JsonbValue	root;
	JsonbValue	key;
	JsonbValue	value;
	WfJsonIter	it;

	result->scope.root = context_root;
	result->scope.node = context_node;
	result->scope.now = wf_clock_now();
	wf_json_root(context, &root);
	if (!wf_json_is_object(&root))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("context must be an object, not %s", wf_json_type_name(&root))));
	wf_json_iter_begin(&it, &root);
	while (wf_json_iter_next(&it, &key, &value))
	{
		char	   *name = wf_json_cstring(&key);
		int			i = 0;

		while (i < WF_ROOT_COUNT && (i == WF_ROOT_SECRETS || strcmp(keys[i], name) != 0))
			i++;
		if (i < WF_ROOT_COUNT)
		{
			result->present[i] = true;
			result->roots[i] = value;
		}
		else if (strcmp(name, "now") == 0 && wf_json_is_string(&value))
			result->scope.now = DatumGetTimestampTz(DirectFunctionCall3(timestamptz_in,
																		CStringGetDatum(wf_json_cstring(&value)),
																		ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
		else
			refuse_key(name);
		pfree(name);
	}
	return &result->scope;
}
