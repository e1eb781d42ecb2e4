/*
 * shape.c: config schemas, compiled once per backend, and what they say about places in a config.
 *
 * 1. A built-in block's schema is compiled when its first node is seen. Those of custom blocks are
 *    found by their text, in a small table that is emptied when it is full: a block that was
 *    registered again has another text, so nothing stale is ever used and nothing need be told.
 * 2. Beside JSON Schema's own keywords four annotations count: `"format": "expression"` (the string is
 *    a bare expression), `"format": "javascript"` (it is a program: braces in it are its own), `"x-fixed": true` (no template at this place or below) and `"x-secret": true`
 *    (expressions at this place or below may name secrets). Their places are collected as paths such as `cases.*.when`, where `*` stands for any one key or index.
 *
 * Everything is in a context below CacheMemoryContext and survives errors: an entry becomes visible
 * only when it is complete.
 */
#include "postgres.h"

#include "block/check.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "utils/catcache.h"
#include "utils/memutils.h"

#define MOST_CUSTOM 256

static WfShape **builtin_shapes = NULL;
static WfShape *custom_shapes[MOST_CUSTOM];
static int	n_custom_shapes = 0;
static MemoryContext custom_memory = NULL;

typedef struct Places
{
	List	   *bare;
	List	   *literal;
	List	   *fixed;
	List	   *secret;
} Places;

static void collect_places(const JsonbValue *schema, const char *path, Places *places);

static const char *
join(const char *path, const char *key, int key_len)
{
	return psprintf("%s%s%.*s", path, path[0] == '\0' ? "" : ".", key_len, key);
}

static void
collect_properties(const JsonbValue *schema, const char *path, Places *places)
{
	WfJsonIter	it;
	JsonbValue	key;
	JsonbValue	value;
	JsonbValue	members;

	if (!wf_json_field(schema, "properties", &members) || !wf_json_is_object(&members))
		return;
	wf_json_iter_begin(&it, &members);
	while (wf_json_iter_next(&it, &key, &value))
		collect_places(&value, join(path, key.val.string.val, key.val.string.len), places);
}

/* Keywords whose value is a schema, or a list of schemas, that applies to the children or to the same place. */
static void
collect_subschemas(const JsonbValue *schema, const char *path, Places *places)
{
	static const struct
	{
		const char *keyword;
		bool		children;
	}			keywords[] = {
		{"items", true}, {"prefixItems", true}, {"additionalProperties", true}, {"contains", true},
		{"allOf", false}, {"anyOf", false}, {"oneOf", false}, {"if", false}, {"then", false}, {"else", false},
	};

	for (int i = 0; i < lengthof(keywords); i++)
	{
		const char *below = keywords[i].children ? join(path, "*", 1) : path;
		JsonbValue	value;
		JsonbValue	key;
		JsonbValue	one;
		WfJsonIter	it;

		if (!wf_json_field(schema, keywords[i].keyword, &value))
			continue;
		if (!wf_json_is_array(&value))
		{
			collect_places(&value, below, places);
			continue;
		}
		wf_json_iter_begin(&it, &value);
		while (wf_json_iter_next(&it, &key, &one))
			collect_places(&one, below, places);
	}
}

static bool
is_true(const JsonbValue *schema, const char *keyword)
{
	JsonbValue	value;

	return wf_json_field(schema, keyword, &value) && value.type == jbvBool && value.val.boolean;
}

static bool
has_format(const JsonbValue *schema, const char *format)
{
	JsonbValue	value;

	return wf_json_field(schema, "format", &value) && wf_json_is_string(&value) &&
		value.val.string.len == strlen(format) && memcmp(value.val.string.val, format, strlen(format)) == 0;
}

static void
collect_places(const JsonbValue *schema, const char *path, Places *places)
{
	check_stack_depth();
	if (!wf_json_is_object(schema))
		return;
	if (has_format(schema, "expression"))
		places->bare = lappend(places->bare, pstrdup(path));
	if (has_format(schema, "javascript"))
		places->literal = lappend(places->literal, pstrdup(path));
	if (is_true(schema, "x-fixed"))
		places->fixed = lappend(places->fixed, pstrdup(path));
	if (is_true(schema, "x-secret"))
		places->secret = lappend(places->secret, pstrdup(path));
	collect_properties(schema, path, places);
	collect_subschemas(schema, path, places);
}

static const char **
list_to_array(const List *list, int *n)
{
	const char **array = palloc(sizeof(char *) * Max(list_length(list), 1));
	ListCell   *cell;

	*n = 0;
	foreach(cell, list)
		array[(*n)++] = lfirst(cell);
	return array;
}

