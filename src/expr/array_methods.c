/*
 * array_methods.c: Array.prototype's methods that read: callbacks, search, slices, join; and Array's
 * own functions.
 *
 * Arrays of the context are walked in place. Holes are skipped by those methods that skip them in
 * JavaScript and are undefined for the others. A callback may change an own array while it is walked,
 * so its length is looked at in each round.
 */
#include "postgres.h"

#include <math.h>

#include "expr/internal.h"

/* -- walking with a callback -- */

typedef struct Walk
{
	WfEval	   *ev;
	const WfValue *array;
	const WfValue *fn;
	WfItemIter	it;
	uint32		count;			/* at the beginning */
	double		index;			/* of the current element */
	WfValue		element;
	WfValue		argv[3];
} Walk;

static void
walk_begin(Walk *walk, WfEval *ev, const WfValue *array, const WfValue *fn)
{
	walk->ev = ev;
	walk->array = array;
	walk->fn = wf_expr_callback(ev, fn);
	walk->count = wf_expr_array_count(array);
	walk->index = -1;
	wf_expr_items_begin(ev, &walk->it, array);
}

/* The next element; `holes`: holes are given as undefined instead of being skipped. */
static bool
walk_next(Walk *walk, bool holes)
{
	for (;;)
	{
		if (walk->index + 1 >= walk->count)
			return false;
		if (!wf_expr_items_next(walk->ev, &walk->it, &walk->element))
		{
			if (!holes)
				return false;
			set_undefined(&walk->element);	/* the callback made it shorter */
		}
		walk->index++;
		if (walk->element.tag != WF_V_HOLE)
			return true;
		if (holes)
		{
			set_undefined(&walk->element);
			return true;
		}
	}
}

/* fn(element, index, array) */
static void
walk_call(Walk *walk, WfValue *out)
{
	walk->argv[0] = walk->element;
	set_number(&walk->argv[1], walk->index);
	walk->argv[2] = *walk->array;
	wf_expr_call(walk->ev, walk->fn, &wf_expr_undefined, 3, walk->argv, out);
}

static bool
walk_test(Walk *walk)
{
	WfValue		result;

	walk_call(walk, &result);
	return wf_expr_to_bool(&result);
}

static void
js_array_map(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	Walk		walk;
	WfArray    *result;

	walk_begin(&walk, ev, self, ARG(0));
	result = wf_expr_new_array(ev, walk.count);
	while (walk_next(&walk, false))
	{
		WfValue		value;

		walk_call(&walk, &value);
		while (result->count < walk.index)
			wf_expr_array_add(ev, result)->tag = WF_V_HOLE;
		*wf_expr_array_add(ev, result) = value;
	}
	while (result->count < walk.count)
		wf_expr_array_add(ev, result)->tag = WF_V_HOLE;
	set_array(out, result);
}

static void
js_array_filter(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	Walk		walk;
	WfArray    *result = wf_expr_new_array(ev, 0);

	walk_begin(&walk, ev, self, ARG(0));
	while (walk_next(&walk, false))
		if (walk_test(&walk))
			*wf_expr_array_add(ev, result) = walk.element;
	set_array(out, result);
}

static void
js_array_for_each(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	Walk		walk;

	walk_begin(&walk, ev, self, ARG(0));
	while (walk_next(&walk, false))
		walk_call(&walk, out);
	set_undefined(out);
}

static void
js_array_some(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	Walk		walk;

	walk_begin(&walk, ev, self, ARG(0));
	set_bool(out, false);
	while (walk_next(&walk, false))
		if (walk_test(&walk))
		{
			set_bool(out, true);
			return;
		}
}

static void
js_array_every(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	Walk		walk;

	walk_begin(&walk, ev, self, ARG(0));
	set_bool(out, true);
	while (walk_next(&walk, false))
		if (!walk_test(&walk))
		{
			set_bool(out, false);
			return;
		}
}

