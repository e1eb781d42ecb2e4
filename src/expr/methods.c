/*
 * methods.c: which built-ins there are: methods by the class of their receiver, functions and
 * namespaces by their names.
 *
 * A class has one or more tables of WfBuiltin; a name is looked up once, when an expression is
 * compiled (wf_expr_method_ref), so that a call is an index into an array.
 */
#include "postgres.h"

#include "base/text.h"
#include "expr/internal.h"

#define MAX_TABLES 4

static const WfBuiltin *const tables[WF_N_CLASSES][MAX_TABLES] = {
	[WF_C_STRING] = {wf_expr_string_methods, wf_expr_string_regex_methods, wf_expr_string_helpers},
	[WF_C_NUMBER] = {wf_expr_number_methods, wf_expr_number_helpers},
	[WF_C_BOOLEAN] = {wf_expr_object_methods, wf_expr_boolean_helpers},
	[WF_C_ARRAY] = {wf_expr_array_methods, wf_expr_array_edit_methods, wf_expr_array_helpers, wf_expr_object_methods},
	[WF_C_OBJECT] = {wf_expr_object_methods, wf_expr_object_helpers},
	[WF_C_FUNCTION] = {wf_expr_function_methods, wf_expr_object_methods},
	[WF_C_DATE] = {wf_expr_date_methods, wf_expr_date_helpers, wf_expr_object_methods},
	[WF_C_DATETIME] = {wf_expr_datetime_methods, wf_expr_object_methods},
	[WF_C_DURATION] = {wf_expr_duration_methods, wf_expr_object_methods},
	[WF_C_REGEXP] = {wf_expr_regexp_methods, wf_expr_object_methods},
	[WF_C_SET] = {wf_expr_set_methods, wf_expr_object_methods},
	[WF_C_MAP] = {wf_expr_map_methods, wf_expr_object_methods},
	[WF_C_BIGINT] = {wf_expr_bigint_methods, wf_expr_object_methods},
};

static const WfNamespace *const namespaces[] = {
	&wf_expr_math, &wf_expr_json, &wf_expr_object_space, &wf_expr_array_space, &wf_expr_string_space,
	&wf_expr_number_space, &wf_expr_boolean_space, &wf_expr_date_space, &wf_expr_datetime_space,
	&wf_expr_duration_space, &wf_expr_regexp_space, &wf_expr_set_space, &wf_expr_map_space, &wf_expr_bigint_space,
};

WfClass
wf_expr_class(const WfValue *value)
{
	switch (value->tag)
	{
		case WF_V_STRING:
			return WF_C_STRING;
		case WF_V_NUMBER:
		case WF_V_NUMERIC:
			return WF_C_NUMBER;
		case WF_V_BOOL:
			return WF_C_BOOLEAN;
		case WF_V_BIGINT:
			return WF_C_BIGINT;
		case WF_V_JSON_ARRAY:
			return WF_C_ARRAY;
		case WF_V_ARRAY:
			return value->u.array->iterator ? WF_C_NONE : WF_C_ARRAY;
		case WF_V_JSON_OBJECT:
		case WF_V_OBJECT:
			return WF_C_OBJECT;
		case WF_V_CLOSURE:
		case WF_V_BUILTIN:
			return WF_C_FUNCTION;
		case WF_V_DATE:
			return WF_C_DATE;
		case WF_V_DATETIME:
			return WF_C_DATETIME;
		case WF_V_DURATION:
			return WF_C_DURATION;
		case WF_V_REGEXP:
			return WF_C_REGEXP;
		case WF_V_SET:
			return WF_C_SET;
		case WF_V_MAP:
			return WF_C_MAP;
		case WF_V_NAMESPACE:
			return value->u.space->call != NULL ? WF_C_FUNCTION : WF_C_NONE;
		default:
			return WF_C_NONE;
	}
}

static const WfBuiltin *
find_in(const WfBuiltin *table, const char *name, uint32 len)
{
	for (; table->name != NULL; table++)
		if (strncmp(table->name, name, len) == 0 && table->name[len] == '\0')
			return table;
	return NULL;
}

/* The built-in method of a class, or NULL. */
const WfBuiltin *
wf_expr_method(WfClass class, const char *name, uint32 len)
{
	for (int i = 0; i < MAX_TABLES && tables[class][i] != NULL; i++)
	{
		const WfBuiltin *found = find_in(tables[class][i], name, len);

		if (found)
			return found;
	}
	return NULL;
}

void
wf_expr_method_ref(const char *name, uint32 len, WfMethodRef *ref)
{
	for (int i = 0; i < WF_N_CLASSES; i++)
		ref->of[i] = wf_expr_method((WfClass) i, name, len);
}

const char *
wf_expr_nearest_method(WfClass class, const char *name)
{
	const char *candidates[256];
	int			n = 0;

	for (int i = 0; i < MAX_TABLES && tables[class][i] != NULL; i++)
		for (const WfBuiltin *b = tables[class][i]; b->name != NULL && n < lengthof(candidates); b++)
			candidates[n++] = b->name;
	return wf_text_nearest(name, candidates, n);
}

const WfNamespace *
wf_expr_namespace(const char *name, uint32 len)
{
	for (int i = 0; i < lengthof(namespaces); i++)
		if (strlen(namespaces[i]->name) == len && memcmp(namespaces[i]->name, name, len) == 0)
			return namespaces[i];
	return NULL;
}

const WfBuiltin *
wf_expr_global(const char *name, uint32 len)
{
	return find_in(wf_expr_global_functions, name, len);
}

const char *
wf_expr_nearest_global(const char *name)
{
	const char *candidates[128];
	int			n = 0;

	for (int i = 0; i < lengthof(namespaces); i++)
		candidates[n++] = namespaces[i]->name;
	for (const WfBuiltin *b = wf_expr_global_functions; b->name != NULL && n < lengthof(candidates); b++)
		candidates[n++] = b->name;
	return wf_text_nearest(name, candidates, n);
}

/* A function or constant of a namespace; false when it has none of this name. */
bool
wf_expr_namespace_member(const WfNamespace *space, const char *key, uint32 len, WfValue *out)
{
	const WfBuiltin *function = space->functions ? find_in(space->functions, key, len) : NULL;

	if (function != NULL)
	{
		out->tag = WF_V_BUILTIN;
		out->flags = 0;
		out->u.builtin = function;
		return true;
	}
	for (const WfNamedNumber *n = space->numbers; n != NULL && n->name != NULL; n++)
		if (strncmp(n->name, key, len) == 0 && n->name[len] == '\0')
		{
			set_number(out, n->value);
			return true;
		}
	if (len == 4 && memcmp(key, "name", 4) == 0 && (space->call || space->construct))
	{
		set_string(out, space->name, strlen(space->name), WF_S_ASCII);
		return true;
	}
	return false;
}

const char *
wf_expr_nearest_member(const WfNamespace *space, const char *name)
{
	const char *candidates[128];
	int			n = 0;

	for (const WfBuiltin *b = space->functions; b != NULL && b->name != NULL && n < lengthof(candidates); b++)
		candidates[n++] = b->name;
	for (const WfNamedNumber *c = space->numbers; c != NULL && c->name != NULL && n < lengthof(candidates); c++)
		candidates[n++] = c->name;
	return wf_text_nearest(name, candidates, n);
}
