/*
 * node.c: the nodes of a definition: reading them and finding them again.
 *
 * One pass over `nodes` fills WfGraph.nodes in the definition's order and leaves in the notes what
 * refers to other nodes (parent, compensate), which is resolved once all ids are known. A node is
 * never left out, however wrong: one without an id gets an empty one, so that the index of a node is
 * its place in the definition.
 */
#include "postgres.h"

#include "base/text.h"
#include "graph/build.h"
#include "miscadmin.h"

/* Lists longer than this are looked up by hash. */
#define FEW_NAMES 16

enum
{
	NODE_ID,
	NODE_TYPE,
	NODE_CONFIG,
	NODE_NAME,
	NODE_POSITION,
	NODE_PARENT,
	NODE_BRANCH,
	NODE_TIMEOUT,
	NODE_RETRY,
	NODE_ON_ERROR,
	NODE_ON_ERROR_VALUE,
	NODE_COMPENSATE,
	NODE_DISABLED,
	NODE_NOTES,
	NODE_KEYS
};

static const WfKey node_keys[NODE_KEYS] = {
	[NODE_ID] = {"id", WF_IS_STRING, true},
	[NODE_TYPE] = {"type", WF_IS_STRING, true},
	[NODE_CONFIG] = {"config", WF_IS_OBJECT},
	[NODE_NAME] = {"name", WF_IS_STRING},
	[NODE_POSITION] = {"position", WF_IS_OBJECT},
	[NODE_PARENT] = {"parent", WF_IS_STRING},
	[NODE_BRANCH] = {"branch", WF_IS_STRING},
	[NODE_TIMEOUT] = {"timeout", WF_IS_STRING | WF_IS_NUMBER},
	[NODE_RETRY] = {"retry", WF_IS_OBJECT},
	[NODE_ON_ERROR] = {"onError", WF_IS_STRING},
	[NODE_ON_ERROR_VALUE] = {"onErrorValue", WF_IS_ANY},
	[NODE_COMPENSATE] = {"compensate", WF_IS_OBJECT},
	[NODE_DISABLED] = {"disabled", WF_IS_BOOLEAN},
	[NODE_NOTES] = {"notes", WF_IS_ANY},
};

enum
{
	COMPENSATE_NODE,
	COMPENSATE_WORKFLOW,
	COMPENSATE_INPUT,
	COMPENSATE_KEYS
};

static const WfKey compensate_keys[COMPENSATE_KEYS] = {
	[COMPENSATE_NODE] = {"node", WF_IS_STRING},
	[COMPENSATE_WORKFLOW] = {"workflow", WF_IS_STRING},
	[COMPENSATE_INPUT] = {"input", WF_IS_ANY},
};

static const WfKey position_keys[] = {
	{"x", WF_IS_NUMBER, true},
	{"y", WF_IS_NUMBER, true},
};

static const char *const strategies[] = {
	[WF_ON_ERROR_FAIL] = "fail",
	[WF_ON_ERROR_RETRY] = "retry",
	[WF_ON_ERROR_CONTINUE] = "continue",
	[WF_ON_ERROR_ROUTE] = "route",
	[WF_ON_ERROR_COMPENSATE] = "compensate",
};

/* The name of a strategy as it stands in a definition. */
const char *
wf_graph_on_error_name(WfOnError on_error)
{
	return strategies[on_error];
}

WfPlace
wf_graph_node_place(const WfBuild *b, int node)
{
	const char *id = b->graph->nodes[node].id;

	return (WfPlace) {.kind = "node", .list = "nodes", .index = node, .name = id, .node = id};
}

static void
read_id(WfBuild *b, const WfField *field, const WfPlace *place, WfNode *node, WfNodeNotes *notes)
{
	if (!field->present)
		return;
	notes->has_id = true;
	node->id = wf_graph_keep_text(b, &field->value);
	if (!wf_graph_is_identifier(node->id))
	{
		notes->has_id = node->id[0] != '\0';
		wf_graph_wrong(b, place, "id", "An id is made of letters, digits and underscores and does not begin with a digit; any text may stand in \"name\".",
					   "invalid node id \"%s\"", wf_text_clip(node->id));
	}
	else if (field->value.val.string.len > WF_GRAPH_ID_BYTES)
		wf_graph_wrong(b, place, "id", NULL, "node id \"%s\" is longer than %d bytes", wf_text_clip(node->id),
					   WF_GRAPH_ID_BYTES);
}

