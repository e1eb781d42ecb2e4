/*
 * code.c: the block whose config is a program: `code`.
 *
 * 1. When the graph is compiled, the source is read by the engine that will run it: for its errors, with their line, and for the names that it
 *    reads. Each name becomes an expression of the node's, so that what is needed of the context is known as it is for
 *    any other node; what is not named costs nothing.
 * 2. A step evaluates these expressions, writes their values as one JSON object, and calls the source.
 *
 * `$node.x` passes node x alone. Where the code reads `$node` otherwise (`$node[name]`, `Object.keys($node)`), or evaluates texts of its own
 * (`eval`), all nodes are passed.
 */
#include "postgres.h"

#include "base/text.h"
#include "block/block.h"
#include "block/support.h"
#include "common/hashfn.h"
#include "sandbox/sandbox.h"
#include "utils/json.h"
#include "utils/timestamp.h"

static const char *const out_ports[] = {"out", NULL};

/* A node that the code reads. */
typedef struct ReadNode
{
	const char *key;			/* member of $node */
	WfExpr	   *value;
} ReadNode;

typedef struct CodePlan
{
	const char *source;
	Size		bytes;
	bool		each;
	WfCodeBig	big;
	bool		allow_clock;
	bool		allow_random;
	bool		names_random;
	struct
	{
		int64		time_ms;
		int64		memory_bytes;
		int64		output_bytes;
		int64		log_lines;
	}			limits;			/* of the node; -1: none */
	WfExpr	   *values[WF_CODE_N_NAMES];	/* NULL: not read */
	int			n_nodes;
	ReadNode   *nodes;
} CodePlan;

/* -- when the graph is compiled -- */

static void
report_at(const WfNode *node, int line, int column, int sqlstate, const char *hint, const char *message, WfDiagnostics *found)
{
	const char *where = line <= 0 ? "" : column <= 0 ? psprintf(", at line %d", line) :
		psprintf(", at line %d, column %d", line, column);

	wf_diagnostics_add(found, WF_SEVERITY_ERROR, sqlstate, node->id, psprintf("%s.config.source", node->path), hint, "%s%s",
					   message, where);
}

/* The expression `$node["key"]`, once for a key; `line` is where the code reads it. */
static void
read_node(const WfNode *node, CodePlan *plan, const char *key, int line, WfDiagnostics *found)
{
	StringInfoData text;
	WfExpr	   *value;

	for (int i = 0; i < plan->n_nodes; i++)
		if (strcmp(plan->nodes[i].key, key) == 0)
			return;
	if (wf_graph_find(wf_block_graph(), key, strlen(key)) < 0)
	{
		const char *nearest = wf_graph_nearest(wf_block_graph(), key);

		report_at(node, line, 0, WF_ERRCODE_EXPRESSION_INVALID,
				  nearest == NULL ? NULL : psprintf("did you mean \"%s\"?", nearest),
				  psprintf("there is no node \"%s\"", wf_text_clip(key)), found);
		return;
	}
	initStringInfo(&text);
	appendStringInfoString(&text, "$node[");
	escape_json(&text, key);
	appendStringInfoChar(&text, ']');
	value = wf_block_compile(text.data, node, "source", found);
	if (value == NULL)
		return;
	plan->nodes = plan->nodes == NULL ? palloc(sizeof(ReadNode)) :
		repalloc(plan->nodes, sizeof(ReadNode) * (plan->n_nodes + 1));
	plan->nodes[plan->n_nodes].key = key;
	plan->nodes[plan->n_nodes++].value = value;
	wf_block_reads(node, value);
}

static void
read_all_nodes(const WfNode *node, CodePlan *plan, WfDiagnostics *found)
{
	const WfGraph *graph = wf_block_graph();

	for (int i = 0; i < graph->n_nodes; i++)
		if (graph->nodes[i].id != NULL && i != node->index)
			read_node(node, plan, graph->nodes[i].id, 0, found);
}

static void
read_name(const WfNode *node, CodePlan *plan, int name, WfDiagnostics *found)
{
	/* Dates cross as milliseconds. */
	const char *source = name == WF_CODE_TODAY ? "$today.valueOf()" : wf_code_names[name];

	if (plan->values[name] != NULL || name == WF_CODE_NODE || name == WF_CODE_NOW)
		return;
	plan->values[name] = wf_block_compile(source, node, "source", found);
	if (plan->values[name] != NULL)
		wf_block_reads(node, plan->values[name]);
}

