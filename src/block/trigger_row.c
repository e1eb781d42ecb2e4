/*
 * trigger_row.c: trigger.row, the node at which a run begins that a change of a table starts.
 *
 * What it says about tables is checked by the engine when the definition is saved (engine/trigger_row.c); here is its shape.
 */
#include "postgres.h"

#include "block/support.h"

static const char *const out_ports[] = {"out", NULL};

static WfOutcome
row_execute(WfStep *step)
{
	return wf_block_done(0, wf_json_copy(&step->input));
}

const WfBlock wf_block_trigger_row = {
	.type = "trigger.row",
	.category = "trigger",
	.summary = "starts when rows of a table change",
	.config_schema = WF_JSON({
		"type": "object",
		"properties": {
			"table": {"type": "string", "x-fixed": true, "minLength": 1, "description": "The table or view, found as in the blocks db.*."},
			"events": {
				"type": "array", "x-fixed": true, "minItems": 1,
				"items": {"type": "string"},
				"description": "insert, update, delete, truncate."
			},
			"columns": {
				"type": "array", "x-fixed": true, "minItems": 1, "items": {"type": "string"},
				"description": "Of updates, those that set one of these columns."
			},
			"when": {
				"type": "string", "format": "expression",
				"description": "A condition on $trigger.new, $trigger.old, $trigger.op, $trigger.table, $trigger.schema."
			},
			"mode": {
				"enum": ["sync", "async"], "default": "async", "x-fixed": true,
				"description": "async: a run in the background, queued by the writer's transaction. sync: a run within it; when it fails, so does the statement."
			},
			"level": {
				"enum": ["row", "statement"], "default": "row", "x-fixed": true,
				"description": "A run for each row, or one for all rows of a statement."
			},
			"replica": {
				"type": "boolean", "default": false, "x-fixed": true,
				"description": "Fires for what logical replication applies, too."
			}
		},
		"required": ["table", "events"],
		"additionalProperties": false
	}),
	.output_schema = WF_JSON({
		"type": "object",
		"properties": {"op": {"type": "string"}, "schema": {"type": "string"}, "table": {"type": "string"}, "new": {}, "old": {}},
		"required": ["op", "schema", "table", "new", "old"]
	}),
	.ports = out_ports,
	.flags = WF_BLOCK_PURE | WF_BLOCK_TRIGGER,
	.execute = row_execute,
};
