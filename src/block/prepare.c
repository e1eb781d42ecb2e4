/*
 * prepare.c: from a graph to a graph that can run: every config, condition and default compiled.
 *
 * Called once for a graph, after wf_graph_compile found nothing wrong and before anybody shares it.
 * Each node gets a WfPrepared, each edge with a condition a WfExpr. All of it is in the graph's
 * memory and goes with it. What an expression may name is what the graph holds, so an unknown node is
 * found here, when the workflow is saved, and not in the run that first comes by.
 *
 * The cost is linear in the size of the definition: names are found by the graph's hash, a block's
 * schema is compiled once per backend, and the look at what may not have run yet (reach.c) has a
 * budget.
 */
#include "postgres.h"

#include "block/block.h"
#include "block/check.h"
#include "block/reach.h"
#include "block/support.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#define PATH_BYTES 128

/* What the expressions of the graph being prepared may name; valid within blocks' prepare. */
static const WfNames *current_names = NULL;

void
wf_block_walk(const WfPrepared *prepared, void (*visit) (const WfExpr *expr, void *arg), void *arg)
{
	ListCell   *cell;

	if (prepared->config != NULL)
		wf_template_walk(prepared->config, visit, arg);
	foreach(cell, prepared->more)
		visit(lfirst(cell), arg);
}

const WfGraph *
wf_block_graph(void)
{
	return current_names->arg;
}

void
wf_block_reads(const WfNode *node, WfExpr *expr)
{
	WfPrepared *prepared = node->prepared;

	prepared->more = lappend(prepared->more, expr);
}

/* As which version a broken graph is looked at; NULL: the database is not asked. */
static const char *look_path = NULL;

const char *
wf_block_look_as(const char *search_path)
{
	const char *before = look_path;

	look_path = search_path;
	return before;
}

static int
find_node(const WfNames *names, const char *name, int len)
{
	return wf_graph_find(names->arg, name, len);
}

static const char *
find_nearest(const WfNames *names, const char *name, int len)
{
	char	   *copy = pnstrdup(name, len);
	const char *nearest = wf_graph_nearest(names->arg, copy);

	pfree(copy);
	return nearest;
}

static const char *
node_id(const WfNames *names, int index)
{
	const WfGraph *graph = names->arg;

	return graph->nodes[index].id;
}

/* What the expressions of a graph may name, and what they may be. */
static WfNames
names_of(const WfGraph *graph)
{
	return (WfNames) {
		.node_index = find_node,
		.nearest = find_nearest,
		.allow_code = graph->settings.javascript != NULL,	/* "full", the one choice there is */
		.n_nodes = graph->n_nodes,
		.node_id = node_id,
		.arg = unconstify(WfGraph *, graph)
	};
}

static void
report_problem(WfDiagnostics *found, const char *node, const char *path, const WfExprProblem *problem)
{
	wf_diagnostics_add(found, WF_SEVERITY_ERROR, problem->sqlstate, node, path, problem->hint,
					   "%s, at position %d", problem->message, problem->position);
}

WfExpr *
wf_block_compile(const char *source, const WfNode *node, const char *key, WfDiagnostics *found)
{
	WfExprProblem problem = {0};
	WfExpr	   *expr = wf_expr_compile(source, strlen(source), current_names, &problem);

	if (expr == NULL)
		report_problem(found, node->id, psprintf("%s.config.%s", node->path, key), &problem);
	return expr;
}

/* -- secrets -- */

bool		(*wf_block_has_secret) (const char *name) = NULL;

static bool
takes_secrets(const WfNames *names, const char *path_pattern)
{
	return wf_block_shape_is_secret(names->secrets_arg, path_pattern);
}

/* What a registered block did with a marker would reach nobody who can put the value in its place. */
static bool
may_take_secrets(const WfBlock *block)
{
#ifdef WF_TESTING
	if (strncmp(block->type, "test.", 5) == 0)
		return true;
#endif
	return wf_block_builtin_index(block->type) >= 0;
}

typedef struct SecretLook
{
	const WfNode *node;
	List	   *seen;			/* char * */
	WfDiagnostics *found;
} SecretLook;

static void
look_for_secret(const char *name, void *arg)
{
	SecretLook *look = arg;
	ListCell   *cell;

	foreach(cell, look->seen)
		if (strcmp(lfirst(cell), name) == 0)
			return;
	look->seen = lappend(look->seen, unconstify(char *, name));
	if (!wf_block_has_secret(name))
		wf_diagnostics_add(look->found, WF_SEVERITY_WARNING, WF_ERRCODE_SECRET_MISSING, look->node->id,
						   psprintf("%s.config", look->node->path), "wf_set_secret() sets it.",
						   "secret \"%s\" does not exist", name);
}

static void
look_for_secrets_of(const WfExpr *expr, void *arg)
{
	wf_expr_secrets(expr, look_for_secret, arg);
}

/* -- nodes -- */

/* Compiles one template that belongs to a node; NULL when it is refused. */
static const WfTemplate *
compile_template(const WfNode *node, const JsonbValue *value, const char *member, const WfNames *names,
				 const WfShape *shape, WfDiagnostics *found)
{
	char		path[PATH_BYTES];
	bool		has_kinds = shape != NULL && shape->n_bare + shape->n_literal > 0;

	snprintf(path, sizeof(path), "%s.%s", node->path, member);
	return wf_template_compile(value, names, has_kinds ? wf_block_shape_kind_of : NULL,
							   has_kinds ? unconstify(WfShape *, shape) : NULL, node->id, path, found);
}