static void
read_names(const WfNode *node, CodePlan *plan, const List *reads, WfDiagnostics *found)
{
	ListCell   *cell;

	foreach(cell, reads)
	{
		const WfCodeRead *read = lfirst(cell);
		int			name;

		if (read->name == NULL)
		{
			read_all_nodes(node, plan, found);
			for (name = 0; name < WF_CODE_N_NAMES; name++)
				read_name(node, plan, name, found);
			continue;
		}
		name = wf_sandbox_find_name(read->name);
		if (name == WF_CODE_N_NAMES && strcmp(read->name, "$secrets") == 0)
			report_at(node, read->line, 0, WF_ERRCODE_EXPRESSION_INVALID, "Secrets are for fields of requests.",
					  "code cannot read secrets", found);
		else if (name == WF_CODE_N_NAMES)
			report_at(node, read->line, 0, WF_ERRCODE_EXPRESSION_INVALID,
					  wf_text_did_you_mean(read->name, wf_code_names, WF_CODE_N_NAMES),
					  psprintf("unknown name \"%s\"", wf_text_clip(read->name)), found);
		else if (name == WF_CODE_NODE && read->member != NULL)
			read_node(node, plan, read->member, read->line, found);
		else if (name == WF_CODE_NODE)
			read_all_nodes(node, plan, found);
		else
			read_name(node, plan, name, found);
	}
}

/* Does the list `key` of the config hold this text? */
static bool
fixed_list_has(const WfNode *node, const char *key, const char *text)
{
	JsonbValue	list;
	JsonbValue	item;
	WfJsonIter	it;

	if (!wf_block_fixed(node, key, &list) || !wf_json_is_array(&list))
		return false;
	wf_json_iter_begin(&it, &list);
	while (wf_json_iter_next(&it, NULL, &item))
	{
		char	   *one = wf_json_cstring(&item);

		if (one != NULL && strcmp(one, text) == 0)
			return true;
	}
	return false;
}

/* A member of `limits` as text; NULL when it is missing. */
static char *
limit_text(const JsonbValue *limits, const char *key)
{
	JsonbValue	value;

	if (!wf_json_field(limits, key, &value) || value.type == jbvNull)
		return NULL;
	return wf_json_is_string(&value) ? wf_json_cstring(&value) : wf_json_text(&value);
}

static void
read_limits(const WfNode *node, CodePlan *plan, WfDiagnostics *found)
{
	JsonbValue	limits;
	char	   *text;

	plan->limits.time_ms = plan->limits.memory_bytes = plan->limits.output_bytes = plan->limits.log_lines = -1;
	if (!wf_block_fixed(node, "limits", &limits) || !wf_json_is_object(&limits))
		return;
	if ((text = limit_text(&limits, "time")) != NULL && (!wf_text_duration_ms(text, &plan->limits.time_ms) || plan->limits.time_ms == 0))
		wf_block_report(node, found, "limits.time", "Such as 200 ms, 2s or PT2S.", "\"limits.time\" is no duration");
	if ((text = limit_text(&limits, "memory")) != NULL && (!wf_text_size_bytes(text, &plan->limits.memory_bytes) || plan->limits.memory_bytes == 0))
		wf_block_report(node, found, "limits.memory", "Such as 64MB.", "\"limits.memory\" is no size");
	if ((text = limit_text(&limits, "output")) != NULL && !wf_text_size_bytes(text, &plan->limits.output_bytes))
		wf_block_report(node, found, "limits.output", "Such as 1MB.", "\"limits.output\" is no size");
	plan->limits.log_lines = wf_json_get_int64(&limits, "logLines", -1);
}

static void
code_validate(const WfNode *node, WfDiagnostics *found)
{
	CodePlan	ignored;
	JsonbValue	value;
	bool		each = wf_block_fixed_is(node, "mode", "once", "each");

	read_limits(node, &ignored, found);
	if (each && !wf_block_fixed(node, "items", &value))
		wf_block_report(node, found, "items", NULL, "mode \"each\" needs \"items\"");
	if (!each && wf_block_fixed(node, "items", &value))
		wf_block_report(node, found, "items", "The code is called once for each of them then.", "\"items\" is for mode \"each\"");
}