static void
js_array_find(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	Walk		walk;

	walk_begin(&walk, ev, self, ARG(0));
	while (walk_next(&walk, true))
		if (walk_test(&walk))
		{
			*out = walk.element;
			return;
		}
	set_undefined(out);
}

static void
js_array_find_index(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	Walk		walk;

	walk_begin(&walk, ev, self, ARG(0));
	while (walk_next(&walk, true))
		if (walk_test(&walk))
		{
			set_number(out, walk.index);
			return;
		}
	set_number(out, -1);
}

/* Searches from the end; -1 when there is none. */
static double
find_from_end(WfEval *ev, const WfValue *self, const WfValue *fn, WfValue *element)
{
	WfValue		call[3];
	WfValue		result;

	wf_expr_callback(ev, fn);
	for (int64 i = (double) wf_expr_array_count(self) - 1; i >= 0; i--)
	{
		wf_expr_array_at(self, (uint32) i, element);
		if (element->tag == WF_V_HOLE)
			set_undefined(element);
		call[0] = *element;
		set_number(&call[1], i);
		call[2] = *self;
		wf_expr_call(ev, fn, &wf_expr_undefined, 3, call, &result);
		if (wf_expr_to_bool(&result))
			return i;
	}
	set_undefined(element);
	return -1;
}

static void
js_array_find_last(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	find_from_end(ev, self, ARG(0), out);
}

static void
js_array_find_last_index(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	WfValue		element;

	set_number(out, find_from_end(ev, self, ARG(0), &element));
}

static void
js_array_reduce(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	Walk		walk;
	WfValue		call[4];

	walk_begin(&walk, ev, self, ARG(0));
	if (argc > 1)
		*out = argv[1];
	else if (walk_next(&walk, false))
		*out = walk.element;
	else
		wf_expr_throw(ev, "reduce of an empty array needs an initial value");
	while (walk_next(&walk, false))
	{
		call[0] = *out;
		call[1] = walk.element;
		set_number(&call[2], walk.index);
		call[3] = *self;
		wf_expr_call(ev, walk.fn, &wf_expr_undefined, 4, call, out);
	}
}

static void
js_array_reduce_right(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	const WfValue *fn = wf_expr_callback(ev, ARG(0));
	bool		have = argc > 1;
	WfValue		call[4];
	WfValue		element;

	if (have)
		*out = argv[1];
	for (int64 i = (double) wf_expr_array_count(self) - 1; i >= 0; i--)
	{
		wf_expr_array_at(self, (uint32) i, &element);
		if (element.tag == WF_V_HOLE || element.tag == WF_V_UNDEFINED)
		{
			if (element.tag == WF_V_HOLE)
				continue;
		}
		if (!have)
		{
			have = true;
			*out = element;
			continue;
		}
		call[0] = *out;
		call[1] = element;
		set_number(&call[2], i);
		call[3] = *self;
		wf_expr_call(ev, fn, &wf_expr_undefined, 4, call, out);
	}
	if (!have)
		wf_expr_throw(ev, "reduce of an empty array needs an initial value");
}

/* -- search -- */

static void
js_array_includes(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	double		from = wf_expr_relative(ev, ARG(1), wf_expr_array_count(self), 0);
	WfItemIter	it;
	WfValue		element;

	wf_expr_items_begin(ev, &it, self);
	set_bool(out, false);
	for (int64 i = 0; wf_expr_items_next(ev, &it, &element); i++)
	{
		if (i < from)
			continue;
		if (element.tag == WF_V_HOLE)
			set_undefined(&element);
		if (wf_expr_same_zero(ev, &element, ARG(0)))
		{
			set_bool(out, true);
			return;
		}
	}
}

static void
js_array_index_of(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	double		from = wf_expr_relative(ev, ARG(1), wf_expr_array_count(self), 0);
	WfItemIter	it;
	WfValue		element;

	wf_expr_items_begin(ev, &it, self);
	set_number(out, -1);
	for (int64 i = 0; wf_expr_items_next(ev, &it, &element); i++)
		if (i >= from && element.tag != WF_V_HOLE && wf_expr_strict_equal(ev, &element, ARG(0)))
		{
			set_number(out, i);
			return;
		}
}

