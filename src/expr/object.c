/*
 * object.c: arrays, sets and maps of an evaluation, and reading them, objects (members.c) and those of
 * the context alike.
 *
 * Containers of the context are never changed and never copied to be read. What would change one
 * works on a shallow copy (wf_expr_own_array). Members come in JavaScript's order: integer-like keys
 * first and ascending, then the others: in order of insertion for own objects, in jsonb's order for
 * those of the context (which has integer-like keys ascending among themselves already).
 */
#include "postgres.h"

#include <math.h>

#include "common/hashfn.h"
#include "expr/internal.h"

/* -- arrays -- */

/* An empty array with room for `capacity`. */
WfArray *
wf_expr_new_array(WfEval *ev, uint32 capacity)
{
	WfArray    *array = wf_expr_alloc(ev, sizeof(WfArray));

	array->count = 0;
	array->capacity = capacity;
	array->iterator = false;
	array->sharing = WF_A_OWN;
	array->extra = NULL;
	array->items = NULL;
	if (capacity > 0)
	{
		wf_expr_check_size(ev, (double) capacity * sizeof(WfValue));
		array->items = wf_expr_alloc(ev, capacity * sizeof(WfValue));
	}
	return array;
}

/* Moves the elements to a larger place of their own; the old one stays as it is. */
static void
move_items(WfEval *ev, WfArray *array, Size capacity)
{
	WfValue    *items = wf_expr_alloc(ev, capacity * sizeof(WfValue));

	wf_expr_spend(ev, array->count / 8);
	if (array->count > 0)
		memcpy(items, array->items, array->count * sizeof(WfValue));
	array->items = items;
	array->capacity = capacity;
}

/* The next place of a shared array becomes its own, unless another array has it already. */
static void
claim_place(WfEval *ev, WfArray *array)
{
	if (array->count == array->capacity || array->items[array->count].tag != WF_V_FREE)
		move_items(ev, array, Max((Size) array->count * 2, 4));
	if (array->count + 1 < array->capacity)
		array->items[array->count + 1].tag = WF_V_FREE;
}

/* Makes room for one element more at the end; the caller fills it at once. */
WfValue *
wf_expr_array_add(WfEval *ev, WfArray *array)
{
	if (unlikely(array->sharing == WF_A_SHARED))
		claim_place(ev, array);
	else if (unlikely(array->count == array->capacity))
	{
		Size		capacity = array->capacity == 0 ? 4 : (Size) array->capacity * 2;

		array->items = wf_expr_regrow(ev, array->items, array->count * sizeof(WfValue), capacity * sizeof(WfValue));
		array->capacity = capacity;
	}
	return &array->items[array->count++];
}

/* Makes room for `more` elements more. */
void
wf_expr_array_reserve(WfEval *ev, WfArray *array, Size more)
{
	Size		capacity = array->count + more;

	if (capacity <= array->capacity || array->sharing == WF_A_SHARED)
		return;
	array->items = wf_expr_regrow(ev, array->items, array->count * sizeof(WfValue), capacity * sizeof(WfValue));
	array->capacity = capacity;
}

/* Sets the number of elements of an array that shares nothing; new ones are holes. */
void
wf_expr_array_resize(WfEval *ev, WfArray *array, double count)
{
	Assert(array->sharing == WF_A_OWN);
	wf_expr_check_size(ev, count * sizeof(WfValue));
	wf_expr_spend(ev, count / 16);
	if (count > array->capacity)
	{
		array->items = wf_expr_regrow(ev, array->items, array->count * sizeof(WfValue), (Size) count * sizeof(WfValue));
		array->capacity = count;
	}
	while (array->count < count)
		array->items[array->count++].tag = WF_V_HOLE;
	array->count = count;
}

/*
 * A new array that begins with the elements of `from` (holes: undefined) and expects `more`: `[...from, x]`.
 * Done again and again with its own result it costs what is added: see WfSharing.
 */
