/*
 * part.c: walking a config whose parts may be fixed or come from expressions.
 *
 * Where a config says what the statement is (a table's name, the members of `where`), an expression
 * must be evaluated before the text can be made: wf_query_part_resolve does that and marks the text as
 * dynamic and what came of it as data (`fixed` is false), in which `$expr` is refused. Where a config
 * gives a value, the template stays as it is and becomes a parameter.
 *
 * Everything made here is in CurrentMemoryContext.
 */
#include "query/internal.h"

void
wf_query_complain(WfBuild *b, const char *path, const char *hint, const char *fmt, ...)
{
	StringInfoData message;

	b->n_complaints++;
	initStringInfo(&message);
	WF_APPEND_ARGS(&message, fmt);
	if (b->found == NULL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("%s", message.data),
						hint != NULL ? errhint("%s", hint) : 0));
	if (b->wild)
		wf_diagnostics_add(b->found, WF_SEVERITY_ERROR, WF_ERRCODE_DEFINITION_INVALID, b->statement->node,
						   path != NULL ? path : b->statement->path, hint, "%s", message.data);
}

void
wf_query_complain_name(WfBuild *b, int sqlstate, const char *path, const char *hint, const char *fmt, ...)
{
	StringInfoData message;

	b->n_complaints++;
	initStringInfo(&message);
	WF_APPEND_ARGS(&message, fmt);
	if (b->found == NULL)
		ereport(ERROR, (errcode(sqlstate), errmsg("%s", message.data), hint != NULL ? errhint("%s", hint) : 0));
	if (!b->wild)
		wf_diagnostics_add(b->found, WF_SEVERITY_WARNING, sqlstate, b->statement->node,
						   path != NULL ? path : b->statement->path, hint, "%s", message.data);
}

WfTemplate *
wf_query_part_constant(const JsonbValue *value)
{
	WfTemplate *tpl = palloc0(sizeof(WfTemplate));

	tpl->kind = WF_TEMPLATE_CONSTANT;
	tpl->constant = *value;
	return tpl;
}

bool
wf_query_part_is_leaf(const WfConfigPart *shape)
{
	return shape->tpl->kind == WF_TEMPLATE_EXPR || shape->tpl->kind == WF_TEMPLATE_TEXT;
}

bool
wf_query_part_is_null(const WfConfigPart *shape)
{
	return shape->tpl->kind == WF_TEMPLATE_CONSTANT && shape->tpl->constant.type == jbvNull;
}

bool
wf_query_part_is_object(const WfConfigPart *shape)
{
	return shape->tpl->kind == WF_TEMPLATE_OBJECT ||
		(shape->tpl->kind == WF_TEMPLATE_CONSTANT && wf_json_is_object(&shape->tpl->constant));
}

bool
wf_query_part_is_array(const WfConfigPart *shape)
{
	return shape->tpl->kind == WF_TEMPLATE_ARRAY ||
		(shape->tpl->kind == WF_TEMPLATE_CONSTANT && wf_json_is_array(&shape->tpl->constant));
}

bool
wf_query_part_resolve(WfBuild *b, WfConfigPart *shape)
{
	JsonbValue	value;

	if (!wf_query_part_is_leaf(shape))
		return true;
	b->dynamic = true;
	if (b->scope == NULL)
	{
		b->incomplete = true;
		return false;
	}
	wf_template_eval(shape->tpl, b->scope, &value);
	shape->tpl = wf_query_part_constant(&value);
	shape->fixed = false;
	return true;
}

static const char *
member_path(WfBuild *b, WfConfigPart object, const char *key)
{
	return b->found != NULL ? psprintf("%s.%s", object.path, key) : NULL;
}

static WfConfigPart
child(WfBuild *b, WfConfigPart parent, const WfTemplate *tpl, const char *key)
{
	return (WfConfigPart) {tpl, parent.fixed, member_path(b, parent, key)};
}

bool
wf_query_part_member(WfBuild *b, WfConfigPart object, const char *key, WfConfigPart *out)
{
	const WfTemplate *tpl = object.tpl;
	JsonbValue	value;

	if (tpl->kind == WF_TEMPLATE_OBJECT)
	{
		int			length = strlen(key);

		for (int i = 0; i < tpl->n; i++)
		{
			if (tpl->fields[i].key_len != length || memcmp(tpl->fields[i].key, key, length) != 0)
				continue;
			*out = child(b, object, tpl->fields[i].value, key);
			return true;
		}
		return false;
	}
	if (tpl->kind != WF_TEMPLATE_CONSTANT || !wf_json_field(&tpl->constant, key, &value))
		return false;
	*out = child(b, object, wf_query_part_constant(&value), key);
	return true;
}

bool
wf_query_part_config(WfBuild *b, const char *key, WfConfigPart *out)
{
	WfConfigPart config = {b->statement->config, true, b->statement->path};

	return wf_query_part_member(b, config, key, out) && !wf_query_part_is_null(out);
}