static void
js_array_last_index_of(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	double		count = wf_expr_array_count(self);
	double		from = argc > 1 ? wf_expr_to_integer(ev, ARG(1)) : count - 1;
	WfValue		element;

	from = from < 0 ? Max(from + count, -1) : Min(from, count - 1);
	set_number(out, -1);
	for (int64 i = from; i >= 0; i--)
	{
		wf_expr_spend(ev, 1);
		wf_expr_array_at(self, (uint32) i, &element);
		if (element.tag != WF_V_HOLE && wf_expr_strict_equal(ev, &element, ARG(0)))
		{
			set_number(out, i);
			return;
		}
	}
}

static void
js_array_at(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	double		count = wf_expr_array_count(self);
	double		at = wf_expr_to_integer(ev, ARG(0));

	if (at < 0)
		at += count;
	if (at < 0 || at >= count)
		set_undefined(out);
	else
		wf_expr_array_at(self, (uint32) at, out);
	if (out->tag == WF_V_HOLE)
		set_undefined(out);
}

/* -- pieces -- */

static void
js_array_slice(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	double		count = wf_expr_array_count(self);
	double		from = wf_expr_relative(ev, ARG(0), count, 0);
	double		to = wf_expr_relative(ev, ARG(1), count, count);
	WfArray    *result = wf_expr_new_array(ev, to > from ? to - from : 0);
	WfItemIter	it;
	WfValue		element;

	wf_expr_items_begin(ev, &it, self);
	for (int64 i = 0; i < to && wf_expr_items_next(ev, &it, &element); i++)
		if (i >= from)
			*wf_expr_array_add(ev, result) = element;
	set_array(out, result);
}

/* Appends all elements of an array, holes kept; true when there were some. */
static bool
append_all(WfEval *ev, WfArray *result, const WfValue *array)
{
	WfItemIter	it;
	WfValue		element;
	WfValue		value;
	bool		holes = false;

	set_array(&value, result);
	wf_expr_items_begin(ev, &it, array);
	while (wf_expr_items_next(ev, &it, &element))
	{
		if (unlikely(element.tag == WF_V_HOLE))
		{
			holes = true;
			wf_expr_own_array(ev, &value);
		}
		*wf_expr_array_add(ev, result) = element;
	}
	return holes;
}

static void
js_array_concat(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	bool		extends = self->tag == WF_V_ARRAY && self->u.array->sharing != WF_A_OWN;
	WfArray    *result = extends ? wf_expr_array_extend(ev, self->u.array, argc) : wf_expr_new_array(ev, 0);
	bool		holes = !extends && append_all(ev, result, self);

	for (int i = 0; i < argc; i++)
	{
		if (!is_array(&argv[i]))
			*wf_expr_array_add(ev, result) = argv[i];
		else if (append_all(ev, result, &argv[i]))
			holes = true;
	}
	if (!extends && !holes)
		result->sharing = WF_A_SPREAD;
	set_array(out, result);
}

static void
flatten(WfEval *ev, WfArray *result, const WfValue *array, double depth)
{
	WfItemIter	it;
	WfValue		element;

	wf_expr_check_stack(ev);
	wf_expr_items_begin(ev, &it, array);
	while (wf_expr_items_next(ev, &it, &element))
	{
		if (element.tag == WF_V_HOLE)
			continue;
		if (depth >= 1 && is_array(&element))
			flatten(ev, result, &element, depth - 1);
		else
			*wf_expr_array_add(ev, result) = element;
	}
}

static void
js_array_flat(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	WfArray    *result = wf_expr_new_array(ev, 0);

	flatten(ev, result, self, HAS(0) ? wf_expr_to_integer(ev, ARG(0)) : 1);
	set_array(out, result);
}