/* Builds a shape in CurrentMemoryContext. */
static WfShape *
make_shape(const char *text, uint32 hash)
{
	WfShape    *shape = palloc0(sizeof(WfShape));
	Places		places = {NIL, NIL, NIL, NIL};
	WfSchemaError problem = {0};
	JsonbValue	root;

	shape->text = pstrdup(text);
	shape->hash = hash;
	shape->document = wf_json_parse(text);
	shape->schema = wf_schema_compile(shape->document, 0, NULL, 0, &problem);
	if (shape->schema == NULL)
		shape->problem = pstrdup(problem.message != NULL ? problem.message : "not a valid JSON Schema");
	wf_json_root(shape->document, &root);
	collect_places(&root, "", &places);
	shape->bare = list_to_array(places.bare, &shape->n_bare);
	shape->literal = list_to_array(places.literal, &shape->n_literal);
	shape->fixed = list_to_array(places.fixed, &shape->n_fixed);
	shape->secret = list_to_array(places.secret, &shape->n_secret);
	return shape;
}

/* Builds it in a context of its own below CurrentMemoryContext, which is `parent` for good once it is whole. */
static WfShape *
make_lasting_shape(const char *text, uint32 hash, MemoryContext parent)
{
	MemoryContext memory = AllocSetContextCreate(CurrentMemoryContext, "workflow block shape", ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(memory);
	WfShape    *shape = make_shape(text, hash);

	MemoryContextSwitchTo(old);
	MemoryContextSetParent(memory, parent);
	return shape;
}

static const WfShape *
builtin_shape(int index, const char *text)
{
	if (builtin_shapes == NULL)
		builtin_shapes = MemoryContextAllocZero(TopMemoryContext, sizeof(WfShape *) * wf_block_builtin_count());
	if (builtin_shapes[index] == NULL)
		builtin_shapes[index] = make_lasting_shape(text, 0, CacheMemoryContext);
	return builtin_shapes[index];
}

static const WfShape *
custom_shape(const char *text)
{
	uint32		hash = hash_bytes((const unsigned char *) text, strlen(text));
	WfShape    *shape;

	for (int i = 0; i < n_custom_shapes; i++)
	{
		if (custom_shapes[i]->hash == hash && strcmp(custom_shapes[i]->text, text) == 0)
			return custom_shapes[i];
	}
	if (custom_memory == NULL)
		custom_memory = AllocSetContextCreate(CacheMemoryContext, "workflow custom block shapes",
											  ALLOCSET_SMALL_SIZES);
	if (n_custom_shapes >= MOST_CUSTOM)
	{
		n_custom_shapes = 0;
		MemoryContextDeleteChildren(custom_memory);
	}
	shape = make_lasting_shape(text, hash, custom_memory);
	custom_shapes[n_custom_shapes++] = shape;
	return shape;
}

const WfShape *
wf_block_shape(const WfBlock *block)
{
	int			index;

	if (block->config_schema == NULL)
		return NULL;
	if (CacheMemoryContext == NULL)
		CreateCacheMemoryContext();
	index = wf_block_builtin_index(block->type);
	if (index >= 0)
		return builtin_shape(index, block->config_schema);
	return custom_shape(block->config_schema);
}

/* Does `path` equal the pattern or, with `below`, begin with it? `*` in the pattern is any one part. */
static bool
path_matches(const char *pattern, const char *path, bool below)
{
	for (;;)
	{
		size_t		pattern_len = strcspn(pattern, ".");
		size_t		path_len = strcspn(path, ".");
		bool		any = pattern_len == 1 && pattern[0] == '*';

		if (!any && (pattern_len != path_len || memcmp(pattern, path, path_len) != 0))
			return false;
		pattern += pattern_len;
		path += path_len;
		if (*pattern == '\0')
			return below || *path == '\0';
		if (*path == '\0')
			return false;
		pattern++;
		path++;
	}
}

WfStringKind
wf_block_shape_kind_of(void *arg, const char *path)
{
	const WfShape *shape = arg;

	for (int i = 0; i < shape->n_bare; i++)
	{
		if (path_matches(shape->bare[i], path, false))
			return WF_STRING_BARE;
	}
	for (int i = 0; i < shape->n_literal; i++)
	{
		if (path_matches(shape->literal[i], path, false))
			return WF_STRING_LITERAL;
	}
	return WF_STRING_TEMPLATE;
}

bool
wf_block_shape_is_fixed(const WfShape *shape, const char *path)
{
	for (int i = 0; i < shape->n_fixed; i++)
	{
		if (path_matches(shape->fixed[i], path, true))
			return true;
	}
	return false;
}

bool
wf_block_shape_is_secret(const WfShape *shape, const char *path)
{
	for (int i = 0; i < shape->n_secret; i++)
	{
		if (path_matches(shape->secret[i], path, true))
			return true;
	}
	return false;
}