WfArray *
wf_expr_array_extend(WfEval *ev, const WfArray *from, Size more)
{
	WfArray    *array = wf_expr_new_array(ev, 0);

	if (from->sharing == WF_A_OWN)
	{
		wf_expr_array_reserve(ev, array, from->count + more);
		wf_expr_spend(ev, from->count / 8);
		Assert(array->items != NULL || from->count == 0);
		for (uint32 i = 0; i < from->count; i++)
		{
			array->items[i] = from->items[i];
			if (array->items[i].tag == WF_V_HOLE)
				set_undefined(&array->items[i]);
		}
		array->count = from->count;
		array->sharing = WF_A_SPREAD;
		return array;
	}
	array->items = from->items;
	array->count = from->count;
	array->capacity = from->capacity;
	array->sharing = WF_A_SHARED;
	if (from->sharing == WF_A_SPREAD)
	{
		move_items(ev, array, Max((Size) from->count * 2, 4));
		if (array->count < array->capacity)
			array->items[array->count].tag = WF_V_FREE;
	}
	return array;
}

uint32
wf_expr_array_count(const WfValue *array)
{
	JsonbValue	json;

	if (array->tag == WF_V_ARRAY)
		return array->u.array->count;
	json_of(array, &json);
	return wf_json_count(&json);
}

/* An element; HOLE for a hole, undefined out of range. */
void
wf_expr_array_at(const WfValue *array, uint32 index, WfValue *out)
{
	JsonbValue	json;
	JsonbValue	element;

	if (array->tag == WF_V_ARRAY)
	{
		if (index < array->u.array->count)
			*out = array->u.array->items[index];
		else
			set_undefined(out);
		return;
	}
	json_of(array, &json);
	if (wf_json_element(&json, index, &element))
		wf_expr_from_json(&element, out);
	else
		set_undefined(out);
}

/* A shallow copy, holes kept. */
WfArray *
wf_expr_copy_array(WfEval *ev, const WfValue *array)
{
	uint32		count = wf_expr_array_count(array);
	WfArray    *copy = wf_expr_new_array(ev, count);

	wf_expr_spend(ev, count / 8);
	if (array->tag == WF_V_ARRAY)
	{
		if (count > 0)
			memcpy(copy->items, array->u.array->items, count * sizeof(WfValue));
	}
	else
	{
		WfJsonIter	it;
		JsonbValue	json;
		JsonbValue	element;

		json_of(array, &json);
		wf_json_iter_begin(&it, &json);
		for (uint32 i = 0; wf_json_iter_next(&it, NULL, &element); i++)
			wf_expr_from_json(&element, &copy->items[i]);
	}
	copy->count = count;
	return copy;
}

/* An array to be changed: itself when it is the evaluation's own, else a copy. It shares nothing afterwards. */
WfArray *
wf_expr_own_array(WfEval *ev, const WfValue *array)
{
	WfArray    *own;

	if (array->tag != WF_V_ARRAY)
		return wf_expr_copy_array(ev, array);
	own = array->u.array;
	if (own->sharing == WF_A_SHARED)
		move_items(ev, own, Max(own->count, 1));
	own->sharing = WF_A_OWN;
	return own;
}

/* -- sets and maps -- */

WfMap *
wf_expr_new_map(WfEval *ev)
{
	WfMap	   *map = wf_expr_alloc(ev, sizeof(WfMap));

	memset(map, 0, sizeof(WfMap));
	return map;
}

/* The same for values that are SameValueZero. */
static uint32
hash_value(WfEval *ev, const WfValue *value)
{
	double		number;

	switch (value->tag)
	{
		case WF_V_UNDEFINED:
		case WF_V_HOLE:
		case WF_V_NULL:
			return value->tag == WF_V_NULL ? 2 : 1;
		case WF_V_BOOL:
			return value->u.boolean ? 4 : 3;
		case WF_V_NUMBER:
		case WF_V_NUMERIC:
			number = wf_expr_to_number(ev, value);
			if (isnan(number))
				return 5;
			number += 0.0;		/* -0 is 0 */
			if (number == 0)
				number = 0;
			return hash_bytes((unsigned char *) &number, sizeof(number));
		case WF_V_STRING:
			return hash_bytes((const unsigned char *) value->u.str, value->len);
		case WF_V_BIGINT:
			return wf_expr_bigint_hash(value->u.bigint);
		default:
			return hash_bytes((const unsigned char *) &value->u.json, sizeof(void *));
	}
}

