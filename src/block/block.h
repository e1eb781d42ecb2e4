/*
 * block.h: what a block is, and the step that it is handed.
 *
 * A block is one struct and one line in blocklist.h. A block that fails returns WF_OUTCOME_FAIL or
 * lets an ERROR pass; the engine makes the same of both. What a block wants from the world it asks
 * for through the step it is handed; blocks never include each other, nor store/, nor net/.
 */
#ifndef WF_BLOCK_BLOCK_H
#define WF_BLOCK_BLOCK_H

#include "postgres.h"
#include "base/credential.h"
#include "base/diagnostics.h"
#include "base/error.h"
#include "base/json.h"
#include "base/secret_marker.h"
#include "expr/expr.h"
#include "graph/graph.h"
#include "nodes/bitmapset.h"
#include "sandbox/sandbox.h"

typedef struct WfStep WfStep;

/* -- outcomes -- */

typedef enum WfOutcomeKind
{
	WF_OUTCOME_DONE,			/* leaves at `port` with `output` */
	WF_OUTCOME_FAIL,			/* `error` */
	WF_OUTCOME_ENTER,			/* a container: run `enter` and call resume with what came of it */
	WF_OUTCOME_RETURN,			/* ends the run with `output` */
	WF_OUTCOME_CALL,			/* run another workflow inline: `call`; resume gets its result */
	WF_OUTCOME_WAIT,			/* suspend: `wait`; resume gets what came */
	WF_OUTCOME_BLOCKED,			/* containers that enter several regions: nothing more to enter for now; resume gets
								 * what comes of those entered */
} WfOutcomeKind;

/* Which region of the container to run next, and what its nodes see. */
typedef struct WfEnter
{
	int			region;			/* index into node->regions */
	JsonbValue	input;			/* `$input` of its starting nodes */
	bool		has_item;		/* sets `$item` and `$index`; else those of the region around stay */
	JsonbValue	item;
	int64		index;
	bool		has_items;
	JsonbValue	items;			/* `$items` */
	const WfError *error;		/* `$error` within (catch branches), or NULL */
	TimestampTz deadline;		/* 0: none; past it the region is cancelled and the reply is `timed_out` */
	bool		spawn;			/* mode workers: as a run of its own; resume is called at once, with `blocked`, and
								 * again with what comes of it; `index` tells several of one region apart */
} WfEnter;

typedef struct WfCall
{
	const char *workflow;
	int			version;		/* 0: the active one */
	JsonbValue	input;
} WfCall;

/* -- waiting -- */

typedef enum WfWaitKind
{
	WF_WAIT_TIME,				/* for `until` */
	WF_WAIT_EVENT,				/* for `event`, at most until `until` */
	WF_WAIT_TASK,				/* for a person or an external worker: `task` */
	WF_WAIT_RUN,				/* for a child run: `call` */
	WF_WAIT_NOTHING,			/* a child run that nobody waits for (detached): `call`; resume is called at once */
	WF_WAIT_REQUEST,			/* for the answer to `request`; to one that is to be forgotten resume is called at once */
} WfWaitKind;

/* A task as a block describes it. */
typedef struct WfTaskSpec
{
	bool		is_approval;	/* else work for an external worker */
	const char *queue;			/* of such a worker */
	const char *title;
	const char *body;
	Jsonb	   *assignees;		/* array of role names, or NULL */
	int			quorum;			/* so many who choose the first outcome; 0: one */
	bool		allow_self;		/* who started the run may decide */
	Jsonb	   *outcomes;		/* array of names */
	Jsonb	   *form;			/* a JSON Schema, or NULL */
	Jsonb	   *payload;
	int64		lease_ms;		/* 0: as the worker says */
	int			max_attempts;	/* leases that may fail or run out; 0: any number */
	int64		escalate_ms;	/* 0: never */
	Jsonb	   *escalate_to;	/* array of role names */
} WfTaskSpec;

/* A request as a block describes it. */
typedef struct WfRequestSpec
{
	Jsonb	   *request;		/* the request object: README.md */
	bool		forget;			/* nobody waits for the answer */
	bool		at_once;		/* it is performed within the transaction */
	const char *method;			/* for views, and for what is limited by host: in capitals */
	const char *host;			/* name:port; *** where it holds a secret */
	const char *path;			/* or NULL; *** for what is secret */
	bool		own_limits;		/* the node has a rate or a concurrency of its own */
} WfRequestSpec;

