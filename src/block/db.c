/*
 * db.c: the blocks that read: db.find, db.findOne, db.aggregate; and what all db.* blocks share.
 *
 * A node's prepared state is its statement, in the graph's memory. The statement is run as the role
 * and with the search_path that the engine has set; its rows come back as the block's output.
 */
#include "postgres.h"

#include "block/db.h"

const char *const wf_block_db_ports[] = {"out", NULL};

/* Notes what a dry run has written. */
static void
note_rows(WfStep *step, const WfQueryResult *result)
{
	if (step->dry_run && result->operation != NULL && result->has_rows && step->ops->note_rows != NULL)
		step->ops->note_rows(step, result->table, result->operation, &result->rows);
}

WfOutcome
wf_block_db_execute(WfStep *step)
{
	WfQueryResult result;

	wf_query_execute(step->prepared, step->scope, step->dry_run, &result);
	note_rows(step, &result);
	return wf_block_done(0, result.output);
}

void
wf_block_db_look(const WfNode *node, void *prepared, WfDiagnostics *found)
{
	if (prepared != NULL)
		wf_query_check(prepared, node->id, psprintf("%s.config", node->path), found);
}

List *
wf_block_db_explain(const WfNode *node, const WfTemplate *config, void *prepared, bool with_plan)
{
	return prepared != NULL ? wf_query_explain(prepared, with_plan) : NIL;
}

WF_DB_PREPARE(find_prepare, WF_QUERY_FIND)

const WfBlock wf_block_db_find = {
	.type = "db.find",
	.category = "database",
	.summary = "Rows of a table that meet a condition",
	.config_schema = WF_DB_OBJECT(WF_DB_TABLE ", " WF_DB_AS ", " WF_DB_SELECT ", " WF_DB_WHERE ", " WF_DB_JOINS ", "
								  WF_DB_ORDER_BY ", " WF_DB_LIMIT ", " WF_DB_OFFSET ", " WF_DB_GROUP_BY ", " WF_DB_HAVING
								  ", " WF_DB_LOCK, "\"table\""),
	.output_schema = WF_DB_ROWS_OUTPUT,
	.ports = wf_block_db_ports,
	.execute = wf_block_db_execute,
	.prepare = find_prepare,
	.look = wf_block_db_look,
	.explain = wf_block_db_explain,
};

/* -- db.findOne -- */

static const char *const find_one_ports[] = {"out", "notFound", NULL};

#define FIND_ONE_OUT 0
#define FIND_ONE_NOT_FOUND 1

WF_DB_PREPARE(find_one_prepare, WF_QUERY_FIND_ONE)

/* Leaves at `notFound` only when an edge does; else a missing row is a null at `out`. */
static WfOutcome
find_one_execute(WfStep *step)
{
	WfQueryResult result;

	wf_query_execute(step->prepared, step->scope, step->dry_run, &result);
	if (!result.found && wf_block_port_is_wired(step->node, FIND_ONE_NOT_FOUND))
		return wf_block_done(FIND_ONE_NOT_FOUND, result.output);
	return wf_block_done(FIND_ONE_OUT, result.output);
}

const WfBlock wf_block_db_find_one = {
	.type = "db.findOne",
	.category = "database",
	.summary = "The first row of a table that meets a condition",
	.config_schema = WF_DB_OBJECT(WF_DB_TABLE ", " WF_DB_AS ", " WF_DB_SELECT ", " WF_DB_WHERE ", " WF_DB_JOINS ", "
								  WF_DB_ORDER_BY ", " WF_DB_LIMIT ", " WF_DB_OFFSET ", " WF_DB_GROUP_BY ", " WF_DB_HAVING ", " WF_DB_LOCK,
								  "\"table\""),
	.output_schema = WF_JSON({
		"type": "object",
		"properties": {"row": {"type": ["object", "null"]}},
		"required": ["row"]
	}),
	.ports = find_one_ports,
	.execute = find_one_execute,
	.prepare = find_one_prepare,
	.look = wf_block_db_look,
	.explain = wf_block_db_explain,
};

/* -- db.aggregate -- */

WF_DB_PREPARE(aggregate_prepare, WF_QUERY_AGGREGATE)

#define AGGREGATES "\"aggregates\": " WF_JSON({ \
	"type": "object", "minProperties": 1, \
	"additionalProperties": { \
		"type": "object", \
		"properties": { \
			"fn": {"type": "string", "minLength": 1, "description": "Any aggregate of one column or of none."}, \
			"column": {"type": ["string", "null"]}, \
			"distinct": {"type": ["boolean", "null"], "default": false}, \
			"filter": {"type": ["object", "null"], "description": "A where: which rows are counted in."} \
		}, \
		"required": ["fn"], \
		"additionalProperties": false \
	} \
})

const WfBlock wf_block_db_aggregate = {
	.type = "db.aggregate",
	.category = "database",
	.summary = "Counts, sums and other aggregates over rows, by group",
	.config_schema = WF_DB_OBJECT(WF_DB_TABLE ", " WF_DB_AS ", " WF_DB_WHERE ", " WF_DB_JOINS ", " WF_DB_GROUP_BY ", "
								  AGGREGATES ", " WF_DB_HAVING ", " WF_DB_ORDER_BY ", " WF_DB_LIMIT ", " WF_DB_OFFSET,
								  "\"table\", \"aggregates\""),
	.output_schema = WF_DB_ROWS_OUTPUT,
	.ports = wf_block_db_ports,
	.execute = wf_block_db_execute,
	.prepare = aggregate_prepare,
	.look = wf_block_db_look,
	.explain = wf_block_db_explain,
};