static void
js_array_flat_map(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	Walk		walk;
	WfArray    *result = wf_expr_new_array(ev, 0);
	WfValue		value;

	walk_begin(&walk, ev, self, ARG(0));
	while (walk_next(&walk, false))
	{
		walk_call(&walk, &value);
		if (is_array(&value))
			flatten(ev, result, &value, 0);
		else
			*wf_expr_array_add(ev, result) = value;
	}
	set_array(out, result);
}

static void
js_array_join(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	WfValue		separator;
	WfItemIter	it;
	WfValue		element;
	WfValue		text;
	WfBuffer	buffer;
	bool		first = true;

	if (HAS(0))
		wf_expr_to_string(ev, ARG(0), &separator);
	else
		set_literal(&separator, ",");
	wf_expr_check_stack(ev);
	if (++ev->calls > WF_EXPR_MAX_CALLS)
		wf_expr_over(ev, "expression is nested too deeply");
	wf_expr_buffer_begin(&buffer, ev);
	wf_expr_items_begin(ev, &it, self);
	while (wf_expr_items_next(ev, &it, &element))
	{
		if (!first)
			wf_expr_buffer_string(&buffer, &separator);
		first = false;
		if (WF_IS_NULLISH(&element))
			continue;
		wf_expr_to_string(ev, &element, &text);
		wf_expr_buffer_string(&buffer, &text);
	}
	wf_expr_buffer_end(&buffer, out);
	ev->calls--;
}

static void
js_array_to_string(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	js_array_join(ev, self, 0, NULL, out);
}

/* -- iterators: eager arrays -- */

static WfArray *
new_iterator(WfEval *ev, uint32 capacity)
{
	WfArray    *array = wf_expr_new_array(ev, capacity);

	array->iterator = true;
	return array;
}

static void
js_array_keys(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	uint32		count = wf_expr_array_count(self);
	WfArray    *result = new_iterator(ev, count);

	for (uint32 i = 0; i < count; i++)
		set_number(wf_expr_array_add(ev, result), i);
	set_array(out, result);
}

static void
js_array_values(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	WfArray    *result = new_iterator(ev, wf_expr_array_count(self));

	append_all(ev, result, self);
	set_array(out, result);
}

static void
js_array_entries(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	WfArray    *result = new_iterator(ev, wf_expr_array_count(self));
	WfItemIter	it;
	WfValue		element;

	wf_expr_items_begin(ev, &it, self);
	for (uint32 i = 0; wf_expr_items_next(ev, &it, &element); i++)
	{
		WfArray    *pair = wf_expr_new_array(ev, 2);

		set_number(wf_expr_array_add(ev, pair), i);
		if (element.tag == WF_V_HOLE)
			set_undefined(&element);
		*wf_expr_array_add(ev, pair) = element;
		set_array(wf_expr_array_add(ev, result), pair);
	}
	set_array(out, result);
}

/* toReversed, toSorted, toSpliced, with: array_edit.c */

static void
js_array_locale_string(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	WfArray    *texts = wf_expr_new_array(ev, wf_expr_array_count(self));
	WfItemIter	it;
	WfValue		element;
	WfValue		list;

	wf_expr_check_stack(ev);
	wf_expr_items_begin(ev, &it, self);
	while (wf_expr_items_next(ev, &it, &element))
	{
		const WfBuiltin *method = wf_expr_method(wf_expr_class(&element), "toLocaleString", 14);

		if (method == NULL)
			set_literal(wf_expr_array_add(ev, texts), "");
		else
		{
			WfValue		text;

			method->fn(ev, &element, argc, argv, &text);
			*wf_expr_array_add(ev, texts) = text;
		}
	}
	set_array(&list, texts);
	js_array_join(ev, &list, 0, NULL, out);
}

