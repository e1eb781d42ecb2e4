/*
 * runtime.h: rows of runs that are alive: messages, what they wait for, tasks, events.
 *
 * A run is an actor. Whatever is to happen to it is a message (wf.queue); whoever holds the lock of its row in wf.live
 * deals with its messages, in the transaction that executes its next segment. Nothing else changes a run that is
 * alive, so that a caller never waits for a segment that executes, and a segment never for a caller's transaction.
 * Callers hold an SPI connection; results are in CurrentMemoryContext.
 */
#ifndef WF_STORE_RUNTIME_H
#define WF_STORE_RUNTIME_H

#include "storage/itemptr.h"
#include "store/store.h"

/* -- messages (queue.c) -- */

typedef enum WfMessageKind
{
	WF_MESSAGE_START = 0,		/* payload: the input; message_id = run_id */
	WF_MESSAGE_TIMER,			/* the wait of `step` is due; step 0: the run's start or time-out */
	WF_MESSAGE_SIGNAL,			/* payload: {"event", "payload"}; kept until the run asks */
	WF_MESSAGE_EVENT,			/* to `step`; payload: {"event_id", "payload"} */
	WF_MESSAGE_TASK,			/* to `step`; payload: {"result": what the task gave} or {"failed": error} */
	WF_MESSAGE_CHILD,			/* to `step`; payload: {"run_id", "index", "region", "status", "output", "error"} */
	WF_MESSAGE_CANCEL,			/* payload: the reason, a string, or NULL */
	WF_MESSAGE_GO,				/* go on: after a retry by hand, a resume, with a compensation */
	WF_MESSAGE_REPLY,			/* to `step`; payload: {"request_id", "result": the answer} or {"request_id", "failed": error} */
	WF_MESSAGE_PARK,			/* it took its worker down too often */
	WF_MESSAGE_PAUSE,			/* messages are kept back from now on */
} WfMessageKind;

typedef struct WfMessage
{
	pg_uuid_t	tenant_id;
	pg_uuid_t	message_id;		/* version 7; all zero when sent: one is made */
	pg_uuid_t	run_id;
	Oid			role;			/* as whom the run executes: the worker's session */
	int			priority;
	WfMessageKind kind;
	int			step;			/* the step that it is for; 0: the run */
	int			crashes;		/* workers that went down over it */
	TimestampTz ready_at;
	pg_uuid_t	workflow_id;	/* starts only; else all zero */
	int			version;		/* starts only */
	Jsonb	   *payload;		/* or NULL */
	Jsonb	   *options;		/* starts: what is not as usual, see engine/start.c; or NULL */
	bool		is_personal;	/* starts: payload and options have personal data: members see neither */
	Jsonb	   *known;			/* starts of such: an array of values that are personal wherever they are, or NULL */
	ItemPointerData tid;		/* of a claimed row */
	bool		is_taken;		/* it was dealt with, together with another one to the run */
} WfMessage;

/* What one must know of a run to send it a message. */
typedef struct WfRunKey
{
	pg_uuid_t	run_id;
	Oid			role;			/* as whom it executes */
	int			priority;
} WfRunKey;

/* A message to a run, with nothing to say beyond its kind. */
extern WfMessage wf_store_message(const pg_uuid_t *tenant_id, const WfRunKey *run, WfMessageKind kind);
/* Adds messages to the queue; when the transaction commits, a worker of the role is woken. */
extern void wf_store_send(WfMessage *messages, int n);
/* The same at the end of the statement, or earlier: for those that come one by one, and many of them (later.c). Copied. */
extern void wf_store_send_later(const WfMessage *messages, int n);
/* How many of these are not written yet, of whatever tenants. */
extern int	wf_store_n_later(void);
/* Registers hooks and callbacks; once. */
extern void wf_store_later_init(void);
/* Keeps a message back: of a paused run (gate NULL), or what a run begins with at a gate, of which `gate_size` may pass
 * at once; then workflow_id is to be set, whatever kind it is. */
extern void wf_store_hold(WfMessage *message, const char *gate, int gate_size);
/* Deletes what was kept back of a run that has ended. */
extern void wf_store_drop_held(const pg_uuid_t *tenant_id, const pg_uuid_t *run_id);
/* Moves what was kept back of a paused run into the queue. */
extern void wf_store_release_held(const pg_uuid_t *tenant_id, const pg_uuid_t *run_id);

/*
 * Claims messages of the role: at most `most` (WfMessage *), of the highest priority first, and of the tenants in turn,
 * beginning behind *last_tenant, which is set to the last one served. Rows are locked (FOR UPDATE SKIP LOCKED) until the
 * transaction ends. A start that is claimed comes with all that it needs.
 */
