/*
 * pii_path.c: paths to personal data, all followed at once.
 *
 * A place has one word for each path: the set of its steps that may come next; the bit behind the last step says that the
 * path ends here. Going down a level costs a look at each of those bits. A `**` may stand for nothing, so the step behind
 * one is there as soon as it is.
 */
#include "postgres.h"

#include "base/pii.h"
#include "port/pg_bitutils.h"

typedef struct Path
{
	int			n;
	WfPiiStep  *steps;
} Path;

struct WfPiiPaths
{
	int			n;
	int			size;
	Path	   *items;
	MemoryContext memory;
};

WfPiiPaths *
wf_pii_paths_make(void)
{
	WfPiiPaths *paths = palloc0(sizeof(WfPiiPaths));

	paths->memory = CurrentMemoryContext;
	return paths;
}

int
wf_pii_paths_count(const WfPiiPaths *paths)
{
	return paths == NULL ? 0 : paths->n;
}

WfPiiPaths *
wf_pii_paths_join(const WfPiiPaths *some, const WfPiiPaths *others)
{
	WfPiiPaths *paths = wf_pii_paths_make();
	const WfPiiPaths *both[] = {some, others};

	paths->size = wf_pii_paths_count(some) + wf_pii_paths_count(others);
	paths->items = palloc(sizeof(Path) * Max(paths->size, 1));
	for (int i = 0; i < lengthof(both); i++)
		for (int j = 0; j < wf_pii_paths_count(both[i]); j++)
			paths->items[paths->n++] = both[i]->items[j];
	return paths;
}

bool
wf_pii_paths_add(WfPiiPaths *paths, const WfPiiStep *steps, int n)
{
	MemoryContext old;
	Path	   *path;

	if (n > WF_PII_MOST_STEPS || paths->n >= WF_PII_MOST_PATHS)
		return false;
	old = MemoryContextSwitchTo(paths->memory);
	if (paths->n == paths->size)
	{
		paths->size = paths->size == 0 ? 8 : paths->size * 2;
		paths->items = paths->items == NULL ? palloc(sizeof(Path) * paths->size) :
			repalloc(paths->items, sizeof(Path) * paths->size);
	}
	path = &paths->items[paths->n++];
	path->n = n;
	path->steps = palloc(sizeof(WfPiiStep) * Max(n, 1));
	for (int i = 0; i < n; i++)
	{
		path->steps[i] = steps[i];
		if (steps[i].kind == WF_PII_NAME)
			path->steps[i].name = pnstrdup(steps[i].name, steps[i].name_len);
	}
	MemoryContextSwitchTo(old);
	return true;
}

const char *
wf_pii_paths_read(WfPiiPaths *paths, const char *text, int len)
{
	WfPiiStep	steps[WF_PII_MOST_STEPS];
	int			n = 0;
	int			begin = 0;

	for (int at = 0; at <= len; at++)
	{
		WfPiiStep  *step = &steps[n];

		if (at < len && (unsigned char) text[at] < ' ')
			return "it has a control character";
		if (at < len && text[at] != '.')
			continue;
		if (n == WF_PII_MOST_STEPS)
			return "it has too many steps";
		if (at == begin)
			return "it has an empty step";
		step->name = text + begin;
		step->name_len = at - begin;
		step->kind = WF_PII_NAME;
		if (step->name_len == 1 && step->name[0] == '*')
			step->kind = WF_PII_ANY;
		else if (step->name_len == 2 && memcmp(step->name, "**", 2) == 0)
			step->kind = WF_PII_DEEP;
		n++;
		begin = at + 1;
	}
	if (n > 0 && steps[n - 1].kind == WF_PII_DEEP)
		return "it ends in \"**\"";
	return wf_pii_paths_add(paths, steps, n) ? NULL : "there are too many paths";
}

const char *
wf_pii_paths_read_all(WfPiiPaths *paths, const JsonbValue *list)
{
	JsonbValue	key;
	JsonbValue	path;
	WfJsonIter	it;

	if (!wf_json_is_array(list))
		return "it is no list of paths";
	wf_json_iter_begin(&it, list);
	while (wf_json_iter_next(&it, &key, &path))
	{
		const char *problem = "it is no string";

		if (path.type == jbvString)
			problem = wf_pii_paths_read(paths, path.val.string.val, path.val.string.len);
		if (problem != NULL)
			return problem;
	}
	return NULL;
}

/* -- following -- */

/* The set with what is reached by leaving out each `**`. */
static uint64
closed(const Path *path, uint64 set)
{
	for (int i = 0; i < path->n; i++)
		if ((set & (UINT64CONST(1) << i)) != 0 && path->steps[i].kind == WF_PII_DEEP)
			set |= UINT64CONST(1) << (i + 1);
	return set;
}

WfPiiPlace
wf_pii_place_root(const WfPiiPaths *paths)
{
	WfPiiPlace	place;

	if (wf_pii_paths_count(paths) == 0)
		return NULL;
	place = palloc(sizeof(uint64) * paths->n);
	for (int i = 0; i < paths->n; i++)
		place[i] = closed(&paths->items[i], 1);
	return place;
}

WfPiiPlace
wf_pii_place_member(const WfPiiPaths *paths, WfPiiPlace place, const char *name, int name_len)
{
	WfPiiPlace	next = NULL;

	if (place == NULL)
		return NULL;
	for (int i = 0; i < paths->n; i++)
	{
		const Path *path = &paths->items[i];
		uint64		from = place[i] & ~(UINT64CONST(1) << path->n);
		uint64		to = 0;

		while (from != 0)
		{
			int			at = pg_rightmost_one_pos64(from);
			const WfPiiStep *step = &path->steps[at];

			from &= from - 1;
			if (step->kind == WF_PII_DEEP)
				to |= UINT64CONST(1) << at;
			else if (step->kind == WF_PII_ANY ||
					 (step->name_len == name_len && memcmp(step->name, name, name_len) == 0))
				to |= UINT64CONST(1) << (at + 1);
		}
		if (to != 0 && next == NULL)
			next = palloc0(sizeof(uint64) * paths->n);
		if (to != 0)
			next[i] = closed(path, to);
	}
	return next;
}

WfPiiPlace
wf_pii_place_element(const WfPiiPaths *paths, WfPiiPlace place, uint32 index)
{
	char		name[16];

	if (place == NULL)
		return NULL;
	return wf_pii_place_member(paths, place, name, snprintf(name, sizeof(name), "%u", index));
}

bool
wf_pii_place_is_marked(const WfPiiPaths *paths, WfPiiPlace place)
{
	for (int i = 0; place != NULL && i < paths->n; i++)
		if ((place[i] & (UINT64CONST(1) << paths->items[i].n)) != 0)
			return true;
	return false;
}
