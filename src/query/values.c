/*
 * values.c: evaluating the parameters of a text and binding them.
 *
 * A parameter is a template and how its value is taken (WfPick): as a value of the column's type, as a
 * list, as one of two ends ... When the text assumed something of the value that does not hold
 * (text.c), nothing is bound for it, and the caller is told what the values are, so that it can have
 * the text that fits them. Templates have no effects, so evaluating them again does no harm.
 */
#include "query/internal.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

WfNature
wf_query_value_nature(const JsonbValue *value)
{
	switch (value->type)
	{
		case jbvNull:
			return WF_NATURE_NULL;
		case jbvString:
			return WF_NATURE_STRING;
		case jbvNumeric:
			return WF_NATURE_NUMBER;
		case jbvBool:
			return WF_NATURE_BOOL;
		default:
			return WF_NATURE_JSON;
	}
}

WfNature
wf_query_list_nature(const JsonbValue *list)
{
	WfNature	nature = WF_NATURE_NULL;
	WfJsonIter	it;
	JsonbValue	key;
	JsonbValue	item;

	if (!wf_json_is_array(list))
		return WF_NATURE_STRING;
	wf_json_iter_begin(&it, list);
	while (wf_json_iter_next(&it, &key, &item))
	{
		WfNature	own = wf_query_value_nature(&item);

		if (own == WF_NATURE_NULL)
			continue;
		if (nature != WF_NATURE_NULL && nature != own)
			return WF_NATURE_JSON;
		nature = own;
	}
	return nature == WF_NATURE_NULL ? WF_NATURE_STRING : nature;
}

static WfNature
nature_of(const WfParam *param, const JsonbValue *value)
{
	if (!param->nature_typed)
		return value->type == jbvNull ? WF_NATURE_NULL : WF_NATURE_ANY;
	if (param->pick == WF_PICK_LIST || param->pick == WF_PICK_LOW || param->pick == WF_PICK_HIGH)
		return wf_query_list_nature(value);
	return wf_query_value_nature(value);
}

static void
wrong_shape(const WfParam *param, const JsonbValue *value, const char *wanted)
{
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("value for \"%s\" must be %s, not %s", param->label, wanted, wf_json_type_name(value))));
}

static Datum
bind_list(const WfParam *param, WfQueryType *type, const JsonbValue *value)
{
	WfQueryType *element;
	uint32		n = wf_json_count(value);
	Datum	   *values;
	bool	   *nulls;
	WfJsonIter	it;
	JsonbValue	key;
	JsonbValue	item;
	int			n_values = 0;

	if (!wf_json_is_array(value))
		wrong_shape(param, value, "an array");
	if (!OidIsValid(type->element))
		ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
						errmsg("a list cannot be compared with \"%s\"", param->label)));
	element = wf_query_type(type->element);
	values = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(Datum) * ((Size) n + 1));
	nulls = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(bool) * ((Size) n + 1));
	wf_json_iter_begin(&it, value);
	while (wf_json_iter_next(&it, &key, &item))
	{
		CHECK_FOR_INTERRUPTS();
		if (item.type == jbvNull)
			continue;
		values[n_values] = wf_query_bind(element, -1, &item, &nulls[n_values]);
		n_values++;
	}
	return wf_query_bind_list(element, n_values, values, nulls);
}

/* `["x","x"]`, for an element x; text that is a range already stays. */
static Datum
bind_span(WfQueryType *type, const JsonbValue *value, bool *is_null)
{
	char	   *text = value->type == jbvString ? wf_json_cstring(value) : wf_json_text(value);
	bool		multi = get_typtype(type->oid) == TYPTYPE_MULTIRANGE;
	StringInfoData span;
	JsonbValue	string;

	initStringInfo(&span);
	if (*text == '{' || (!multi && (*text == '[' || *text == '(' || pg_strcasecmp(text, "empty") == 0)))
		appendStringInfoString(&span, text);
	else if (*text == '[' || *text == '(' || pg_strcasecmp(text, "empty") == 0)
		appendStringInfo(&span, "{%s}", text);
	else
	{
		appendStringInfoString(&span, multi ? "{[" : "[");
		for (int i = 0; i < 2; i++)
		{
			appendStringInfoString(&span, i == 0 ? "\"" : ",\"");
			for (const char *at = text; *at != '\0'; at++)
				appendStringInfo(&span, "%s%c", *at == '"' || *at == '\\' ? "\\" : "", *at);
			appendStringInfoChar(&span, '"');
		}
		appendStringInfoString(&span, multi ? "]}" : "]");
	}
	wf_json_set_string(&string, span.data, span.len);
	return wf_query_bind(type, -1, &string, is_null);
}

