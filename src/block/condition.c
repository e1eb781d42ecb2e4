/*
 * condition.c: the blocks that decide where to go: if, switch, filter.
 *
 * Conditions are bare expressions with JavaScript's truthiness; `switch` compares values as `===`
 * does, and objects and arrays by what they hold. What the schema marks `x-fixed` (ports, modes) is
 * read when the graph is compiled; everything else may hold templates and is read when the step runs.
 */
#include "postgres.h"

#include "block/block.h"
#include "block/support.h"
#include "miscadmin.h"
#include "utils/memutils.h"

/* -- if -- */

typedef struct IfPlan
{
	int			n;
	const WfTemplate **conditions;
	bool		any;
	Jsonb	   *outputs[2];		/* of false and true */
} IfPlan;

static const char *const if_ports[] = {"true", "false", NULL};

static void
if_validate(const WfNode *node, WfDiagnostics *found)
{
	JsonbValue	value;
	bool		has_one = wf_block_fixed(node, "condition", &value);
	bool		has_many = wf_block_fixed(node, "conditions", &value);

	if (has_one == has_many)
		wf_block_report(node, found, "", "Give one of the two.",
						has_one ? "both \"condition\" and \"conditions\" are given" :
						"neither \"condition\" nor \"conditions\" is given");
	if (has_one && wf_block_fixed(node, "combine", &value))
		wf_block_report(node, found, "combine", NULL, "\"combine\" goes with \"conditions\" only");
}

static Jsonb *
if_output(bool result)
{
	JsonbValue	value;

	wf_json_set_bool(&value, result);
	return wf_block_object1("result", &value);
}

static void *
if_prepare(const WfNode *node, const WfTemplate *config, const char *search_path, WfDiagnostics *found)
{
	IfPlan	   *plan = palloc0(sizeof(IfPlan));
	const WfTemplate *one = wf_template_field(config, "condition");
	const WfTemplate *many = wf_template_field(config, "conditions");
	WfItems		constants;

	plan->outputs[0] = if_output(false);
	plan->outputs[1] = if_output(true);
	plan->any = wf_block_fixed_is(node, "combine", "all", "any");
	if (one != NULL)
	{
		plan->n = 1;
		plan->conditions = palloc(sizeof(WfTemplate *));
		plan->conditions[0] = one;
	}
	else if (many != NULL && many->kind == WF_TEMPLATE_ARRAY)
	{
		plan->n = many->n;
		plan->conditions = many->items;
	}
	else if (many != NULL)
	{
		/* constants alone: booleans written out */
		wf_block_items_of(&many->constant, &constants);
		plan->n = constants.n;
		plan->conditions = palloc(sizeof(WfTemplate *) * Max(constants.n, 1));
		for (int i = 0; i < constants.n; i++)
		{
			WfTemplate *constant = palloc0(sizeof(WfTemplate));

			constant->kind = WF_TEMPLATE_CONSTANT;
			constant->constant = constants.values[i];
			plan->conditions[i] = constant;
		}
	}
	return plan;
}

static WfOutcome
if_execute(WfStep *step)
{
	const IfPlan *plan = step->prepared;
	bool		result = !plan->any;

	for (int i = 0; i < plan->n && result == !plan->any; i++)
		result = wf_block_test(plan->conditions[i], step->scope);
	return wf_block_done(result ? 0 : 1, plan->outputs[result ? 1 : 0]);
}

