/*
 * collections.c: Set and Map.
 *
 * Members are found by SameValueZero through a hash; deleted ones leave a gap, so that walking one
 * while it changes is well defined, as in JavaScript.
 */
#include "postgres.h"

#include "expr/internal.h"

static WfMap *
this_map(WfEval *ev, const WfValue *self)
{
	if (self->tag != WF_V_SET && self->tag != WF_V_MAP)
		wf_expr_throw(ev, "this is a method of sets and maps, not of %s", wf_expr_kind_name(self));
	return self->u.map;
}

static void
set_construct(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	WfMap	   *map = wf_expr_new_map(ev);
	WfItemIter	it;
	WfValue		item;

	if (!WF_IS_NULLISH(ARG(0)))
	{
		wf_expr_items_begin(ev, &it, ARG(0));
		while (wf_expr_items_next(ev, &it, &item))
			wf_expr_map_put(ev, map, &item, &item);
	}
	out->tag = WF_V_SET;
	out->u.map = map;
}

static void
map_construct(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	WfMap	   *map = wf_expr_new_map(ev);
	WfItemIter	it;
	WfValue		pair;

	if (!WF_IS_NULLISH(ARG(0)))
	{
		wf_expr_items_begin(ev, &it, ARG(0));
		while (wf_expr_items_next(ev, &it, &pair))
		{
			WfValue		index;
			WfValue		key;
			WfValue		value;

			if (!WF_IS_OBJECT(&pair))
				wf_expr_throw(ev, "an entry must be a pair, not %s", wf_expr_kind_name(&pair));
			set_number(&index, 0);
			wf_expr_get_value(ev, &pair, &index, &key);
			set_number(&index, 1);
			wf_expr_get_value(ev, &pair, &index, &value);
			wf_expr_map_put(ev, map, &key, &value);
		}
	}
	out->tag = WF_V_MAP;
	out->u.map = map;
}

static void
map_has(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	set_bool(out, wf_expr_map_find(ev, this_map(ev, self), ARG(0)) != NULL);
}

static void
map_get(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	WfMapEntry *entry = wf_expr_map_find(ev, this_map(ev, self), ARG(0));

	if (entry)
		*out = entry->value;
	else
		set_undefined(out);
}

static void
map_set(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	wf_expr_map_put(ev, this_map(ev, self), ARG(0), ARG(1));
	*out = *self;
}

static void
set_add(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	wf_expr_map_put(ev, this_map(ev, self), ARG(0), ARG(0));
	*out = *self;
}

static void
map_delete(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	set_bool(out, wf_expr_map_delete(ev, this_map(ev, self), ARG(0)));
}

static void
map_clear(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	WfMap	   *map = this_map(ev, self);

	for (uint32 i = 0; i < map->used; i++)
		map->entries[i].key.tag = WF_V_HOLE;
	map->count = 0;
	set_undefined(out);
}

static void
map_for_each(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	WfMap	   *map = this_map(ev, self);
	const WfValue *fn = wf_expr_callback(ev, ARG(0));
	WfValue		call[3];

	for (uint32 i = 0; i < map->used; i++)
	{
		if (map->entries[i].key.tag == WF_V_HOLE)
			continue;
		call[0] = map->entries[i].value;
		call[1] = map->entries[i].key;
		call[2] = *self;
		wf_expr_call(ev, fn, &wf_expr_undefined, 3, call, out);
	}
	set_undefined(out);
}

/* What keys(), values() and entries() give: an iterator, which here is an array made at once. */
static void
list(WfEval *ev, const WfValue *self, bool keys, bool values, WfValue *out)
{
	WfMap	   *map = this_map(ev, self);
	WfArray    *result = wf_expr_new_array(ev, map->count);

	for (uint32 i = 0; i < map->used; i++)
	{
		WfMapEntry *entry = &map->entries[i];

		wf_expr_spend(ev, 1);
		if (entry->key.tag == WF_V_HOLE)
			continue;
		if (keys && values)
		{
			WfArray    *pair = wf_expr_new_array(ev, 2);

			pair->items[0] = entry->key;
			pair->items[1] = entry->value;
			pair->count = 2;
			set_array(wf_expr_array_add(ev, result), pair);
		}
		else
			*wf_expr_array_add(ev, result) = keys ? entry->key : entry->value;
	}
	result->iterator = true;
	set_array(out, result);
}

static void
map_keys(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	list(ev, self, true, false, out);
}

static void
map_values(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	list(ev, self, false, true, out);
}

static void
map_entries(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	list(ev, self, true, true, out);
}

const WfBuiltin wf_expr_set_methods[] = {
	{"has", map_has, 1},
	{"add", set_add, 1},
	{"delete", map_delete, 1},
	{"clear", map_clear, 0},
	{"forEach", map_for_each, 1},
	{"keys", map_keys, 0},
	{"values", map_values, 0},
	{"entries", map_entries, 0},
	{NULL}
};

const WfBuiltin wf_expr_map_methods[] = {
	{"get", map_get, 1},
	{"has", map_has, 1},
	{"set", map_set, 2},
	{"delete", map_delete, 1},
	{"clear", map_clear, 0},
	{"forEach", map_for_each, 1},
	{"keys", map_keys, 0},
	{"values", map_values, 0},
	{"entries", map_entries, 0},
	{NULL}
};

const WfNamespace wf_expr_set_space = {.name = "Set",.construct = set_construct};
const WfNamespace wf_expr_map_space = {.name = "Map",.construct = map_construct};
