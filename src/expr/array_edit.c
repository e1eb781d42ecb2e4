/*
 * array_edit.c: Array.prototype's methods that change their array, and their copying twins.
 *
 * An array of the context is never changed: these work on a copy of it, so that
 * `$input.list.sort()` gives the sorted list and leaves the context alone. Sorting is a stable merge
 * sort that tolerates any comparator.
 */
#include "postgres.h"

#include <math.h>

#include "expr/internal.h"

static void
js_array_push(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	WfArray    *array = wf_expr_own_array(ev, self);

	for (int i = 0; i < argc; i++)
		*wf_expr_array_add(ev, array) = argv[i];
	set_number(out, array->count);
}

static void
js_array_pop(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	WfArray    *array = wf_expr_own_array(ev, self);

	if (array->count == 0)
	{
		set_undefined(out);
		return;
	}
	*out = array->items[--array->count];
	if (out->tag == WF_V_HOLE)
		set_undefined(out);
}

static void
js_array_shift(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	WfArray    *array = wf_expr_own_array(ev, self);

	if (array->count == 0)
	{
		set_undefined(out);
		return;
	}
	*out = array->items[0];
	if (out->tag == WF_V_HOLE)
		set_undefined(out);
	array->items++;
	array->count--;
	array->capacity--;
}

/* Replaces `removed` elements at `at` by the given ones. */
static void
splice(WfEval *ev, WfArray *array, uint32 at, uint32 removed, int n, const WfValue *values)
{
	uint32		tail = array->count - at - removed;

	wf_expr_spend(ev, tail / 16);
	while (array->count < at + n + tail)
		wf_expr_array_add(ev, array)->tag = WF_V_HOLE;
	if (tail > 0 && n != (int64) removed)
		memmove(&array->items[at + n], &array->items[at + removed], tail * sizeof(WfValue));
	if (n > 0)
		memcpy(&array->items[at], values, n * sizeof(WfValue));
	array->count = at + n + tail;
}

static void
js_array_unshift(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	WfArray    *array = wf_expr_own_array(ev, self);

	splice(ev, array, 0, 0, argc, argv);
	set_number(out, array->count);
}

/* Start and count of splice and toSpliced. */
static void
splice_range(WfEval *ev, uint32 count, int argc, WfValue *argv, uint32 *at, uint32 *removed)
{
	*at = argc > 0 ? (uint32) (argv[0].tag == WF_V_UNDEFINED ? 0 : wf_expr_relative(ev, &argv[0], count, 0)) : 0;
	if (argc == 0)
		*removed = 0;
	else if (argc == 1)
		*removed = count - *at;
	else
		*removed = (uint32) Min(Max(wf_expr_to_integer(ev, &argv[1]), 0), count - *at);
}

static void
js_array_splice(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	WfArray    *array = wf_expr_own_array(ev, self);
	WfArray    *result;
	uint32		at;
	uint32		removed;

	splice_range(ev, array->count, argc, argv, &at, &removed);
	at = Min(at, array->count);	/* a conversion may have changed it */
	removed = Min(removed, array->count - at);
	result = wf_expr_new_array(ev, removed);
	if (removed > 0)
		memcpy(result->items, &array->items[at], removed * sizeof(WfValue));
	result->count = removed;
	splice(ev, array, at, removed, Max(argc - 2, 0), argv + 2);
	set_array(out, result);
}

static void
fill_holes(WfArray *array)
{
	for (uint32 i = 0; i < array->count; i++)
		if (array->items[i].tag == WF_V_HOLE)
			set_undefined(&array->items[i]);
}

static void
js_array_to_spliced(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	WfArray    *array = wf_expr_copy_array(ev, self);
	uint32		at;
	uint32		removed;

	fill_holes(array);
	splice_range(ev, array->count, argc, argv, &at, &removed);
	splice(ev, array, at, removed, Max(argc - 2, 0), argv + 2);
	set_array(out, array);
}

