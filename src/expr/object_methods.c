/*
 * object_methods.c: Object.prototype, Function.prototype, and Object's own functions.
 */
#include "postgres.h"

#include <math.h>

#include "expr/internal.h"

/* -- Object.prototype -- */

static void
object_has_own_property(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	WfValue		key;
	WfValue		member;

	if (WF_IS_NULLISH(self))
		wf_expr_throw(ev, "this is a method of objects, not of %s", wf_expr_kind_name(self));
	wf_expr_to_key(ev, ARG(0), &key);
	set_bool(out, wf_expr_own_member(ev, self, key.u.str, key.len, &member));
}

static void
object_to_string(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	if (is_plain_object(self))
		set_literal(out, "[object Object]");
	else
		wf_expr_to_string(ev, self, out);
}

static void
object_to_locale_string(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	wf_expr_to_string(ev, self, out);
}

static void
object_value_of(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	*out = *self;
}

const WfBuiltin wf_expr_object_methods[] = {
	{"hasOwnProperty", object_has_own_property, 1},
	{"propertyIsEnumerable", object_has_own_property, 1},
	{"toString", object_to_string, 0},
	{"toLocaleString", object_to_locale_string, 0},
	{"valueOf", object_value_of, 0},
	{NULL}
};

/* -- Function.prototype -- */

static void
function_call(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	wf_expr_call(ev, self, ARG(0), Max(argc - 1, 0), argv + (argc > 0), out);
}

static void
function_apply(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	WfArray    *args;
	WfValue		list = *ARG(1);

	if (WF_IS_NULLISH(&list))
	{
		wf_expr_call(ev, self, ARG(0), 0, NULL, out);
		return;
	}
	if (!is_array(&list))
		wf_expr_throw(ev, "apply takes an array of arguments");
	args = wf_expr_copy_array(ev, &list);
	for (uint32 i = 0; i < args->count; i++)
		if (args->items[i].tag == WF_V_HOLE)
			set_undefined(&args->items[i]);
	wf_expr_call(ev, self, ARG(0), args->count, args->items, out);
}

const WfBuiltin wf_expr_function_methods[] = {
	{"call", function_call, 1},
	{"apply", function_apply, 2},
	{NULL}
};

/* -- Object -- */

static const WfValue *
need_object(WfEval *ev, const WfValue *value)
{
	if (WF_IS_NULLISH(value))
		wf_expr_throw(ev, "cannot take the members of %s", value->tag == WF_V_NULL ? "null" : "undefined");
	return value;
}

static void
object_keys(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	WfArray    *keys = wf_expr_new_array(ev, 0);
	WfEntryIter it;
	WfValue		key;
	WfValue		value;

	wf_expr_entries_begin(ev, &it, need_object(ev, ARG(0)));
	while (wf_expr_entries_next(ev, &it, &key, &value))
		*wf_expr_array_add(ev, keys) = key;
	set_array(out, keys);
}

static void
object_get_own_property_names(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	object_keys(ev, self, argc, argv, out);
	if (is_array(ARG(0)) || WF_IS_STRING(ARG(0)))
		set_literal(wf_expr_array_add(ev, out->u.array), "length");
}

static void
object_values(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	WfArray    *values = wf_expr_new_array(ev, 0);
	WfEntryIter it;
	WfValue		key;
	WfValue		value;

	wf_expr_entries_begin(ev, &it, need_object(ev, ARG(0)));
	while (wf_expr_entries_next(ev, &it, &key, &value))
		*wf_expr_array_add(ev, values) = value;
	set_array(out, values);
}

static void
object_entries(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	WfArray    *entries = wf_expr_new_array(ev, 0);
	WfEntryIter it;
	WfValue		key;
	WfValue		value;

	wf_expr_entries_begin(ev, &it, need_object(ev, ARG(0)));
	while (wf_expr_entries_next(ev, &it, &key, &value))
	{
		WfArray    *pair = wf_expr_new_array(ev, 2);

		pair->items[0] = key;
		pair->items[1] = value;
		pair->count = 2;
		set_array(wf_expr_array_add(ev, entries), pair);
	}
	set_array(out, entries);
}

static void
object_from_entries(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	WfObject   *object = wf_expr_new_object(ev, 0);
	WfItemIter	it;
	WfValue		pair;

	wf_expr_items_begin(ev, &it, ARG(0));
	while (wf_expr_items_next(ev, &it, &pair))
	{
		WfValue		index;
		WfValue		key;
		WfValue		name;
		WfValue		value;

		if (!WF_IS_OBJECT(&pair))
			wf_expr_throw(ev, "an entry must be a pair, not %s", wf_expr_kind_name(&pair));
		set_number(&index, 0);
		wf_expr_get_value(ev, &pair, &index, &key);
		set_number(&index, 1);
		wf_expr_get_value(ev, &pair, &index, &value);
		wf_expr_to_key(ev, &key, &name);
		wf_expr_object_put(ev, object, name.u.str, name.len, &value);
	}
	set_object(out, object);
}