const WfBlock wf_block_if = {
	.type = "if",
	.category = "flow",
	.summary = "goes on at true or at false",
	.config_schema = WF_JSON({
		"type": "object",
		"properties": {
			"condition": {
				"type": ["string", "boolean"], "format": "expression", "minLength": 1,
				"description": "The condition; truthy as in JavaScript goes on at true."
			},
			"conditions": {
				"type": "array", "minItems": 1,
				"items": {"type": ["string", "boolean"], "format": "expression", "minLength": 1},
				"description": "Several conditions instead of one."
			},
			"combine": {
				"enum": ["all", "any"], "default": "all", "x-fixed": true,
				"description": "Whether all conditions must hold, or any one."
			}
		},
		"additionalProperties": false
	}),
	.output_schema = WF_JSON({
		"type": "object", "required": ["result"],
		"properties": {"result": {"type": "boolean"}}
	}),
	.ports = if_ports,
	.flags = WF_BLOCK_PURE,
	.execute = if_execute,
	.validate = if_validate,
	.prepare = if_prepare,
};

/* -- switch -- */

typedef struct SwitchCase
{
	const WfTemplate *value;	/* compared with the expression; or */
	const WfTemplate *when;		/* a condition of its own */
	int			port;			/* index into the node's ports */
	const char *port_name;
} SwitchCase;

typedef struct SwitchPlan
{
	const WfTemplate *expression;	/* or NULL */
	bool		all;
	int			n;
	SwitchCase *cases;
} SwitchPlan;

#define MOST_CASES 1000

static const char *const switch_ports[] = {"default", NULL};

/* The ports that the cases name, in their order and each once, then `default`. */
static const char *const *
switch_node_ports(const WfNode *node, int *n)
{
	JsonbValue	cases;
	WfItems		items;
	const char **ports;
	int			count = 0;

	if (!wf_block_fixed(node, "cases", &cases) || !wf_json_is_array(&cases))
	{
		*n = 1;
		return switch_ports;
	}
	wf_block_items_of(&cases, &items);
	items.n = Min(items.n, MOST_CASES); /* the schema refuses more */
	ports = palloc(sizeof(char *) * (items.n + 1));
	for (int i = 0; i < items.n; i++)
	{
		const char *port = wf_json_get_cstring(&items.values[i], "port");
		bool		is_new = port != NULL && strcmp(port, "default") != 0 && strcmp(port, "error") != 0;

		for (int j = 0; is_new && j < count; j++)
			is_new = strcmp(ports[j], port) != 0;
		if (is_new)
			ports[count++] = port;
	}
	ports[count++] = "default";
	pfree(items.values);
	*n = count;
	return ports;
}

static void
switch_validate(const WfNode *node, WfDiagnostics *found)
{
	JsonbValue	value;
	JsonbValue	cases;
	WfItems		items;
	bool		has_expression = wf_block_fixed(node, "expression", &value);

	if (!wf_block_fixed(node, "cases", &cases) || !wf_json_is_array(&cases))
		return;
	wf_block_items_of(&cases, &items);
	items.n = Min(items.n, MOST_CASES);
	for (int i = 0; i < items.n; i++)
	{
		const char *where = psprintf("cases[%d]", i);
		const char *port;
		bool		has_value;
		bool		has_when;

		if (!wf_json_is_object(&items.values[i]))
			continue;
		has_value = wf_json_field(&items.values[i], "value", &value);
		has_when = wf_json_field(&items.values[i], "when", &value);
		if (has_value == has_when)
			wf_block_report(node, found, where,
							"\"value\" is compared with \"expression\"; \"when\" is a condition of its own.",
							has_value ? "case %d has both \"value\" and \"when\"" :
							"case %d has neither \"value\" nor \"when\"", i + 1);
		else if (has_value && !has_expression)
			wf_block_report(node, found, where, "Add \"expression\", or use \"when\".",
							"case %d has a \"value\", but there is no \"expression\" to compare it with", i + 1);
		port = wf_json_get_cstring(&items.values[i], "port");
		if (port != NULL && strcmp(port, "error") == 0)
			wf_block_report(node, found, psprintf("%s.port", where), NULL,
							"port \"error\" is where a failed node goes out and cannot be that of a case");
	}
}

