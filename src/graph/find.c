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
#define MOST_CANDIDATES 300

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

/* Names by how many letters they share with the one that is looked for, few of each kind. */
typedef struct Candidates
{
	const char *names[2 * NEAR_DISTANCE + 1][MOST_CANDIDATES];
	int			n[2 * NEAR_DISTANCE + 1];
} Candidates;

static void
consider(Candidates *found, const char *name, int len, uint64 letters)
{
	int			other = name == NULL ? 0 : strlen(name);
	int			differ;

	if (other == 0 || abs(other - len) > WF_GRAPH_NEAR_BYTES)
		return;
	differ = pg_popcount64(letters ^ letters_of(name));
	if (differ <= 2 * NEAR_DISTANCE && found->n[differ] < MOST_CANDIDATES)
		found->names[differ][found->n[differ]++] = name;
}

/*
 * The id or name nearest to this one, or NULL. Of a large graph only the most promising names are
 * compared, as a definition may ask for ten thousand nodes that are not there. Allocates in
 * CurrentMemoryContext and frees it.
 */
const char *
wf_graph_nearest(const WfGraph *graph, const char *name)
{
	int			len = strlen(name);
	uint64		letters = letters_of(name);
	const char *best = NULL;
	int			n = 0;

	if (len == 0 || len > WF_GRAPH_NAME_BYTES)
		return NULL;

	Candidates *found = palloc(sizeof(Candidates));
	const char **near = palloc(sizeof(char *) * MOST_CANDIDATES);

	memset(found->n, 0, sizeof(found->n));
	for (int i = 0; i < graph->n_nodes; i++)
	{
		consider(found, graph->nodes[i].id, len, letters);
		consider(found, graph->nodes[i].name, len, letters);
	}
	for (int differ = 0; differ <= 2 * NEAR_DISTANCE; differ++)
		for (int i = 0; i < found->n[differ] && n < MOST_CANDIDATES; i++)
			near[n++] = found->names[differ][i];
	best = wf_text_nearest(name, near, n);
	pfree(near);
	pfree(found);
	return best;
}
