/*
 * graph_test.c: SQL functions for the tests of this room, with a block catalogue of their own.
 *
 * Compiled for testing only. Tests create them themselves:
 *
 *   wf_sql_test_graph_compile(definition jsonb) RETURNS jsonb: {diagnostics, graph}, where graph is a
 *       description of all that the analysis found, or null
 *   wf_sql_test_graph_brief(definition jsonb) RETURNS jsonb: {errors, code, first, loops} for large ones
 *   wf_sql_test_graph_find(definition jsonb, name text) RETURNS text: `node id / nearest`
 *   wf_sql_test_graph_retry(policy jsonb, code text, attempts int) RETURNS bigint[]: the delays that
 *       the policy gives; shorter than attempts where it stops
 *   wf_sql_test_graph_random(...): see random_test.c
 *
 * The catalogue has what the real one has in kinds, not in number: fixed ports, ports and branches
 * that depend on the config, named and unnamed branches, triggers, suspending blocks, a block with an
 * `error` port of its own.
 */
#include "postgres.h"

#ifdef WF_TESTING

#include "base/compat.h"
#include "base/text.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "graph/build.h"
#include "graph/graph_test.h"
#include "utils/array.h"
#include "utils/builtins.h"

typedef struct FakeBlock
{
	const char *type;
	const char *const *ports;	/* NULL-ended; NULL: named by the config */
	const char *const *branches;
	bool		container;
	bool		trigger;
	bool		suspends;
} FakeBlock;

static const char *const out_ports[] = {"out", NULL};
static const char *const if_ports[] = {"true", "false", NULL};
static const char *const loop_ports[] = {"out", "empty", NULL};
static const char *const try_branches[] = {"try", "catch", "finally", NULL};
static const char *const no_ports[] = {NULL};
static const char *const own_error_ports[] = {"error", "out", NULL};

static const FakeBlock catalogue[] = {
	{"delay", out_ports, .suspends = true},
	{"if", if_ports},
	{"loop", loop_ports, .container = true},
	{"noop", out_ports},
	{"own", own_error_ports},
	{"parallel", out_ports, .container = true},
	{"return", no_ports},
	{"switch", NULL},
	{"trigger.manual", out_ports, .trigger = true},
	{"trigger.row", out_ports, .trigger = true},
	{"try", out_ports, try_branches, .container = true},
};

static const struct WfBlock *
fake_find(void *arg, const char *type)
{
	for (int i = 0; i < lengthof(catalogue); i++)
		if (strcmp(catalogue[i].type, type) == 0)
			return (const struct WfBlock *) &catalogue[i];
	return NULL;
}

static const char *
fake_nearest(void *arg, const char *type)
{
	const char *types[lengthof(catalogue)];

	for (int i = 0; i < lengthof(catalogue); i++)
		types[i] = catalogue[i].type;
	return wf_text_nearest(type, types, lengthof(catalogue));
}

static const FakeBlock *
fake(const struct WfBlock *block)
{
	return (const FakeBlock *) block;
}

static bool
fake_is_container(const struct WfBlock *block)
{
	return fake(block)->container;
}

static bool
fake_is_trigger(const struct WfBlock *block)
{
	return fake(block)->trigger;
}

static bool
fake_suspends(const struct WfBlock *block, const WfNode *node)
{
	return fake(block)->suspends;
}

/* The strings of an array in the config. */
static void
names_from_config(const WfNode *node, const char *key, int *n, const char *const **names)
{
	JsonbValue	root;
	JsonbValue	list;
	JsonbValue	item;
	WfJsonIter	it;
	const char **found;

	*n = 0;
	wf_json_root(node->config, &root);
	if (!wf_json_field(&root, key, &list) || !wf_json_is_array(&list))
		return;
	found = palloc(sizeof(char *) * (wf_json_count(&list) + 1));
	wf_json_iter_begin(&it, &list);
	while (wf_json_iter_next(&it, NULL, &item))
		if (wf_json_is_string(&item))
			found[(*n)++] = wf_json_cstring(&item);
	*names = found;
}

