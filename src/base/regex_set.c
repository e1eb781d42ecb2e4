/*
 * regex_set.c: sets of characters, and what flag i makes of them.
 */
#include "postgres.h"

#include "base/compat.h"
#include "base/regex_internal.h"
#include "miscadmin.h"

WfRegexSet *
wf_regex_set_make(void)
{
	return palloc0(sizeof(WfRegexSet));
}

void
wf_regex_set_add(WfRegexSet *set, pg_wchar lo, pg_wchar hi)
{
	if (set->n == set->capacity)
	{
		set->capacity = set->capacity == 0 ? 8 : set->capacity * 2;
		set->ranges = set->ranges == NULL ? palloc(set->capacity * sizeof(WfRegexRange)) :
			repalloc(set->ranges, set->capacity * sizeof(WfRegexRange));
	}
	set->ranges[set->n++] = (WfRegexRange) {lo, hi};
}

static const WfRegexRange digits[] = {{'0', '9'}};
static const WfRegexRange words[] = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
static const WfRegexRange wide_words[] = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}, {0x17F, 0x17F}, {0x212A, 0x212A}};
static const WfRegexRange spaces[] = {
	{'\t', '\r'}, {' ', ' '}, {0xA0, 0xA0}, {0x1680, 0x1680}, {0x2000, 0x200A}, {0x2028, 0x2029}, {0x202F, 0x202F},
	{0x205F, 0x205F}, {0x3000, 0x3000}, {0xFEFF, 0xFEFF},
};

void
wf_regex_set_add_class(WfRegexSet *set, char letter, bool wide)
{
	const WfRegexRange *ranges = digits;
	int			n = lengthof(digits);
	pg_wchar	next = 0;

	if (letter == 's' || letter == 'S')
	{
		ranges = spaces;
		n = lengthof(spaces);
	}
	else if (letter == 'w' || letter == 'W')
	{
		ranges = wide ? wide_words : words;
		n = wide ? lengthof(wide_words) : lengthof(words);
	}
	for (int i = 0; i < n; i++)
	{
		if (letter >= 'a')
			wf_regex_set_add(set, ranges[i].lo, ranges[i].hi);
		else if (ranges[i].lo > next)
			wf_regex_set_add(set, next, ranges[i].lo - 1);
		next = ranges[i].hi + 1;
	}
	if (letter < 'a')
		wf_regex_set_add(set, next, WF_REGEX_MAX_CHAR);
}

void
wf_regex_set_add_property(WfRegexSet *set, const char *item)
{
	set->properties = lappend(set->properties, unconstify(char *, item));
}

/* -- order -- */

static int
compare_ranges(const void *a, const void *b)
{
	const WfRegexRange *left = a;
	const WfRegexRange *right = b;

	return left->lo < right->lo ? -1 : left->lo > right->lo;
}

static void
merge(WfRegexSet *set)
{
	int			n = 0;

	qsort(set->ranges, set->n, sizeof(WfRegexRange), compare_ranges);
	for (int i = 0; i < set->n; i++)
	{
		if (n > 0 && set->ranges[i].lo <= set->ranges[n - 1].hi + 1)
			set->ranges[n - 1].hi = Max(set->ranges[n - 1].hi, set->ranges[i].hi);
		else
			set->ranges[n++] = set->ranges[i];
	}
	set->n = n;
}

/* Does a merged list of ranges hold this character? */
static bool
holds(const WfRegexSet *set, int n, pg_wchar c)
{
	int			low = 0;
	int			high = n - 1;

	while (low <= high)
	{
		int			middle = (low + high) / 2;

		if (c < set->ranges[middle].lo)
			high = middle - 1;
		else if (c > set->ranges[middle].hi)
			low = middle + 1;
		else
			return true;
	}
	return false;
}

/* -- case -- */

/*
 * Adds the characters at one end of a row's pairs for those of a range that are at the other: `from`
 * is 0 for the lower end in the range, the row's delta for the upper.
 */
static void
fold_range(WfRegexSet *set, int n, const WfRegexFold *fold, WfRegexRange range, int from)
{
	pg_wchar	lo = fold->lo + from;
	pg_wchar	hi = Min(fold->hi + from, range.hi);
	pg_wchar	first = Max(lo, range.lo);
	pg_wchar	other;

	first += (fold->stride - (first - lo) % fold->stride) % fold->stride;
	for (pg_wchar c = first; c <= hi; c += fold->stride)
	{
		other = from == 0 ? c + fold->delta : c - fold->delta;
		if (!holds(set, n, other))
			wf_regex_set_add(set, other, other);
	}
}

