/*
 * params.c: JSON values as Datums.
 *
 * The rules, from a JSON value to a PostgreSQL type:
 *	1. null is NULL, for every type (a jsonb column too).
 *	2. What has one obvious meaning goes there directly: numbers to the numeric types (a fraction
 *	   is never rounded into an integer: it is the type's own input error), booleans, strings to text.
 *	3. A JSON array becomes an array of any dimension, an object a composite, both member by member;
 *	   domains within are checked.
 *	4. jsonb and json take the JSON value itself.
 *	5. All else goes through the type's input function: a string as it is, other values as their
 *	   JSON text.
 *
 * Parameters are of the base type of a domain's column: the statement's own assignment then checks
 * the domain and applies length and precision, as in plain SQL.
 */
#include "query/internal.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

#include <math.h>

static Datum
bind_input(WfQueryType *type, int32 typmod, const JsonbValue *value)
{
	char	   *text = value->type == jbvString ? wf_json_cstring(value) : wf_json_text(value);

	if (type->input.fn_oid == InvalidOid)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("cannot make a value of type %s", format_type_be(type->oid))));
	return InputFunctionCall(&type->input, text, type->io_param, typmod);
}

static Datum
bind_integer(WfQueryType *type, const JsonbValue *value)
{
	int64		number;

	if (value->type != jbvNumeric || !wf_json_int64(value, &number))
		return bind_input(type, -1, value);
	if (type->bind == WF_BIND_INT8)
		return Int64GetDatum(number);
	if (type->bind == WF_BIND_INT4 && number >= PG_INT32_MIN && number <= PG_INT32_MAX)
		return Int32GetDatum((int32) number);
	if (type->bind == WF_BIND_INT2 && number >= PG_INT16_MIN && number <= PG_INT16_MAX)
		return Int16GetDatum((int16) number);
	return bind_input(type, -1, value);
}

static Datum
bind_text(const JsonbValue *value)
{
	if (value->type == jbvString)
		return PointerGetDatum(cstring_to_text_with_len(value->val.string.val, value->val.string.len));
	return PointerGetDatum(cstring_to_text(wf_json_text(value)));
}

/* -- arrays -- */

typedef struct Elements
{
	WfQueryType *type;
	int32		typmod;
	int			n_dims;
	int			dims[MAXDIM];
	int			n;
	int			max;
	Datum	   *values;
	bool	   *nulls;
} Elements;

static void
add_element(Elements *elements, const JsonbValue *value)
{
	if (elements->n >= elements->max)
	{
		elements->max *= 2;
		elements->values = repalloc_huge(elements->values, sizeof(Datum) * (Size) elements->max);
		elements->nulls = repalloc_huge(elements->nulls, sizeof(bool) * (Size) elements->max);
	}
	elements->values[elements->n] = wf_query_bind(elements->type, elements->typmod, value,
												  &elements->nulls[elements->n]);
	elements->n++;
}

static void
ragged(void)
{
	ereport(ERROR, (errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
					errmsg("arrays within a multidimensional array must all have the same length")));
}

static void
add_dimension(Elements *elements, const JsonbValue *value, int depth)
{
	WfJsonIter	it;
	JsonbValue	key;
	JsonbValue	item;

	check_stack_depth();
	if ((int) wf_json_count(value) != elements->dims[depth])
		ragged();
	wf_json_iter_begin(&it, value);
	while (wf_json_iter_next(&it, &key, &item))
	{
		CHECK_FOR_INTERRUPTS();
		if (depth + 1 == elements->n_dims)
			add_element(elements, &item);
		else if (wf_json_is_array(&item))
			add_dimension(elements, &item, depth + 1);
		else
			ragged();
	}
}

/* True when arrays below this one are further dimensions rather than elements. */
static bool
nests(const WfQueryType *element)
{
	return element->bind != WF_BIND_JSONB && element->bind != WF_BIND_JSON && element->bind != WF_BIND_DOMAIN;
}

static Datum
bind_array(WfQueryType *type, int32 typmod, const JsonbValue *value)
{
	Elements	elements = {0};
	JsonbValue	first = *value;
	int			lower_bounds[MAXDIM];

	elements.type = wf_query_type(type->element);
	elements.typmod = typmod;
	for (;;)
	{
		if (elements.n_dims >= MAXDIM)
			ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
							errmsg("an array cannot have more than %d dimensions", MAXDIM)));
		lower_bounds[elements.n_dims] = 1;
		elements.dims[elements.n_dims++] = wf_json_count(&first);
		if (!nests(elements.type) || !wf_json_element(&first, 0, &first) || !wf_json_is_array(&first))
			break;
	}
	elements.max = Max(elements.dims[0], 8);
	elements.values = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(Datum) * (Size) elements.max);
	elements.nulls = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(bool) * (Size) elements.max);
	add_dimension(&elements, value, 0);
	if (elements.n == 0)
		return PointerGetDatum(construct_empty_array(type->element));
	return PointerGetDatum(construct_md_array(elements.values, elements.nulls, elements.n_dims, elements.dims,
											  lower_bounds, type->element, elements.type->length,
											  elements.type->by_value, elements.type->align));
}