static void
count_names(const char *const *all, int *n, const char *const **names)
{
	for (*n = 0; all[*n] != NULL;)
		(*n)++;
	*names = all;
}

static void
fake_ports(const WfNode *node, int *n, const char *const **ports)
{
	if (fake(node->block)->ports != NULL)
		count_names(fake(node->block)->ports, n, ports);
	else
		names_from_config(node, "ports", n, ports);
}

static void
fake_branches(const WfNode *node, int *n, const char *const **names)
{
	static const char *const unnamed[] = {NULL};

	if (fake(node->block)->branches != NULL)
		count_names(fake(node->block)->branches, n, names);
	else if (strcmp(node->type, "parallel") == 0)
		names_from_config(node, "branches", n, names);
	else
	{
		*n = 1;
		*names = unnamed;
	}
}

static bool
fake_catches(const WfNode *container, const char *branch)
{
	return branch != NULL && strcmp(branch, "try") == 0;
}

static void
fake_check(const WfNode *node, WfDiagnostics *found)
{
	JsonbValue	root;
	JsonbValue	bad;

	wf_json_root(node->config, &root);
	if (wf_json_field(&root, "bad", &bad))
		wf_diagnostics_add(found, WF_SEVERITY_ERROR, WF_ERRCODE_DEFINITION_INVALID, node->id,
						   psprintf("%s.config.bad", node->path), NULL, "the block refuses its config");
}

const WfGraphBlocks wf_graph_test_blocks = {
	.find = fake_find,
	.nearest = fake_nearest,
	.is_container = fake_is_container,
	.is_trigger = fake_is_trigger,
	.suspends = fake_suspends,
	.ports = fake_ports,
	.branches = fake_branches,
	.catches = fake_catches,
	.check = fake_check,
};

/* -- describing a graph -- */

static void
put_id(WfJsonWriter *w, const char *key, const WfGraph *graph, int node)
{
	wf_json_put_field_cstring(w, key, node < 0 ? NULL : graph->nodes[node].id);
}

static void
put_ids(WfJsonWriter *w, const char *key, const WfGraph *graph, int n, const int *nodes)
{
	wf_json_key(w, key, strlen(key));
	wf_json_begin_array(w);
	for (int i = 0; i < n; i++)
		wf_json_put_cstring(w, graph->nodes[nodes[i]].id);
	wf_json_end_array(w);
}

static void
put_edges(WfJsonWriter *w, const char *key, const WfGraph *graph, int n, const int *edges)
{
	wf_json_key(w, key, strlen(key));
	wf_json_begin_array(w);
	for (int i = 0; i < n; i++)
		wf_json_put_cstring(w, psprintf("%s>%s", graph->nodes[graph->edges[edges[i]].source].id,
										graph->nodes[graph->edges[edges[i]].target].id));
	wf_json_end_array(w);
}

static void
put_strings(WfJsonWriter *w, const char *key, int n, const char *const *strings)
{
	wf_json_key(w, key, strlen(key));
	wf_json_begin_array(w);
	for (int i = 0; i < n; i++)
		wf_json_put_cstring(w, strings[i]);
	wf_json_end_array(w);
}

static void
put_retry(WfJsonWriter *w, const char *key, const WfRetry *retry)
{
	wf_json_key(w, key, strlen(key));
	wf_json_begin_object(w);
	wf_json_put_field_int64(w, "maxAttempts", retry->max_attempts);
	wf_json_put_field_int64(w, "backoff", retry->backoff);
	wf_json_put_field_int64(w, "initialDelay", retry->initial_delay_ms);
	wf_json_put_field_int64(w, "multiplierPercent", (int64) (retry->multiplier * 100));
	wf_json_put_field_int64(w, "maxDelay", retry->max_delay_ms);
	wf_json_put_field_int64(w, "maxElapsed", retry->max_elapsed_ms);
	wf_json_put_field_int64(w, "jitterPercent", (int64) (retry->jitter * 100));
	put_strings(w, "retryOn", retry->n_retry_on, retry->retry_on);
	put_strings(w, "stopOn", retry->n_stop_on, retry->stop_on);
	wf_json_end_object(w);
}