static void *
code_prepare(const WfNode *node, const WfTemplate *config, const char *search_path, WfDiagnostics *found)
{
	CodePlan   *plan = palloc0(sizeof(CodePlan));
	List	   *reads;
	WfCodeProblem problem;

	plan->source = wf_block_fixed_string(node, "source", "");
	plan->bytes = strlen(plan->source);
	plan->each = wf_block_fixed_is(node, "mode", "once", "each");
	plan->big = wf_block_fixed_is(node, "bigNumbers", "error", "string") ? WF_CODE_BIG_STRING : WF_CODE_BIG_ERROR;
	plan->allow_clock = fixed_list_has(node, "allow", "clock");
	plan->allow_random = fixed_list_has(node, "allow", "random");
	plan->names_random = strstr(plan->source, "random") != NULL;
	read_limits(node, plan, found);
	if (!wf_sandbox_read(plan->source, plan->bytes, &reads, &problem))
		report_at(node, problem.line, problem.column, problem.sqlstate,
				  problem.sqlstate == ERRCODE_FEATURE_NOT_SUPPORTED ? "Build it without WITHOUT_SANDBOX." : NULL, problem.message,
				  found);
	else
		read_names(node, plan, reads, found);
	if (plan->each)
		read_name(node, plan, WF_CODE_ITEMS, found);
	return plan;
}

/* -- when a step runs -- */

static void
append_nodes(StringInfo out, const CodePlan *plan, WfScope *scope)
{
	bool		first = true;

	for (int i = 0; i < plan->n_nodes; i++)
	{
		JsonbValue	value;

		wf_expr_eval(plan->nodes[i].value, scope, &value);
		wf_sandbox_append_key(out, plan->nodes[i].key, &first);
		wf_sandbox_append(out, &value, psprintf("$node.%s", plan->nodes[i].key), plan->big);
	}
	appendStringInfoString(out, first ? "{}" : "}");
}

static double
unix_ms(TimestampTz at)
{
	return (double) at / 1000 + (double) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY * 1000;
}

static void
append_values(StringInfo out, const CodePlan *plan, WfStep *step, const JsonbValue *items)
{
	bool		first = true;

	for (int i = 0; i < WF_CODE_N_NAMES; i++)
	{
		JsonbValue	value;

		if (i == WF_CODE_ITEMS && items != NULL)
			value = *items;
		else if (plan->values[i] != NULL)
			wf_expr_eval(plan->values[i], step->scope, &value);
		else
			continue;
		wf_sandbox_append_key(out, wf_code_names[i], &first);
		wf_sandbox_append(out, &value, wf_code_names[i], plan->big);
	}
	if (plan->n_nodes > 0)
	{
		wf_sandbox_append_key(out, wf_code_names[WF_CODE_NODE], &first);
		append_nodes(out, plan, step->scope);
	}
	wf_sandbox_append_key(out, wf_code_names[WF_CODE_NOW], &first);
	appendStringInfo(out, "%.3f}", unix_ms(step->scope->now));
}

/* The same for the same run and step, attempt by attempt: of the run's id, the node, and how often it ran. */
static uint64
seed_of(WfStep *step)
{
	JsonbValue	run;
	JsonbValue	id;
	JsonbValue	counts;
	uint64		seed = hash_bytes_extended((const unsigned char *) step->node->id, strlen(step->node->id), 0);

	if (!step->scope->root(step->scope, WF_ROOT_RUN, &run))
		return seed;
	if (wf_json_field(&run, "id", &id) && wf_json_is_string(&id))
		seed = hash_bytes_extended((const unsigned char *) id.val.string.val, id.val.string.len, seed);
	if (wf_json_field(&run, "iteration", &counts))
		seed += wf_json_get_int64(&counts, step->node->id, 0);
	if (step->scope->root(step->scope, WF_ROOT_INDEX, &id) && id.type == jbvNumeric)
	{
		int64		index;

		if (wf_json_int64(&id, &index))
			seed = hash_bytes_extended((const unsigned char *) &index, sizeof(index), seed);
	}
	return seed;
}