/* The template of member `key` of element `i` of the cases. */
static const WfTemplate *
case_field(const WfTemplate *cases, const JsonbValue *constant_case, int i, const char *key)
{
	WfTemplate *field;
	JsonbValue	value;

	if (cases->kind == WF_TEMPLATE_ARRAY)
		return wf_template_field(cases->items[i], key);
	if (!wf_json_field(constant_case, key, &value))
		return NULL;
	field = palloc0(sizeof(WfTemplate));
	field->kind = WF_TEMPLATE_CONSTANT;
	field->constant = value;
	return field;
}

static void *
switch_prepare(const WfNode *node, const WfTemplate *config, const char *search_path, WfDiagnostics *found)
{
	SwitchPlan *plan = palloc0(sizeof(SwitchPlan));
	const WfTemplate *cases = wf_template_field(config, "cases");
	JsonbValue	value;
	WfItems		fixed;

	plan->expression = wf_template_field(config, "expression");
	plan->all = wf_block_fixed_is(node, "mode", "first", "all");
	if (cases == NULL || !wf_block_fixed(node, "cases", &value))
		return plan;
	wf_block_items_of(cases->kind == WF_TEMPLATE_CONSTANT ? &cases->constant : &value, &fixed);
	plan->n = fixed.n;
	plan->cases = palloc0(sizeof(SwitchCase) * Max(fixed.n, 1));
	for (int i = 0; i < fixed.n; i++)
	{
		SwitchCase *one = &plan->cases[i];

		one->value = case_field(cases, &fixed.values[i], i, "value");
		one->when = case_field(cases, &fixed.values[i], i, "when");
		one->port_name = wf_json_get_cstring(&fixed.values[i], "port");
		one->port = one->port_name == NULL ? -1 : wf_block_port(node, one->port_name);
		if (one->port < 0)
			one->port = wf_block_port(node, "default");
	}
	return plan;
}

static bool
case_matches(WfStep *step, const SwitchCase *one, const JsonbValue *subject)
{
	JsonbValue	value;

	if (one->when != NULL)
		return wf_block_test(one->when, step->scope);
	if (one->value == NULL)
		return false;
	wf_template_eval(one->value, step->scope, &value);
	return wf_json_equal(subject, &value);
}

static WfOutcome
switch_execute(WfStep *step)
{
	const SwitchPlan *plan = step->prepared;
	WfOutcome	outcome = wf_block_done(-1, NULL);
	WfJsonWriter *w = wf_json_writer_begin();
	JsonbValue	subject;

	wf_json_set_null(&subject);
	if (plan->expression != NULL && plan->expression->kind == WF_TEMPLATE_BARE)
		wf_expr_eval(plan->expression->expr, step->scope, &subject);
	else if (plan->expression != NULL)
		wf_template_eval(plan->expression, step->scope, &subject);

	wf_json_begin_object(w);
	wf_json_key(w, "matched", 7);
	wf_json_begin_array(w);
	for (int i = 0; i < plan->n; i++)
	{
		const SwitchCase *one = &plan->cases[i];

		CHECK_FOR_INTERRUPTS();
		if (!case_matches(step, one, &subject))
			continue;
		if (outcome.port < 0)
			outcome.port = one->port;
		if (!bms_is_member(one->port, outcome.more_ports))
		{
			outcome.more_ports = bms_add_member(outcome.more_ports, one->port);
			wf_json_put_cstring(w, one->port_name);
		}
		if (!plan->all)
			break;
	}
	wf_json_end_array(w);
	wf_json_end_object(w);
	outcome.output = wf_json_finish(w);
	if (outcome.port < 0)
		outcome.port = wf_block_port(step->node, "default");
	if (!plan->all)
		outcome.more_ports = NULL;
	return outcome;
}

