/*
 * db_sql.c: the blocks that run SQL of the author's own: db.query and db.call.
 */
#include "postgres.h"

#include "block/db.h"

/* -- db.query -- */

WF_DB_PREPARE(query_prepare, WF_QUERY_SQL)

const WfBlock wf_block_db_query = {
	.type = "db.query",
	.category = "database",
	.summary = "One SQL statement with parameters",
	.config_schema = WF_JSON({
		"type": "object",
		"properties": {
			"sql": {
				"type": "string", "minLength": 1, "x-fixed": true,
				"description": "One statement, fixed in the definition; $1, $2 ... stand for the params."
			},
			"params": {"type": "array", "description": "Values of $1, $2 ..., of the types that the statement gives them."},
			"outputFormat": {"enum": ["rows", "row", "value", "none"], "default": "rows"}
		},
		"required": ["sql"],
		"additionalProperties": false
	}),
	.output_schema = WF_JSON({
		"type": "object",
		"description": "rows: {rows, count}; row: {row}; value: {value}; none: {count}",
		"properties": {
			"rows": {"type": "array"}, "row": {"type": ["object", "null"]}, "value": {}, "count": {"type": "integer"}
		}
	}),
	.ports = wf_block_db_ports,
	.flags = WF_BLOCK_WRITES,
	.execute = wf_block_db_execute,
	.prepare = query_prepare,
	.look = wf_block_db_look,
	.explain = wf_block_db_explain,
};

/* -- db.call -- */

WF_DB_PREPARE(call_prepare, WF_QUERY_CALL)

const WfBlock wf_block_db_call = {
	.type = "db.call",
	.category = "database",
	.summary = "Calls a function or a procedure",
	.config_schema = WF_JSON({
		"type": "object",
		"properties": {
			"function": {
				"type": "string", "minLength": 1,
				"description": "name, schema.name, or a signature such as add(integer, integer)"
			},
			"procedure": {"type": "string", "minLength": 1, "description": "The same, for a procedure."},
			"args": {
				"type": ["object", "array"],
				"description": "{parameter: value}, or values in order; what is left out has its default."
			}
		},
		"additionalProperties": false,
		"oneOf": [{"required": ["function"]}, {"required": ["procedure"]}]
	}),
	.output_schema = WF_JSON({
		"type": "object",
		"description": "{value}, or {rows, count} of a function that returns a set",
		"properties": {"value": {}, "rows": {"type": "array"}, "count": {"type": "integer"}}
	}),
	.ports = wf_block_db_ports,
	.flags = WF_BLOCK_WRITES,
	.execute = wf_block_db_execute,
	.prepare = call_prepare,
	.look = wf_block_db_look,
	.explain = wf_block_db_explain,
};