const WfBuiltin wf_expr_array_methods[] = {
	{"map", js_array_map, 1},
	{"filter", js_array_filter, 1},
	{"find", js_array_find, 1},
	{"join", js_array_join, 1},
	{"includes", js_array_includes, 1},
	{"slice", js_array_slice, 2},
	{"reduce", js_array_reduce, 1},
	{"some", js_array_some, 1},
	{"every", js_array_every, 1},
	{"flatMap", js_array_flat_map, 1},
	{"flat", js_array_flat, 0},
	{"findIndex", js_array_find_index, 1},
	{"findLast", js_array_find_last, 1},
	{"findLastIndex", js_array_find_last_index, 1},
	{"indexOf", js_array_index_of, 1},
	{"lastIndexOf", js_array_last_index_of, 1},
	{"at", js_array_at, 1},
	{"concat", js_array_concat, 1},
	{"forEach", js_array_for_each, 1},
	{"reduceRight", js_array_reduce_right, 1},
	{"keys", js_array_keys, 0},
	{"values", js_array_values, 0},
	{"entries", js_array_entries, 0},
	{"toString", js_array_to_string, 0},
	{"toLocaleString", js_array_locale_string, 0},
	{NULL}
};

/* -- Array -- */

static void
js_array_is_array(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	set_bool(out, is_array(ARG(0)));
}

static void
js_array_of(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	WfArray    *result = wf_expr_new_array(ev, argc);

	for (int i = 0; i < argc; i++)
		*wf_expr_array_add(ev, result) = argv[i];
	set_array(out, result);
}

static bool
is_iterable(const WfValue *value)
{
	return value->tag == WF_V_JSON_ARRAY || value->tag == WF_V_ARRAY || value->tag == WF_V_STRING ||
		value->tag == WF_V_SET || value->tag == WF_V_MAP;
}

/* Array.from(iterable or array-like, mapper) */
static void
js_array_from(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	const WfValue *mapper = HAS(1) ? wf_expr_callback(ev, ARG(1)) : NULL;
	WfArray    *result = wf_expr_new_array(ev, 0);
	WfItemIter	it;
	WfValue		element;
	WfValue		call[2];
	double		count = 0;

	if (WF_IS_NULLISH(ARG(0)))
		wf_expr_throw(ev, "%s is not iterable", wf_expr_kind_name(ARG(0)));
	if (is_iterable(ARG(0)))
		wf_expr_items_begin(ev, &it, ARG(0));
	else if (is_plain_object(ARG(0)) && wf_expr_get_field(ev, ARG(0), "length", &element))
	{
		count = wf_expr_to_integer(ev, &element);
		wf_expr_check_size(ev, count * sizeof(WfValue));
	}
	for (int64 i = 0;; i++)
	{
		if (is_iterable(ARG(0)))
		{
			if (!wf_expr_items_next(ev, &it, &element))
				break;
			if (element.tag == WF_V_HOLE)
				set_undefined(&element);
		}
		else
		{
			WfValue		key;

			if (i >= count)
				break;
			wf_expr_spend(ev, 1);
			set_number(&key, i);
			wf_expr_get_value(ev, ARG(0), &key, &element);
		}
		if (mapper != NULL)
		{
			call[0] = element;
			set_number(&call[1], i);
			wf_expr_call(ev, mapper, &wf_expr_undefined, 2, call, &element);
		}
		*wf_expr_array_add(ev, result) = element;
	}
	set_array(out, result);
}

static void
make_array(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	WfArray    *result = wf_expr_new_array(ev, 0);

	if (argc == 1 && WF_IS_NUMBER(&argv[0]))
	{
		double		count = wf_expr_to_number(ev, &argv[0]);

		if (count < 0 || count > PG_UINT32_MAX || count != floor(count))
			wf_expr_throw(ev, "invalid array length");
		wf_expr_array_resize(ev, result, count);
		set_array(out, result);
	}
	else
		js_array_of(ev, self, argc, argv, out);
}

static const WfBuiltin array_functions[] = {
	{"isArray", js_array_is_array, 1},
	{"from", js_array_from, 1},
	{"of", js_array_of, 0},
	{NULL}
};

const WfNamespace wf_expr_array_space = {
	.name = "Array",.functions = array_functions,.call = make_array,.construct = make_array,.length = 1
};
