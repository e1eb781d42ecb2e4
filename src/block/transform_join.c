/*
 * transform_join.c: the operations on two lists: join, compare.
 *
 * The items of the second list are chained by key in a hash table; those of the first look theirs up.
 * So the cost is that of the two lists and of the pairs found; the pairs are measured as they are
 * made, since many equal keys on both sides give many more pairs than items. As in SQL a key that is
 * null (or not there) equals nothing.
 */
#include "postgres.h"

#include "block/transform.h"
#include "miscadmin.h"
#include "utils/memutils.h"

/* One side: its items, their keys, and chains of items with equal keys. */
typedef struct Side
{
	WfItems		items;
	WfEach		each;
	WfKeySpec	spec;
	JsonbValue *keys;
	bool	   *is_null;		/* a part of the key is null */
	WfKeyTable *table;			/* key to the first item that has it */
	int		   *next;			/* the next item with the same key, or -1 */
	bool	   *used;
} Side;

static bool
key_is_null(const WfKeySpec *spec, const JsonbValue *key)
{
	JsonbValue	part;

	if (spec->n == 0)
		return false;
	if (spec->n == 1)
		return key->type == jbvNull;
	for (int k = 0; k < spec->n; k++)
	{
		if (wf_json_element(key, k, &part) && part.type == jbvNull)
			return true;
	}
	return false;
}

static void
read_side(WfStep *step, const char *key, const WfKeySpec *spec, Side *side)
{
	Size		n;

	wf_block_items(step, key, &side->items);
	wf_transform_each_begin(&side->each, step, &side->items);
	side->spec = *spec;
	n = Max(side->items.n, 1);
	side->keys = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(JsonbValue) * n);
	side->is_null = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(bool) * n);
	side->used = MemoryContextAllocExtended(CurrentMemoryContext, sizeof(bool) * n, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (int i = 0; i < side->items.n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		wf_transform_key(spec, &side->each, &side->items, i, &side->keys[i]);
		side->is_null[i] = key_is_null(spec, &side->keys[i]);
	}
}

/* Chains the items by key, each chain in the order of the items. */
static void
chain_side(Side *side)
{
	int		   *last = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(int) * Max((Size) side->items.n, 1));

	side->table = wf_block_keys_begin(side->items.n);
	side->next = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(int) * Max((Size) side->items.n, 1));
	for (int i = 0; i < side->items.n; i++)
	{
		bool		is_new;
		int			first;

		side->next[i] = -1;
		if (side->is_null[i])
			continue;
		first = wf_block_keys_add(side->table, &side->keys[i], i, &is_new);
		if (!is_new)
			side->next[last[first]] = i;
		last[first] = i;
	}
	pfree(last);
}

/* `by`: names that both sides have, or an object of the right one's names by the left one's. */
static void
read_by(WfStep *step, WfKeySpec *left, WfKeySpec *right)
{
	JsonbValue	by;
	JsonbValue	key;
	JsonbValue	value;
	WfJsonIter	it;
	int			n;

	memset(left, 0, sizeof(*left));
	memset(right, 0, sizeof(*right));
	if (!wf_block_config(step, "by", &by) || !wf_json_is_object(&by))
	{
		left->n = wf_transform_names(step, "by", &left->paths);
		*right = *left;
		return;
	}
	n = Max(wf_json_count(&by), 1);
	left->paths = palloc(sizeof(char *) * n);
	right->paths = palloc(sizeof(char *) * n);
	wf_json_iter_begin(&it, &by);
	while (wf_json_iter_next(&it, &key, &value))
	{
		if (!wf_json_is_string(&value))
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("\"by\" must name a member for \"%s\", not %s", wf_json_cstring(&key),
								   wf_json_type_name(&value))));
		left->paths[left->n++] = wf_json_cstring(&key);
		right->paths[right->n++] = wf_json_cstring(&value);
	}
}

/* -- join -- */

typedef struct Join
{
	WfStep	   *step;
	WfJsonWriter *w;
	WfObjects	objects;
	const char *as;				/* or NULL */
	int64		bytes;
	int64		count;
} Join;

/* Writes one pair; either may be NULL. Of equal names the right one's member stays. */
static void
put_pair(Join *join, const JsonbValue *left, const JsonbValue *right)
{
	WfObjects  *objects = &join->objects;
	JsonbValue	null;

	CHECK_FOR_INTERRUPTS();
	join->bytes += (left != NULL ? wf_json_size(left) : 0) + (right != NULL ? wf_json_size(right) : 0);
	wf_block_check_size(join->step, join->bytes);
	join->count++;
	wf_transform_object_begin(objects);
	if (left != NULL)
		wf_block_put_members(objects->w, left);
	if (join->as != NULL)
	{
		wf_json_set_null(&null);
		wf_json_put_field(objects->w, join->as, right != NULL ? right : &null);
	}
	else if (right != NULL)
		wf_block_put_members(objects->w, right);
	wf_transform_object_end(objects);
}