/* Compiles what a node's templates are; those that are refused are NULL. */
static WfPrepared *
check_templates(const WfNode *node, const WfNames *names, WfDiagnostics *found)
{
	WfPrepared *prepared = palloc0(sizeof(WfPrepared));
	const WfShape *shape = wf_block_shape(node->block);
	WfNames		config_names = *names;
	JsonbValue	value;

	/* what starts a run is evaluated without its graph */
	if ((node->block->flags & WF_BLOCK_TRIGGER) != 0)
		config_names.allow_code = false;
	wf_json_root(node->config, &value);
	if (shape != NULL && shape->n_secret > 0 && may_take_secrets(node->block))
	{
		config_names.takes_secrets = takes_secrets;
		config_names.secrets_arg = shape;
	}
	prepared->config = compile_template(node, &value, "config", &config_names, shape, found);
	if (node->on_error_value.type != jbvNull)
		prepared->on_error_value = compile_template(node, &node->on_error_value, "onErrorValue", names, NULL, found);
	if (node->compensate_input != NULL)
	{
		wf_json_root(node->compensate_input, &value);
		prepared->compensate_input = compile_template(node, &value, "compensate.input", names, NULL, found);
	}
	return prepared;
}

static void
prepare_node(WfNode *node, const WfNames *names, const char *search_path, bool look, WfDiagnostics *found)
{
	WfPrepared *prepared = check_templates(node, names, found);
	const WfBlock *block = node->block;

	node->prepared = prepared;
	if (prepared->config == NULL)
		return;
	if (block->prepare != NULL)
		prepared->own = block->prepare(node, prepared->config, search_path, found);
	if (look && wf_block_has_secret != NULL)
	{
		SecretLook	secrets = {.node = node, .found = found};

		wf_template_walk(prepared->config, look_for_secrets_of, &secrets);
	}
	if (look && block->look != NULL)
		block->look(node, prepared->own, found);
}

static void
prepare_edge(const WfGraph *graph, WfEdge *edge, const WfNames *names, WfDiagnostics *found)
{
	WfExprProblem problem = {0};
	char		path[PATH_BYTES];

	if (edge->condition == NULL)
		return;
	edge->prepared = wf_expr_compile(edge->condition, strlen(edge->condition), names, &problem);
	if (edge->prepared != NULL)
		return;
	snprintf(path, sizeof(path), "$.edges[%d].condition", edge->index);
	report_problem(found, edge->source < 0 ? NULL : graph->nodes[edge->source].id, path, &problem);
}

/* The concurrency key is evaluated at every start, from the run's input, by the interpreter alone; here it is only read. */
static void
check_settings(const WfGraph *graph, const WfNames *names, WfDiagnostics *found)
{
	const char *key = graph->settings.concurrency_key;
	WfNames		key_names = *names;
	WfExprProblem problem = {0};

	key_names.allow_code = false;
	if (key != NULL && wf_expr_compile(key, strlen(key), &key_names, &problem) == NULL)
		report_problem(found, NULL, "$.settings.concurrencyKey", &problem);
}

void
wf_block_prepare_graph(WfGraph *graph, const char *search_path, bool look, WfDiagnostics *found)
{
	MemoryContext old = MemoryContextSwitchTo(graph->memory);
	const WfNames *outer = current_names;	/* what a block looks up may run code that compiles another graph */
	WfNames		names = names_of(graph);

	current_names = &names;
	for (int i = 0; i < graph->n_nodes; i++)
	{
		CHECK_FOR_INTERRUPTS();
		prepare_node(&graph->nodes[i], &names, search_path, look, found);
	}
	for (int i = 0; i < graph->n_edges; i++)
	{
		CHECK_FOR_INTERRUPTS();
		prepare_edge(graph, &graph->edges[i], &names, found);
	}
	check_settings(graph, &names, found);
	current_names = outer;
	wf_block_warn_unreached(graph, found);
	MemoryContextSwitchTo(old);
}

/* True when something wrong was found at the node already. */
static bool
has_errors(const WfNode *node, const WfDiagnostics *found)
{
	ListCell   *cell;

	foreach(cell, found->items)
	{
		const WfDiagnostic *item = lfirst(cell);

		if (item->severity == WF_SEVERITY_ERROR && item->node != NULL && strcmp(item->node, node->id) == 0)
			return true;
	}
	return false;
}

/*
 * What prepare would find, as far as it can be told of a graph that will not be used: expressions, and what blocks say of
 * configs that nothing is wrong with so far. Containers and merges are left out of the latter: they ask for their
 * regions and edges.
 */
void
wf_block_check_broken(const WfGraph *graph, WfDiagnostics *found)
{
	const WfNames *outer = current_names;
	WfNames		names = names_of(graph);
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "workflow check", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(scratch);

	current_names = &names;
	for (int i = 0; i < graph->n_nodes; i++)
	{
		WfNode		copy = graph->nodes[i];

		CHECK_FOR_INTERRUPTS();
		if (copy.id == NULL || copy.block == NULL || copy.config == NULL)
			continue;
		if ((copy.block->flags & (WF_BLOCK_CONTAINER | WF_BLOCK_MERGES)) != 0 || has_errors(&copy, found))
			check_templates(&copy, &names, found);
		else
			prepare_node(&copy, &names, look_path != NULL ? look_path : "pg_catalog", look_path != NULL, found);
		MemoryContextReset(scratch);
	}
	for (int i = 0; i < graph->n_edges; i++)
	{
		WfEdge		copy = graph->edges[i];

		prepare_edge(graph, &copy, &names, found);
		MemoryContextReset(scratch);
	}
	check_settings(graph, &names, found);
	current_names = outer;
	MemoryContextSwitchTo(old);
	MemoryContextDelete(scratch);
}