static void
read_compensate(WfBuild *b, const WfField *field, const WfPlace *node_place, WfNode *node, WfNodeNotes *notes)
{
	WfPlace		place = *node_place;
	WfField		f[COMPENSATE_KEYS];
	int			before = b->found->n_errors;

	if (!field->present)
		return;
	notes->compensated = true;
	place.within = "compensate";
	wf_graph_read(b, &field->value, &place, compensate_keys, COMPENSATE_KEYS, f);
	if (f[COMPENSATE_NODE].present == f[COMPENSATE_WORKFLOW].present)
	{
		if (b->found->n_errors == before)
			wf_graph_wrong(b, &place, NULL, "Write {\"node\": \"refund\"} or {\"workflow\": \"refund\", \"input\": {}}.",
						   "%s must name either a node or a workflow", wf_graph_what(&place));
		return;
	}
	notes->compensate_id = wf_graph_read_text(b, &f[COMPENSATE_NODE], &place, "node", PG_INT32_MAX);
	node->compensate_workflow = wf_graph_read_text(b, &f[COMPENSATE_WORKFLOW], &place, "workflow", WF_GRAPH_NAME_BYTES);
	if (!f[COMPENSATE_INPUT].present)
		return;
	if (f[COMPENSATE_NODE].present)
		wf_graph_wrong(b, &place, "input", "A compensating node reads what was done through $node.",
					   "%s has an \"input\", which only a workflow takes", wf_graph_what(&place));
	node->compensate_input = wf_graph_keep_json(b, &f[COMPENSATE_INPUT].value);
}

/* What the node itself says of errors; what follows from it is settled when the edges are known. */
static void
read_policy(WfBuild *b, const WfField *f, const WfPlace *place, WfNode *node, WfNodeNotes *notes)
{
	int			strategy = wf_graph_read_choice(b, &f[NODE_ON_ERROR], place, "onError", strategies, lengthof(strategies));

	wf_graph_read_duration(b, &f[NODE_TIMEOUT], place, "timeout", &node->timeout_ms);
	notes->has_on_error = f[NODE_ON_ERROR].present;
	node->on_error = strategy < 0 ? WF_ON_ERROR_FAIL : (WfOnError) strategy;

	wf_json_set_null(&node->on_error_value);
	if (f[NODE_ON_ERROR_VALUE].present)
	{
		notes->has_on_error_value = true;
		wf_graph_keep_value(b, &f[NODE_ON_ERROR_VALUE].value, &node->on_error_value);
		if (strategy != WF_ON_ERROR_CONTINUE && (strategy >= 0 || !notes->has_on_error))
			wf_graph_wrong(b, place, "onErrorValue", "Add \"onError\": \"continue\".",
						   "\"onErrorValue\" of %s is only for \"onError\": \"continue\"", wf_graph_what(place));
	}

	wf_graph_retry_none(&node->retry);
	if (f[NODE_RETRY].present)
	{
		WfPlace		within = *place;

		within.within = "retry";
		notes->has_retry = true;
		wf_graph_read_retry(b, &f[NODE_RETRY].value, &within, &node->retry);
		if (b->graph->settings.atomic && node->retry.initial_delay_ms > 0)
			wf_graph_wrong(b, &within, "initialDelay", "Drop \"initialDelay\", or \"atomic\" from the settings.",
						   "retries in an atomic workflow are immediate: node \"%s\" cannot have an initial delay",
						   wf_text_clip(node->id));
	}
	read_compensate(b, &f[NODE_COMPENSATE], place, node, notes);
}

/*
 * Ports and branches, as the block gives them; `error` is added last unless the block lists it. A node
 * of a block without ports (fail) has `out` when its errors are to be passed over.
 */
