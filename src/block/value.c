/*
 * value.c: the blocks that pass, set, return or refuse values: noop, set, return, fail.
 */
#include "postgres.h"

#include "block/block.h"
#include "block/support.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"

static const char *const out_ports[] = {"out", NULL};
static const char *const no_ports[] = {NULL};

/* -- noop -- */

static WfOutcome
noop_execute(WfStep *step)
{
	return wf_block_done(0, wf_json_copy(&step->input));
}

const WfBlock wf_block_noop = {
	.type = "noop",
	.category = "flow",
	.summary = "passes its input on",
	.config_schema = WF_JSON({"type": "object", "additionalProperties": false}),
	.output_schema = WF_JSON({"description": "The input."}),
	.ports = out_ports,
	.flags = WF_BLOCK_PURE,
	.execute = noop_execute,
};

/* -- set -- */

static WfOutcome
set_execute(WfStep *step)
{
	JsonbValue	values;
	JsonbValue	key;
	JsonbValue	value;
	WfJsonIter	it;
	Jsonb	   *output;

	wf_block_config(step, "variables", &values);
	if (!wf_json_is_object(&values))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("\"variables\" must be an object, not %s", wf_json_type_name(&values))));
	output = wf_json_copy(&values);
	wf_json_root(output, &values);
	wf_json_iter_begin(&it, &values);
	while (wf_json_iter_next(&it, &key, &value))
	{
		CHECK_FOR_INTERRUPTS();
		step->ops->set_variable(step, wf_json_cstring(&key), &value);
	}
	return wf_block_done(0, output);
}

const WfBlock wf_block_set = {
	.type = "set",
	.category = "flow",
	.summary = "sets variables of the run",
	.config_schema = WF_JSON({
		"type": "object",
		"properties": {
			"variables": {
				"type": "object", "minProperties": 1,
				"propertyNames": {"minLength": 1, "maxLength": 255},
				"description": "Values by name; later steps read them as $vars.name."
			}
		},
		"required": ["variables"],
		"additionalProperties": false
	}),
	.output_schema = WF_JSON({"type": "object", "description": "The values by name."}),
	.ports = out_ports,
	.flags = WF_BLOCK_PURE,
	.execute = set_execute,
};

/* -- return -- */

static WfOutcome
return_execute(WfStep *step)
{
	WfOutcome	outcome = {.kind = WF_OUTCOME_RETURN};
	JsonbValue	value;

	if (!wf_block_config(step, "value", &value))
		value = step->input;
	outcome.output = wf_json_copy(&value);
	return outcome;
}

const WfBlock wf_block_return = {
	.type = "return",
	.category = "flow",
	.summary = "ends the run with a value",
	.config_schema = WF_JSON({
		"type": "object",
		"properties": {
			"value": {"description": "The output of the run; the input of the node unless given."}
		},
		"additionalProperties": false
	}),
	.output_schema = WF_JSON({"description": "The value."}),
	.ports = no_ports,
	.flags = WF_BLOCK_PURE,
	.execute = return_execute,
};

/* -- fail -- */

static const char *
text_field(WfStep *step, const char *key, const char *otherwise)
{
	const char *text = wf_block_config_text(step, key);

	return text != NULL ? text : otherwise;
}

static WfOutcome
fail_execute(WfStep *step)
{
	WfError    *error = palloc0(sizeof(WfError));
	JsonbValue	details;

	error->sqlstate = WF_ERRCODE_RAISED;
	error->code = text_field(step, "code", "WF017");
	error->message = text_field(step, "message", "failed");
	if (wf_block_config(step, "details", &details))
	{
		error->details = palloc(sizeof(JsonbValue));
		wf_block_keep(&details, error->details);
	}
	return wf_block_fail(error);
}

const WfBlock wf_block_raise = {
	.type = "fail",
	.category = "flow",
	.summary = "raises an error of one's own",
	.config_schema = WF_JSON({
		"type": "object",
		"properties": {
			"code": {
				"type": "string", "minLength": 1, "default": "WF017",
				"description": "Becomes error.code; the SQLSTATE of wf_call is WF017 whatever it is."
			},
			"message": {"type": "string", "default": "failed", "description": "For people."},
			"details": {"description": "Any value, as error.details."}
		},
		"additionalProperties": false
	}),
	.output_schema = WF_JSON({"not": {}}),
	.ports = no_ports,
	.flags = WF_BLOCK_PURE,
	.execute = fail_execute,
};
