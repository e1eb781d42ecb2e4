/*
 * keywords.c: the table of keywords, and how the value of each becomes the data of a check.
 *
 * A keyword is one line of the table: what subschemas it holds (which is also what the index walks),
 * its vocabulary, the kinds of instance it looks at, the function that applies it and the one that
 * reads its value. A keyword whose vocabulary the schema's dialect lacks is an unknown one, and
 * unknown ones are ignored, as the standard has it.
 *
 * Some keywords only mean something beside another (`then`, `minContains`, `items` after
 * `prefixItems`, the three that share an object's members). Each such group is one check, made by
 * the first of the group that is there; the table marks the others as having nothing of their own,
 * yet their values are checked and compiled wherever they stand.
 */
#include "postgres.h"

#include "base/compat.h"
#include "miscadmin.h"
#include "schema/schema_internal.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

static const char *const type_names[] = {"null", "boolean", "number", "string", "array", "object", "integer"};

/* -- reading values -- */

/* A count: an integer of at least 0. One beyond int64 is taken as the largest. */
static bool
read_count(WfSchemaCompiler *c, const WfSchemaNode *node, const char *keyword, const JsonbValue *value, int64 *out)
{
	Datum		number;

	if (value->type == jbvNumeric)
	{
		if (wf_json_int64(value, out) && *out >= 0)
			return true;
		number = NumericGetDatum(value->val.numeric);
		*out = PG_INT64_MAX;
		if (DatumGetBool(DirectFunctionCall2(numeric_gt, number,
											 DirectFunctionCall1(int8_numeric, Int64GetDatum(PG_INT64_MAX)))) &&
			DatumGetBool(DirectFunctionCall2(numeric_eq, number, DirectFunctionCall1(numeric_floor, number))))
			return true;
	}
	wf_schema_problem(c, node->location, keyword, "must be an integer of at least 0");
	return false;
}

static int
compare_names(const void *a, const void *b)
{
	const WfSchemaName *left = a;
	const WfSchemaName *right = b;

	if (left->name_len != right->name_len)
		return left->name_len < right->name_len ? -1 : 1;
	return memcmp(left->name, right->name, left->name_len);
}