static void
ask_block(WfBuild *b, WfNode *node, WfNodeNotes *notes)
{
	const WfGraphBlocks *blocks = b->blocks;
	static const char *const out_port[] = {"out"};
	const char *const *given = NULL;
	int			n = 0;
	MemoryContext old = MemoryContextSwitchTo(b->graph->memory);

	notes->is_container = blocks->is_container(node->block);
	notes->is_trigger = blocks->is_trigger(node->block);
	blocks->ports(node, &n, &given);
	if (notes->is_container)
		blocks->branches(node, &notes->n_branches, &notes->branches);
	MemoryContextSwitchTo(old);
	if (n == 0 && node->on_error == WF_ON_ERROR_CONTINUE)
	{
		given = out_port;
		n = 1;
	}

	const char **ports = wf_graph_keep_array(b, n + 1, sizeof(char *));

	node->error_port = -1;
	for (int i = 0; i < n; i++)
	{
		ports[i] = given[i];
		if (node->error_port < 0 && strcmp(given[i], "error") == 0)
			node->error_port = i;
	}
	node->n_ports = n;
	if (node->error_port < 0)
	{
		node->error_port = node->n_ports++;
		ports[node->error_port] = "error";
	}
	node->ports = ports;
	if (node->n_ports > FEW_NAMES)
		notes->port_table = wf_table_of_names(node->ports, node->n_ports);
	if (notes->n_branches > FEW_NAMES)
		notes->branch_table = wf_table_of_names(notes->branches, notes->n_branches);
}

static void
read_type(WfBuild *b, const WfField *field, const WfPlace *place, WfNode *node, WfNodeNotes *notes)
{
	static const char *const no_ports[] = {"error"};
	const WfGraphBlocks *blocks = b->blocks;

	node->type = field->present ? wf_graph_keep_text(b, &field->value) : "";
	node->ports = no_ports;
	node->n_ports = 1;
	if (!field->present)
		return;
	node->block = blocks->find(blocks->arg, node->type);
	if (node->block != NULL)
	{
		ask_block(b, node, notes);
		return;
	}

	const char *nearest = NULL;

	if (strlen(node->type) <= WF_GRAPH_NAME_BYTES && wf_graph_wants_hint(b))
	{
		nearest = blocks->nearest(blocks->arg, node->type);
		b->hint_budget -= 100 * strlen(node->type);
	}
	wf_graph_wrong(b, place, "type",
				   nearest ? psprintf("Did you mean \"%s\"?", nearest) : "wf_blocks() lists the types there are.",
				   "unknown block type \"%s\" of node \"%s\"", wf_text_clip(node->type), wf_text_clip(node->id));
}

static void
read_node(WfBuild *b, const JsonbValue *object, int index)
{
	WfNode	   *node = &b->graph->nodes[index];
	WfNodeNotes *notes = &b->notes[index];
	WfPlace		place = wf_graph_node_place(b, index);
	WfField		f[NODE_KEYS];
	JsonbValue	id;

	if (wf_json_field(object, "id", &id) && id.type == jbvString)
		place.name = place.node = wf_json_cstring(&id);
	wf_graph_read(b, object, &place, node_keys, NODE_KEYS, f);
	read_id(b, &f[NODE_ID], &place, node, notes);
	node->name = wf_graph_read_text(b, &f[NODE_NAME], &place, "name", WF_GRAPH_NAME_BYTES);
	if (f[NODE_CONFIG].present)
		node->config = wf_graph_keep_json(b, &f[NODE_CONFIG].value);
	node->disabled = f[NODE_DISABLED].present && f[NODE_DISABLED].value.val.boolean;
	if (f[NODE_POSITION].present)
	{
		WfPlace		position = place;
		WfField		xy[lengthof(position_keys)];

		position.within = "position";
		wf_graph_read(b, &f[NODE_POSITION].value, &position, position_keys, lengthof(position_keys), xy);
	}
	notes->parent_id = wf_graph_read_text(b, &f[NODE_PARENT], &place, "parent", PG_INT32_MAX);
	notes->branch = wf_graph_read_text(b, &f[NODE_BRANCH], &place, "branch", PG_INT32_MAX);
	read_policy(b, f, &place, node, notes);
	read_type(b, &f[NODE_TYPE], &place, node, notes);
}

