/*
 * state.h: the state of a run in memory. Private to this room.
 *
 * A run is a tree of frames: one execution of a region each. One path of it runs: run->frame is its innermost frame,
 * each frame of it but that has a container's step open, and what is beside it is parked: steps that wait for a message,
 * and containers all of whose frames wait. A frame belongs to an activation: one graph being executed, the run's own or
 * that of an inline subworkflow. Nothing here is recursive in C but what walks the tree, whose depth is bounded by
 * workflow.max_depth: a container that enters a region leaves its step open in the frame and is resumed when the frame
 * above is done.
 *
 * When every path is parked the run is suspended: save.c writes the tree, load.c makes it again.
 *
 * Memory: run (all that outlives frames), frame (outputs of its nodes; reset when the same container
 * enters again), step (reset after every step).
 */
#ifndef WF_ENGINE_STATE_H
#define WF_ENGINE_STATE_H

#include "engine/engine.h"
#include "utils/array.h"
#include "utils/resowner.h"

typedef struct Run Run;
typedef struct Frame Frame;
typedef struct Activation Activation;
typedef struct OpenStep OpenStep;
typedef struct RunCode RunCode;

typedef enum SlotState
{
	SLOT_WAITING,				/* edges unresolved */
	SLOT_QUEUED,
	SLOT_RUNNING,				/* its step is open or parked */
	SLOT_DONE,
	SLOT_SKIPPED,
} SlotState;

/* A node within a frame. */
typedef struct Slot
{
	SlotState	state;
	int			pending;		/* forward edges unresolved */
	int			n_arrivals;		/* live edges so far, in frame->arrivals from arrival_base */
} Slot;

/* A loop (of back edges) within a frame. */
typedef struct LoopState
{
	int			pending;		/* nodes of it not done */
	List	   *live_back;		/* WfEdge * that fired in this iteration */
	List	   *held;			/* exits resolved in this iteration: WfEdge *, with ... */
	List	   *held_live;		/* ... whether live */
	int		   *counts;			/* how often each of loop->back_edges fired, in their order */
} LoopState;

typedef enum NodeStatus
{
	NODE_NONE,
	NODE_COMPLETED,
	NODE_FAILED,
	NODE_SKIPPED,
} NodeStatus;

/* What `$node.<id>` tells: a node's last execution in an activation. */
typedef struct NodeState
{
	NodeStatus	status;
	bool		routed;			/* left at `error` */
	const char *port;			/* or NULL */
	int			seq;			/* of the step that made the output */
	int64		count;			/* executions, the one at hand included */
	Jsonb	   *output;			/* in frame memory; NULL: null */
	Jsonb	   *error;			/* in frame memory, or NULL */
	Jsonb	   *memory;			/* block `collect`; in run memory */
	Size		bytes;			/* of output, as counted in run->context_bytes */
} NodeState;

struct Activation
{
	Run		   *run;
	Activation *parent;
	WfCompiled *compiled;
	NodeState  *nodes;			/* by node index */
	Jsonb	   *vars;			/* an object, or NULL */
	List	   *old_vars;		/* what the open step replaced: Jsonb *, freed when it is over */
	JsonbValue	trigger;
	MemoryContext memory;
	bool		guarded;		/* somebody around it handles errors */
	/* to undo when it is left */
	int			guc_level;		/* 0: nothing was set */
	bool		is_owner;		/* the user id was changed */
	Oid			saved_user;
	int			saved_context;
};

/* What names are worth in a step; see scope.c. */
typedef struct StepScope
{
	WfScope		base;
	Run		   *run;
	Frame	   *frame;
	JsonbValue	input;
	bool		has_run;		/* `$run` was built for this step */
	JsonbValue	run_value;
	Jsonb	   *error;			/* `$error` of this evaluation alone (onErrorValue), or NULL */
	WfStep	   *step;			/* that is open, and keeps the nonce of its secrets; NULL: there are no secrets */
} StepScope;

/* What a parked step waits for. */
typedef enum StepWait
{
	STEP_RUNS,					/* nothing: it is open */
	STEP_HOLDS,					/* a container: for what is within */
	STEP_TIME,
	STEP_EVENT,
	STEP_TASK,
	STEP_CHILD,					/* a child run */
	STEP_RETRY,					/* its next attempt */
	STEP_REQUEST,				/* an answer */
} StepWait;