/* A shallow copy of any object as an own one. */
static WfObject *
copy_object(WfEval *ev, const WfValue *from)
{
	WfObject   *object = wf_expr_new_object(ev, 0);
	WfEntryIter it;
	WfValue		key;
	WfValue		value;

	wf_expr_entries_begin(ev, &it, from);
	while (wf_expr_entries_next(ev, &it, &key, &value))
		wf_expr_object_put(ev, object, key.u.str, key.len, &value);
	return object;
}

/* Object.assign: an object of the context as the target is copied, not changed. */
static void
object_assign(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	const WfValue *target = need_object(ev, ARG(0));
	WfObject   *object;

	if (is_array(target))
	{
		WfArray    *array = wf_expr_own_array(ev, target);

		for (int i = 1; i < argc; i++)
		{
			WfEntryIter it;
			WfValue		key;
			WfValue		value;
			uint32		index;

			wf_expr_entries_begin(ev, &it, &argv[i]);
			while (wf_expr_entries_next(ev, &it, &key, &value))
				if (wf_expr_is_index_key(key.u.str, key.len, &index))
				{
					if (index >= array->count)
						wf_expr_array_resize(ev, array, (double) index + 1);
					array->items[index] = value;
				}
		}
		set_array(out, array);
		return;
	}
	object = target->tag == WF_V_OBJECT ? target->u.object : copy_object(ev, target);
	for (int i = 1; i < argc; i++)
	{
		WfEntryIter it;
		WfValue		key;
		WfValue		value;

		if (argv[i].tag == WF_V_OBJECT)
		{
			if (argv[i].u.object != object)
				wf_expr_object_spread(ev, object, argv[i].u.object, 0);
			continue;
		}
		wf_expr_entries_begin(ev, &it, &argv[i]);
		while (wf_expr_entries_next(ev, &it, &key, &value))
			wf_expr_object_put(ev, object, key.u.str, key.len, &value);
	}
	set_object(out, object);
}

static void
object_has_own(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	need_object(ev, ARG(0));
	object_has_own_property(ev, ARG(0), Max(argc - 1, 0), argv + 1, out);
}

static void
object_is(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	if (WF_IS_NUMBER(ARG(0)) && WF_IS_NUMBER(ARG(1)))
	{
		double		a = wf_expr_to_number(ev, ARG(0));
		double		b = wf_expr_to_number(ev, ARG(1));

		set_bool(out, (isnan(a) && isnan(b)) || (a == b && signbit(a) == signbit(b)));
	}
	else
		set_bool(out, wf_expr_strict_equal(ev, ARG(0), ARG(1)));
}

/* freeze, seal, preventExtensions: nothing here can be assigned to, so they change nothing. */
static void
object_same(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	*out = *ARG(0);
}

static void
object_call(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	if (WF_IS_NULLISH(ARG(0)))
		set_object(out, wf_expr_new_object(ev, 0));
	else
		*out = argv[0];
}

/* Object.groupBy(items, fn) */
static void
object_group_by(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	const WfValue *fn = wf_expr_callback(ev, ARG(1));
	WfObject   *groups = wf_expr_new_object(ev, 0);
	WfItemIter	it;
	WfValue		call[2];

	wf_expr_items_begin(ev, &it, ARG(0));
	for (int64 i = 0; wf_expr_items_next(ev, &it, &call[0]); i++)
	{
		WfValue		item = call[0];
		WfValue		given;
		WfValue		key;
		WfValue    *group;

		set_number(&call[1], i);
		wf_expr_call(ev, fn, &wf_expr_undefined, 2, call, &given);
		wf_expr_to_key(ev, &given, &key);
		group = wf_expr_object_find(ev, groups, key.u.str, key.len);
		if (group == NULL)
		{
			WfValue		list;

			set_array(&list, wf_expr_new_array(ev, 0));
			wf_expr_object_put(ev, groups, key.u.str, key.len, &list);
			group = wf_expr_object_find(ev, groups, key.u.str, key.len);
		}
		*wf_expr_array_add(ev, group->u.array) = item;
	}
	set_object(out, groups);
}

static const WfBuiltin object_functions[] = {
	{"keys", object_keys, 1},
	{"entries", object_entries, 1},
	{"values", object_values, 1},
	{"assign", object_assign, 2},
	{"fromEntries", object_from_entries, 1},
	{"getOwnPropertyNames", object_get_own_property_names, 1},
	{"groupBy", object_group_by, 2},
	{"hasOwn", object_has_own, 2},
	{"is", object_is, 2},
	{"freeze", object_same, 1},
	{"seal", object_same, 1},
	{NULL}
};

const WfNamespace wf_expr_object_space = {
	.name = "Object",.functions = object_functions,.call = object_call,.construct = object_call,.length = 1
};