static WfMapEntry *
find_in_map(WfEval *ev, WfMap *map, const WfValue *key, uint32 hash)
{
	if (map->slots == NULL)
		return NULL;
	for (uint32 at = hash & (map->n_slots - 1); map->slots[at] != 0; at = (at + 1) & (map->n_slots - 1))
	{
		WfMapEntry *entry = &map->entries[map->slots[at] - 1];

		if (entry->hash == hash && entry->key.tag != WF_V_HOLE && wf_expr_same_zero(ev, &entry->key, key))
			return entry;
	}
	return NULL;
}

WfMapEntry *
wf_expr_map_find(WfEval *ev, WfMap *map, const WfValue *key)
{
	return find_in_map(ev, map, key, hash_value(ev, key));
}

void
wf_expr_map_put(WfEval *ev, WfMap *map, const WfValue *key, const WfValue *value)
{
	uint32		hash = hash_value(ev, key);
	WfMapEntry *entry = find_in_map(ev, map, key, hash);

	if (entry != NULL)
	{
		entry->value = *value;
		return;
	}
	if (map->used == map->capacity)
	{
		Size		capacity = map->capacity == 0 ? 8 : (Size) map->capacity * 2;
		WfMapEntry *entries;

		wf_expr_check_size(ev, (double) capacity * (sizeof(WfMapEntry) + 2 * sizeof(uint32)));
		entries = wf_expr_alloc(ev, capacity * sizeof(WfMapEntry));
		if (map->used > 0)
			memcpy(entries, map->entries, map->used * sizeof(WfMapEntry));
		map->entries = entries;
		map->capacity = capacity;
		map->n_slots = capacity * 2;
		map->slots = wf_expr_alloc(ev, map->n_slots * sizeof(uint32));
		memset(map->slots, 0, map->n_slots * sizeof(uint32));
		for (uint32 i = 0; i < map->used; i++)
		{
			uint32		at = entries[i].hash & (map->n_slots - 1);

			while (map->slots[at] != 0)
				at = (at + 1) & (map->n_slots - 1);
			map->slots[at] = i + 1;
		}
	}
	entry = &map->entries[map->used++];
	entry->key = *key;
	if (key->tag == WF_V_NUMBER && key->u.number == 0)
		set_number(&entry->key, 0);
	if (key->tag == WF_V_HOLE)
		set_undefined(&entry->key);
	entry->value = *value;
	entry->hash = hash;
	map->count++;
	for (uint32 at = hash & (map->n_slots - 1);; at = (at + 1) & (map->n_slots - 1))
		if (map->slots[at] == 0)
		{
			map->slots[at] = map->used;
			break;
		}
}

bool
wf_expr_map_delete(WfEval *ev, WfMap *map, const WfValue *key)
{
	WfMapEntry *entry = wf_expr_map_find(ev, map, key);

	if (entry == NULL)
		return false;
	entry->key.tag = WF_V_HOLE;
	map->count--;
	return true;
}

/* -- reading members -- */

/* A canonical array index ("0", "17", not "01"); up to 2^32 - 2. */
bool
wf_expr_is_index_key(const char *key, uint32 len, uint32 *index)
{
	uint64		n = 0;

	if (len == 0 || len > 10 || key[0] < '0' || key[0] > '9' || (key[0] == '0' && len > 1))
		return false;
	for (uint32 i = 0; i < len; i++)
	{
		if (key[i] < '0' || key[i] > '9')
			return false;
		n = n * 10 + (key[i] - '0');
	}
	if (n >= PG_UINT32_MAX)
		return false;
	*index = (uint32) n;
	return true;
}

