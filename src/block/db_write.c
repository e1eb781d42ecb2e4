/*
 * db_write.c: the blocks that write one row, or the rows that meet a condition: db.create,
 * db.update, db.upsert, db.delete.
 */
#include "postgres.h"

#include "block/db.h"

#define ROW_OUTPUT WF_JSON({ \
	"type": "object", \
	"properties": {"row": {"type": ["object", "null"]}, "count": {"type": "integer"}}, \
	"required": ["row", "count"] \
})

#define VALUES "\"values\": " WF_JSON({ \
	"type": "object", \
	"description": "{column: value}; a value may be a fixed SQL expression, {$expr, params}" \
})

#define SET WF_JSON({ \
	"type": "object", "minProperties": 1, \
	"description": "{column: value}; a value may be {$inc: n} or a fixed SQL expression, {$expr, params}" \
})

/* -- db.create -- */

WF_DB_PREPARE(create_prepare, WF_QUERY_CREATE)

const WfBlock wf_block_db_create = {
	.type = "db.create",
	.category = "database",
	.summary = "Inserts a row",
	.config_schema = WF_DB_OBJECT(WF_DB_TABLE ", " WF_DB_AS ", " VALUES ", " WF_DB_RETURNING, "\"table\", \"values\""),
	.output_schema = ROW_OUTPUT,
	.ports = wf_block_db_ports,
	.flags = WF_BLOCK_WRITES,
	.execute = wf_block_db_execute,
	.prepare = create_prepare,
	.look = wf_block_db_look,
	.explain = wf_block_db_explain,
};

/* -- db.update -- */

WF_DB_PREPARE(update_prepare, WF_QUERY_UPDATE)

const WfBlock wf_block_db_update = {
	.type = "db.update",
	.category = "database",
	.summary = "Changes the rows that meet a condition",
	.config_schema = WF_DB_OBJECT(WF_DB_TABLE ", " WF_DB_AS ", \"set\": " SET ", " WF_DB_WHERE_REQUIRED ", "
								  WF_DB_RETURNING, "\"table\", \"set\", \"where\""),
	.output_schema = WF_DB_ROWS_OUTPUT,
	.ports = wf_block_db_ports,
	.flags = WF_BLOCK_WRITES,
	.execute = wf_block_db_execute,
	.prepare = update_prepare,
	.look = wf_block_db_look,
	.explain = wf_block_db_explain,
};

/* -- db.upsert -- */

WF_DB_PREPARE(upsert_prepare, WF_QUERY_UPSERT)

const WfBlock wf_block_db_upsert = {
	.type = "db.upsert",
	.category = "database",
	.summary = "Inserts a row, or changes the one that has its key",
	.config_schema = WF_DB_OBJECT(WF_DB_TABLE ", " WF_DB_AS ", " VALUES ", \"conflict\": " WF_DB_COLUMNS ", \"set\": " SET
								  ", " WF_DB_RETURNING, "\"table\", \"values\", \"conflict\""),
	.output_schema = WF_JSON({
		"type": "object",
		"properties": {
			"row": {"type": ["object", "null"]}, "count": {"type": "integer"}, "inserted": {"type": "boolean"}
		},
		"required": ["row", "count", "inserted"]
	}),
	.ports = wf_block_db_ports,
	.flags = WF_BLOCK_WRITES,
	.execute = wf_block_db_execute,
	.prepare = upsert_prepare,
	.look = wf_block_db_look,
	.explain = wf_block_db_explain,
};

/* -- db.delete -- */

WF_DB_PREPARE(delete_prepare, WF_QUERY_DELETE)

const WfBlock wf_block_db_delete = {
	.type = "db.delete",
	.category = "database",
	.summary = "Deletes the rows that meet a condition",
	.config_schema = WF_DB_OBJECT(WF_DB_TABLE ", " WF_DB_AS ", " WF_DB_WHERE_REQUIRED ", " WF_DB_RETURNING,
								  "\"table\", \"where\""),
	.output_schema = WF_DB_ROWS_OUTPUT,
	.ports = wf_block_db_ports,
	.flags = WF_BLOCK_WRITES,
	.execute = wf_block_db_execute,
	.prepare = delete_prepare,
	.look = wf_block_db_look,
	.explain = wf_block_db_explain,
};