extern List *wf_store_claim(Oid role, int most, pg_uuid_t *last_tenant);
/* The same without messages to these runs; of one tenant, or (NULL) of all. */
extern List *wf_store_claim_others(Oid role, const pg_uuid_t *tenant_id, int most, pg_uuid_t *last_tenant,
								   const pg_uuid_t *without, int n_without);
/* One message by its id, if it is there and nobody holds it; else NULL. */
extern WfMessage *wf_store_claim_one(const pg_uuid_t *tenant_id, const pg_uuid_t *message_id);
/* The start of a run, if it is in the queue (or held) and nobody holds it (nor, but with `ours_too`, this
 * transaction). *exists: it is there, locked or not. */
extern WfMessage *wf_store_claim_start(const pg_uuid_t *tenant_id, const pg_uuid_t *run_id, bool ours_too, bool *exists);
/* Is there a message of this kind to the run in the queue that was sent before this one, held by somebody or not? */
extern bool wf_store_has_earlier(const pg_uuid_t *tenant_id, const pg_uuid_t *run_id, const pg_uuid_t *message_id,
								 WfMessageKind kind);
/* Is there a message to the step in the queue, held by somebody or not, that this child run or request has completed? */
extern bool wf_store_has_result(const pg_uuid_t *tenant_id, const pg_uuid_t *run_id, int step, const pg_uuid_t *of);
/* The messages to a run in the queue that nobody holds, this transaction included, in the order of sending (WfMessage *);
 * its start is none of them. */
extern List *wf_store_claim_run(const pg_uuid_t *tenant_id, const pg_uuid_t *run_id);
/* Deletes a claimed message. */
extern void wf_store_take(const WfMessage *message);

/* -- gates -- */

/* How many runs are within or wait at the gate; locked against others who ask, until the transaction ends. */
extern int	wf_store_count_gate(const pg_uuid_t *tenant_id, const pg_uuid_t *workflow_id, const char *gate);
/* Runs within the gate, and starts that wait at it (pg_uuid_t *); locked as above. */
extern List *wf_store_gate_runs(const pg_uuid_t *tenant_id, const pg_uuid_t *workflow_id, const char *gate);
/* Was the run let through? */
extern bool wf_store_is_within(const pg_uuid_t *tenant_id, const pg_uuid_t *workflow_id, const char *gate,
							   const pg_uuid_t *run_id);
/* The run has ended; the keeper lets the next one through. */
extern void wf_store_leave_gate(const pg_uuid_t *tenant_id, const pg_uuid_t *workflow_id, const char *gate,
								const pg_uuid_t *run_id);

/* -- live runs (live.c) -- */

typedef struct WfLiveRow
{
	pg_uuid_t	tenant_id;
	pg_uuid_t	run_id;
	pg_uuid_t	workflow_id;
	int			version;
	Oid			role;
	int			priority;
	const char *status;			/* queued, waiting, paused, compensating */
	int			attempt;
	TimestampTz queued_at;
	TimestampTz started_at;		/* 0: not yet */
	TimestampTz deadline;		/* 0: none */
	int			n_segments;
	int			n_steps;
	bool		has_parent;
	pg_uuid_t	parent_run_id;
	Jsonb	   *input;			/* or NULL; like options not written by an update */
	Jsonb	   *options;
	ArrayType  *current_nodes;	/* text[], or NULL */
	Jsonb	   *progress;		/* or NULL */
	Jsonb	   *signals;		/* array of {"event", "payload"}, or NULL */
	Jsonb	   *state;			/* or NULL: not begun */
	bool		is_personal;	/* input and options have personal data: members see the next two instead */
	Jsonb	   *shown_input;	/* NULL: a mask */
	Jsonb	   *shown_options;	/* NULL: made of options */
	Jsonb	   *known;			/* as of a message */
} WfLiveRow;

typedef enum WfLockMode
{
	WF_LOCK_NONE,
	WF_LOCK_SKIP,				/* FOR UPDATE; as if it were not there when somebody has it */
	WF_LOCK_WAIT,				/* FOR UPDATE */
} WfLockMode;

extern WfLiveRow *wf_store_find_live(const pg_uuid_t *tenant_id, const pg_uuid_t *run_id, WfLockMode lock);
/* Members see this as the input of a run with personal data from now on. */
extern void wf_store_show_live(const WfLiveRow *row);
extern void wf_store_insert_live(const WfLiveRow *row);
/* Writes all but ids, input and options. */
extern void wf_store_update_live(const WfLiveRow *row);
extern void wf_store_delete_live(const pg_uuid_t *tenant_id, const pg_uuid_t *run_id);
/* Is the run alive, and as whom does it execute? False for one that has ended or is not of the tenant. */
extern bool wf_store_is_alive(const pg_uuid_t *tenant_id, const pg_uuid_t *run_id, WfRunKey *key);

