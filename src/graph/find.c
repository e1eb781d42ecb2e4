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
#include "port/pg_bitutils.h"

#define NEAR_DISTANCE 3			/* what wf_text_nearest takes for near, at the most */
#define MOST_CANDIDATES 100

/* A name that a node answers to. */
typedef struct NodeName
{
	uint64		letters;		/* see letters_of */
	int			len;			/* bytes */
	const char *text;
} NodeName;

/* WfGraph.node_index */
typedef struct NodeIndex
{
	const WfTable *table;
	int			n_names;
	NodeName	names[FLEXIBLE_ARRAY_MEMBER];
} NodeIndex;

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
	return wf_graph_lookup(graph, ((const NodeIndex *) graph->node_index)->table, name, len);
}

/*
 * The letters of a name as bits. A name at edit distance d differs in at most 2 * d of them, which is
 * much cheaper to know than the distance.
 */
static uint64
letters_of(const char *name)
{
	uint64		letters = 0;

	for (const char *p = name; *p; p++)
		letters |= UINT64CONST(1) << (pg_tolower((unsigned char) *p) & 63);
	return letters;
}

/* Makes the index that a compiled graph keeps. */
void
wf_graph_index_names(WfBuild *b)
{
	WfGraph    *graph = b->graph;
	NodeIndex  *index = wf_graph_keep(b, offsetof(NodeIndex, names) + 2 * graph->n_nodes * sizeof(NodeName));

	index->table = b->index;
	for (int i = 0; i < graph->n_nodes; i++)
	{
		const char *const texts[] = {graph->nodes[i].id, graph->nodes[i].name};

		for (int k = 0; k < 2; k++)
			if (texts[k] != NULL)
				index->names[index->n_names++] = (NodeName) {letters_of(texts[k]), strlen(texts[k]), texts[k]};
	}
	graph->node_index = index;
}

/*
 * The id or name nearest to this one, or NULL. Of a large graph only the names that share the most
 * letters are compared, as a definition may ask for ten thousand nodes that are not there.
 */
const char *
wf_graph_nearest(const WfGraph *graph, const char *name)
{
	const NodeIndex *index = graph->node_index;
	int			len = strlen(name);
	uint64		letters = letters_of(name);
	const char *near[2 * NEAR_DISTANCE + 1][MOST_CANDIDATES] = {{NULL}};
	int			n[2 * NEAR_DISTANCE + 1] = {0};

	if (len == 0 || len > WF_GRAPH_NAME_BYTES)
		return NULL;
	for (int i = 0; i < index->n_names; i++)
	{
		const NodeName *other = &index->names[i];
		int			differ;

		if (abs(other->len - len) > NEAR_DISTANCE)
			continue;
		differ = pg_popcount64(letters ^ other->letters);
		if (differ <= 2 * NEAR_DISTANCE && n[differ] < MOST_CANDIDATES)
			near[differ][n[differ]++] = other->text;
	}

	int			total = n[0];

	for (int differ = 1; differ <= 2 * NEAR_DISTANCE; differ++)
		for (int i = 0; i < n[differ] && total < MOST_CANDIDATES; i++)
			near[0][total++] = near[differ][i];
	return wf_text_nearest(name, near[0], total);
}