/*
 * What a step waits for. The reply's `output` is, for TIME null; EVENT the payload; TASK {outcome, data, by, at} or the
 * external worker's result; RUN the child's output; NOTHING {"run_id"}. `timed_out` says that `until` has passed
 * first; a TIME never times out. A step that waits is resumed in another segment, or at once when what it waits for has
 * come already.
 */
typedef struct WfWait
{
	WfWaitKind	kind;
	TimestampTz until;			/* 0: for ever */
	const char *event;
	const char *correlation;	/* or NULL: any */
	const WfTaskSpec *task;
	const WfRequestSpec *request;
	WfCall		call;
} WfWait;

typedef struct WfOutcome
{
	WfOutcomeKind kind;
	int			port;			/* index into node->ports */
	Bitmapset  *more_ports;		/* switch in mode all: every port that is live; NULL: `port` alone */
	Jsonb	   *output;			/* in step memory; the engine copies it */
	WfError	   *error;
	WfEnter		enter;
	WfCall		call;
	WfWait		wait;
} WfOutcome;

/* What came of a region or of a called workflow. Values live until the next step of the container. */
typedef struct WfReply
{
	bool		failed;
	const WfError *error;		/* when failed */
	JsonbValue	output;			/* of the region: its result by the rules for runs */
	bool		timed_out;		/* `enter.deadline` passed (`failed` and `error`, WF004, are set as well), or `wait.until` */
	int			region;			/* which of node->regions it is of; of waits and calls: -1 */
	int64		index;			/* `enter.index` of it */
	bool		blocked;		/* nothing has come of the region yet: it waits. Only blocks with WF_BLOCK_CONCURRENT are
								 * asked then; they enter another one, or are BLOCKED */
} WfReply;

/* -- the step -- */

/* What a block may ask of the world; the engine fills it. */
typedef struct WfStepOps
{
	/* Sets a variable of the run, visible to later steps as `$vars.<name>`. Copied. Throws WF006. */
	void		(*set_variable) (WfStep *step, const char *name, const JsonbValue *value);
	/* Adds a line to the step's log. */
	void		(*log) (WfStep *step, const char *line);
	/* The values gathered so far under this node by earlier executions of it in this run (block
	 * `collect`); NULL at first. In run memory. */
	Jsonb	   *(*get_memory) (WfStep *step);
	void		(*set_memory) (WfStep *step, Jsonb *value);
	/* In a dry run: notes rows that a db node wrote. */
	void		(*note_rows) (WfStep *step, const char *table, const char *operation, const JsonbValue *rows);
	/* Gives {status, headers, body} to who waits for the run to answer; copied. False: nobody does, or it was answered already.
	 * Undone with the effects of the branch that it is part of. */
	bool		(*respond) (WfStep *step, const Jsonb *answer);
	/* Throws 42501 when current_user may not use credentials of the run's tenant, WF013 when there is none of this name, 22023
	 * when it is of a type that is not for this. */
	void		(*use_credential) (WfStep *step, const char *name, WfCredentialUse use);
	/* Lowers limits to those of the run's tenant. */
	void		(*code_limits) (WfStep *step, WfCodeLimits *limits);
	/* wf_sandbox_call, for the account of the run's tenant; throws WF016, too. */
	Jsonb	   *(*call_code) (WfStep *step, const WfCodeCall *call, WfError **error);
} WfStepOps;

/* One incoming live edge, for `merge`. */
typedef struct WfArrival
{
	const WfNode *source;
	JsonbValue	output;
} WfArrival;

struct WfStep
{
	const WfNode *node;
	const WfGraph *graph;
	void	   *prepared;		/* what prepare gave for this node */
	const WfTemplate *config;	/* the whole config, compiled */
	WfScope    *scope;			/* for expressions; `$input` and all else as this step sees it */
	JsonbValue	input;			/* `$input` */
	int			n_arrivals;		/* live incoming edges in the order in which they became live */
	const WfArrival *arrivals;
	int			attempt;		/* from 1 */
	bool		dry_run;
	MemoryContext memory;		/* CurrentMemoryContext when called; reset after the step */
	MemoryContext state_memory;	/* containers: lives until the step is done */
	void	   *state;			/* containers: their own, in state_memory; NULL at execute */
	const WfStepOps *ops;
	/* Of the markers of secrets that expressions of this attempt gave (base/secret_marker.h): set when the first is
	 * named, "" before. A block that makes a request hands both on with it, see wf_block_put_secrets. */
	char		secret_nonce[WF_MARKER_NONCE_CHARS + 1];
	List	   *secret_names;	/* char *, each once, in state_memory */
};