/* -- waits (wait.c) -- */

typedef struct WfWaitRow
{
	pg_uuid_t	tenant_id;
	pg_uuid_t	run_id;
	int			step;
	const char *kind;			/* start, deadline, time, event, task, child, retry, request */
	TimestampTz wake_at;		/* 0: none */
	Oid			role;
	int			priority;
	const char *event;			/* or NULL */
	const char *correlation;	/* or NULL */
} WfWaitRow;

/* Adds a wait, or replaces that of the same step. When it commits, the keeper looks no later than at wake_at. */
extern void wf_store_put_wait(const WfWaitRow *row);
/* Deletes the wait of a step; step -1: all of the run. */
extern void wf_store_delete_wait(const pg_uuid_t *tenant_id, const pg_uuid_t *run_id, int step);

/* -- events (event.c) -- */

/* The oldest buffered event of this name and correlation (NULL: any) that is not in `seen` (uuid texts); false: none. */
extern bool wf_store_find_event(const pg_uuid_t *tenant_id, const char *event, const char *correlation,
								ArrayType *seen, pg_uuid_t *event_id, Jsonb **payload);
/* An event as it is emitted. */
typedef struct WfEvent
{
	const char *event;
	const char *correlation;	/* or NULL */
	Jsonb	   *payload;
	const char *unique_id;		/* or NULL */
	pg_uuid_t	event_id;		/* set by wf_store_emit, like the next */
	TimestampTz emitted_at;
} WfEvent;

/* Sends an event to all that wait for it, and buffers it; how many runs were woken; -1: `unique_id` was there already. */
extern int	wf_store_emit(const pg_uuid_t *tenant_id, WfEvent *event);

/* -- events that wait for a quiet time (debounce.c) -- */

/* Events of one trigger and correlation; all but `n` and `due_at` is of the last one. */
typedef struct WfBurst
{
	pg_uuid_t	tenant_id;
	pg_uuid_t	trigger_id;
	pg_uuid_t	event_id;
	const char *event;
	const char *correlation;	/* or NULL */
	int64		n;				/* events */
	TimestampTz emitted_at;
	TimestampTz due_at;
	Oid			role;			/* who emitted it */
	int			chain;			/* triggers that led to it */
	Jsonb	   *payload;
} WfBurst;

/* Adds to a burst; when it commits, the keeper looks no later than at due_at. Waits for nobody. */
extern void wf_store_put_burst(const WfBurst *burst);
/* Bursts of which something is due, of all tenants (WfBurst *, ids and correlation alone set); not all, if there are more than
 * `most` rows. The keeper's, like the following. */
extern List *wf_store_due_bursts(TimestampTz now, int most);
/* Takes all there is of such a burst, and fills the rest; false: there is nothing, or somebody else has it (*is_locked). */
extern bool wf_store_take_burst(WfBurst *burst, bool *is_locked);
/* When the next one is due; 0: there is none. */
extern TimestampTz wf_store_next_burst(void);

/* -- tasks (task.c) -- */

typedef struct WfTaskRow
{
	pg_uuid_t	tenant_id;
	pg_uuid_t	task_id;
	pg_uuid_t	run_id;
	int			step;
	pg_uuid_t	workflow_id;
	const char *node;
	const char *kind;			/* approval, task */
	const char *queue;			/* task */
	const char *title;			/* approval; or NULL */
	const char *body;			/* or NULL */
	ArrayType  *assignees;		/* text[], or NULL: any member who may complete tasks */
	int			quorum;
	bool		allow_self;
	ArrayType  *outcomes;		/* text[]; approval */
	Jsonb	   *form;			/* JSON Schema, or NULL */
	Jsonb	   *payload;		/* or NULL */
	int64		lease_ms;		/* task: 0: as the one who polls says */
	TimestampTz escalate_at;	/* 0: never */
	ArrayType  *escalate_to;	/* text[], or NULL */
	int			max_attempts;
	Oid			started_by;		/* of the run */
	Oid			role;
	int			priority;
	TimestampTz due_at;			/* 0: never */
	Jsonb	   *sealed;			/* {title, body, form, payload} as they are, when the above have tokens; or NULL */
} WfTaskRow;