const WfBlock wf_block_switch = {
	.type = "switch",
	.category = "flow",
	.summary = "goes on at the port of the case that matches",
	.config_schema = WF_JSON({
		"type": "object",
		"properties": {
			"expression": {
				"type": ["string", "number", "boolean"], "format": "expression", "minLength": 1,
				"description": "What the values of the cases are compared with, as === compares."
			},
			"cases": {
				"type": "array", "minItems": 1, "maxItems": 1000,
				"items": {
					"type": "object",
					"properties": {
						"value": {"description": "Matches when it equals the expression."},
						"when": {
							"type": ["string", "boolean"], "format": "expression", "minLength": 1,
							"description": "Matches when this condition holds."
						},
						"port": {
							"type": "string", "minLength": 1, "maxLength": 63, "x-fixed": true,
							"description": "Where to go on; several cases may share one."
						}
					},
					"required": ["port"],
					"additionalProperties": false
				},
				"description": "Tried in their order."
			},
			"mode": {
				"enum": ["first", "all"], "default": "first", "x-fixed": true,
				"description": "Go on at the first case that matches, or at all that do."
			}
		},
		"required": ["cases"],
		"additionalProperties": false
	}),
	.output_schema = WF_JSON({
		"type": "object", "required": ["matched"],
		"properties": {
			"matched": {
				"type": "array", "items": {"type": "string"},
				"description": "The ports of the cases that matched; none when it went on at default."
			}
		}
	}),
	.ports = switch_ports,
	.flags = WF_BLOCK_PURE,
	.execute = switch_execute,
	.validate = switch_validate,
	.prepare = switch_prepare,
	.node_ports = switch_node_ports,
};

/* -- filter -- */

static const char *const filter_ports[] = {"out", "empty", NULL};

static WfOutcome
filter_execute(WfStep *step)
{
	const WfTemplate *condition = wf_template_field(step->config, "condition");
	MemoryContext each = AllocSetContextCreate(CurrentMemoryContext, "workflow item", ALLOCSET_DEFAULT_SIZES);
	WfJsonWriter *w = wf_json_writer_begin();
	WfItemScope scope;
	WfItems		items;
	int			kept = 0;

	wf_block_items(step, "items", &items);
	wf_block_item_scope(&scope, step, &items.whole);
	wf_json_begin_object(w);
	wf_json_key(w, "items", 5);
	wf_json_begin_array(w);
	for (int i = 0; i < items.n; i++)
	{
		MemoryContext old = MemoryContextSwitchTo(each);
		bool		keep;

		CHECK_FOR_INTERRUPTS();
		scope.item = &items.values[i];
		scope.index = i;
		keep = wf_block_test(condition, &scope.scope);
		MemoryContextSwitchTo(old);
		MemoryContextReset(each);
		if (!keep)
			continue;
		wf_json_put(w, &items.values[i]);
		kept++;
	}
	wf_json_end_array(w);
	wf_json_put_field_int64(w, "count", kept);
	wf_json_put_field_int64(w, "rejected", items.n - kept);
	wf_json_end_object(w);
	return wf_block_done(kept > 0 ? 0 : 1, wf_json_finish(w));
}

const WfBlock wf_block_filter = {
	.type = "filter",
	.category = "flow",
	.summary = "keeps the items for which a condition holds",
	.config_schema = WF_JSON({
		"type": "object",
		"properties": {
			"items": {"type": "array", "description": "The list."},
			"condition": {
				"type": ["string", "boolean"], "format": "expression", "minLength": 1,
				"description": "Evaluated with $item, $index and $items."
			}
		},
		"required": ["items", "condition"],
		"additionalProperties": false
	}),
	.output_schema = WF_JSON({
		"type": "object", "required": ["items", "count", "rejected"],
		"properties": {
			"items": {"type": "array", "description": "Those that were kept, in their order."},
			"count": {"type": "integer", "description": "How many were kept."},
			"rejected": {"type": "integer", "description": "How many were not."}
		}
	}),
	.ports = filter_ports,
	.flags = WF_BLOCK_PURE,
	.execute = filter_execute,
};
