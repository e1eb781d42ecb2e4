/*
 * task.h: tasks as those who do them see them. runtime.h has what the engine does with them.
 */
#ifndef WF_STORE_TASK_H
#define WF_STORE_TASK_H

#include "store/runtime.h"

/* A task's row, locked. Strings are NULL where the column is. */
typedef struct WfTask
{
	pg_uuid_t	tenant_id;
	pg_uuid_t	task_id;
	pg_uuid_t	run_id;
	int			step;
	const char *kind;			/* approval, task */
	ArrayType  *assignees;		/* text[], or NULL: anybody who may complete tasks */
	const char *claimed_by;		/* a role's name; of a task: who has the lease */
	TimestampTz lease_until;	/* 0: no lease */
	int			quorum;
	bool		allow_self;
	ArrayType  *outcomes;		/* text[], or NULL */
	Jsonb	   *form;			/* or NULL */
	Jsonb	   *decisions;		/* [{"by", "outcome", "data", "at"}] */
	const char *status;			/* open, done, expired, cancelled */
	int			attempt;		/* leases given */
	int			max_attempts;	/* 0: any number */
	Oid			started_by;
	Oid			role;
	int			priority;
	int64		lease_ms;		/* 0: as who polls says */
} WfTask;

/* The task, locked until the transaction ends; NULL when there is none in the tenant. */
extern WfTask *wf_store_lock_task(const pg_uuid_t *tenant_id, const pg_uuid_t *task_id);
/* Writes claimed_by, lease_until, decisions and status; closes it when it is no longer open. */
extern void wf_store_update_task(const WfTask *task);
/* Adds {"by", "at", "comment"}. */
extern void wf_store_comment_task(const WfTask *task, Jsonb *comment);
/* What a decision about a task is about. */
typedef struct WfTaskDocument
{
	const char *workflow;		/* its name; or NULL, as each of the following but the node */
	int			version;		/* 0: unknown */
	const char *node;
	const char *title;
	const char *body;
	Jsonb	   *form;
	Jsonb	   *payload;
	bool		is_personal;	/* what it says may be; the texts have tokens where that is known */
} WfTaskDocument;
extern void wf_store_task_document(const WfTask *task, WfTaskDocument *document);
/* Sends the run what came of its task: key is `result` or `failed`. */
extern void wf_store_answer_task(const WfTask *task, const char *key, const Jsonb *value);

typedef struct WfLease
{
	pg_uuid_t	task_id;
	pg_uuid_t	run_id;
	Jsonb	   *payload;		/* or NULL */
	int			attempt;
} WfLease;

/* Leases at most `most` tasks of the queue, of these workflows (NULL: all), to the role of this name (WfLease *). */
extern List *wf_store_poll_tasks(const pg_uuid_t *tenant_id, const char *queue, int most, int64 lease_ms,
								 const char *role_name, const ArrayType *workflows);

#endif