static void
js_array_with(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	WfArray    *array = wf_expr_copy_array(ev, self);
	double		at = wf_expr_to_integer(ev, ARG(0));

	if (at < 0)
		at += array->count;
	if (at < 0 || at >= array->count)
		wf_expr_throw(ev, "index is out of range");
	fill_holes(array);
	array->items[(uint32) at] = *ARG(1);
	set_array(out, array);
}

static void
reverse(WfArray *array)
{
	for (uint32 i = 0; i < array->count / 2; i++)
	{
		WfValue		swap = array->items[i];

		array->items[i] = array->items[array->count - 1 - i];
		array->items[array->count - 1 - i] = swap;
	}
}

static void
js_array_reverse(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	WfArray    *array = wf_expr_own_array(ev, self);

	wf_expr_spend(ev, array->count / 8);
	reverse(array);
	set_array(out, array);
}

static void
js_array_to_reversed(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	WfArray    *array = wf_expr_copy_array(ev, self);

	fill_holes(array);
	reverse(array);
	set_array(out, array);
}

static void
js_array_fill(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	WfArray    *array = wf_expr_own_array(ev, self);
	double		from = wf_expr_relative(ev, ARG(1), array->count, 0);
	double		to = wf_expr_relative(ev, ARG(2), array->count, array->count);

	wf_expr_spend(ev, array->count / 8);
	to = Min(to, array->count);	/* a conversion may have changed it */
	for (int64 i = from; i < to; i++)
		array->items[(uint32) i] = *ARG(0);
	set_array(out, array);
}

static void
js_array_copy_within(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	WfArray    *array = wf_expr_own_array(ev, self);
	double		to = wf_expr_relative(ev, ARG(0), array->count, 0);
	double		from = wf_expr_relative(ev, ARG(1), array->count, 0);
	double		end = wf_expr_relative(ev, ARG(2), array->count, array->count);
	double		n = Min(end - from, array->count - to);

	n = Min(n, array->count - from);
	if (n > 0)
		memmove(&array->items[(uint32) to], &array->items[(uint32) from], (uint32) n * sizeof(WfValue));
	set_array(out, array);
}

/* -- sorting -- */

typedef struct Sort
{
	WfEval	   *ev;
	const WfValue *comparator;	/* or NULL: by text */
	WfValue    *texts;			/* by text: keys, moved with the items */
} Sort;

/* later < earlier, asked in this order as V8 does: it shows with comparators that are none. */
static bool
comes_before(Sort *sort, const WfValue *later, const WfValue *earlier)
{
	WfValue		call[2];
	WfValue		result;

	wf_expr_spend(sort->ev, 1);
	if (sort->comparator == NULL)
		return wf_expr_compare_strings(later, earlier) < 0;
	call[0] = *later;
	call[1] = *earlier;
	wf_expr_call(sort->ev, sort->comparator, &wf_expr_undefined, 2, call, &result);
	return wf_expr_to_number(sort->ev, &result) < 0;
}

/* Sorts order[from..to): the run it begins with, turned round when it descends, then by insertion. */
static void
sort_run(Sort *sort, const WfValue *keys, uint32 *order, uint32 from, uint32 to)
{
	uint32		sorted = from + 1;
	bool		descends;

	if (to - from < 2)
		return;
	descends = comes_before(sort, &keys[order[from + 1]], &keys[order[from]]);
	for (sorted = from + 2; sorted < to; sorted++)
		if (comes_before(sort, &keys[order[sorted]], &keys[order[sorted - 1]]) != descends)
			break;
	for (uint32 i = from, j = sorted - 1; descends && i < j; i++, j--)
	{
		uint32		swap = order[i];

		order[i] = order[j];
		order[j] = swap;
	}
	for (; sorted < to; sorted++)
	{
		uint32		item = order[sorted];
		uint32		left = from;
		uint32		right = sorted;

		while (left < right)
		{
			uint32		mid = left + (right - left) / 2;

			if (comes_before(sort, &keys[item], &keys[order[mid]]))
				right = mid;
			else
				left = mid + 1;
		}
		memmove(&order[left + 1], &order[left], (sorted - left) * sizeof(uint32));
		order[left] = item;
	}
}

