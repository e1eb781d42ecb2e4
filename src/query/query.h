/*
 * query.h: the db.* language compiled to parameterised statements.
 *
 * A WfStatement is what one db node compiles to. Names are looked up in the catalog and quoted;
 * values are parameters of the column's own type; nothing from a config or a context is ever pasted
 * into SQL. Statements run through SPI as the current role, with plans kept per backend and used
 * again; they follow changes of the catalog by themselves.
 */
#ifndef WF_QUERY_QUERY_H
#define WF_QUERY_QUERY_H

#include "postgres.h"
#include "base/diagnostics.h"
#include "base/json.h"
#include "expr/expr.h"

typedef enum WfQueryKind
{
	WF_QUERY_FIND,
	WF_QUERY_FIND_ONE,
	WF_QUERY_CREATE,
	WF_QUERY_UPDATE,
	WF_QUERY_UPSERT,
	WF_QUERY_DELETE,
	WF_QUERY_BULK_CREATE,
	WF_QUERY_BULK_UPDATE,
	WF_QUERY_BULK_DELETE,
	WF_QUERY_AGGREGATE,
	WF_QUERY_SQL,
	WF_QUERY_CALL,
} WfQueryKind;

typedef struct WfStatement WfStatement;

typedef struct WfQueryResult
{
	Jsonb	   *output;			/* the block's output, in the caller's context */
	int64		count;			/* rows found or written */
	bool		found;			/* findOne: there was a row */
	/* when asked to note rows (dry run): what was written */
	const char *table;			/* as schema.name, or NULL when not known */
	const char *operation;		/* insert, update, delete, or NULL for a read */
	bool		has_rows;
	JsonbValue	rows;			/* an array */
} WfQueryResult;

/*
 * Takes the config of a db node; no catalog access yet. In CurrentMemoryContext, which must live as
 * long as the statement is used (the graph's). `search_path` (a list of quoted schema names) is what
 * unqualified names are resolved with. What is wrong whatever the catalog holds (an `$expr` that is
 * not fixed in the definition, unknown operators, an empty where) is added to `found`.
 */
extern WfStatement *wf_query_make(WfQueryKind kind, const WfTemplate *config, const char *search_path,
								  const char *node, const char *path, WfDiagnostics *found);

/* Looks the statement up in the catalog and adds unknown tables, columns, functions, and SQL that
 * does not parse, as warnings (42P01, 42703 ...) with hints. Never throws for these. */
extern void wf_query_check(WfStatement *statement, const char *node, const char *path, WfDiagnostics *found);

/*
 * Executes with values from the scope. The result is in CurrentMemoryContext. Needs a transaction
 * with an SPI connection (the caller's); throws what the statement throws, 42P01 and 42703 for names
 * that are not there, 22023 for a value of the wrong shape. `note_rows` asks for the rows written.
 */
extern void wf_query_execute(WfStatement *statement, WfScope *scope, bool note_rows, WfQueryResult *result);

/* The SQL text and its parameters as lines (C strings), for wf_explain; `with_plan` adds EXPLAIN's. */
extern List *wf_query_explain(WfStatement *statement, bool with_plan);

/* Registers invalidation callbacks; once from _PG_init. */
extern void wf_query_init(void);

/*
 * Calls a function (config jsonb, input jsonb) RETURNS jsonb as a statement of its own; SQL NULL gives
 * null. The result is in CurrentMemoryContext. Needs an SPI connection, as wf_query_execute.
 */
extern void wf_query_call_block(Oid function, const JsonbValue *config, const JsonbValue *input, JsonbValue *out);

/* Any value of a PostgreSQL type as JSON, exactly as to_jsonb gives it; used by custom blocks too. */
extern void wf_query_datum_to_json(Datum value, bool is_null, Oid type, JsonbValue *out);

#endif