static void
put_node(WfJsonWriter *w, const WfGraph *graph, const WfNode *node)
{
	wf_json_begin_object(w);
	wf_json_put_field_cstring(w, "id", node->id);
	wf_json_put_field_cstring(w, "path", node->path);
	wf_json_put_field_int64(w, "region", node->region);
	wf_json_put_field_cstring(w, "branch", node->branch);
	put_strings(w, "ports", node->n_ports, node->ports);
	wf_json_put_field_int64(w, "errorPort", node->error_port);
	wf_json_put_field_int64(w, "in", node->n_in);
	wf_json_put_field_int64(w, "out", node->n_out);
	wf_json_put_field_int64(w, "loop", node->loop);
	wf_json_put_field_int64(w, "headerOf", node->loop_header_of);
	wf_json_put_field_int64(w, "timeout", node->timeout_ms);
	wf_json_put_field_cstring(w, "onError", wf_graph_on_error_name(node->on_error));
	wf_json_put_field(w, "onErrorValue", &node->on_error_value);
	put_retry(w, "retry", &node->retry);
	put_id(w, "compensateNode", graph, node->compensate_node);
	wf_json_put_field_cstring(w, "compensateWorkflow", node->compensate_workflow);
	wf_json_put_field_bool(w, "isCompensation", node->is_compensation);
	wf_json_put_field_bool(w, "errorWired", node->error_wired);
	wf_json_put_field_bool(w, "guarded", node->guarded);
	wf_json_put_field_bool(w, "disabled", node->disabled);
	wf_json_end_object(w);
}

static void
put_edge(WfJsonWriter *w, const WfGraph *graph, const WfEdge *edge)
{
	wf_json_begin_object(w);
	put_id(w, "source", graph, edge->source);
	put_id(w, "target", graph, edge->target);
	wf_json_put_field_cstring(w, "port", graph->nodes[edge->source].ports[edge->port]);
	wf_json_put_field_cstring(w, "condition", edge->condition);
	wf_json_put_field_bool(w, "back", edge->back);
	wf_json_put_field_int64(w, "maxIterations", edge->max_iterations);
	wf_json_put_field_int64(w, "loop", edge->loop);
	wf_json_put_field_int64(w, "exitLoop", edge->exit_loop);
	wf_json_end_object(w);
}

static void
put_region(WfJsonWriter *w, const WfGraph *graph, const WfRegion *region)
{
	wf_json_begin_object(w);
	put_id(w, "container", graph, region->container);
	wf_json_put_field_cstring(w, "branch", region->branch);
	wf_json_put_field_int64(w, "depth", region->depth);
	put_ids(w, "order", graph, region->n_nodes, region->nodes);
	put_ids(w, "starts", graph, region->n_starts, region->starts);
	put_ids(w, "terminals", graph, region->n_terminals, region->terminals);
	wf_json_end_object(w);
}

static void
put_loop(WfJsonWriter *w, const WfGraph *graph, const WfLoop *loop)
{
	wf_json_begin_object(w);
	put_id(w, "header", graph, loop->header);
	wf_json_put_field_int64(w, "parent", loop->parent);
	put_ids(w, "nodes", graph, loop->n_nodes, loop->nodes);
	put_edges(w, "back", graph, loop->n_back, loop->back_edges);
	put_edges(w, "exits", graph, loop->n_exits, loop->exits);
	wf_json_end_object(w);
}

