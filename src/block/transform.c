/*
 * transform.c: block `transform`: its config, and what all of its operations share.
 *
 * The operations are in transform_items.c (item by item), transform_group.c (sorting, grouping,
 * aggregates) and transform_join.c (two lists); the table below says which keys of the config each of
 * them takes. All are linear in the number of items, but for sorting and for the pairs of a join.
 *
 * An expression sees `$item`, `$index` and `$items`. It may also be a function, as JavaScript's own
 * methods take one: `x => x.qty * 2` is compiled once more as a call, `(x => x.qty * 2)($item, $index,
 * $items)`, when the workflow is saved. `reduce` needs a function, `(acc, item) => acc + item.qty`; the
 * accumulator reaches it as `$error`, which has no other meaning there.
 *
 * Expressions are evaluated in memory that is reset after each item; what is kept is copied out.
 */
#include "postgres.h"

#include <ctype.h>

#include "base/text.h"
#include "block/transform.h"
#include "miscadmin.h"
#include "utils/memutils.h"

typedef struct Operation
{
	const char *name;
	WfTransform run;
	const char *required[3];	/* besides `operation` and `items` */
	const char *optional[4];
	int			least;			/* so many of the optional ones must be there ... */
	int			most;			/* ... and at the most so many; 0: any number */
} Operation;

/* Sorted by name. */
static const Operation operations[] = {
	{"aggregate", wf_transform_aggregate, {"fields"}, {"by", "expression"}, 0, 1},
	{"compare", wf_transform_compare, {"with"}, {"by"}, 0, 0},
	{"filter", wf_transform_filter, {"expression"}, {NULL}, 0, 0},
	{"flatten", wf_transform_flatten, {NULL}, {"by", "depth"}, 0, 0},
	{"group", wf_transform_group, {NULL}, {"by", "expression"}, 1, 1},
	{"join", wf_transform_join, {"with", "by"}, {"type", "as"}, 0, 0},
	{"limit", wf_transform_limit, {NULL}, {"limit", "offset"}, 1, 0},
	{"map", wf_transform_map, {NULL}, {"expression", "fields"}, 1, 1},
	{"pick", wf_transform_pick, {"fields"}, {NULL}, 0, 0},
	{"reduce", wf_transform_reduce, {"expression"}, {"initial"}, 0, 0},
	{"rename", wf_transform_rename, {"fields"}, {NULL}, 0, 0},
	{"sort", wf_transform_sort, {NULL}, {"by", "expression", "direction"}, 0, 0},
	{"split", wf_transform_split, {NULL}, {"size", "by", "separator"}, 1, 1},
	{"unique", wf_transform_unique, {NULL}, {"by", "expression"}, 0, 1},
	{"zip", wf_transform_zip, {NULL}, {"with", "fields"}, 0, 0},
};

static const char *const out_ports[] = {"out", NULL};

static const Operation *
find_operation(const WfNode *node)
{
	for (int i = 0; i < lengthof(operations); i++)
	{
		if (wf_block_fixed_is(node, "operation", NULL, operations[i].name))
			return &operations[i];
	}
	return NULL;
}

/* -- checking the config -- */

static bool
is_among(const char *name, const char *const *names, int n)
{
	for (int i = 0; i < n && names[i] != NULL; i++)
	{
		if (strcmp(names[i], name) == 0)
			return true;
	}
	return false;
}

static const char *
join_names(const char *const *names, int n)
{
	char	   *text = psprintf("\"%s\"", names[0]);

	for (int i = 1; i < n && names[i] != NULL; i++)
		text = psprintf("%s, \"%s\"", text, names[i]);
	return text;
}

