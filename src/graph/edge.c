/*
 * edge.c: the edges of a definition: reading and linking them.
 *
 * An edge is linked when both ends are known and it may join them. One that is not stays in the array
 * (so that its index is its place in the definition) and is left out of the flow; the node that it
 * seems to lead to is marked `uncertain`, so that one misspelt id is not reported a second time as a
 * node that cannot be reached.
 */
#include "postgres.h"

#include "base/settings.h"
#include "base/text.h"
#include "graph/build.h"
#include "miscadmin.h"

enum
{
	EDGE_ID,
	EDGE_SOURCE,
	EDGE_TARGET,
	EDGE_SOURCE_HANDLE,
	EDGE_TARGET_HANDLE,
	EDGE_CONDITION,
	EDGE_MAX_ITERATIONS,
	EDGE_DATA,
	EDGE_KEYS
};

static const WfKey edge_keys[EDGE_KEYS] = {
	[EDGE_ID] = {"id", WF_IS_STRING},
	[EDGE_SOURCE] = {"source", WF_IS_STRING, true},
	[EDGE_TARGET] = {"target", WF_IS_STRING, true},
	[EDGE_SOURCE_HANDLE] = {"sourceHandle", WF_IS_STRING},
	[EDGE_TARGET_HANDLE] = {"targetHandle", WF_IS_STRING},
	[EDGE_CONDITION] = {"condition", WF_IS_STRING},
	[EDGE_MAX_ITERATIONS] = {"maxIterations", WF_IS_NUMBER},
	[EDGE_DATA] = {"data", WF_IS_ANY},
};

/* Sets of edges already seen. */
typedef struct Seen
{
	WfTable    *ids;
	WfTable    *ends;			/* source, port and target */
} Seen;

WfPlace
wf_graph_edge_place(const WfBuild *b, int edge)
{
	int			source = b->graph->edges[edge].source;

	return (WfPlace) {.kind = "edge", .list = "edges", .index = edge,
		.node = source < 0 ? NULL : b->graph->nodes[source].id};
}

/*
 * The node that an end of an edge names, or -1 (reported). *meant is the node that seems to be meant
 * then, or -1.
 */
static int
resolve_end(WfBuild *b, const WfField *field, const WfPlace *place, const char *key, int *meant)
{
	*meant = -1;
	if (!field->present)
		return -1;

	const JsonbValue *id = &field->value;
	int			node = wf_graph_lookup(b->graph, b->index, id->val.string.val, id->val.string.len);

	if (node >= 0 && strlen(b->graph->nodes[node].id) == id->val.string.len &&
		memcmp(b->graph->nodes[node].id, id->val.string.val, id->val.string.len) == 0)
		return node;

	const char *text = wf_json_cstring(id);
	const char *hint = wf_graph_hint_node(b, text, meant);

	wf_graph_wrong(b, place, key, hint, "%s \"%s\" of %s does not exist", key, wf_text_clip(text),
				   wf_graph_what(place));
	return -1;
}

/* The port that an edge leaves at; 0 when that is not known. */
static int
resolve_port(WfBuild *b, const WfField *field, const WfPlace *place, int source)
{
	const WfNode *node = &b->graph->nodes[source];
	const char *port = "out";

	if (node->block == NULL)
		return 0;
	/* most edges leave at the first port, and it is called "out" */
	if (!field->present && strcmp(node->ports[0], "out") == 0)
		return 0;
	if (field->present)
		port = wf_json_cstring(&field->value);

	int			found = wf_table_find_name(b->notes[source].port_table, node->ports, node->n_ports, port);

	if (found >= 0)
		return found;

	const char *kind = psprintf("ports of \"%s\"", wf_text_clip(node->id));
	const char *hint = wf_graph_hint_nearest(b, port, node->ports, node->n_ports, kind);

	if (field->present)
		wf_graph_wrong(b, place, "sourceHandle", hint, "node \"%s\" (%s) has no port \"%s\"", wf_text_clip(node->id),
					   wf_text_clip(node->type), wf_text_clip(port));
	else
		wf_graph_wrong(b, place, NULL, hint, "%s has no \"sourceHandle\", and node \"%s\" (%s) has no port \"out\"",
					   wf_graph_what(place), wf_text_clip(node->id), wf_text_clip(node->type));
	return 0;
}