/* A child run that executes a region for a container (mode workers). */
typedef struct Spawned
{
	pg_uuid_t	run_id;
	int			region;			/* index into node->regions */
	int64		index;
	TimestampTz deadline;		/* `enter.deadline`; 0: none */
} Spawned;

/* A step that has begun and not ended: open, which is to say being executed, or parked. */
struct OpenStep
{
	const WfNode *node;
	MemoryContext memory;		/* arrivals, log; the run's step memory, or one of its own for blocks that are resumed */
	WfStep		step;			/* found by ops: see open_of */
	StepScope	scope;
	int			seq;
	int			attempt;
	int			input_from;
	TimestampTz first_started_at;	/* of the first attempt */
	TimestampTz started_at;
	TimestampTz deadline;		/* of the node's own timeout; 0: none */
	List	   *log;			/* of char * */
	Jsonb	   *wrote;			/* dry runs: what it wrote */
	Jsonb	   *retired;		/* its previous output, freed when the step is settled */
	bool	   *live;			/* by out edge: which are live */
	WfCompiled *callee;			/* what it calls, found and held */
	bool		finding;		/* that is being looked for */
	bool		spans;			/* a subtransaction spans the frames above: see enter.c */
	ResourceOwner span_owner;	/* to go back to when that ends */
	List	   *frames;			/* Frame *: entered for it and not ended */
	List	   *spawned;		/* Spawned *: child runs of regions that have not ended */
	StepWait	waits;
	TimestampTz wait_until;		/* 0: for ever */
	const char *event;			/* EVENT; in frame memory */
	const char *correlation;	/* EVENT, or NULL */
	pg_uuid_t	child;			/* CHILD: the run; REQUEST: the request */
};

struct Frame
{
	Activation *activation;
	Frame	   *parent;			/* the frame whose step this runs for; NULL: the run's */
	OpenStep   *parent_step;	/* that step */
	const WfRegion *region;
	MemoryContext memory;
	int			depth;
	char	   *path;			/* prefix of its nodes' paths, "" at the top */

	JsonbValue	input;			/* `$input` of starting nodes */
	int			input_from;		/* 0: the run's input; -1: another value */
	bool		has_item;
	JsonbValue	item;
	int64		index;
	bool		has_items;
	JsonbValue	items;
	Jsonb	   *error;			/* `$error`, or NULL: ask the parent */
	TimestampTz deadline;		/* nearest of its own and of those around; 0: none */
	bool		own_deadline;	/* that is the container's `enter.deadline` */
	bool		node_deadline;	/* that is the time-out of the container's node */

	Slot	   *slots;
	WfEdge	  **arrivals;
	LoopState  *loops;
	int			n_unresolved;
	int		   *queue;			/* ready nodes, a ring of n_nodes places */
	int			queue_head;
	int			queue_count;
	int		   *skips;			/* nodes to be skipped: a stack */
	int			n_skips;
	WfError    *failure;		/* a back edge was taken too often; in run memory, or NULL */

	Frame	  **children;		/* by region of the graph: frames to be used again; NULL until the first */
	OpenStep   *open;			/* being executed, or NULL */
	List	   *parked;			/* OpenStep *: waiting */
	OpenStep	scratch;		/* what `open` points to for steps that end at once */
};

typedef struct RunOptions
{
	int			version;
	const char *idempotency_key;
	bool		conflict_is_error;
	const char *correlation_id;
	ArrayType  *tags;
	Jsonb	   *env;
	Jsonb	   *mocks;
	int64		timeout_ms;
	int			priority;
	bool		has_priority;
	const char *trigger_node;	/* that the run begins at, or NULL */
	int64		delay_ms;		/* starts in the background only, as the next two */
	TimestampTz run_at;			/* 0: at once */
	const char *concurrency_key;
} RunOptions;

/* Whose child a run is. */
typedef struct RunParent
{
	pg_uuid_t	run_id;
	int			step;			/* 0: it is detached */
	Oid			role;			/* of the parent's messages */
	int			priority;
	int			region;			/* -1: a called workflow */
	int64		index;
} RunParent;

/* What a container did in segments that are committed, to be undone if the run fails. */
typedef struct Undo
{
	const WfCompiled *compiled; /* held by the run */
	const WfNode *node;
	int			seq;
	int			attempt;		/* of its compensation; 0: not tried yet */
	Jsonb	   *output;			/* or NULL; in run memory */
	bool		has_item;
	Jsonb	   *item;
	int64		index;
} Undo;

