/*
 * check.c: a node's config against its block's schema and the block's own rules.
 *
 * The schema room says what is wrong as JSON Pointers into the config and into the schema; people
 * want the place as a path in the definition, and the key that they may have meant. That is what is
 * added here. A string that holds a template may become a value of any type when the step runs, so
 * what the schema says against such a string is dropped, unless the place is fixed in the definition.
 * Most configs hold no template at all; a glance over the bytes says so and spares them the rest.
 *
 * Nothing here throws for what a definition holds. A pattern that runs over its limit, or nesting too
 * deep for the stack, does (WF009, WF006): these protect the server.
 */
#include "postgres.h"

#include <ctype.h>

#include "base/text.h"
#include "block/check.h"
#include "block/support.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"

#define MOST_ERRORS 50			/* of one node */
#define MOST_DEPTH 16			/* to which places in a config are told apart */

typedef struct Check
{
	const WfNode *node;
	const WfShape *shape;
	JsonbValue	config;
	bool		has_templates;
	WfDiagnostics *found;
} Check;

/* -- templates -- */

static bool
bytes_hold_template(const char *bytes, Size len)
{
	const char *end = bytes + len;

	while (len >= 2)
	{
		const char *brace = memchr(bytes, '{', len - 1);

		if (brace == NULL)
			return false;
		if (brace[1] == '{')
			return true;
		bytes = brace + 1;
		len = end - bytes;
	}
	return false;
}

static bool
holds_template(const JsonbValue *value)
{
	if (value->type == jbvString)
		return bytes_hold_template(value->val.string.val, value->val.string.len);
	if (value->type == jbvBinary)
		return bytes_hold_template((const char *) value->val.binary.data, value->val.binary.len);
	return false;
}

/* -- places -- */

/* The next part of a JSON Pointer, unescaped into `part`; false at its end. */
static bool
next_part(const char **pointer, StringInfo part)
{
	const char *p = *pointer;

	if (*p != '/')
		return false;
	resetStringInfo(part);
	for (p++; *p != '\0' && *p != '/'; p++)
	{
		if (p[0] == '~' && (p[1] == '0' || p[1] == '1'))
		{
			appendStringInfoChar(part, p[1] == '0' ? '~' : '/');
			p++;
		}
		else
			appendStringInfoChar(part, *p);
	}
	*pointer = p;
	return true;
}

static bool
is_plain_key(const char *key)
{
	if (!(isalpha((unsigned char) key[0]) || key[0] == '_' || key[0] == '$'))
		return false;
	for (const char *p = key; *p != '\0'; p++)
	{
		if (!(isalnum((unsigned char) *p) || *p == '_' || *p == '$' || *p == '-'))
			return false;
	}
	return true;
}

static void
append_key(StringInfo path, const char *key)
{
	JsonbValue	text;

	if (is_plain_key(key))
	{
		appendStringInfo(path, "%s%s", path->len > 0 ? "." : "", key);
		return;
	}
	wf_json_set_string(&text, key, strlen(key));
	appendStringInfo(path, "[%s]", wf_json_text(&text));
}

/* Follows a JSON Pointer into the config: the value there, and the place as `cases[0].port`. False
 * when there is no such value; `where` then is as far as it went. */
static bool
locate(const JsonbValue *config, const char *pointer, StringInfo where, JsonbValue *out)
{
	StringInfoData part;

	initStringInfo(&part);
	*out = *config;
	while (next_part(&pointer, &part))
	{
		JsonbValue	child;

		if (wf_json_is_array(out))
		{
			if (!wf_json_element(out, (uint32) strtoul(part.data, NULL, 10), &child))
				return false;
			appendStringInfo(where, "[%s]", part.data);
		}
		else
		{
			if (!wf_json_get(out, part.data, part.len, &child))
				return false;
			append_key(where, part.data);
		}
		*out = child;
	}
	return true;
}

