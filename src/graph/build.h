/*
 * build.h: what the phases of wf_graph_compile share; private to this room.
 *
 * A compile is a straight line of phases over one WfBuild. Each phase reads what the ones before it
 * left in the graph and in the notes, reports what is wrong, and leaves something usable behind even
 * then (an edge that is not linked, a node without a region), so that the next phases go on and one
 * compile reports everything. Nothing here throws for a wrong definition.
 *
 * Order of phases (compile.c): document, settings, variables, nodes, index, nesting,
 * compensations, edges, policies, flow, checks, guards.
 *
 * Memory: CurrentMemoryContext is `scratch` throughout, which is gone when the compile ends. What the
 * graph keeps is allocated with wf_graph_keep and its friends, in the graph's own context.
 */
#ifndef WF_GRAPH_BUILD_H
#define WF_GRAPH_BUILD_H

#include "postgres.h"

#include "base/diagnostics.h"
#include "base/error.h"
#include "base/json.h"
#include "graph/graph.h"
#include "graph/table.h"

#define WF_GRAPH_ID_BYTES 255		/* of an id or of the name of a variable */
#define WF_GRAPH_NAME_BYTES 1023	/* of the name of a node, an edge's id or handle */
#define WF_GRAPH_EDGES_PER_NODE 10	/* edges allowed: so many times workflow.max_nodes */
#define WF_GRAPH_NEAR_BYTES 4		/* names whose lengths differ by more are not near each other */
#define WF_GRAPH_HINT_CELLS 20000000	/* what the hints of one compile may cost together */
#define WF_GRAPH_LOOP_ENTRIES 2000000	/* nodes and exits listed in all loops together */
#define WF_GRAPH_ITERATIONS 1000	/* maxIterations of a back edge when not given */

/*
 * Where in the definition something is: the path of a diagnostic and the words for it are made from
 * this only when there is something to report.
 */
typedef struct WfPlace
{
	const char *kind;			/* definition, settings, variable, node, edge */
	const char *list;			/* nodes, edges, variables, settings; NULL: the root */
	int			index;			/* in the list; -1: `list` is no list */
	const char *name;			/* id of the node, name of the variable; or NULL */
	const char *within;			/* retry, compensate, position; or NULL */
	const char *node;			/* the diagnostic's node; or NULL */
} WfPlace;

#define WF_IS_STRING	0x01
#define WF_IS_NUMBER	0x02
#define WF_IS_BOOLEAN	0x04
#define WF_IS_OBJECT	0x08
#define WF_IS_ARRAY		0x10
#define WF_IS_ANY		0x1000

/* One key that an object may have. */
typedef struct WfKey
{
	const char *name;
	uint32		types;			/* WF_IS_... */
	bool		required;
} WfKey;

/* One member as read: absent when missing or of the wrong type (which has been reported). */
typedef struct WfField
{
	bool		present;
	JsonbValue	value;			/* borrowed from the definition */
} WfField;

/* What is known of a node while compiling and not needed after. */
typedef struct WfNodeNotes
{
	bool		is_container;
	bool		is_trigger;
	bool		has_id;			/* an id that others can refer to */
	bool		has_on_error;
	bool		has_retry;
	bool		has_on_error_value;
	bool		compensated;	/* has a `compensate` */
	bool		uncertain;		/* what leads here is not known: reported already */
	const char *parent_id;		/* as written, or NULL */
	const char *branch;			/* as written, or NULL */
	const char *compensate_id;	/* as written, or NULL */
	int			depth;			/* containers around it; -1: in a cycle of parents or below one */
	int			n_branches;
	const char *const *branches;
	WfTable    *port_table;		/* of many ports; else NULL */
	WfTable    *branch_table;	/* of many branches; else NULL */
	int			children;
} WfNodeNotes;

typedef struct WfBuild
{
	WfGraph    *graph;
	const WfGraphBlocks *blocks;
	WfDiagnostics *found;
	int			errors_before;	/* errors in `found` that are not of this compile */
	MemoryContext scratch;
	MemoryContext turn;			/* reset after each node's check */
	WfNodeNotes *notes;			/* one per node */
	WfTable    *index;			/* nodes by id and name */
	int64		hint_budget;	/* cells of edit distance that hints may still cost */
	bool	   *linked;			/* per edge: both ends are known and may be joined */
	bool	   *region_guarded;	/* per region */
} WfBuild;