/* What the next start by a trigger has for `chain`: one more than the run that executes now; 0: none does. */
extern int	wf_run_chain;

struct Run
{
	MemoryContext memory;
	MemoryContext step_memory;
	WfRunMode	mode;
	bool		is_background;	/* a worker executes it */
	RunOptions	options;
	bool		has_parent;
	RunParent	parent;
	bool		is_personal;	/* what is written of it goes through personal.c */
	struct WfPii *pii;			/* of this segment; NULL until it is needed */
	const struct WfPiiPaths *pii_paths;	/* of all graphs in it that mark something */
	List	   *joined;			/* of these, those called: WfCompiled * */
	Jsonb	   *known;			/* values that the run around it knew to be personal; or NULL */
	Jsonb	   *branch;			/* of a parent's container: what save.c passed on; else NULL */
	const char *gate;			/* that it passed, or NULL */
	const char *trigger;		/* manual, row, workflow ... */
	const char *start_node;		/* the trigger that it begins at, or NULL */
	int			chain;			/* triggers that led to it, one from another */
	Oid			started_by;
	Oid			role;			/* as whom it executes: of its messages */
	int			priority;
	pg_uuid_t	run_id;
	pg_uuid_t	workflow_id;
	int			version;
	WfTenant	tenant;
	int			attempt;		/* of the run: 1 more with each wf_retry */
	TimestampTz queued_at;
	TimestampTz started_at;
	TimestampTz segment_started_at;	/* `$now` */
	Jsonb	   *input;
	WfCompiled *compiled;		/* the run's own graph */
	List	   *held;			/* that and those called: WfCompiled * */
	Activation *root;
	Activation *activation;		/* innermost */
	Frame	   *frame;			/* innermost */
	int			n_steps;		/* started */
	Size		context_bytes;
	Size		max_output_bytes;
	TimestampTz deadline;		/* of the run; 0: none */

	WfJournal	journal;
	MemoryContext journal_memory;
	Datum	   *steps;			/* wf.step, by seq - 1; 0: not ended */
	int			steps_size;
	Size		journal_bytes;
	bool		journal_full;	/* over the limit: nothing is added any more */
	Jsonb	  **trace;			/* dry runs, by seq - 1 */

	int			segment;		/* from 1 */
	int			first_seq;		/* of this segment: steps with a lower number began in one before */
	List	   *earlier_steps;	/* Datum *: wf.step of those, ended in this segment */
	bool		has_rows;		/* it may have waits, tasks or children */
	Jsonb	   *signals;		/* array, or NULL: kept until asked for */
	List	   *seen_events;	/* char *: ids of events that it has got */
	List	   *undo;			/* Undo *, in the order of completion */
	int			n_undo_committed;	/* of these, those of earlier segments */

	bool		undoing;		/* this segment compensates */
	Jsonb	   *failure;		/* why; in run memory */
	bool		moved;			/* some step has run in this segment */
	const WfMessage *message;	/* that the segment began with; NULL: a start */
	List	   *batch;			/* WfMessage *: more, to this run and others */
	List	   *delivered;		/* WfMessage *: of these, what was dealt with as well */
	WfLiveRow  *live;			/* as the last segment left it; NULL: this is the first */
	bool		slow;			/* the slice is over: all is to be undone */
	TimestampTz slice_end;		/* 0: none */
	bool		retry;			/* the open step of the innermost frame is to be tried again */
	bool		has_reply;		/* the open step of the innermost frame is to be resumed with `reply` */
	WfReply		reply;
	bool		suspended;		/* every path is parked */
	bool		cancelled;		/* the run's error is that it was cancelled */
	bool		ended;
	RunCode    *code;			/* of its tenant, and what became of calls of code (code.c); NULL: there were none */
	bool		wants_answer;	/* somebody waits for what a `respond` block says (answer.c) */
	Jsonb	   *answer;			/* that; in run memory, or NULL */
	SubTransactionId answered_in;	/* the subtransaction that it goes with */
	Run		   *waiting_outside;	/* the run around it that somebody waits for, or NULL */
	Jsonb	   *output;			/* in run memory */
	WfError    *error;			/* why it failed, in run memory; NULL: it did not */
};

#endif
