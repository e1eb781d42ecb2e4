/*
 * row_trigger.h: PostgreSQL's own triggers on users' tables, which start workflows.
 *
 * A `trigger.row` node has one PostgreSQL trigger for each of its events, on the table that it names. It is an ordinary one, not
 * internal, so that pg_dump carries it, and calls wf.row_trigger(tenant, workflow, node). Rows for which nothing is to be done
 * are kept away by its WHEN clause, as far as the node's `when` can be said in SQL (when.h).
 *
 * This file's functions make, find and drop these triggers, say what is wrong with a node, and give a firing as JSON.
 * What a firing does is the engine's.
 */
#ifndef WF_QUERY_ROW_TRIGGER_H
#define WF_QUERY_ROW_TRIGGER_H

#include "postgres.h"
#include "base/diagnostics.h"
#include "base/json.h"
#include "commands/trigger.h"
#include "expr/expr.h"
#include "utils/uuid.h"

typedef enum WfRowEvent
{
	WF_ROW_INSERT,
	WF_ROW_UPDATE,
	WF_ROW_DELETE,
	WF_ROW_TRUNCATE,
} WfRowEvent;

#define WF_ROW_EVENTS 4
#define WF_ROW_BIT(event) (1u << (event))

/* What a node asks for. */
typedef struct WfRowConfig
{
	const char *table;			/* as written */
	uint32		events;			/* WF_ROW_BIT of each */
	int			n_columns;		/* of `columns`, for UPDATE; 0: any */
	const char **columns;
	const WfExpr *when;			/* or NULL */
	bool		by_statement;	/* TRUNCATE is, in any case */
	bool		replica;		/* fires for what replication applies, too */
} WfRowConfig;

/* Whose triggers they are. */
typedef struct WfRowOwner
{
	pg_uuid_t	tenant;
	pg_uuid_t	workflow;
	const char *name;			/* of the workflow, for the comment on the triggers */
	const char *node;
} WfRowOwner;

/* What is there of a node's triggers. */
typedef struct WfRowState
{
	const char *table;			/* its name now, qualified and quoted where needed; NULL: it is gone */
	uint32		installed;		/* events whose trigger is there */
	uint32		disabled;		/* of those, the ones that were disabled (ALTER TABLE ... DISABLE TRIGGER) */
} WfRowState;

/*
 * Reads a node's config, in which `when` is text. What is wrong with its shape is added to `found`, at `path` (that of
 * the config); false then. In CurrentMemoryContext.
 */
extern bool wf_query_row_config(const JsonbValue *config, const char *node, const char *path, WfDiagnostics *found,
								WfRowConfig *out);

/*
 * Looks the node up in the catalog, as current_user, and adds what stands in the way of its triggers as errors: no such table,
 * or one that takes none (42P01, 42809), no privilege (42501), no such columns (42703), a `when` that reads what an event
 * does not have (WF007). The table's OID, or InvalidOid. Takes no locks. Never throws but for memory and cancel.
 */
extern Oid	wf_query_row_check(const WfRowConfig *config, const char *search_path, const char *node, const char *path,
							   WfDiagnostics *found);

/*
 * Makes the triggers be what the config says: missing ones are created, changed ones replaced, those of other events dropped. One
 * that is as it should be is not touched, nor is its table locked. As current_user, who needs the TRIGGER privilege to create. A
 * trigger that a DBA disabled stays so. Throws what CREATE TRIGGER throws; 42P01 when the table is gone. Needs an SPI
 * connection.
 */
extern void wf_query_row_install(Oid relid, const WfRowConfig *config, const WfRowOwner *owner);

/* Drops what is there of them; who may do so is the caller's to decide. Locks the table exclusively, if there is
 * any. */
extern void wf_query_row_remove(Oid relid, const pg_uuid_t *workflow, const char *node);

/* In CurrentMemoryContext. Takes no locks. */
extern void wf_query_row_find(Oid relid, const pg_uuid_t *workflow, const char *node, WfRowState *out);

/* The name of a trigger: the same for the same workflow, node and event everywhere. */
extern void wf_query_row_name(const pg_uuid_t *workflow, const char *node, WfRowEvent event, char *out);	/* NAMEDATALEN */

/* The event that fires. */
extern WfRowEvent wf_query_row_event(const TriggerData *data);

/*
 * Is this firing one of the node's own triggers, on `relid` or a partition of it? (Anybody with the TRIGGER privilege on some table
 * can make a trigger with our function and another's arguments.) The answer is the same for all firings of a trigger in one
 * statement, and costs a hash and for a partition some look-ups: keep it (in fn_extra).
 */
extern bool wf_query_row_is_genuine(const TriggerData *data, Oid relid, const WfRowConfig *config, const pg_uuid_t *workflow,
									const char *node);

/*
 * Must the condition still be evaluated, for rows that PostgreSQL's WHEN let pass? Whether its WHEN says all is
 * to be asked once for each compiled condition and event, and again after a change of the table.
 */
extern bool wf_query_row_needs_when(const WfRowConfig *config, Oid relid, WfRowEvent event);

/* UPDATE of a view: is one of `columns` different? (For tables PostgreSQL's `UPDATE OF` says it.) */
extern bool wf_query_row_is_changed(const TriggerData *data, const WfRowConfig *config);

/*
 * `$trigger`: {op, schema, table, new, old}. `relid` is the table that the trigger was declared on. Rows are as to_jsonb gives
 * them. In CurrentMemoryContext. Throws WF006 when it is over workflow.max_context_size.
 */
extern Jsonb *wf_query_row_json(const TriggerData *data, Oid relid);

/* A scope in which `$trigger` is this, and nothing else is anything. In CurrentMemoryContext. */
extern WfScope *wf_query_row_scope(const Jsonb *trigger);

#endif