/* Makes a node that is valid as a struct, whatever the definition says. */
static void
blank_node(WfBuild *b, int index, Jsonb *empty)
{
	WfNode	   *node = &b->graph->nodes[index];

	node->index = index;
	node->id = "";
	node->type = "";
	node->config = empty;
	node->region = -1;
	node->parent = -1;
	node->loop = -1;
	node->loop_header_of = -1;
	node->compensate_node = -1;
}

/* The path of a node in the graph's memory. */
static const char *
node_path(WfBuild *b, int index)
{
	char		text[32];
	int			len = snprintf(text, sizeof(text), "$.nodes[%d]", index);

	return memcpy(MemoryContextAlloc(b->graph->memory, len + 1), text, len + 1);
}

/* Reads all nodes; their number has been checked. */
void
wf_graph_read_nodes(WfBuild *b, const WfField *section)
{
	WfGraph    *graph = b->graph;
	JsonbValue	nothing;
	WfJsonIter	it;
	JsonbValue	key;
	JsonbValue	item;

	if (!section->present)
		return;
	graph->n_nodes = wf_json_count(&section->value);
	graph->nodes = wf_graph_keep_array(b, graph->n_nodes, sizeof(WfNode));
	b->notes = palloc0(Max(graph->n_nodes, 1) * sizeof(WfNodeNotes));

	Jsonb	   *empty = wf_json_empty_object();

	wf_json_root(empty, &nothing);
	empty = wf_graph_keep_json(b, &nothing);
	wf_json_iter_begin(&it, &section->value);
	for (int i = 0; wf_json_iter_next(&it, &key, &item); i++)
	{
		CHECK_FOR_INTERRUPTS();
		blank_node(b, i, empty);
		graph->nodes[i].path = node_path(b, i);
		if (wf_json_is_object(&item))
			read_node(b, &item, i);
		else
		{
			WfPlace		place = wf_graph_node_place(b, i);

			wf_graph_wrong(b, &place, NULL, "A node looks like {\"id\": \"order\", \"type\": \"db.create\", \"config\": {}}.",
						   "%s must be an object, not %s", wf_graph_what(&place), wf_json_type_name(&item));
		}
	}
}

/* Adds all ids, then all names, and reports what is there twice. */
void
wf_graph_index_nodes(WfBuild *b)
{
	WfGraph    *graph = b->graph;

	b->index = wf_table_make(graph->memory, 2 * graph->n_nodes);
	for (int i = 0; i < graph->n_nodes; i++)
	{
		const char *id = graph->nodes[i].id;
		int			len = strlen(id);

		/* edges cannot name it */
		b->notes[i].uncertain = !b->notes[i].has_id;
		if (!b->notes[i].has_id)
			continue;

		int			other = wf_graph_lookup(graph, b->index, id, len);

		if (other < 0)
			wf_table_add(b->index, wf_table_hash(id, len), i);
		else
		{
			WfPlace		place = wf_graph_node_place(b, i);

			b->notes[i].uncertain = true;
			wf_graph_wrong(b, &place, "id", psprintf("$.nodes[%d] has it as well.", other),
						   "node id \"%s\" is used twice", wf_text_clip(id));
		}
	}
	for (int i = 0; i < graph->n_nodes; i++)
	{
		const char *name = graph->nodes[i].name;

		if (name == NULL)
			continue;

		int			len = strlen(name);
		int			other = wf_graph_lookup(graph, b->index, name, len);

		if (other < 0)
			wf_table_add(b->index, wf_table_hash(name, len), i);
		else if (other != i)
		{
			WfPlace		place = wf_graph_node_place(b, i);
			bool		by_id = strcmp(graph->nodes[other].id, name) == 0;

			wf_graph_wrong(b, &place, "name", "\"$node\" takes ids and names alike, so each must mean one node.",
						   by_id ? "name \"%s\" of node \"%s\" is the id of another node" :
						   "name \"%s\" of node \"%s\" is used twice", wf_text_clip(name), wf_text_clip(graph->nodes[i].id));
		}
	}
}