/* -- the block -- */

#define WF_BLOCK_PURE		0x0001	/* touches nothing outside its inputs: no SQL */
#define WF_BLOCK_WRITES		0x0002	/* may write tables */
#define WF_BLOCK_SUSPENDS	0x0004	/* ends a segment, unless `suspends` says otherwise of a node */
#define WF_BLOCK_CONTAINER	0x0008	/* has regions */
#define WF_BLOCK_TRIGGER	0x0010	/* starts a run; no incoming edge */
#define WF_BLOCK_MERGES		0x0020	/* sees its arrivals; `$input` is still set */
#define WF_BLOCK_ERRORS_OUT	0x0040	/* `error` is one of its own ports (try, subworkflow) */
#define WF_BLOCK_EARLY		0x0080	/* may run before all its edges are resolved: see ready */
#define WF_BLOCK_CONCURRENT	0x0100	/* goes on with other regions while one waits (WfReply.blocked) */
#define WF_BLOCK_CODE		0x0200	/* its config's `source` is a program: who saves it needs code:write */

typedef struct WfBlock
{
	const char *type;			/* stable identity, stored in definitions */
	const char *category;		/* flow, database, request, trigger, custom */
	const char *summary;		/* one line for people */
	const char *config_schema;	/* JSON Schema 2020-12; `"format": "expression"` marks a string that is a
								 * bare expression; `"x-secret": true` a secret-capable field; `"x-fixed":
								 * true` one that is read when the graph is compiled and so holds no
								 * template. Elsewhere a string with `{{` may stand for any value. */
	const char *output_schema;
	const char *const *ports;	/* NULL-ended; without `error` */
	uint32		flags;
	WfOutcome	(*execute) (WfStep *step);
	/* the rest is optional */
	void		(*validate) (const WfNode *node, WfDiagnostics *found);	/* beyond the schema; reports, never throws */
	/* once per compile, in graph memory; `config` is compiled, `search_path` that of the version.
	 * Reports into `found`, never throws for a wrong definition. */
	void	   *(*prepare) (const WfNode *node, const WfTemplate *config, const char *search_path, WfDiagnostics *found);
	WfOutcome	(*resume) (WfStep *step, const WfReply *reply);
	const char *const *(*node_ports) (const WfNode *node, int *n);		/* ports that depend on the config */
	const char *const *(*branches) (const WfNode *node, int *n);		/* containers; NULL: one unnamed */
	/* Containers: does it handle errors of this branch? Its nodes then run in subtransactions of their own, so that
	 * what a failed one did is undone. Blocks that call a workflow: the same for the call, with a NULL branch. */
	bool		(*catches) (const WfNode *node, const char *branch);
	bool		(*suspends) (const WfNode *node);						/* when that depends on the config */
	/* Blocks with a state (step->state): as JSON when the run is suspended while the step is open, and back, in
	 * step->state_memory, when it goes on, perhaps in another process. Both are called with CurrentMemoryContext
	 * state_memory. A block whose outcomes can be ENTER, WAIT or CALL needs them unless it has no state. */
	Jsonb	   *(*save) (WfStep *step);
	void	   *(*load) (WfStep *step, const JsonbValue *saved);
	/* EARLY: may it run with these arrivals, `n_pending` edges unresolved? */
	bool		(*ready) (const WfNode *node, int n_arrivals, int n_pending);
	/* Reads the database and adds warnings (unknown tables); after prepare, only when asked to look. */
	void		(*look) (const WfNode *node, void *prepared, WfDiagnostics *found);
	/* lines for wf_explain, each a C string: the SQL of a db node; `analyze` adds EXPLAIN's. May throw. */
	List	   *(*explain) (const WfNode *node, const WfTemplate *config, void *prepared, bool with_plan);
} WfBlock;

/* -- the registry -- */

/* The built-in blocks, each defined in the file of its family. */
#define WF_BLOCK(type, symbol) extern const WfBlock symbol;
#include "block/blocklist.h"
#undef WF_BLOCK

/* The built-in block or registered custom block of this type, or NULL. */
extern const WfBlock *wf_block_find(const char *type);
extern const char *wf_block_nearest(const char *type);
/* Does the input of a run match what the trigger that it begins at says (`inputSchema`)? NULL, or why not, in
 * CurrentMemoryContext. Of nodes without such a schema, NULL. */
