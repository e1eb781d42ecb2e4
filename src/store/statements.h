/*
 * statements.h: the engine's statements by name; see statements.c. Private to this room.
 */
#ifndef WF_STORE_STATEMENTS_H
#define WF_STORE_STATEMENTS_H

#include "postgres.h"
#include "executor/spi.h"
#include "utils/jsonb.h"
#include "utils/uuid.h"

typedef enum WfStatementId
{
	WF_SQL_MEMBERSHIPS,
	WF_SQL_TENANT_BY_NAME,
	WF_SQL_TENANT_BY_ID,
	WF_SQL_TENANT_CHAIN,
	WF_SQL_INSERT_TENANT,
	WF_SQL_PUT_MEMBER,
	WF_SQL_DELETE_MEMBER,
	WF_SQL_MEMBER_ROLE,
	WF_SQL_COUNT_OWNERS,
	WF_SQL_LOCK_TENANT,
	WF_SQL_FIND_WORKFLOW,
	WF_SQL_FIND_WORKFLOW_ID,
	WF_SQL_LOCK_WORKFLOW,
	WF_SQL_FIND_VERSION,
	WF_SQL_INSERT_WORKFLOW,
	WF_SQL_INSERT_VERSION,
	WF_SQL_TOUCH_WORKFLOW,
	WF_SQL_SET_ACTIVE,
	WF_SQL_SET_STATUS,
	WF_SQL_WORKFLOW_NAMES,
	WF_SQL_FIND_BLOCK,
	WF_SQL_LIST_BLOCKS,
	WF_SQL_PUT_BLOCK,
	WF_SQL_FIND_IDEMPOTENT,
	WF_SQL_COUNT
} WfStatementId;

/*
 * Runs a statement as wf_engine; returns the number of rows. `nulls` as for SPI_execute_plan, or NULL.
 * Whoever reads rows frees SPI_tuptable. Throws what the statement throws.
 */
extern uint64 wf_store_execute(WfStatementId id, Datum *values, const char *nulls);
/* The same for a query, on what is committed now, whatever the transaction's isolation level. */
extern uint64 wf_store_execute_latest(WfStatementId id, Datum *values);

/* Column i (from 1) of row r of SPI_tuptable, as a copy in CurrentMemoryContext or NULL / 0. */
extern char *wf_store_text(uint64 row, int column);
extern Jsonb *wf_store_jsonb(uint64 row, int column);
extern int	wf_store_int(uint64 row, int column);
extern Oid	wf_store_oid(uint64 row, int column);
extern void wf_store_uuid(uint64 row, int column, pg_uuid_t *out);
extern bool wf_store_bool(uint64 row, int column);

#endif
