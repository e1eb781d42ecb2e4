/*
 * find.c: nodes by id and by name.
 *
 * The index is one table of node numbers under the hashes of ids and of names. That an id wins over a
 * name is a rule of the look-up and not of the order in which they were added; a definition in which
 * both could be meant is refused anyway.
 */
#include "postgres.h"

#include "base/text.h"
#include "graph/build.h"

static bool
is_same(const char *text, const char *name, int len)
{
	return text != NULL && strncmp(text, name, len) == 0 && text[len] == '\0';
}

/* Node by id or, failing that, by name; -1 when there is none. `name` need not end with a NUL. */
int
wf_graph_lookup(const WfGraph *graph, const WfTable *index, const char *name, int len)
{
	uint32		hash = wf_table_hash(name, len);
	uint32		at = wf_table_begin(index, hash);
	int			named = -1;
	int			i;

	while ((i = wf_table_next(index, hash, &at)) >= 0)
	{
		if (is_same(graph->nodes[i].id, name, len))
			return i;
		if (named < 0 && is_same(graph->nodes[i].name, name, len))
			named = i;
	}
	return named;
}

/* Node by id or, failing that, by name; -1 when there is none. */
int
wf_graph_find(const WfGraph *graph, const char *name, int len)
{
	return wf_graph_lookup(graph, graph->node_index, name, len);
}

/* The id or name nearest to this one, or NULL. Allocates in CurrentMemoryContext and frees it. */
const char *
wf_graph_nearest(const WfGraph *graph, const char *name)
{
	int			len = strlen(name);
	const char **near;
	int			n = 0;

	if (len == 0 || len > WF_GRAPH_NAME_BYTES)
		return NULL;
	near = palloc(sizeof(char *) * 2 * Max(graph->n_nodes, 1));
	for (int i = 0; i < graph->n_nodes; i++)
	{
		const char *const both[] = {graph->nodes[i].id, graph->nodes[i].name};

		for (int k = 0; k < 2; k++)
		{
			int			other = both[k] == NULL ? 0 : strlen(both[k]);

			if (other > 0 && abs(other - len) <= WF_GRAPH_NEAR_BYTES)
				near[n++] = both[k];
		}
	}

	const char *best = wf_text_nearest(name, near, n);

	pfree(near);
	return best;
}