static void
transform_validate(const WfNode *node, WfDiagnostics *found)
{
	static const char *const special[] = {
		"with", "expression", "initial", "by", "fields", "direction", "limit", "offset", "size", "depth", "separator",
		"type", "as",
	};
	const Operation *operation = find_operation(node);
	JsonbValue	value;
	int			given = 0;

	if (operation == NULL)
		return;
	for (int i = 0; i < lengthof(operation->required) && operation->required[i] != NULL; i++)
	{
		if (!wf_block_fixed(node, operation->required[i], &value))
			wf_block_report(node, found, "", NULL, "missing required key \"%s\" of operation \"%s\"",
							operation->required[i], operation->name);
	}
	for (int i = 0; i < lengthof(operation->optional) && operation->optional[i] != NULL; i++)
		given += wf_block_fixed(node, operation->optional[i], &value) ? 1 : 0;
	if (given < operation->least)
		wf_block_report(node, found, "", NULL, "operation \"%s\" needs one of %s", operation->name,
						join_names(operation->optional, lengthof(operation->optional)));
	if (operation->most > 0 && given > operation->most)
		wf_block_report(node, found, "", NULL, "operation \"%s\" takes one of %s, not several", operation->name,
						join_names(operation->optional, lengthof(operation->optional)));
	for (int i = 0; i < lengthof(special); i++)
	{
		if (!wf_block_fixed(node, special[i], &value) ||
			is_among(special[i], operation->required, lengthof(operation->required)) ||
			is_among(special[i], operation->optional, lengthof(operation->optional)))
			continue;
		wf_block_report(node, found, special[i], NULL, "\"%s\" has no meaning in operation \"%s\"", special[i],
						operation->name);
	}
}

/* -- compiling -- */

static const char *
skip_space(const char *p)
{
	while (isspace((unsigned char) *p))
		p++;
	return p;
}

static bool
is_word(char c)
{
	return isalnum((unsigned char) c) || c == '_' || c == '$' || IS_HIGHBIT_SET(c);
}

#define MANY 100				/* parameters: more than are passed */

/* What follows a word and the space behind it; `p` when it is not there. */
static const char *
skip_word(const char *p, const char *word)
{
	size_t		len = strlen(word);

	return strncmp(p, word, len) == 0 && !is_word(p[len]) ? skip_space(p + len) : p;
}

/*
 * Is the whole source a function: `(parameters) => body`, or, in full JavaScript, with `async` before it, or `function (parameters) body`? Then
 * *parameters is how many it may take: no fewer than it does, as commas within parameters count, too.
 */
static bool
is_function(const char *source, int *parameters)
{
	const char *p = skip_word(skip_space(source), "async");
	const char *named = skip_word(p, "function");
	bool		is_arrow = named == p;
	int			depth = 0;

	*parameters = 1;
	p = named;
	while (!is_arrow && is_word(*p))
		p = skip_space(p + 1);
	if (*p == '(')
	{
		do
		{
			if (*p == '(')
				depth++;
			else if (*p == ')')
				depth--;
			else if (*p == ',')
				++*parameters;
			else if (strncmp(p, "...", 3) == 0)
				*parameters = MANY;
			p++;
		} while (depth > 0 && *p != '\0');
	}
	else if (is_arrow && is_word(*p))
	{
		while (is_word(*p))
			p++;
	}
	else
		return false;
	p = skip_space(p);
	if (!is_arrow && strstr(p, "arguments") != NULL)
		*parameters = MANY;
	return depth == 0 && (is_arrow ? p[0] == '=' && p[1] == '>' : p[0] == '{');
}

static const WfExpr *
prepare_expression(const WfNode *node, const Operation *operation, const WfTemplate *config, WfDiagnostics *found)
{
	const WfExpr *expr = wf_block_config_expr(config, "expression");
	bool		is_reduce = strcmp(operation->name, "reduce") == 0;
	int			parameters;
	const char *source;

	if (expr == NULL)
		return NULL;
	source = wf_expr_source(expr);
	if (is_function(source, &parameters))
	{
		/* what is passed to full JavaScript is written out: the list only when it is asked for */
		bool		takes_items = parameters > (is_reduce ? 3 : 2);

		return wf_block_compile(psprintf("(%s\n)(%s$item, $index%s)", source, is_reduce ? "$error, " : "",
										 takes_items ? ", $items" : ""), node, "expression", found);
	}
	if (is_reduce)
		wf_block_report(node, found, "expression", "Write it as (acc, item) => acc + item.qty.",
						"operation \"reduce\" needs a function of the accumulator and the item");
	return expr;
}

