/*
 * flow.h: what the parts of the flow analysis share; private to this room.
 *
 * Nodes are numbered as in the graph; number n_nodes is a root above all starts of all regions. As no
 * linked edge crosses regions, the regions are so many separate graphs below that root and one pass
 * serves them all.
 */
#ifndef WF_GRAPH_FLOW_H
#define WF_GRAPH_FLOW_H

#include "graph/build.h"

typedef struct WfFlow
{
	WfBuild    *b;
	WfGraph    *graph;
	int			root;			/* n_nodes */
	int		   *out_first;		/* linked edges by source: out[out_first[v]] to out[out_first[v + 1] - 1] */
	int		   *out;
	int		   *in_first;		/* the same by target */
	int		   *in;
	bool	   *starts;			/* per node */
	bool	   *region_uncertain;	/* per region: edges that could not be resolved seem to lead into it */
	int			n_reached;
	int		   *order;			/* nodes reached from the starts, in reverse postorder */
	int		   *rank;			/* place of a node in it; -1: not reached */
	bool	   *seen;			/* reached from a start, or from where a start may be */

	/* dominator tree of the forward edges; `jump` are ancestors at skew-binary distances */
	int		   *up;
	int		   *jump;
	int		   *depth;
} WfFlow;

static inline bool
wf_flow_has(const WfFlow *flow, int node)
{
	return flow->graph->nodes[node].region >= 0 && !flow->graph->nodes[node].is_compensation;
}

/* start.c */
extern void wf_flow_find_starts(WfFlow *flow);

/* dominate.c */
extern void wf_flow_dominate(WfFlow *flow);
extern bool wf_flow_dominates(const WfFlow *flow, int above, int below);

/* loop.c */
extern bool wf_flow_find_loops(WfFlow *flow);

/* order.c */
extern void wf_flow_arrange(WfFlow *flow);

#endif