static void
log_line(void *arg, const char *line)
{
	WfStep	   *step = arg;

	step->ops->log(step, line);
}

/* Of the installation, the tenant and the node: the lowest. */
static void
find_limits(WfStep *step, const CodePlan *plan, WfCodeLimits *limits)
{
	wf_sandbox_limits(limits);
	step->ops->code_limits(step, limits);
	wf_sandbox_lower(&limits->output_bytes, wf_block_output_limit(step), "The definition's \"settings.maxOutputSize\" has the limit.");
	wf_sandbox_lower(&limits->time_ms, plan->limits.time_ms, "The node's \"limits.time\" has the limit.");
	wf_sandbox_lower(&limits->memory_bytes, plan->limits.memory_bytes, "The node's \"limits.memory\" has the limit.");
	wf_sandbox_lower(&limits->output_bytes, plan->limits.output_bytes, "The node's \"limits.output\" has the limit.");
	wf_sandbox_lower(&limits->log_lines, plan->limits.log_lines, "The node's \"limits.logLines\" has the limit.");
}

static WfOutcome
code_execute(WfStep *step)
{
	const CodePlan *plan = step->prepared;
	WfCodeLimits limits;
	WfCodeCall	call = {.source = plan->source, .bytes = plan->bytes, .each = plan->each, .limits = &limits, .log = log_line, .arg = step};
	StringInfoData values;
	WfItems		items;
	WfError    *error;
	Jsonb	   *result;
	JsonbValue	root;

	find_limits(step, plan, &limits);
	if (plan->each)
		wf_block_items(step, "items", &items);
	initStringInfo(&values);
	append_values(&values, plan, step, plan->each ? &items.whole : NULL);
	call.values = values.data;
	call.values_bytes = values.len;
	call.clock_ms = plan->allow_clock ? -1 : unix_ms(step->scope->now);
	if (plan->names_random)
	{
		if (plan->allow_random && !pg_strong_random(&call.seed, sizeof(call.seed)))
			elog(ERROR, "could not make random bytes");
		else if (!plan->allow_random)
			call.seed = seed_of(step);
	}
	result = step->ops->call_code(step, &call, &error);
	if (result == NULL)
		return wf_block_fail(error);
	wf_json_root(result, &root);
	if (plan->each)
	{
		wf_block_items_of(&root, &items);
		return wf_block_done(0, wf_block_items_output(items.values, items.n));
	}
	return wf_block_done(0, wf_json_is_object(&root) ? result : wf_block_object1("value", &root));
}

const WfBlock wf_block_code = {
	.type = "code",
	.category = "flow",
	.summary = "runs JavaScript",
	.config_schema = WF_JSON({
		"type": "object",
		"properties": {
			"source": {
				"type": "string", "format": "javascript",
				"description": "The body of an async function; return gives the output."
			},
			"mode": {
				"enum": ["once", "each"], "default": "once", "x-fixed": true,
				"description": "each: once for each of the items, with $item and $index."
			},
			"items": {"type": "array", "description": "each: the list."},
			"limits": {
				"type": "object", "x-fixed": true,
				"properties": {
					"time": {"type": ["string", "number"], "description": "Of the processor."},
					"memory": {"type": ["string", "integer"]},
					"output": {"type": ["string", "integer"]},
					"logLines": {"type": "integer", "minimum": 0}
				},
				"additionalProperties": false,
				"description": "Lower ones than the installation has."
			},
			"allow": {
				"type": "array", "items": {"enum": ["clock", "random"]}, "uniqueItems": true, "x-fixed": true,
				"description": "clock: dates show the time as it is, not $now; random: Math.random is not the same for each attempt."
			},
			"bigNumbers": {
				"enum": ["error", "string"], "default": "error", "x-fixed": true,
				"description": "What becomes of numbers that JavaScript cannot hold."
			}
		},
		"required": ["source"],
		"additionalProperties": false
	}),
	.output_schema = WF_JSON({
		"type": "object",
		"description": "What the code returned; of a value that is no object, {value}; in mode each, {items, count}."
	}),
	.ports = out_ports,
	.flags = WF_BLOCK_PURE | WF_BLOCK_CODE,
	.execute = code_execute,
	.validate = code_validate,
	.prepare = code_prepare,
};