/* Follows a path of keywords through the schema, `$ref` to places within it included; false when lost. */
static bool
locate_keyword(const JsonbValue *document, const char *pointer, bool stop_before_last, JsonbValue *out)
{
	StringInfoData part;

	initStringInfo(&part);
	*out = *document;
	while (next_part(&pointer, &part))
	{
		JsonbValue	child;

		if (stop_before_last && *pointer == '\0')
			return true;
		if (wf_json_is_array(out))
		{
			if (!wf_json_element(out, (uint32) strtoul(part.data, NULL, 10), &child))
				return false;
		}
		else if (!wf_json_get(out, part.data, part.len, &child))
			return false;
		if (strcmp(part.data, "$ref") == 0 && wf_json_is_string(&child))
		{
			char	   *target = wf_json_cstring(&child);

			if (target[0] != '#' || !locate_keyword(document, target + 1, false, &child))
				return false;
		}
		*out = child;
	}
	return true;
}

/* -- hints -- */

static const char *
nearest_of(const JsonbValue *list, const char *name)
{
	int			n = 0;
	const char **candidates = palloc(sizeof(char *) * Max(wf_json_count(list), 1));
	WfJsonIter	it;
	JsonbValue	key;
	JsonbValue	value;

	wf_json_iter_begin(&it, list);
	while (wf_json_iter_next(&it, &key, &value))
	{
		const JsonbValue *candidate = wf_json_is_object(list) ? &key : &value;

		if (wf_json_is_string(candidate))
			candidates[n++] = wf_json_cstring(candidate);
	}
	return wf_text_did_you_mean(name, candidates, n);
}

/* The known keys of an object, as a sentence. */
static const char *
known_keys(const JsonbValue *properties)
{
	StringInfoData text;
	WfJsonIter	it;
	JsonbValue	key;
	JsonbValue	value;

	if (wf_json_count(properties) == 0)
		return "It takes none.";
	initStringInfo(&text);
	wf_json_iter_begin(&it, properties);
	while (wf_json_iter_next(&it, &key, &value))
		appendStringInfo(&text, "%s\"%.*s\"", text.len > 0 ? ", " : "Known keys: ", key.val.string.len,
						 key.val.string.val);
	appendStringInfoChar(&text, '.');
	return text.data;
}

static const char *
hint_for_key(const Check *check, const WfSchemaError *error)
{
	JsonbValue	document;
	JsonbValue	schema;
	JsonbValue	properties;
	const char *hint;

	wf_json_root(check->shape->document, &document);
	if (!locate_keyword(&document, error->keyword_path, true, &schema) ||
		!wf_json_field(&schema, "properties", &properties))
		return NULL;
	hint = nearest_of(&properties, error->property);
	return hint != NULL ? hint : known_keys(&properties);
}

static const char *
hint_for_value(const Check *check, const WfSchemaError *error, const JsonbValue *value)
{
	JsonbValue	document;
	JsonbValue	allowed;

	wf_json_root(check->shape->document, &document);
	if (strcmp(error->keyword, "type") == 0 && wf_json_is_string(value) && value->val.string.len > 0 &&
		value->val.string.val[0] == '$')
		return psprintf("An expression stands in braces: \"{{ %s }}\".", wf_text_clip(wf_json_cstring(value)));
	if (strcmp(error->keyword, "enum") != 0 || !wf_json_is_string(value) ||
		!locate_keyword(&document, error->keyword_path, false, &allowed))
		return NULL;
	return nearest_of(&allowed, wf_json_cstring(value));
}

/* -- what the schema says -- */

/* Keywords that judge a container by values below it. */
static bool
judges_below(const char *keyword)
{
	static const char *const keywords[] = {
		"allOf", "anyOf", "oneOf", "not", "if", "then", "else", "contains", "uniqueItems", "dependentSchemas",
		"enum", "const",
	};

	for (int i = 0; i < lengthof(keywords); i++)
	{
		if (strcmp(keyword, keywords[i]) == 0)
			return true;
	}
	return false;
}