static void *
transform_prepare(const WfNode *node, const WfTemplate *config, const char *search_path, WfDiagnostics *found)
{
	WfTransformPlan *plan = palloc0(sizeof(WfTransformPlan));
	const Operation *operation = find_operation(node);

	if (operation == NULL)
		return plan;
	plan->run = operation->run;
	plan->expression = prepare_expression(node, operation, config, found);
	plan->fields = wf_template_field(config, "fields");
	plan->descending = wf_block_fixed_is(node, "direction", "asc", "desc");
	plan->join_type = wf_block_fixed_string(node, "type", "inner");
	return plan;
}

static WfOutcome
transform_execute(WfStep *step)
{
	const WfTransformPlan *plan = step->prepared;

	return wf_block_done(0, plan->run(step, plan));
}

/* -- shared by the operations -- */

void
wf_transform_each_begin(WfEach *each, WfStep *step, const WfItems *items)
{
	wf_block_item_scope(&each->scope, step, &items->whole);
	each->memory = AllocSetContextCreate(CurrentMemoryContext, "workflow item", ALLOCSET_DEFAULT_SIZES);
}

static MemoryContext
enter_item(WfEach *each, const WfItems *items, int i)
{
	CHECK_FOR_INTERRUPTS();
	each->scope.item = &items->values[i];
	each->scope.index = i;
	return MemoryContextSwitchTo(each->memory);
}

static void
leave_item(WfEach *each, MemoryContext old)
{
	MemoryContextSwitchTo(old);
	MemoryContextReset(each->memory);
}

void
wf_transform_each_eval(WfEach *each, const WfItems *items, int i, const WfExpr *expr, JsonbValue *out)
{
	MemoryContext old = enter_item(each, items, i);
	JsonbValue	value;

	wf_expr_eval(expr, &each->scope.scope, &value);
	MemoryContextSwitchTo(old);
	wf_block_keep(&value, out);
	leave_item(each, old);
}

bool
wf_transform_each_test(WfEach *each, const WfItems *items, int i, const WfExpr *expr)
{
	MemoryContext old = enter_item(each, items, i);
	bool		result = wf_expr_test(expr, &each->scope.scope);

	leave_item(each, old);
	return result;
}

void
wf_transform_each_fill(WfEach *each, const WfItems *items, int i, const WfTemplate *tpl, JsonbValue *out)
{
	MemoryContext old = enter_item(each, items, i);
	JsonbValue	value;

	wf_template_eval(tpl, &each->scope.scope, &value);
	MemoryContextSwitchTo(old);
	wf_block_keep(&value, out);
	leave_item(each, old);
}

void
wf_transform_objects_begin(WfObjects *objects, WfJsonWriter *list)
{
	objects->list = list;
	objects->memory = AllocSetContextCreate(CurrentMemoryContext, "workflow object", ALLOCSET_DEFAULT_SIZES);
}

void
wf_transform_object_begin(WfObjects *objects)
{
	objects->around = MemoryContextSwitchTo(objects->memory);
	objects->w = wf_json_writer_begin();
	wf_json_begin_object(objects->w);
}

void
wf_transform_object_end(WfObjects *objects)
{
	JsonbValue	object;
	JsonbValue	kept;

	wf_json_end_object(objects->w);
	wf_json_root(wf_json_finish(objects->w), &object);
	MemoryContextSwitchTo(objects->around);
	wf_block_keep(&object, &kept);
	wf_json_put(objects->list, &kept);
	MemoryContextReset(objects->memory);
}

int
wf_transform_names(WfStep *step, const char *key, char ***names)
{
	JsonbValue	value;
	WfItems		list;

	if (!wf_block_config(step, key, &value) || value.type == jbvNull)
		return 0;
	if (wf_json_is_string(&value))
	{
		*names = palloc(sizeof(char *));
		(*names)[0] = wf_json_cstring(&value);
		return 1;
	}
	if (!wf_json_is_array(&value))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("\"%s\" must be a name or a list of names, not %s", key, wf_json_type_name(&value))));
	wf_block_items_of(&value, &list);
	*names = palloc(sizeof(char *) * Max(list.n, 1));
	for (int i = 0; i < list.n; i++)
	{
		(*names)[i] = wf_json_cstring(&list.values[i]);
		if ((*names)[i] == NULL)
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("\"%s\" must hold names, but element %d is %s", key, i,
								   wf_json_type_name(&list.values[i]))));
	}
	return list.n;
}

