/*
 * statements.h: the engine's statements by name; see statements.c. Private to this room.
 */
#ifndef WF_STORE_STATEMENTS_H
#define WF_STORE_STATEMENTS_H

#include "postgres.h"
#include "executor/spi.h"
#include "utils/array.h"
#include "utils/jsonb.h"
#include "utils/uuid.h"

typedef enum WfStatementId
{
	WF_SQL_MEMBERSHIPS,
	WF_SQL_RIGHTS,
	WF_SQL_FEW_TENANTS,
	WF_SQL_TENANT_BY_NAME,
	WF_SQL_TENANT_BY_ID,
	WF_SQL_INSERT_TENANT,
	WF_SQL_PUT_MEMBER,
	WF_SQL_DELETE_MEMBER,
	WF_SQL_DELETE_MEMBER_WORKFLOW,
	WF_SQL_DELETE_MEMBER_CATEGORY,
	WF_SQL_MEMBER_ROLE,
	WF_SQL_MEMBER_RIGHTS,
	WF_SQL_FIND_ROLE,
	WF_SQL_PUT_ROLE,
	WF_SQL_DELETE_ROLE,
	WF_SQL_ROLE_IS_USED,
	WF_SQL_ROLE_NAMES,
	WF_SQL_CATEGORY,
	WF_SQL_ALLOWED,
	WF_SQL_WORKFLOW_OF_RUN,
	WF_SQL_WORKFLOW_OF_TASK,
	WF_SQL_WORKFLOW_OF_TRIGGER,
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
	WF_SQL_FIND_KEY,
	WF_SQL_DROP_KEY,
	WF_SQL_TAKE_KEY,
	WF_SQL_DELETE_RUN,
	WF_SQL_RUN_STATE,
	WF_SQL_DELETE_MESSAGE,
	WF_SQL_FIND_HELD_START,
	WF_SQL_DELETE_HELD,
	WF_SQL_RELEASE_HELD,
	WF_SQL_DELETE_HELD_OF_RUN,
	WF_SQL_HAS_START,
	WF_SQL_COUNT_GATE,
	WF_SQL_GATE_RUNS,
	WF_SQL_LEAVE_GATE,
	WF_SQL_IS_WITHIN,
	WF_SQL_OPEN_GATES,
	WF_SQL_FIND_LIVE,
	WF_SQL_LOCK_LIVE,
	WF_SQL_TRY_LOCK_LIVE,
	WF_SQL_UPDATE_LIVE,
	WF_SQL_DELETE_LIVE,
	WF_SQL_IS_ALIVE,
	WF_SQL_TAKE_FAILED,
	WF_SQL_TAKES_MAIL,
	WF_SQL_MAIL_FAILED,
	WF_SQL_HAS_EARLIER,
	WF_SQL_HAS_RESULT,
	WF_SQL_PUT_WAIT,
	WF_SQL_DELETE_WAIT,
	WF_SQL_DELETE_WAITS,
	WF_SQL_FIRE_WAITS,
	WF_SQL_NEXT_WAIT,
	WF_SQL_FIND_ANY_EVENT,
	WF_SQL_FIND_EVENT,
	WF_SQL_INSERT_EVENT,
	WF_SQL_WAITS_FOR_EVENT,
	WF_SQL_MATCH_EVENTS,
	WF_SQL_UNMATCHED_EVENTS,
	WF_SQL_SET_MATCHED,
	WF_SQL_DELETE_EVENTS,
	WF_SQL_CLOSE_TASK,
	WF_SQL_CLOSE_TASKS,
	WF_SQL_REOPEN_TASK,
	WF_SQL_LOCK_TASK,
	WF_SQL_POLL_TASKS,
	WF_SQL_UPDATE_TASK,
	WF_SQL_COMMENT_TASK,
	WF_SQL_ESCALATE,
	WF_SQL_NEXT_ESCALATION,
	WF_SQL_LOST_TASKS,
	WF_SQL_READY_ROLES,
	WF_SQL_MESSAGES_OF_RUN,
	WF_SQL_COUNT_CRASH,
	WF_SQL_HOLD_RUN,
	WF_SQL_RETENTIONS,
	WF_SQL_HAS_RUNS,
	WF_SQL_RANGE_IS_NEEDED,
	WF_SQL_HOLD_RANGE,
	WF_SQL_CLEAR_RANGE,
	WF_SQL_EXPIRE_RUNS,
	WF_SQL_MASTER_KEY,
	WF_SQL_PUT_MASTER_KEY,
	WF_SQL_SECRET_VERSION,
	WF_SQL_END_SECRET,
	WF_SQL_INSERT_SECRET,
	WF_SQL_HAS_SECRET,
	WF_SQL_HOLD_SECRET,
	WF_SQL_SECRET_NAMES,
	WF_SQL_FIND_SECRETS,
	WF_SQL_HAS_REQUESTS,
	WF_SQL_END_BATCH,
	WF_SQL_CUT_SHORT,
	WF_SQL_FORGET_CUT_SHORT,
	WF_SQL_HAS_CUT_SHORT,
	WF_SQL_LIST_CUT_SHORT,
	WF_SQL_RETRY_REQUEST,
	WF_SQL_CANCEL_REQUESTS,
	WF_SQL_PUT_CIRCUIT,
	WF_SQL_OPEN_CIRCUITS,
	WF_SQL_PRUNE_CIRCUITS,
	WF_SQL_RESET_CIRCUIT,
	WF_SQL_SET_HTTP_POLICY,
	WF_SQL_HTTP_POLICIES,
	WF_SQL_PUT_HOST_LIMIT,
	WF_SQL_DROP_HOST_LIMIT,
	WF_SQL_HOST_LIMITS,
	WF_SQL_TRIGGERS_OF,
	WF_SQL_FIND_TRIGGER,
	WF_SQL_FIND_TRIGGER_ID,
	WF_SQL_TRIGGERS_OF_TYPE,
	WF_SQL_TRIGGERS_OF_EVENT,
	WF_SQL_ROUTE_OWNER,
	WF_SQL_PUT_TRIGGER,
	WF_SQL_DELETE_TRIGGER,
	WF_SQL_PUT_BURST,
	WF_SQL_DUE_BURSTS,
	WF_SQL_TAKE_BURST,
	WF_SQL_NEXT_BURST,
	WF_SQL_SAVE_FIRED,
	WF_SQL_PRUNE_FIRED,
	WF_SQL_LOCK_SCHEDULES,
	WF_SQL_FIND_SCHEDULE,
	WF_SQL_PUT_SCHEDULE,
	WF_SQL_UPDATE_SCHEDULE,
	WF_SQL_NEXT_SCHEDULE,
	WF_SQL_HAS_SCHEDULES,
	WF_SQL_PG_CRON,
	WF_SQL_COUNT
} WfStatementId;