/* A list of distinct strings, in jsonb's order of keys. */
static bool
read_names(WfSchemaCompiler *c, const WfSchemaNode *node, const char *keyword, const JsonbValue *value,
		   int *n, WfSchemaName **out)
{
	WfJsonIter	it;
	JsonbValue	key,
				element;
	WfSchemaName *names;

	*n = wf_json_is_array(value) ? wf_json_count(value) : -1;
	if (*n >= 0)
	{
		*out = names = MemoryContextAllocExtended(CurrentMemoryContext, Max(*n, 1) * sizeof(WfSchemaName),
												  MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
		wf_json_iter_begin(&it, value);
		while (wf_json_iter_next(&it, &key, &element))
		{
			if (element.type != jbvString)
				break;
			names[it.index - 1].name = element.val.string.val;
			names[it.index - 1].name_len = element.val.string.len;
		}
		if (it.index == *n && (*n == 0 || element.type == jbvString))
		{
			qsort(names, *n, sizeof(WfSchemaName), compare_names);
			for (int i = 1; i < *n; i++)
			{
				if (compare_names(&names[i - 1], &names[i]) == 0)
				{
					wf_schema_problem(c, node->location, keyword, "names %s twice",
									  wf_schema_show_name(names[i].name, names[i].name_len));
					return false;
				}
			}
			return true;
		}
	}
	wf_schema_problem(c, node->location, keyword, "must be a list of names");
	return false;
}

/* A compiled pattern; NULL after a problem. */
static WfRegex *
read_pattern(WfSchemaCompiler *c, const WfSchemaNode *node, const char *keyword, const char *source, int len)
{
	const char *problem = NULL;
	WfRegex    *regex = wf_regex_compile(source, len, "u", &problem);

	if (regex == NULL)
		wf_schema_problem(c, node->location, keyword, "%s is not a regular expression that can be used: %s",
						  wf_schema_show_name(source, len), problem);
	return regex;
}

/* -- any value -- */

static int
type_bit(const JsonbValue *name)
{
	if (name->type == jbvString)
	{
		for (int i = 0; i < lengthof(type_names); i++)
		{
			if (strlen(type_names[i]) == name->val.string.len &&
				memcmp(type_names[i], name->val.string.val, name->val.string.len) == 0)
				return 1 << i;
		}
	}
	return 0;
}

static bool
compile_type(WfSchemaCompiler *c, WfSchemaNode *node, const JsonbValue *schema, const JsonbValue *value,
			 WfSchemaCheck *check)
{
	uintptr_t	bits = 0;
	bool		valid = true;
	WfJsonIter	it;
	JsonbValue	key,
				element;

	if (wf_json_is_array(value))
	{
		wf_json_iter_begin(&it, value);
		while (valid && wf_json_iter_next(&it, &key, &element))
		{
			int			bit = type_bit(&element);

			valid = bit != 0 && (bits & bit) == 0;
			bits |= bit;
		}
		valid = valid && bits != 0;
	}
	else
		valid = (bits = type_bit(value)) != 0;
	if (!valid)
		wf_schema_problem(c, node->location, "type",
						  "must be \"null\", \"boolean\", \"integer\", \"number\", \"string\", \"array\", \"object\", or a list of some of them");
	check->data = (void *) bits;
	return valid;
}

static bool
compile_enum(WfSchemaCompiler *c, WfSchemaNode *node, const JsonbValue *schema, const JsonbValue *value,
			 WfSchemaCheck *check)
{
	WfSchemaValues *values = palloc0(sizeof(WfSchemaValues));
	WfJsonIter	it;
	JsonbValue	key,
				element;

	if (!wf_json_is_array(value))
	{
		wf_schema_problem(c, node->location, "enum", "must be a list of values");
		return false;
	}
	values->n = wf_json_count(value);
	values->values = MemoryContextAllocHuge(CurrentMemoryContext, Max(values->n, 1) * sizeof(JsonbValue));
	wf_json_iter_begin(&it, value);
	while (wf_json_iter_next(&it, &key, &element))
		values->values[it.index - 1] = element;
	if (values->n > 16)
	{
		values->mask = 64;
		while (values->mask < (uint32) values->n * 2)
			values->mask *= 2;
		values->slots = MemoryContextAllocExtended(CurrentMemoryContext, values->mask * sizeof(int),
												   MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
		values->mask--;
		for (int i = 0; i < values->n; i++)
		{
			uint32		slot = wf_schema_hash(&values->values[i]) & values->mask;

			while (values->slots[slot] != 0)
				slot = (slot + 1) & values->mask;
			values->slots[slot] = i + 1;
		}
	}
	check->data = values;
	return true;
}

static bool
compile_const(WfSchemaCompiler *c, WfSchemaNode *node, const JsonbValue *schema, const JsonbValue *value,
			  WfSchemaCheck *check)
{
	check->data = palloc(sizeof(JsonbValue));
	memcpy(check->data, value, sizeof(JsonbValue));
	return true;
}

static bool
compile_ref(WfSchemaCompiler *c, WfSchemaNode *node, const JsonbValue *schema, const JsonbValue *value,
			WfSchemaCheck *check)
{
	char	   *text = wf_json_cstring(value);

	if (text == NULL || !wf_schema_uri_valid(text, strlen(text), WF_URI_REFERENCE | WF_URI_IRI))
	{
		wf_schema_problem(c, node->location, check->keyword, "must be a URI reference");
		return false;
	}
	check->data = palloc0(sizeof(WfSchemaRef));
	wf_schema_compile_ref(c, node, value, strcmp(check->keyword, "$dynamicRef") == 0, check->data);
	return true;
}

/* A list of subschemas. */
static bool
read_schemas(WfSchemaCompiler *c, WfSchemaNode *node, const char *keyword, const JsonbValue *value, WfSchemaList *list)
{
	WfJsonIter	it;
	JsonbValue	key,
				element;

	if (!wf_json_is_array(value) || wf_json_count(value) == 0)
	{
		wf_schema_problem(c, node->location, keyword, "must be a list of schemas that is not empty");
		return false;
	}
	list->nodes = MemoryContextAllocHuge(CurrentMemoryContext, wf_json_count(value) * sizeof(WfSchemaNode *));
	wf_json_iter_begin(&it, value);
	while (wf_json_iter_next(&it, &key, &element))
	{
		CHECK_FOR_INTERRUPTS();
		list->nodes[list->n] = wf_schema_compile_child(c, node, &element, keyword, NULL, 0, it.index - 1);
		if (list->nodes[list->n++] == NULL)
			return false;
	}
	return true;
}

static bool
compile_list(WfSchemaCompiler *c, WfSchemaNode *node, const JsonbValue *schema, const JsonbValue *value,
			 WfSchemaCheck *check)
{
	check->data = palloc0(sizeof(WfSchemaList));
	return read_schemas(c, node, check->keyword, value, check->data);
}

/* A keyword that is one subschema. */
static bool
compile_one(WfSchemaCompiler *c, WfSchemaNode *node, const JsonbValue *schema, const JsonbValue *value,
			WfSchemaCheck *check)
{
	check->data = wf_schema_compile_child(c, node, value, check->keyword, NULL, 0, -1);
	return check->data != NULL;
}

/* The subschema that a neighbouring keyword is, or NULL when it is not there. */
static WfSchemaNode *
read_neighbour(WfSchemaCompiler *c, WfSchemaNode *node, const JsonbValue *schema, const char *keyword)
{
	JsonbValue	value;

	if (!wf_json_field(schema, keyword, &value))
		return NULL;
	return wf_schema_compile_child(c, node, &value, keyword, NULL, 0, -1);
}

static bool
compile_if(WfSchemaCompiler *c, WfSchemaNode *node, const JsonbValue *schema, const JsonbValue *value,
		   WfSchemaCheck *check)
{
	WfSchemaIf *data = check->data = palloc0(sizeof(WfSchemaIf));

	data->condition = wf_schema_compile_child(c, node, value, "if", NULL, 0, -1);
	data->then_node = read_neighbour(c, node, schema, "then");
	data->else_node = read_neighbour(c, node, schema, "else");
	return true;
}

/* -- numbers and strings -- */

static bool
compile_number(WfSchemaCompiler *c, WfSchemaNode *node, const JsonbValue *schema, const JsonbValue *value,
			   WfSchemaCheck *check)
{
	if (value->type != jbvNumeric)
	{
		wf_schema_problem(c, node->location, check->keyword, "must be a number");
		return false;
	}
	check->data = value->val.numeric;
	return true;
}

static bool
compile_divisor(WfSchemaCompiler *c, WfSchemaNode *node, const JsonbValue *schema, const JsonbValue *value,
				WfSchemaCheck *check)
{
	if (value->type != jbvNumeric ||
		!DatumGetBool(DirectFunctionCall2(numeric_gt, NumericGetDatum(value->val.numeric),
										  DirectFunctionCall1(int4_numeric, Int32GetDatum(0)))))
	{
		wf_schema_problem(c, node->location, check->keyword, "must be a number greater than 0");
		return false;
	}
	check->data = value->val.numeric;
	return true;
}

static bool
compile_count(WfSchemaCompiler *c, WfSchemaNode *node, const JsonbValue *schema, const JsonbValue *value,
			  WfSchemaCheck *check)
{
	check->data = palloc(sizeof(int64));
	return read_count(c, node, check->keyword, value, check->data);
}

static bool
compile_pattern(WfSchemaCompiler *c, WfSchemaNode *node, const JsonbValue *schema, const JsonbValue *value,
				WfSchemaCheck *check)
{
	WfSchemaPattern *pattern = check->data = palloc0(sizeof(WfSchemaPattern));

	if (value->type != jbvString)
	{
		wf_schema_problem(c, node->location, "pattern", "must be a string");
		return false;
	}
	pattern->source = wf_json_cstring(value);
	pattern->regex = read_pattern(c, node, "pattern", pattern->source, value->val.string.len);
	return pattern->regex != NULL;
}

static bool
compile_format(WfSchemaCompiler *c, WfSchemaNode *node, const JsonbValue *schema, const JsonbValue *value,
			   WfSchemaCheck *check)
{
	if (value->type != jbvString)
	{
		wf_schema_problem(c, node->location, "format", "must be a string");
		return false;
	}
	if (!(c->schema->flags & WF_SCHEMA_ASSERT_FORMAT) && !(node->resource->vocabularies & WF_VOCABULARY_ASSERTION))
		return false;
	check->data = unconstify(WfSchemaFormat *, wf_schema_format_find(value->val.string.val, value->val.string.len));
	return check->data != NULL;
}

/* -- arrays -- */

/* `prefixItems` and `items`, whichever comes first in the table's eyes: prefixItems when both are there. */
static bool
compile_items(WfSchemaCompiler *c, WfSchemaNode *node, const JsonbValue *schema, const JsonbValue *value,
			  WfSchemaCheck *check)
{
	WfSchemaItems *items = check->data = palloc0(sizeof(WfSchemaItems));
	JsonbValue	other;

	if (strcmp(check->keyword, "prefixItems") == 0)
	{
		if (!read_schemas(c, node, "prefixItems", value, &items->prefix))
			return false;
		items->rest = read_neighbour(c, node, schema, "items");
		return true;
	}
	if (wf_json_field(schema, "prefixItems", &other))
		return false;
	items->rest = wf_schema_compile_child(c, node, value, "items", NULL, 0, -1);
	return items->rest != NULL;
}

static bool
compile_contains(WfSchemaCompiler *c, WfSchemaNode *node, const JsonbValue *schema, const JsonbValue *value,
				 WfSchemaCheck *check)
{
	WfSchemaContains *contains = check->data = palloc0(sizeof(WfSchemaContains));
	bool		counted = (node->resource->vocabularies & WF_VOCABULARY_VALIDATION) != 0;
	JsonbValue	bound;

	contains->node = wf_schema_compile_child(c, node, value, "contains", NULL, 0, -1);
	contains->min = 1;
	contains->max = -1;
	if (counted && wf_json_field(schema, "minContains", &bound))
		contains->has_min = read_count(c, node, "minContains", &bound, &contains->min);
	if (counted && wf_json_field(schema, "maxContains", &bound))
		read_count(c, node, "maxContains", &bound, &contains->max);
	return contains->node != NULL;
}

/* `minContains` and `maxContains`: the value is checked even without `contains`. */
static bool
compile_contains_bound(WfSchemaCompiler *c, WfSchemaNode *node, const JsonbValue *schema, const JsonbValue *value,
					   WfSchemaCheck *check)
{
	int64		count;

	read_count(c, node, check->keyword, value, &count);
	return false;
}

static bool
compile_unique(WfSchemaCompiler *c, WfSchemaNode *node, const JsonbValue *schema, const JsonbValue *value,
			   WfSchemaCheck *check)
{
	if (value->type != jbvBool)
		wf_schema_problem(c, node->location, "uniqueItems", "must be a boolean");
	return value->type == jbvBool && value->val.boolean;
}

/* -- objects -- */

/* An object of subschemas by name; jsonb stores its keys in the order that we want. */
static bool
read_schema_map(WfSchemaCompiler *c, WfSchemaNode *node, const char *keyword, const JsonbValue *value,
				WfSchemaNames *names)
{
	WfJsonIter	it;
	JsonbValue	key,
				member;

	if (!wf_json_is_object(value))
	{
		wf_schema_problem(c, node->location, keyword, "must be an object of schemas");
		return false;
	}
	names->names = MemoryContextAllocExtended(CurrentMemoryContext,
											  Max(wf_json_count(value), 1) * sizeof(WfSchemaName),
											  MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	wf_json_iter_begin(&it, value);
	while (wf_json_iter_next(&it, &key, &member))
	{
		WfSchemaName *name = &names->names[names->n++];

		CHECK_FOR_INTERRUPTS();
		name->name = key.val.string.val;
		name->name_len = key.val.string.len;
		name->node = wf_schema_compile_child(c, node, &member, keyword, name->name, name->name_len, -1);
		if (name->node == NULL)
			return false;
	}
	return true;
}

/* Places that only hold schemas for references: each is compiled, so that it is known to be one. */
static bool
compile_definitions(WfSchemaCompiler *c, WfSchemaNode *node, const JsonbValue *schema, const JsonbValue *value,
					WfSchemaCheck *check)
{
	WfSchemaNames names = {0};

	read_schema_map(c, node, check->keyword, value, &names);
	return false;
}

static bool
read_patterns(WfSchemaCompiler *c, WfSchemaNode *node, const JsonbValue *value, WfSchemaMembers *members)
{
	WfSchemaNames names = {0};

	if (!read_schema_map(c, node, "patternProperties", value, &names))
		return false;
	members->n_patterns = names.n;
	members->patterns = MemoryContextAllocExtended(CurrentMemoryContext, Max(names.n, 1) * sizeof(WfSchemaPattern),
												   MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (int i = 0; i < names.n; i++)
	{
		WfSchemaPattern *pattern = &members->patterns[i];

		pattern->source = pnstrdup(names.names[i].name, names.names[i].name_len);
		pattern->node = names.names[i].node;
		pattern->regex = read_pattern(c, node, "patternProperties", pattern->source, names.names[i].name_len);
		if (pattern->regex == NULL)
			return false;
	}
	return true;
}

/* properties, patternProperties and additionalProperties: one check, made by the first that is there. */
static bool
compile_members(WfSchemaCompiler *c, WfSchemaNode *node, const JsonbValue *schema, const JsonbValue *value,
				WfSchemaCheck *check)
{
	WfSchemaMembers *members;
	JsonbValue	properties,
				patterns;
	bool		has_properties = wf_json_field(schema, "properties", &properties);
	bool		has_patterns = wf_json_field(schema, "patternProperties", &patterns);
	const char *first = has_properties ? "properties" : has_patterns ? "patternProperties" : "additionalProperties";

	if (strcmp(check->keyword, first) != 0)
		return false;
	members = check->data = palloc0(sizeof(WfSchemaMembers));
	if (has_properties && !read_schema_map(c, node, "properties", &properties, &members->properties))
		return false;
	if (has_patterns && !read_patterns(c, node, &patterns, members))
		return false;
	members->additional = read_neighbour(c, node, schema, "additionalProperties");
	return true;
}

static bool
compile_required(WfSchemaCompiler *c, WfSchemaNode *node, const JsonbValue *schema, const JsonbValue *value,
				 WfSchemaCheck *check)
{
	WfSchemaNames *names = check->data = palloc0(sizeof(WfSchemaNames));

	return read_names(c, node, "required", value, &names->n, &names->names) && names->n > 0;
}

static bool
compile_dependent_schemas(WfSchemaCompiler *c, WfSchemaNode *node, const JsonbValue *schema, const JsonbValue *value,
						  WfSchemaCheck *check)
{
	check->data = palloc0(sizeof(WfSchemaNames));
	return read_schema_map(c, node, check->keyword, value, check->data);
}

/* `dependentRequired`, and `dependencies` of earlier drafts, whose members are lists or schemas. */
static bool
compile_dependencies(WfSchemaCompiler *c, WfSchemaNode *node, const JsonbValue *schema, const JsonbValue *value,
					 WfSchemaCheck *check)
{
	WfSchemaNames *names = check->data = palloc0(sizeof(WfSchemaNames));
	bool		schemas = strcmp(check->keyword, "dependencies") == 0;
	WfJsonIter	it;
	JsonbValue	key,
				member;

	if (!wf_json_is_object(value))
	{
		wf_schema_problem(c, node->location, check->keyword, "must be an object");
		return false;
	}
	names->names = MemoryContextAllocExtended(CurrentMemoryContext, Max(wf_json_count(value), 1) * sizeof(WfSchemaName),
											  MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	wf_json_iter_begin(&it, value);
	while (wf_json_iter_next(&it, &key, &member))
	{
		WfSchemaName *name = &names->names[names->n++];

		CHECK_FOR_INTERRUPTS();
		name->name = key.val.string.val;
		name->name_len = key.val.string.len;
		if (schemas && !wf_json_is_array(&member))
			name->node = wf_schema_compile_child(c, node, &member, check->keyword, name->name, name->name_len, -1);
		else if (!read_names(c, node, check->keyword, &member, &name->n_others, &name->others))
			return false;
	}
	return true;
}

static bool
compile_unevaluated(WfSchemaCompiler *c, WfSchemaNode *node, const JsonbValue *schema, const JsonbValue *value,
					WfSchemaCheck *check)
{
	node->wants_seen = true;
	return compile_one(c, node, schema, value, check);
}

/* -- annotations, whose values are checked all the same -- */

static bool
compile_text(WfSchemaCompiler *c, WfSchemaNode *node, const JsonbValue *schema, const JsonbValue *value,
			 WfSchemaCheck *check)
{
	if (value->type != jbvString)
		wf_schema_problem(c, node->location, check->keyword, "must be a string");
	return false;
}

static bool
compile_flag(WfSchemaCompiler *c, WfSchemaNode *node, const JsonbValue *schema, const JsonbValue *value,
			 WfSchemaCheck *check)
{
	if (value->type != jbvBool)
		wf_schema_problem(c, node->location, check->keyword, "must be a boolean");
	return false;
}

static bool
compile_examples(WfSchemaCompiler *c, WfSchemaNode *node, const JsonbValue *schema, const JsonbValue *value,
				 WfSchemaCheck *check)
{
	if (!wf_json_is_array(value))
		wf_schema_problem(c, node->location, check->keyword, "must be a list");
	return false;
}

/* A subschema that stands beside the keyword that uses it. */
static bool
compile_beside(WfSchemaCompiler *c, WfSchemaNode *node, const JsonbValue *schema, const JsonbValue *value,
			   WfSchemaCheck *check)
{
	wf_schema_compile_child(c, node, value, check->keyword, NULL, 0, -1);
	return false;
}

static bool
compile_vocabularies(WfSchemaCompiler *c, WfSchemaNode *node, const JsonbValue *schema, const JsonbValue *value,
					 WfSchemaCheck *check)
{
	WfJsonIter	it;
	JsonbValue	key,
				member;

	if (!wf_json_is_object(value))
	{
		wf_schema_problem(c, node->location, check->keyword, "must be an object of booleans");
		return false;
	}
	wf_json_iter_begin(&it, value);
	while (wf_json_iter_next(&it, &key, &member))
	{
		if (member.type != jbvBool)
			wf_schema_problem(c, node->location, check->keyword, "must be an object of booleans");
	}
	return false;
}

/* -- the table, by name -- */

#define NONE WF_SCHEMA_HOLDS_NONE
#define ONE WF_SCHEMA_HOLDS_ONE
#define LIST WF_SCHEMA_HOLDS_LIST
#define MAP WF_SCHEMA_HOLDS_MAP
#define CORE WF_VOCABULARY_CORE
#define APPL WF_VOCABULARY_APPLICATOR
#define UNEV WF_VOCABULARY_UNEVALUATED
#define VALI WF_VOCABULARY_VALIDATION
#define META WF_VOCABULARY_META_DATA
#define FORM WF_VOCABULARY_FORMAT
#define CONT WF_VOCABULARY_CONTENT
#define ANY WF_SCHEMA_ANY
#define NUM WF_SCHEMA_NUMBER
#define STR WF_SCHEMA_STRING
#define ARR WF_SCHEMA_ARRAY
#define OBJ WF_SCHEMA_OBJECT

static const WfSchemaKeyword keywords[] = {
	{"$comment", NONE, CORE, 0, 1, NULL, compile_text},
	{"$defs", MAP, CORE, 0, 1, NULL, compile_definitions},
	{"$dynamicRef", NONE, CORE, ANY, 1, wf_schema_apply_ref, compile_ref},
	{"$ref", NONE, CORE, ANY, 1, wf_schema_apply_ref, compile_ref},
	{"$vocabulary", NONE, CORE, 0, 1, NULL, compile_vocabularies},
	{"additionalProperties", ONE, APPL, OBJ, 1, wf_schema_apply_members, compile_members},
	{"allOf", LIST, APPL, ANY, 1, wf_schema_apply_all_of, compile_list},
	{"anyOf", LIST, APPL, ANY, 1, wf_schema_apply_any_of, compile_list},
	{"const", NONE, VALI, ANY, 1, wf_schema_apply_const, compile_const},
	{"contains", ONE, APPL, ARR, 1, wf_schema_apply_contains, compile_contains},
	{"contentEncoding", NONE, CONT, 0, 1, NULL, compile_text},
	{"contentMediaType", NONE, CONT, 0, 1, NULL, compile_text},
	{"contentSchema", ONE, CONT, 0, 1, NULL, compile_beside},
	{"definitions", MAP, CORE, 0, 1, NULL, compile_definitions},
	{"dependencies", WF_SCHEMA_HOLDS_SOME_MAP, APPL, OBJ, 1, wf_schema_apply_dependent_schemas, compile_dependencies},
	{"dependentRequired", NONE, VALI, OBJ, 1, wf_schema_apply_dependent_required, compile_dependencies},
	{"dependentSchemas", MAP, APPL, OBJ, 1, wf_schema_apply_dependent_schemas, compile_dependent_schemas},
	{"deprecated", NONE, META, 0, 1, NULL, compile_flag},
	{"description", NONE, META, 0, 1, NULL, compile_text},
	{"else", ONE, APPL, 0, 1, NULL, compile_beside},
	{"enum", NONE, VALI, ANY, 1, wf_schema_apply_enum, compile_enum},
	{"examples", NONE, META, 0, 1, NULL, compile_examples},
	{"exclusiveMaximum", NONE, VALI, NUM, 1, wf_schema_apply_exclusive_maximum, compile_number},
	{"exclusiveMinimum", NONE, VALI, NUM, 1, wf_schema_apply_exclusive_minimum, compile_number},
	{"format", NONE, FORM, STR, 1, wf_schema_apply_format, compile_format},
	{"if", ONE, APPL, ANY, 1, wf_schema_apply_if, compile_if},
	{"items", ONE, APPL, ARR, 1, wf_schema_apply_items, compile_items},
	{"maxContains", NONE, VALI, 0, 1, NULL, compile_contains_bound},
	{"maxItems", NONE, VALI, ARR, 1, wf_schema_apply_max_items, compile_count},
	{"maxLength", NONE, VALI, STR, 1, wf_schema_apply_max_length, compile_count},
	{"maxProperties", NONE, VALI, OBJ, 1, wf_schema_apply_max_properties, compile_count},
	{"maximum", NONE, VALI, NUM, 1, wf_schema_apply_maximum, compile_number},
	{"minContains", NONE, VALI, 0, 1, NULL, compile_contains_bound},
	{"minItems", NONE, VALI, ARR, 1, wf_schema_apply_min_items, compile_count},
	{"minLength", NONE, VALI, STR, 1, wf_schema_apply_min_length, compile_count},
	{"minProperties", NONE, VALI, OBJ, 1, wf_schema_apply_min_properties, compile_count},
	{"minimum", NONE, VALI, NUM, 1, wf_schema_apply_minimum, compile_number},
	{"multipleOf", NONE, VALI, NUM, 1, wf_schema_apply_multiple_of, compile_divisor},
	{"not", ONE, APPL, ANY, 1, wf_schema_apply_not, compile_one},
	{"oneOf", LIST, APPL, ANY, 1, wf_schema_apply_one_of, compile_list},
	{"pattern", NONE, VALI, STR, 1, wf_schema_apply_pattern, compile_pattern},
	{"patternProperties", MAP, APPL, OBJ, 1, wf_schema_apply_members, compile_members},
	{"pii", NONE, META, 0, 1, NULL, compile_flag},
	{"prefixItems", LIST, APPL, ARR, 1, wf_schema_apply_items, compile_items},
	{"properties", MAP, APPL, OBJ, 1, wf_schema_apply_members, compile_members},
	{"propertyNames", ONE, APPL, OBJ, 1, wf_schema_apply_property_names, compile_one},
	{"readOnly", NONE, META, 0, 1, NULL, compile_flag},
	{"required", NONE, VALI, OBJ, 1, wf_schema_apply_required, compile_required},
	{"then", ONE, APPL, 0, 1, NULL, compile_beside},
	{"title", NONE, META, 0, 1, NULL, compile_text},
	{"type", NONE, VALI, ANY, 0, wf_schema_apply_type, compile_type},
	{"unevaluatedItems", ONE, UNEV, ARR, 2, wf_schema_apply_unevaluated_items, compile_unevaluated},
	{"unevaluatedProperties", ONE, UNEV, OBJ, 2, wf_schema_apply_unevaluated_properties, compile_unevaluated},
	{"uniqueItems", NONE, VALI, ARR, 1, wf_schema_apply_unique_items, compile_unique},
	{"writeOnly", NONE, META, 0, 1, NULL, compile_flag},
};

const WfSchemaKeyword *
wf_schema_keyword_find(const char *name, int len)
{
	int			low = 0;
	int			high = lengthof(keywords) - 1;

	while (low <= high)
	{
		int			middle = (low + high) / 2;
		int			order = strncmp(keywords[middle].name, name, len);

		if (order == 0 && keywords[middle].name[len] != '\0')
			order = 1;
		if (order == 0)
			return &keywords[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle - 1;
	}
	return NULL;
}

/* Compiles all keywords of a schema object into node->checks, by phase. */
void
wf_schema_keywords_compile(WfSchemaCompiler *c, WfSchemaNode *node, const JsonbValue *schema)
{
	WfSchemaCheck *found = palloc(sizeof(WfSchemaCheck) * lengthof(keywords));
	int			n = 0;
	WfJsonIter	it;
	JsonbValue	key,
				value;

	wf_json_iter_begin(&it, schema);
	while (!c->failed && wf_json_iter_next(&it, &key, &value))
	{
		const WfSchemaKeyword *keyword = wf_schema_keyword_find(key.val.string.val, key.val.string.len);
		WfSchemaCheck check = {0};

		if (keyword == NULL || (keyword->vocabulary & node->resource->vocabularies) == 0)
			continue;
		check.apply = keyword->apply;
		check.keyword = keyword->name;
		check.kinds = keyword->kinds;
		check.phase = keyword->phase;
		if (keyword->compile(c, node, schema, &value, &check) && keyword->apply != NULL)
			found[n++] = check;
	}
	node->checks = palloc(sizeof(WfSchemaCheck) * Max(n, 1));
	for (int phase = 0; phase <= 2; phase++)
	{
		for (int i = 0; i < n; i++)
		{
			if (found[i].phase == phase)
				node->checks[node->n_checks++] = found[i];
		}
	}
	pfree(found);
}