static void
put_settings(WfJsonWriter *w, const WfSettings *s)
{
	wf_json_begin_object(w);
	wf_json_put_field_bool(w, "atomic", s->atomic);
	wf_json_put_field_int64(w, "timeout", s->timeout_ms);
	wf_json_put_field_bool(w, "definer", s->definer);
	wf_json_put_field_int64(w, "journal", s->journal);
	wf_json_put_field_bool(w, "hasRetry", s->has_retry);
	put_retry(w, "retry", &s->retry);
	wf_json_put_field_int64(w, "maxConcurrency", s->max_concurrency);
	wf_json_put_field_cstring(w, "concurrencyKey", s->concurrency_key);
	wf_json_put_field_cstring(w, "concurrencyPolicy", s->concurrency_policy);
	wf_json_put_field_int64(w, "priority", s->priority);
	wf_json_put_field_cstring(w, "errorWorkflow", s->error_workflow);
	wf_json_put_field_int64(w, "maxOutputSize", s->max_output_bytes);
	wf_json_put_field_cstring(w, "javascript", s->javascript);
	wf_json_put_field_bool(w, "compensateOnCancel", s->compensate_on_cancel);
	wf_json_end_object(w);
}

#define put_list(w, key, n, put_one) \
	do { \
		wf_json_key((w), (key), strlen(key)); \
		wf_json_begin_array(w); \
		for (int i = 0; i < (n); i++) \
			put_one; \
		wf_json_end_array(w); \
	} while (0)

static void
put_variable(WfJsonWriter *w, const WfVariable *variable)
{
	wf_json_begin_object(w);
	wf_json_put_field_cstring(w, "name", variable->name);
	wf_json_put_field_cstring(w, "type", variable->type);
	wf_json_put_field(w, "default", &variable->default_value);
	wf_json_put_field_bool(w, "required", variable->required);
	wf_json_end_object(w);
}

static void
put_graph(WfJsonWriter *w, const WfGraph *graph)
{
	wf_json_begin_object(w);
	put_list(w, "nodes", graph->n_nodes, put_node(w, graph, &graph->nodes[i]));
	put_list(w, "edges", graph->n_edges, put_edge(w, graph, &graph->edges[i]));
	put_list(w, "regions", graph->n_regions, put_region(w, graph, &graph->regions[i]));
	put_list(w, "loops", graph->n_loops, put_loop(w, graph, &graph->loops[i]));
	put_list(w, "variables", graph->n_variables, put_variable(w, &graph->variables[i]));
	wf_json_key(w, "settings", 8);
	put_settings(w, &graph->settings);
	wf_json_end_object(w);
}

static void
put_diagnostic(WfJsonWriter *w, const WfDiagnostic *item)
{
	wf_json_begin_object(w);
	wf_json_put_field_cstring(w, "severity", wf_severity_name(item->severity));
	wf_json_put_field_cstring(w, "code", unpack_sql_state(item->sqlstate));
	wf_json_put_field_cstring(w, "node", item->node);
	wf_json_put_field_cstring(w, "path", item->path);
	wf_json_put_field_cstring(w, "message", item->message);
	wf_json_put_field_cstring(w, "hint", item->hint);
	wf_json_end_object(w);
}

/* -- SQL -- */

PG_FUNCTION_INFO_V1(wf_sql_test_graph_compile);
PGDLLEXPORT Datum wf_sql_test_graph_compile(PG_FUNCTION_ARGS);

Datum
wf_sql_test_graph_compile(PG_FUNCTION_ARGS)
{
	Jsonb	   *definition = PG_GETARG_JSONB_P(0);
	WfDiagnostics *found = wf_diagnostics_begin();
	WfGraph    *graph = wf_graph_compile(definition, &wf_graph_test_blocks, CurrentMemoryContext, found);
	WfJsonWriter *w = wf_json_writer_begin();
	Jsonb	   *result;

	wf_json_begin_object(w);
	put_list(w, "diagnostics", list_length(found->items), put_diagnostic(w, list_nth(found->items, i)));
	wf_json_put_field_int64(w, "errors", found->n_errors);
	wf_json_key(w, "graph", 5);
	if (graph == NULL)
		wf_json_put_null(w);
	else
		put_graph(w, graph);
	wf_json_end_object(w);
	result = wf_json_finish(w);
	wf_graph_free(graph);
	PG_RETURN_JSONB_P(result);
}