extern WfError *wf_block_check_input(const WfNode *node, const JsonbValue *input);
/* All built-in blocks, sorted by type. */
extern const WfBlock *const *wf_block_list(int *n);

/* What is wrong with a JSON Schema, as a message in CurrentMemoryContext; NULL when nothing is. */
extern const char *wf_block_schema_problem(const Jsonb *schema);

/* Finds a block that a tenant registered (wf_register_block); the engine fills it. */
extern const WfBlock *(*wf_block_find_custom) (const char *type);

/* Does the current tenant have a secret of this name? The engine fills it; for warnings, where the database may be read. */
extern bool (*wf_block_has_secret) (const char *name);

/* The type of the current tenant's credential of this name; NULL: there is none. The same. */
extern const WfCredentialType *(*wf_block_credential_type) (const char *name);
/* The credential that the node's `auth` names; NULL: none, or with a template. In CurrentMemoryContext. */
extern char *wf_block_credential_of(const WfNode *node);
/* For `look`: warns when it is missing (WF013), and reports one of a type that is not for this. */
extern void wf_block_look_for_credential(const WfNode *node, WfCredentialUse use, WfDiagnostics *found);

/* From here on check_broken may read the database for warnings, with this search path; NULL: it may not. Returns what was
 * said before, to be said again afterwards. */
extern const char *wf_block_look_as(const char *search_path);
/* See WfGraphBlocks.check_broken. */
extern void wf_block_check_broken(const WfGraph *graph, WfDiagnostics *found);

/* The callbacks that graph/ needs, filled from the registry. */
extern const WfGraphBlocks *wf_block_graph_callbacks(void);

/*
 * Compiles all configs and edge conditions of a graph and calls each block's prepare; sets
 * node->prepared (a WfPrepared) and edge->prepared (a WfExpr). What is wrong is added to `found`.
 * Everything is in graph->memory. The database may be read for warnings (unknown tables) when
 * `look` is set. Never throws for a wrong definition.
 */
extern void wf_block_prepare_graph(WfGraph *graph, const char *search_path, bool look, WfDiagnostics *found);

typedef struct WfPrepared
{
	const WfTemplate *config;
	const WfTemplate *on_error_value;	/* or NULL */
	const WfTemplate *compensate_input; /* or NULL */
	void	   *own;			/* what the block's prepare gave */
	List	   *more;			/* WfExpr *, that it evaluates beside those of its config (wf_block_reads) */
} WfPrepared;

/* Calls `visit` for every expression of the node's config, and those that the block evaluates beside. */
extern void wf_block_walk(const WfPrepared *prepared, void (*visit) (const WfExpr *expr, void *arg), void *arg);

/* Adds the paths to what the node's schemas (of its input, its answer, a form) mark with `"pii": true`; false when there are too
 * many. (marks.c) */
struct WfPiiPaths;
extern bool wf_block_marks(const WfNode *node, struct WfPiiPaths *paths);

/* -- helpers for blocks -- */

/* Leaves at node->ports[port] with this output. */
extern WfOutcome wf_block_done(int port, Jsonb *output);
extern WfOutcome wf_block_fail(WfError *error);
/* Index of a port by its name; -1 when the node has none. */
extern int	wf_block_port(const WfNode *node, const char *name);
/* Writes the members "nonce" and "secrets" (names) of a request, when the step has named any. */
extern void wf_block_put_secrets(const WfStep *step, WfJsonWriter *w);
/* The reverse, for a block whose state holds a request that was written so: expressions that it evaluates when it is
 * resumed, perhaps in another process, go on with the same nonce. To be called in `load`, or before they are evaluated. */
extern void wf_block_take_secrets(WfStep *step, const JsonbValue *request);
/* Evaluates one field of the config; false when it is not in the config (out: null). */
extern bool wf_block_config(WfStep *step, const char *key, JsonbValue *out);
/* The same for a bare expression field; NULL when missing. */
extern const WfExpr *wf_block_config_expr(const WfTemplate *config, const char *key);
/* Evaluates `expr` with `$item`, `$index` and `$items` set on top of the step's scope. */
extern void wf_block_eval_item(WfStep *step, const WfExpr *expr, const JsonbValue *item, int64 index,
							   const JsonbValue *items, JsonbValue *out);

#endif
