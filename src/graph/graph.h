/*
 * graph.h: a definition as immutable structs.
 *
 * Pure: no SPI, no clock, no I/O, no expressions. What a block is, which ports a node has and whether
 * its config is right is asked of the room above through WfGraphBlocks. A WfGraph lives in one memory
 * context of its own and nothing in it changes after wf_graph_compile but the opaque `prepared`
 * pointers, which the engine sets before the graph is shared.
 */
#ifndef WF_GRAPH_GRAPH_H
#define WF_GRAPH_GRAPH_H

#include "postgres.h"
#include "base/diagnostics.h"
#include "base/json.h"

struct WfBlock;

typedef enum WfOnError
{
	WF_ON_ERROR_FAIL,
	WF_ON_ERROR_RETRY,
	WF_ON_ERROR_CONTINUE,
	WF_ON_ERROR_ROUTE,
	WF_ON_ERROR_COMPENSATE,
} WfOnError;

typedef enum WfBackoff
{
	WF_BACKOFF_FIXED,
	WF_BACKOFF_LINEAR,
	WF_BACKOFF_EXPONENTIAL,
} WfBackoff;

typedef struct WfRetry
{
	int			max_attempts;		/* 1: no retry */
	WfBackoff	backoff;
	int64		initial_delay_ms;
	double		multiplier;
	int64		max_delay_ms;
	int64		max_elapsed_ms;		/* 0: no bound */
	double		jitter;				/* share of the delay, 0 to 1 */
	int			n_retry_on;
	const char **retry_on;			/* codes, or classes such as 40*; none: any */
	int			n_stop_on;
	const char **stop_on;
} WfRetry;

typedef enum WfJournal
{
	WF_JOURNAL_FULL,
	WF_JOURNAL_ERRORS,
	WF_JOURNAL_NONE,
} WfJournal;

typedef struct WfSettings
{
	bool		atomic;
	int64		timeout_ms;			/* 0: none */
	bool		definer;			/* security: definer */
	WfJournal	journal;
	WfRetry		retry;				/* default for nodes; max_attempts 1 when not given */
	bool		has_retry;
	int			max_concurrency;	/* 0: unbounded */
	const char *concurrency_key;	/* expression, or NULL */
	const char *concurrency_policy;	/* queue, skip, cancelRunning */
	int			priority;
	const char *error_workflow;		/* or NULL */
	int64		max_output_bytes;	/* 0: the setting of the server */
	const char *javascript;			/* or NULL */
	bool		compensate_on_cancel;
} WfSettings;

typedef struct WfVariable
{
	const char *name;
	const char *type;				/* string, number, boolean, object, array, any */
	JsonbValue	default_value;		/* null when not given */
	bool		required;
} WfVariable;

typedef struct WfEdge
{
	int			index;				/* in WfGraph.edges; the definition's order */
	const char *id;					/* or NULL */
	int			source;				/* node index */
	int			target;
	int			port;				/* index into the source's ports */
	const char *target_handle;		/* or NULL */
	const char *condition;			/* expression, or NULL */
	void	   *prepared;			/* compiled condition; set by the room above */
	bool		back;				/* its target dominates its source */
	int			max_iterations;		/* back edges; 1,000 unless given */
	int			loop;				/* back edges: the loop it closes; else -1 */
	int			exit_loop;			/* innermost loop that holds the source but not the target, or -1 */
} WfEdge;

/* A natural loop: what is between a target of back edges and their sources. */
typedef struct WfLoop
{
	int			index;
	int			header;				/* node index */
	int			parent;				/* enclosing loop, or -1 */
	int			n_nodes;
	int		   *nodes;				/* all nodes within, those of inner loops included */
	int			n_back;
	int		   *back_edges;
	int			n_exits;
	int		   *exits;				/* edges that leave this loop */
} WfLoop;

/* The nodes that live directly in one branch of a container (or at the top): executed together. */
typedef struct WfRegion
{
	int			index;				/* 0 is the top */
	int			container;			/* node index, or -1 at the top */
	const char *branch;				/* of a `parallel` or `try`; else NULL */
	int			depth;				/* 0 at the top */
	int			n_nodes;
	int		   *nodes;				/* in topological order, back edges left out; a loop's nodes come before
								 * what its exits lead to; else in the definition's order */
	int			n_starts;
	int		   *starts;				/* at the top, triggers if there are any; else nodes without incoming edges;
								 * else the first node of each cycle that nothing leads into */
	int			n_terminals;
	int		   *terminals;			/* nodes without outgoing edges (back and error edges not counted) */
} WfRegion;