PG_FUNCTION_INFO_V1(wf_sql_test_graph_brief);
PGDLLEXPORT Datum wf_sql_test_graph_brief(PG_FUNCTION_ARGS);

Datum
wf_sql_test_graph_brief(PG_FUNCTION_ARGS)
{
	Jsonb	   *definition = PG_GETARG_JSONB_P(0);
	WfDiagnostics *found = wf_diagnostics_begin();
	WfGraph    *graph = wf_graph_compile(definition, &wf_graph_test_blocks, CurrentMemoryContext, found);
	const WfDiagnostic *first = found->items == NIL ? NULL : linitial(found->items);
	WfJsonWriter *w = wf_json_writer_begin();

	wf_json_begin_object(w);
	wf_json_put_field_int64(w, "errors", found->n_errors);
	wf_json_put_field_cstring(w, "code", first == NULL ? NULL : unpack_sql_state(first->sqlstate));
	wf_json_put_field_cstring(w, "first", first == NULL ? NULL : first->message);
	wf_json_put_field_int64(w, "loops", graph == NULL ? -1 : graph->n_loops);
	wf_json_end_object(w);
	wf_graph_free(graph);
	PG_RETURN_JSONB_P(wf_json_finish(w));
}

PG_FUNCTION_INFO_V1(wf_sql_test_graph_find);
PGDLLEXPORT Datum wf_sql_test_graph_find(PG_FUNCTION_ARGS);

Datum
wf_sql_test_graph_find(PG_FUNCTION_ARGS)
{
	Jsonb	   *definition = PG_GETARG_JSONB_P(0);
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(1));
	WfDiagnostics *found = wf_diagnostics_begin();
	WfGraph    *graph = wf_graph_compile(definition, &wf_graph_test_blocks, CurrentMemoryContext, found);

	if (graph == NULL)
		PG_RETURN_NULL();

	int			node = wf_graph_find(graph, name, strlen(name));
	const char *nearest = wf_graph_nearest(graph, name);
	char	   *result = psprintf("%s / %s", node < 0 ? "-" : graph->nodes[node].id, nearest == NULL ? "-" : nearest);

	wf_graph_free(graph);
	PG_RETURN_TEXT_P(cstring_to_text(result));
}

PG_FUNCTION_INFO_V1(wf_sql_test_graph_retry);
PGDLLEXPORT Datum wf_sql_test_graph_retry(PG_FUNCTION_ARGS);

Datum
wf_sql_test_graph_retry(PG_FUNCTION_ARGS)
{
	Jsonb	   *policy = PG_GETARG_JSONB_P(0);
	char	   *code = text_to_cstring(PG_GETARG_TEXT_PP(1));
	int			attempts = PG_GETARG_INT32(2);
	WfDiagnostics *found = wf_diagnostics_begin();
	JsonbValue	value;
	WfPlace		place = {.kind = "settings", .list = "settings", .index = -1, .within = "retry"};
	WfGraph		graph = {.memory = CurrentMemoryContext};
	WfBuild		b = {.graph = &graph, .found = found, .scratch = CurrentMemoryContext};
	WfRetry		retry;
	Datum	   *delays = palloc(sizeof(Datum) * attempts);
	int			n = 0;

	wf_json_root(policy, &value);
	if (!wf_graph_read_retry(&b, &value, &place, &retry))
		PG_RETURN_NULL();
	while (n < attempts && wf_graph_retry_applies(&retry, n + 1, code, code))
	{
		delays[n] = Int64GetDatum(wf_graph_retry_delay_ms(&retry, n + 1, 1));
		n++;
	}
	PG_RETURN_ARRAYTYPE_P(construct_array(delays, n, INT8OID, sizeof(int64), sizeof(Datum) >= sizeof(int64),
										  TYPALIGN_DOUBLE));
}

#endif