static bool
string_element(WfEval *ev, const WfValue *string, uint32 index, WfValue *out)
{
	if (index >= wf_expr_units(ev, string))
		return false;
	wf_expr_substring(ev, string, index, index + 1, out);
	return true;
}

static bool
array_member(WfEval *ev, const WfValue *array, const char *key, uint32 len, WfValue *out)
{
	uint32		index;

	if (len == 6 && memcmp(key, "length", 6) == 0)
	{
		set_number(out, wf_expr_array_count(array));
		return true;
	}
	if (wf_expr_is_index_key(key, len, &index))
	{
		wf_expr_array_at(array, index, out);
		return out->tag > WF_V_HOLE || (out->tag == WF_V_UNDEFINED && index < wf_expr_array_count(array));
	}
	return array->tag == WF_V_ARRAY && array->u.array->extra != NULL &&
		wf_expr_object_get(ev, array->u.array->extra, key, len, out);
}

static bool
regexp_member(const WfRegExp *regexp, const WfValue *name, WfValue *out)
{
	static const struct
	{
		const char *name;
		char		flag;
	}			flags[] = {{"global", 'g'}, {"ignoreCase", 'i'}, {"multiline", 'm'}, {"dotAll", 's'},
	{"unicode", 'u'}, {"sticky", 'y'}, {"hasIndices", 'd'}, {"unicodeSets", 'v'}};

	if (wf_expr_string_is(name, "source"))
		set_string(out, regexp->source, regexp->source_len, 0);
	else if (wf_expr_string_is(name, "flags"))
		set_string(out, regexp->flags, strlen(regexp->flags), 0);
	else if (wf_expr_string_is(name, "lastIndex"))
		set_number(out, regexp->last_index);
	else
	{
		for (int i = 0; i < lengthof(flags); i++)
			if (wf_expr_string_is(name, flags[i].name))
			{
				set_bool(out, strchr(regexp->flags, flags[i].flag) != NULL);
				return true;
			}
		return false;
	}
	return true;
}

/* An own member, or one computed from the value (length, size, year); methods left out. */
bool
wf_expr_own_member(WfEval *ev, const WfValue *object, const char *key, uint32 len, WfValue *out)
{
	JsonbValue	json;
	JsonbValue	member;
	WfValue		name;
	uint32		index;

	switch (object->tag)
	{
		case WF_V_JSON_OBJECT:
			json_of(object, &json);
			if (!wf_json_get(&json, key, len, &member))
				return false;
			wf_expr_from_json(&member, out);
			return true;
		case WF_V_OBJECT:
			return wf_expr_object_get(ev, object->u.object, key, len, out);
		case WF_V_STRING:
			if (len == 6 && memcmp(key, "length", 6) == 0)
			{
				set_number(out, wf_expr_units(ev, object));
				return true;
			}
			return wf_expr_is_index_key(key, len, &index) && string_element(ev, object, index, out);
		case WF_V_JSON_ARRAY:
		case WF_V_ARRAY:
			if (object->tag == WF_V_ARRAY && object->u.array->iterator)
				return false;
			return array_member(ev, object, key, len, out);
		case WF_V_SET:
		case WF_V_MAP:
			if (len != 4 || memcmp(key, "size", 4) != 0)
				return false;
			set_number(out, object->u.map->count);
			return true;
		case WF_V_DATETIME:
			return wf_expr_moment_member(ev, object->u.moment, key, len, out);
		case WF_V_DURATION:
			return wf_expr_duration_member(ev, object->u.duration, key, len, out);
		case WF_V_REGEXP:
			set_string(&name, key, len, 0);
			return regexp_member(object->u.regexp, &name, out);
		case WF_V_CLOSURE:
		case WF_V_BUILTIN:
			set_string(&name, key, len, 0);
			if (wf_expr_string_is(&name, "length"))
				set_number(out, object->tag == WF_V_CLOSURE ? object->u.closure->arrow->length :
						   object->u.builtin->length);
			else if (wf_expr_string_is(&name, "name"))
			{
				if (object->tag == WF_V_CLOSURE)
					set_literal(out, "");
				else
					set_string(out, object->u.builtin->name, strlen(object->u.builtin->name), WF_S_ASCII);
			}
			else
				return false;
			return true;
		case WF_V_NAMESPACE:
			return wf_expr_namespace_member(object->u.space, key, len, out);
		default:
			return false;
	}
}

