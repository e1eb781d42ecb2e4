/*
 * api.h: reading the arguments of SQL-callable functions. Private to this room.
 */
#ifndef WF_API_API_H
#define WF_API_API_H

#include "postgres.h"
#include "base/compat.h"
#include "base/json.h"
#include "datatype/timestamp.h"
#include "fmgr.h"
#include "store/store.h"
#include "utils/uuid.h"

/* Argument i as a C string / jsonb; throws 22004 when it is null. */
extern char *wf_api_text(FunctionCallInfo fcinfo, int i, const char *name);
extern Jsonb *wf_api_jsonb(FunctionCallInfo fcinfo, int i, const char *name);
/* As above; `{}` when it is null. */
extern Jsonb *wf_api_jsonb_or_empty(FunctionCallInfo fcinfo, int i);
extern char *wf_api_text_or_null(FunctionCallInfo fcinfo, int i);
/* As wf_api_text, for an id. */
extern const pg_uuid_t *wf_api_uuid(FunctionCallInfo fcinfo, int i, const char *name);
/* An interval in milliseconds, a month as 30 days; throws 22004 when it is null, 22023 when it is negative or too long. */
extern int64 wf_api_interval_ms(FunctionCallInfo fcinfo, int i, const char *name);
/* Throws 22004 when argument i is null. */
extern void wf_api_not_null(FunctionCallInfo fcinfo, int i, const char *name);

/* Checks that an options object has only these keys; throws 22023 with the nearest key as hint. */
extern void wf_api_check_options(const Jsonb *options, const char *const *known, int n_known);
/* A member as a C string or NULL; throws 22023 when it is no string. */
extern char *wf_api_option_text(const Jsonb *options, const char *name);
extern bool wf_api_option_bool(const Jsonb *options, const char *name, bool otherwise);

/* A time as JSON has it: ISO 8601 with its offset. */
extern char *wf_api_time_text(TimestampTz time);
/* Throws 22023: there is no such run in the current tenant. */
pg_noreturn extern void wf_api_no_run(const pg_uuid_t *run_id);

/* Shows `hidden`, which stays where it is, in the place of the statement that is executed: in pg_stat_activity, and in the log. */
extern void wf_api_hide_statement(const char *hidden);
/* Throws 22023 for what can be no name of a secret or credential (`kind`). */
extern void wf_api_check_secret_name(const char *name, const char *kind);

/* May the version become the active one now? If it has to be approved first, that is asked for, and a NOTICE says so. */
extern bool wf_api_may_activate(const WfTenant *tenant, const WfWorkflowRow *row, int version, bool sets_status);

#endif