/*
 * Adds what members equal but for case: one pass over the table adds the other end of every pair of
 * which one end is there. Chains (K, k, Kelvin sign) take as many passes as they have links.
 */
static bool
fold_once(WfRegexSet *set, bool unicode)
{
	int			rule = unicode ? WF_REGEX_FOLD_UNICODE : WF_REGEX_FOLD_LEGACY;
	int			n = set->n;

	for (int i = 0; i < wf_regex_n_folds; i++)
	{
		const WfRegexFold *fold = &wf_regex_folds[i];

		for (int r = 0; (fold->rules & rule) != 0 && r < n; r++)
		{
			WfRegexRange range = set->ranges[r];

			if (range.hi < fold->lo || range.lo > fold->hi + fold->delta)
				continue;
			fold_range(set, n, fold, range, 0);
			fold_range(set, n, fold, range, fold->delta);
		}
	}
	if (set->n == n)
		return false;
	merge(set);
	return true;
}

/* Every character with a case of its own, some of them twice. */
static pg_wchar *
list_cased(int *n)
{
	int			most = 0;
	pg_wchar   *points;

	for (int i = 0; i < wf_regex_n_folds; i++)
		most += 2 * ((wf_regex_folds[i].hi - wf_regex_folds[i].lo) / wf_regex_folds[i].stride + 1);
	points = palloc(sizeof(pg_wchar) * most);
	*n = 0;
	for (int i = 0; i < wf_regex_n_folds; i++)
	{
		const WfRegexFold *fold = &wf_regex_folds[i];

		for (pg_wchar c = fold->lo; c <= fold->hi; c += fold->stride)
		{
			points[(*n)++] = c;
			points[(*n)++] = c + fold->delta;
		}
	}
	return points;
}

/* Those of them that a property holds; asked of PCRE2 once for each property of a pattern. */
static const WfRegexCased *
find_cased(WfRegexTree *tree, const char *property)
{
	WfRegexCased *cased;
	ListCell   *lc;
	bool	   *matches;
	int			n;

	foreach(lc, tree->cased)
	{
		cased = lfirst(lc);
		if (strcmp(cased->property, property) == 0)
			return cased;
	}
	cased = palloc0(sizeof(WfRegexCased));
	cased->property = property;
	cased->points = list_cased(&n);
	matches = palloc0(sizeof(bool) * n);
	if (wf_regex_probe(property, cased->points, n, matches))
	{
		for (int i = 0; i < n; i++)
		{
			if (matches[i])
				cased->points[cased->n++] = cased->points[i];
		}
	}
	pfree(matches);
	tree->cased = lappend(tree->cased, cased);
	return cased;
}

void
wf_regex_set_settle(WfRegexSet *set, WfRegexTree *tree)
{
	bool		fold = tree != NULL && tree->ignore_case;
	ListCell   *lc;

	foreach(lc, set->properties)
	{
		const WfRegexCased *cased;

		if (!fold)
			break;
		CHECK_FOR_INTERRUPTS();
		cased = find_cased(tree, lfirst(lc));
		for (int i = 0; i < cased->n; i++)
			wf_regex_set_add(set, cased->points[i], cased->points[i]);
	}
	merge(set);
	while (fold && fold_once(set, tree->unicode))
		CHECK_FOR_INTERRUPTS();
}

/* The least character that `c` equals but for case, following the table down. */
static pg_wchar
fold_least(pg_wchar c, int rule)
{
	for (int i = wf_regex_n_folds - 1; i >= 0; i--)
	{
		const WfRegexFold *fold = &wf_regex_folds[i];
		pg_wchar	below = c - fold->delta;

		if ((fold->rules & rule) != 0 && c >= fold->lo + fold->delta && below <= fold->hi &&
			(below - fold->lo) % fold->stride == 0)
		{
			c = below;
			i = wf_regex_n_folds;
		}
	}
	return c;
}

bool
wf_regex_same_fold(pg_wchar a, pg_wchar b, bool unicode)
{
	int			rule = unicode ? WF_REGEX_FOLD_UNICODE : WF_REGEX_FOLD_LEGACY;

	return a == b || fold_least(a, rule) == fold_least(b, rule);
}

bool
wf_regex_set_touches(const WfRegexSet *set, pg_wchar lo, pg_wchar hi)
{
	pg_wchar	next = lo;

	if (set->properties != NIL)
		return true;
	for (int i = 0; i < set->n; i++)
	{
		if (set->ranges[i].hi < next || set->ranges[i].lo > hi)
			continue;
		if (!set->negated)
			return true;
		if (set->ranges[i].lo > next)
			return true;
		next = set->ranges[i].hi + 1;
	}
	return set->negated && next <= hi;
}
