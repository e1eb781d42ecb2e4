/*
 * personal.c: where a schema says that a value has personal data: `"pii": true`.
 *
 * This is not the validator, which says whether a value fits; here every subschema counts, whether it would apply or not: what may
 * be personal is. A property is a step of the path, any other member or an element `*`. References that lead round in
 * a circle end with the depth.
 */
#include "postgres.h"

#include "base/pii.h"
#include "miscadmin.h"
#include "schema/schema.h"

#define MOST_LEVELS 16			/* of the value */
#define MOST_HOPS 64			/* of subschemas for one place of it */
#define MOST_VISITS 20000

typedef struct Walk
{
	const JsonbValue *document;
	WfPiiPaths *paths;
	WfPiiStep	steps[MOST_LEVELS + 1];
	int			n_steps;
	int			n_hops;
	int			n_visits;
	bool		failed;
} Walk;

static void walk_schema(Walk *walk, const JsonbValue *schema);

/* A subschema for a part of the value. */
static void
walk_part(Walk *walk, WfPiiStepKind kind, const JsonbValue *name, const JsonbValue *schema)
{
	WfPiiStep  *step;
	int			hops = walk->n_hops;

	if (walk->n_steps > MOST_LEVELS)
		return;
	step = &walk->steps[walk->n_steps++];
	step->kind = kind;
	step->name = name == NULL ? NULL : name->val.string.val;
	step->name_len = name == NULL ? 0 : name->val.string.len;
	walk->n_hops = 0;
	walk_schema(walk, schema);
	walk->n_hops = hops;
	walk->n_steps--;
}

/* One for the same place. */
static void
walk_same(Walk *walk, const JsonbValue *schema)
{
	if (walk->n_hops >= MOST_HOPS)
		return;
	walk->n_hops++;
	walk_schema(walk, schema);
	walk->n_hops--;
}

static void
walk_each(Walk *walk, const JsonbValue *schemas, bool is_part, bool is_named)
{
	WfJsonIter	it;
	JsonbValue	key;
	JsonbValue	schema;

	if (schemas->type != jbvBinary)
		return;
	wf_json_iter_begin(&it, schemas);
	while (!walk->failed && wf_json_iter_next(&it, &key, &schema))
	{
		if (is_part)
			walk_part(walk, is_named && it.is_object ? WF_PII_NAME : WF_PII_ANY, it.is_object ? &key : NULL, &schema);
		else
			walk_same(walk, &schema);
	}
}

/* `$ref` to a place in the document, as a JSON Pointer; others are not followed. */
static void
walk_reference(Walk *walk, const JsonbValue *reference)
{
	JsonbValue	at = *walk->document;
	const char *text = reference->val.string.val;
	int			len = reference->val.string.len;
	int			from = 1;

	if (len == 0 || text[0] != '#' || (len > 1 && text[1] != '/'))
		return;
	while (from < len)
	{
		char	   *name = palloc(len + 1);
		int			n = 0;
		JsonbValue	next;

		for (from++; from < len && text[from] != '/'; from++)
		{
			name[n] = text[from];
			if (text[from] == '~' && from + 1 < len)
				name[n] = text[++from] == '1' ? '/' : '~';
			n++;
		}
		name[n] = '\0';
		if (!(wf_json_is_array(&at) ? wf_json_element(&at, (uint32) strtoul(name, NULL, 10), &next) :
			  wf_json_get(&at, name, n, &next)))
			return;
		at = next;
	}
	walk_same(walk, &at);
}

static bool
is_keyword(const JsonbValue *key, const char *const *names)
{
	for (; *names != NULL; names++)
		if (strlen(*names) == key->val.string.len && memcmp(*names, key->val.string.val, key->val.string.len) == 0)
			return true;
	return false;
}

static void
walk_keyword(Walk *walk, const JsonbValue *key, const JsonbValue *value)
{
	static const char *const named[] = {"properties", NULL};
	static const char *const maps[] = {"patternProperties", NULL};
	static const char *const lists_of_parts[] = {"prefixItems", NULL};
	static const char *const parts[] = {"additionalProperties", "unevaluatedProperties", "items", "unevaluatedItems",
	"contains", NULL};
	static const char *const lists[] = {"allOf", "anyOf", "oneOf", "dependentSchemas", NULL};
	static const char *const same[] = {"if", "then", "else", NULL};
	static const char *const references[] = {"$ref", NULL};

	if (is_keyword(key, named))
		walk_each(walk, value, true, true);
	else if (is_keyword(key, maps) || is_keyword(key, lists_of_parts))
		walk_each(walk, value, true, false);
	else if (is_keyword(key, parts))
		walk_part(walk, WF_PII_ANY, NULL, value);
	else if (is_keyword(key, lists))
		walk_each(walk, value, false, false);
	else if (is_keyword(key, same))
		walk_same(walk, value);
	else if (is_keyword(key, references) && value->type == jbvString)
		walk_reference(walk, value);
}

static void
walk_schema(Walk *walk, const JsonbValue *schema)
{
	WfJsonIter	it;
	JsonbValue	key;
	JsonbValue	value;

	check_stack_depth();
	CHECK_FOR_INTERRUPTS();
	if (walk->failed || !wf_json_is_object(schema))
		return;
	if (++walk->n_visits > MOST_VISITS)
	{
		walk->failed = true;
		return;
	}
	if (wf_json_field(schema, "pii", &value) && value.type == jbvBool && value.val.boolean)
	{
		walk->failed = !wf_pii_paths_add(walk->paths, walk->steps, walk->n_steps);
		return;					/* all of it is */
	}
	wf_json_iter_begin(&it, schema);
	while (!walk->failed && wf_json_iter_next(&it, &key, &value))
		walk_keyword(walk, &key, &value);
}

bool
wf_schema_personal(const JsonbValue *schema, const char *prefix, WfPiiPaths *paths)
{
	Walk		walk = {.document = schema, .paths = paths};

	if (prefix != NULL)
		walk.steps[walk.n_steps++] = (WfPiiStep) {WF_PII_NAME, prefix, strlen(prefix)};
	walk_schema(&walk, schema);
	return !walk.failed;
}