static Datum
bind_count(const WfParam *param, WfQueryType *type, const JsonbValue *value, bool *is_null)
{
	Datum		count;

	if (value->type != jbvNull && value->type != jbvNumeric && value->type != jbvString)
		wrong_shape(param, value, "a whole number");
	count = wf_query_bind(type, -1, value, is_null);
	if (!*is_null && DatumGetInt64(count) < 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("\"%s\" must not be negative", param->label)));
	return count;
}

/* The first or the second of two values. */
static Datum
bind_end(const WfParam *param, WfQueryType *type, const JsonbValue *value, bool *is_null)
{
	JsonbValue	end;

	if (!wf_json_is_array(value) || wf_json_count(value) != 2)
		wrong_shape(param, value, "an array of two");
	(void) wf_json_element(value, param->pick == WF_PICK_LOW ? 0 : 1, &end);
	return wf_query_bind(type, -1, &end, is_null);
}

static Datum
bind_members(WfQueryType *type, const JsonbValue *value, bool *is_null)
{
	WfQueryType *element;
	Datum		datum;

	if (value->type == jbvNull || wf_json_is_array(value) ||
		(value->type == jbvString && value->val.string.len > 0 && value->val.string.val[0] == '{'))
		return wf_query_bind(type, -1, value, is_null);
	element = wf_query_type(type->element);
	datum = wf_query_bind(element, -1, value, is_null);
	return wf_query_bind_list(element, 1, &datum, is_null);
}

static Datum
bind(const WfParam *param, WfQueryType *type, const JsonbValue *value, bool *is_null)
{
	*is_null = false;
	switch (param->pick)
	{
		case WF_PICK_VALUE:
			return wf_query_bind(type, -1, value, is_null);
		case WF_PICK_LOW:
		case WF_PICK_HIGH:
			return bind_end(param, type, value, is_null);
		case WF_PICK_LIST:
			return bind_list(param, type, value);
		case WF_PICK_MEMBERS:
			return bind_members(type, value, is_null);
		case WF_PICK_SPAN:
			if (value->type != jbvNull)
				return bind_span(type, value, is_null);
			*is_null = true;
			return (Datum) 0;
		case WF_PICK_COUNT:
			return bind_count(param, type, value, is_null);
		case WF_PICK_FLAG:
			if (value->type != jbvBool)
				wrong_shape(param, value, "true or false");
			return BoolGetDatum(value->val.boolean);
		case WF_PICK_RAW_JSON:
			return JsonbPGetDatum(wf_json_copy(value));
	}
	return (Datum) 0;
}

static void
bind_context(void *arg)
{
	const WfParam *param = *(const WfParam *const *) arg;

	if (param != NULL)
		errcontext("value for \"%s\"", param->label);
}

/*
 * Evaluates and binds all parameters. False when a value is not of the nature that the text assumes:
 * then `natures`, with room for all choices, says what they are.
 */
bool
wf_query_evaluate(const WfText *text, WfScope *scope, ParamListInfo params, uint8 *natures)
{
	const WfParam *current = NULL;
	ErrorContextCallback callback = {.previous = error_context_stack, .callback = bind_context, .arg = &current};
	bool		as_assumed = true;

	error_context_stack = &callback;
	for (int i = 0; i < text->n_params; i++)
	{
		const WfParam *param = &text->params[i];
		ParamExternData *out = &params->params[i];
		JsonbValue	value;

		if (param->tpl->kind == WF_TEMPLATE_CONSTANT)
			value = param->tpl->constant;
		else
		{
			current = NULL;
			wf_template_eval(param->tpl, scope, &value);
		}
		current = param;
		if (param->choice >= 0)
		{
			WfNature	nature = nature_of(param, &value);

			Assert(natures != NULL);
			natures[param->choice] = nature;
			if (nature != param->nature)
			{
				as_assumed = false;
				continue;
			}
		}
		out->pflags = PARAM_FLAG_CONST;
		out->ptype = text->plan->types[i]->oid;
		out->value = bind(param, text->plan->types[i], &value, &out->isnull);
	}
	error_context_stack = callback.previous;
	return as_assumed;
}
