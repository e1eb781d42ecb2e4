/*
 * trigger.c: nodes at which a run begins, and nothing else happens: their output is the run's input.
 *
 * What makes a trigger fire is the engine's (engine/triggers.c); here is what its node may say, and what it checks when
 * the run begins: `inputSchema`, for runs that somebody starts by hand or that another workflow calls.
 */
#include "postgres.h"

#include "block/support.h"
#include "schema/schema.h"

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

static WfOutcome
input_execute(WfStep *step)
{
	List	   *errors = NIL;
	ListCell   *cell;
	StringInfoData text;
	WfError    *error;

	if (step->prepared == NULL || wf_schema_validate(step->prepared, &step->input, &errors, MOST_INPUT_ERRORS))
		return wf_block_done(0, wf_json_copy(&step->input));
	initStringInfo(&text);
	foreach(cell, errors)
	{
		const WfSchemaError *one = lfirst(cell);

		appendStringInfo(&text, "%s%s %s", text.len > 0 ? "; " : "",
						 one->instance_path[0] == '\0' ? "/" : one->instance_path, one->message);
	}
	error = wf_error_make(ERRCODE_INVALID_PARAMETER_VALUE, NULL, "input of the run does not match \"inputSchema\"");
	error->detail = text.data;
	return wf_block_fail(error);
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