/* object.key. Throws WF008 for null and undefined. */
void
wf_expr_get(WfEval *ev, const WfValue *object, const char *key, uint32 len, WfValue *out)
{
	const WfBuiltin *method;

	if (unlikely(WF_IS_NULLISH(object)))
		wf_expr_throw(ev, "cannot read property \"%.*s\" of %s", (int) Min(len, 64), key,
					  object->tag == WF_V_NULL ? "null" : "undefined");
	if (wf_expr_own_member(ev, object, key, len, out))
		return;
	method = wf_expr_method(wf_expr_class(object), key, len);
	if (method != NULL && !method->helper)
	{
		out->tag = WF_V_BUILTIN;
		out->flags = WF_F_METHOD;
		out->u.builtin = method;
	}
	else
		set_undefined(out);
}

/* object[key]. */
void
wf_expr_get_value(WfEval *ev, const WfValue *object, const WfValue *key, WfValue *out)
{
	WfValue		name;

	if (WF_IS_NUMBER(key))
	{
		double		number = wf_expr_to_number(ev, key);

		if (number >= 0 && number < PG_UINT32_MAX && number == (uint32) number)
		{
			if (object->tag == WF_V_JSON_ARRAY || (object->tag == WF_V_ARRAY && !object->u.array->iterator))
			{
				wf_expr_array_at(object, (uint32) number, out);
				if (out->tag == WF_V_HOLE)
					set_undefined(out);
				return;
			}
			if (WF_IS_STRING(object))
			{
				if (!string_element(ev, object, (uint32) number, out))
					set_undefined(out);
				return;
			}
		}
	}
	wf_expr_to_key(ev, key, &name);
	wf_expr_get(ev, object, name.u.str, name.len, out);
}

/* -- walking members -- */

/* Own enumerable members in JavaScript's order. The object must not change meanwhile. */
void
wf_expr_entries_begin(WfEval *ev, WfEntryIter *it, const WfValue *object)
{
	JsonbValue	json;

	it->object = object;
	it->i = 0;
	it->pass = 0;
	if (object->tag == WF_V_OBJECT)
		wf_expr_object_order(ev, object->u.object);
	else if (object->tag == WF_V_JSON_OBJECT || object->tag == WF_V_JSON_ARRAY)
	{
		json_of(object, &json);
		wf_json_iter_begin(&it->json, &json);
		if (object->tag == WF_V_JSON_OBJECT)
		{
			/* two passes only when a key looks like an integer */
			JsonbValue	key;
			JsonbValue	member;
			uint32		index;

			it->pass = 1;
			while (wf_json_iter_next(&it->json, &key, &member))
				if (wf_expr_is_index_key(key.val.string.val, key.val.string.len, &index))
				{
					it->pass = 0;
					break;
				}
			wf_json_iter_begin(&it->json, &json);
			it->i = it->pass;	/* 1: nothing looks like an integer */
		}
	}
}

static bool
next_json_member(WfEntryIter *it, WfValue *key, WfValue *value)
{
	JsonbValue	name;
	JsonbValue	member;
	uint32		index;

	for (;;)
	{
		if (!wf_json_iter_next(&it->json, &name, &member))
		{
			JsonbValue	json;

			if (it->pass == 1)
				return false;
			it->pass = 1;
			json_of(it->object, &json);
			wf_json_iter_begin(&it->json, &json);
			continue;
		}
		if (it->i == 1 ||
			wf_expr_is_index_key(name.val.string.val, name.val.string.len, &index) == (it->pass == 0))
			break;
	}
	set_string(key, name.val.string.val, name.val.string.len, WF_S_BORROWED);
	wf_expr_from_json(&member, value);
	return true;
}

