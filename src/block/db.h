/*
 * db.h: what the files of the db.* blocks share; private to this room.
 *
 * A db block is a kind of statement (query/query.h) and a schema of its config. All of them prepare,
 * look, run and explain in the same way.
 */
#ifndef WF_BLOCK_DB_H
#define WF_BLOCK_DB_H

#include "block/block.h"
#include "block/support.h"
#include "query/query.h"

extern const char *const wf_block_db_ports[];

extern WfOutcome wf_block_db_execute(WfStep *step);
extern void wf_block_db_look(const WfNode *node, void *prepared, WfDiagnostics *found);
extern List *wf_block_db_explain(const WfNode *node, const WfTemplate *config, void *prepared, bool with_plan);

/* A prepare function of its own for each kind. */
#define WF_DB_PREPARE(name, kind) \
static void * \
name(const WfNode *node, const WfTemplate *config, const char *search_path, WfDiagnostics *found) \
{ \
	return wf_query_make(kind, config, search_path, node->id, psprintf("%s.config", node->path), found); \
}

/* -- members of config schemas -- */

#define WF_DB_TABLE "\"table\": " WF_JSON({ \
	"type": "string", "minLength": 1, \
	"description": "table or schema.table, as the catalog writes it; parts with dots in double quotes" \
})
#define WF_DB_AS "\"as\": " WF_JSON({"type": "string", "minLength": 1, "description": "Another name for the table."})
#define WF_DB_WHERE "\"where\": " WF_JSON({ \
	"type": "object", \
	"description": "{column: value} or {column: {op: value}} with and, or, not; see docs/where.md" \
})
#define WF_DB_WHERE_REQUIRED "\"where\": " WF_JSON({ \
	"type": "object", "minProperties": 1, \
	"description": "Which rows; required and not empty. See docs/where.md" \
})
#define WF_DB_SELECT "\"select\": " WF_JSON({ \
	"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}, \
			  {"type": "object", "minProperties": 1}], \
	"description": "Columns, or {alias: column}; all columns unless given." \
})
#define WF_DB_JOINS "\"joins\": " WF_JSON({ \
	"type": "array", \
	"items": { \
		"type": "object", \
		"properties": { \
			"type": {"enum": ["inner", "left", "right", "full"], "default": "inner"}, \
			"table": {"type": "string", "minLength": 1}, \
			"as": {"type": "string", "minLength": 1}, \
			"on": {"type": "object", "minProperties": 1} \
		}, \
		"required": ["table", "on"], \
		"additionalProperties": false \
	}, \
	"description": "Tables joined, each with the columns that are equal in on, or a condition." \
})
#define WF_DB_ORDER_BY "\"orderBy\": " WF_JSON({ \
	"anyOf": [ \
		{"type": "string"}, \
		{"type": "array", "items": {"anyOf": [ \
			{"type": "string"}, \
			{"type": "object", \
			 "properties": {"column": {"type": "string"}, "direction": {"type": "string"}, "nulls": {"type": "string"}}, \
			 "required": ["column"], "additionalProperties": false} \
		]}} \
	], \
	"description": "column, column desc, column desc nulls last; or {column, direction, nulls}." \
})
#define WF_DB_LIMIT "\"limit\": " WF_JSON({"type": ["integer", "null"], "minimum": 0, "description": "Rows at the most."})
#define WF_DB_OFFSET "\"offset\": " WF_JSON({"type": ["integer", "null"], "minimum": 0, "description": "Rows left out first."})
#define WF_DB_GROUP_BY "\"groupBy\": " WF_JSON({ \
	"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}], \
	"description": "Columns that rows are grouped by." \
})
#define WF_DB_HAVING "\"having\": " WF_JSON({"type": "object", "description": "A where over groups."})
#define WF_DB_LOCK "\"lock\": " WF_JSON({ \
	"enum": ["none", "update", "share", "skipLocked"], "default": "none", \
	"description": "Locks the rows of the first table until the segment commits." \
})
#define WF_DB_RETURNING "\"returning\": " WF_JSON({ \
	"anyOf": [{"type": "boolean"}, {"type": "string"}, {"type": "array", "items": {"type": "string"}}], \
	"description": "Whether, or which columns of, the rows written are given." \
})
#define WF_DB_COLUMNS WF_JSON({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]})

#define WF_DB_OBJECT(properties, required) \
	"{\"type\": \"object\", \"properties\": {" properties "}, \"required\": [" required "], \"additionalProperties\": false}"

#define WF_DB_ROWS_OUTPUT WF_JSON({ \
	"type": "object", \
	"properties": {"rows": {"type": "array", "items": {"type": "object"}}, "count": {"type": "integer"}}, \
	"required": ["rows", "count"] \
})
#define WF_DB_BULK_OUTPUT WF_JSON({ \
	"type": "object", \
	"properties": {"count": {"type": "integer"}, "rows": {"type": "array", "items": {"type": "object"}}}, \
	"required": ["count"] \
})

#endif