/* Sorts order[0..n) (indexes into keys): runs, then merges; `scratch` has room for n. */
static void
merge_sort(Sort *sort, const WfValue *keys, uint32 *order, uint32 *scratch, uint32 n)
{
	Size		width = n < 64 ? 64 : 32;

	for (uint32 from = 0; from < n; from += width)
		sort_run(sort, keys, order, from, Min(from + width, n));
	for (; width < n; width *= 2)
	{
		for (Size from = 0; from < n; from += 2 * width)
		{
			uint32		l = from;
			uint32		mid = Min(from + width, n);
			uint32		r = mid;
			uint32		end = Min(from + 2 * width, n);

			for (uint32 k = from; k < end; k++)
			{
				if (r < end && (l >= mid || comes_before(sort, &keys[order[r]], &keys[order[l]])))
					scratch[k] = order[r++];
				else
					scratch[k] = order[l++];
			}
		}
		memcpy(order, scratch, n * sizeof(uint32));
	}
}

/* Array.prototype.sort: undefined last, then holes. */
static void
sort_array(WfEval *ev, WfArray *array, const WfValue *comparator)
{
	Sort		sort = {.ev = ev};
	uint32		n = 0;
	uint32		n_undefined = 0;
	uint32		total = array->count;
	WfValue    *items;
	WfValue    *keys;
	uint32	   *order;

	if (comparator->tag != WF_V_UNDEFINED)
		sort.comparator = wf_expr_callback(ev, comparator);
	wf_expr_check_size(ev, (double) total * (2 * sizeof(WfValue) + 2 * sizeof(uint32)));
	items = wf_expr_alloc(ev, (Size) total * sizeof(WfValue));
	order = wf_expr_alloc(ev, (Size) total * 2 * sizeof(uint32));
	for (uint32 i = 0; i < total; i++)
	{
		if (array->items[i].tag == WF_V_UNDEFINED)
			n_undefined++;
		else if (array->items[i].tag != WF_V_HOLE)
		{
			order[n] = n;
			items[n++] = array->items[i];
		}
	}
	keys = items;
	if (sort.comparator == NULL)
	{
		keys = wf_expr_alloc(ev, (Size) n * sizeof(WfValue));
		for (uint32 i = 0; i < n; i++)
			wf_expr_to_string(ev, &items[i], &keys[i]);
	}
	merge_sort(&sort, keys, order, order + total, n);
	wf_expr_array_resize(ev, array, total);
	for (uint32 i = 0; i < total; i++)
	{
		if (i < n)
			array->items[i] = items[order[i]];
		else
			array->items[i].tag = i < n + n_undefined ? WF_V_UNDEFINED : WF_V_HOLE;
	}
}

static void
js_array_sort(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	WfArray    *array = wf_expr_own_array(ev, self);

	sort_array(ev, array, ARG(0));
	set_array(out, array);
}

static void
js_array_to_sorted(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	WfArray    *array = wf_expr_copy_array(ev, self);

	fill_holes(array);
	sort_array(ev, array, ARG(0));
	set_array(out, array);
}

const WfBuiltin wf_expr_array_edit_methods[] = {
	{"sort", js_array_sort, 1},
	{"toSorted", js_array_to_sorted, 1},
	{"reverse", js_array_reverse, 0},
	{"toReversed", js_array_to_reversed, 0},
	{"push", js_array_push, 1},
	{"pop", js_array_pop, 0},
	{"shift", js_array_shift, 0},
	{"unshift", js_array_unshift, 1},
	{"splice", js_array_splice, 2},
	{"toSpliced", js_array_to_spliced, 2},
	{"with", js_array_with, 2},
	{"fill", js_array_fill, 1},
	{"copyWithin", js_array_copy_within, 2},
	{NULL}
};
