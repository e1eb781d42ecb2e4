/*
 * db_bulk.c: the blocks that write many rows in one statement: db.bulkCreate, db.bulkUpdate,
 * db.bulkDelete.
 */
#include "postgres.h"

#include "block/db.h"

#define ITEMS "\"items\": " WF_JSON({"type": "array", "description": "Objects, one for each row."})

/* -- db.bulkCreate -- */

WF_DB_PREPARE(bulk_create_prepare, WF_QUERY_BULK_CREATE)

const WfBlock wf_block_db_bulk_create = {
	.type = "db.bulkCreate",
	.category = "database",
	.summary = "Inserts many rows in one statement",
	.config_schema = WF_DB_OBJECT(WF_DB_TABLE ", " WF_DB_AS ", " ITEMS ", \"onConflict\": "
								  WF_JSON({"enum": ["error", "ignore", "update"], "default": "error"})
								  ", \"conflict\": " WF_DB_COLUMNS ", " WF_DB_RETURNING, "\"table\", \"items\""),
	.output_schema = WF_DB_BULK_OUTPUT,
	.ports = wf_block_db_ports,
	.flags = WF_BLOCK_WRITES,
	.execute = wf_block_db_execute,
	.prepare = bulk_create_prepare,
	.look = wf_block_db_look,
	.explain = wf_block_db_explain,
};

/* -- db.bulkUpdate -- */

WF_DB_PREPARE(bulk_update_prepare, WF_QUERY_BULK_UPDATE)

const WfBlock wf_block_db_bulk_update = {
	.type = "db.bulkUpdate",
	.category = "database",
	.summary = "Changes many rows in one statement, each by its item or all alike",
	.config_schema = "{\"type\": \"object\", \"properties\": {" WF_DB_TABLE ", " WF_DB_AS ", " ITEMS ", \"key\": "
	WF_DB_COLUMNS ", \"set\": " WF_JSON({"type": "object", "minProperties": 1}) ", " WF_DB_WHERE_REQUIRED ", "
	WF_DB_RETURNING "}, \"required\": [\"table\"], \"additionalProperties\": false, \"oneOf\": "
	WF_JSON([{"required": ["items", "key"]}, {"required": ["set", "where"]}]) "}",
	.output_schema = WF_DB_BULK_OUTPUT,
	.ports = wf_block_db_ports,
	.flags = WF_BLOCK_WRITES,
	.execute = wf_block_db_execute,
	.prepare = bulk_update_prepare,
	.look = wf_block_db_look,
	.explain = wf_block_db_explain,
};

/* -- db.bulkDelete -- */

WF_DB_PREPARE(bulk_delete_prepare, WF_QUERY_BULK_DELETE)

const WfBlock wf_block_db_bulk_delete = {
	.type = "db.bulkDelete",
	.category = "database",
	.summary = "Deletes many rows in one statement, each by its item or all that meet a condition",
	.config_schema = "{\"type\": \"object\", \"properties\": {" WF_DB_TABLE ", " WF_DB_AS ", " ITEMS ", \"key\": "
	WF_DB_COLUMNS ", " WF_DB_WHERE_REQUIRED ", " WF_DB_RETURNING "}, \"required\": [\"table\"], "
	"\"additionalProperties\": false, \"oneOf\": "
	WF_JSON([{"required": ["items", "key"]}, {"required": ["where"]}]) "}",
	.output_schema = WF_DB_BULK_OUTPUT,
	.ports = wf_block_db_ports,
	.flags = WF_BLOCK_WRITES,
	.execute = wf_block_db_execute,
	.prepare = bulk_delete_prepare,
	.look = wf_block_db_look,
	.explain = wf_block_db_explain,
};
