/*
 * record.h: what the functions of this room say to the audit trail. Private to this room.
 */
#ifndef WF_API_RECORD_H
#define WF_API_RECORD_H

#include "store/audit.h"
#include "store/store.h"
#include "store/task.h"

/* A save: of the version, or (version NULL) one that made none. `row` is the workflow as it was before. */
extern void wf_api_record_save(const WfTenant *tenant, const WfWorkflowRow *row, const WfVersionRow *version,
							   int active_version, const Jsonb *options);
/* Another active version, or status: the workflow as it was before, and what it is now (0, NULL: as before). */
extern void wf_api_record_workflow(const WfTenant *tenant, const char *action, const WfWorkflowRow *row, int active_version,
								   const char *status);
/* Something that was done to a run; `after` may be NULL. */
extern void wf_api_record_run(const WfTenant *tenant, const char *action, const pg_uuid_t *run_id, const Jsonb *after);
/* Who has a task; before and after: roles' names or NULL. */
extern void wf_api_record_task(const WfTask *task, const char *action, const char *before, const char *after);
/* A decision, which current_user signs with this: what it was about, and what was decided. */
extern void wf_api_record_decision(const WfTask *task, const char *outcome, const Jsonb *data, TimestampTz at);

#endif