typedef struct WfNode
{
	int			index;				/* in WfGraph.nodes; the definition's order */
	const char *id;
	const char *name;				/* or NULL */
	const char *type;
	const struct WfBlock *block;	/* NULL only when the type is unknown */
	Jsonb	   *config;				/* an object */
	const char *path;				/* $.nodes[3] */

	int			region;				/* the one it lives in */
	int			parent;				/* container node, or -1 */
	const char *branch;				/* or NULL */
	int			n_regions;			/* containers: one per branch, in order of the block's branches */
	int		   *regions;

	int			n_ports;
	const char *const *ports;		/* index 0 is the first exit; `error` is last on every node */
	int			error_port;			/* index of `error` */

	int			n_out;
	WfEdge	  **out;
	int			n_in;				/* forward edges only */
	WfEdge	  **in;
	int			loop;				/* innermost loop it is in, or -1 */
	int			loop_header_of;		/* loop whose header it is, or -1 */

	int64		timeout_ms;			/* 0: none */
	WfRetry		retry;
	WfOnError	on_error;			/* as given, or as implied by `retry` and by a wired error port */
	bool		error_wired;		/* an edge leaves at `error` */
	JsonbValue	on_error_value;		/* null when not given */
	int			compensate_node;	/* node index, or -1 */
	const char *compensate_workflow;	/* or NULL */
	Jsonb	   *compensate_input;	/* or NULL */
	bool		is_compensation;	/* named by a `compensate`: no part of the flow */
	bool		disabled;
	bool		guarded;			/* runs in its own subtransaction: it, or a container around it, handles errors */

	void	   *prepared;			/* what the room above made of the config; opaque here */
} WfNode;

typedef struct WfGraph
{
	MemoryContext memory;
	int			n_nodes;
	WfNode	   *nodes;
	int			n_edges;
	WfEdge	   *edges;
	int			n_regions;
	WfRegion   *regions;
	int			n_loops;
	WfLoop	   *loops;
	int			n_variables;
	WfVariable *variables;
	WfSettings	settings;
	void	   *node_index;			/* ids and names; for wf_graph_find and wf_graph_nearest */
	void	   *prepared;			/* opaque; of the room above */
} WfGraph;

/*
 * What the graph must know of blocks. `arg` is passed through. None may throw but for memory and
 * cancel.
 */
typedef struct WfGraphBlocks
{
	/* The block of this type, or NULL. */
	const struct WfBlock *(*find) (void *arg, const char *type);
	/* The known type nearest to this one, or NULL. */
	const char *(*nearest) (void *arg, const char *type);
	bool		(*is_container) (const struct WfBlock *block);
	bool		(*is_trigger) (const struct WfBlock *block);
	bool		(*suspends) (const struct WfBlock *block, const WfNode *node);
	/* Ports of the node in order, without `error`; may depend on its config (switch). */
	void		(*ports) (const WfNode *node, int *n, const char *const **ports);
	/* Branches of a container in order (parallel: from its config; try: try, catch, finally); a
	 * container with one unnamed branch (loop) gives n = 1 and a NULL name. */
	void		(*branches) (const WfNode *node, int *n, const char *const **names);
	/* True when errors raised in this branch are handled by the container. */
	bool		(*catches) (const WfNode *container, const char *branch);
	/* Adds what is wrong with the node's config: schema, own rules. Expressions are checked when the
	 * graph is prepared. */
	void		(*check) (const WfNode *node, WfDiagnostics *found);
	/* Adds what is wrong with expressions, of a graph in which something else is wrong: nodes may lack a block or an id,
	 * edges that lead nowhere have a source of -1; nothing but what the definition says of each can be relied on. What is
	 * allocated is given back. May be NULL. */
	void		(*check_broken) (const WfGraph *graph, WfDiagnostics *found);
	void	   *arg;
} WfGraphBlocks;

/*
 * Reads, validates and compiles a definition in one pass over it. Everything found is added to
 * `found`; the result is NULL when there was an error. The graph is in a new memory context below
 * `parent`. Never throws but for memory and cancel.
 */
extern WfGraph *wf_graph_compile(const Jsonb *definition, const WfGraphBlocks *blocks, MemoryContext parent,
								 WfDiagnostics *found);

/* Node by id or, failing that, by name; -1 when there is none. */
extern int	wf_graph_find(const WfGraph *graph, const char *name, int len);
/* The id or name nearest to this one, or NULL. */
extern const char *wf_graph_nearest(const WfGraph *graph, const char *name);
/* Frees the graph and everything in its memory context; NULL is fine. */
extern void wf_graph_free(WfGraph *graph);

/* `fail`, `retry` ... as a definition has it. */
extern const char *wf_graph_on_error_name(WfOnError on_error);
/* Is the value of this type of a variable (`string`, `integer` ...)? */
extern bool wf_graph_variable_accepts(const char *type, const JsonbValue *value);

/* A policy that says nothing, and one that never retries. */
extern void wf_graph_retry_defaults(WfRetry *out);
extern void wf_graph_retry_none(WfRetry *out);
/* May attempt `attempt` (from 1), which failed with this `error.code` and SQLSTATE, be followed by
 * another one? max_elapsed_ms is the caller's to watch: it has the clock. */
extern bool wf_graph_retry_applies(const WfRetry *retry, int attempt, const char *code, const char *sqlstate);
/* How long to wait after attempt `attempt` failed; `random` is from 0 to 1 and decides on the jitter. */
extern int64 wf_graph_retry_delay_ms(const WfRetry *retry, int attempt, double random);

#endif