/*
 * Runs a statement as wf_engine; returns the number of rows. `nulls` as for SPI_execute_plan, or NULL.
 * Whoever reads rows frees SPI_tuptable. Throws what the statement throws.
 */
extern uint64 wf_store_execute(WfStatementId id, Datum *values, const char *nulls);
/* The same for a query, with the active snapshot, so that it may be run for a row of another one. */
extern uint64 wf_store_execute_here(WfStatementId id, Datum *values);
/* The same for a query, on what is committed now, whatever the transaction's isolation level. */
extern uint64 wf_store_execute_latest(WfStatementId id, Datum *values, const char *nulls);

/* Column i (from 1) of row r of SPI_tuptable, as a copy in CurrentMemoryContext or NULL / 0. */
extern char *wf_store_text(uint64 row, int column);
extern Jsonb *wf_store_jsonb(uint64 row, int column);
extern int	wf_store_int(uint64 row, int column);
extern Oid	wf_store_oid(uint64 row, int column);
extern void wf_store_uuid(uint64 row, int column, pg_uuid_t *out);
extern bool wf_store_bool(uint64 row, int column);
/* False: the column is null. */
extern bool wf_store_has(uint64 row, int column);
extern int64 wf_store_int64(uint64 row, int column);
extern TimestampTz wf_store_time(uint64 row, int column);
extern ArrayType *wf_store_array(uint64 row, int column);
extern bytea *wf_store_bytea(uint64 row, int column);

#endif