static void
index_key(WfEval *ev, uint32 index, WfValue *key)
{
	char		buf[32];

	wf_expr_new_string(ev, buf, wf_expr_format_number(index, buf), WF_S_ASCII, key);
}

/* Named members of an array, after its elements. */
static bool
next_extra(const WfArray *array, uint32 i, WfValue *key, WfValue *value)
{
	if (array->extra == NULL || i >= array->extra->count)
		return false;
	set_string(key, array->extra->entries[i].key, array->extra->entries[i].len, 0);
	*value = array->extra->entries[i].value;
	return true;
}

bool
wf_expr_entries_next(WfEval *ev, WfEntryIter *it, WfValue *key, WfValue *value)
{
	const WfValue *object = it->object;

	wf_expr_spend(ev, 1);
	switch (object->tag)
	{
		case WF_V_OBJECT:
			wf_expr_object_settle(ev, object->u.object);
			if (it->i >= object->u.object->count)
				return false;
			set_string(key, object->u.object->entries[it->i].key, object->u.object->entries[it->i].len, 0);
			*value = object->u.object->entries[it->i].value;
			it->i++;
			return true;
		case WF_V_JSON_OBJECT:
			return next_json_member(it, key, value);
		case WF_V_ARRAY:
			while (it->i < object->u.array->count && object->u.array->items[it->i].tag == WF_V_HOLE)
				it->i++;
			if (object->u.array->iterator)
				return false;
			if (it->i >= object->u.array->count)
				return next_extra(object->u.array, it->i++ - object->u.array->count, key, value);
			*value = object->u.array->items[it->i];
			break;
		case WF_V_JSON_ARRAY:
			if (it->i >= it->json.count)
				return false;
			wf_expr_array_at(object, it->i, value);
			break;
		case WF_V_STRING:
			if (!string_element(ev, object, it->i, value))
				return false;
			break;
		default:
			return false;
	}
	index_key(ev, it->i++, key);
	return true;
}

/* -- walking what can be iterated -- */

/* Throws WF008 when it cannot be iterated. */
void
wf_expr_items_begin(WfEval *ev, WfItemIter *it, const WfValue *value)
{
	JsonbValue	json;

	it->from = *value;
	it->i = 0;
	switch (value->tag)
	{
		case WF_V_JSON_ARRAY:
			json_of(value, &json);
			wf_json_iter_begin(&it->json, &json);
			break;
		case WF_V_ARRAY:
		case WF_V_STRING:
		case WF_V_SET:
		case WF_V_MAP:
			break;
		default:
			wf_expr_throw(ev, "%s is not iterable", wf_expr_kind_name(value));
	}
}

/* The next item; holes are given as such. */
bool
wf_expr_items_next(WfEval *ev, WfItemIter *it, WfValue *item)
{
	const WfValue *from = &it->from;
	JsonbValue	element;
	WfArray    *pair;
	WfMap	   *map;
	int			size;

	wf_expr_spend(ev, 1);
	switch (from->tag)
	{
		case WF_V_JSON_ARRAY:
			if (!wf_json_iter_next(&it->json, NULL, &element))
				return false;
			wf_expr_from_json(&element, item);
			return true;
		case WF_V_ARRAY:
			if (it->i >= from->u.array->count)
				return false;
			*item = from->u.array->items[it->i++];
			return true;
		case WF_V_STRING:
			if (it->i >= from->len)
				return false;
			wf_expr_decode(from->u.str + it->i, from->u.str + from->len, &size);
			wf_expr_slice_bytes(from, it->i, it->i + size, item);
			it->i += size;
			return true;
		default:
			map = from->u.map;
			while (it->i < map->used && map->entries[it->i].key.tag == WF_V_HOLE)
				it->i++;
			if (it->i >= map->used)
				return false;
			if (from->tag == WF_V_SET)
				*item = map->entries[it->i].key;
			else
			{
				pair = wf_expr_new_array(ev, 2);
				pair->items[0] = map->entries[it->i].key;
				pair->items[1] = map->entries[it->i].value;
				pair->count = 2;
				set_array(item, pair);
			}
			it->i++;
			return true;
	}
}