Datum
wf_query_bind_list(WfQueryType *element, int n, const Datum *values, const bool *nulls)
{
	int			dims[1] = {n};
	int			lower_bounds[1] = {1};

	if (n == 0)
		return PointerGetDatum(construct_empty_array(element->oid));
	return PointerGetDatum(construct_md_array(unconstify(Datum *, values), unconstify(bool *, nulls), 1, dims,
											  lower_bounds, element->oid, element->length, element->by_value,
											  element->align));
}

/* -- composites -- */

static Datum
bind_composite(WfQueryType *type, const JsonbValue *value)
{
	TupleDesc	tupdesc = lookup_rowtype_tupdesc_copy(type->oid, -1);
	Datum	   *values = palloc0(sizeof(Datum) * tupdesc->natts);
	bool	   *nulls = palloc(sizeof(bool) * tupdesc->natts);
	WfJsonIter	it;
	JsonbValue	key;
	JsonbValue	member;

	/* NULL where there is no member; the input functions of domains have their say on that, too */
	for (int i = 0; i < tupdesc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(tupdesc, i);

		nulls[i] = true;
		if (attribute->attisdropped)
			continue;
		if (!wf_json_field(value, NameStr(attribute->attname), &member))
			wf_json_set_null(&member);
		values[i] = wf_query_bind(wf_query_type(attribute->atttypid), attribute->atttypmod, &member, &nulls[i]);
	}
	wf_json_iter_begin(&it, value);
	while (wf_json_iter_next(&it, &key, &member))
	{
		char	   *name = wf_json_cstring(&key);
		bool		known = false;

		for (int i = 0; i < tupdesc->natts && !known; i++)
			known = !TupleDescAttr(tupdesc, i)->attisdropped &&
				strcmp(NameStr(TupleDescAttr(tupdesc, i)->attname), name) == 0;
		if (!known)
			ereport(ERROR, (errcode(ERRCODE_UNDEFINED_COLUMN),
							errmsg("type %s has no attribute \"%s\"", format_type_be(type->oid), wf_text_clip(name))));
	}
	return HeapTupleGetDatum(heap_form_tuple(tupdesc, values, nulls));
}

/* -- any value -- */

static Datum
bind_domain(WfQueryType *type, const JsonbValue *value, bool *is_null)
{
	int32		typmod = -1;
	Oid			base = getBaseTypeAndTypmod(type->oid, &typmod);
	Datum		result = wf_query_bind(wf_query_type(base), typmod, value, is_null);

	domain_check(result, *is_null, type->oid, &type->domain_state, type->input.fn_mcxt);
	return result;
}

Datum
wf_query_bind(WfQueryType *type, int32 typmod, const JsonbValue *value, bool *is_null)
{
	check_stack_depth();
	*is_null = value->type == jbvNull;
	if (type->bind == WF_BIND_DOMAIN)
		return bind_domain(type, value, is_null);
	if (*is_null)
	{
		/* an input function that takes NULL is a domain's: it may refuse it */
		if (type->base != type->oid)
			(void) InputFunctionCall(&type->input, NULL, type->io_param, typmod);
		return (Datum) 0;
	}
	if (type->bind == WF_BIND_ARRAY)
		return wf_json_is_array(value) ? bind_array(type, typmod, value) : bind_input(type, typmod, value);
	if (type->bind == WF_BIND_COMPOSITE)
		return wf_json_is_object(value) ? bind_composite(type, value) : bind_input(type, typmod, value);
	if (typmod >= 0)
		return bind_input(type, typmod, value);
	switch (type->bind)
	{
		case WF_BIND_TEXT:
			return bind_text(value);
		case WF_BIND_BOOL:
			return value->type == jbvBool ? BoolGetDatum(value->val.boolean) : bind_input(type, -1, value);
		case WF_BIND_INT2:
		case WF_BIND_INT4:
		case WF_BIND_INT8:
			return bind_integer(type, value);
		case WF_BIND_FLOAT8:
			{
				double		number;

				if (value->type == jbvNumeric && wf_json_double(value, &number) && !isinf(number))
					return Float8GetDatum(number);
				return bind_input(type, -1, value);
			}
		case WF_BIND_NUMERIC:
			return value->type == jbvNumeric ? NumericGetDatum(value->val.numeric) : bind_input(type, -1, value);
		case WF_BIND_JSONB:
			return JsonbPGetDatum(wf_json_copy(value));
		case WF_BIND_JSON:
			return PointerGetDatum(cstring_to_text(wf_json_text(value)));
		default:
			return bind_input(type, -1, value);
	}
}