/* report.c */
extern void wf_graph_report(WfBuild *b, WfSeverity severity, int sqlstate, const WfPlace *place,
							const char *key, const char *hint, const char *fmt, ...) pg_attribute_printf(7, 8);
extern const char *wf_graph_what(const WfPlace *place);
extern bool wf_graph_wants_hint(const WfBuild *b);
extern const char *wf_graph_hint_nearest(WfBuild *b, const char *name, const char *const *names, int n,
										 const char *kind);
extern const char *wf_graph_hint_node(WfBuild *b, const char *name, int *nearest);

#define wf_graph_wrong(b, place, key, hint, ...) \
	wf_graph_report((b), WF_SEVERITY_ERROR, WF_ERRCODE_DEFINITION_INVALID, (place), (key), (hint), __VA_ARGS__)

/* read.c */
extern void wf_graph_read(WfBuild *b, const JsonbValue *object, const WfPlace *place, const WfKey *keys,
						  int n_keys, WfField *fields);
extern void *wf_graph_keep(WfBuild *b, Size bytes);
extern void *wf_graph_keep_array(WfBuild *b, int n, Size bytes);
extern const char *wf_graph_keep_text(WfBuild *b, const JsonbValue *string);
extern Jsonb *wf_graph_keep_json(WfBuild *b, const JsonbValue *value);
extern void wf_graph_keep_value(WfBuild *b, const JsonbValue *value, JsonbValue *out);
extern const char *wf_graph_read_text(WfBuild *b, const WfField *field, const WfPlace *place, const char *key,
									  int max_bytes);
extern bool wf_graph_read_duration(WfBuild *b, const WfField *field, const WfPlace *place, const char *key,
								   int64 *out_ms);
extern bool wf_graph_read_int(WfBuild *b, const WfField *field, const WfPlace *place, const char *key,
							  int64 low, int64 high, int *out);
extern bool wf_graph_read_number(WfBuild *b, const WfField *field, const WfPlace *place, const char *key,
								 double low, double high, double *out);
extern int	wf_graph_read_choice(WfBuild *b, const WfField *field, const WfPlace *place, const char *key,
								 const char *const *choices, int n_choices);
extern bool wf_graph_read_size(WfBuild *b, const WfField *field, const WfPlace *place, const char *key,
							   int64 *out_bytes);
extern bool wf_graph_is_identifier(const char *name);

/* retry.c */
extern bool wf_graph_read_retry(WfBuild *b, const JsonbValue *value, const WfPlace *place, WfRetry *out);

/* settings.c, variables.c */
extern void wf_graph_read_settings(WfBuild *b, const WfField *section);
extern void wf_graph_read_variables(WfBuild *b, const WfField *section);

/* node.c */
extern void wf_graph_read_nodes(WfBuild *b, const WfField *section);
extern void wf_graph_index_nodes(WfBuild *b);
extern WfPlace wf_graph_node_place(const WfBuild *b, int node);

/* nest.c */
extern void wf_graph_nest(WfBuild *b);

/* edge.c */
extern void wf_graph_read_edges(WfBuild *b, const WfField *section);
extern WfPlace wf_graph_edge_place(const WfBuild *b, int edge);

/* policy.c */
extern void wf_graph_link_compensations(WfBuild *b);
extern void wf_graph_settle_policies(WfBuild *b);
extern void wf_graph_check_blocks(WfBuild *b);
extern void wf_graph_guard(WfBuild *b);

/* find.c */
extern void wf_graph_index_names(WfBuild *b);
extern int	wf_graph_lookup(const WfGraph *graph, const WfTable *index, const char *name, int len);

/* flow.c */
extern void wf_graph_flow(WfBuild *b);

/* This room is pure: it reads no table and no clock. */
#ifdef SPI_H
#error "graph/ must not include executor/spi.h"
#endif
#ifdef WF_BASE_CLOCK_H
#error "graph/ must not include base/clock.h"
#endif

#endif