static void
report_schema_error(Check *check, const WfSchemaError *error)
{
	StringInfoData where;
	JsonbValue	value;

	initStringInfo(&where);
	if (!locate(&check->config, error->instance_path, &where, &value))
		wf_json_set_null(&value);
	if (check->has_templates && holds_template(&value) &&
		(wf_json_is_string(&value) || judges_below(error->keyword)))
		return;
	if (error->property != NULL && strcmp(error->keyword, "required") == 0)
		wf_block_report(check->node, check->found, where.data, NULL, "missing required key \"%s\"",
						wf_text_clip(error->property));
	else if (error->property != NULL && strcmp(error->keyword, "additionalProperties") == 0)
	{
		const char *hint = hint_for_key(check, error);

		append_key(&where, error->property);
		wf_block_report(check->node, check->found, where.data, hint, "unknown key \"%s\"",
						wf_text_clip(error->property));
	}
	else if (where.len == 0)
		wf_block_report(check->node, check->found, "", NULL, "config %s", error->message);
	else
		wf_block_report(check->node, check->found, where.data, hint_for_value(check, error, &value), "\"%s\" %s",
						wf_text_clip(where.data), error->message);
}

static void
check_schema(Check *check)
{
	List	   *errors = NIL;
	ListCell   *cell;

	if (check->shape->schema == NULL)
	{
		wf_block_report(check->node, check->found, "", NULL, "config schema of block \"%s\" is invalid: %s",
						wf_text_clip(check->node->type), check->shape->problem);
		return;
	}
	if (wf_schema_validate(check->shape->schema, &check->config, &errors, MOST_ERRORS))
		return;
	foreach(cell, errors)
		report_schema_error(check, lfirst(cell));
}

/* -- what is fixed in the definition -- */

/* Walks to every string with a template; `pattern` is the place as the shape knows places, `where` as people do.
 * No schema has a fixed place far down; what is fixed and deep is reported as a whole. */
static void
check_fixed(Check *check, const JsonbValue *value, const char *pattern, const char *where, int depth)
{
	WfJsonIter	it;
	JsonbValue	key;
	JsonbValue	child;
	int			i = 0;

	CHECK_FOR_INTERRUPTS();
	if (!holds_template(value))
		return;
	if (wf_json_is_string(value) || depth >= MOST_DEPTH)
	{
		if (wf_block_shape_is_fixed(check->shape, pattern))
			wf_block_report(check->node, check->found, where, "It is read when the workflow is saved.",
							"\"%s\" cannot hold a template", wf_text_clip(where));
		return;
	}
	wf_json_iter_begin(&it, value);
	while (wf_json_iter_next(&it, &key, &child))
	{
		const char *dot = pattern[0] == '\0' ? "" : ".";
		StringInfoData place;

		if (child.type != jbvBinary && child.type != jbvString)
		{
			i++;
			continue;
		}
		initStringInfo(&place);
		appendStringInfoString(&place, where);
		if (it.is_object)
		{
			char	   *name = wf_json_cstring(&key);

			append_key(&place, name);
			check_fixed(check, &child, psprintf("%s%s%s", pattern, dot, name), place.data, depth + 1);
		}
		else
		{
			appendStringInfo(&place, "[%d]", i);
			check_fixed(check, &child, psprintf("%s%s*", pattern, dot), place.data, depth + 1);
		}
		pfree(place.data);
		i++;
	}
}

void
wf_block_check(const WfNode *node, WfDiagnostics *found)
{
	Check		check = {.node = node, .found = found};

	if (node->config == NULL)
		return;
	check.shape = wf_block_shape(node->block);
	wf_json_root(node->config, &check.config);
	if (check.shape != NULL)
	{
		check.has_templates = holds_template(&check.config);
		check_schema(&check);
		if (check.has_templates && check.shape->n_fixed > 0)
			check_fixed(&check, &check.config, "", "", 0);
	}
	if (node->block->validate != NULL)
		node->block->validate(node, found);
}

const char *
wf_block_schema_problem(const Jsonb *schema)
{
	WfSchemaError error = {0};

	if (wf_schema_compile(schema, 0, NULL, 0, &error) != NULL)
		return NULL;
	return error.keyword_path == NULL || error.keyword_path[0] == '\0' ? error.message :
		psprintf("%s, at \"%s\"", error.message, error.keyword_path);
}