static void
put_pairs(Join *join, const Side *left, Side *right, bool keep_left, bool keep_right)
{
	for (int i = 0; i < left->items.n; i++)
	{
		int			at = left->is_null[i] ? -1 : wf_block_keys_find(right->table, &left->keys[i]);

		if (at < 0 && keep_left)
			put_pair(join, &left->items.values[i], NULL);
		for (; at >= 0; at = right->next[at])
		{
			right->used[at] = true;
			put_pair(join, &left->items.values[i], &right->items.values[at]);
		}
	}
	for (int i = 0; keep_right && i < right->items.n; i++)
	{
		if (!right->used[i])
			put_pair(join, NULL, &right->items.values[i]);
	}
}

Jsonb *
wf_transform_join(WfStep *step, const WfTransformPlan *plan)
{
	Join		join = {.step = step, .w = wf_json_writer_begin()};
	bool		is_full = strcmp(plan->join_type, "full") == 0;
	WfKeySpec	left_spec;
	WfKeySpec	right_spec;
	Side		left;
	Side		right;

	read_by(step, &left_spec, &right_spec);
	if (left_spec.n == 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("\"by\" names no member to join on")));
	read_side(step, "items", &left_spec, &left);
	read_side(step, "with", &right_spec, &right);
	chain_side(&right);
	join.as = wf_block_config_string(step, "as");
	wf_json_begin_object(join.w);
	wf_json_key(join.w, "items", 5);
	wf_json_begin_array(join.w);
	wf_transform_objects_begin(&join.objects, join.w);
	put_pairs(&join, &left, &right, is_full || strcmp(plan->join_type, "left") == 0,
			  is_full || strcmp(plan->join_type, "right") == 0);
	wf_json_end_array(join.w);
	wf_json_put_field_int64(join.w, "count", join.count);
	wf_json_end_object(join.w);
	return wf_json_finish(join.w);
}

/* -- compare -- */

static void
put_unused(WfJsonWriter *w, const char *name, const Side *side)
{
	wf_json_key(w, name, strlen(name));
	wf_json_begin_array(w);
	for (int i = 0; i < side->items.n; i++)
	{
		if (!side->used[i])
			wf_json_put(w, &side->items.values[i]);
	}
	wf_json_end_array(w);
}

/* For each item of the left side its partner, or -1. Several items of one key are paired in their order. */
static int *
find_partners(Side *left, Side *right)
{
	int		   *partner = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(int) * Max((Size) left->items.n, 1));
	int		   *free_from = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(int) * Max((Size) right->items.n, 1));

	/* the first item of each chain that has no partner yet; read at the head of the chain only */
	for (int i = 0; i < right->items.n; i++)
		free_from[i] = i;
	for (int i = 0; i < left->items.n; i++)
	{
		int			head = left->is_null[i] ? -1 : wf_block_keys_find(right->table, &left->keys[i]);

		CHECK_FOR_INTERRUPTS();
		partner[i] = head < 0 ? -1 : free_from[head];
		if (partner[i] < 0)
			continue;
		free_from[head] = right->next[partner[i]];
		left->used[i] = true;
		right->used[partner[i]] = true;
	}
	return partner;
}

static void
put_partners(WfJsonWriter *w, const Side *left, const Side *right, const int *partner, bool changed)
{
	wf_json_key(w, changed ? "changed" : "same", changed ? 7 : 4);
	wf_json_begin_array(w);
	for (int i = 0; i < left->items.n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (partner[i] < 0 || wf_json_equal(&left->items.values[i], &right->items.values[partner[i]]) == changed)
			continue;
		if (!changed)
		{
			wf_json_put(w, &left->items.values[i]);
			continue;
		}
		wf_json_begin_object(w);
		wf_json_put_field(w, "before", &left->items.values[i]);
		wf_json_put_field(w, "after", &right->items.values[partner[i]]);
		wf_json_end_object(w);
	}
	wf_json_end_array(w);
}

Jsonb *
wf_transform_compare(WfStep *step, const WfTransformPlan *plan)
{
	WfJsonWriter *w = wf_json_writer_begin();
	WfKeySpec	left_spec;
	WfKeySpec	right_spec;
	Side		left;
	Side		right;
	int		   *partner;

	read_by(step, &left_spec, &right_spec);
	read_side(step, "items", &left_spec, &left);
	read_side(step, "with", &right_spec, &right);
	chain_side(&right);
	partner = find_partners(&left, &right);
	wf_json_begin_object(w);
	wf_json_key(w, "value", 5);
	wf_json_begin_object(w);
	put_unused(w, "added", &right);
	put_unused(w, "removed", &left);
	put_partners(w, &left, &right, partner, true);
	put_partners(w, &left, &right, partner, false);
	wf_json_end_object(w);
	wf_json_end_object(w);
	return wf_json_finish(w);
}