/* May these two be joined? Reports why not. */
static bool
may_join(WfBuild *b, const WfPlace *place, const WfNode *source, const WfNode *target)
{
	const WfNode *compensation = source->is_compensation ? source : target->is_compensation ? target : NULL;

	if (compensation != NULL)
	{
		wf_graph_wrong(b, place, NULL, "A node that compensates another one is no part of the flow; drop the edge.",
					   "edge from \"%s\" to \"%s\" touches \"%s\", which a \"compensate\" names",
					   wf_text_clip(source->id), wf_text_clip(target->id), wf_text_clip(compensation->id));
		return false;
	}
	if (b->notes[target->index].is_trigger)
	{
		wf_graph_wrong(b, place, "target", "A trigger starts a run and has no incoming edge.",
					   "edge from \"%s\" leads into trigger \"%s\"", wf_text_clip(source->id), wf_text_clip(target->id));
		return false;
	}
	if (source->region < 0 || target->region < 0)
		return false;
	if (source->region != target->region)
	{
		wf_graph_wrong(b, place, NULL,
					   "An edge joins nodes of the same branch of the same container. A container starts its nodes by itself and leaves at its own ports.",
					   "edge from \"%s\" to \"%s\" crosses the border of a container", wf_text_clip(source->id),
					   wf_text_clip(target->id));
		return false;
	}
	return true;
}

static uint32
hash_ends(const WfEdge *edge)
{
	return hash_combine(hash_combine(murmurhash32(edge->source), murmurhash32(edge->target)), murmurhash32(edge->port));
}

/* True when another edge has the same source, port and target; reported. */
static bool
is_duplicate(WfBuild *b, Seen *seen, const WfEdge *edge, const WfPlace *place)
{
	const WfGraph *graph = b->graph;
	uint32		hash = hash_ends(edge);
	uint32		at = wf_table_begin(seen->ends, hash);
	int			i;

	while ((i = wf_table_next(seen->ends, hash, &at)) >= 0)
	{
		const WfEdge *other = &graph->edges[i];

		if (other->source != edge->source || other->target != edge->target || other->port != edge->port)
			continue;
		wf_graph_wrong(b, place, NULL, "Of edges with different conditions make one, with \"||\".",
					   "edge from port \"%s\" of \"%s\" to \"%s\" is there twice",
					   wf_text_clip(graph->nodes[edge->source].ports[edge->port]),
					   wf_text_clip(graph->nodes[edge->source].id), wf_text_clip(graph->nodes[edge->target].id));
		return true;
	}
	wf_table_add(seen->ends, hash, edge->index);
	return false;
}

static void
check_edge_id(WfBuild *b, Seen *seen, const WfEdge *edge, const WfPlace *place)
{
	if (edge->id == NULL)
		return;

	uint32		hash = wf_table_hash(edge->id, strlen(edge->id));
	uint32		at = wf_table_begin(seen->ids, hash);
	int			i;

	while ((i = wf_table_next(seen->ids, hash, &at)) >= 0)
		if (strcmp(b->graph->edges[i].id, edge->id) == 0)
		{
			wf_graph_wrong(b, place, "id", NULL, "edge id \"%s\" is used twice", wf_text_clip(edge->id));
			return;
		}
	wf_table_add(seen->ids, hash, edge->index);
}