WfConfigField *
wf_query_part_fields(WfBuild *b, WfConfigPart object, int *n)
{
	const WfTemplate *tpl = object.tpl;
	WfConfigField *fields;
	WfJsonIter	it;
	JsonbValue	key;
	JsonbValue	value;

	*n = 0;
	if (tpl->kind == WF_TEMPLATE_OBJECT)
	{
		fields = palloc(sizeof(WfConfigField) * (tpl->n + 1));
		for (int i = 0; i < tpl->n; i++)
		{
			fields[i].key = pnstrdup(tpl->fields[i].key, tpl->fields[i].key_len);
			fields[i].value = child(b, object, tpl->fields[i].value, fields[i].key);
		}
		*n = tpl->n;
		return fields;
	}
	fields = palloc(sizeof(WfConfigField) * (wf_json_count(&tpl->constant) + 1));
	wf_json_iter_begin(&it, &tpl->constant);
	while (wf_json_iter_next(&it, &key, &value))
	{
		fields[*n].key = wf_json_cstring(&key);
		fields[*n].value = child(b, object, wf_query_part_constant(&value), fields[*n].key);
		(*n)++;
	}
	return fields;
}

WfConfigPart *
wf_query_part_items(WfBuild *b, WfConfigPart array, int *n)
{
	const WfTemplate *tpl = array.tpl;
	bool		constant = tpl->kind == WF_TEMPLATE_CONSTANT;
	WfConfigPart *items;

	*n = constant ? wf_json_count(&tpl->constant) : tpl->n;
	items = palloc(sizeof(WfConfigPart) * (*n + 1));
	for (int i = 0; i < *n; i++)
	{
		const WfTemplate *item = constant ? NULL : tpl->items[i];

		if (constant)
		{
			JsonbValue	value;

			(void) wf_json_element(&tpl->constant, i, &value);
			item = wf_query_part_constant(&value);
		}
		items[i] = (WfConfigPart) {item, array.fixed, b->found != NULL ? psprintf("%s[%d]", array.path, i) : NULL};
	}
	return items;
}

static const char *
kind_name(const WfConfigPart *shape)
{
	switch (shape->tpl->kind)
	{
		case WF_TEMPLATE_OBJECT:
			return "object";
		case WF_TEMPLATE_ARRAY:
			return "array";
		case WF_TEMPLATE_CONSTANT:
			return wf_json_type_name(&shape->tpl->constant);
		default:
			return "expression";
	}
}

const char *
wf_query_part_string(WfBuild *b, WfConfigPart shape, const char *what)
{
	if (!wf_query_part_resolve(b, &shape))
		return NULL;
	if (shape.tpl->kind != WF_TEMPLATE_CONSTANT || !wf_json_is_string(&shape.tpl->constant))
	{
		wf_query_complain(b, shape.path, NULL, "%s must be a string, not %s", what, kind_name(&shape));
		return NULL;
	}
	return wf_json_cstring(&shape.tpl->constant);
}

bool
wf_query_part_bool(WfBuild *b, WfConfigPart shape, const char *what, bool *out)
{
	if (!wf_query_part_resolve(b, &shape))
		return false;
	if (shape.tpl->kind != WF_TEMPLATE_CONSTANT || shape.tpl->constant.type != jbvBool)
	{
		wf_query_complain(b, shape.path, NULL, "%s must be true or false, not %s", what, kind_name(&shape));
		return false;
	}
	*out = shape.tpl->constant.val.boolean;
	return true;
}

const char **
wf_query_part_strings(WfBuild *b, WfConfigPart shape, const char *what, int *n)
{
	WfConfigPart *items;
	const char **strings;
	int			n_items;

	*n = 0;
	if (!wf_query_part_resolve(b, &shape))
		return NULL;
	if (!wf_query_part_is_array(&shape))
	{
		strings = palloc(sizeof(char *));
		strings[0] = wf_query_part_string(b, shape, what);
		*n = strings[0] != NULL ? 1 : 0;
		return strings;
	}
	items = wf_query_part_items(b, shape, &n_items);
	strings = palloc(sizeof(char *) * (n_items + 1));
	for (int i = 0; i < n_items; i++)
	{
		const char *string = wf_query_part_string(b, items[i], what);

		if (string != NULL)
			strings[(*n)++] = string;
	}
	return strings;
}

bool
wf_query_part_is_special(WfBuild *b, WfConfigPart shape, const char *key, const char *other, WfConfigPart *value, WfConfigPart *second)
{
	bool		has_second = false;
	int			n;

	if (!wf_query_part_is_object(&shape) || !wf_query_part_member(b, shape, key, value))
		return false;
	if (other != NULL)
	{
		has_second = wf_query_part_member(b, shape, other, second);
		if (!has_second)
			second->tpl = NULL;
	}
	n = shape.tpl->kind == WF_TEMPLATE_OBJECT ? shape.tpl->n : (int) wf_json_count(&shape.tpl->constant);
	return n == (has_second ? 2 : 1);
}
