/*
 * trigger.c: nodes at which a run begins, and nothing else happens: their output is the run's input.
 *
 * What makes a trigger fire is the engine's (engine/triggers.c); here is what its node may say, and what is checked of
 * the input: `inputSchema`, for runs that somebody starts by hand or that another workflow calls. It is when the run begins,
 * and by who starts one in the background, so that the caller is told at once.
 */
#include "postgres.h"

#include "block/support.h"
#include "schema/schema.h"

#define EVENT_BYTES 255			/* wf_emit has the same limit */

static const char *const out_ports[] = {"out", NULL};

/* -- trigger.manual, trigger.workflow -- */

#define MOST_INPUT_ERRORS 10

static void *
input_prepare(const WfNode *node, const WfTemplate *config, const char *search_path, WfDiagnostics *found)
{
	JsonbValue	document;
	WfSchemaError problem;
	WfSchema   *schema;

	if (!wf_block_fixed(node, "inputSchema", &document))
		return NULL;
	schema = wf_schema_compile(wf_json_copy(&document), 0, NULL, 0, &problem);
	if (schema == NULL)
		wf_block_report(node, found, "inputSchema", NULL, "\"inputSchema\" is not a valid JSON Schema: %s",
						problem.message);
	return schema;
}

static WfError *
check_input(const WfSchema *schema, const JsonbValue *input)
{
	List	   *errors = NIL;
	ListCell   *cell;
	StringInfoData text;
	WfError    *error;

	if (schema == NULL || wf_schema_validate(schema, input, &errors, MOST_INPUT_ERRORS))
		return NULL;
	initStringInfo(&text);
	foreach(cell, errors)
	{
		const WfSchemaError *one = lfirst(cell);

		appendStringInfo(&text, "%s%s %s", text.len > 0 ? "; " : "",
						 one->instance_path[0] == '\0' ? "/" : one->instance_path, one->message);
	}
	error = wf_error_make(ERRCODE_INVALID_PARAMETER_VALUE, NULL, "input of the run does not match \"inputSchema\"");
	error->detail = text.data;
	return error;
}

static WfOutcome
input_execute(WfStep *step)
{
	WfError    *error = check_input(step->prepared, &step->input);

	return error != NULL ? wf_block_fail(error) : wf_block_done(0, wf_json_copy(&step->input));
}

WfError *
wf_block_check_input(const WfNode *node, const JsonbValue *input)
{
	if (node->block != &wf_block_trigger_manual && node->block != &wf_block_trigger_workflow)
		return NULL;
	return check_input(((const WfPrepared *) node->prepared)->own, input);
}

#define INPUT_SCHEMA WF_JSON({ \
	"type": "object", \
	"properties": { \
		"inputSchema": { \
			"type": ["object", "boolean"], "x-fixed": true, \
			"description": "A JSON Schema that the input of the run must match." \
		} \
	}, \
	"additionalProperties": false \
})

const WfBlock wf_block_trigger_manual = {
	.type = "trigger.manual",
	.category = "trigger",
	.summary = "starts when somebody runs the workflow",
	.config_schema = INPUT_SCHEMA,
	.output_schema = WF_JSON({"description": "The input of the run."}),
	.ports = out_ports,
	.flags = WF_BLOCK_PURE | WF_BLOCK_TRIGGER,
	.execute = input_execute,
	.prepare = input_prepare,
};

const WfBlock wf_block_trigger_workflow = {
	.type = "trigger.workflow",
	.category = "trigger",
	.summary = "starts when another workflow calls this one, and declares its input",
	.config_schema = INPUT_SCHEMA,
	.output_schema = WF_JSON({"description": "The input of the run."}),
	.ports = out_ports,
	.flags = WF_BLOCK_PURE | WF_BLOCK_TRIGGER,
	.execute = input_execute,
	.prepare = input_prepare,
};

/* -- trigger.event, trigger.error -- */

static WfOutcome
pass_on(WfStep *step)
{
	return wf_block_done(0, wf_json_copy(&step->input));
}

static void
event_validate(const WfNode *node, WfDiagnostics *found)
{
	JsonbValue	event;

	if (wf_block_fixed(node, "event", &event) && wf_json_is_string(&event) && event.val.string.len > EVENT_BYTES)
		wf_block_report(node, found, "event", NULL, "\"event\" must have at most %d bytes, not %d", EVENT_BYTES,
						event.val.string.len);
}

/* There is no run yet when the condition is evaluated. */
static void *
event_prepare(const WfNode *node, const WfTemplate *config, const char *search_path, WfDiagnostics *found)
{
	const WfExpr *condition = wf_block_config_expr(config, "condition");
	const uint32 known = UINT32_C(1) << WF_ROOT_TRIGGER | UINT32_C(1) << WF_ROOT_INPUT;

	if (condition != NULL && (wf_expr_roots(condition) & ~known) != 0)
		wf_block_report(node, found, "condition", "It is evaluated when the event is emitted, before there is a run.",
						"\"condition\" can read $trigger and $input, and nothing else");
	return NULL;
}

const WfBlock wf_block_trigger_event = {
	.type = "trigger.event",
	.category = "trigger",
	.summary = "starts when an event is emitted",
	.config_schema = WF_JSON({
		"type": "object",
		"properties": {
			"event": {
				"type": "string", "minLength": 1, "x-fixed": true,
				"description": "Its name, as in wf_emit; at most 255 bytes."
			},
			"condition": {
				"type": "string", "format": "expression", "minLength": 1,
				"description": "Only events for which it is truthy, evaluated with $trigger when the event is emitted."
			},
			"debounce": {
				"type": "integer", "minimum": 0, "maximum": 31536000000, "x-fixed": true,
				"description": "Milliseconds without another event of the correlation before one run starts for all of them."
			}
		},
		"required": ["event"],
		"additionalProperties": false
	}),
	.output_schema = WF_JSON({
		"type": "object",
		"properties": {
			"event": {"type": "string"},
			"payload": {"description": "Of the event; of several, the last one's."},
			"correlation": {"type": ["string", "null"]},
			"count": {"type": "integer", "description": "Events that the run is for."}
		}
	}),
	.ports = out_ports,
	.flags = WF_BLOCK_PURE | WF_BLOCK_TRIGGER,
	.execute = pass_on,
	.validate = event_validate,
	.prepare = event_prepare,
};

const WfBlock wf_block_trigger_error = {
	.type = "trigger.error",
	.category = "trigger",
	.summary = "starts when a run of another workflow fails",
	.config_schema = WF_JSON({
		"type": "object",
		"properties": {
			"workflows": {
				"type": "array", "minItems": 1, "items": {"type": "string", "minLength": 1}, "x-fixed": true,
				"description": "Names of those whose runs count; all others of the tenant unless given."
			}
		},
		"additionalProperties": false
	}),
	.output_schema = WF_JSON({
		"type": "object",
		"properties": {
			"run_id": {"type": "string"},
			"workflow": {"type": "string"},
			"version": {"type": "integer"},
			"node": {"type": ["string", "null"]},
			"error": {"type": "object"},
			"input": {"description": "Of the run that failed."}
		}
	}),
	.ports = out_ports,
	.flags = WF_BLOCK_PURE | WF_BLOCK_TRIGGER,
	.execute = pass_on,
};
