/*
 * error.h: our SQLSTATEs, and an error as a value.
 *
 * A block that fails returns a WfError; an ERROR raised beneath it is caught once, in the engine,
 * and becomes the same. The list of codes is errorlist.h.
 */
#ifndef WF_BASE_ERROR_H
#define WF_BASE_ERROR_H

#include "postgres.h"

#include "base/compat.h"
#include "utils/elog.h"
#include "utils/jsonb.h"

/* One constant per code: WF_ERRCODE_NODE_FAILED and so on. */
typedef enum WfErrcode
{
	WF_ERRCODE_WORKFLOW_NOT_FOUND = MAKE_SQLSTATE('W', 'F', '0', '0', '1'),
	WF_ERRCODE_DEFINITION_INVALID = MAKE_SQLSTATE('W', 'F', '0', '0', '2'),
	WF_ERRCODE_NODE_FAILED = MAKE_SQLSTATE('W', 'F', '0', '0', '3'),
	WF_ERRCODE_NODE_TIMEOUT = MAKE_SQLSTATE('W', 'F', '0', '0', '4'),
	WF_ERRCODE_RUN_TIMEOUT = MAKE_SQLSTATE('W', 'F', '0', '0', '5'),
	WF_ERRCODE_LIMIT_EXCEEDED = MAKE_SQLSTATE('W', 'F', '0', '0', '6'),
	WF_ERRCODE_EXPRESSION_INVALID = MAKE_SQLSTATE('W', 'F', '0', '0', '7'),
	WF_ERRCODE_EXPRESSION_FAILED = MAKE_SQLSTATE('W', 'F', '0', '0', '8'),
	WF_ERRCODE_EXPRESSION_LIMIT = MAKE_SQLSTATE('W', 'F', '0', '0', '9'),
	WF_ERRCODE_REQUEST_FAILED = MAKE_SQLSTATE('W', 'F', '0', '1', '0'),
	WF_ERRCODE_REQUEST_BLOCKED = MAKE_SQLSTATE('W', 'F', '0', '1', '1'),
	WF_ERRCODE_CIRCUIT_OPEN = MAKE_SQLSTATE('W', 'F', '0', '1', '2'),
	WF_ERRCODE_SECRET_MISSING = MAKE_SQLSTATE('W', 'F', '0', '1', '3'),
	WF_ERRCODE_RUN_STATE = MAKE_SQLSTATE('W', 'F', '0', '1', '4'),
	WF_ERRCODE_CANCELLED = MAKE_SQLSTATE('W', 'F', '0', '1', '5'),
	WF_ERRCODE_QUOTA_EXCEEDED = MAKE_SQLSTATE('W', 'F', '0', '1', '6'),
	WF_ERRCODE_RAISED = MAKE_SQLSTATE('W', 'F', '0', '1', '7'),
	WF_ERRCODE_CODE_THROWN = MAKE_SQLSTATE('W', 'F', '0', '1', '8'),
	WF_ERRCODE_PARKED = MAKE_SQLSTATE('W', 'F', '0', '1', '9'),
} WfErrcode;

/* An error as the journal, `$error` and the envelope show it. Strings live in the run's memory. */
typedef struct WfError
{
	int			sqlstate;	/* what wf_call raises it with */
	const char *code;		/* `error.code`: the SQLSTATE, or the own code of a `fail` node */
	const char *message;
	const char *detail;		/* or NULL */
	const char *hint;		/* or NULL */
	const char *context;	/* or NULL; what errcontext gathered below us */
	const char *node;		/* id; set by the engine */
	int64		step;		/* sequence number of the step; set by the engine */
	int			attempt;	/* set by the engine */
	JsonbValue *details;	/* or NULL: `details` of a `fail` node */
} WfError;

/* Copies what an ErrorData says into a WfError in CurrentMemoryContext. Never throws but for memory. */
extern WfError *wf_error_from_data(const ErrorData *data);

/* Builds a WfError in CurrentMemoryContext. */
extern WfError *wf_error_make(int sqlstate, const char *hint, const char *fmt, ...) pg_attribute_printf(3, 4);

/* A copy with all that it points to. */
extern WfError *wf_error_copy(const WfError *error, MemoryContext memory);

/* ereport(ERROR) with all fields of the error. */
pg_noreturn extern void wf_error_raise(const WfError *error);

/* The error as `{code, message, node, step, detail, hint, attempt, details}` in CurrentMemoryContext. */
extern Jsonb *wf_error_to_json(const WfError *error);

/* Is the code an SQLSTATE (rather than the own code of a `fail` node)? */
extern bool wf_error_is_sqlstate(const char *code);

/* True for what no handler may swallow: cancel, shutdown, out of memory, crash of the server. */
extern bool wf_error_is_fatal(int sqlstate);

#endif