void
wf_transform_key_spec(WfStep *step, const WfTransformPlan *plan, WfKeySpec *spec)
{
	memset(spec, 0, sizeof(*spec));
	spec->expression = plan->expression;
	if (plan->expression == NULL)
		spec->n = wf_transform_names(step, "by", &spec->paths);
}

void
wf_transform_key(const WfKeySpec *spec, WfEach *each, const WfItems *items, int i, JsonbValue *out)
{
	WfJsonWriter *w;

	if (spec->expression != NULL)
	{
		wf_transform_each_eval(each, items, i, spec->expression, out);
		return;
	}
	if (spec->n == 0)
	{
		*out = items->values[i];
		return;
	}
	if (spec->n == 1)
	{
		if (!wf_block_member(&items->values[i], spec->paths[0], out))
			wf_json_set_null(out);
		return;
	}
	w = wf_json_writer_begin();
	wf_json_begin_array(w);
	for (int k = 0; k < spec->n; k++)
	{
		JsonbValue	member;

		if (!wf_block_member(&items->values[i], spec->paths[k], &member))
			wf_json_set_null(&member);
		wf_json_put(w, &member);
	}
	wf_json_end_array(w);
	wf_json_root(wf_json_finish(w), out);
}

const WfBlock wf_block_transform = {
	.type = "transform",
	.category = "flow",
	.summary = "makes a list or a value of a list",
	.config_schema = WF_JSON({
		"type": "object",
		"properties": {
			"operation": {
				"enum": ["map", "filter", "reduce", "aggregate", "sort", "unique", "group", "flatten", "pick",
						 "rename", "limit", "split", "zip", "join", "compare"],
				"x-fixed": true
			},
			"items": {"type": ["array", "string"], "description": "The list; split with a separator: a string."},
			"with": {"type": "array", "description": "join, compare, zip: the other list."},
			"expression": {
				"type": "string", "format": "expression", "minLength": 1,
				"description": "With $item, $index and $items, or a function such as x => x.qty; reduce: (acc, item) => ..."
			},
			"initial": {"description": "reduce: the accumulator at first; the first item unless given."},
			"by": {
				"type": ["string", "array", "object"],
				"description": "Names of members. sort: name, name desc, or {field, direction}; join: {left: right} too."
			},
			"fields": {
				"type": ["array", "object"],
				"description": "map: {name: template}; pick: names; rename: {old: new}; aggregate: {name: {fn, field}}; zip: names."
			},
			"direction": {"enum": ["asc", "desc"], "default": "asc", "x-fixed": true, "description": "sort."},
			"limit": {"type": ["integer", "null"], "minimum": 0, "description": "limit: items at the most."},
			"offset": {"type": "integer", "minimum": 0, "default": 0, "description": "limit: items left out first."},
			"size": {"type": "integer", "minimum": 1, "description": "split: items of each list."},
			"depth": {"type": "integer", "minimum": 0, "default": 1, "description": "flatten: levels."},
			"separator": {"type": "string", "description": "split: what is between the parts of a string."},
			"type": {
				"enum": ["inner", "left", "right", "full"], "default": "inner", "x-fixed": true,
				"description": "join: which items without a partner stay."
			},
			"as": {"type": "string", "minLength": 1, "description": "join: put the other item under this name."}
		},
		"required": ["operation", "items"],
		"additionalProperties": false
	}),
	.output_schema = WF_JSON({
		"type": "object",
		"properties": {
			"items": {"type": "array"},
			"count": {"type": "integer"},
			"value": {"description": "reduce, compare, and aggregate without by."}
		}
	}),
	.ports = out_ports,
	.flags = WF_BLOCK_PURE,
	.execute = transform_execute,
	.validate = transform_validate,
	.prepare = transform_prepare,
};
