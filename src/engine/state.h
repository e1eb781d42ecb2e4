/*
 * state.h: the state of a run in memory. Private to this room.
 *
 * A run is a stack of frames: one execution of a region each, the innermost running. A frame belongs to
 * an activation: one graph being executed, the run's own or that of an inline subworkflow. Nothing
 * here is recursive in C: a container that enters a region leaves its step open in the frame and is
 * resumed when the frame above is done.
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

typedef enum SlotState
{
	SLOT_WAITING,				/* edges unresolved */
	SLOT_QUEUED,
	SLOT_RUNNING,
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
	/* to undo when it ends */
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
} StepScope;

/* The step of a frame that is being executed; a container's stays open while frames above run. */
typedef struct OpenStep
{
	const WfNode *node;			/* NULL: none */
	MemoryContext memory;		/* arrivals, log; the run's step memory, or one of its own for containers */
	WfStep		step;			/* first, so that ops find their way: see open_of */
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
} OpenStep;

struct Frame
{
	Activation *activation;
	Frame	   *parent;			/* the frame whose open step this runs for; NULL: the run's */
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
	OpenStep	open;
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
} RunOptions;

struct Run
{
	MemoryContext memory;
	MemoryContext step_memory;
	WfRunMode	mode;
	RunOptions	options;
	const char *trigger;
	Oid			started_by;
	pg_uuid_t	run_id;
	WfTenant	tenant;
	TimestampTz started_at;
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

	bool		retry;			/* the open step of the innermost frame is to be tried again */
	bool		ended;
	Jsonb	   *output;			/* in run memory */
	WfError    *error;			/* why it failed, in run memory; NULL: it did not */
};

#endif