static void
link_edge(WfBuild *b, Seen *seen, WfEdge *edge, const WfField *f, WfPlace *place)
{
	WfGraph    *graph = b->graph;
	int			source_meant;
	int			target_meant;
	int			source = resolve_end(b, &f[EDGE_SOURCE], place, "source", &source_meant);

	if (source >= 0)
		place->node = graph->nodes[source].id;

	int			target = resolve_end(b, &f[EDGE_TARGET], place, "target", &target_meant);

	edge->source = source;
	edge->target = target;
	if (source >= 0)
		edge->port = resolve_port(b, &f[EDGE_SOURCE_HANDLE], place, source);
	if (source >= 0 && target >= 0 && may_join(b, place, &graph->nodes[source], &graph->nodes[target]))
	{
		if (is_duplicate(b, seen, edge, place))
			return;
		b->linked[edge->index] = true;
		if (edge->port == graph->nodes[source].error_port && graph->nodes[source].block != NULL)
			graph->nodes[source].error_wired = true;
	}
	else if (target >= 0 || target_meant >= 0)
		b->notes[target >= 0 ? target : target_meant].uncertain = true;
}

static void
read_edge(WfBuild *b, Seen *seen, const JsonbValue *object, WfEdge *edge)
{
	WfPlace		place = wf_graph_edge_place(b, edge->index);
	WfField		f[EDGE_KEYS];

	wf_graph_read(b, object, &place, edge_keys, EDGE_KEYS, f);
	edge->id = wf_graph_read_text(b, &f[EDGE_ID], &place, "id", WF_GRAPH_NAME_BYTES);
	edge->target_handle = wf_graph_read_text(b, &f[EDGE_TARGET_HANDLE], &place, "targetHandle", WF_GRAPH_NAME_BYTES);
	edge->condition = wf_graph_read_text(b, &f[EDGE_CONDITION], &place, "condition", PG_INT32_MAX);
	/* 0 until it is known whether the edge goes back */
	wf_graph_read_int(b, &f[EDGE_MAX_ITERATIONS], &place, "maxIterations", 1, PG_INT32_MAX, &edge->max_iterations);
	link_edge(b, seen, edge, f, &place);
	check_edge_id(b, seen, edge, &place);
}

/* The number of edges; -1 (reported) when there are too many. */
static int
count_edges(WfBuild *b, const WfField *section)
{
	WfPlace		root = {.kind = "the definition", .index = -1};
	int64		most = (int64) wf_setting_max_nodes * WF_GRAPH_EDGES_PER_NODE;
	int			n = section->present ? wf_json_count(&section->value) : 0;

	if (n <= most)
		return n;
	wf_graph_report(b, WF_SEVERITY_ERROR, WF_ERRCODE_LIMIT_EXCEEDED, &root, "edges",
					"Raise the setting workflow.max_nodes: ten edges are allowed for each node.",
					"the definition has %d edges, more than " INT64_FORMAT, n, most);
	return -1;
}

/* Reads all edges and links those that may be. */
void
wf_graph_read_edges(WfBuild *b, const WfField *section)
{
	WfGraph    *graph = b->graph;
	int			n = count_edges(b, section);
	WfJsonIter	it;
	JsonbValue	item;
	Seen		seen;

	graph->edges = wf_graph_keep_array(b, Max(n, 0), sizeof(WfEdge));
	b->linked = palloc0(Max(n, 1) * sizeof(bool));
	if (n <= 0)
		return;
	graph->n_edges = n;
	seen.ids = wf_table_make(b->scratch, n);
	seen.ends = wf_table_make(b->scratch, n);
	for (int i = 0; i < n; i++)
	{
		WfEdge	   *edge = &graph->edges[i];

		edge->index = i;
		edge->source = edge->target = edge->loop = edge->exit_loop = -1;
	}
	wf_json_iter_begin(&it, &section->value);
	for (int i = 0; wf_json_iter_next(&it, NULL, &item); i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (wf_json_is_object(&item))
			read_edge(b, &seen, &item, &graph->edges[i]);
		else
		{
			WfPlace		place = wf_graph_edge_place(b, i);

			wf_graph_wrong(b, &place, NULL, "An edge looks like {\"source\": \"a\", \"target\": \"b\"}.",
						   "%s must be an object, not %s", wf_graph_what(&place), wf_json_type_name(&item));
		}
	}
}