extern void wf_store_insert_task(const WfTaskRow *row);
/* Opens the task of a step again that was cancelled with its run; false when there is none. */
extern bool wf_store_reopen_task(const pg_uuid_t *tenant_id, const pg_uuid_t *run_id, int step);
/* Closes the open task of a step (-1: all of the run) as expired or cancelled. */
extern void wf_store_close_task(const pg_uuid_t *tenant_id, const pg_uuid_t *run_id, int step, const char *status);

/* -- failed runs (live.c) -- */

/* Keeps what wf_retry needs; the row's status and waits are not kept. */
extern void wf_store_insert_failed(const WfLiveRow *row, TimestampTz failed_at);
/* Takes it back (deletes and returns it, locked); NULL when there is none. */
extern WfLiveRow *wf_store_take_failed(const pg_uuid_t *tenant_id, const pg_uuid_t *run_id);
/*
 * Adds to the messages that wf_retry will give the run ({"kind", "step", "payload"}), or to its signals (`signal`, of a message
 * that is one) if it failed in its first segment, which has no use for other messages. False: none was kept of it, or
 * (*is_alive) wf_retry has it in its hands or has taken it up: try again.
 */
extern bool wf_store_mail_failed(const pg_uuid_t *tenant_id, const pg_uuid_t *run_id, Jsonb *message, Jsonb *signal,
								 bool *is_alive);

/* -- history of runs (run.c) -- */

/* A run goes on (wf_retry): its record is taken out of history. */
extern void wf_store_delete_run(const pg_uuid_t *tenant_id, const pg_uuid_t *run_id);

typedef struct WfRunState
{
	bool		has_ended;
	bool		is_ours;		/* started, or sent on, by this very transaction */
	const char *status;			/* as in the envelope */
	Jsonb	   *output;			/* or NULL */
	Jsonb	   *error;			/* or NULL */
	Oid			started_by;		/* when it has ended */
} WfRunState;
/* How a run stands now, by what is committed or our own; false when there is no such run in the tenant. */
extern bool wf_store_run_state(const pg_uuid_t *tenant_id, const pg_uuid_t *run_id, WfRunState *state);

/* -- idempotency (run.c) -- */

/* Takes the key for the run; false, with *earlier, when another run has it. Waits for whoever takes the same key. */
extern bool wf_store_take_key(const pg_uuid_t *tenant_id, const pg_uuid_t *workflow_id, const char *key,
							  const pg_uuid_t *run_id, pg_uuid_t *earlier);
/* Gives back the key that this transaction took for a run that there will not be. */
extern void wf_store_drop_key(const pg_uuid_t *tenant_id, const pg_uuid_t *run_id);

/* -- the keeper (keeper.c); run with the rights of wf_engine, for all tenants -- */

/* Sends the messages of waits that are due, at most `most`; how many, and when the next one is due (0: never). */
extern int	wf_store_fire_waits(TimestampTz now, int most, TimestampTz *next);
/* Lets starts through gates that have room; how many. *some_are_locked: more might go, but somebody is at them. */
extern int	wf_store_open_gates(bool *some_are_locked);
/* Delivers events that nobody was found for when they came to those who wait by now; drops those older than `before`. */
extern int	wf_store_match_events(TimestampTz before);
/* Escalates tasks that are due; when the next one is (0: never). */
extern int	wf_store_escalate(TimestampTz now, TimestampTz *next);
/* Roles that have messages in the queue (Oid). */
extern List *wf_store_ready_roles(void);
/* Counts a crash on all messages of the run, and on its start; the new count. At `most` the run is parked. 0: there are no
 * messages, or somebody holds one; who has the run in hand will tell whether it takes him down, too. */
extern int	wf_store_count_crash(const pg_uuid_t *run_id, int most);

/* -- what triggers did (fired.c); run with the rights of wf_engine, for all tenants, by the keeper -- */

/* Adds what is in shared memory of at most `most` triggers of this database to wf.trigger_stat; how many. If the transaction is
 * rolled back it is there again (base/fired.h). Not within a subtransaction. */
extern int	wf_store_save_fired(int most);
/* Deletes what is known of triggers that there are no more. */
extern void wf_store_prune_fired(void);

/* -- history in time (partition.c); with the rights of a superuser, which the keeper has -- */

/* Makes partitions of history for some weeks from `now` on, where there are none; how many. Throws 55P03 when it cannot
 * lock the tables soon: try again later. Needs a transaction of its own. */
extern int	wf_store_make_partitions(TimestampTz now);
/* Drops partitions of which nothing is needed any more, and deletes at most `most` runs of others that are older than
 * workflow.retention, or than the tenant's. How many runs were deleted; as many as `most`: there may be more. */
extern int	wf_store_expire(TimestampTz now, int most);

#endif
